//! Attempts and the interval between them.

use std::io::Write;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::fixture::*;
use crate::net::connector::*;

const INTERVAL: Duration = Duration::from_millis(80);

fn three_attempts(server: &Server) -> Destination {
    let mut destination = to(server.addr);
    destination.client.reconnect_attempts = 3;
    destination.client.reconnect_interval = INTERVAL;
    destination
}

/// Answers with each of these, then as asked; reports when it was asked.
fn server(answers: &'static [&'static str]) -> (Server, mpsc::Receiver<Instant>) {
    let (asked, times) = mpsc::channel();
    let server = Server::start(move |number, mut stream| {
        asked.send(Instant::now()).unwrap();
        let request = read_head(&mut stream);
        let answer =
            answers.get(number).map_or_else(|| switching(&request, ""), |answer| (*answer).to_owned());
        stream.write_all(answer.as_bytes()).unwrap();
        linger(stream);
    });
    (server, times)
}

#[test]
fn as_many_attempts_as_configured_with_the_interval_between() {
    let (server, times) = server(&["HTTP/1.1 503 Busy\r\n\r\n"; 4]);
    let connector = connector();
    let error = connect(&connector, three_attempts(&server)).unwrap_err();
    let stats = connector.stats();
    assert_eq!((stats.attempts_failed, stats.connected, stats.failed, stats.under_way), (3, 0, 1, 0));
    let addr = server.addr;
    assert_eq!(
        error.to_string(),
        format!(
            "connection to {addr} failed 3 times, at last: no WebSocket at {addr}: the server failed (503 Busy)"
        )
    );
    drop(server);
    let times: Vec<Instant> = times.iter().collect();
    assert_eq!(times.len(), 3);
    for pair in times.windows(2) {
        assert!(pair[1] - pair[0] >= INTERVAL, "{:?}", pair[1] - pair[0]);
    }
}

#[test]
fn an_attempt_that_succeeds_is_the_last() {
    let (server, times) = server(&["HTTP/1.1 503 Busy\r\n\r\n", "garbage"]);
    let connector = connector();
    connect(&connector, three_attempts(&server)).unwrap();
    drop(server);
    let stats = ConnectorStats { resolver_threads: 0, settings_threads: 0, ..connector.stats() };
    let expected = ConnectorStats {
        attempts: 3,
        addresses: 3,
        attempts_failed: 2,
        connected: 1,
        ..ConnectorStats::default()
    };
    assert_eq!(stats, expected);
    assert_eq!(times.iter().count(), 3);
}

#[test]
fn answers_that_will_not_change_are_final() {
    for answer in [
        &["HTTP/1.1 302 Found\r\n\r\n"; 3],
        &["HTTP/1.1 400 Bad Request\r\n\r\n"; 3],
        &["HTTP/1.1 401 Unauthorized\r\n\r\n"; 3],
        &["HTTP/1.1 403 Forbidden\r\nRetry-After: 1\r\n\r\n"; 3],
    ] {
        let (server, times) = server(answer);
        let error = connect(&connector(), three_attempts(&server)).unwrap_err();
        assert!(error.failure.is_final(), "{error}");
        drop(server);
        assert_eq!(times.iter().count(), 1, "{error}");
    }
}

#[test]
fn answers_of_the_moment_are_not_final() {
    for answer in [
        &["HTTP/1.1 404 Not Found\r\n\r\n"; 2],
        &["HTTP/1.1 408 Request Timeout\r\n\r\n"; 2],
        &["HTTP/1.1 425 Too Early\r\n\r\n"; 2],
        &["HTTP/1.1 429 Too Many Requests\r\n\r\n"; 2],
        &["HTTP/1.1 502 Bad Gateway\r\n\r\n"; 2],
        &["HTTP/1.1 999 No Status\r\n\r\n"; 2],
    ] {
        let (server, times) = server(answer);
        connect(&connector(), three_attempts(&server)).unwrap();
        drop(server);
        assert_eq!(times.iter().count(), 3, "{answer:?}");
    }
}

#[test]
fn retry_after_stretches_the_interval_up_to_ten_times() {
    for (answer, pause) in [
        (&["HTTP/1.1 503 Busy\r\nRetry-After: 3600\r\n\r\n"; 1], 10 * INTERVAL),
        (&["HTTP/1.1 404 Not Found\r\nRetry-After: Fri, 31 Dec 9999 23:59:59 GMT\r\n\r\n"; 1], 10 * INTERVAL),
        (&["HTTP/1.1 503 Busy\r\nRetry-After: 0\r\n\r\n"; 1], INTERVAL),
        (&["HTTP/1.1 503 Busy\r\nRetry-After: tomorrow\r\n\r\n"; 1], INTERVAL),
    ] {
        let (server, times) = server(answer);
        connect(&connector(), three_attempts(&server)).unwrap();
        drop(server);
        let times: Vec<Instant> = times.iter().collect();
        assert_eq!(times.len(), 2);
        assert!(times[1] - times[0] >= pause, "{:?} after {answer:?}", times[1] - times[0]);
    }
}

#[test]
fn a_refused_port_is_tried_again() {
    let (addr, _kept) = refusing();
    let mut destination = to(addr);
    destination.client.reconnect_attempts = 4;
    let error = connect(&connector(), destination).unwrap_err();
    assert!(error.to_string().contains("failed 4 times, at last: TCP connection"), "{error}");
}

#[test]
fn zero_attempts_are_one() {
    let (server, times) = server(&[]);
    let mut destination = to(server.addr);
    destination.client.reconnect_attempts = 0;
    connect(&connector(), destination).unwrap();
    drop(server);
    assert_eq!(times.iter().count(), 1);
}

#[test]
fn each_attempt_has_its_own_handshake_timeout() {
    let (server, _streams) = Server::silent();
    let mut destination = three_attempts(&server);
    destination.client.handshake_timeout = Duration::from_millis(60);
    let began = Instant::now();
    let error = connect(&connector(), destination).unwrap_err();
    assert_eq!(error.attempts, 3);
    assert!(began.elapsed() >= 3 * Duration::from_millis(60) + 2 * INTERVAL);
}
