//! INCOMING: which application gets the call back, and when none does any more.

use std::thread;
use std::time::{Duration, Instant};

use super::super::harness::{Context, Suite, wait};
use super::{Line, Role, WHY, expect_reconnected, hang_up, instance, waiting};

pub fn tests(suite: &mut Suite) {
    suite.ours("reconnect/claims/one_of_many", WHY, one_of_many).shares("reconnect", instance);
    suite.ours("reconnect/claims/cut_short", WHY, cut_short).shares("reconnect", instance);
    suite
        .ours("reconnect/claims/gone_in_handshake", WHY, gone_in_handshake)
        .private_from(|| instance().fault("taken=500@2"));
    suite
        .ours(
            "reconnect/claims/gone_in_first_handshake",
            "no fault can be put into the C module",
            gone_in_first_handshake,
        )
        .private_from(|| instance().fault("taken=500"));
    suite.ours("reconnect/claims/too_late", WHY, too_late).private_with(waiting("1000"));
    suite.ours("reconnect/claims/second_loss", WHY, second_loss).private_with(waiting("1500"));
}

/// During a connection other applications get 409. After a loss, exactly one of several simultaneous requests gets 101.
fn one_of_many(t: &Context) {
    t.allow_log("Websocket already connected");
    let (line, app) = Line::up(t, Role::Incoming, false, "c(ulaw)f(json)");
    let id = line.call.connection_id();
    assert_eq!(t.send(&t.upgrade(&id)).status, 409);
    line.lose(app);
    let responses: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| t.send(&t.upgrade(&id)))).collect();
        threads.into_iter().map(|thread| thread.join().expect("an answer")).collect()
    });
    let mut statuses: Vec<u16> = responses.iter().map(|response| response.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [[101].as_slice(), &[409; 7]].concat());
    let app = t.app(responses.into_iter().find(|response| response.status == 101).expect("one"));
    expect_reconnected(&app);
    hang_up(&line, &app);
}

/// A request that is not an upgrade does not use up the id, nor does one whose sender disconnects at once.
fn cut_short(t: &Context) {
    t.allow_log("ended during the handshake");
    let (line, app) = Line::up(t, Role::Incoming, false, "c(ulaw)f(json)");
    line.lose(app);
    let id = line.call.connection_id();
    for _ in 0..3 {
        wait_claimable(&line);
        t.connect(&id).reset();
    }
    wait_claimable(&line);
    assert_eq!(line.figure("state"), "lost");
    let app = line.connect();
    expect_reconnected(&app);
    hang_up(&line, &app);
}

/// Waits until the id can be used. A request that is not an upgrade gets 409 until then, and 400 afterwards. Whether the
/// module finds a reset in the handshake or later, the id is free again.
#[track_caller]
fn wait_claimable(line: &Line) {
    line.t.allow_log("refused the application's upgrade");
    line.t.allow_log("Websocket already connected");
    let id = line.call.connection_id();
    let status = || line.t.send(&line.t.upgrade(&id).without("Sec-WebSocket-Key")).status;
    wait::until("the id can be used", || match status() {
        400 => true,
        409 => false,
        status => panic!("HTTP status {status}"),
    });
}

/// The application is gone before the module has taken the connection from Asterisk's HTTP server: that counts neither
/// as a connection nor against the id.
fn gone_in_handshake(t: &Context) {
    t.allow_log("ended during the handshake");
    let (line, app) = Line::up(t, Role::Incoming, false, "c(ulaw)f(json)");
    line.lose(app);
    t.connect(&line.call.connection_id()).reset();
    wait_claimable(&line);
    t.wait_log(&["WARNING", &line.call.name, "ended during the handshake: Connection reset by peer"]);
    assert_eq!((&*line.figure("state"), &*line.figure("reconnects")), ("lost", "0"));
    let app = line.connect();
    expect_reconnected(&app);
    assert_eq!(line.figure("reconnects"), "1");
    hang_up(&line, &app);
}

/// The same before there was any connection: the call ends as if it had been lost.
fn gone_in_first_handshake(t: &Context) {
    t.allow_log("ended during the handshake");
    let call = t.incoming("c(ulaw)");
    t.connect(&call.connection_id()).reset();
    let ending = call.ending();
    assert_eq!((ending.cause, ending.tech_cause), (38, 1006));
    t.wait_log(&["WARNING", &call.name, "ended during the handshake: Connection reset by peer"]);
}

/// The time has expired: cause 38, as without `incoming_reconnect`, and the id is unknown from then on.
fn too_late(t: &Context) {
    t.allow_log("no other WebSocket connection has come in time (incoming_reconnect)");
    t.allow_log("WebSocket instance not found");
    let ami = t.ami("calls");
    let (line, app) = Line::up(t, Role::Incoming, false, "c(ulaw)f(json)");
    let id = line.call.connection_id();
    let before = Instant::now();
    line.lose(app);
    let known = Instant::now();
    let ending = line.call.ending();
    assert!(before.elapsed() >= Duration::from_secs(1));
    assert!(known.elapsed() < Duration::from_secs(20), "{:?}", known.elapsed());
    assert_eq!((ending.cause, ending.tech_cause), (38, 1006));
    assert_eq!(t.send(&t.upgrade(&id)).status, 404);
    let end = ami.event("WebSocketDisconnected", &line.call.id);
    assert_eq!((end.get("EndedBy"), end.get("Cause"), end.get("CloseCode")), ("lost", "38", "1006"));
    assert!(end.number("LostMs") >= 1000.0, "{end:?}");
    assert_eq!(
        ami.own_events(&line.call.id),
        ["WebSocketConnected", "WebSocketLost", "WebSocketDisconnected"]
    );
    assert!(t.asterisk.cli("websocket show stats").contains("calls_ended"));
}

/// Each loss has the whole time: the time of the first one does not end the second wait.
fn second_loss(t: &Context) {
    t.allow_log("no other WebSocket connection has come in time (incoming_reconnect)");
    let (line, app) = Line::up(t, Role::Incoming, false, "c(ulaw)f(json)");
    line.lose(app);
    let first = Instant::now();
    thread::sleep(Duration::from_millis(700));
    let app = line.connect();
    expect_reconnected(&app);
    let second = Instant::now();
    line.lose(app);
    line.call.ending();
    assert!(
        second.elapsed() >= Duration::from_millis(1500) && first.elapsed() >= Duration::from_millis(2200)
    );
    wait::until("no timer is left", || t.asterisk.cli("websocket show stats").contains("jobs_waiting"));
}
