//! The rest of the call around the media: digits, texts, the application's events, states, transfers.

mod bad_input;
mod digits;
mod events;
mod example;
mod features;
mod pressed;
mod replaced;
mod sip;
mod states;
mod texts;
mod transfer;
mod unasked;

use serde_json::{Value, json};

use super::harness::call::Call;
use super::harness::event::Event;
use super::harness::{App, Context, InstanceConfig, Suite};

pub fn tests(suite: &mut Suite) {
    bad_input::tests(suite);
    digits::tests(suite);
    events::tests(suite);
    example::tests(suite);
    features::tests(suite);
    pressed::tests(suite);
    replaced::tests(suite);
    sip::tests(suite);
    states::tests(suite);
    texts::tests(suite);
    transfer::tests(suite);
    unasked::tests(suite);
}

const ONLY_OURS: &str = "the C module has no such commands and events";

/// The permissions of these tests.
const CONFIG: &str =
    "[global]\napp_events = yes\napp_events_per_second = 5\ntransfer_contexts = agents,queues\n";

/// Stations that enter the Stasis application of a test: `at<application>`. The other extensions are targets of
/// transfers.
const DIALPLAN: &str = "\
exten => _at.,1,Stasis(${EXTEN:2},station)
exten => named,1,Set(CONNECTEDLINE(name,i)=Bob)
 same => n,Set(CONNECTEDLINE(num)=200)
 same => n,Answer()
 same => n,Wait(600)
exten => texted,1,SendText(${TEXT})
 same => n,Stasis(${APP},texted,${SENDTEXTSTATUS})
exten => indications,1,Proceeding()
 same => n,Progress()
 same => n,Ringing()
 same => n,Ringing()
 same => n,Busy(1)
exten => congested,1,Congestion(1)
exten => menu,1,Answer()
 same => n,Read(DIGITS,,4,,1,20)
 same => n,Stasis(${APP},read,${DIGITS})
exten => room,1,BridgeWait(${ROOM},participant,e(s))
exten => leg,1,Dial(WebSocket/${CLIENT}/c(ulaw)f(json))
exten => _to.,1,Dial(WebSocket/${EXTEN:2}/c(ulaw)f(json))
exten => 603,1,Answer()
 same => n,Echo()
[agents]
exten => 200,1,Answer()
 same => n,Wait(600)
exten => _3X,1,Answer()
 same => n,Wait(600)
[internal]
exten => 200,1,Answer()
 same => n,Wait(600)
";

fn instance() -> InstanceConfig {
    let mut config = InstanceConfig::new().ami();
    for module in [
        "bridge_builtin_features",
        "app_bridgewait",
        "app_read",
        "app_sendtext",
        "codec_gsm",
        "func_callerid",
        "res_musiconhold",
    ] {
        config = config.module(module);
    }
    config
        .file("features.conf", "[general]\nfeaturedigittimeout = 10000\n[featuremap]\natxfer = *2\nblindxfer = #1\n[applicationmap]\n")
        .file(
            "musiconhold.conf",
            "[general]\n[default]\nmode = custom\napplication = /usr/bin/yes\nformat = ulaw\n",
        )
        .our_file("chan_websocket.conf", CONFIG)
        .dialplan(DIALPLAN)
}

/// Adds a test of our module on the instance that these tests share.
fn ours(suite: &mut Suite, name: &str, body: impl Fn(&Context) + Send + Sync + 'static) {
    suite.ours(format!("around/{name}"), ONLY_OURS, body).shares("around", instance);
}

/// Sends a command with these fields.
fn command(app: &App, name: &str, fields: Value) {
    let mut command = fields;
    command["command"] = name.into();
    app.send_text(&command.to_string());
}

#[track_caller]
fn subscribe(app: &App, events: &[&str]) {
    command(app, "SUBSCRIBE", json!({"events": events}));
    let subscribed = app.expect_event("SUBSCRIBED");
    assert_eq!(*subscribed.value("unknown"), json!([]));
}

/// The next event, which is CALL_STATE: its state, bridge and peer.
#[track_caller]
fn expect_state(app: &App, state: &str) -> Event {
    let event = app.expect_event("CALL_STATE");
    assert_eq!(event.get("state"), state, "{}", event.raw);
    event
}

#[track_caller]
fn expect_bridged(app: &App, bridge: &str, peer: Option<&str>) {
    let event = expect_state(app, "bridged");
    assert_eq!(event.get("bridge_id"), bridge, "{}", event.raw);
    assert_eq!(event.value("peer").as_str(), peer, "{}", event.raw);
}

#[track_caller]
fn expect_unbridged(app: &App, bridge: &str) {
    assert_eq!(expect_state(app, "unbridged").get("bridge_id"), bridge);
}

/// The call continues, and no event comes before the answer.
#[track_caller]
fn goes_on(app: &App) {
    app.command("GET_STATUS");
    app.expect_event("STATUS");
}

/// A call in JSON that is up and has its application connected.
#[track_caller]
fn call<'t>(t: &'t Context) -> (Call<'t>, App) {
    let (call, app) = t.incoming_app("c(ulaw)f(json)");
    call.wait_up();
    call.wait_stasis();
    (call, app)
}
