//! Codecs whose messages are frames can be buffered, flushed and paused like others, through a bridge to another
//! application.

use super::super::harness::{App, Context, Suite};
use super::super::protocol::codecs::all_codecs;
use super::{OURS, command, next, number};

pub fn tests(suite: &mut Suite) {
    for packet in PACKETS {
        suite
            .ours(format!("playback/packets/{}", packet.name), OURS, move |t| steered(t, packet))
            .shares("codecs", all_codecs);
    }
    suite
        .ours("playback/packets/flow_control", OURS, |t| flow_control(t, PACKETS[3]))
        .shares("codecs", all_codecs);
}

/// A packet and its duration.
#[derive(Debug, Clone, Copy)]
struct Packet {
    name: &'static str,
    /// Options of the dial string.
    options: &'static str,
    /// Its first bytes; the other bytes do not matter.
    head: &'static [u8],
    bytes: usize,
    micros: u64,
}

/// Opus by its first byte: configuration and frame count code (RFC 6716 section 3.1).
const PACKETS: [Packet; 9] = [
    Packet { name: "opus_2.5_ms", options: "c(opus)", head: &[28 << 3], bytes: 30, micros: 2500 },
    Packet { name: "opus_10_ms", options: "c(opus)", head: &[30 << 3], bytes: 30, micros: 10_000 },
    Packet { name: "opus_20_ms", options: "c(opus)", head: &[31 << 3], bytes: 30, micros: 20_000 },
    Packet { name: "opus_60_ms", options: "c(opus)", head: &[3 << 3], bytes: 30, micros: 60_000 },
    Packet { name: "opus_120_ms", options: "c(opus)", head: &[3 << 3 | 1], bytes: 31, micros: 120_000 },
    Packet { name: "g729", options: "c(g729)", head: &[], bytes: 20, micros: 20_000 },
    // Sub-mode 3, in 20 bytes.
    Packet { name: "speex", options: "c(speex)", head: &[0x18], bytes: 20, micros: 20_000 },
    Packet { name: "ulaw_in_passthrough", options: "c(ulaw)p", head: &[], bytes: 240, micros: 30_000 },
    Packet { name: "slin16_in_passthrough", options: "c(slin16)p", head: &[], bytes: 320, micros: 10_000 },
];

impl Packet {
    /// A packet with a unique number.
    fn numbered(self, number: u8) -> Vec<u8> {
        let mut packet = vec![0x55; self.bytes];
        packet[..self.head.len()].copy_from_slice(self.head);
        packet[self.bytes - 1] = number;
        packet
    }

    fn ms(self, packets: u64) -> u64 {
        packets * self.micros / 1000
    }

    fn send(self, app: &App, numbers: std::ops::Range<u8>) {
        numbers.for_each(|number| app.send_media(&self.numbered(number)));
    }

    #[track_caller]
    fn expect(self, app: &App, numbers: std::ops::Range<u8>) {
        for number in numbers {
            assert_eq!(app.expect_media(), self.numbered(number), "packet {number}");
        }
    }
}

fn steered(t: &Context, packet: Packet) {
    let options = format!("{}f(json)", packet.options);
    let [(_one, talker), (_other, listener)] = t.bridged(&options, &options);
    command(&talker, "SUBSCRIBE", r#""events":[]"#);
    next(&talker, "SUBSCRIBED");
    bulk(packet, &talker, &listener);
    flush(packet, &talker);
    after(packet, &talker, &listener);
    command(&talker, "FLUSH_MEDIA", r#""fade_ms":80,"correlation_id":"f""#);
    let error = talker.expect_event("ERROR");
    assert_eq!(error.get("error_text"), "FLUSH_MEDIA: 'fade_ms' is 80; allowed: 0 in passthrough mode");
    assert_eq!(error.get("correlation_id"), "f");
}

/// While paused, everything waits. Then it is played, and the events come in their places.
fn bulk(packet: Packet, talker: &App, listener: &App) {
    command(talker, "PAUSE_MEDIA", "");
    command(talker, "START_MEDIA_BUFFERING", "");
    packet.send(talker, 0..20);
    command(talker, "MARK_MEDIA", r#""correlation_id":"m""#);
    packet.send(talker, 20..22);
    command(talker, "GET_STATUS", "");
    let status = talker.expect_event("STATUS");
    assert_eq!((status.get("bulk_media"), status.get("media_paused")), ("true".into(), "true".into()));
    assert_eq!((number(&status, "queue_length"), number(&status, "queued_ms")), (22, packet.ms(22)));
    command(talker, "STOP_MEDIA_BUFFERING", r#""correlation_id":"b""#);
    command(talker, "REPORT_QUEUE_DRAINED", "");
    command(talker, "CONTINUE_MEDIA", "");
    packet.expect(listener, 0..22);
    let mark = talker.expect_event("MEDIA_MARK_PROCESSED");
    assert_eq!((mark.get("correlation_id"), number(&mark, "played_ms")), ("m".into(), packet.ms(20)));
    let completed = talker.expect_event("MEDIA_BUFFERING_COMPLETED");
    assert_eq!(
        (completed.get("correlation_id"), number(&completed, "played_ms")),
        ("b".into(), packet.ms(22))
    );
    talker.expect_event("QUEUE_DRAINED");
}

/// The answer reports what was discarded, and a pause ends.
fn flush(packet: Packet, talker: &App) {
    command(talker, "PAUSE_MEDIA", "");
    packet.send(talker, 30..40);
    command(talker, "MARK_MEDIA", r#""correlation_id":"m""#);
    command(talker, "FLUSH_MEDIA", r#""correlation_id":"f""#);
    let flushed = talker.expect_event("MEDIA_FLUSHED");
    assert_eq!((number(&flushed, "flushed_frames"), number(&flushed, "flushed_ms")), (10, packet.ms(10)));
    assert_eq!((number(&flushed, "played_ms"), flushed.get("marks")), (packet.ms(22), r#"["m"]"#.into()));
    command(talker, "GET_STATUS", "");
    assert_eq!(talker.expect_event("STATUS").get("media_paused"), "false");
}

fn after(packet: Packet, talker: &App, listener: &App) {
    command(talker, "PAUSE_MEDIA", "");
    packet.send(talker, 50..53);
    command(talker, "MARK_MEDIA", r#""correlation_id":"a""#);
    packet.send(talker, 60..65);
    command(talker, "FLUSH_MEDIA", r#""after":"a","correlation_id":"f""#);
    assert_eq!(number(&talker.expect_event("MEDIA_FLUSHED"), "flushed_ms"), packet.ms(5));
    command(talker, "CONTINUE_MEDIA", "");
    // Packets from before the flush are not heard.
    packet.expect(listener, 50..53);
    let mark = talker.expect_event("MEDIA_MARK_PROCESSED");
    assert_eq!((mark.get("correlation_id"), number(&mark, "played_ms")), ("a".into(), packet.ms(25)));
}

/// MEDIA_XOFF at 900 packets; a flush makes room at once.
fn flow_control(t: &Context, packet: Packet) {
    let (call, app) = t.incoming_app(&format!("{}f(json)", packet.options));
    call.wait_up();
    command(&app, "PAUSE_MEDIA", "");
    (0..900).for_each(|number: usize| app.send_media(&packet.numbered((number % 256) as u8)));
    app.expect_event("MEDIA_XOFF");
    command(&app, "FLUSH_MEDIA", r#""correlation_id":"f""#);
    let flushed = app.expect_event("MEDIA_FLUSHED");
    assert_eq!((number(&flushed, "flushed_frames"), number(&flushed, "flushed_ms")), (900, packet.ms(900)));
    app.expect_event("MEDIA_XON");
}
