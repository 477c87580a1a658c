//! SEND_DTMF: the application's digits as they leave its channel.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::super::harness::call::Call;
use super::super::harness::event::Event;
use super::super::harness::{App, Context, Item, Suite, wait};
use super::super::media::noise;
use super::{CONFIG, ONLY_OURS, call, command, expect_state, goes_on, instance, ours, subscribe};

pub fn tests(suite: &mut Suite) {
    for (name, options) in [
        ("framed", "c(ulaw)f(json)"),
        ("unbuffered", "c(ulaw)uf(json)"),
        ("passthrough", "c(ulaw)pf(json)"),
        ("direction_in", "c(ulaw)d(in)f(json)"),
        ("direction_out", "c(ulaw)d(out)f(json)"),
        ("filled", "c(ulaw)f(json)X(silence_fill=yes)"),
        ("slin16", "c(slin16)f(json)"),
    ] {
        ours(suite, &format!("pressed/at_the_other_end/{name}"), move |t| at_the_other_end(t, options));
    }
    ours(suite, "pressed/paused", paused);
    ours(suite, "pressed/nobody_asked", nobody_asked);
    ours(suite, "pressed/short", |t| short(t, 80));
    suite
        .ours("around/pressed/short_by_asterisk_conf", ONLY_OURS, |t| short(t, 250))
        .private_from(|| instance().option("mindtmfduration = 250"));
    ours(suite, "pressed/order", order);
    ours(suite, "pressed/too_many", too_many);
    ours(suite, "pressed/stopped", stopped);
    ours(suite, "pressed/among_media/bulk", among_bulk);
    ours(suite, "pressed/among_media/live", among_live);
    ours(suite, "pressed/among_media/filled", among_silence);
    ours(suite, "pressed/before_the_answer", before_the_answer);
    ours(suite, "pressed/read", read);
    ours(suite, "pressed/hangup", hangup);
    ours(suite, "pressed/hung_up", hung_up);
    ours(suite, "pressed/transfer", transferred);
    suite.ours("around/pressed/lost_connection", ONLY_OURS, lost_connection).private_with(
        instance().our_file("chan_websocket.conf", &format!("{CONFIG}incoming_reconnect = 60000\n")),
    );
}

/// How late a thing may be on a busy machine.
const LATE: Duration = Duration::from_millis(300);

fn press(app: &App, digits: &str, id: &str) {
    command(app, "SEND_DTMF", json!({"digits": digits, "correlation_id": id}));
}

#[track_caller]
fn expect_sent(app: &App, id: &str, stopped: Option<u64>) -> Event {
    let event = app.expect_event("DTMF_SENT");
    assert_eq!(event.get("correlation_id"), id, "{}", event.raw);
    assert_eq!(event.value("sent").as_u64(), stopped, "{}", event.raw);
    let cancelled = stopped.map_or(Value::Null, |_| true.into());
    assert_eq!(*event.value("cancelled"), cancelled, "{}", event.raw);
    event
}

/// The other end hears these digits, each of this duration.
#[track_caller]
fn expect_heard(app: &App, digits: &str, duration_ms: u64) {
    for digit in digits.chars() {
        let digit = digit.to_string();
        assert_eq!(app.expect_event("DTMF_BEGIN").get("digit"), digit);
        let begun = Instant::now();
        let end = app.expect_event("DTMF_END");
        assert_eq!(end.get("digit"), digit);
        // Both events may have been late, the first one more than the second.
        assert!(begun.elapsed() < Duration::from_millis(duration_ms) + LATE, "{:?}", begun.elapsed());
        let told = end.value("duration_ms").as_u64();
        assert!(told.is_some_and(|told| (duration_ms..duration_ms + 300).contains(&told)), "{}", end.raw);
    }
}

/// An application in a bridge with another one, which is told of the begins of digits.
fn pair<'t>(t: &'t Context, options: &str) -> [(Call<'t>, App); 2] {
    let [one, other] = t.bridged(options, "c(ulaw)f(json)");
    hears_begins(&other.1);
    [one, other]
}

/// Makes sure that an application in a bridge is told of begins from now on: it is told its states after the core knows
/// that begins are wanted.
#[track_caller]
fn hears_begins(ear: &App) {
    subscribe(ear, &["DTMF_BEGIN", "CALL_STATE"]);
    expect_state(ear, "answered");
    expect_state(ear, "bridged");
    subscribe(ear, &["DTMF_BEGIN"]);
}

/// Each digit begins and ends while no media is sent.
fn at_the_other_end(t: &Context, options: &str) {
    let [(_call, app), (_other, ear)] = pair(t, options);
    let begun = Instant::now();
    command(
        &app,
        "SEND_DTMF",
        json!({"digits": "12#*w0aBcD", "duration": 120, "pause": 80, "correlation_id": "d"}),
    );
    expect_heard(&ear, "12#*0ABCD", 120);
    let sent = expect_sent(&app, "d", None);
    assert_eq!(sent.keys(), ["event", "channel_id", "correlation_id"]);
    let least = Duration::from_millis(9 * 120 + 8 * 80 + 500);
    assert!((least..least + LATE * 9).contains(&begun.elapsed()), "{:?}", begun.elapsed());
    goes_on(&app);
    goes_on(&ear);
}

/// Digits are sent although media is paused or flushed.
fn paused(t: &Context) {
    let [(_call, app), (_other, ear)] = pair(t, "c(ulaw)f(json)");
    app.command("PAUSE_MEDIA");
    app.send_media(&noise(1600));
    press(&app, "12", "d");
    app.command("FLUSH_MEDIA");
    app.command("PAUSE_MEDIA");
    expect_heard(&ear, "12", 100);
    expect_sent(&app, "d", None);
}

/// Another application without subscriptions gets DTMF_END, as it does from any channel. The answer comes even if the
/// command has no id.
fn nobody_asked(t: &Context) {
    let [(_call, app), (_other, ear)] = t.bridged("c(ulaw)f(json)", "c(ulaw)");
    command(&app, "SEND_DTMF", json!({"digits": "7"}));
    assert_eq!(ear.expect_event("DTMF_END").get("digit"), "7");
    expect_sent(&app, "", None);
    goes_on(&ear);
}

/// A digit is not shorter than asterisk.conf's minimum, and a pause not shorter than 45 ms. The module applies the
/// limits itself: digits that the core emulates come late.
fn short(t: &Context, shortest_ms: u64) {
    let ami = t.ami("all");
    let [(call, app), (_other, ear)] = pair(t, "c(ulaw)f(json)");
    command(&app, "SEND_DTMF", json!({"digits": "123", "duration": 40, "pause": 0, "correlation_id": "d"}));
    expect_heard(&ear, "123", shortest_ms);
    expect_sent(&app, "d", None);
    for digit in ["1", "2", "3"] {
        let end = ami.wait("DTMFEnd", |block| {
            block.get("Event") == "DTMFEnd"
                && block.get("Uniqueid") == call.id
                && block.get("Direction") == "Received"
                && block.get("Digit") == digit
        });
        assert_eq!(end.get("DurationMs"), shortest_ms.to_string());
    }
}

/// Digits that are sent faster than they can be pressed are queued.
fn order(t: &Context) {
    let [(_call, app), (_other, ear)] = pair(t, "c(ulaw)f(json)");
    for (digits, id) in [("1", "a"), ("23", "b"), ("#", "c"), ("4", "d")] {
        press(&app, digits, id);
    }
    expect_heard(&ear, "123#4", 100);
    for id in ["a", "b", "c", "d"] {
        expect_sent(&app, id, None);
    }
}

fn too_many(t: &Context) {
    let (_call, app) = call(t);
    press(&app, &"w".repeat(200), "a");
    let refused = |digits: usize, waiting: usize| {
        press(&app, &"1".repeat(digits), "b");
        let error = app.expect_event("ERROR");
        let range = waiting - 1..=waiting;
        let expected = |n| format!("SEND_DTMF: {n} digits would wait; allowed: at most 256");
        assert!(range.into_iter().map(expected).any(|text| text == error.get("error_text")), "{}", error.raw);
        assert_eq!((error.get("command"), error.get("correlation_id")), ("SEND_DTMF".into(), "b".into()));
    };
    // The first `w` may have begun already.
    refused(58, 258);
    refused(256, 456);
    press(&app, &"1".repeat(56), "c");
    press(&app, "", "s");
    expect_sent(&app, "a", Some(0));
    expect_sent(&app, "c", Some(0));
    expect_sent(&app, "s", None);
    press(&app, "w1", "d");
    expect_sent(&app, "d", None);
}

/// The current digit ends, the waiting digits never begin, and each command is answered.
fn stopped(t: &Context) {
    let [(_call, app), (_other, ear)] = pair(t, "c(ulaw)f(json)");
    press(&app, "", "nothing");
    expect_sent(&app, "nothing", None);
    command(&app, "SEND_DTMF", json!({"digits": "12", "duration": 6000, "correlation_id": "a"}));
    press(&app, "34", "b");
    assert_eq!(ear.expect_event("DTMF_BEGIN").get("digit"), "1");
    let stopped = Instant::now();
    press(&app, "", "s");
    press(&app, "5", "c");
    let end = ear.expect_event("DTMF_END");
    assert_eq!(end.get("digit"), "1");
    assert!(stopped.elapsed() < Duration::from_secs(4), "{:?}", stopped.elapsed());
    expect_sent(&app, "a", Some(1));
    expect_sent(&app, "b", Some(0));
    expect_sent(&app, "s", None);
    expect_heard(&ear, "5", 100);
    expect_sent(&app, "c", None);
    goes_on(&ear);
}

/// Everything that the other end hears, with the begins and ends of digits in their places.
fn heard(ear: &App) -> Vec<Item> {
    ear.received().into_iter().map(|received| received.item).collect()
}

/// All media in one piece, and the number of frames between the begin and the end of each digit.
fn media_and_digits(items: &[Item]) -> (Vec<u8>, Vec<usize>) {
    let (mut media, mut frames, mut within) = (Vec::new(), Vec::new(), None);
    for item in items {
        match item {
            Item::Media(frame) => {
                media.extend_from_slice(frame);
                within = within.map(|count| count + 1);
            }
            Item::Event(event) if event.name == "DTMF_BEGIN" => within = Some(0),
            Item::Event(event) if event.name == "DTMF_END" => frames.extend(within.take()),
            _ => {}
        }
    }
    (media, frames)
}

/// No media of a bulk is lost. It continues after each digit.
fn among_bulk(t: &Context) {
    let [(call, app), (_other, ear)] = pair(t, "c(ulaw)f(json)");
    let media = noise(100 * 160);
    app.command("START_MEDIA_BUFFERING");
    app.send_media(&media);
    app.command("STOP_MEDIA_BUFFERING b");
    assert!(!ear.expect_media().is_empty());
    press(&app, "1w2", "d");
    expect_sent(&app, "d", None);
    app.expect_event("MEDIA_BUFFERING_COMPLETED");
    wait::until("all is heard", || media_and_digits(&heard(&ear)).0.len() >= media.len());
    let (heard, within) = media_and_digits(&heard(&ear));
    assert_eq!((heard, within.len()), (media, 2));
    assert!(within.iter().all(|frames| *frames <= 1), "playout stands still: {within:?}");
    let underruns = call.variable("CHANNEL(websocket,underruns)").expect("a figure");
    assert_eq!(underruns, "1", "at the end, and at no digit");
}

/// No media that is sent meanwhile is lost.
fn among_live(t: &Context) {
    let [(_call, app), (_other, ear)] = pair(t, "c(ulaw)f(json)");
    let media = noise(100 * 160);
    for (number, frame) in media.chunks(160).enumerate() {
        app.send_media(frame);
        if number == 20 {
            press(&app, "12", "d");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    wait::until("all is heard", || media_and_digits(&heard(&ear)).0.len() >= media.len());
    let (heard, within) = media_and_digits(&heard(&ear));
    assert_eq!((heard, within.len()), (media, 2));
    assert!(within.iter().all(|frames| *frames <= 1), "playout stands still: {within:?}");
}

/// Silence fill stops during a digit, and continues afterwards.
fn among_silence(t: &Context) {
    let [(_call, app), (_other, ear)] = pair(t, "c(ulaw)f(json)X(silence_fill=yes)");
    ear.expect_media();
    command(&app, "SEND_DTMF", json!({"digits": "12", "duration": 400, "correlation_id": "d"}));
    expect_sent(&app, "d", None);
    wait::until("both are heard", || media_and_digits(&heard(&ear)).1.len() == 2);
    let within = media_and_digits(&heard(&ear)).1;
    assert!(within.iter().all(|frames| *frames <= 1), "{within:?}");
    ear.collect_media(20 * 160);
}

/// Before the answer, Dial() passes digits to the caller. Digits that are sent while the answer is in progress wait for
/// it.
fn before_the_answer(t: &Context) {
    let server = t.server(&[]);
    let dial = format!("WebSocket/{}/c(ulaw)nf(json)", server.client);
    let caller = t.call("WebSocket/INCOMING/c(ulaw)f(json)").dials(&dial, "30", "").originate();
    let ear = caller.connect();
    ear.expect_media_start();
    let app = server.accept();
    let id = app.expect_media_start().get("channel_id");
    press(&app, "12", "early");
    expect_sent(&app, "early", None);
    for digit in ["1", "2"] {
        assert_eq!(ear.expect_event("DTMF_END").get("digit"), digit);
    }
    assert_ne!(t.ari().get(&format!("channels/{id}"), &[]).body["state"], "Up");
    app.command("ANSWER");
    press(&app, "3", "with_the_answer");
    assert_eq!(ear.expect_event("DTMF_END").get("digit"), "3");
    expect_sent(&app, "with_the_answer", None);
    t.ari().wait_channel("ChannelEnteredBridge", &id);
    hears_begins(&ear);
    press(&app, "45", "late");
    expect_heard(&ear, "45", 100);
    expect_sent(&app, "late", None);
}

/// The digits are read by a menu of the dialplan.
fn read(t: &Context) {
    let app_name = t.ari().app.clone();
    let call =
        t.call("WebSocket/INCOMING/c(ulaw)f(json)").extension("menu").variable("APP", &app_name).originate();
    let app = call.connect();
    app.expect_media_start();
    call.wait_application("Read");
    press(&app, "19*D", "d");
    expect_sent(&app, "d", None);
    let start = t.ari().wait_channel("StasisStart", &call.id);
    assert_eq!(start["args"], json!(["read", "19*D"]));
}

/// The application hangs up during a digit.
fn hangup(t: &Context) {
    let [(_call, app), (_other, ear)] = pair(t, "c(ulaw)f(json)");
    subscribe(&app, &["MEDIA_STOP"]);
    command(&app, "SEND_DTMF", json!({"digits": "12", "duration": 6000, "correlation_id": "a"}));
    press(&app, "3", "b");
    assert_eq!(ear.expect_event("DTMF_BEGIN").get("digit"), "1");
    app.command("HANGUP");
    expect_sent(&app, "a", Some(1));
    expect_sent(&app, "b", Some(0));
    app.expect_event("MEDIA_STOP");
    assert_eq!(app.expect_close(), 1000);
    // The core ends the digit for the channel that has heard its begin.
    assert_eq!(ear.expect_event("DTMF_END").get("digit"), "1");
    goes_on(&ear);
}

/// The core hangs up during a digit.
fn hung_up(t: &Context) {
    let [(call, app), (_other, ear)] = pair(t, "c(ulaw)f(json)");
    command(&app, "SEND_DTMF", json!({"digits": "12", "duration": 6000, "correlation_id": "a"}));
    assert_eq!(ear.expect_event("DTMF_BEGIN").get("digit"), "1");
    call.hangup();
    expect_sent(&app, "a", Some(1));
    assert_eq!(app.expect_close(), 1000);
    assert_eq!(ear.expect_event("DTMF_END").get("digit"), "1");
    goes_on(&ear);
}

/// The other side is transferred during a digit.
fn transferred(t: &Context) {
    let [(_call, app), (_other, ear)] = pair(t, "c(ulaw)f(json)");
    command(&app, "SEND_DTMF", json!({"digits": "12", "duration": 6000, "correlation_id": "a"}));
    assert_eq!(ear.expect_event("DTMF_BEGIN").get("digit"), "1");
    command(&app, "TRANSFER", json!({"exten": "31", "context": "agents", "correlation_id": "t"}));
    let mut told = Vec::new();
    for _ in 0..2 {
        let event = app.next_event(wait::PATIENCE);
        let Some(Item::Event(event)) = event else { panic!("{event:?}, after {told:?}") };
        told.push((event.name.clone(), event.get("correlation_id")));
    }
    told.sort();
    let expected = [("DTMF_SENT", "a"), ("TRANSFERRED", "t")].map(|(name, id)| (name.into(), id.into()));
    assert_eq!(told, expected);
    assert_eq!(app.expect_close(), 1000);
    assert_eq!(ear.expect_event("DTMF_END").get("digit"), "1");
    goes_on(&ear);
}

/// Digits continue while the application is disconnected. The answer is sent on its next connection.
fn lost_connection(t: &Context) {
    let [(call, app), (_other, ear)] = pair(t, "c(ulaw)f(json)");
    t.allow_log("the WebSocket connection is gone");
    let id = call.connection_id();
    press(&app, "1w2", "d");
    assert_eq!(ear.expect_event("DTMF_BEGIN").get("digit"), "1");
    app.reset();
    assert_eq!(ear.expect_event("DTMF_END").get("digit"), "1");
    expect_heard(&ear, "2", 100);
    let app = t.connect(&id);
    assert_eq!(*app.expect_media_start().value("reconnected"), true);
    expect_sent(&app, "d", None);
    press(&app, "3", "e");
    expect_heard(&ear, "3", 100);
    expect_sent(&app, "e", None);
}
