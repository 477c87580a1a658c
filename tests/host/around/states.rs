//! CALL_STATE and CONNECTED_LINE.

use std::time::Duration;

use serde_json::{Value, json};

use super::super::harness::call::Call;
use super::super::harness::server::AppServer;
use super::super::harness::{App, Context, Item, Suite, wait};
use super::{call, command, expect_bridged, expect_state, expect_unbridged, goes_on, ours, subscribe};

pub fn tests(suite: &mut Suite) {
    ours(suite, "states/dial", dial);
    ours(suite, "states/indications", indications);
    ours(suite, "states/congestion", congestion);
    ours(suite, "states/answered", answered);
    ours(suite, "states/moved", moved);
    ours(suite, "states/hold", hold);
    ours(suite, "states/present", present);
    ours(suite, "states/conference", conference);
    ours(suite, "states/announcer", announcer);
    ours(suite, "states/local_optimised", local_optimised);
    ours(suite, "states/attended_transfer", attended_transfer);
    ours(suite, "states/unsubscribed", unsubscribed);
    ours(suite, "states/masquerade", masquerade);
    ours(suite, "lines/dialled", line_of_the_caller);
    ours(suite, "lines/changes", line_changes);
    ours(suite, "lines/of_a_dial", line_of_a_dial);
}

/// The states told so far, with bridge and peer.
pub(super) fn told(app: &App) -> Vec<(String, String, String)> {
    let received = app.received().into_iter().filter_map(|received| match received.item {
        Item::Event(event) if event.name == "CALL_STATE" => {
            Some((event.get("state"), event.get("bridge_id"), event.get("peer")))
        }
        _ => None,
    });
    received.collect()
}

/// In the end, the last state is this one; and no state was told twice in a row.
#[track_caller]
pub(super) fn ends_bridged_with(app: &App, peer: impl Fn(&str) -> bool) {
    let done = wait::poll(wait::PATIENCE, || {
        told(app).last().is_some_and(|(state, _, with)| state == "bridged" && peer(with)).then_some(())
    });
    let told = told(app);
    assert!(done.is_some(), "{told:?}");
    assert!(told.windows(2).all(|two| two[0] != two[1]), "{told:?}");
}

/// A channel in this test's Stasis application, at the other end of a Local channel (`…;2`).
#[track_caller]
fn station(t: &Context) -> String {
    let event = t.ari().wait("StasisStart", |event| event["args"] == json!(["station"]));
    event["channel"]["id"].as_str().expect("an id").to_owned()
}

/// The calling leg of a Dial(): it rings, is answered, and the other side leaves.
fn dial(t: &Context) {
    let station_at = format!("Local/at{}@harness/n", t.ari().app);
    // The Dial() comes after the subscription.
    let (call, app) = call(t);
    subscribe(&app, &["CALL_STATE"]);
    expect_state(&app, "answered");
    for (name, value) in
        [("DIAL", &*station_at), ("DIAL_TIMEOUT", "30"), ("DIAL_OPTIONS", "g"), ("APP", &t.ari().app)]
    {
        t.ari().set_variable(&call.id, name, value);
    }
    let parameters = [("context", "harness"), ("extension", "dial"), ("priority", "1")];
    t.ari().post(&format!("channels/{}/continue", call.id), &parameters).ok();
    let station = station(t);
    t.ari().post(&format!("channels/{station}/ring"), &[]).ok();
    assert_eq!(expect_state(&app, "ringing").keys(), ["event", "channel_id", "state"]);
    t.ari().post(&format!("channels/{station}/ring"), &[]).ok();
    t.ari().post(&format!("channels/{station}/progress"), &[]).ok();
    expect_state(&app, "progress");
    goes_on(&app);
    t.ari().post(&format!("channels/{station}/answer"), &[]).ok();
    let bridged = expect_state(&app, "bridged");
    assert_eq!(bridged.keys(), ["event", "channel_id", "state", "bridge_id", "peer"]);
    let entered = t.ari().wait_channel("ChannelEnteredBridge", &call.id);
    assert_eq!(entered["bridge"]["id"], bridged.get("bridge_id"));
    assert!(bridged.get("peer").starts_with(&format!("Local/at{}", t.ari().app)), "{}", bridged.raw);
    t.ari().hangup(&station);
    expect_unbridged(&app, &bridged.get("bridge_id"));
    assert_eq!(call.dial_result().status, "ANSWER");
    goes_on(&app);
}

fn continues(t: &Context, call: &Call<'_>, extension: &str) {
    let parameters = [("context", "harness"), ("extension", extension), ("priority", "1")];
    t.ari().post(&format!("channels/{}/continue", call.id), &parameters).ok();
}

/// The indications of the dialplan; none is told twice in a row.
fn indications(t: &Context) {
    let (call, app) = call(t);
    subscribe(&app, &["CALL_STATE"]);
    expect_state(&app, "answered");
    continues(t, &call, "indications");
    for state in ["proceeding", "progress", "ringing", "busy"] {
        expect_state(&app, state);
    }
    assert_eq!(app.expect_close(), 1000);
}

fn congestion(t: &Context) {
    let (call, app) = call(t);
    subscribe(&app, &["CALL_STATE"]);
    expect_state(&app, "answered");
    continues(t, &call, "congested");
    expect_state(&app, "congestion");
    assert_eq!(app.expect_close(), 1000);
}

/// The application itself answers the call.
fn answered(t: &Context) {
    let (call, app) = t.incoming_app("c(ulaw)f(json)n");
    subscribe(&app, &["CALL_STATE"]);
    goes_on(&app);
    assert_ne!(call.state().as_deref(), Some("Up"));
    app.command("ANSWER");
    expect_state(&app, "answered");
    call.wait_up();
    app.command("ANSWER");
    goes_on(&app);
}

/// An ARI bridge without channels.
fn bridge(t: &Context) -> String {
    let bridge = t.ari().post("bridges", &[("type", "mixing")]).ok();
    bridge["id"].as_str().expect("an id").to_owned()
}

fn add(t: &Context, bridge: &str, channel: &str) {
    t.ari().post(&format!("bridges/{bridge}/addChannel"), &[("channel", channel)]).ok();
}

fn remove(t: &Context, bridge: &str, channel: &str) {
    t.ari().post(&format!("bridges/{bridge}/removeChannel"), &[("channel", channel)]).ok();
}

/// Alone in a bridge; joined; moved to another bridge; three in a bridge; a peer that leaves and comes back.
fn moved(t: &Context) {
    let (a, app) = call(t);
    let ((b, _app_b), (c, _app_c)) = (call(t), call(t));
    let (first, second) = (bridge(t), bridge(t));
    subscribe(&app, &["CALL_STATE"]);
    expect_state(&app, "answered");
    add(t, &first, &a.id);
    t.ari().wait_channel("ChannelEnteredBridge", &a.id);
    goes_on(&app);
    add(t, &first, &b.id);
    expect_bridged(&app, &first, Some(&b.name));
    add(t, &second, &c.id);
    t.ari().wait_channel("ChannelEnteredBridge", &c.id);
    add(t, &second, &a.id);
    expect_unbridged(&app, &first);
    expect_bridged(&app, &second, Some(&c.name));
    add(t, &second, &b.id);
    expect_bridged(&app, &second, None);
    remove(t, &second, &b.id);
    expect_bridged(&app, &second, Some(&c.name));
    // A peer that leaves is not reported, nor is its return.
    remove(t, &second, &c.id);
    t.ari().wait("ChannelLeftBridge", |event| {
        event["bridge"]["id"] == *second && event["channel"]["id"] == *c.id
    });
    goes_on(&app);
    add(t, &second, &b.id);
    expect_bridged(&app, &second, Some(&b.name));
    remove(t, &second, &a.id);
    expect_unbridged(&app, &second);
    goes_on(&app);
}

/// A peer holds and resumes, also twice.
fn hold(t: &Context) {
    let (a, app) = call(t);
    let (_peer, peer) = held_peer(t, &a);
    subscribe(&app, &["CALL_STATE"]);
    expect_state(&app, "answered");
    expect_state(&app, "bridged");
    for _ in 0..2 {
        t.ari().post(&format!("channels/{peer}/hold"), &[]).ok();
        t.ari().post(&format!("channels/{peer}/hold"), &[]).ok();
        assert_eq!(expect_state(&app, "hold").keys(), ["event", "channel_id", "state"]);
        t.ari().delete(&format!("channels/{peer}/hold"), &[]).ok();
        t.ari().delete(&format!("channels/{peer}/hold"), &[]).ok();
        expect_state(&app, "unhold");
    }
    goes_on(&app);
}

/// Bridges the call with a Local channel, whose other end is in Stasis and can hold.
#[track_caller]
fn held_peer<'t>(t: &'t Context, call: &Call<'_>) -> (Call<'t>, String) {
    // m: the other side is told of the hold.
    let at = format!("Local/at{}@harness/nm", t.ari().app);
    let peer = t.call(&at).formats("ulaw").originate();
    let id = station(t);
    t.ari().post(&format!("channels/{id}/answer"), &[]).ok();
    t.ari().bridge(&[&call.id, &peer.id]);
    (peer, id)
}

/// The current states are told once at each SUBSCRIBE.
fn present(t: &Context) {
    let (a, app) = call(t);
    let (_peer, peer) = held_peer(t, &a);
    t.ari().set_variable(&a.id, "CONNECTEDLINE(name,i)", "Ann");
    subscribe(&app, &["CALL_STATE"]);
    for state in ["answered", "bridged"] {
        expect_state(&app, state);
    }
    t.ari().post(&format!("channels/{peer}/hold"), &[]).ok();
    expect_state(&app, "hold");
    for _ in 0..2 {
        subscribe(&app, &["*"]);
        for state in ["answered", "bridged", "hold"] {
            expect_state(&app, state);
        }
        app.expect_event("CONNECTED_LINE");
        goes_on(&app);
    }
}

fn confbridge(t: &Context, call: &Call<'_>, room: &str) {
    t.ari().set_variable(&call.id, "ROOM", room);
    continues(t, call, "conference");
    call.wait_application("ConfBridge");
    t.ari().wait_channel("ChannelEnteredBridge", &call.id);
}

/// Channels join a conference one after the other.
fn conference(t: &Context) {
    let (a, app) = call(t);
    let ((b, _app_b), (c, _app_c)) = (call(t), call(t));
    let room = t.unique("room");
    subscribe(&app, &["CALL_STATE"]);
    expect_state(&app, "answered");
    confbridge(t, &a, &room);
    goes_on(&app);
    confbridge(t, &b, &room);
    let bridged = expect_state(&app, "bridged");
    assert_eq!(bridged.get("peer"), b.name);
    confbridge(t, &c, &room);
    expect_bridged(&app, &bridged.get("bridge_id"), None);
    c.hangup();
    expect_bridged(&app, &bridged.get("bridge_id"), Some(&b.name));
}

/// A channel that Asterisk puts into a bridge to play something does not count as a peer.
fn announcer(t: &Context) {
    let (a, app) = call(t);
    subscribe(&app, &["CALL_STATE"]);
    expect_state(&app, "answered");
    let bridge = bridge(t);
    add(t, &bridge, &a.id);
    t.ari().wait_channel("ChannelEnteredBridge", &a.id);
    t.ari().post(&format!("bridges/{bridge}/moh"), &[("mohClass", "default")]).ok();
    wait::until("the announcer is there", || {
        t.asterisk.cli(&format!("bridge show {bridge}")).contains("Channel: Announcer/")
    });
    goes_on(&app);
    let (b, _app_b) = call(t);
    add(t, &bridge, &b.id);
    expect_bridged(&app, &bridge, Some(&b.name));
}

/// The application that a Local channel leads to is told the caller's channel in the end.
fn local_optimised(t: &Context) {
    let server = t.server(&[]);
    let (call, app) = call(t);
    subscribe(&app, &["CALL_STATE"]);
    expect_state(&app, "answered");
    for (name, value) in [("DIAL", "Local/leg@harness"), ("DIAL_TIMEOUT", "30"), ("__CLIENT", &server.client)]
    {
        t.ari().set_variable(&call.id, name, value);
    }
    continues(t, &call, "dial");
    let far = server.accept();
    let name = far.expect_media_start().get("channel");
    subscribe(&far, &["CALL_STATE"]);
    // The first frames through the Local channel optimise it away.
    wait::until("no Local channel is left", || {
        // One frame at a time, so that they do not queue up.
        app.send_media(&[0x55; 160]);
        far.send_media(&[0x55; 160]);
        std::thread::sleep(Duration::from_millis(40));
        let channels = t.asterisk.cli("core show channels concise");
        !channels.lines().any(|line| line.starts_with("Local/leg@"))
    });
    ends_bridged_with(&app, |peer| peer == name);
    ends_bridged_with(&far, |peer| peer == call.name);
}

/// The caller calls a third party and connects the two.
fn attended_transfer(t: &Context) {
    let (_server, caller, app) = dialled(t, "tT");
    subscribe(&app, &["CALL_STATE"]);
    expect_state(&app, "answered");
    let with = expect_state(&app, "bridged").get("peer");
    assert_eq!(with, caller.name);
    let ami = t.ami("all");
    let headers = [("Channel", &*caller.name), ("Context", "harness"), ("Exten", "603")];
    assert_eq!(ami.action("Atxfer", &headers).get("Response"), "Success");
    wait::until("the target is there", || {
        let channels = t.asterisk.cli("core show channels concise");
        channels.lines().any(|line| line.starts_with("Local/603@") && line.contains("!Echo!"))
    });
    t.ari().wait("ChannelEnteredBridge", |event| {
        event["channel"]["name"]
            .as_str()
            .is_some_and(|name| name.starts_with("Local/603@") && name.ends_with(";1"))
    });
    caller.hangup();
    caller.ending();
    ends_bridged_with(&app, |peer| peer.starts_with("Local/603@"));
    goes_on_after_states(&app);
}

#[track_caller]
fn goes_on_after_states(app: &App) {
    app.command("GET_STATUS");
    let is_status = |item: &Item| matches!(item, Item::Event(event) if event.name == "STATUS").then_some(());
    assert!(app.wait_item(wait::PATIENCE, is_status).is_some());
}

/// A caller who has dialled an application, which has answered.
#[track_caller]
fn dialled<'t>(t: &'t Context, options: &str) -> (AppServer, Call<'t>, App) {
    let server = t.server(&[]);
    let dial = format!("WebSocket/{}/c(ulaw)f(json)", server.client);
    let caller = t
        .call("Local/park@harness/n")
        .formats("ulaw")
        .variable("CALLERID(name)", "Ann")
        .variable("CALLERID(num)", "100")
        .dials(&dial, "10", options)
        .originate();
    let app = server.accept();
    let start = app.expect_media_start();
    t.ari().wait_channel("ChannelEnteredBridge", &start.get("channel_id"));
    (server, caller, app)
}

/// An application that unsubscribes is told nothing more.
fn unsubscribed(t: &Context) {
    let (a, app) = call(t);
    let (b, _app_b) = call(t);
    subscribe(&app, &["CALL_STATE", "CONNECTED_LINE"]);
    expect_state(&app, "answered");
    let bridge = bridge(t);
    add(t, &bridge, &a.id);
    add(t, &bridge, &b.id);
    expect_bridged(&app, &bridge, Some(&b.name));
    command(&app, "SUBSCRIBE", json!({"events": []}));
    app.expect_event("SUBSCRIBED");
    goes_on(&app);
    remove(t, &bridge, &a.id);
    t.ari().wait_channel("ChannelLeftBridge", &a.id);
    t.ari().post(&format!("channels/{}/ring", a.id), &[]).ok();
    t.ari().set_variable(&a.id, "CONNECTEDLINE(num,i)", "7");
    goes_on(&app);
    subscribe(&app, &["CALL_STATE"]);
    expect_state(&app, "answered");
    goes_on(&app);
}

/// Another channel takes over the call's driver and private data (masquerade): states are still told.
fn masquerade(t: &Context) {
    let call = t.call("WebSocket/INCOMING/c(ulaw)f(json)").create();
    call.dial();
    let app = call.connect();
    app.expect_media_start();
    call.wait_up();
    let (b, _app_b) = super::call(t);
    let room = t.unique("room");
    subscribe(&app, &["CALL_STATE"]);
    expect_state(&app, "answered");
    t.ari().set_variable(&call.id, "ROOM", &room);
    let answer = t.asterisk.cli(&format!("channel redirect {} harness,conference,1", call.name));
    assert!(answer.contains("successfully redirected"), "{answer}");
    call.wait_application("ConfBridge");
    confbridge(t, &b, &room);
    assert_eq!(expect_state(&app, "bridged").get("peer"), b.name);
    b.hangup();
    goes_on(&app);
}

#[track_caller]
fn expect_line(app: &App, name: &str, number: &str) {
    let event = app.expect_event("CONNECTED_LINE");
    assert_eq!(event.keys(), ["event", "channel_id", "name", "number"]);
    assert_eq!((&*event.get("name"), &*event.get("number")), (name, number));
}

/// An application that was dialled is told who calls.
fn line_of_the_caller(t: &Context) {
    let (_server, _caller, app) = dialled(t, "");
    subscribe(&app, &["CONNECTED_LINE"]);
    expect_line(&app, "Ann", "100");
    goes_on(&app);
}

/// The line is unknown at first. An unchanged line is not told again.
fn line_changes(t: &Context) {
    let (call, app) = call(t);
    subscribe(&app, &["CONNECTED_LINE"]);
    goes_on(&app);
    let set =
        |what: &str, value: &str| t.ari().set_variable(&call.id, &format!("CONNECTEDLINE({what},i)"), value);
    set("num", "7");
    expect_line(&app, "", "7");
    set("num", "7");
    set("name", "Zo\u{eb} \"Z\"");
    expect_line(&app, "Zo\u{eb} \"Z\"", "7");
    goes_on(&app);
}

/// The party that a Dial() reaches identifies itself.
fn line_of_a_dial(t: &Context) {
    let (call, app) = call(t);
    subscribe(&app, &["CONNECTED_LINE"]);
    for (name, value) in [("DIAL", "Local/named@harness/n"), ("DIAL_TIMEOUT", "30")] {
        t.ari().set_variable(&call.id, name, value);
    }
    continues(t, &call, "dial");
    let is_bob = |item: &Item| match item {
        Item::Event(event) if event.name == "CONNECTED_LINE" => {
            (event.get("name") == "Bob" && event.get("number") == "200").then_some(())
        }
        _ => None,
    };
    assert!(app.wait_item(wait::PATIENCE, is_bob).is_some(), "{:?}", app.received());
    let lines: Vec<Value> = app
        .received()
        .into_iter()
        .filter_map(|received| match received.item {
            Item::Event(event) if event.name == "CONNECTED_LINE" => {
                Some(json!([event.get("name"), event.get("number")]))
            }
            _ => None,
        })
        .collect();
    assert!(lines.windows(2).all(|two| two[0] != two[1]), "{lines:?}");
}
