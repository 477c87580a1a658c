//! Two sides end a call at the same moment: the first cause is kept.

use std::thread;
use std::time::Duration;

use super::super::harness::away::Away;
use super::super::harness::call::Ending;
use super::super::harness::{Context, Frame, Suite, wait};
use super::{Way, Wired, beside, outcome, wired};

pub fn tests(suite: &mut Suite) {
    for (name, act, cause, tech_cause) in ENDS {
        let expected = Ending { cause: *cause, tech_cause: *tech_cause };
        beside(suite, format!("hostile/causes/{name}"), move |t| application_goes_on(t, act, &expected));
    }
    for (name, act, ..) in ENDS {
        beside(suite, format!("hostile/causes/core_first/{name}"), move |t| core_first(t, act));
    }
}

/// Name, action of the application, and the two causes of the call.
type End = (&'static str, fn(&Wired<'_>), i64, i64);

const ENDS: &[End] = &[
    ("hangup", |wired| wired.app.command("HANGUP"), 16, 1000),
    ("close", |wired| wired.app.close(4000), 16, 4000),
    ("fault", |wired| wired.app.send_raw(&[0xff; 16]), 38, 1002),
    ("reset", |wired| wired.relay.reset(), 38, 1006),
];

/// The application then drops the connection at once, which alone would give another cause.
fn application_goes_on(t: &Context, act: &fn(&Wired<'_>), expected: &Ending) {
    t.allow_log("WebSocket protocol fault");
    // In the C module all ways behave alike.
    for way in Way::ALL.into_iter().take(t.either(1, 4)) {
        let wired = wired(t, way, "c(ulaw)");
        let before = wired.relay.passed();
        act(&wired);
        if !t.is_ours() {
            t.note(outcome(t, &wired.call));
            continue;
        }
        if expected.tech_cause != 1006 {
            wait::until("it is on its way", || wired.relay.passed() > before);
            thread::sleep(Duration::from_millis(20));
        }
        wired.relay.reset();
        assert_eq!(wired.call.ending(), *expected, "{way:?}");
    }
}

/// The core has begun to hang the channel up, but the channel's thread has not noticed yet. The C module behaves alike.
fn core_first(t: &Context, act: &fn(&Wired<'_>)) {
    const BUSY: &str = "17";
    t.allow_log("WebSocket protocol fault");
    let wired = wired(t, Way::ALL[0], "c(ulaw)");
    let mut away = Away::send(&wired.call);
    t.ari().delete(&format!("channels/{}", wired.call.id), &[("reason_code", BUSY)]).ok();
    act(&wired);
    if t.is_ours() {
        wired.call.wait_ending();
    }
    // A close frame that comes too late.
    let _ = wired.app.try_send_raw(&wired.app.encode(&Frame::close(Some(4001), "")));
    thread::sleep(Duration::from_millis(100));
    away.come_back();
    let ending = wired.call.ending();
    wired.app.disconnect();
    t.note(format!("cause {}", ending.cause));
    assert_eq!(ending.cause, 17);
    if t.is_ours() {
        assert_eq!(ending.tech_cause, 0, "nothing of the application's");
    }
}
