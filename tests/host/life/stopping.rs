//! Asterisk stops or restarts during calls: nothing crashes, and each application that can be told is told.

use std::time::Duration;

use super::super::harness::call::Call;
use super::super::harness::server::AppServer;
use super::super::harness::{App, Context, Item, Reply, Suite, wait};
use super::super::media::noise;
use super::beside;

pub fn tests(suite: &mut Suite) {
    for command in ["core stop gracefully", "core stop when convenient"] {
        let name = format!("life/stop/{}", command.replace(' ', "_"));
        beside(suite, name, move |t| gracefully(t, command)).private();
    }
    beside(suite, "life/stop/asked_for_meanwhile", asked_for_meanwhile).private();
    beside(suite, "life/stop/core_restart_gracefully", restart).private();
    let stop_now = |t: &Context| {
        let _ = t.asterisk.try_cli("core stop now");
    };
    beside(suite, "life/stop/core_stop_now", move |t| now(t, || stop_now(t))).private();
    beside(suite, "life/stop/sigterm", |t| now(t, || t.asterisk.signal("TERM"))).private();
}

/// Calls in all states: two that talk, one whose app has not connected, one whose server does not answer.
struct Calls<'t> {
    incoming: (Call<'t>, App),
    outgoing: (Call<'t>, App),
    waiting: Call<'t>,
    /// None with the C module, which waits in the requesting thread (1).
    connecting: Option<Call<'t>>,
    _servers: [AppServer; 2],
}

impl<'t> Calls<'t> {
    fn new(t: &'t Context) -> Self {
        let incoming = t.incoming_echo("c(ulaw)");
        let server = t.server(&[]);
        let call =
            t.call(&format!("WebSocket/{}/c(ulaw)f(json)", server.client)).extension("echo").originate();
        let app = server.accept();
        app.expect_media_start();
        call.wait_application("Echo");
        let silent = t.server_with(&[("reconnect_attempts", "1")], |_, _| Reply::Silence);
        let connecting = t.is_ours().then(|| {
            let call = t.call(&format!("WebSocket/{}/c(ulaw)", silent.client)).originate();
            silent.request(0);
            call
        });
        let calls = Self {
            incoming,
            outgoing: (call, app),
            waiting: t.incoming("c(ulaw)"),
            connecting,
            _servers: [server, silent],
        };
        calls.talk();
        calls
    }

    fn apps(&self) -> [&App; 2] {
        [&self.incoming.1, &self.outgoing.1]
    }

    fn talk(&self) {
        for app in self.apps() {
            let media = noise(1600);
            app.send_media(&media);
            assert_eq!(app.collect_media(1600), media);
            app.command("GET_STATUS");
            app.expect_event("STATUS");
        }
    }
}

/// Gives a command that is answered only when it is done.
fn say(t: &Context, command: &'static str) {
    let asterisk = std::sync::Arc::clone(&t.asterisk);
    std::thread::spawn(move || asterisk.try_cli(command));
    if command.ends_with("when convenient") {
        // Calls are still accepted.
        return std::thread::sleep(Duration::from_millis(300));
    }
    t.allow_log("Refusing due to active shutdown");
    t.allow_log("Unable to allocate channel");
    wait::until("no more calls are taken", || {
        let answer = t.call("WebSocket/INCOMING/c(ulaw)").try_originate();
        if let Some(id) = answer.body["id"].as_str() {
            t.ari().hangup(id);
        }
        answer.status != 200
    });
}

/// Existing calls continue until they end; then Asterisk ends, with exit status 0.
fn gracefully(t: &Context, command: &'static str) {
    let calls = Calls::new(t);
    say(t, command);
    calls.talk();
    calls.waiting.hangup();
    calls.connecting.iter().for_each(Call::hangup);
    calls.talk();
    for app in calls.apps() {
        app.command("HANGUP");
        assert_eq!(app.expect_close(), 1000);
        app.expect_end();
    }
    t.asterisk.wait_end().unwrap();
}

/// While Asterisk waits for its last call to end, more calls are requested. They are refused, the call continues, and
/// Asterisk ends after it, with exit status 0. The C module crashes (41).
fn asked_for_meanwhile(t: &Context) {
    let (call, app) = t.incoming_echo("c(ulaw)");
    let server = t.server(&[]);
    say(t, "core stop gracefully");
    for endpoint in ["WebSocket/INCOMING/c(ulaw)".to_owned(), format!("WebSocket/{}/c(ulaw)", server.client)]
    {
        for _ in 0..3 {
            assert_ne!(t.call(&endpoint).try_originate().status, 200, "{endpoint}");
        }
    }
    let media = noise(1600);
    app.send_media(&media);
    assert_eq!(app.collect_media(1600), media);
    drop(call);
    assert_eq!(app.expect_close(), 1000);
    t.asterisk.wait_end().unwrap();
}

/// The same, and the next Asterisk accepts calls.
fn restart(t: &Context) {
    let calls = Calls::new(t);
    say(t, "core restart gracefully");
    calls.talk();
    calls.waiting.hangup();
    calls.connecting.iter().for_each(Call::hangup);
    let before = t.asterisk.log.len();
    for app in calls.apps() {
        app.command("HANGUP");
        assert_eq!(app.expect_close(), 1000);
        app.expect_end();
    }
    let ready = wait::poll(2 * wait::PATIENCE, || t.asterisk.log.find(before, &["Asterisk Ready"]));
    assert!(ready.is_some(), "Asterisk has not restarted");
    wait::until("Asterisk is there again", || {
        t.asterisk.try_cli("core waitfullybooted").is_ok_and(|answer| answer.contains("fully booted"))
    });
    // The ARI connections ended with the old process, so this needs a new context.
    let again = Context::new(std::sync::Arc::clone(&t.asterisk));
    let (call, app) = again.incoming_echo("c(ulaw)");
    let media = noise(1600);
    app.send_media(&media);
    assert_eq!(app.collect_media(1600), media);
    app.command("HANGUP");
    assert_eq!(app.expect_close(), 1000);
    assert_eq!(call.ending().cause, 16);
}

/// Asterisk ends at once. Each app gets a close frame, or at least the end of TCP.
fn now(t: &Context, stop: impl Fn()) {
    let calls = Calls::new(t);
    stop();
    t.asterisk.wait_end().unwrap();
    for app in calls.apps() {
        let closes: Vec<_> = app.rest().into_iter().filter(|item| !matches!(item, Item::Event(_))).collect();
        t.note(format!("{closes:?}"));
        assert!(matches!(closes.last(), Some(Item::End(_))), "{closes:?}");
    }
}
