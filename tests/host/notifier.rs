//! Messages to operators stay bounded and delay no call, and nothing remains when the module stops.

use std::time::Duration;

use super::harness::{Context, InstanceConfig, Suite, wait};

const WHY: &str = "the C module has no events of its own";

pub fn tests(suite: &mut Suite) {
    let config = |text: &str| InstanceConfig::new().ami().our_file("chan_websocket.conf", text);
    suite
        .ours("notifier/flood", WHY, flood)
        .private_with(config("[global]\nqueue_max = 50\nqueue_xoff = 40\nqueue_xon = 30\n"));
    suite.ours("notifier/stands_still", WHY, stands_still).private_with(config("").fault("notify=3000"));
    suite.ours("notifier/last_words", WHY, last_words).private_with(config("").fault("closed=1000"));
    suite
        .ours(
            "notifier/forgotten_timers",
            "the C module has no timeout for INCOMING channels",
            forgotten_timers,
        )
        .private_with(config("[global]\nincoming_timeout = 3600\n"));
}

/// The sum of a metric's values in `websocket show stats`.
fn stat(t: &Context, name: &str) -> u64 {
    let text = t.asterisk.cli("websocket show stats");
    let values = text.lines().filter(|line| line.starts_with(name)).map(|line| {
        line.split_whitespace().find_map(|word| word.parse::<u64>().ok()).unwrap_or_else(|| panic!("{line}"))
    });
    values.sum()
}

/// An application repeatedly fills the queue, sends one more message and flushes.
fn flood(t: &Context) {
    const ROUNDS: usize = 100;
    let ami = t.ami("calls");
    let (call, app) = t.incoming_app("c(ulaw)");
    app.command("PAUSE_MEDIA");
    for _ in 0..ROUNDS {
        app.send_media(&[0x55; 160 * 50]);
        app.send_media(&[0x55; 160]);
        app.command("FLUSH_MEDIA");
        app.command("PAUSE_MEDIA");
    }
    // The last round ends the stall: there is room again.
    app.send_media(&[0x55; 160]);
    app.command("GET_STATUS");
    while app
        .next_event(Duration::from_secs(30))
        .is_some_and(|item| !format!("{item:?}").contains("\"STATUS\""))
    {}
    app.command("HANGUP");
    ami.event("WebSocketDisconnected", &call.id);
    let events = ami.own_events(&call.id);
    let of = |name: &str| events.iter().filter(|event| *event == name).count();
    let (stalled, resumed) = (of("WebSocketStalled"), of("WebSocketResumed"));
    assert!((5..30).contains(&stalled), "{stalled} of {ROUNDS} rounds were told");
    assert_eq!(stalled, resumed, "not every stall that began has ended");
    let untold = stat(t, "notifications_dropped");
    assert_eq!(untold as usize, 2 * (ROUNDS - stalled), "the stalls that were not reported are not counted");
}

/// The thread that informs AMI is stuck: the hangup of another call does not wait for it.
fn stands_still(t: &Context) {
    let ami = t.ami("calls");
    let (call, app) = t.incoming_app("c(ulaw)");
    app.command("HANGUP");
    assert_eq!(app.expect_close(), 1000);
    assert_eq!(call.ending().cause, 16);
    assert_eq!(ami.own_events(&call.id), [""; 0], "the call is over before anything was told of it");
    ami.event("WebSocketDisconnected", &call.id);
    assert_eq!(ami.own_events(&call.id), ["WebSocketConnected", "WebSocketDisconnected"]);
}

/// The module is unloaded while the connection of the last call is still being closed: its end is still reported, and
/// nothing of it remains.
fn last_words(t: &Context) {
    let ami = t.ami("calls");
    let round = || {
        let (call, app) = t.incoming_app("c(ulaw)");
        app.command("HANGUP");
        t.asterisk.unload_driver();
        ami.event("WebSocketDisconnected", &call.id);
        t.asterisk.driver("load");
    };
    round();
    let before = t.asterisk.settled();
    (0..5).for_each(|_| round());
    t.asterisk.expect_no_more_than(&before);
}

/// A channel that was connected, or has ended, does not keep its timeout.
fn forgotten_timers(t: &Context) {
    for _ in 0..10 {
        t.incoming("c(ulaw)").hangup();
        let (call, app) = t.incoming_app("c(ulaw)");
        app.command("HANGUP");
        call.ending();
    }
    let (_call, _app) = t.incoming_app("c(ulaw)");
    wait::until("no timer is left", || stat(t, "jobs_waiting") == 0);
    let waiting = t.incoming("c(ulaw)");
    wait::until("the one that waits has a timer", || stat(t, "jobs_waiting") == 1);
    waiting.hangup();
}
