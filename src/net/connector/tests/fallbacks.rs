//! Fallbacks, and the token that each attempt reads.

use std::fs;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use super::fixture::*;
use crate::net::connector::*;
use crate::settings::per_call::Bearer;

fn fallback(
    client: &str,
    settings: impl FnOnce() -> Result<Destination, String> + Send + 'static,
) -> Fallback {
    Fallback { client: client.to_owned(), settings: Box::new(settings) }
}

fn connect_with(connector: &Connector, first: ConnectSettings, fallbacks: Vec<Fallback>) -> Outcome {
    let (job, outcome) = job(to(refusing().0));
    let _handle = connector.connect(ConnectJob { settings: first, fallbacks, ..job });
    outcome.recv_timeout(LONG).expect("no result")
}

fn known(destination: Destination) -> ConnectSettings {
    ConnectSettings::Known(Ok(Box::new(destination)))
}

#[test]
fn the_first_that_connects_is_the_last_that_is_tried() {
    let (refuses, _socket) = refusing();
    let busy = Server::answering("HTTP/1.1 503 Busy\r\n\r\n");
    let good = Server::start(|_, stream| welcome(stream));
    let (busy_addr, good_addr) = (busy.addr, good.addr);
    let is_read = Arc::<AtomicBool>::default();
    let read = is_read.clone();
    let connector = connector();
    let fallbacks = vec![
        fallback("gone", || Err("does not exist".to_owned())),
        fallback("busy", move || Ok(to(busy_addr))),
        fallback("good", move || Ok(to(good_addr))),
        fallback("spare", move || {
            read.store(true, Ordering::SeqCst);
            Err("not wanted".to_owned())
        }),
    ];
    let connected = connect_with(&connector, known(to(refuses)), fallbacks).unwrap();
    assert_eq!((connected.client.as_str(), connected.peer), ("good", good.addr));
    assert!(!is_read.load(Ordering::SeqCst));
    let stats = connector.stats();
    assert_eq!((stats.attempts_failed, stats.connected, stats.failed, stats.under_way), (2, 1, 0, 0));
}

#[test]
fn the_last_ones_failure_is_the_calls() {
    let (refuses, _socket) = refusing();
    let connector = connector();
    let error = connect_with(
        &connector,
        ConnectSettings::Known(Err("first".to_owned())),
        vec![fallback("second", || Err("second".to_owned())), fallback("third", move || Ok(to(refuses)))],
    );
    let text = error.unwrap_err().to_string();
    assert!(
        text.starts_with(&format!("the last fallback 'third': connection to {refuses} failed: TCP")),
        "{text}"
    );
    assert_eq!((connector.stats().failed, connector.stats().under_way), (1, 0));
}

#[test]
fn a_job_without_fallbacks_does_not_mention_any() {
    let connector = connector();
    let error = connect_with(&connector, ConnectSettings::Known(Err("first".to_owned())), Vec::new());
    assert_eq!(error.unwrap_err().to_string(), "connection failed: first");
}

/// Settings that arrive after their time are not taken for the fallback's.
#[test]
fn the_result_of_a_late_helper_is_ignored() {
    let good = Server::start(|_, stream| welcome(stream));
    let (late, good_addr) = (Server::start(|_, stream| welcome(stream)), good.addr);
    let late_addr = late.addr;
    let (go_on, hangs) = mpsc::channel::<()>();
    let (began, beginning) = mpsc::channel();
    let timeout = Duration::from_millis(100);
    let connector = Connector::start_with("ws-connector", Arc::new(SystemResolver), timeout).unwrap();
    let (job, outcome) = job(to(late_addr));
    let settings = reading(move || {
        let _ = hangs.recv();
        Ok(to(late_addr))
    });
    let fallbacks = vec![fallback("good", move || {
        // The first client's helper is released while this one is busy.
        drop(go_on);
        began.send(()).unwrap();
        std::thread::sleep(Duration::from_millis(50));
        Ok(to(good_addr))
    })];
    let _handle = connector.connect(ConnectJob { settings, fallbacks, ..job });
    beginning.recv_timeout(LONG).unwrap();
    let connected = outcome.recv_timeout(LONG).unwrap().unwrap();
    assert_eq!((connected.client.as_str(), connected.peer), ("good", good.addr));
}

#[test]
fn cancelled_it_tries_no_fallback() {
    let (silent, streams) = Server::silent();
    let connector = connector();
    let (job, outcome) = job(to(silent.addr));
    let fallbacks = vec![fallback("spare", || panic!("not wanted"))];
    let handle = connector.connect(ConnectJob { fallbacks, ..job });
    let _stream = streams.recv_timeout(LONG).unwrap();
    assert!(handle.cancel());
    assert!(outcome.recv_timeout(LONG).is_err(), "a result of a cancelled job");
    assert_eq!(connector.stats().cancelled, 1);
}

/// The token of each attempt is the file's current one; an attempt without a token is not made.
#[test]
fn the_token_is_read_for_each_attempt() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    fs::write(&file, "one\n").unwrap();
    let (heads, seen) = mpsc::channel();
    let rotated = file.clone();
    let server = Server::start(move |number, mut stream| {
        let request = read_head(&mut stream);
        heads.send(header(&request, "Authorization").map(str::to_owned)).unwrap();
        if number == 0 {
            fs::write(&rotated, "two\n").unwrap();
            stream.write_all(b"HTTP/1.1 503 Busy\r\n\r\n").unwrap();
        } else {
            stream.write_all(switching(&request, "").as_bytes()).unwrap();
        }
        linger(stream);
    });
    let connector = connector();
    let mut destination = to(server.addr);
    destination.client.reconnect_attempts = 2;
    destination.client.bearer = Some(Bearer::File(file.clone()));
    connect(&connector, destination.clone()).unwrap();
    let sent: Vec<_> = seen.try_iter().collect();
    assert_eq!(sent, [Some("Bearer one".to_owned()), Some("Bearer two".to_owned())]);

    fs::remove_file(&file).unwrap();
    let error = connect(&connector, destination).unwrap_err().to_string();
    assert!(error.contains("failed 2 times, at last: bearer_token_file /"), "{error}");
    assert_eq!(seen.try_iter().count(), 0);
}
