//! The end of the connector.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use super::fixture::*;
use crate::net::connector::*;

#[test]
fn jobs_end_with_it_and_later_ones_never_begin() {
    let (server, streams) = Server::silent();
    let connector = connector();
    let (first, outcome) = job(to(server.addr));
    let _handle = connector.connect(first);
    let mut stream = streams.recv_timeout(LONG).unwrap();
    assert_eq!(connector.stop(), StopReport { abandoned: 0 });
    let error = outcome.try_recv().unwrap().unwrap_err();
    assert_eq!(error.to_string(), format!("connection to {} failed: the connector was stopped", server.addr));
    read_to_end(&mut stream).unwrap();

    let (late, outcome) = job(to(server.addr));
    let handle = connector.connect(late);
    assert!(matches!(outcome.try_recv(), Err(mpsc::TryRecvError::Disconnected)));
    assert!(handle.cancel());
    assert_eq!(connector.stop(), StopReport { abandoned: 0 });
}

#[test]
fn a_look_up_that_hangs_is_abandoned_and_its_result_dropped() {
    let HangingLookUp { connector, resolver, release, handle, outcome } = HangingLookUp::start();
    assert_eq!(connector.stop(), StopReport { abandoned: 1 });
    let error = outcome.try_recv().unwrap().unwrap_err();
    assert!(matches!(error.failure, Failure::Stopped));
    drop(handle);
    drop(connector);
    // The thread now ends by itself, and with it what it holds of the resolver.
    drop(release);
    let deadline = std::time::Instant::now() + LONG;
    while Arc::strong_count(&resolver) > 1 {
        assert!(std::time::Instant::now() < deadline, "the thread does not end");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn handles_may_outlive_it() {
    let connector = connector();
    let (server, streams) = Server::silent();
    let (job, outcome) = job(to(server.addr));
    let handle = connector.connect(job);
    let _stream = streams.recv_timeout(LONG).unwrap();
    drop(connector);
    assert!(matches!(outcome.recv_timeout(LONG), Ok(Err(_))));
    assert!(matches!(outcome.recv_timeout(LONG), Err(RecvTimeoutError::Disconnected)));
    assert!(!handle.cancel());
}
