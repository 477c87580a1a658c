//! Servers that behave well.

use std::io::{Read, Write};
use std::net::{Ipv6Addr, TcpListener};

use super::fixture::*;
use crate::net::connector::ConnectSettings;

#[test]
fn a_websocket_opens_and_carries_bytes_both_ways() {
    let (request_of, requests) = std::sync::mpsc::channel();
    let server = Server::start(move |_, mut stream| {
        let request = read_head(&mut stream);
        let answer = switching(&request, "Sec-WebSocket-Protocol: media\r\n");
        stream.write_all(answer.as_bytes()).unwrap();
        request_of.send(request).unwrap();
        let mut ping = [0; 4];
        stream.read_exact(&mut ping).unwrap();
        stream.write_all(&ping).unwrap();
        linger(stream);
    });
    let connector = connector();
    let mut destination = to(server.addr);
    destination.client.username = "user".into();
    destination.client.password = "secret".into();
    let connected = connect(&connector, destination).unwrap();
    assert_eq!(connected.peer, server.addr);
    assert_eq!(connected.subprotocol.as_deref(), Some("media"));
    assert_eq!(connected.leftover, b"");
    assert_eq!(connected.settings.protocols, "media");
    assert!(!format!("{connected:?}").contains("secret"));

    let request = requests.recv_timeout(LONG).unwrap();
    assert!(request.starts_with("GET /media?call=1 HTTP/1.1\r\n"), "{request}");
    assert_eq!(header(&request, "Host"), Some(server.addr.to_string().as_str()));
    assert_eq!(header(&request, "Authorization"), Some("Basic dXNlcjpzZWNyZXQ="));
    assert_eq!(header(&request, "Sec-WebSocket-Protocol"), Some("media"));

    assert_eq!(connected.transport.send(b"ping").unwrap(), 4);
    assert_eq!(recv_exact(&*connected.transport, 4), b"ping");
}

#[test]
fn only_settings_that_are_not_in_memory_need_a_helper_thread() {
    let plain = Server::start(|_, stream| welcome(stream));
    let secure = Server::start(|_, stream| xor_welcome(stream, true));
    let mut by_tls = to(secure.addr);
    by_tls.target.tls = true;
    let known = |destination| ConnectSettings::Known(Ok(Box::new(destination)));
    let read_later = to(plain.addr);
    for (settings, threads) in [
        (known(to(plain.addr)), 0),
        (reading(move || Ok(read_later)), 1),
        // Certificates are read from files.
        (known(by_tls), 1),
    ] {
        let connector = connector();
        let (mut job, outcome) = job(to(plain.addr));
        job.settings = settings;
        let _handle = connector.connect(job);
        outcome.recv_timeout(LONG).unwrap().unwrap();
        assert_eq!(connector.stats().settings_threads, threads);
    }
}

#[test]
fn the_uris_credentials_come_first_and_half_of_the_clients_are_none() {
    let (request_of, requests) = std::sync::mpsc::channel();
    let server = Server::start(move |_, mut stream| {
        let request = read_head(&mut stream);
        stream.write_all(switching(&request, "").as_bytes()).unwrap();
        request_of.send(request).unwrap();
        linger(stream);
    });
    let connector = connector();
    let user_info = Some(("user".to_owned(), "secret".to_owned()));
    for (user_info, password, expected) in [
        (user_info.clone(), "other", Some("Basic dXNlcjpzZWNyZXQ=")),
        (user_info, "", Some("Basic dXNlcjpzZWNyZXQ=")),
        (None, "", None),
    ] {
        let mut destination = to(server.addr);
        destination.target.user_info = user_info;
        destination.client.username = "other".into();
        destination.client.password = password.into();
        connect(&connector, destination).unwrap();
        assert_eq!(header(&requests.recv_timeout(LONG).unwrap(), "Authorization"), expected);
    }
}

#[test]
fn bytes_in_the_same_segment_as_the_101_are_not_lost() {
    let server = Server::start(|_, stream| welcome(stream));
    let connected = connect(&connector(), to(server.addr)).unwrap();
    // The server sent both with one write; only as much as had arrived is in the leftover.
    let rest = 5 - connected.leftover.len();
    assert_eq!([connected.leftover, recv_exact(&*connected.transport, rest)].concat(), b"hello");
    assert_eq!(rest, 0, "one segment was read in two pieces");
}

#[test]
fn an_answer_may_come_byte_by_byte() {
    let server = Server::start(|_, mut stream| {
        let request = read_head(&mut stream);
        for byte in switching(&request, "").into_bytes() {
            stream.write_all(&[byte]).unwrap();
            std::thread::yield_now();
        }
        stream.write_all(b"hello").unwrap();
        linger(stream);
    });
    let connected = connect(&connector(), to(server.addr)).unwrap();
    let rest = 5 - connected.leftover.len();
    assert_eq!([connected.leftover, recv_exact(&*connected.transport, rest)].concat(), b"hello");
}

#[test]
fn a_name_is_looked_up() {
    let server = Server::start(|_, stream| welcome(stream));
    // localhost may have an IPv6 address, too, without a listener.
    let connected = connect(&connector(), destination("localhost", server.addr.port())).unwrap();
    assert_eq!(connected.peer, server.addr);
}

#[test]
fn an_ipv6_literal_works() {
    let Ok(listener) = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) else {
        eprintln!("no IPv6 on this machine: not tested");
        return;
    };
    let addr = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        let request = read_head(&mut stream);
        stream.write_all(switching(&request, "").as_bytes()).unwrap();
        request
    });
    let connected = connect(&connector(), to(addr)).unwrap();
    assert_eq!(connected.peer, addr);
    assert_eq!(header(&server.join().unwrap(), "Host"), Some(format!("[::1]:{}", addr.port()).as_str()));
}

#[test]
fn a_handle_that_outlives_its_job_cancels_nothing() {
    let server = Server::start(|_, stream| welcome(stream));
    let connector = connector();
    let (job, outcome) = job(to(server.addr));
    let handle = connector.connect(job);
    let connected = outcome.recv_timeout(LONG).unwrap().unwrap();
    assert!(!handle.cancel());
    drop(handle);
    assert_eq!(connected.leftover, b"hello");
}

/// Whether a descriptor is in any epoll of this process (proc_pid_fdinfo(5)).
fn is_in_an_epoll(fd: i32) -> bool {
    let infos = std::fs::read_dir("/proc/self/fdinfo").unwrap().flatten();
    let infos = infos.filter_map(|info| std::fs::read_to_string(info.path()).ok());
    let targets = infos.flat_map(|info| info.lines().map(str::to_owned).collect::<Vec<_>>());
    let mut targets =
        targets.filter_map(|line| line.strip_prefix("tfd:")?.split_whitespace().next()?.parse().ok());
    targets.any(|target: i32| target == fd)
}

#[test]
fn an_open_websocket_wakes_the_connector_no_more() {
    let server = Server::start(|_, stream| welcome(stream));
    let connector = connector();
    let connected = connect(&connector, to(server.addr)).unwrap();
    assert!(!is_in_an_epoll(connected.transport.as_raw_fd()));

    let poll = mio::Poll::new().unwrap();
    let fd = connected.transport.as_raw_fd();
    let (token, interest) = (mio::Token(0), mio::Interest::READABLE);
    poll.registry().register(&mut mio::unix::SourceFd(&fd), token, interest).unwrap();
    assert!(is_in_an_epoll(fd), "the test cannot tell");
}
