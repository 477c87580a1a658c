//! `silence_fill`: the core gets silence while the application has nothing to play, and speech begins and ends without
//! a gap.

mod lasting;
mod seams;

use std::thread;
use std::time::{Duration, Instant};

use super::harness::app::Received;
use super::harness::call::Call;
use super::harness::{App, Context, Item, Suite, wait};
use super::media::noise;
use super::protocol::codecs::all_codecs;
use super::protocol::rtp::{self, Packet, Phone, steps};

const OURS: &str = "no version of the C module since 22.9 plays silence";

pub fn tests(suite: &mut Suite) {
    for codec in CODECS {
        suite
            .ours(format!("silence/codecs/{}", codec.name), OURS, move |t| decoded(t, codec))
            .shares("codecs", all_codecs);
    }
    suite.ours("silence/refused", OURS, refused).shares("codecs", all_codecs);
    suite.ours("silence/rtp/bulk", OURS, bulk).shares("rtp", rtp::instance);
    suite.ours("silence/rtp/live", OURS, live).shares("rtp", rtp::instance);
    suite.ours("silence/rtp/unbuffered", OURS, unbuffered).shares("rtp", rtp::instance);
    suite.ours("silence/pace", OURS, pace);
    suite.ours("silence/paused", OURS, paused);
    suite.ours("silence/direction_in", OURS, direction_in);
    suite.ours("silence/hold", OURS, hold);
    suite.ours("silence/mute", OURS, mute);
    suite.ours("silence/before_the_answer", OURS, before_the_answer);
    suite.ours("silence/counts_for_nothing", OURS, counts_for_nothing);
    suite.ours("silence/unasked", OURS, unasked);
    lasting::tests(suite);
    seams::tests(suite);
}

const FILLED: &str = "c(ulaw)f(json)X(silence_fill=yes)";

/// The byte of silence in ulaw.
const SILENT: u8 = 0xff;

/// A codec, and its silence after decoding.
#[derive(Debug, Clone, Copy)]
struct Codec {
    name: &'static str,
    /// The linear format of its rate, and the samples of its frames.
    linear: (&'static str, usize),
    /// The greatest absolute value of a sample: 32 is -60 dBov.
    peak: u16,
    /// The numbers of frames of speech, and of silence after it, that may differ because the codec has memory; 0
    /// without memory.
    seams: (usize, usize),
}

const fn codec(name: &'static str, linear: (&'static str, usize), peak: u16, seams: (usize, usize)) -> Codec {
    Codec { name, linear, peak, seams }
}

const CODECS: [Codec; 13] = [
    codec("ulaw", ("slin", 160), 0, (0, 0)),
    codec("alaw", ("slin", 160), 8, (0, 0)),
    codec("g722", ("slin16", 320), 32, (9, 7)),
    codec("gsm", ("slin", 160), 32, (1, 2)),
    codec("slin", ("slin", 160), 0, (0, 0)),
    codec("slin16", ("slin16", 320), 0, (0, 0)),
    codec("slin48", ("slin48", 960), 0, (0, 0)),
    codec("slin192", ("slin192", 3840), 0, (0, 0)),
    codec("opus", ("slin48", 960), 32, (1, 2)),
    codec("speex", ("slin", 160), 32, (3, 2)),
    codec("speex16", ("slin16", 320), 32, (3, 3)),
    codec("adpcm", ("slin", 160), 32, (0, 2)),
    codec("g726", ("slin", 160), 32, (11, 2)),
];

/// Three seconds of a silent application, as another application hears them after Asterisk has decoded them.
fn decoded(t: &Context, codec: Codec) {
    let options = format!("c({})f(json)X(silence_fill=yes)", codec.name);
    let [(call, app), (_other, listener)] = t.bridged(&options, &format!("c({})", codec.linear.0));
    let heard = listener.collect_media(150 * 2 * codec.linear.1);
    let samples: Vec<i16> =
        heard.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
    let peak = samples.iter().map(|sample| sample.unsigned_abs()).max();
    assert!(peak <= Some(codec.peak), "{peak:?}");
    assert!(figure(&call, "frames_filled") >= 150);
    assert_eq!((figure(&call, "frames_played"), figure(&call, "played_ms")), (0, 0));
    assert!(app.received().iter().all(|received| !is_error(received)));
}

fn is_error(received: &Received) -> bool {
    matches!(&received.item, Item::Event(event) if event.name == "ERROR")
}

/// Without a translator in Asterisk the request fails and the log says why. Without the option the same call works.
fn refused(t: &Context) {
    for codec in ["ilbc", "g729"] {
        let error =
            format!("silence_fill = yes is not possible for WebSocket/INCOMING with format '{codec}'");
        t.allow_log(&error);
        // Asterisk itself logs this when it is asked for a translator.
        t.allow_log("No translator path: (ending codec is not valid)");
        let endpoint = format!("WebSocket/INCOMING/c({codec})X(silence_fill=yes)");
        let answer = t.call(&endpoint).formats(codec).try_originate();
        assert_ne!(answer.status, 200);
        t.wait_log(&["ERROR", &error, "silence_fill = no"]);
        let (call, _app) = t.incoming_app(&format!("c({codec})X(silence_fill=no)"));
        call.wait_up();
    }
}

/// A call to a phone, which already hears silence.
fn with_phone<'t>(t: &'t Context, options: &str) -> (Call<'t>, App, Phone<'t>) {
    let phone = Phone::new(t);
    let (call, app) = t.incoming_app(options);
    call.wait_up();
    t.ari().bridge(&[&call.id, &phone.call.id]);
    (call, app, phone)
}

/// Each packet continues where the one before it ended.
#[track_caller]
fn assert_even(packets: &[Packet]) {
    let steps = steps(packets);
    let odd: Vec<_> = steps.iter().enumerate().filter(|(_, step)| **step != (1, 160)).collect();
    assert!(odd.is_empty(), "of {} steps these are odd: {odd:?}", steps.len());
}

/// The payload of the packets that is not silence.
fn speech(packets: &[Packet]) -> Vec<u8> {
    let is_silent = |packet: &&Packet| packet.payload.iter().all(|byte| *byte == SILENT);
    packets.iter().filter(|packet| !is_silent(packet)).flat_map(|packet| packet.payload.clone()).collect()
}

/// Silence, two seconds of bulk, silence, and all of that again.
fn bulk(t: &Context) {
    let (call, app, phone) = with_phone(t, FILLED);
    let media = noise(100 * 160);
    let mut packets = phone.collect(100);
    for _ in 0..2 {
        app.command("START_MEDIA_BUFFERING");
        app.send_media(&media);
        app.command("STOP_MEDIA_BUFFERING b");
        packets.extend(phone.collect_media(&media));
        packets.extend(phone.collect(50));
        app.expect_event("MEDIA_BUFFERING_COMPLETED");
    }
    assert_even(&packets);
    // In one piece: there is no silence in between.
    let frames: Vec<&[u8]> = packets.iter().map(|packet| &*packet.payload).collect();
    assert!(frames.windows(100).any(|window| window.concat() == media), "it did not come in one piece");
    assert_eq!(speech(&packets), [&*media, &*media].concat());
    assert_eq!(figure(&call, "underruns"), 2, "each end of the media, as without the option");
}

/// Live speech, of which each 20th frame comes 60 ms late, and all later ones with it.
fn live(t: &Context) {
    let (_call, app, phone) = with_phone(t, FILLED);
    let media = noise(100 * 160);
    let mut packets = phone.collect(50);
    thread::scope(|scope| {
        scope.spawn(|| rtp::speak_with_pauses(&app, &media, Duration::from_millis(60)));
        packets.extend(phone.collect_media(&media));
    });
    packets.extend(phone.collect(50));
    assert_even(&packets);
    assert_eq!(speech(&packets), media);
}

/// An application that times its own frames is filled with silence, too.
fn unbuffered(t: &Context) {
    let (_call, app, phone) = with_phone(t, "c(ulaw)uf(json)X(silence_fill=yes)");
    let media = noise(50 * 160);
    let mut packets = phone.collect(50);
    for frame in media.chunks(160) {
        app.send_media(frame);
        thread::sleep(Duration::from_millis(20));
    }
    packets.extend(phone.collect_media(&media));
    packets.extend(phone.collect(50));
    assert_even(&packets);
    assert_eq!(speech(&packets), media);
}

/// The times at which media came.
fn times(app: &App) -> Vec<Instant> {
    let media = |received: Received| matches!(received.item, Item::Media(_)).then_some(received.at);
    app.received().into_iter().filter_map(media).collect()
}

/// Frames of silence keep the pace.
fn pace(t: &Context) {
    let (_call, app) = t.incoming_echo(FILLED);
    let frame_took = || {
        let before = times(&app).len();
        app.collect_media(100 * 160);
        let times = times(&app).split_off(before);
        (times[times.len() - 1] - times[0]) / (times.len() as u32 - 1)
    };
    wait::until_fits("a frame takes 20 ms", frame_took, |frame| (19..22).contains(&frame.as_millis()));
}

/// A numeric figure of the call.
#[track_caller]
fn figure(call: &Call<'_>, name: &str) -> u64 {
    let text = call.variable(&format!("CHANNEL(websocket,{name})")).expect("the figure");
    text.split_whitespace().next().and_then(|number| number.parse().ok()).expect("a number")
}

/// The next half second is silence.
#[track_caller]
fn hears_silence(listener: &App) {
    let heard = listener.collect_media(25 * 160);
    assert!(heard.iter().all(|byte| *byte == SILENT), "{heard:?}");
}

/// Waits until this media comes, in one piece, with only silence before it.
#[track_caller]
fn hears(listener: &App, media: &[u8]) {
    let mut first = listener.expect_media();
    while first.iter().all(|byte| *byte == SILENT) {
        first = listener.expect_media();
    }
    assert_eq!([first, listener.collect_media(media.len() - 160)].concat(), media);
}

/// Two applications, of which the first is filled with silence, which the other already hears.
fn two<'t>(t: &'t Context) -> [(Call<'t>, App); 2] {
    let ends = t.bridged(FILLED, "c(ulaw)");
    hears_silence(&ends[1].1);
    ends
}

fn paused(t: &Context) {
    let [(_call, app), (_other, listener)] = two(t);
    let media = noise(20 * 160);
    app.command("PAUSE_MEDIA");
    app.send_media(&media);
    app.command("GET_STATUS");
    assert_eq!(app.expect_event("STATUS").get("queue_length"), "20");
    // More than can have been in transit.
    hears_silence(&listener);
    hears_silence(&listener);
    app.command("GET_STATUS");
    assert_eq!(app.expect_event("STATUS").get("queue_length"), "20");
    app.command("CONTINUE_MEDIA");
    hears(&listener, &media);
    hears_silence(&listener);
}

fn direction_in(t: &Context) {
    let [(call, app), (_other, listener)] = two(t);
    let media = noise(20 * 160);
    app.send_text(r#"{"command":"SET_MEDIA_DIRECTION","direction":"in"}"#);
    app.send_media(&media);
    app.command("GET_STATUS");
    app.expect_event("STATUS");
    assert_eq!(figure(&call, "messages_unwanted"), 1);
    hears_silence(&listener);
    hears_silence(&listener);
    // It hears the other application meanwhile.
    listener.send_media(&media);
    assert_eq!(app.collect_media(media.len()), media);
    app.send_text(r#"{"command":"SET_MEDIA_DIRECTION","direction":"both"}"#);
    app.send_media(&media);
    hears(&listener, &media);
}

/// A call that begins in direction `in`, and a hold: silence continues.
fn hold(t: &Context) {
    let [(call, app), (_other, listener)] = t.bridged(&format!("{FILLED}d(in)"), "c(ulaw)");
    hears_silence(&listener);
    t.ari().post(&format!("channels/{}/hold", call.id), &[]).ok();
    hears_silence(&listener);
    app.send_text(r#"{"command":"SET_MEDIA_DIRECTION","direction":"both"}"#);
    let media = noise(20 * 160);
    app.send_media(&media);
    hears(&listener, &media);
    t.ari().delete(&format!("channels/{}/hold", call.id), &[]).ok();
    hears_silence(&listener);
}

/// The number of frames that are heard in half a second of fill.
fn heard_in_half_a_second(call: &Call<'_>, listener: &App) -> usize {
    let (before, filled) = (times(listener).len(), figure(call, "frames_filled"));
    wait::until("half a second is filled", || figure(call, "frames_filled") >= filled + 25);
    times(listener).len() - before
}

/// ARI's mute discards all frames from the channel. The fill continues meanwhile, and is heard again afterwards.
fn mute(t: &Context) {
    let [(call, app), (_other, listener)] = two(t);
    t.ari().post(&format!("channels/{}/mute", call.id), &[("direction", "in")]).ok();
    t.ari().settled(&format!("channels/{}", call.id));
    app.send_media(&noise(20 * 160));
    app.command("MARK_MEDIA m");
    app.expect_event("MEDIA_MARK_PROCESSED");
    assert_eq!(heard_in_half_a_second(&call, &listener), 0);
    t.ari().delete(&format!("channels/{}/mute", call.id), &[("direction", "in")]).ok();
    hears_silence(&listener);
    let media = noise(20 * 160);
    app.send_media(&media);
    hears(&listener, &media);
}

/// Early media is heard; silence is filled in only after the answer.
fn before_the_answer(t: &Context) {
    let server = t.server(&[]);
    let dial = format!("WebSocket/{}/n{FILLED}", server.client);
    let caller = t.call("WebSocket/INCOMING/c(ulaw)").dials(&dial, "30", "").originate();
    let listener = caller.connect();
    listener.expect_media_start();
    let app = server.accept();
    let start = app.expect_media_start();
    let filled = || {
        let name = format!("websocket show channel {}", start.get("channel"));
        let text = t.asterisk.cli(&name);
        let line = text.lines().find(|line| line.trim_start().starts_with("frames_filled"));
        let number = line.and_then(|line| line.split_whitespace().nth(1));
        number.and_then(|number| number.parse::<u64>().ok()).unwrap_or_else(|| panic!("no figure: {text}"))
    };
    let media = noise(25 * 160);
    app.send_media(&media);
    hears(&listener, &media);
    // Silence would have come within half a second of the last frame.
    app.send_media(&media);
    app.command("MARK_MEDIA m");
    app.expect_event("MEDIA_MARK_PROCESSED");
    hears(&listener, &media);
    thread::sleep(Duration::from_millis(500));
    assert_eq!(filled(), 0);
    app.command("ANSWER");
    hears_silence(&listener);
    assert!(filled() >= 25);
}

/// Neither a report nor a mark waits for the fill, and the figures about media do not change.
fn counts_for_nothing(t: &Context) {
    let [(call, app), (_other, listener)] = two(t);
    app.send_text(r#"{"command":"SUBSCRIBE","events":["MEDIA_POSITION"],"position_interval":100}"#);
    app.expect_event("SUBSCRIBED");
    hears_silence(&listener);
    app.command("REPORT_QUEUE_DRAINED");
    app.expect_event("QUEUE_DRAINED");
    app.command("MARK_MEDIA m");
    assert_eq!(app.expect_event("MEDIA_MARK_PROCESSED").get("played_ms"), "0");
    hears_silence(&listener);
    for name in ["frames_in", "frames_played", "played_ms", "underruns", "late_reads", "queue_length"] {
        assert_eq!(figure(&call, name), 0, "{name}");
    }
    let stall = call.variable("CHANNEL(websocket,longest_stall)").expect("the figure");
    assert_eq!(stall.parse::<f64>().expect("a number"), 0.0);
    app.command("HANGUP");
    app.expect_close();
}

/// A call without the option has none of this.
fn unasked(t: &Context) {
    let [(call, app), (_other, listener)] = t.bridged("c(ulaw)f(json)", "c(ulaw)");
    let media = noise(10 * 160);
    for _ in 0..2 {
        app.send_media(&media);
        assert_eq!(listener.collect_media(media.len()), media);
        thread::sleep(Duration::from_millis(200));
    }
    assert_eq!(figure(&call, "frames_filled"), 0);
}
