//! Through an HTTP proxy.

use std::io::Write;
use std::sync::mpsc;
use std::time::Duration;

use super::fixture::*;
use crate::net::connector::*;
use crate::settings::client::Proxy;

/// To a server that only the proxy knows.
fn through(proxy: &Server) -> Destination {
    let mut destination = destination("app.example", 8080);
    destination.client.proxy =
        Some(Proxy { host: proxy.addr.ip().to_string(), port: proxy.addr.port(), credentials: None });
    destination
}

fn error_of(proxy: &Server) -> ConnectError {
    connect(&connector(), through(proxy)).unwrap_err()
}

#[test]
fn the_websocket_runs_in_the_tunnel() {
    let (asked, questions) = mpsc::channel();
    let proxy = Server::start(move |_, mut stream| {
        asked.send(read_head(&mut stream)).unwrap();
        stream.write_all(b"HTTP/1.0 200 Connection established\r\nProxy-agent: tinyproxy\r\n\r\n").unwrap();
        let request = read_head(&mut stream);
        stream.write_all((switching(&request, "") + "hello").as_bytes()).unwrap();
        asked.send(request).unwrap();
        linger(stream);
    });
    let mut destination = through(&proxy);
    destination.client.username = "user".into();
    destination.client.password = "secret".into();
    let connected = connect(&connector(), destination).unwrap();
    assert_eq!((connected.peer, connected.leftover.as_slice()), (proxy.addr, b"hello".as_slice()));
    let question = questions.recv_timeout(LONG).unwrap();
    assert!(
        question.starts_with("CONNECT app.example:8080 HTTP/1.1\r\nHost: app.example:8080\r\n"),
        "{question}"
    );
    assert_eq!(header(&question, "Proxy-Authorization"), None);
    // The server's credentials are for the server alone.
    assert_eq!(header(&question, "Authorization"), None);
    let request = questions.recv_timeout(LONG).unwrap();
    assert_eq!(header(&request, "Host"), Some("app.example:8080"));
    assert!(header(&request, "Authorization").is_some());
}

#[test]
fn the_proxys_credentials() {
    let (asked, questions) = mpsc::channel();
    let proxy = Server::start(move |_, mut stream| {
        asked.send(read_head(&mut stream)).unwrap();
        stream.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n").unwrap();
        linger(stream);
    });
    let mut destination = through(&proxy);
    let credentials = Some(("Aladdin".to_owned(), "open sesame".to_owned()));
    destination.client.proxy.as_mut().unwrap().credentials = credentials;
    let error = connect(&connector(), destination).unwrap_err();
    let question = questions.recv_timeout(LONG).unwrap();
    assert_eq!(header(&question, "Proxy-Authorization"), Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
    let proxy = proxy.addr;
    assert_eq!(
        error.to_string(),
        format!(
            "connection to app.example:8080 failed: the proxy {proxy} does not accept the credentials (407)"
        )
    );
    assert!(!format!("{error:?}").contains("sesame"));
}

#[test]
fn each_refusal_has_its_own_message() {
    let endless = "HTTP/1.1 200 OK\r\n".to_owned() + &"A: b\r\n".repeat(4000);
    for (answer, words) in [
        ("HTTP/1.1 403 Filtered\r\n\r\n", "refused to connect us (403 Filtered)"),
        ("HTTP/1.1 502 Bad Gateway\r\n\r\nno route", "refused to connect us (502 Bad Gateway)"),
        ("SSH-2.0-x\r\n", "gave an answer that is not HTTP"),
        ("HTTP/1.1 2", "closed the connection before the end of its answer (after 10 bytes)"),
        (&endless, "gave an answer that has an endless header (over 16384 bytes or 64 fields)"),
    ] {
        let proxy = Server::answering(answer);
        let error = error_of(&proxy);
        assert!(matches!(error.failure, Failure::Proxy { .. }));
        assert!(error.to_string().ends_with(&format!("the proxy {} {words}", proxy.addr)), "{error}");
    }
}

#[test]
fn a_proxy_that_never_answers_is_bounded_by_handshake_timeout() {
    let (proxy, _streams) = Server::silent();
    let mut destination = through(&proxy);
    destination.client.handshake_timeout = Duration::from_millis(100);
    let error = connect(&connector(), destination).unwrap_err();
    assert!(matches!(error.failure, Failure::HandshakeTimeout { phase: Phase::Proxy, .. }), "{error}");
}

#[test]
fn a_refusal_of_the_server_comes_through_the_tunnel() {
    let proxy = Server::start(|_, mut stream| {
        read_head(&mut stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        read_head(&mut stream);
        stream.write_all(b"HTTP/1.1 403 Forbidden\r\n\r\n").unwrap();
        linger(stream);
    });
    let mut destination = through(&proxy);
    destination.client.reconnect_attempts = 3;
    let error = connect(&connector(), destination).unwrap_err();
    assert_eq!(error.attempts, 1);
    assert!(error.to_string().contains("the server forbids it"), "{error}");
}

#[test]
fn tls_runs_inside_the_tunnel_and_nothing_behind_the_proxys_answer_is_lost() {
    let proxy = Server::start(|_, mut stream| {
        read_head(&mut stream);
        // A server that speaks first: its bytes come in the same segment as the proxy's answer.
        let answer = [b"HTTP/1.1 200 OK\r\n\r\n".as_slice(), &xor(SERVER_HELLO)].concat();
        stream.write_all(&answer).unwrap();
        xor_welcome(stream, false);
    });
    let mut destination = through(&proxy);
    destination.target.tls = true;
    let connected = connect(&connector(), destination).unwrap();
    assert_eq!(connected.leftover, b"hello");
    assert_eq!(connected.transport.tls_description().as_deref(), Some("XOR"));
}

#[test]
fn a_proxys_answer_may_come_byte_by_byte() {
    let proxy = Server::start(|_, mut stream| {
        read_head(&mut stream);
        for byte in b"HTTP/1.1 200 OK\r\nVia: x\r\n\r\n" {
            stream.write_all(&[*byte]).unwrap();
            std::thread::yield_now();
        }
        welcome(stream);
    });
    assert_eq!(connect(&connector(), through(&proxy)).unwrap().leftover, b"hello");
}
