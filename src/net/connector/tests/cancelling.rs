//! Cancelling, at every stage: the result never comes, and what was under way ends at once.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use super::fixture::*;
use crate::net::connector::*;
use crate::settings::client::Proxy;

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

/// The rest of the stream is a close frame with code 1000, masked, and an end without a reset.
#[track_caller]
fn expect_close_frame(stream: &mut TcpStream) {
    let rest = read_to_end(stream).unwrap();
    let &[0x88, 0x82, k0, k1, _, _, high, low] = &rest[..] else { panic!("{rest:?}") };
    assert_eq!(u16::from_be_bytes([high ^ k0, low ^ k1]), 1000);
}

#[test]
fn a_server_that_accepts_afterwards_gets_a_close_frame() {
    let connector = connector();
    let (server, streams) = Server::silent();
    let (handle, outcome, mut stream) = begin(&connector, to(server.addr), &streams);
    cancel(handle, &outcome);
    let request = read_head(&mut stream);
    // And what it sends already is read, so that the connection is not reset.
    stream.write_all((switching(&request, "") + "hello").as_bytes()).unwrap();
    expect_close_frame(&mut stream);
    assert_eq!(connector.stats().cancelled, 1);
}

#[test]
fn a_server_behind_tls_that_accepts_afterwards_gets_a_close_frame() {
    let connector = connector();
    let (server, streams) = Server::silent();
    let mut destination = to(server.addr);
    destination.target.tls = true;
    let (handle, outcome, mut stream) = begin(&connector, destination, &streams);
    stream.read_exact(&mut [0; CLIENT_HELLO.len()]).unwrap();
    stream.write_all(&xor(SERVER_HELLO)).unwrap();
    let request = xor_read_head(&mut stream);
    cancel(handle, &outcome);
    stream.write_all(&xor(switching(&request, "").as_bytes())).unwrap();
    let rest = xor(&read_to_end(&mut stream).unwrap());
    assert_eq!(rest.get(..2), Some(&[0x88, 0x82][..]), "{rest:?}");
}

#[test]
fn tls_is_brought_to_its_end_and_nothing_is_asked_for() {
    let connector = connector();
    let (server, streams) = Server::silent();
    let mut destination = to(server.addr);
    destination.target.tls = true;
    let (handle, outcome, mut stream) = begin(&connector, destination, &streams);
    cancel(handle, &outcome);
    stream.write_all(&xor(SERVER_HELLO)).unwrap();
    assert_eq!(read_to_end(&mut stream).unwrap(), xor(CLIENT_HELLO));
}

#[test]
fn a_server_that_refuses_afterwards_gets_the_end_of_the_stream() {
    let connector = connector();
    let (server, streams) = Server::silent();
    let (handle, outcome, mut stream) = begin(&connector, to(server.addr), &streams);
    cancel(handle, &outcome);
    read_head(&mut stream);
    let page = vec![b'x'; 20_000];
    stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 20000\r\n\r\n").unwrap();
    stream.write_all(&page).unwrap();
    assert_eq!(read_to_end(&mut stream).unwrap(), b"");
}

#[test]
fn a_server_that_never_stops_talking_is_not_heard_out() {
    let connector = connector();
    let (server, streams) = Server::silent();
    let (handle, outcome, mut stream) = begin(&connector, to(server.addr), &streams);
    cancel(handle, &outcome);
    let request = read_head(&mut stream);
    stream.write_all(switching(&request, "").as_bytes()).unwrap();
    while stream.write_all(&[0; 65_536]).is_ok() {}
}

/// A connector whose thread is blocked in a job's `on_done` until the sender is dropped.
fn stopped(connector: &Connector) -> (ConnectHandle, mpsc::Sender<()>) {
    let server = Server::start(|_, stream| welcome(stream));
    let (mut blocking, _) = job(to(server.addr));
    let ((reached, there), (release, hang)) = (mpsc::channel(), mpsc::channel::<()>());
    blocking.on_done = Box::new(move |_| {
        reached.send(()).unwrap();
        let _ = hang.recv();
    });
    let handle = connector.connect(blocking);
    there.recv_timeout(LONG).unwrap();
    (handle, release)
}

/// Two servers that are dialled at once race; this is the server that answers a moment later.
#[test]
fn a_server_whose_answer_is_there_and_unread_gets_a_close_frame() {
    let connector = connector();
    let (server, streams) = Server::silent();
    let (handle, outcome, mut stream) = begin(&connector, to(server.addr), &streams);
    let (_stopped, release) = stopped(&connector);
    let request = read_head(&mut stream);
    stream.write_all((switching(&request, "") + "hello").as_bytes()).unwrap();
    assert!(handle.cancel());
    drop(release);
    expect_close_frame(&mut stream);
    assert!(outcome.recv_timeout(LONG).is_err());
}

/// The same, but the connector does not know of the cancellation yet when it reads the answer.
#[test]
fn a_server_whose_answer_is_read_in_that_moment_gets_a_close_frame() {
    let connector = connector();
    let (first, first_streams) = Server::silent();
    let (server, streams) = Server::silent();
    let (mut winner, _) = job(to(first.addr));
    let ((reached, there), (let_go, hang)) = (mpsc::channel(), mpsc::channel::<()>());
    winner.on_done = Box::new(move |_| {
        reached.send(()).unwrap();
        let _ = hang.recv();
    });
    let _winner = connector.connect(winner);
    let mut won = first_streams.recv_timeout(LONG).unwrap();
    let (handle, outcome, mut stream) = begin(&connector, to(server.addr), &streams);
    // Both answers are there when the connector looks next, in this order.
    let (_stopped, release) = stopped(&connector);
    for stream in [&mut won, &mut stream] {
        let request = read_head(stream);
        stream.write_all(switching(&request, "").as_bytes()).unwrap();
    }
    drop(release);
    there.recv_timeout(LONG).unwrap();
    assert!(handle.cancel());
    drop(let_go);
    expect_close_frame(&mut stream);
    assert!(outcome.recv_timeout(LONG).is_err());
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
