//! Calls that end in states and ways that the other tests of endings do not cover.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketType, sockopt};

use super::super::harness::call::{Call, Ending};
use super::super::harness::stream::Stream;
use super::super::harness::wire::opcode;
use super::super::harness::{App, Context, Format, Frame, InstanceConfig, Suite, wait};
use super::super::media::noise;
use super::{QUIET, ulaw};

pub fn tests(suite: &mut Suite) {
    for code in CLOSE_CODES {
        suite.differs(format!("ends/close/{code}"), "19", move |t| close(t, code));
    }
    suite.differs("ends/close/with_reason", "19", close_with_reason);
    suite.differs("ends/close/outgoing", "19", close_outgoing);
    suite.ours("ends/close/nothing_behind_it", "the C module closes with 1001 (19)", nothing_behind_it);
    for format in Format::ALL {
        for (state, options, commands) in STATES {
            suite.same(format!("ends/{}/hangup/{state}", format.name()), move |t| {
                hangup_in(t, &format!("{}{options}", ulaw(format)), commands);
            });
            suite.same(format!("ends/{}/core/{state}", format.name()), move |t| {
                core_in(t, &format!("{}{options}", ulaw(format)), commands);
            });
        }
        suite.same(format!("ends/{}/commands_behind_hangup", format.name()), move |t| {
            behind_hangup(t, format);
        });
    }
    suite.same("ends/hangup_before_answer", hangup_before_answer);
    suite.same("ends/dial_before_answer", dial_before_answer);
    suite.ours("ends/fault/outgoing_masked", "the C module takes it (9)", outgoing_masked);
    suite.ours("ends/fault/outgoing_garbage", "the C module is confused (9)", outgoing_garbage);
    suite
        .ours("ends/reads_nothing", "the C module waits in the channel's thread (1)", reads_nothing)
        .private_with(InstanceConfig::new().file("chan_websocket.conf", "[global]\nwrite_timeout = 1000\n"));
    suite
        .ours("ends/nobody_connects", "the C module has no such setting", nobody_connects)
        .private_with(InstanceConfig::new().file("chan_websocket.conf", "[global]\nincoming_timeout = 1\n"));
}

/// Codes that an app may send (RFC 6455 section 7.4 and what has been registered since).
const CLOSE_CODES: [u16; 11] = [1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 3000, 4999];

/// The app's own code is returned, and is the tech cause. (The C module returns 1001, and no cause reaches Stasis.)
#[track_caller]
fn assert_closed(t: &Context, call: &Call<'_>, app: &App, code: u16) {
    assert_eq!(app.expect_close(), t.either(1001, code));
    app.expect_end();
    let ending = call.ending();
    if t.is_ours() {
        assert_eq!(ending, Ending { cause: 16, tech_cause: code.into() });
    }
}

fn close(t: &Context, code: u16) {
    let (call, app) = t.incoming_app("c(ulaw)");
    call.wait_up();
    app.close(code);
    assert_closed(t, &call, &app, code);
}

fn close_with_reason(t: &Context) {
    let (call, app) = t.incoming_app("c(ulaw)");
    call.wait_up();
    app.send_frames(&[Frame::close(Some(4001), &"that was it \u{1f600}".repeat(7))]);
    assert_closed(t, &call, &app, 4001);
}

fn close_outgoing(t: &Context) {
    let server = t.server(&[]);
    let call = t.call(&format!("WebSocket/{}/c(ulaw)", server.client)).originate();
    let app = server.accept();
    app.expect_media_start();
    call.wait_up();
    app.close(4002);
    assert_closed(t, &call, &app, 4002);
}

/// After the answer to the close frame the connection ends, although there was media to send.
fn nothing_behind_it(t: &Context) {
    let call = t.incoming("c(ulaw)");
    let mut response = t.send(&t.upgrade(&call.connection_id()));
    assert_eq!(response.status, 101);
    call.wait_up();
    let (_other, talker) = t.bridged_to(&call, "c(ulaw)");
    talker.send_media(&noise(160 * 100));
    let mut media = 0;
    while media < 5 {
        media += usize::from(Frame::read(&mut response.stream).unwrap().opcode == opcode::BINARY);
    }
    response.stream.write_all(&Frame::close(Some(1000), "").encode()).unwrap();
    while Frame::read(&mut response.stream).unwrap().opcode != opcode::CLOSE {}
    let mut rest = Vec::new();
    response.stream.read_to_end(&mut rest).unwrap();
    assert!(rest.is_empty(), "{} bytes behind the close frame", rest.len());
}

/// States: options, and commands that lead to the state, with three seconds of media in between.
const STATES: [(&str, &str, &[&str]); 5] = [
    ("playing", "", &["media"]),
    ("paused", "", &["PAUSE_MEDIA", "media", "MARK_MEDIA a"]),
    ("bulk", "", &["START_MEDIA_BUFFERING", "media", "MARK_MEDIA a"]),
    ("passthrough", "p", &["media"]),
    ("direction_in", "d(in)", &[]),
];

fn call_in<'t>(t: &'t Context, options: &str, commands: &[&str]) -> (Call<'t>, App) {
    let (call, app) = t.incoming_app(options);
    call.wait_up();
    for command in commands {
        match *command {
            "media" => app.send_media(&noise(160 * 150)),
            command => app.command(command),
        }
    }
    app.command("GET_STATUS");
    // The queue length depends on timing.
    let status = app.expect_event("STATUS");
    let length = status.get("queue_length");
    t.name(&format!("queue_length:{length} "), "length");
    t.name(&format!("\"queue_length\":{length},"), "length");
    (call, app)
}

fn hangup_in(t: &Context, options: &str, commands: &[&str]) {
    let (call, app) = call_in(t, options, commands);
    app.command("HANGUP");
    assert_eq!(app.expect_close(), 1000);
    app.expect_end();
    call.ending();
}

fn core_in(t: &Context, options: &str, commands: &[&str]) {
    let (call, app) = call_in(t, options, commands);
    call.hangup();
    assert_eq!(app.expect_close(), 1000);
    app.expect_end();
    t.note(format!("{:?}", call.ending()));
}

/// Commands after HANGUP come too late.
fn behind_hangup(t: &Context, format: Format) {
    let (call, app) = t.incoming_app(&ulaw(format));
    call.wait_up();
    app.command("HANGUP");
    assert_eq!(app.expect_close(), 1000);
    let _ = app.try_send_raw(&Frame::text(&format.command("GET_STATUS")).encode());
    app.expect_end();
    call.ending();
}

fn hangup_before_answer(t: &Context) {
    let call = t.incoming("c(ulaw)n");
    let app = call.connect();
    app.expect_media_start();
    app.command("HANGUP");
    assert_eq!(app.expect_close(), 1000);
    call.ending();
}

/// An app that declines a call that has been dialled.
fn dial_before_answer(t: &Context) {
    let server = t.server(&[]);
    let dial = format!("WebSocket/{}/c(ulaw)n", server.client);
    let caller = t.call("Local/park@harness").formats("ulaw").dials(&dial, "10", "g").originate();
    let app = server.accept();
    app.expect_media_start();
    app.command("HANGUP");
    assert_eq!(app.expect_close(), 1000);
    t.note(format!("{:?}", caller.dial_result()));
}

/// A connected app that Asterisk called; the test sends the bytes.
fn outgoing(t: &Context) -> (Call<'_>, App) {
    let server = t.server(&[]);
    let call = t.call(&format!("WebSocket/{}/c(ulaw)", server.client)).originate();
    let app = server.accept();
    app.expect_media_start();
    call.wait_up();
    t.allow_log(&call.name);
    (call, app)
}

/// A server must not mask.
fn outgoing_masked(t: &Context) {
    let (call, app) = outgoing(t);
    app.send_raw(&Frame::text("GET_STATUS").encode());
    assert_eq!(app.expect_close(), 1002);
    assert_eq!(call.ending(), Ending { cause: 38, tech_cause: 1002 });
}

fn outgoing_garbage(t: &Context) {
    let (call, app) = outgoing(t);
    app.send_raw(
        b"HTTP/1.1 500 Oops\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: 1000\r\n\r\n<html><body>Oops</body></html>",
    );
    assert_eq!(app.expect_close(), 1002);
    assert_eq!(call.ending(), Ending { cause: 38, tech_cause: 1002 });
}

/// A connection with a small receive buffer on our side.
fn narrow(address: SocketAddr) -> TcpStream {
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    sockopt::set_socket_recv_buffer_size(&socket, 4096).unwrap();
    rustix::net::connect(&socket, &address).unwrap();
    socket.into()
}

/// An app that reads nothing at all is given up.
fn reads_nothing(t: &Context) {
    let call = t.incoming("c(ulaw)");
    let stream = Stream::accepted(narrow(t.asterisk.http)).unwrap();
    let mut response = t.upgrade(&call.connection_id()).send(stream).unwrap();
    assert_eq!(response.status, 101);
    call.wait_up();
    t.allow_log(&call.name);
    // The answers are as large as the pings, and soon fill all buffers.
    response.stream.set_timeout(Some(Duration::from_secs(1))).unwrap();
    let mark = Frame::text(&format!("MARK_MEDIA {}", "x".repeat(60_000))).encode();
    let start = Instant::now();
    while start.elapsed() < wait::PATIENCE && response.stream.write_all(&mark).is_ok() {}
    assert_eq!(call.ending(), Ending { cause: 38, tech_cause: 1001 });
    assert!(start.elapsed() > Duration::from_secs(1), "after {:?}", start.elapsed());
    t.wait_log(&["WARNING", &call.name, "took nothing for 1000 ms"]);
}

/// An INCOMING channel that no app connects to ends by itself, if that is configured; one with an app does not.
fn nobody_connects(t: &Context) {
    t.allow_log("no application has connected in time");
    let (_connected, app) = t.incoming_app("c(ulaw)");
    let start = Instant::now();
    let call = t.incoming("c(ulaw)");
    let id = call.connection_id();
    t.note(format!("{:?}", call.ending()));
    let took = start.elapsed();
    assert!((900..4000).contains(&took.as_millis()), "after {took:?}");
    t.allow_log("WebSocket instance not found");
    assert_eq!(t.send(&t.upgrade(&id)).status, 404);
    app.command("GET_STATUS");
    app.expect_event("STATUS");
    app.expect_quiet(QUIET);
}
