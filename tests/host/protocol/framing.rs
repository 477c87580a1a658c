//! Messages in any number of pieces: WebSocket fragments, TCP segments, control frames in between, sizes at the limits.

use std::thread;
use std::time::Duration;

use super::super::harness::call::Ending;
use super::super::harness::wire::opcode;
use super::super::harness::{App, Context, Format, Frame, Item, Suite, wait};
use super::super::media::noise;
use super::{status, ulaw};

pub fn tests(suite: &mut Suite) {
    for &(name, sizes) in FRAGMENTS {
        suite.same(format!("framing/fragments/{name}"), move |t| fragments(t, sizes));
    }
    for &(name, sizes) in LARGE_FRAGMENTS {
        suite.ours(format!("framing/fragments/{name}"), "the C module loses them (14)", move |t| {
            fragments(t, sizes);
        });
    }
    suite.ours("framing/ping_between_fragments", "the C module mixes them up (14)", ping_between_fragments);
    suite.ours("framing/command_in_fragments", "the C module takes the first one for all (14)", |t| {
        command_in_fragments(t);
    });
    suite.ours("framing/command_between_fragments", "no app may do it (9)", command_between_fragments);
    suite.ours("framing/byte_by_byte", "the C module gives up (14)", byte_by_byte);
    suite.ours("framing/half_a_header", "the C module waits with the channel locked (1)", |t| half(t, 1));
    suite.ours("framing/half_a_message", "the C module waits with the channel locked (1)", |t| half(t, 40));
    suite.same("framing/long_form_of_length", long_form_of_length);
    for size in [0, 1, 125, 126, 127, 65_535 - 8] {
        suite.same(format!("framing/message_of_{size}_bytes"), move |t| one_message(t, size));
    }
    for size in [65_536, 65_537, 1 << 20] {
        suite.ours(format!("framing/message_of_{size}_bytes"), "the C module ends the call (6)", move |t| {
            one_message(t, size);
        });
    }
    suite.ours("framing/fragments_over_the_limit", "the C module knows no such limit", over_the_limit);
    suite.same("framing/pings", pings);
    suite.same("framing/pong_unasked", pong_unasked);
    suite.ours("framing/many_pings", "the C module takes one per poll (3)", many_pings);
    for format in Format::ALL {
        let name = |test: &str| format!("framing/{}/{test}", format.name());
        suite.same(name("commands_in_one_segment"), move |t| commands_in_one_segment(t, format));
        suite.differs(name("close_behind_commands"), "19", move |t| close_behind_commands(t, format));
        suite.same(name("hangup_behind_media"), move |t| hangup_behind_media(t, format));
    }
}

/// Sizes of fragments of a bulk message of 1600 bytes; the last one has the remainder.
const FRAGMENTS: &[(&str, &[usize])] = &[("halves", &[800]), ("odd", &[1, 159, 7, 333]), ("bytes", &[1; 40])];

/// The same with pieces of 1024 bytes or more, or unfragmented.
const LARGE_FRAGMENTS: &[(&str, &[usize])] = &[
    ("primes", &[997, 101, 13]),
    ("1024", &[1024]),
    ("1023", &[1023, 1]),
    ("1500", &[1500]),
    ("empty", &[0, 0, 700, 0, 0, 1, 0]),
];

fn fragments(t: &Context, sizes: &[usize]) {
    let (_call, app) = t.incoming_echo("c(ulaw)");
    let media = noise(1600 * 2);
    app.command("START_MEDIA_BUFFERING");
    for message in media.chunks(1600) {
        app.send_fragmented(message, sizes);
    }
    app.command("STOP_MEDIA_BUFFERING all");
    app.expect_event("MEDIA_BUFFERING_COMPLETED");
    assert_eq!(app.collect_media(media.len()), media);
}

/// A message cut at these sizes, with a ping after each piece but the last.
fn with_pings(kind: u8, payload: &[u8], sizes: &[usize]) -> Vec<Frame> {
    let mut rest = payload;
    let mut frames = Vec::new();
    for (number, size) in sizes.iter().enumerate() {
        let (head, tail) = rest.split_at(*size);
        let kind = if number == 0 { kind } else { opcode::CONTINUATION };
        frames.push(Frame::new(kind, head).not_last());
        frames.push(Frame::new(opcode::PING, number.to_string()));
        rest = tail;
    }
    frames.push(Frame::new(opcode::CONTINUATION, rest));
    frames
}

fn pongs(app: &App) -> Vec<String> {
    let pong = |item: &Item| match item {
        Item::Pong(payload) => Some(String::from_utf8_lossy(payload).into_owned()),
        _ => None,
    };
    app.received().iter().filter_map(|received| pong(&received.item)).collect()
}

fn ping_between_fragments(t: &Context) {
    let (_call, app) = t.incoming_echo("c(ulaw)");
    let media = noise(160 * 20);
    let frames = with_pings(opcode::BINARY, &media, &[1, 1500, 333, 0, 77]);
    app.send_frames(&frames);
    assert_eq!(app.collect_media(media.len()), media);
    assert_eq!(pongs(&app), ["0", "1", "2", "3", "4"]);
}

fn command_in_fragments(t: &Context) {
    for format in Format::ALL {
        let (_call, app) = t.incoming_app(&ulaw(format));
        let id = "😀é".repeat(20);
        let command = format.command(&format!("MARK_MEDIA {id}"));
        // Cuts within a character, too.
        let sizes: Vec<usize> = vec![1; command.len() - 1];
        app.send_frames(&with_pings(opcode::TEXT, command.as_bytes(), &sizes));
        assert_eq!(app.expect_event("MEDIA_MARK_PROCESSED").get("correlation_id"), id);
        // Of several pings only the latest has to be answered (RFC 6455 section 5.5.3).
        let last = (sizes.len() - 1).to_string();
        wait::until("the last pong", || pongs(&app).last() == Some(&last));
    }
}

/// A message within a message is a protocol fault.
fn command_between_fragments(t: &Context) {
    let (call, app) = t.incoming_app("c(ulaw)");
    t.allow_log(&call.name);
    let media = Frame::binary(noise(160));
    app.send_frames(&[media.not_last(), Frame::text("GET_STATUS")]);
    assert_eq!(app.expect_close(), 1002);
    assert_eq!(call.ending(), Ending { cause: 38, tech_cause: 1002 });
}

/// Each byte in a separate TCP segment.
fn byte_by_byte(t: &Context) {
    let (_call, app) = t.incoming_echo("c(ulaw)");
    let media = noise(160);
    let frames = [Frame::text("MARK_MEDIA a"), Frame::binary(&*media), Frame::text("MARK_MEDIA b")];
    for byte in frames.iter().flat_map(Frame::encode) {
        app.send_raw(&[byte]);
        thread::sleep(Duration::from_micros(500));
    }
    for id in ["a", "b"] {
        assert_eq!(app.expect_event("MEDIA_MARK_PROCESSED").get("correlation_id"), id);
    }
    assert_eq!(app.expect_media(), media);
}

/// While an app sends slowly, it hears media, and the core can use the channel.
fn half(t: &Context, bytes: usize) {
    let [(call, slow), (_other, talker)] = t.bridged("c(ulaw)", "c(ulaw)");
    let media = noise(160 * 10);
    let message = Frame::binary(&*media).encode();
    let (head, tail) = message.split_at(bytes);
    slow.send_raw(head);
    talker.send_media(&media);
    assert_eq!(slow.collect_media(media.len()), media);
    assert_eq!(call.variable("CHANNEL(state)").as_deref(), Some("Up"));
    slow.send_raw(tail);
    assert_eq!(talker.collect_media(media.len()), media);
    slow.send_raw(head);
    call.hangup();
    assert_eq!(slow.expect_close(), 1000);
}

/// A longer length field than necessary.
fn long_form_of_length(t: &Context) {
    let (_call, app) = t.incoming_echo("c(ulaw)");
    let media = noise(160);
    app.send_frames(&[Frame::binary(&*media).announcing(160)]);
    assert_eq!(app.expect_media(), media);
}

/// The whole frames of the message are queued.
fn one_message(t: &Context, size: usize) {
    let (_call, app) = t.incoming_app("c(ulaw)");
    app.command("PAUSE_MEDIA");
    app.send_media(&noise(size));
    if size >= 160 * 900 {
        app.expect_event("MEDIA_XOFF");
    }
    assert_eq!(status(&app, "queue_length"), (size / 160).to_string());
}

/// The limit applies to all fragments together.
fn over_the_limit(t: &Context) {
    let (call, app) = t.incoming_app("c(ulaw)");
    t.allow_log(&call.name);
    let piece = vec![0; 600_000];
    app.send_frames(&[Frame::binary(&*piece).not_last()]);
    // Asterisk may close the connection before all of it is written.
    let last = Frame::new(opcode::CONTINUATION, &*piece).encode();
    let _ = app.try_send_raw(&last);
    assert_eq!(app.expect_close(), 1009);
    assert_eq!(call.ending(), Ending { cause: 38, tech_cause: 1009 });
}

fn pings(t: &Context) {
    let (_call, app) = t.incoming_app("c(ulaw)");
    for payload in ["", "a", &"x".repeat(125)] {
        app.send_frames(&[Frame::new(opcode::PING, payload)]);
        app.command("GET_STATUS");
        app.expect_event("STATUS");
        assert_eq!(pongs(&app).last().map(String::as_str), Some(payload));
    }
}

fn pong_unasked(t: &Context) {
    let (_call, app) = t.incoming_app("c(ulaw)");
    app.send_frames(&[Frame::new(opcode::PONG, "hello")]);
    status(&app, "queue_length");
}

/// The last ping is answered (RFC 6455 section 5.5.3 lets the others be skipped); answers are in order, and none comes
/// twice.
fn many_pings(t: &Context) {
    let (_call, app) = t.incoming_app("c(ulaw)");
    let pings: Vec<Frame> = (0..1000).map(|number| Frame::new(opcode::PING, format!("{number}"))).collect();
    app.send_frames(&pings);
    wait::until("the last pong", || pongs(&app).last().is_some_and(|pong| pong == "999"));
    let numbers: Vec<u32> = pongs(&app).iter().map(|pong| pong.parse().unwrap()).collect();
    assert!(numbers.is_sorted_by(|one, next| one < next), "{numbers:?}");
}

/// Commands and media in one write are processed in order.
fn commands_in_one_segment(t: &Context, format: Format) {
    let (_call, app) = t.incoming_app(&ulaw(format));
    let command = |command: &str| Frame::text(&format.command(command));
    app.send_frames(&[
        command("PAUSE_MEDIA"),
        Frame::binary(noise(320)),
        command("GET_STATUS"),
        command("START_MEDIA_BUFFERING"),
        Frame::binary(noise(160)),
        command("GET_STATUS"),
        command("FLUSH_MEDIA"),
        command("GET_STATUS"),
    ]);
    for (length, bulk) in [("2", "false"), ("3", "true"), ("0", "false")] {
        let status = app.expect_event("STATUS");
        assert_eq!(status.get("queue_length"), length);
        assert_eq!(status.get("bulk_media"), bulk);
        // The C module stays paused after a flush (5), which this test is not about.
        t.name(&status.raw[status.raw.find("media_paused").unwrap()..], "paused");
    }
}

/// Commands before the close frame are answered before it; the app's code is returned.
fn close_behind_commands(t: &Context, format: Format) {
    let (call, app) = t.incoming_app(&ulaw(format));
    call.wait_up();
    let command = |command: &str| Frame::text(&format.command(command));
    app.send_frames(&[command("GET_STATUS"), command("GET_STATUS"), Frame::close(Some(4000), "that was it")]);
    app.expect_event("STATUS");
    app.expect_event("STATUS");
    assert_eq!(app.expect_close(), t.either(1001, 4000));
    call.ending();
}

/// The end comes at once, and nothing more is reported about queued media.
fn hangup_behind_media(t: &Context, format: Format) {
    let (call, app) = t.incoming_app(&ulaw(format));
    call.wait_up();
    let command = |command: &str| Frame::text(&format.command(command));
    app.send_frames(&[
        Frame::binary(noise(160 * 100)),
        command("MARK_MEDIA a"),
        command("REPORT_QUEUE_DRAINED"),
        command("HANGUP"),
    ]);
    assert_eq!(app.expect_close(), 1000);
    app.expect_end();
    call.ending();
}
