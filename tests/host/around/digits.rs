//! DTMF_BEGIN.

use std::time::{Duration, Instant};

use super::super::harness::{App, Context, Suite};
use super::{call, goes_on, ours, subscribe};

pub fn tests(suite: &mut Suite) {
    ours(suite, "digits/begin", begin);
    ours(suite, "digits/not_asked_any_more", not_asked_any_more);
}

fn press(t: &Context, channel: &str, digits: &str, duration: &str) {
    let parameters = [("dtmf", digits), ("duration", duration), ("between", "100")];
    t.ari().post(&format!("channels/{channel}/dtmf"), &parameters).ok();
}

#[track_caller]
fn expect_end(app: &App, digit: &str, at_least_ms: u64) {
    let end = app.expect_event("DTMF_END");
    assert_eq!(end.get("digit"), digit);
    assert!(end.value("duration_ms").as_u64() >= Some(at_least_ms), "{}", end.raw);
}

/// The event of a digit's begin comes when the core begins the digit, the event of its end when the digit has ended.
fn begin(t: &Context) {
    let (call, app) = call(t);
    subscribe(&app, &["DTMF_BEGIN"]);
    goes_on(&app);
    let pressed = Instant::now();
    press(t, &call.id, "5#D", "300");
    for (digit, number) in [("5", 1), ("#", 2), ("D", 3)] {
        assert_eq!(app.expect_event("DTMF_BEGIN").get("digit"), digit);
        expect_end(&app, digit, 300);
        // Counted from the start, so that a begin that is read late makes no difference.
        let least = Duration::from_millis(300 * number - 50);
        assert!(pressed.elapsed() > least, "{digit}: {:?}", pressed.elapsed());
    }
    goes_on(&app);
    // The application gets no tone.
    assert!(app.collect_media_for(1, Duration::ZERO).is_empty());
}

/// Without a subscription the core does not delay the end of the digit.
fn not_asked_any_more(t: &Context) {
    let (call, app) = call(t);
    for events in [&["TEXT", "CALL_STATE"][..], &["DTMF_BEGIN"], &[]] {
        command_without_states(&app, events);
        let asked = events.contains(&"DTMF_BEGIN");
        press(t, &call.id, "1", "5000");
        let pressed = Instant::now();
        if asked {
            app.expect_event("DTMF_BEGIN");
        }
        expect_end(&app, "1", 5000);
        assert_eq!(
            pressed.elapsed() > Duration::from_millis(4000),
            asked,
            "{events:?}: {:?}",
            pressed.elapsed()
        );
    }
}

#[track_caller]
fn command_without_states(app: &App, events: &[&str]) {
    subscribe(app, events);
    if events.contains(&"CALL_STATE") {
        super::expect_state(app, "answered");
    }
    goes_on(app);
}
