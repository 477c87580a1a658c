//! Outgoing connections as they are used in practice: TLS, load balancers, proxies, name servers, and servers that
//! misbehave.

pub mod bystander;
mod cancel;
mod check;
pub mod daemon;
mod fallback;
mod figures;
mod keepalive;
mod many;
mod misbehaving;
mod name_server;
mod names;
pub mod peer;
mod per_call;
pub mod pki;
mod proxy;
mod scale;
mod scaling;
mod settings;
pub mod tls;
mod write_timeout;

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::time::Duration;

use super::harness::call::{Call, DialResult};
use super::harness::{Context, InstanceConfig, Suite};

pub fn tests(suite: &mut Suite) {
    cancel::tests(suite);
    check::tests(suite);
    fallback::tests(suite);
    figures::tests(suite);
    keepalive::tests(suite);
    many::tests(suite);
    misbehaving::tests(suite);
    names::tests(suite);
    per_call::tests(suite);
    proxy::tests(suite);
    scale::tests(suite);
    scaling::tests(suite);
    settings::tests(suite);
    tls::tests(suite);
    write_timeout::tests(suite);
}

/// The instance of these tests: it uses our name server, and our authority is among the system's.
fn instance() -> InstanceConfig {
    InstanceConfig::new()
        .resolver(name_server::address().into())
        .environment("SSL_CERT_FILE", &pki::FILES.path("root.crt"))
        .our_file("chan_websocket.conf", "[global]\nhandshake_timeout = 3000\n")
}

/// One attempt, so that a failure is known soon.
const ONCE: (&str, &str) = ("reconnect_attempts", "1");

/// Adds a websocket_client with `media` as its subprotocol and these options, and returns its name.
fn client(t: &Context, options: &[(&str, &str)]) -> String {
    let name = t.unique("client");
    t.name(&name, "client");
    let mut all = vec![("protocols", "media")];
    all.extend_from_slice(options);
    t.asterisk.add_client(&name, &all);
    name
}

fn dial_string(client: &str) -> String {
    format!("WebSocket/{client}/c(ulaw)")
}

/// A party that dials the client and waits so many seconds for an answer.
fn caller<'t>(t: &'t Context, client: &str, timeout: &str) -> Call<'t> {
    t.call("Local/park@harness").formats("ulaw").dials(&dial_string(client), timeout, "g").originate()
}

fn unavailable() -> DialResult {
    DialResult { status: "CHANUNAVAIL".into(), cause: "3".into() }
}

/// Allows what is logged when a connection fails: for the C module, the lines of what it uses to connect.
fn allow_failure(t: &Context) {
    t.allow_log("connection failed");
    for source in ["res_websocket_client", "res_http_websocket", "http", "tcptls", "iostream", "netsock2"] {
        t.allow_log(&format!("{source}.c: "));
    }
}

/// The dial fails with the cause of a failed connection, and a warning names the client. With ours it contains `words`.
#[track_caller]
fn expect_failure(t: &Context, client: &str, words: &[&str]) {
    allow_failure(t);
    assert_eq!(caller(t, client, "10").dial_result(), unavailable());
    expect_failure_logged(t, client, words);
}

/// See [`expect_failure`].
#[track_caller]
fn expect_failure_logged(t: &Context, client: &str, words: &[&str]) {
    // Includes the character after the name: client-1 is not client-11.
    let dialled = format!(" {client}/");
    let line = t.wait_log(&["WARNING", "connection failed to", &dialled]);
    if t.is_ours() {
        for word in words {
            assert!(line.contains(word), "'{word}' is not in: {line}");
        }
    }
}

/// Whether this machine has an IPv6 address: many containers do not.
fn has_ipv6() -> bool {
    TcpListener::bind("[::1]:0").is_ok()
}

/// The address that the servers of these tests listen on.
const LOCALHOST: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// A listening socket whose queue is full: the kernel does not answer new connections.
#[derive(Debug)]
struct Hole {
    address: SocketAddr,
    _listener: TcpListener,
    _queued: Vec<TcpStream>,
}

impl Hole {
    /// `None` if the machine does not have this address.
    fn at(address: impl ToSocketAddrs) -> Option<Self> {
        let listener = TcpListener::bind(address).ok()?;
        rustix::net::listen(&listener, 0).expect("listen");
        let address = listener.local_addr().expect("address");
        let mut queued = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(100)) {
            queued.push(stream);
        }
        Some(Self { address, _listener: listener, _queued: queued })
    }
}
