//! Many at once.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::fixture::*;
use crate::net::connector::*;

const MANY: usize = 300;

/// Threads of this process with this name.
fn threads_named(name: &str) -> usize {
    let names = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    // A thread may end while we look.
    let names = names.filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
    names.filter(|comm| comm.trim_end() == name).count()
}

/// Both ends of all connections are in this process; the usual limit of 1024 is near.
fn allow_many_descriptors() {
    let hard = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: hard, maximum: hard }).unwrap();
}

#[test]
fn three_hundred_silent_servers_need_one_thread_and_delay_no_other_call() {
    allow_many_descriptors();
    let (silent, streams) = Server::silent();
    let server = Server::start(|_, stream| welcome(stream));
    let connector = Connector::start("ws-test-many").unwrap();
    let timeout = Duration::from_millis(1500);
    let began = Instant::now();
    let waiting: Vec<_> = (0..MANY)
        .map(|_| {
            let mut destination = to(silent.addr);
            destination.client.handshake_timeout = timeout;
            let (job, outcome) = job(destination);
            (connector.connect(job), outcome)
        })
        .collect();
    let streams: Vec<_> = (0..MANY).map(|_| streams.recv_timeout(LONG).unwrap()).collect();
    assert_eq!(threads_named("ws-test-many"), 1);
    let connected = connect(&connector, to(server.addr)).unwrap();
    assert_eq!(connected.leftover, b"hello");
    for (_handle, outcome) in &waiting {
        let error = outcome.recv_timeout(LONG).unwrap().unwrap_err();
        assert!(matches!(error.failure, Failure::HandshakeTimeout { phase: Phase::Upgrade, .. }), "{error}");
    }
    assert!(began.elapsed() >= timeout);
    drop(streams);
}

#[test]
fn many_calls_to_a_port_without_a_listener_have_separate_results() {
    let (addr, _kept) = refusing();
    assert_eq!(addr.ip(), Ipv4Addr::LOCALHOST);
    let connector = connector();
    let waiting: Vec<_> = (0..MANY)
        .map(|_| {
            let mut destination = to(addr);
            destination.client.reconnect_attempts = 2;
            let (job, outcome) = job(destination);
            (connector.connect(job), outcome)
        })
        .collect();
    for (_handle, outcome) in &waiting {
        let error = outcome.recv_timeout(LONG).unwrap().unwrap_err();
        assert_eq!(error.attempts, 2);
    }
}
