//! SUBSCRIBE, positions, and the errors for wrong input.

use super::super::harness::{Context, Format, InstanceConfig, Suite};
use super::{OURS, WAYS, Way, command, next, number, received};

pub fn tests(suite: &mut Suite) {
    for way in WAYS {
        suite.ours(format!("playback/subscribe/{}", way.name), OURS, move |t| subscribe(t, way));
        suite.ours(format!("playback/position/{}", way.name), OURS, move |t| position(t, way));
    }
    suite.ours("playback/subscribe/limits", OURS, limits).shares("limits", small_limits);
    suite.ours("playback/subscribe/dtmf", OURS, dtmf);
    for (name, options) in MODES {
        suite.ours(format!("playback/table/{name}"), OURS, move |t| in_mode(t, options));
    }
    suite.ours("playback/bad_input", OURS, bad_input);
    suite.ours("playback/plain_text", OURS, plain_text);
}

fn subscribe(t: &Context, way: Way) {
    let (_call, app) = way.call(t, "c(ulaw)f(json)");
    let fields = r#""events":["MEDIA_STOP","NEW","MEDIA_POSITION","NEW"],"correlation_id":"s1""#;
    command(&app, "SUBSCRIBE", fields);
    let subscribed = app.expect_event("SUBSCRIBED");
    assert_eq!(
        subscribed.keys(),
        ["event", "channel_id", "correlation_id", "events", "unknown", "version", "limits"]
    );
    assert_eq!(subscribed.get("correlation_id"), "s1");
    assert_eq!(subscribed.get("events"), r#"["MEDIA_POSITION","MEDIA_STOP"]"#);
    assert_eq!(subscribed.get("unknown"), r#"["NEW"]"#);
    command(&app, "SUBSCRIBE", r#""events":["*"]"#);
    let events = app.expect_event("SUBSCRIBED").get("events");
    assert!(
        events.starts_with(r#"["MEDIA_POSITION","MEDIA_FLUSHED","MEDIA_DROPPED","MEDIA_STOP""#),
        "{events}"
    );
    assert_eq!(app.expect_event("CALL_STATE").get("state"), "answered");
    command(&app, "SUBSCRIBE", r#""events":[]"#);
    assert_eq!(app.expect_event("SUBSCRIBED").get("events"), "[]");
}

/// Modes and directions with their options.
const MODES: [(&str, &str); 6] = [
    ("framed", ""),
    ("passthrough", "p"),
    ("in", "d(in)"),
    ("out", "d(out)"),
    ("passthrough_in", "pd(in)"),
    ("unbuffered", "u"),
];

/// Added commands work in each mode.
fn in_mode(t: &Context, options: &str) {
    let (_call, app) = WAYS[0].call(t, &format!("c(ulaw)f(json){options}"));
    command(&app, "SUBSCRIBE", r#""events":["*"],"correlation_id":"s""#);
    assert_eq!(app.expect_event("SUBSCRIBED").get("correlation_id"), "s");
    assert_eq!(app.expect_event("CALL_STATE").get("state"), "answered");
    for (fields, id) in
        [(r#""correlation_id":"f""#, "f"), ("", ""), (r#""fade_ms":0,"correlation_id":"g""#, "g")]
    {
        command(&app, "FLUSH_MEDIA", fields);
        let flushed = app.expect_event("MEDIA_FLUSHED");
        assert_eq!(flushed.get("correlation_id"), id);
        let numbers = ["flushed_ms", "flushed_frames", "played_ms"].map(|key| number(&flushed, key));
        assert_eq!((numbers, flushed.get("marks"), flushed.get("bulk")), ([0; 3], "[]".into(), "[]".into()));
    }
    command(&app, "FLUSH_MEDIA", r#""after":"m","correlation_id":"f""#);
    assert_eq!(app.expect_event("ERROR").get("correlation_id"), "f");
    command(&app, "HANGUP", "");
    assert_eq!(app.expect_event("MEDIA_STOP").get("ended_by"), "hangup_command");
    assert_eq!(app.expect_close(), 1000);
}

fn small_limits() -> InstanceConfig {
    let config = "[global]\nqueue_max = 100\nqueue_xoff = 90\nqueue_xon = 80\nmax_message_size = 70000\n\
                  max_command_size = 5000\nout_queue = 1500\n";
    InstanceConfig::new().our_file("chan_websocket.conf", config)
}

fn limits(t: &Context) {
    let (_call, app) = WAYS[0].call(t, "c(ulaw)f(json)");
    command(&app, "SUBSCRIBE", r#""events":[]"#);
    let subscribed = app.expect_event("SUBSCRIBED");
    let limits = subscribed.value("limits");
    for (key, value) in [
        ("queue_max", 100),
        ("queue_xoff", 90),
        ("queue_xon", 80),
        ("max_latency", 0),
        ("max_message_size", 70_000),
        ("max_command_size", 5000),
        ("out_queue", 1500),
    ] {
        assert_eq!(limits[key], value, "{key} in {}", subscribed.raw);
    }
    assert_eq!(limits["queue_overflow"], "drop");
    assert!(limits["queue_bytes"].as_u64().is_some_and(|bytes| bytes > 0));
}

/// An event for each 100 ms of media; the last one has the end of the media.
fn position(t: &Context, way: Way) {
    let (_call, app) = way.call(t, "c(ulaw)f(json)");
    command(&app, "SUBSCRIBE", r#""events":["MEDIA_POSITION"],"position_interval":100"#);
    app.expect_event("SUBSCRIBED");
    // Sent at once, so that the queue does not run empty.
    app.send_media(&[0x55; 160 * 23]);
    for played_ms in [100, 200, 300, 400, 460] {
        let position = app.expect_event("MEDIA_POSITION");
        assert_eq!(
            (number(&position, "played_ms"), number(&position, "queued_ms")),
            (played_ms, 460 - played_ms)
        );
    }
    command(&app, "SUBSCRIBE", r#""events":[]"#);
    app.expect_event("SUBSCRIBED");
    app.send_media(&[0x55; 160 * 10]);
    command(&app, "MARK_MEDIA", r#""correlation_id":"m""#);
    assert_eq!(number(&app.expect_event("MEDIA_MARK_PROCESSED"), "played_ms"), 660);
    assert_eq!(received(&app, "MEDIA_POSITION").len(), 5);
}

fn dtmf(t: &Context) {
    let (call, app) = WAYS[0].call(t, "c(ulaw)f(json)");
    let send = |digit: &str| {
        let parameters = [("dtmf", digit), ("duration", "120")];
        t.ari().post(&format!("channels/{}/dtmf", call.id), &parameters).ok();
    };
    call.wait_stasis();
    send("5");
    assert_eq!(next(&app, "DTMF_END").keys(), ["event", "channel_id", "digit"]);
    command(&app, "SUBSCRIBE", r#""events":[]"#);
    app.expect_event("SUBSCRIBED");
    send("6");
    let end = next(&app, "DTMF_END");
    assert_eq!(end.keys(), ["event", "channel_id", "digit", "duration_ms"]);
    assert!(number(&end, "duration_ms") >= 100, "{}", end.raw);
}

/// Fields of a command, the id that is returned, and the error.
const BAD: &[(&str, &str, &str, &str)] = &[
    ("SUBSCRIBE", r#""correlation_id":"i""#, "i", "'events' is missing; allowed: an array of strings"),
    (
        "SUBSCRIBE",
        r#""events":null,"correlation_id":"i""#,
        "i",
        "'events' is null; allowed: an array of strings",
    ),
    ("SUBSCRIBE", r#""events":{"MEDIA_STOP":1}"#, "", "'events' is {\"MEDIA_STOP\":1}; allowed: an array"),
    (
        "SUBSCRIBE",
        r#""events":[],"position_interval":99"#,
        "",
        "'position_interval' is 99; allowed: whole numbers from 100 to 60000",
    ),
    ("SUBSCRIBE", r#""events":[],"position_interval":-1"#, "", "'position_interval' is -1; allowed:"),
    (
        "SUBSCRIBE",
        r#""events":[],"position_interval":99999999999999999999"#,
        "",
        "'position_interval' is 1e+20; allowed:",
    ),
    (
        "SUBSCRIBE",
        r#""events":[],"correlation_id":7"#,
        "",
        "'correlation_id' is 7; allowed: a string of at most 1024 bytes",
    ),
    ("FLUSH_MEDIA", r#""correlation_id":null"#, "", "'correlation_id' is null; allowed:"),
    (
        "FLUSH_MEDIA",
        r#""fade_ms":501,"correlation_id":"i""#,
        "i",
        "'fade_ms' is 501; allowed: whole numbers from 0 to 500",
    ),
    ("FLUSH_MEDIA", r#""fade_ms":-1"#, "", "'fade_ms' is -1; allowed:"),
    ("FLUSH_MEDIA", r#""fade_ms":"80""#, "", "'fade_ms' is \"80\"; allowed:"),
    ("FLUSH_MEDIA", r#""after":1"#, "", "'after' is 1; allowed: the id of a MARK_MEDIA"),
    ("FLUSH_MEDIA", r#""after":"","correlation_id":"i""#, "i", "'after' is \"\"; allowed:"),
    (
        "FLUSH_MEDIA",
        r#""after":"unknown","correlation_id":"i""#,
        "i",
        "'after' is \"unknown\"; allowed: the id of a MARK_MEDIA that has not been reached",
    ),
    (
        "FLUSH_MEDIA",
        r#""after":"m","fade_ms":0,"correlation_id":"i""#,
        "i",
        "'after' and 'fade_ms' cannot be used together",
    ),
];

/// A wrong command changes nothing, not even in part.
fn bad_input(t: &Context) {
    let (_call, app) = WAYS[0].call(t, "c(ulaw)f(json)");
    command(&app, "SUBSCRIBE", r#""events":["MEDIA_FLUSHED"]"#);
    command(&app, "PAUSE_MEDIA", "");
    app.send_media(&[0x55; 1600]);
    command(&app, "MARK_MEDIA", r#""correlation_id":"m""#);
    app.expect_event("SUBSCRIBED");
    for (name, fields, id, what) in BAD {
        command(&app, name, fields);
        let error = app.expect_event("ERROR");
        assert!(error.get("error_text").starts_with(&format!("{name}: {what}")), "{}", error.raw);
        assert_eq!((error.get("correlation_id").as_str(), error.get("command").as_str()), (*id, *name));
        assert_eq!(error.keys().contains(&"correlation_id"), !id.is_empty(), "{}", error.raw);
    }
    let long = format!(r#""correlation_id":"{}""#, "i".repeat(1025));
    command(&app, "FLUSH_MEDIA", &long);
    let error = app.expect_error();
    assert_eq!(error, "FLUSH_MEDIA: 'correlation_id' has 1025 bytes; allowed: at most 1024 bytes");
    command(&app, "GET_STATUS", "");
    let status = app.expect_event("STATUS");
    assert_eq!((number(&status, "queued_ms"), number(&status, "marks_waiting")), (200, 1));
    assert_eq!(status.get("media_paused"), "true");
    // The subscription has not changed.
    command(&app, "FLUSH_MEDIA", "");
    assert_eq!(app.expect_event("MEDIA_FLUSHED").get("marks"), r#"["m"]"#);
}

fn plain_text(t: &Context) {
    let (_call, app) = WAYS[0].call(t, &format!("c(ulaw)f({})", Format::PlainText.name()));
    app.send_text("SUBSCRIBE *");
    assert_eq!(app.expect_error(), "SUBSCRIBE only supports JSON format.");
    app.send_text("PAUSE_MEDIA");
    app.send_media(&[0x55; 1600]);
    app.send_text("FLUSH_MEDIA f1");
    app.send_text("GET_STATUS");
    let status = app.expect_event("STATUS");
    assert_eq!(status.get("queue_length"), "0");
    assert!(status.raw.ends_with("media_paused:false"), "{}", status.raw);
}
