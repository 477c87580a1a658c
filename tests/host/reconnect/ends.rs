//! What ends a call that could have waited, and what ends a call that waits.

use std::io::Read as _;
use std::thread;
use std::time::{Duration, Instant};

use super::super::harness::call::Ending;
use super::super::harness::{App, Context, Suite, wait};
use super::{Line, Role, Server, WHY, WINDOW, expect_reconnected, hang_up, instance};

pub fn tests(suite: &mut Suite) {
    for role in Role::BOTH {
        for (way, act, expected) in ENDS {
            suite
                .ours(format!("reconnect/ends/{}/{way}", role.name()), WHY, move |t| {
                    ends(t, role, act, &expected);
                })
                .shares("reconnect", instance);
        }
        for (who, hang_up, ended_by) in HANGUPS {
            suite
                .ours(format!("reconnect/hangup/{}/{who}", role.name()), WHY, move |t| {
                    hangup(t, role, 503, hang_up, ended_by);
                })
                .shares("reconnect", instance);
        }
        suite
            .ours(format!("reconnect/reload/{}", role.name()), WHY, move |t| reload(t, role))
            .private_with(instance());
    }
    for (who, hang_up, ended_by) in HANGUPS {
        suite
            .ours(format!("reconnect/hangup/in_attempt/{who}"), WHY, move |t| {
                hangup(t, Role::Outgoing, 0, hang_up, ended_by);
            })
            .shares("reconnect", instance);
    }
    for status in [401, 403] {
        suite
            .ours(format!("reconnect/refused/{status}"), WHY, move |t| refused(t, status))
            .shares("reconnect", instance);
    }
    for status in [404, 429, 503] {
        suite
            .ours(format!("reconnect/too_late/{status}"), WHY, move |t| too_late(t, status))
            .shares("reconnect", instance);
    }
    suite.ours("reconnect/too_late/silence", WHY, |t| too_late(t, 0)).shares("reconnect", instance);
    suite.ours("reconnect/fallback", WHY, fallback).shares("reconnect", instance);
    suite.ours("reconnect/nobody_listens", WHY, nobody_listens).shares("reconnect", instance);
}

type Act = fn(&App);

const fn ending(cause: i64, tech_cause: i64) -> Ending {
    Ending { cause, tech_cause }
}

/// Ends that are not losses: the call ends as it does without `reconnect`.
const ENDS: [(&str, Act, Ending); 6] = [
    ("hangup_command", |app| app.command("HANGUP"), ending(16, 1000)),
    ("close_1000", |app| app.close(1000), ending(16, 1000)),
    ("close_without_code", |app| app.close(None), ending(16, 1005)),
    ("close_1002", |app| app.close(1002), ending(16, 1002)),
    ("close_4321", |app| app.close(4321), ending(16, 4321)),
    ("fault", |app| app.send_raw(&[0xff; 16]), ending(38, 1002)),
];

fn ends(t: &Context, role: Role, act: Act, expected: &Ending) {
    t.allow_log("protocol fault");
    let ami = t.ami("calls");
    let (line, app) = Line::up(t, role, false, "c(ulaw)");
    act(&app);
    assert_eq!(line.call.ending(), *expected);
    ami.event("WebSocketDisconnected", &line.call.id);
    assert_eq!(ami.own_events(&line.call.id), ["WebSocketConnected", "WebSocketDisconnected"]);
    if let Some(server) = &line.server {
        assert_eq!(server.app.requests(), 1);
    }
}

type HangUp = fn(&Line<'_>);

/// Ways to hang up a call that waits.
const HANGUPS: [(&str, HangUp, &str); 3] = [
    ("ari", |line| line.call.hangup(), "core"),
    (
        "console",
        |line| drop(line.t.asterisk.cli(&format!("channel request hangup {}", line.call.name))),
        "core",
    ),
    (
        "operator",
        |line| drop(line.t.asterisk.cli(&format!("websocket hangup {}", line.call.name))),
        "operator",
    ),
];

/// The call ends at once, during an attempt or between two, and no further connection is made.
fn hangup(t: &Context, role: Role, status: u16, hang_up: HangUp, ended_by: &str) {
    let ami = t.ami("calls");
    let (line, app) = Line::up(t, role, false, "c(ulaw)");
    if let Some(server) = &line.server {
        server.answer(status);
    }
    app.reset();
    line.wait_figure("state", "lost");
    if let Some(server) = &line.server {
        server.app.request(1);
    }
    let before = Instant::now();
    hang_up(&line);
    line.call.ending();
    assert!(before.elapsed() < Duration::from_secs(20), "{:?}", before.elapsed());
    let end = ami.event("WebSocketDisconnected", &line.call.id);
    assert_eq!(
        (end.get("EndedBy"), end.get("CloseCode")),
        (ended_by, if ended_by == "core" { "" } else { "1000" })
    );
    assert_eq!(
        ami.own_events(&line.call.id),
        ["WebSocketConnected", "WebSocketLost", "WebSocketDisconnected"]
    );
    if let Some(server) = &line.server {
        if status == 0 {
            let mut stream = server.app.silent(0);
            assert_eq!(stream.read(&mut [0; 100]).expect("no reset"), 0, "the attempt is given up in order");
        }
        let requests = server.app.requests();
        thread::sleep(Duration::from_millis(600));
        assert_eq!(server.app.requests(), requests);
    } else {
        t.allow_log("WebSocket instance not found");
    }
}

/// An answer with which the server refuses the call ends it.
fn refused(t: &Context, status: u16) {
    t.allow_log("the lost WebSocket connection does not come back");
    let (line, app) = Line::up(t, Role::Outgoing, false, "c(ulaw)");
    let server = line.server.as_ref().expect("outgoing");
    server.answer(status);
    app.reset();
    assert_eq!(line.call.ending(), ending(38, 1006));
    t.wait_log(&["WARNING", &line.call.name, &format!("({status})")]);
    assert_eq!(server.app.requests(), 2);
}

/// The first attempt is made at once, each further one after `reconnect_interval` to twice that, until the time has
/// expired.
fn too_late(t: &Context, status: u16) {
    t.allow_log("no other WebSocket connection has come in time (reconnect)");
    let (line, app) = Line::with(t, Some(Server::new(t, false, "2000")), false, "c(ulaw)");
    let server = line.server.as_ref().expect("outgoing");
    server.answer(status);
    let before = Instant::now();
    app.close(1012);
    assert_eq!(app.expect_close(), 1012);
    assert_eq!(line.call.ending(), ending(38, 1012));
    let lasted = before.elapsed();
    assert!(lasted >= Duration::from_secs(2), "{lasted:?}");
    // A server that accepts the connection and does not answer does not extend the time: alone that would take 10 s.
    assert!(lasted < Duration::from_secs(9), "{lasted:?}");
    let times: Vec<Instant> =
        (1..server.app.requests()).map(|number| server.app.request(number).at).collect();
    for pair in times.windows(2) {
        assert!(pair[1] - pair[0] >= Duration::from_millis(190), "{:?}", pair[1] - pair[0]);
    }
    // There are at most 10 pauses in 2 s.
    assert!((1..=11).contains(&times.len()), "{}", times.len());
    if status == 0 {
        assert_eq!(times.len(), 1);
    }
}

/// Each round tries the client, then its fallback, with the same request as at first.
fn fallback(t: &Context) {
    let (server, other) = (Server::new(t, false, WINDOW), t.server(&[]));
    let more = [("header", "X-Call: ${UNIQUEID}"), ("fallback", &*other.client)];
    t.asterisk.add_connection(&server.app.client, &more);
    let (line, app) = Line::with(t, Some(server), false, "c(ulaw)f(json)");
    line.lose(app);
    let app = other.accept();
    expect_reconnected(&app);
    assert_eq!(line.figure("client"), other.client);
    let server = line.server.as_ref().expect("outgoing");
    for number in [0, 1] {
        assert_eq!(server.app.request(number).header("X-Call"), Some(&*line.call.id));
    }
    hang_up(&line, &app);
}

/// The server's process is gone, and starts again on the same port.
fn nobody_listens(t: &Context) {
    let (mut line, app) = Line::up(t, Role::Outgoing, false, "c(ulaw)f(json)");
    let server = line.server.take().expect("outgoing");
    let address = server.app.address;
    drop(server);
    app.reset();
    line.wait_figure("state", "lost");
    wait::until("attempts fail", || {
        line.figure("state") == "lost" && std::net::TcpStream::connect(address).is_err()
    });
    let listener = std::net::TcpListener::bind(address).expect("the port");
    let stream = listener.accept().expect("Asterisk").0;
    let stream = super::super::harness::stream::Stream::accepted(stream).expect("a stream");
    let app = t.accept(super::super::harness::http::Request::read(stream).expect("a request"));
    expect_reconnected(&app);
    hang_up(&line, &app);
}

/// A reload changes only the server's address for a call that waits; the module cannot be unloaded meanwhile.
fn reload(t: &Context, role: Role) {
    t.allow_log("Soft unload failed");
    let (line, app) = Line::up(t, role, false, "c(ulaw)f(json)");
    line.lose(app);
    t.asterisk.reload("chan_websocket.so");
    let answer = t.asterisk.cli("module unload chan_websocket.so");
    assert!(answer.contains("Unable to unload"), "{answer}");
    assert_eq!(line.figure("state"), "lost");
    let app = line.connect();
    expect_reconnected(&app);
    line.lose(app);
    line.call.hangup();
    line.call.ending();
    t.asterisk.wait_no_channels();
    drop(line);
    t.asterisk.unload_driver();
}
