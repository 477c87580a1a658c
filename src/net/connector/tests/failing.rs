//! Servers that do not behave well, each with its own text, at its own deadline.

use std::io::Write;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::fixture::*;
use crate::net::connector::*;

fn text_of(server: &Server) -> String {
    connect(&connector(), to(server.addr)).unwrap_err().to_string()
}

#[test]
fn each_answer_other_than_101_has_its_own_message() {
    let endless = format!("HTTP/1.1 200 OK\r\n{}", "Filler: 0123456789\r\n".repeat(2000));
    let no_key = "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
    let rows: &[(&str, &str)] = &[
        ("HTTP/1.1 401 Unauthorized\r\n\r\n", "the server does not accept the credentials (401)"),
        ("HTTP/1.1 403 Forbidden\r\n\r\n", "the server forbids it (403)"),
        ("HTTP/1.1 404 Not Found\r\n\r\n", "the server does not know the path of the uri (404)"),
        (
            "HTTP/1.1 302 Found\r\nLocation: http://u:p@there/x?y\r\n\r\n",
            "the server redirects to http://there/x?… (302 Found), which is not followed",
        ),
        ("HTTP/1.1 503 Busy\r\n\r\n", "the server failed (503 Busy)"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
            "the server answered with a page instead of a WebSocket (200 OK)",
        ),
        ("220 mail.example ESMTP\r\n", "the server's answer is not HTTP"),
        (&endless, "the server's answer has an endless header (over 16384 bytes or 64 fields)"),
        ("", "the server closed the connection without an answer"),
        ("HTTP/1.1 101", "the server closed the connection in the middle of its answer (after 12 bytes)"),
        (&format!("{no_key}\r\n"), "the server's 101 has no Sec-WebSocket-Accept header"),
        (
            &format!("{no_key}Sec-WebSocket-Accept: eA==\r\n\r\n"),
            "the server's 101 has a wrong Sec-WebSocket-Accept header",
        ),
    ];
    for (answer, words) in rows {
        let server = Server::answering(*answer);
        let addr = server.addr;
        assert_eq!(text_of(&server), format!("connection to {addr} failed: no WebSocket at {addr}: {words}"));
    }
}

#[test]
fn a_subprotocol_that_was_not_offered_is_refused() {
    for (more, words) in [
        (
            "Sec-WebSocket-Protocol: chat\r\n",
            "the server chose the subprotocol \"chat\", which was not offered",
        ),
        ("Sec-WebSocket-Extensions: x\r\n", "the server chose the extension \"x\", which was not offered"),
    ] {
        let server = Server::start(move |_, mut stream| {
            let request = read_head(&mut stream);
            stream.write_all(switching(&request, more).as_bytes()).unwrap();
            linger(stream);
        });
        let text = text_of(&server);
        assert!(text.ends_with(words), "{text}");
    }
}

#[test]
fn a_port_without_a_listener() {
    let (addr, _kept) = refusing();
    let error = connect(&connector(), to(addr)).unwrap_err();
    assert!(matches!(error.failure, Failure::Tcp { .. }));
    assert_eq!(
        error.to_string(),
        format!(
            "connection to {addr} failed: TCP connection to {addr} failed: Connection refused (os error 111)"
        )
    );
}

#[test]
fn a_port_that_does_not_even_answer_is_bounded_by_connection_timeout() {
    let (addr, _kept) = black_hole();
    let mut destination = to(addr);
    destination.client.connection_timeout = Duration::from_millis(100);
    let began = Instant::now();
    let error = connect(&connector(), destination).unwrap_err();
    assert!(began.elapsed() >= Duration::from_millis(100));
    let words = format!("no TCP connection to {addr} within 100 ms (connection_timeout)");
    assert_eq!(error.to_string(), format!("connection to {addr} failed: {words}"));
}

#[test]
fn a_server_that_accepts_and_never_answers_is_bounded_by_handshake_timeout() {
    let (server, streams) = Server::silent();
    let mut destination = to(server.addr);
    destination.client.handshake_timeout = Duration::from_millis(150);
    let began = Instant::now();
    let error = connect(&connector(), destination).unwrap_err();
    assert!(began.elapsed() >= Duration::from_millis(150));
    assert!(matches!(error.failure, Failure::HandshakeTimeout { phase: Phase::Upgrade, .. }), "{error}");
    let words = "accepted the connection, but the answer to the upgrade request did not come within 150 ms (handshake_timeout)";
    assert!(error.to_string().ends_with(words), "{error}");
    // What was sent was the whole request, and the connection is closed.
    let mut stream = streams.recv_timeout(LONG).unwrap();
    assert!(read_to_end(&mut stream).unwrap().ends_with(b"\r\n\r\n"));
}

#[test]
fn a_server_that_trickles_is_bounded_as_well() {
    let server = Server::start(|_, mut stream| {
        read_head(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 101 Switching\r\n");
        while stream.write_all(b"A: b\r\n").is_ok() {
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    let mut destination = to(server.addr);
    destination.client.handshake_timeout = Duration::from_millis(150);
    let error = connect(&connector(), destination).unwrap_err();
    assert!(matches!(error.failure, Failure::HandshakeTimeout { phase: Phase::Upgrade, .. }), "{error}");
}

#[test]
fn a_reset_is_told_with_its_errno() {
    let server = Server::start(|_, mut stream| {
        // Closing with bytes unread resets the connection.
        stream.write_all(b"HTTP/1.1 1").unwrap();
        std::io::Read::read_exact(&mut stream, &mut [0; 10]).unwrap();
    });
    let error = connect(&connector(), to(server.addr)).unwrap_err();
    assert!(matches!(error.failure, Failure::Lost { phase: Phase::Upgrade, .. }), "{error}");
    assert!(error.to_string().contains("Connection reset by peer (os error 104)"), "{error}");
}

#[test]
fn settings_that_cannot_be_read() {
    let connector = connector();
    let why = || "no websocket_client named x".to_owned();
    for settings in [reading(move || Err(why())), ConnectSettings::Known(Err(why()))] {
        let (mut job, outcome) = job(destination("unused.example", 1));
        job.settings = settings;
        let _handle = connector.connect(job);
        let error = outcome.recv_timeout(LONG).unwrap().unwrap_err();
        assert_eq!(error.to_string(), "connection failed: no websocket_client named x");
        assert_eq!((error.server, error.attempts), (None, 0));
    }
}

#[test]
fn a_request_that_cannot_be_made_is_not_made() {
    let (server, streams) = Server::silent();
    let mut destination = to(server.addr);
    destination.target.path_and_query = "/a\r\nX-Evil: 1".into();
    let error = connect(&connector(), destination).unwrap_err();
    assert!(matches!(error.failure, Failure::Request(_)), "{error}");
    drop(server);
    assert!(streams.try_recv().is_err());
}

#[test]
fn settings_that_hang_are_given_up() {
    let resolver = Arc::new(SystemResolver);
    let connector = Connector::start_with("ws-connector", resolver, Duration::from_millis(100)).unwrap();
    let (release, hang) = mpsc::channel::<()>();
    let (mut hanging, outcome) = job(destination("unused.example", 1));
    hanging.settings = reading(move || Err(format!("{:?}", hang.recv())));
    let _handle = connector.connect(hanging);
    let error = outcome.recv_timeout(LONG).unwrap().unwrap_err();
    assert_eq!(error.to_string(), "connection failed: its settings could not be read within 100 ms");
    drop(release);
}

#[test]
fn a_panic_ends_that_call_alone() {
    let server = Server::start(|_, stream| welcome(stream));
    let connector = connector();
    let (mut panics_early, outcome) = job(to(server.addr));
    panics_early.settings = reading(|| panic!("on purpose"));
    let _handle = connector.connect(panics_early);
    let error = outcome.recv_timeout(LONG).unwrap().unwrap_err();
    assert_eq!(error.to_string(), "connection failed: internal error: panic: on purpose");

    let (mut panics_late, _) = job(to(server.addr));
    let (called, calls) = mpsc::channel();
    panics_late.on_done = Box::new(move |_| {
        called.send(()).unwrap();
        panic!("on purpose")
    });
    let _handle = connector.connect(panics_late);
    calls.recv_timeout(LONG).unwrap();

    assert_eq!(connect(&connector, to(server.addr)).unwrap().leftover, b"hello");
}
