//! Several losses, and what ends a call or Asterisk while there is no connection.

use std::net::Shutdown;

use super::super::harness::{App, Context, Item, Suite, wait};
use super::super::media::noise;
use super::super::protocol::rtp::Phone;
use super::goes_on::{Came, Number, came, event, speak};
use super::{Line, Role, Server, WHY, WINDOW, allow_loss, expect_reconnected, hang_up, instance};

pub fn tests(suite: &mut Suite) {
    for role in Role::BOTH {
        let name = |what: &str| format!("reconnect/losses/{}/{what}", role.name());
        suite.ours(name("again"), WHY, move |t| again(t, role)).shares("reconnect", instance);
        suite.ours(name("replayed"), WHY, move |t| replayed(t, role)).shares("reconnect", instance);
        suite.ours(name("caller_hangs_up"), WHY, move |t| caller_hangs_up(t, role)).private_with(instance());
        suite.ours(name("stop"), WHY, move |t| stop(t, role)).private_with(instance());
    }
    suite.ours("reconnect/losses/in_handshake", WHY, in_handshake).shares("reconnect", instance);
}

/// The new connection is lost, three times in a row. The queue is played without interruption.
fn again(t: &Context, role: Role) {
    let phone = Phone::new(t);
    let (line, mut app) = Line::up(t, role, false, "c(ulaw)f(json)");
    t.ari().bridge(&[&phone.call.id, &line.call.id]);
    speak(&phone, 1..=5);
    assert_eq!(app.collect_media(5 * 160).len(), 5 * 160, "the bridge is there");
    let sentence = noise(160 * 250);
    app.command("START_MEDIA_BUFFERING");
    app.send_media(&sentence);
    app.command("MARK_MEDIA end");
    phone.collect_media(&sentence[..160 * 5]);
    for round in 1..=3 {
        line.lose(app);
        speak(&phone, round * 10..=round * 10 + 4);
        app = line.connect();
        expect_reconnected(&app);
        assert_eq!(line.figure("reconnects"), round.to_string());
    }
    phone.collect_media(&sentence[160 * 5..]);
    assert_eq!(app.expect_event("MEDIA_MARK_PROCESSED").get("correlation_id"), "end");
    speak(&phone, 40..=42);
    let mut expected: Vec<Came> = (30..=34).map(Came::Media).collect();
    expected.push(event("MEDIA_MARK_PROCESSED end"));
    expected.extend((40..=42).map(Came::Media));
    assert_eq!(came(&app, 42), expected);
    hang_up(&line, &app);
}

/// The numbers of the caller's frames that an application got.
fn numbers(app: &App) -> Vec<Number> {
    let number = |item| match item {
        Item::Media(bytes) => Some(bytes[0]),
        _ => None,
    };
    app.received().into_iter().filter_map(|received| number(received.item)).collect()
}

/// The connection is lost while it gets the waiting frames: none of them comes twice, and none out of order.
fn replayed(t: &Context, role: Role) {
    let phone = Phone::new(t);
    let (line, first) = Line::up(t, role, false, "c(ulaw)f(json)");
    t.ari().bridge(&[&phone.call.id, &line.call.id]);
    speak(&phone, 1..=5);
    assert_eq!(first.collect_media(5 * 160).len(), 5 * 160, "the bridge is there");
    line.lose(first);
    let before: u64 = line.figure("frames_out").parse().expect("a number");
    speak(&phone, 11..=105);
    line.wait_figure("frames_out", &(before + 95).to_string());
    let second = line.connect();
    // It may have read any part of them by then.
    second.stop_reading();
    let got = numbers(&second);
    line.lose(second);
    speak(&phone, 106..=110);
    let third = line.connect();
    expect_reconnected(&third);
    came(&third, 110);
    let all = [got, numbers(&third)].concat();
    assert!(all.is_sorted_by(|one, next| one < next), "{all:?}");
    assert!(all.ends_with(&[106, 107, 108, 109, 110]), "{all:?}");
    hang_up(&line, &third);
}

/// The server accepts the next connection and ends it without an answer.
fn in_handshake(t: &Context) {
    let (line, app) = Line::up(t, Role::Outgoing, false, "c(ulaw)f(json)");
    let server = line.server.as_ref().expect("outgoing");
    server.answer(0);
    app.reset();
    for number in 0..3 {
        server.app.silent(number).shutdown(Shutdown::Both);
    }
    assert_eq!(line.figure("reconnects"), "0");
    // One more attempt may be in progress.
    server.answer(101);
    let others = server.app.requests();
    if others > 4 {
        server.app.silent(3).shutdown(Shutdown::Both);
    }
    let app = server.app.accept();
    expect_reconnected(&app);
    hang_up(&line, &app);
}

/// A party who has dialled the call hangs up while there is no connection: the call ends at once, and no further
/// connection is made.
fn caller_hangs_up(t: &Context, role: Role) {
    allow_loss(t);
    t.allow_log("WebSocket instance not found");
    let ami = t.ami("calls");
    let server = (role == Role::Outgoing).then(|| Server::new(t, false, WINDOW));
    let target = server.as_ref().map_or("INCOMING", |server| &server.app.client);
    let dial = format!("WebSocket/{target}/c(ulaw)f(json)");
    let caller = t.call("Local/park@harness").formats("ulaw").dials(&dial, "30", "").originate();
    let created = t.ari().wait("ChannelCreated", |event| {
        event["channel"]["name"].as_str().is_some_and(|name| name.starts_with("WebSocket/"))
    });
    let id = created["channel"]["id"].as_str().expect("an id").to_owned();
    let read = |name: &str| t.ari().variable(&id, name).unwrap_or_default();
    let connection_id = read("MEDIA_WEBSOCKET_CONNECTION_ID");
    let app = server.as_ref().map_or_else(|| t.connect(&connection_id), |server| server.app.accept());
    app.expect_media_start();
    t.ari().wait_channel("ChannelEnteredBridge", &id);
    if let Some(server) = &server {
        server.answer(503);
    }
    app.reset();
    wait::until("the module knows", || read("CHANNEL(websocket,state)") == "lost");
    caller.hangup();
    t.ari().wait_channel("ChannelDestroyed", &id);
    let end = ami.event("WebSocketDisconnected", &id);
    assert_eq!((end.get("EndedBy"), end.get("Reconnects")), ("core", "0"));
    assert_eq!(ami.own_events(&id), ["WebSocketConnected", "WebSocketLost", "WebSocketDisconnected"]);
    if role == Role::Incoming {
        assert_eq!(t.send(&t.upgrade(&connection_id)).status, 404);
    }
    t.asterisk.wait_no_channels();
    t.asterisk.unload_driver();
}

/// Asterisk is stopped while one call waits for its connection, and another has just got one.
fn stop(t: &Context, role: Role) {
    let (waiting, app) = Line::up(t, role, false, "c(ulaw)f(json)");
    waiting.lose(app);
    let (back, app) = Line::up(t, role, false, "c(ulaw)f(json)");
    back.lose(app);
    let app = back.connect();
    expect_reconnected(&app);
    t.asterisk.stop().expect("a clean end");
    let _ = app.rest();
}
