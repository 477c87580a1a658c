//! TLS, as far as it concerns the connector: in its place between TCP and upgrade.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::fixture::*;
use crate::net::connector::*;
use crate::settings::client::Proxy;

fn secure(server: &Server) -> Destination {
    let mut destination = to(server.addr);
    destination.target.tls = true;
    destination
}

/// A server that says this instead of its hello.
fn saying(hello: &'static [u8]) -> Server {
    Server::start(move |_, mut stream| {
        stream.read_exact(&mut [0; CLIENT_HELLO.len()]).unwrap();
        stream.write_all(&xor(hello)).unwrap();
        linger(stream);
    })
}

#[test]
fn the_upgrade_runs_inside_tls() {
    let server = Server::start(|_, stream| xor_welcome(stream, true));
    let connected = connect(&connector(), secure(&server)).unwrap();
    assert_eq!(connected.leftover, b"hello");
    assert_eq!(connected.transport.tls_description().as_deref(), Some("XOR"));
}

#[test]
fn a_handshake_that_fails() {
    for (hello, words) in [(b"XX".as_slice(), "certificate verify failed"), (b"S", "unexpected end of file")]
    {
        let server = saying(hello);
        let mut destination = secure(&server);
        destination.client.reconnect_attempts = 2;
        let error = connect(&connector(), destination).unwrap_err();
        let addr = server.addr;
        assert_eq!(
            error.to_string(),
            format!("connection to {addr} failed 2 times, at last: TLS failed at {addr}: {words}")
        );
    }
}

#[test]
fn a_handshake_that_never_ends_is_bounded_by_handshake_timeout() {
    let (server, _streams) = Server::silent();
    let mut destination = secure(&server);
    destination.client.handshake_timeout = Duration::from_millis(100);
    let error = connect(&connector(), destination).unwrap_err();
    assert!(matches!(error.failure, Failure::HandshakeTimeout { phase: Phase::Tls, .. }), "{error}");
    assert!(error.to_string().contains("but the TLS handshake did not come"), "{error}");
}

#[test]
fn certificates_that_cannot_be_loaded_fail_without_an_attempt() {
    let (server, streams) = Server::silent();
    let mut destination = secure(&server);
    destination.client.ca_list_file = Some("missing".into());
    destination.client.reconnect_attempts = 3;
    let error = connect(&connector(), destination).unwrap_err();
    assert_eq!(
        error.to_string(),
        "connection failed: TLS cannot be set up: ca_list_file missing: no such file"
    );
    drop(server);
    assert!(streams.try_recv().is_err());
}

#[test]
fn a_session_that_cannot_be_started() {
    let proxy = Server::answering("HTTP/1.1 200 OK\r\n\r\n");
    let mut destination = destination("unstartable.example", 443);
    destination.target.tls = true;
    let (host, port) = (proxy.addr.ip().to_string(), proxy.addr.port());
    destination.client.proxy = Some(Proxy { host, port, credentials: None });
    let error = connect(&connector(), destination).unwrap_err();
    let words = format!("TLS failed at {}: no session for unstartable.example", proxy.addr);
    assert!(error.to_string().ends_with(&words), "{error}");
}

#[test]
fn a_panic_in_tls_ends_that_call_alone() {
    let server = saying(b"!!");
    let connector = connector();
    let error = connect(&connector, secure(&server)).unwrap_err();
    assert!(error.to_string().ends_with("internal error: panic: on purpose"), "{error}");
    let server = Server::start(|_, stream| xor_welcome(stream, true));
    connect(&connector, secure(&server)).unwrap();
}

/// TLS that cannot be used, and cannot be dropped either.
struct Undroppable;

impl TlsConnector for Undroppable {
    fn prepare(&self, _settings: &ClientSettings) -> Result<Arc<dyn TlsContext>, String> {
        Ok(Arc::new(Self))
    }
}

impl TlsContext for Undroppable {
    fn start(&self, _host: &str, _socket: TcpStream) -> Result<Box<dyn TlsHandshake>, String> {
        Err("no session".to_owned())
    }
}

impl Drop for Undroppable {
    fn drop(&mut self) {
        // The connector that the job holds is dropped by a helper's thread.
        let name = thread::current().name().map(str::to_owned);
        assert!(name.as_deref() != Some("ws-connector"), "on purpose");
    }
}

#[test]
fn a_panic_while_a_call_is_forgotten_ends_that_call_alone() {
    let connector = connector();
    let (server, _streams) = Server::silent();
    let (mut job, outcome) = job(secure(&server));
    job.tls = Arc::new(Undroppable);
    let _handle = connector.connect(job);
    let error = outcome.recv_timeout(LONG).expect("no result").unwrap_err();
    assert!(error.to_string().ends_with("no session"), "{error}");
    let server = Server::start(|_, stream| xor_welcome(stream, true));
    connect(&connector, secure(&server)).unwrap();
}
