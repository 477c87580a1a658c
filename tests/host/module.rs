//! Loading, unloading, reloading and stopping.

use super::harness::conf::DRIVER;
use super::harness::{Context, InstanceConfig, Suite};
use super::life;

pub fn tests(suite: &mut Suite) {
    suite.same("module/load_line", loaded);
    suite.same("module/autoload", loaded).private_with(InstanceConfig::new().autoload());
    suite.same("module/load", load).private_with(InstanceConfig::new().without(DRIVER));
    suite.same("module/unload", unload).private();
    life::beside(suite, "module/cycles", cycles).private();
    // The C module is unmapped during the call (15).
    life::beside(suite, "module/unload_refused", refused).private();
    life::beside(suite, "module/stop_with_calls", stop_with_calls).private();
}

/// The module is loaded and takes calls.
fn loaded(t: &Context) {
    assert!(t.asterisk.driver_status().is_some_and(|status| status.running));
    let types = t.asterisk.cli("core show channeltypes");
    assert!(types.lines().any(|line| line.starts_with("WebSocket ")), "no channel type WebSocket: {types}");
    assert_call(t);
}

fn assert_call(t: &Context) {
    let (call, app) = t.incoming_app("c(ulaw)");
    call.wait_up();
    app.command("HANGUP");
    app.expect_close();
    call.ending();
}

fn load(t: &Context) {
    assert_eq!(t.asterisk.driver_status(), None);
    t.allow_log("No channel type registered for 'WebSocket'");
    assert_ne!(t.call("WebSocket/INCOMING/c(ulaw)").try_originate().status, 200);
    assert!(t.asterisk.driver("load").contains("Loaded"));
    loaded(t);
}

fn unload(t: &Context) {
    assert_call(t);
    t.asterisk.unload_driver();
    t.allow_log("No channel type registered for 'WebSocket'");
    t.note(t.call("WebSocket/INCOMING/c(ulaw)").try_originate().status.to_string());
    assert_eq!(t.send(&t.upgrade("anything")).status, 404);
    t.asterisk.driver("load");
    loaded(t);
}

/// After a hundred cycles an unloaded driver leaves no more threads, descriptors and errors than after the first.
fn cycles(t: &Context) {
    let cycle = |with_call: bool| {
        t.asterisk.driver("load");
        if with_call {
            assert_call(t);
        }
        t.asterisk.unload_driver();
    };
    t.asterisk.unload_driver();
    // The first cycle has a call, so that everything that is made only once exists.
    cycle(true);
    let before = t.asterisk.settled();
    let cycles = std::env::var("HOST_CYCLES").map_or(100, |count| count.parse().expect("a number"));
    for number in 0..cycles {
        cycle(number % 25 == 0);
    }
    t.asterisk.expect_no_more_than(&before);
    t.asterisk.driver("load");
    loaded(t);
}

/// During a call the module stays, reports the number of references, and the call is not affected.
fn refused(t: &Context) {
    let (call, app) = t.incoming_app("c(ulaw)");
    call.wait_up();
    let waiting = t.incoming("c(ulaw)");
    let holds = t.asterisk.driver_status().map(|status| status.use_count);
    t.note(format!("use count {holds:?}"));
    assert!(!t.is_ours() || holds == Some(2), "{holds:?}");
    t.allow_log("use count");
    let answer = t.asterisk.driver("unload");
    assert!(answer.contains("Unable to unload"), "{answer}");
    t.wait_log(&["use count 2"]);
    app.command("GET_STATUS");
    app.expect_event("STATUS");
    // A reload does not affect the call either.
    t.asterisk.driver("reload");
    app.command("GET_STATUS");
    app.expect_event("STATUS");
    waiting.hangup();
    app.command("HANGUP");
    assert_eq!(app.expect_close(), 1000);
    t.asterisk.unload_driver();
    t.asterisk.driver("load");
    loaded(t);
}

/// `core stop now` with calls in all states.
fn stop_with_calls(t: &Context) {
    let server = t.server(&[]);
    let ends = [t.incoming_echo("c(ulaw)"), t.incoming_app("c(ulaw)f(json)")];
    let outgoing = t.call(&format!("WebSocket/{}/c(ulaw)", server.client)).originate();
    let app = server.accept();
    app.expect_media_start();
    let waiting = t.incoming("c(ulaw)");
    ends[0].1.send_media(&super::media::noise(160 * 100));
    outgoing.wait_up();
    t.asterisk.stop().unwrap();
    drop(waiting);
}
