//! A panic anywhere in our module ends the affected call with a log line, and has no other effect.

use super::harness::conf::DRIVER;
use super::harness::{Context, InstanceConfig, Suite, wait};

type Body = fn(&Context);

/// The points where the build for these tests can panic: src/fault.rs.
const POINTS: &[(&str, Body)] = &[
    ("read", |t| media(t, 1000)),
    ("write", |t| media(t, 1000)),
    ("hold", hold),
    ("media", |t| media(t, 1011)),
    ("command", command),
    ("start", start),
    ("call", never_up),
    ("substitute", substitute),
    ("requester", refused),
    ("create", refused),
    ("created", refused),
    ("receive", receive),
    ("task", task),
    ("http", http),
];

pub fn tests(suite: &mut Suite) {
    for (point, body) in POINTS {
        suite
            .ours(format!("fault/{point}"), "no fault can be put into the C module", move |t| {
                for text in
                    ["internal error", "fault in chan_websocket", "panic while", "after an internal fault"]
                {
                    t.allow_log(text);
                }
                body(t);
                t.wait_log(&["ERROR", "internal error", "injected at"]);
                works_and_unloads(t);
            })
            .private_with(InstanceConfig::new().fault(point));
    }
    suite
        .ours("fault/write_in_bridge", "no fault can be put into the C module", |t| {
            for text in ["internal error", "fault in chan_websocket"] {
                t.allow_log(text);
            }
            bridged(t);
            t.wait_log(&["ERROR", "internal error", "injected at write"]);
            works_and_unloads(t);
        })
        .private_with(InstanceConfig::new().fault("write"));
    for point in LOAD_POINTS {
        suite
            .ours(format!("fault/{point}"), "no fault can be put into the C module", load)
            .private_with(InstanceConfig::new().without(DRIVER).fault(point));
    }
}

/// Points between the steps of loading the module, and after the last one.
const LOAD_POINTS: &[&str] = &[
    "load_driver",
    "load_tech",
    "load_bridge",
    "load_acl_change",
    "load_http",
    "load_cli",
    "load_ami",
    "load_prometheus",
];

/// The number of descriptors of the kinds that our threads wait on.
fn descriptors(t: &Context) -> usize {
    let kinds = ["anon_inode:[eventpoll]", "anon_inode:[eventfd]", "anon_inode:[timerfd]"];
    let files = t.asterisk.resources().files;
    files.iter().filter(|file| kinds.contains(&file.as_str())).count()
}

/// The load is declined and leaves nothing behind; the next load works.
fn load(t: &Context) {
    for text in
        ["internal error", "fault in chan_websocket", "declined to load", "No channel type registered"]
    {
        t.allow_log(text);
    }
    let descriptors_before = descriptors(t);
    let answer = t.asterisk.driver("load");
    assert!(answer.contains("Unable to load"), "{answer}");
    t.wait_log(&["ERROR", "internal error", "injected at load"]);
    assert!(!t.asterisk.driver_status().is_some_and(|status| status.running));
    let types = t.asterisk.cli("core show channeltypes");
    assert!(!types.contains("WebSocket"), "{types}");
    assert_ne!(t.call("WebSocket/INCOMING/c(ulaw)").try_originate().status, 200);
    assert_eq!(t.send(&t.upgrade("anything")).status, 404);
    let technologies = t.asterisk.cli("bridge technology show");
    assert!(!technologies.contains("websocket"), "{technologies}");
    let uris = t.asterisk.cli("http show status");
    assert!(!uris.contains("/media"), "{uris}");
    let commands = t.asterisk.cli("websocket show stats");
    assert!(commands.contains("No such command"), "{commands}");
    let threads = t.asterisk.resources().threads;
    assert!(!threads.iter().any(|name| name.starts_with("ws-")), "{threads:?}");
    // A channel of the refused call may still have one.
    wait::until("no descriptor of ours is left", || descriptors(t) <= descriptors_before);
    let answer = t.asterisk.driver("load");
    assert!(answer.contains("Loaded"), "{answer}");
    works_and_unloads(t);
}

/// The next call works, and the module can be unloaded.
fn works_and_unloads(t: &Context) {
    let (call, app) = t.incoming_echo("c(ulaw)");
    app.send_media(&[0x55; 160]);
    assert_eq!(app.collect_media(160), [0x55; 160]);
    app.command("HANGUP");
    assert_eq!(call.ending().cause, 16);
    t.asterisk.wait_no_channels();
    t.asterisk.unload_driver();
}

/// The fault happens at the first frame of a call that is up.
fn media(t: &Context, code: u16) {
    let (call, app) = t.incoming_echo("c(ulaw)");
    app.send_media(&[0x55; 160]);
    let _ = call.ending();
    assert_eq!(app.expect_close(), code);
}

/// A fault in an indication. If a driver cannot indicate, the core plays a tone and continues.
fn hold(t: &Context) {
    let (call, app) = t.incoming_app("c(ulaw)");
    t.ari().post(&format!("channels/{}/hold", call.id), &[]).ok();
    let _ = call.ending();
    assert_eq!(app.expect_close(), 1000);
}

/// In a direct bridge the fault happens on the other channel's thread, in any other bridge on the channel's own. The
/// application that the frame is for loses its call; the application that sent it keeps its call.
fn bridged(t: &Context) {
    let [(ending, hears), (speaking, speaks)] = t.bridged("c(ulaw)", "c(ulaw)");
    speaks.send_media(&[0x55; 160]);
    let _ = ending.ending();
    assert_eq!(hears.expect_close(), 1000);
    speaks.command("GET_STATUS");
    speaks.expect_event("STATUS");
    speaks.command("HANGUP");
    assert_eq!(speaking.ending().cause, 16);
}

fn command(t: &Context) {
    let (call, app) = t.incoming_app("c(ulaw)");
    app.command("GET_STATUS");
    assert_eq!(call.ending().cause, 38);
    assert_eq!(app.expect_close(), 1011);
}

/// Outside the call's own code: where the reactor itself handles the connection.
fn receive(t: &Context) {
    let call = t.incoming("c(ulaw)");
    let app = call.connect();
    app.expect_media_start();
    assert_eq!(call.ending().cause, 38);
    assert_eq!(app.expect_close(), 1011);
}

/// Between two jobs: no call is affected.
fn task(t: &Context) {
    let (call, app) = t.incoming_app("c(ulaw)");
    app.command("HANGUP");
    assert_eq!(call.ending().cause, 16);
}

/// The connection is up, but the call cannot be started.
fn start(t: &Context) {
    let call = t.incoming("c(ulaw)");
    let app = call.connect();
    assert_eq!(call.ending().cause, 38);
    app.expect_end();
    wait::until("the fault stands as what ended the call", || {
        t.asterisk.cli("websocket show stats").contains("by=internal_error close_code=0")
    });
}

fn never_up(t: &Context) {
    let server = t.server(&[]);
    let call = t.call(&format!("WebSocket/{}/c(ulaw)", server.client)).originate();
    let _ = call.ending();
}

/// After the channel's lock was released: the core gets it back, and hangs the channel up.
fn substitute(t: &Context) {
    let server = t.server(&[]);
    t.asterisk.add_connection(&server.client, &[("header", "X-Call: ${UNIQUEID}")]);
    let call = t.call(&format!("WebSocket/{}/c(ulaw)", server.client)).originate();
    let _ = call.ending();
    assert_eq!(server.requests(), 0);
}

fn refused(t: &Context) {
    let answer = t.call("WebSocket/INCOMING/c(ulaw)").try_originate();
    assert_ne!(answer.status, 200, "{:?}", answer.body);
}

/// The upgrade fails; the channel keeps waiting for its application.
fn http(t: &Context) {
    let call = t.incoming("c(ulaw)");
    let answer = t.upgrade(&call.connection_id()).send(t.http());
    assert!(answer.is_err(), "closed without an answer");
    let app = call.connect();
    app.expect_media_start();
    app.command("HANGUP");
    assert_eq!(call.ending().cause, 16);
}
