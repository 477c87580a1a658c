//! What does not change with another connection.

use std::time::Duration;

use super::super::harness::{Context, Item, Suite};
use super::super::media::noise;
use super::super::protocol::rtp::Phone;
use super::{Line, Role, WHY, WINDOW, expect_reconnected, hang_up, instance};

pub fn tests(suite: &mut Suite) {
    for role in Role::BOTH {
        let name = |what: &str| format!("reconnect/stays/{}/{what}", role.name());
        suite.ours(name("buffering"), WHY, move |t| buffering(t, role)).shares("reconnect", instance);
        suite.ours(name("pause"), WHY, move |t| pause(t, role)).shares("reconnect", instance);
        suite.ours(name("direction"), WHY, move |t| direction(t, role)).shares("reconnect", instance);
        suite.ours(name("call_states"), WHY, move |t| call_states(t, role)).shares("reconnect", instance);
    }
    suite.ours("reconnect/stays/digits", WHY, digits).shares("reconnect", instance);
    suite.ours("reconnect/stays/answer", WHY, answer).shares("reconnect", instance);
    suite.ours("reconnect/stays/flow_control", WHY, flow_control).shares("reconnect", instance);
}

/// An incomplete message does not continue on the new connection; a remainder of buffered media that does not fill a
/// frame does.
fn buffering(t: &Context, role: Role) {
    let phone = Phone::new(t);
    let (line, app) = Line::up(t, role, false, "c(ulaw)f(json)");
    t.ari().bridge(&[&phone.call.id, &line.call.id]);
    let media = noise(160 * 20);
    let (before, after) = media.split_at(160 * 10 + 70);
    app.command("START_MEDIA_BUFFERING");
    app.send_media(before);
    phone.collect_media(&media[..160 * 10]);
    line.lose(app);
    let app = line.connect();
    expect_reconnected(&app);
    app.command("GET_STATUS");
    assert_eq!(app.expect_event("STATUS").get("bulk_media"), "true");
    app.send_media(after);
    app.command("STOP_MEDIA_BUFFERING all");
    phone.collect_media(&media[160 * 10..]);
    assert_eq!(app.expect_event("MEDIA_BUFFERING_COMPLETED").get("correlation_id"), "all");
    hang_up(&line, &app);
}

fn pause(t: &Context, role: Role) {
    let phone = Phone::new(t);
    let (line, app) = Line::up(t, role, false, "c(ulaw)f(json)");
    t.ari().bridge(&[&phone.call.id, &line.call.id]);
    let media = noise(160 * 10);
    app.command("PAUSE_MEDIA");
    app.send_media(&media);
    app.command("MARK_MEDIA m");
    app.command("GET_STATUS");
    assert_eq!(app.expect_event("STATUS").get("queue_length"), "10");
    line.lose(app);
    let app = line.connect();
    expect_reconnected(&app);
    app.command("GET_STATUS");
    let status = app.expect_event("STATUS");
    assert_eq!((status.get("media_paused"), status.get("queue_length")), ("true".into(), "10".into()));
    app.command("CONTINUE_MEDIA");
    phone.collect_media(&media);
    assert_eq!(app.expect_event("MEDIA_MARK_PROCESSED").get("correlation_id"), "m");
    hang_up(&line, &app);
}

fn direction(t: &Context, role: Role) {
    let (line, app) = Line::up(t, role, false, "c(ulaw)f(json)");
    app.command("SET_MEDIA_DIRECTION in");
    line.wait_figure("direction", "in");
    let shown = t.asterisk.cli(&format!("websocket show channel {}", line.call.name));
    let option = if role == Role::Incoming { "incoming_reconnect" } else { "reconnect" };
    let is_there = |line: &str| line.split_whitespace().eq([option, WINDOW, "ms"]);
    assert!(shown.lines().any(is_there), "{shown}");
    line.lose(app);
    let app = line.connect();
    expect_reconnected(&app);
    app.command("MARK_MEDIA m");
    assert_eq!(app.expect_error(), "MARK_MEDIA not supported while media direction is 'in'");
    hang_up(&line, &app);
}

/// An application is also told the states from the time without a connection, in order.
fn call_states(t: &Context, role: Role) {
    let phone = Phone::new(t);
    let (line, app) = Line::up(t, role, false, "c(ulaw)f(json)");
    app.send_text(r#"{"command":"SUBSCRIBE","events":["CALL_STATE","DTMF_BEGIN"],"correlation_id":"s"}"#);
    app.expect_event("SUBSCRIBED");
    assert_eq!(app.expect_event("CALL_STATE").get("state"), "answered");
    line.lose(app);
    let events = || line.figure("events").parse::<u64>().expect("a number");
    let before = events();
    t.ari().bridge(&[&phone.call.id, &line.call.id]);
    super::wait::until("it is bridged", || events() == before + 1);
    let path = format!("channels/{}/dtmf", line.call.id);
    t.ari().post(&path, &[("dtmf", "5"), ("duration", "40"), ("between", "0")]).ok();
    super::wait::until("the digit is over", || events() == before + 3);
    let app = line.connect();
    expect_reconnected(&app);
    let bridged = app.expect_event("CALL_STATE");
    assert_eq!((bridged.get("state"), bridged.get("peer")), ("bridged".into(), phone.call.name.clone()));
    assert_eq!(app.expect_event("DTMF_BEGIN").get("digit"), "5");
    assert_eq!(app.expect_event("DTMF_END").get("digit"), "5");
    // It is told later events, too.
    t.ari().post(&path, &[("dtmf", "6"), ("duration", "40"), ("between", "0")]).ok();
    assert_eq!(app.expect_event("DTMF_BEGIN").get("digit"), "6");
    assert_eq!(app.expect_event("DTMF_END").get("digit"), "6");
    hang_up(&line, &app);
}

fn digits(t: &Context) {
    let (line, app) = Line::up(t, Role::Incoming, false, "c(ulaw)f(json)");
    line.lose(app);
    let path = format!("channels/{}/dtmf", line.call.id);
    t.ari().post(&path, &[("dtmf", "12#"), ("duration", "40"), ("between", "20")]).ok();
    line.wait_figure("events", "4");
    let app = line.connect();
    expect_reconnected(&app);
    for digit in ["1", "2", "#"] {
        assert_eq!(app.expect_event("DTMF_END").get("digit"), digit);
    }
    hang_up(&line, &app);
}

/// With `n` the application answers. If it does so on its second connection, the channel is answered, once.
fn answer(t: &Context) {
    super::allow_loss(t);
    let call = t.incoming("c(ulaw)n");
    let app = call.connect();
    app.expect_media_start();
    app.reset();
    let state = || call.variable("CHANNEL(websocket,state)").unwrap_or_default();
    super::wait::until("the module knows", || state() == "lost");
    let app = call.connect();
    expect_reconnected(&app);
    assert_ne!(call.state().as_deref(), Some("Up"));
    app.command("ANSWER");
    call.wait_up();
    let up =
        |event: &serde_json::Value| event["channel"]["id"] == *call.id && event["channel"]["state"] == "Up";
    app.reset();
    super::wait::until("the module knows", || state() == "lost");
    let app = call.connect();
    expect_reconnected(&app);
    app.expect_quiet(Duration::from_millis(100));
    let changes = t.ari().events();
    let changes = changes.iter().filter(|event| event["type"] == "ChannelStateChange" && up(event));
    assert_eq!(changes.count(), 1);
}

/// MEDIA_XOFF came before the loss, and there is room again during it: MEDIA_XON waits.
fn flow_control(t: &Context) {
    let phone = Phone::new(t);
    let (line, app) = Line::up(t, Role::Incoming, false, "c(ulaw)f(json)");
    t.ari().bridge(&[&phone.call.id, &line.call.id]);
    app.command("START_MEDIA_BUFFERING");
    let media = noise(160 * 905);
    app.send_media(&media);
    app.expect_event("MEDIA_XOFF");
    line.lose(app);
    line.wait_figure("queue_full", "no");
    let app = line.connect();
    expect_reconnected(&app);
    app.expect_event("MEDIA_XON");
    let events = app.received().into_iter().filter(|received| matches!(received.item, Item::Event(_)));
    assert_eq!(events.count(), 2, "MEDIA_XON comes once");
    hang_up(&line, &app);
}
