//! MEDIA_STOP comes before our close frame, if ours is the first.

use super::super::harness::call::Call;
use super::super::harness::wire::opcode;
use super::super::harness::{App, Context, Frame, InstanceConfig, Item, Suite};
use super::{OURS, WAYS, Way, command, next, number};

pub fn tests(suite: &mut Suite) {
    for case in &CASES {
        suite.ours(format!("playback/stop/{}", case.name), OURS, move |t| stops(t, WAYS[0], case));
    }
    for way in &WAYS[1..] {
        let name = format!("playback/stop/hangup_command/{}", way.name);
        suite.ours(name, OURS, |t| stops(t, *way, &CASES[1]));
    }
    suite.ours("playback/stop/unresponsive", OURS, unresponsive).shares("pings", pings);
    suite.ours("playback/stop/closed_by_application", OURS, closed_by_application);
    suite.ours("playback/stop/not_subscribed", OURS, not_subscribed);
}

/// A way to end a call, and what MEDIA_STOP says.
struct Case {
    name: &'static str,
    act: fn(&Context, &Call<'_>, &App),
    ended_by: &'static str,
    cause: (u64, &'static str),
    close: u16,
}

const CASES: [Case; 4] = [
    Case {
        name: "core",
        act: |_, call, _| call.hangup(),
        ended_by: "core",
        cause: (16, "Normal Clearing"),
        close: 1000,
    },
    Case {
        name: "hangup_command",
        act: |_, _, app| command(app, "HANGUP", ""),
        ended_by: "hangup_command",
        cause: (16, "Normal Clearing"),
        close: 1000,
    },
    Case {
        name: "operator",
        act: |t, call, _| _ = t.asterisk.cli(&format!("websocket hangup {}", call.name)),
        ended_by: "operator",
        cause: (16, "Normal Clearing"),
        close: 1000,
    },
    Case {
        name: "protocol_fault",
        act: |t, _, app| {
            t.allow_log("protocol fault");
            app.send_frames(&[Frame::new(opcode::TEXT, [0xff])]);
        },
        ended_by: "protocol_fault",
        cause: (38, "Network out of order"),
        close: 1007,
    },
];

/// Five frames are played, twenty are queued.
fn stops(t: &Context, way: Way, case: &Case) {
    let (call, app) = way.call(t, "c(ulaw)f(json)");
    command(&app, "SUBSCRIBE", r#""events":["MEDIA_STOP"]"#);
    app.send_media(&[0x55; 160 * 5]);
    command(&app, "MARK_MEDIA", "");
    next(&app, "MEDIA_MARK_PROCESSED");
    command(&app, "PAUSE_MEDIA", "");
    app.send_media(&[0x55; 160 * 20]);
    command(&app, "GET_STATUS", "");
    next(&app, "STATUS");
    (case.act)(t, &call, &app);
    let stop = app.expect_event("MEDIA_STOP");
    assert_eq!(app.expect_close(), case.close);
    assert_eq!(
        stop.keys(),
        [
            "event",
            "channel_id",
            "ended_by",
            "cause",
            "cause_txt",
            "duration_ms",
            "played_ms",
            "queued_ms",
            "dropped_ms",
            "frames_in",
            "frames_out",
            "underruns",
            "longest_stall_ms",
        ]
    );
    let text = |key: &str| stop.get(key);
    assert_eq!(
        (text("ended_by").as_str(), number(&stop, "cause"), text("cause_txt").as_str()),
        (case.ended_by, case.cause.0, case.cause.1,)
    );
    let numbers = ["played_ms", "queued_ms", "dropped_ms", "frames_in"].map(|key| number(&stop, key));
    assert_eq!(numbers, [100, 400, 0, 25]);
    assert!(number(&stop, "duration_ms") >= 80, "{}", stop.raw);
}

fn pings() -> InstanceConfig {
    let config = "[global]\nenable_pingpongs = yes\npingpong_interval = 1\npingpong_probes = 2\n";
    InstanceConfig::new().our_file("chan_websocket.conf", config)
}

/// An application that reads again too late still learns why the call ended.
fn unresponsive(t: &Context) {
    t.allow_log("given up");
    let (call, app) = WAYS[0].call(t, "c(ulaw)f(json)");
    command(&app, "SUBSCRIBE", r#""events":["MEDIA_STOP"]"#);
    app.expect_event("SUBSCRIBED");
    app.stop_reading();
    assert_eq!(call.ending().cause, 38);
    app.resume_reading();
    let stop = app.expect_event("MEDIA_STOP");
    assert_eq!((stop.get("ended_by").as_str(), number(&stop, "cause")), ("unresponsive", 38));
    assert_eq!(app.expect_close(), 1001);
}

/// The application closed first.
fn closed_by_application(t: &Context) {
    let (_call, app) = WAYS[0].call(t, "c(ulaw)f(json)");
    command(&app, "SUBSCRIBE", r#""events":["*"]"#);
    app.expect_event("SUBSCRIBED");
    app.expect_event("CALL_STATE");
    app.close(1000);
    assert!(matches!(app.rest()[..], [Item::Close(1000), Item::End(None)]));
}

fn not_subscribed(t: &Context) {
    let (_call, app) = WAYS[0].call(t, "c(ulaw)f(json)");
    command(&app, "SUBSCRIBE", r#""events":["MEDIA_POSITION"]"#);
    app.expect_event("SUBSCRIBED");
    command(&app, "HANGUP", "");
    assert_eq!(app.expect_close(), 1000);
}
