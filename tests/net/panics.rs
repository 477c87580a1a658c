//! A panic on a reactor's thread, outside the call's own code, ends only the affected connection.

use std::io;
use std::os::fd::RawFd;

use super::*;

/// The function of a transport that panics, on a reactor's thread only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Recv,
    Send,
    Descriptor,
    Shutdown,
    Close,
}

#[derive(Debug)]
struct Faulty {
    inner: PlainTransport,
    part: Part,
}

impl Faulty {
    fn meets(&self, part: Part) {
        let is_reactor = std::thread::current().name().is_some_and(|name| name.starts_with("ws-reactor"));
        assert!(!is_reactor || self.part != part, "{part:?}, as the test asked for");
    }
}

impl Transport for Faulty {
    fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.meets(Part::Recv);
        self.inner.recv(buf)
    }
    fn send(&self, buf: &[u8]) -> io::Result<usize> {
        self.meets(Part::Send);
        self.inner.send(buf)
    }
    fn shutdown(&self) {
        self.meets(Part::Shutdown);
        self.inner.shutdown();
    }
    fn close(&self) {
        self.meets(Part::Close);
        self.inner.close();
    }
    fn as_raw_fd(&self) -> RawFd {
        self.meets(Part::Descriptor);
        self.inner.as_raw_fd()
    }
    fn concurrent(&self) -> bool {
        true
    }
}

fn faulty(reactors: &Reactors, part: Part) -> Pair {
    pair_over(reactors, Role::Server, config(), Vec::new(), |ours| {
        Arc::new(Faulty { inner: PlainTransport::new(ours).unwrap(), part })
    })
}

/// Waits until the one reactor has this many connections.
fn until_connections(reactors: &Reactors, count: usize) {
    let begin = Instant::now();
    while reactors.connections() != [count] {
        assert!(begin.elapsed() < PATIENCE, "it has {:?} connections", reactors.connections());
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_panic_in_a_turn_ends_that_connection_alone() {
    for part in [Part::Recv, Part::Send, Part::Descriptor] {
        let reactors = Reactors::start(1, true).unwrap();
        let mut neighbour = pair(&reactors, Role::Server, config(), Vec::new());
        neighbour.still_works();
        let mut pair = faulty(&reactors, part);
        // With some parts the connection has already ended.
        let _ = pair.app.send(Message::Ping(Bytes::from_static(b"?")));
        pair.expect(&Told::Closed(Closed::Panicked));
        pair.read_to_end();
        neighbour.still_works();
        until_connections(&reactors, 1);
        reactors.stop();
    }
}

/// A panic while a connection ends, when its call already knows of the end.
#[test]
fn a_panic_at_the_end_leaves_the_reactor_at_work() {
    for part in [Part::Shutdown, Part::Close] {
        let reactors = Reactors::start(1, true).unwrap();
        let mut neighbour = pair(&reactors, Role::Server, config(), Vec::new());
        let mut pair = faulty(&reactors, part);
        pair.app.close(Some(CloseFrame { code: CloseCode::Normal, reason: "".into() })).unwrap();
        pair.expect(&Told::Closed(Closed::ByPeer { code: 1000, reason: String::new() }));
        pair.read_to_end();
        drop(pair);
        neighbour.still_works();
        until_connections(&reactors, 1);
        reactors.stop();
    }
}

/// Each of many connections has a panic; every new one is still served.
#[test]
fn a_reactor_survives_any_number_of_panics() {
    let reactors = Reactors::start(1, true).unwrap();
    for _ in 0..50 {
        let mut pair = faulty(&reactors, Part::Recv);
        let _ = pair.app.send(Message::text("anything"));
        pair.expect(&Told::Closed(Closed::Panicked));
    }
    until_connections(&reactors, 0);
    pair(&reactors, Role::Server, config(), Vec::new()).still_works();
    reactors.stop();
}
