//! The app is killed (SIGKILL) and started again, in each phase of a call: the call ends with its cause, and the next
//! one works.

use std::time::Duration;

use super::super::harness::call::{Call, Ending};
use super::super::harness::{Context, InstanceConfig, Suite};
use super::puppet::{Phase, Puppet};

pub fn tests(suite: &mut Suite) {
    for phase in Phase::ALL {
        for (role, body) in [("incoming", incoming as fn(&Context, Phase)), ("outgoing", outgoing)] {
            suite
                .differs(format!("life/killed/{role}/{}", phase.name()), "19", move |t| body(t, phase))
                .shares("life", InstanceConfig::new);
        }
    }
    suite
        .ours("life/killed/outgoing/back_in_time", "the C module connects in the caller's thread (1)", back)
        .shares("life", InstanceConfig::new);
}

/// How a call ends whose app was killed in this phase; `None` if it does not end.
fn expected(phase: Phase) -> Option<Ending> {
    Some(match phase {
        Phase::BeforeConnect | Phase::Handshake => return None,
        Phase::After101 | Phase::Answering | Phase::Media | Phase::FullQueue => {
            Ending { cause: 38, tech_cause: 1006 }
        }
        Phase::Closing => Ending { cause: 16, tech_cause: 1000 },
        Phase::Closed => Ending { cause: 16, tech_cause: 0 },
    })
}

fn dial_options(phase: Phase) -> &'static str {
    if phase == Phase::Answering { "c(ulaw)n" } else { "c(ulaw)" }
}

fn allow(t: &Context) {
    for text in ["connection failed", "ended during the handshake", "iostream.c", "res_http_websocket.c"] {
        t.allow_log(text);
    }
    if !t.is_ours() {
        t.allow_log("chan_websocket.c");
        t.allow_log("res_websocket_client.c");
    }
}

/// Lets the puppet reach its phase, kills it, and checks how the call ends.
fn kill(t: &Context, puppet: Puppet, phase: Phase, call: &Call<'_>) {
    if phase == Phase::Closed {
        puppet.wait_up();
        call.wait_up();
        call.hangup();
    }
    puppet.wait_reached();
    puppet.kill();
    let Some(expected) = expected(phase) else { return };
    let ending = call.ending();
    if t.is_ours() {
        assert_eq!(ending, expected);
    }
}

fn incoming(t: &Context, phase: Phase) {
    allow(t);
    let connect = |call: &Call<'_>, phase| {
        Puppet::connect(t.asterisk.http, &t.asterisk.path(&format!("media/{}", call.connection_id())), phase)
    };
    let new = |options: &str| t.call(&format!("WebSocket/INCOMING/{options}")).extension("echo").originate();
    let call = new(dial_options(phase));
    kill(t, connect(&call, phase), phase, &call);
    // An app that was killed before its request arrived has not used up its id.
    let next = if expected(phase).is_none() { call } else { new("c(ulaw)") };
    goes_on(connect(&next, Phase::Media), &next);
}

fn outgoing(t: &Context, phase: Phase) {
    allow(t);
    let (puppet, port) = Puppet::listen(0, phase);
    let client = t.unique("client");
    let uri = format!("ws://127.0.0.1:{port}/media");
    let options =
        [("uri", &*uri), ("protocols", "media"), ("reconnect_attempts", "2"), ("reconnect_interval", "50")];
    t.asterisk.add_client(&client, &options);
    let new = |options: &str| t.call(&format!("WebSocket/{client}/{options}")).extension("echo").originate();
    let puppet = if phase == Phase::BeforeConnect {
        puppet.wait_reached();
        puppet.kill();
        None
    } else {
        Some(puppet)
    };
    let call = new(dial_options(phase));
    if let Some(puppet) = puppet {
        kill(t, puppet, phase, &call);
    }
    // The app was killed before Asterisk connected: all attempts are made, and fail.
    if expected(phase).is_none() {
        let ending = call.ending();
        if t.is_ours() {
            assert_eq!(ending, Ending { cause: 3, tech_cause: 0 });
        }
    }
    let (puppet, _) = Puppet::listen(port, Phase::Media);
    goes_on(puppet, &new("c(ulaw)"));
}

/// The app is started again while Asterisk still tries to connect.
fn back(t: &Context) {
    allow(t);
    let (puppet, port) = Puppet::listen(0, Phase::Handshake);
    let client = t.unique("client");
    let uri = format!("ws://127.0.0.1:{port}/media");
    let options =
        [("uri", &*uri), ("protocols", "media"), ("reconnect_attempts", "50"), ("reconnect_interval", "100")];
    t.asterisk.add_client(&client, &options);
    let call = t.call(&format!("WebSocket/{client}/c(ulaw)")).extension("echo").originate();
    puppet.wait_reached();
    puppet.kill();
    std::thread::sleep(Duration::from_millis(300));
    let (puppet, _) = Puppet::listen(port, Phase::Media);
    goes_on(puppet, &call);
}

/// This call has media both ways, and ends as usual.
#[track_caller]
fn goes_on(puppet: Puppet, call: &Call<'_>) {
    puppet.wait_reached();
    call.hangup();
    assert_eq!(call.ending().cause, 16);
    drop(puppet);
}
