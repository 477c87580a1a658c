//! `f(twilio)`: the messages in both directions, in each way to connect, and how the call ends.

mod refused;
mod settings;
mod signature;

use std::time::{Duration, Instant};

use serde_json::json;

use super::super::harness::call::{Call, CallBuilder};
use super::super::harness::{Context, InstanceConfig, Item, Suite, wait};
use super::super::media::noise;
use super::super::playback::barge_in::{hear, number_of, numbered};
use super::super::playback::{WAYS, Way};
use super::super::protocol::rtp::{self, Phone};
use super::OURS;
use super::bot::Bot;

const FRAME: usize = 160;
const ULAW_SILENCE: u8 = 0xff;

pub fn tests(suite: &mut Suite) {
    for way in WAYS {
        let name = |what: &str| format!("dialect/twilio/{what}/{}", way.name);
        suite.ours(name("opening"), OURS, move |t| opening(t, way));
        suite.ours(name("echo"), OURS, move |t| echo(t, way));
        suite.ours(name("marks"), OURS, move |t| marks(t, way));
        suite.ours(name("clear"), OURS, move |t| clear(t, way)).shares("rtp", rtp::instance);
        suite.ours(name("ends"), OURS, move |t| ends(t, way));
    }
    let mut ours = |name: &str, body: fn(&Context)| {
        suite.ours(format!("dialect/twilio/{name}"), OURS, body);
    };
    ours("rest", rest);
    ours("queue", queue);
    ours("queue_that_drops", queue_that_drops);
    ours("bad_input", bad_input);
    suite.ours("dialect/twilio/reconnect", OURS, reconnect).shares("twilio_reconnect", || {
        InstanceConfig::new().our_file("chan_websocket.conf", "[global]\nincoming_reconnect = 120000\n")
    });
    refused::tests(suite);
    settings::tests(suite);
    signature::tests(suite);
}

/// A call that is up, and its application.
#[track_caller]
fn call<'t>(t: &'t Context, way: Way, does: fn(CallBuilder<'t>) -> CallBuilder<'t>) -> (Call<'t>, Bot) {
    let (call, app) = way.dial(t, "f(twilio)", does);
    let bot = Bot::open(app);
    call.wait_up();
    (call, bot)
}

fn itself(call: CallBuilder<'_>) -> CallBuilder<'_> {
    call
}

fn with_variables(call: CallBuilder<'_>) -> CallBuilder<'_> {
    call.formats("slin16").variable("TENANT", "a \"b\"").variable("lang", "en")
}

/// The whole opening messages, byte for byte; of the ids only the form.
fn opening(t: &Context, way: Way) {
    let (call, app) = way.dial(t, "f(twilio)v(lang=de%2BCH,greet=a+b)", with_variables);
    let bot = Bot::open(app);
    let id = |field: &str| bot.started(field).as_str().expect("an id").to_owned();
    let (stream, sid, account) = (id("streamSid"), id("callSid"), id("accountSid"));
    for (kind, id) in [("MZ", &stream), ("CA", &sid), ("AC", &account)] {
        let digits = id.strip_prefix(kind).unwrap_or_else(|| panic!("{id} is no {kind}"));
        assert!(digits.len() == 32 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()), "{id}");
    }
    let parameters = bot.started("customParameters");
    for (name, value) in
        [("TENANT", "a \"b\""), ("lang", "de+CH"), ("greet", "a b"), ("channel_id", &call.id)]
    {
        assert_eq!(parameters[name], value, "{parameters}");
    }
    // A variable that every call has.
    assert_eq!(parameters["MEDIA_WEBSOCKET_OPTIMAL_FRAME_SIZE"], "160", "{parameters}");
    let expected = format!(
        "{{\"event\":\"start\",\"sequenceNumber\":\"1\",\"start\":{{\"accountSid\":\"{account}\",\"streamSid\":\"{stream}\",\
         \"callSid\":\"{sid}\",\"tracks\":[\"inbound\"],\"mediaFormat\":{{\"encoding\":\"audio/x-mulaw\",\"sampleRate\":8000,\
         \"channels\":1}},\"customParameters\":{parameters}}},\"streamSid\":\"{stream}\"}}"
    );
    assert_eq!(bot.start.raw, expected);
    assert_eq!(t.ari().variable(&call.id, "CHANNEL(audionativeformat)").as_deref(), Some("(ulaw)"));

    // Another call has other ids, of the same account.
    let (_other, app) = way.dial(t, "f(twilio)", itself);
    let other = Bot::open(app);
    assert_ne!(other.started("streamSid"), &*stream);
    assert_ne!(other.started("callSid"), &*sid);
    assert_eq!(other.started("accountSid"), &*account);
}

/// Media both ways, in messages of any size, byte for byte.
fn echo(t: &Context, way: Way) {
    let (echo, bot) = call(t, way, |call| call.extension("echo"));
    echo.wait_application("Echo");
    let media = noise(FRAME * 30);
    let (mut rest, sizes) = (&media[..], [1, 159, 160, 161, 7, 640, 1000, 3]);
    for size in sizes.into_iter().cycle() {
        let (message, after) = rest.split_at(size.min(rest.len()));
        bot.media(message);
        rest = after;
        if rest.is_empty() {
            break;
        }
    }
    assert!(bot.hear(media.len()) == media, "what comes back is what was sent");
}

/// Each mark is returned once, in order, when everything before it has been played.
fn marks(t: &Context, way: Way) {
    let (_call, bot) = call(t, way, itself);
    let begun = Instant::now();
    bot.mark("at once");
    bot.media(&noise(FRAME * 10));
    bot.mark("after 200 ms");
    bot.media(&noise(FRAME * 10 + 1));
    bot.mark("after 420 ms");
    bot.mark("after 420 ms");
    bot.mark("");
    bot.expect_marks(&["at once", "after 200 ms"]);
    assert!(begun.elapsed() >= Duration::from_millis(200), "{:?}", begun.elapsed());
    bot.expect_marks(&["after 420 ms", "after 420 ms", ""]);
    assert!(begun.elapsed() >= Duration::from_millis(420), "{:?}", begun.elapsed());
    bot.clear();
    bot.mark("last");
    bot.expect_marks(&["last"]);
}

/// The caller interrupts: a phone is silent within two frames, the marks are returned at once and in order, and the
/// answer is played.
fn clear(t: &Context, way: Way) {
    const OLD: usize = 500;
    let (call, bot) = call(t, way, itself);
    let phone = Phone::new(t);
    t.ari().bridge(&[&call.id, &phone.call.id]);
    let mut interrupt = |after_frame: Duration| {
        bot.media(&numbered(0..OLD / 2));
        bot.mark("half");
        bot.media(&numbered(OLD / 2..OLD));
        bot.mark("end");
        bot.mark("end");
        assert_eq!(hear(&phone, 5), (0..5).collect::<Vec<_>>());
        std::thread::sleep(after_frame);
        let interrupted = Instant::now();
        bot.clear();
        bot.media(&numbered(2000..2010));
        bot.mark("answer");
        bot.expect_marks(&["half", "end", "end"]);
        let mut last_old = interrupted;
        loop {
            let packet = phone.receive().expect("the answer is heard");
            match number_of(&packet.payload) {
                Some(0..OLD) => last_old = packet.at,
                Some(2009) => break,
                _ => {}
            }
        }
        bot.expect_marks(&["answer"]);
        last_old.saturating_duration_since(interrupted)
    };
    let mut longest =
        || (1..20).step_by(6).map(Duration::from_millis).map(&mut interrupt).max().unwrap_or_default();
    wait::until_fits("old media at the phone", &mut longest, |late: &Duration| {
        *late <= Duration::from_millis(40)
    });
}

/// Digits, and both ends of a call: a hangup by the core, and a close by the application.
fn ends(t: &Context, way: Way) {
    let (first, bot) = call(t, way, itself);
    first.wait_stasis();
    t.ari().post(&format!("channels/{}/dtmf", first.id), &[("dtmf", "4#")]).ok();
    for digit in ["4", "#"] {
        let dtmf = bot.expect("dtmf");
        assert_eq!(dtmf.value("dtmf"), &json!({ "track": "inbound_track", "digit": digit }), "{}", dtmf.raw);
    }
    bot.media(&noise(FRAME * 100));
    first.hangup();
    let stop = bot.expect("stop");
    let ids = json!({ "accountSid": bot.started("accountSid"), "callSid": bot.started("callSid") });
    assert_eq!(stop.value("stop"), &ids, "{}", stop.raw);
    assert!(matches!(bot.next(), Item::Close(1000)));

    let (second, bot) = call(t, way, itself);
    bot.media(&noise(FRAME * 100));
    bot.app.close(1000);
    assert!(matches!(bot.next(), Item::Close(1000)), "an application that has closed gets no stop");
    assert_eq!(second.ending().cause, 16);
}

/// Media that does not fill a frame is played, too: padded with silence, before a mark or when no more media comes.
fn rest(t: &Context) {
    let (echo, app) = WAYS[0].dial(t, "f(twilio)", |call| call.extension("echo"));
    let bot = Bot::open(app);
    echo.wait_application("Echo");
    let media = noise(FRAME + 40);
    let padded = [&media[..], &[ULAW_SILENCE; 120]].concat();
    for ends_with_mark in [false, true, false] {
        bot.media(&media);
        if ends_with_mark {
            bot.mark("m");
            bot.expect_marks(&["m"]);
        }
        assert_eq!(bot.hear(padded.len()), padded, "with a mark: {ends_with_mark}");
    }
    // Less than a frame, with nothing before it.
    bot.media(&media[..1]);
    assert_eq!(bot.hear(FRAME), [&media[..1], &[ULAW_SILENCE; 159]].concat());
    // A clear discards it.
    bot.media(&media[..10]);
    bot.clear();
    bot.media(&media[40..]);
    assert_eq!(bot.hear(FRAME), &media[40..]);
}

/// More than 1000 frames at once: none is lost, because Twilio's own buffer is far larger.
fn queue(t: &Context) {
    let (call, app) = WAYS[0].dial(t, "f(twilio)", itself);
    let bot = Bot::open(app);
    call.wait_up();
    bot.media(&noise(FRAME * 1500));
    bot.media(&noise(FRAME * 500));
    bot.mark("end");
    wait::until("all of it waits", || {
        call.variable("CHANNEL(websocket,frames_in)").as_deref() == Some("2000")
    });
    assert_eq!(call.variable("CHANNEL(websocket,dropped_queue_full_ms)").as_deref(), Some("0"));
    let shown = t.asterisk.cli(&format!("websocket show channel {}", call.name));
    let is_said = |line: &str| line.split_whitespace().eq(["queue_overflow", "wait"]);
    assert!(shown.lines().any(is_said), "{shown}");
    bot.clear();
    bot.expect_marks(&["end"]);
}

/// The operator's setting has precedence. Twilio has no message for an error, so the log has it.
fn queue_that_drops(t: &Context) {
    t.allow_log("Media dropped: the queue is full");
    let (call, app) = WAYS[0].dial(t, "f(twilio)X(queue_overflow=drop)", itself);
    let bot = Bot::open(app);
    call.wait_up();
    bot.media(&noise(FRAME * 1500));
    bot.media(&noise(FRAME * 500));
    t.wait_log(&[&call.name, "Media dropped: the queue is full", "twilio has no message that says so"]);
    bot.mark("end");
    bot.clear();
    bot.expect_marks(&["end"]);
}

/// Input that Twilio would not understand has no effect: the log says what was wrong, and the call continues.
fn bad_input(t: &Context) {
    for line in ["(Twilio's warning 3195", "has no message that says so"] {
        t.allow_log(line);
    }
    let (echo, app) = WAYS[0].dial(t, "f(twilio)", |call| call.extension("echo"));
    let bot = Bot::open(app);
    echo.wait_application("Echo");
    let with = |rest: &str| format!(r#"{{"streamSid":"{}",{rest}}}"#, bot.stream);
    let rows = [
        ("ANSWER".to_owned(), "a text that is no JSON object"),
        (r#"{"command":"HANGUP"}"#.to_owned(), "event missing"),
        (with(r#""event":"stop""#), "event \"stop\""),
        (r#"{"event":"clear","streamSid":"MZ1"}"#.to_owned(), "'streamSid' of a clear message is \"MZ1\""),
        (with(r#""event":"media","media":{"payload":"-"}"#), "'media.payload' of a media message is \"-\""),
        (with(r#""event":"mark","mark":{"name":1}"#), "'mark.name' of a mark message is 1"),
    ];
    for (text, _) in &rows {
        bot.app.send_text(text);
    }
    bot.app.send_media(&noise(FRAME));
    bot.media(&[]);
    let media = noise(FRAME * 3);
    bot.media(&media);
    assert_eq!(bot.hear(media.len()), media, "nothing of it is played, and the call goes on");
    // The log is limited to a few lines at a time; the console shows all, and the call shows its last error.
    t.wait_log(&[&echo.name, rows[0].1, "(Twilio's warning 31951)", "twilio has no message that says so"]);
    let last = echo.variable("CHANNEL(websocket,last_error)").unwrap_or_default();
    assert!(last.contains("a binary message (Twilio's warning 31950)"), "{last}");
    assert_eq!(echo.variable("CHANNEL(websocket,commands_refused)").as_deref(), Some("7"));
}

/// After a loss the opening messages are sent again, with the same ids and numbers from 1. Then the waiting messages
/// follow. Playback has continued.
fn reconnect(t: &Context) {
    t.allow_log("the WebSocket connection is gone");
    let call = t.call("WebSocket/INCOMING/f(twilio)").extension("echo").originate();
    let bot = Bot::open(call.connect());
    call.wait_application("Echo");
    bot.media(&noise(FRAME * 3));
    bot.hear(FRAME * 3);
    bot.media(&noise(FRAME * 25));
    bot.mark("over the gap");
    let (start, stream) = (bot.start.raw.clone(), bot.stream.clone());
    bot.app.reset();
    wait::until("it is lost", || call.variable("CHANNEL(websocket,state)").as_deref() == Some("lost"));
    let played = || call.variable("CHANNEL(websocket,frames_played)").as_deref() == Some("28");
    wait::until("it has been played", played);
    let bot = Bot::open(call.connect());
    assert_eq!((bot.start.raw.as_str(), &bot.stream), (start.as_str(), &stream));
    bot.expect_marks(&["over the gap"]);
    let media = noise(FRAME * 3);
    bot.media(&media);
    bot.mark("again");
    bot.expect_marks(&["again"]);
}
