//! Cancelling, at every stage: the result never comes, and what was going on ends at once.

use std::io::Read;
use std::net::TcpStream;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use super::super::*;
use super::fixture::*;
use crate::driver::client::Proxy;

/// Cancels a job; `on_done` has to be gone soon, uncalled.
fn cancel(handle: ConnectHandle, outcome: &Receiver<Outcome>) {
    assert!(handle.cancel());
    assert!(!handle.cancel(), "twice");
    match outcome.recv_timeout(LONG) {
        Err(RecvTimeoutError::Disconnected) => {}
        other => panic!("{other:?}"),
    }
}

/// A job whose request the server has got, and the server's end of the connection.
fn begin(
    connector: &Connector,
    destination: Destination,
    streams: &Receiver<TcpStream>,
) -> (ConnectHandle, Receiver<Outcome>, TcpStream) {
    let (job, outcome) = job(destination);
    let handle = connector.connect(job);
    let stream = streams.recv_timeout(LONG).unwrap();
    stream.peek(&mut [0]).unwrap();
    (handle, outcome, stream)
}

/// The server has got `sent` and more, and then the end.
fn expect_closed(mut stream: TcpStream, sent: &[u8]) {
    let mut got = vec![0; sent.len()];
    stream.read_exact(&mut got).unwrap();
    assert_eq!(got, sent);
    read_to_end(&mut stream).unwrap();
}

#[test]
fn while_the_settings_are_read() {
    let connector = connector();
    let (release, hang) = mpsc::channel::<()>();
    let (began, beginning) = mpsc::channel();
    let (mut job, outcome) = job(destination("unused.example", 1));
    job.settings = reading(move || {
        began.send(()).unwrap();
        Err(format!("{:?}", hang.recv()))
    });
    let handle = connector.connect(job);
    beginning.recv_timeout(LONG).unwrap();
    cancel(handle, &outcome);
    drop(release);
}

#[test]
fn before_the_settings_are_read() {
    let connector = connector();
    let (release, hang) = mpsc::channel::<()>();
    let hang = Arc::new(Mutex::new(hang));
    let busy: Vec<_> = (0..MAX_SETTINGS_READERS)
        .map(|_| {
            let hang = hang.clone();
            let (mut job, outcome) = job(destination("unused.example", 1));
            job.settings = reading(move || Err(format!("{:?}", hang.lock().recv())));
            (connector.connect(job), outcome)
        })
        .collect();
    let (mut waiting, outcome) = job(destination("unused.example", 1));
    let (never, dropped) = mpsc::channel::<()>();
    waiting.settings = reading(move || Err(format!("{:?}", never.send(()))));
    let handle = connector.connect(waiting);
    cancel(handle, &outcome);
    // The closure is not kept until a thread is free.
    assert_eq!(dropped.recv_timeout(LONG), Err(RecvTimeoutError::Disconnected));
    drop(release);
    for (_handle, outcome) in &busy {
        outcome.recv_timeout(LONG).unwrap().unwrap_err();
    }
}

#[test]
fn while_the_name_is_looked_up() {
    let look_up = HangingLookUp::start();
    cancel(look_up.handle, &look_up.outcome);
    drop(look_up.release);
}

#[test]
fn while_tcp_connects() {
    let connector = connector();
    let (addr, _kept) = black_hole();
    let (job, outcome) = job(to(addr));
    let handle = connector.connect(job);
    std::thread::sleep(Duration::from_millis(30)); // nothing tells that the SYN is out
    cancel(handle, &outcome);
}

#[test]
fn while_the_proxy_thinks() {
    let connector = connector();
    let (server, streams) = Server::silent();
    let mut destination = destination("app.example", 80);
    let (host, port) = (server.addr.ip().to_string(), server.addr.port());
    destination.client.proxy = Some(Proxy { host, port, credentials: None });
    let (handle, outcome, stream) = begin(&connector, destination, &streams);
    cancel(handle, &outcome);
    expect_closed(stream, b"CONNECT app.example:80 HTTP/1.1\r\n");
}

#[test]
fn while_tls_is_negotiated() {
    let connector = connector();
    let (server, streams) = Server::silent();
    let mut destination = to(server.addr);
    destination.target.tls = true;
    let (handle, outcome, stream) = begin(&connector, destination, &streams);
    cancel(handle, &outcome);
    expect_closed(stream, &xor(CLIENT_HELLO));
}

#[test]
fn while_the_server_thinks_and_by_dropping_the_handle() {
    let connector = connector();
    let (server, streams) = Server::silent();
    let (handle, outcome, stream) = begin(&connector, to(server.addr), &streams);
    drop(handle);
    assert!(matches!(outcome.recv_timeout(LONG), Err(RecvTimeoutError::Disconnected)));
    expect_closed(stream, b"GET /media?call=1 HTTP/1.1\r\n");
}

#[test]
fn between_two_attempts() {
    let connector = connector();
    let (asked, times) = mpsc::channel();
    let server = Server::start(move |_, stream| {
        asked.send(()).unwrap();
        drop(stream);
    });
    let mut destination = to(server.addr);
    destination.client.reconnect_attempts = 2;
    destination.client.reconnect_interval = 6 * LONG;
    let (job, outcome) = job(destination);
    let handle = connector.connect(job);
    times.recv_timeout(LONG).unwrap();
    std::thread::sleep(Duration::from_millis(30)); // nothing tells that the pause has begun
    cancel(handle, &outcome);
    drop(server);
    assert_eq!(times.iter().count(), 0);
}

#[test]
fn a_job_is_cancelled_or_reported_but_never_both_or_neither() {
    let server = Server::start(|_, stream| drop(stream));
    let connector = connector();
    let (mut reported, mut cancelled) = (0, 0);
    for i in 0..200 {
        let (job, outcome) = job(to(server.addr));
        let handle = connector.connect(job);
        std::thread::sleep(Duration::from_micros(i * 5));
        let is_cancelled = handle.cancel();
        match (is_cancelled, outcome.recv_timeout(LONG)) {
            (true, Err(RecvTimeoutError::Disconnected)) => cancelled += 1,
            (false, Ok(_)) => reported += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(reported + cancelled, 200);
}
