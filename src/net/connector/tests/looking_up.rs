//! Names: with several addresses, unknown ones, and name servers that do not answer.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use super::fixture::*;
use crate::net::connector::*;

fn connector_with(resolver: Arc<TestResolver>) -> Connector {
    Connector::start_with("ws-connector", resolver, SETTINGS_TIMEOUT).unwrap()
}

#[test]
fn every_address_is_tried_in_turn() {
    let (refused, _kept) = refusing();
    let (silent, _kept_too) = black_hole();
    let server = Server::start(|_, stream| welcome(stream));
    let (resolver, _release) = TestResolver::new(vec![("app.example", vec![refused, silent, server.addr])]);
    let mut destination = destination("app.example", 80);
    destination.client.connection_timeout = Duration::from_millis(50);
    // The time that TCP takes does not count.
    destination.client.handshake_timeout = Duration::from_secs(5);
    let connected = connect(&connector_with(resolver), destination).unwrap();
    assert_eq!(connected.peer, server.addr);
}

#[test]
fn an_address_of_another_service_or_none_is_passed_over_but_a_servers_verdict_counts() {
    let mail = Server::answering("220 mail.example ESMTP\r\n");
    let closing = Server::answering("");
    let busy = Server::answering("HTTP/1.1 503 Busy\r\n\r\n");
    let (never, streams) = Server::silent();
    let addresses = vec![mail.addr, closing.addr, busy.addr, never.addr];
    let (resolver, _release) = TestResolver::new(vec![("app.example", addresses)]);
    let error = connect(&connector_with(resolver), destination("app.example", 80)).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "connection to app.example:80 failed: no WebSocket at {}: the server failed (503 Busy) (the last of 3 addresses)",
            busy.addr
        )
    );
    drop(never);
    assert!(streams.try_recv().is_err());
}

#[test]
fn addresses_that_cannot_even_be_begun_with_are_passed_over() {
    // The kernel refuses to connect to a multicast address at once.
    let impossible = "224.0.0.1:9".parse().unwrap();
    let server = Server::start(|_, stream| welcome(stream));
    let table = vec![("app.example", vec![impossible, server.addr]), ("worse.example", vec![impossible])];
    let (resolver, _release) = TestResolver::new(table);
    let connector = connector_with(resolver);
    connect(&connector, destination("app.example", 80)).unwrap();
    let error = connect(&connector, destination("worse.example", 80)).unwrap_err();
    assert!(
        error.to_string().contains("TCP connection to 224.0.0.1:9 failed: Network is unreachable"),
        "{error}"
    );
}

#[test]
fn an_unknown_name_is_looked_up_for_each_attempt() {
    let (resolver, _release) = TestResolver::new(vec![("empty.example", vec![])]);
    let connector = connector_with(resolver.clone());
    let mut unknown = destination("nowhere.example", 80);
    unknown.client.reconnect_attempts = 3;
    let error = connect(&connector, unknown).unwrap_err();
    assert_eq!(
        error.to_string(),
        "connection to nowhere.example:80 failed 3 times, at last: look-up of the name nowhere.example failed: \
         Name or service not known"
    );
    assert_eq!(*resolver.asked.lock(), ["nowhere.example"; 3]);
    let error = connect(&connector, destination("empty.example", 80)).unwrap_err();
    assert!(
        error.to_string().ends_with("look-up of the name empty.example failed: it has no address"),
        "{error}"
    );
}

#[test]
fn the_systems_resolver_is_used_and_its_error_text_is_kept() {
    // No name server is asked for a label of more than 63 bytes.
    let host = format!("{}.invalid", "x".repeat(64));
    let text = connect(&connector(), destination(&host, 80)).unwrap_err().to_string();
    assert!(text.contains(&format!("look-up of the name {host} failed: ")), "{text}");
    assert!(!text.contains("address information"), "{text}");
}

#[test]
fn a_name_server_that_does_not_answer_delays_only_its_own_call() {
    let server = Server::start(|_, stream| welcome(stream));
    let (resolver, release) = TestResolver::new(vec![("app.example", vec![server.addr])]);
    let connector = connector_with(resolver);
    let mut hangs = destination("hangs.example", 80);
    hangs.client.handshake_timeout = Duration::from_millis(300);
    let began = Instant::now();
    let (job, outcome) = job(hangs);
    let _handle = connector.connect(job);
    connect(&connector, destination("app.example", 80)).unwrap();
    connect(&connector, to(server.addr)).unwrap();
    let error = outcome.recv_timeout(LONG).unwrap().unwrap_err();
    assert!(began.elapsed() >= Duration::from_millis(300));
    assert_eq!(
        error.to_string(),
        "connection to hangs.example:80 failed: look-up of the name hangs.example did not end within 300 ms"
    );
    drop(release);
    connect(&connector, to(server.addr)).unwrap();
}

#[test]
fn calls_to_one_name_share_a_look_up_until_it_is_abandoned() {
    let server = Server::start(|_, stream| welcome(stream));
    let (resolver, release) = TestResolver::new(vec![("hangs.example", vec![server.addr])]);
    let connector = connector_with(resolver.clone());
    let waiting: Vec<_> = (0..100)
        .map(|_| {
            let (job, outcome) = job(destination("hangs.example", 80));
            (connector.connect(job), outcome)
        })
        .collect();
    let mut impatient = destination("hangs.example", 80);
    // Long enough for all of them to be waiting.
    impatient.client.handshake_timeout = Duration::from_millis(400);
    let error = connect(&connector, impatient).unwrap_err();
    assert!(matches!(error.failure, Failure::LookupTimeout { .. }), "{error}");
    assert_eq!(resolver.asked.lock().len(), 1);

    // The next one starts anew, and is answered at once (only the first one hangs).
    connect(&connector, destination("hangs.example", 80)).unwrap();
    assert_eq!(resolver.asked.lock().len(), 2);
    assert_eq!(waiting[0].1.recv_timeout(Duration::from_millis(20)).unwrap_err(), RecvTimeoutError::Timeout);

    drop(release);
    for (_handle, outcome) in &waiting {
        outcome.recv_timeout(LONG).unwrap().unwrap();
    }
    assert_eq!(resolver.asked.lock().len(), 2);
}

/// Hangs for every name but one while the lock is held.
struct Stuck {
    known: SocketAddr,
    lock: parking_lot::Mutex<()>,
    hanging: AtomicUsize,
}

impl Resolve for Stuck {
    fn resolve(&self, host: &str, _port: u16) -> io::Result<Vec<SocketAddr>> {
        if host != "app.example" {
            self.hanging.fetch_add(1, Ordering::Relaxed);
            drop(self.lock.lock());
        }
        Ok(vec![self.known])
    }
}

#[test]
fn a_name_that_hangs_again_and_again_does_not_take_all_threads() {
    let server = Server::start(|_, stream| welcome(stream));
    let (lock, hanging) = (parking_lot::Mutex::new(()), AtomicUsize::new(0));
    let resolver = Arc::new(Stuck { known: server.addr, lock, hanging });
    let stuck = resolver.lock.lock();
    let connector = Connector::start_with("ws-connector", resolver.clone(), SETTINGS_TIMEOUT).unwrap();
    let mut hangs = destination("hangs.example", 80);
    hangs.client.handshake_timeout = Duration::from_millis(5);
    for _ in 0..100 {
        let error = connect(&connector, hangs.clone()).unwrap_err();
        assert!(matches!(error.failure, Failure::LookupTimeout { .. }), "{error}");
    }
    connect(&connector, destination("app.example", 80)).unwrap();
    assert_eq!(resolver.hanging.load(Ordering::Relaxed), 4);
    // All look-ups that hung have ended: the next call is answered.
    drop(stuck);
    hangs.client.handshake_timeout = LONG;
    connect(&connector, hangs).unwrap();
}

#[test]
fn a_panic_in_a_look_up_ends_its_call_at_once() {
    let server = Server::start(|_, stream| welcome(stream));
    let (resolver, _release) = TestResolver::new(vec![("app.example", vec![server.addr])]);
    let connector = connector_with(resolver);
    let error = connect(&connector, destination("panics.example", 80)).unwrap_err();
    assert!(error.to_string().ends_with("panic: on purpose"), "{error}");
    connect(&connector, destination("app.example", 80)).unwrap();
}
