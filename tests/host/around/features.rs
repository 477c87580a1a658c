//! Feature codes in the bridge of a Dial(), pressed with SEND_DTMF.

use serde_json::json;

use super::super::harness::call::Call;
use super::super::harness::server::AppServer;
use super::super::harness::{App, Context, Suite, wait};
use super::super::life::transfers::echoes;
use super::states::{ends_bridged_with, told};
use super::{command, expect_state, goes_on, ours, subscribe};

pub fn tests(suite: &mut Suite) {
    ours(suite, "features/attended_transfer", attended_transfer);
    ours(suite, "features/blind_transfer", blind_transfer);
}

/// An application that Dial() has called, and that may transfer its caller, another application.
struct Dialled<'t> {
    _server: AppServer,
    caller: Call<'t>,
    /// The caller's application.
    ear: App,
    /// The application that presses the codes.
    app: App,
}

impl<'t> Dialled<'t> {
    #[track_caller]
    fn new(t: &'t Context) -> Self {
        let server = t.server(&[]);
        let dial = format!("WebSocket/{}/c(ulaw)f(json)", server.client);
        let caller = t
            .call("WebSocket/INCOMING/c(ulaw)f(json)")
            .variable("__TRANSFER_CONTEXT", "harness")
            .dials(&dial, "10", "t")
            .originate();
        let ear = caller.connect();
        ear.expect_media_start();
        let app = server.accept();
        app.expect_media_start();
        for one in [&app, &ear] {
            subscribe(one, &["CALL_STATE"]);
            expect_state(one, "answered");
            expect_state(one, "bridged");
        }
        Self { _server: server, caller, ear, app }
    }

    /// Presses a feature code, waits for the dial tone with which the bridge asks for an extension, and presses the
    /// extension.
    #[track_caller]
    fn transfers(&self, code: &str, extension: &str) {
        press(&self.app, code);
        wait::until("the dial tone", || self.app.expect_media().iter().any(|byte| byte & 0x7f != 0x7f));
        press(&self.app, extension);
    }
}

#[track_caller]
fn press(app: &App, digits: &str) {
    command(app, "SEND_DTMF", json!({"digits": digits, "correlation_id": digits}));
    assert_eq!(app.expect_event("DTMF_SENT").get("correlation_id"), digits);
}

/// The application talks to the target. When it hangs up, the caller is connected with the target.
fn attended_transfer(t: &Context) {
    let call = Dialled::new(t);
    call.transfers("*2", "603");
    expect_state(&call.app, "unbridged");
    let target = expect_state(&call.app, "bridged").get("peer");
    assert!(target.starts_with("Local/603@"), "{target}");
    wait::until("the target answers", || is_echoing(t, "Local/603@"));
    echoes(&call.app);
    call.app.command("HANGUP");
    expect_state(&call.app, "unbridged");
    assert_eq!(call.app.expect_close(), 1000);
    ends_bridged_with(&call.ear, |peer| peer == target);
    let states: Vec<String> = told(&call.ear).into_iter().map(|(state, ..)| state).collect();
    assert_eq!(states, ["answered", "bridged", "hold", "unhold", "bridged"]);
    echoes(&call.ear);
}

/// The caller is transferred at once.
fn blind_transfer(t: &Context) {
    let call = Dialled::new(t);
    call.transfers("#1", "603");
    expect_state(&call.app, "unbridged");
    assert_eq!(call.app.expect_close(), 1000);
    for state in ["hold", "unhold", "unbridged"] {
        expect_state(&call.ear, state);
    }
    call.caller.wait_application("Echo");
    echoes(&call.ear);
    goes_on(&call.ear);
}

/// Whether a channel whose name begins like this runs Echo().
fn is_echoing(t: &Context, name: &str) -> bool {
    let channels = t.asterisk.cli("core show channels concise");
    channels.lines().any(|line| line.starts_with(name) && line.contains("!Echo!"))
}
