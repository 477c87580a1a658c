//! Other holders of a channel's lock, and other actions on the call at the same moment.

use std::thread;
use std::time::Duration;

use super::super::harness::{Context, InstanceConfig, Suite, wait};
use super::resources::next_call;
use super::shim::{Control, Field};

pub fn tests(suite: &mut Suite) {
    const WHY: &str = "the C module has no threads of its own";
    suite.ours("life/locks/busy", WHY, busy).private_from(|| Control::preload(InstanceConfig::new()));
    for (name, point, media_start) in [("before_start", "start", false), ("in_start", "open", true)] {
        suite
            .ours(format!("life/locks/hangup_{name}"), WHY, move |t| hangup_meets_start(t, media_start))
            .private_with(InstanceConfig::new().fault(&format!("{point}={PAUSE_MS}")));
    }
    suite
        .ours("life/locks/claim_after_operator", WHY, claim_after_operator)
        .private_with(InstanceConfig::new().fault(&format!("task={PAUSE_MS}")));
}

/// How long the start of a connection, or the job thread, is paused.
const PAUSE_MS: u64 = 2000;

/// Another thread has the channel's lock when the job thread needs it: the job thread tries again, and releases no lock
/// that it has not acquired.
fn busy(t: &Context) {
    const TIMES: i64 = 20;
    let control = Control::of(t);
    let (call, app) = t.incoming_echo("c(ulaw)");
    control.set(Field::LocksBusy, TIMES);
    app.command("HANGUP");
    assert_eq!(app.expect_close(), 1000);
    assert_eq!(call.ending().cause, 16);
    assert_eq!(control.get(Field::LocksBusy), 0, "the job thread has not tried again");
    assert_eq!(control.get(Field::LocksForeign), 0, "a lock was released that was not held");
}

/// The core hangs up while the connection is being started, and finds no connection to close: the application is still
/// told. `media_start`: the start had begun.
fn hangup_meets_start(t: &Context, media_start: bool) {
    let call = t.incoming("c(ulaw)");
    let app = call.connect();
    thread::sleep(Duration::from_millis(PAUSE_MS / 4));
    call.hangup();
    assert_eq!(call.ending().cause, 16);
    app.expect_quiet(Duration::from_millis(100));
    if media_start {
        app.expect_media_start();
    }
    assert_eq!(app.expect_close(), 1000);
    app.disconnect();
    wait::until("the call is forgotten", || !t.asterisk.cli("websocket show channels").contains(&call.name));
    next_call(t);
}

/// An operator has ended the call, and the job thread has not hung its channel up yet: no application gets the call.
fn claim_after_operator(t: &Context) {
    t.allow_log("WebSocket instance not found");
    let call = t.incoming("c(ulaw)");
    let id = call.connection_id();
    t.asterisk.cli(&format!("websocket hangup {}", call.name));
    assert_eq!(t.send(&t.upgrade(&id)).status, 404);
    assert_eq!(call.ending().cause, 16);
}
