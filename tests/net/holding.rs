//! Connections whose call wants no more messages for now.

use super::*;

/// Sends until the buffers of both sides are full. Returns the number of messages.
fn send_until_full(app: &mut WebSocket<TcpStream>, message: &Message) -> usize {
    app.get_ref().set_write_timeout(Some(Duration::from_millis(300))).unwrap();
    for count in 0..10_000 {
        match app.send(message.clone()) {
            Ok(()) => {}
            Err(Error::Io(error)) if error.kind() == std::io::ErrorKind::WouldBlock => return count + 1,
            Err(error) => panic!("{error}"),
        }
    }
    panic!("it is read all the same");
}

fn expect_nothing_told(pair: &Pair, time: Duration) {
    let told = pair.told.recv_timeout(time);
    assert!(told.is_err(), "{told:?}");
}

/// Later messages in the same packet, in the reactor's buffer and in the kernel are delivered when reading continues,
/// complete and in order; and this works repeatedly.
#[test]
fn nothing_is_read_until_the_call_wants_it_and_then_nothing_is_missing() {
    for role in [Role::Server, Role::Client] {
        let reactors = Reactors::start(1, true).unwrap();
        let mut pair = pair(&reactors, role, config(), Vec::new());
        let mut neighbour = self::pair(&reactors, Role::Server, config(), Vec::new());
        for round in 0..3 {
            for number in 0..50_u8 {
                let text = if number == 10 { "enough".to_owned() } else { format!("{round} {number}") };
                pair.app.write(Message::binary(text)).unwrap();
                pair.app.write(Message::text(format!("behind {number}"))).unwrap();
            }
            pair.app.flush().unwrap();
            let expect = |number: u8| {
                let text = if number == 10 { "enough".to_owned() } else { format!("{round} {number}") };
                pair.expect(&Told::Binary(text.into()));
            };
            for number in 0..10 {
                expect(number);
                pair.expect(&Told::Text(format!("behind {number}")));
            }
            expect(10);
            expect_nothing_told(&pair, Duration::from_millis(100));
            neighbour.still_works();
            pair.slot.read_on();
            pair.expect(&Told::Text("behind 10".into()));
            for number in 11..50 {
                expect(number);
                pair.expect(&Told::Text(format!("behind {number}")));
            }
        }
        reactors.stop();
    }
}

/// TCP makes the application wait. The reactor sleeps meanwhile.
#[test]
fn an_application_that_goes_on_sending_has_to_wait() {
    let reactors = Reactors::start(1, true).unwrap();
    let mut pair = pair(&reactors, Role::Server, config(), Vec::new());
    pair.app.send(Message::text("thread")).unwrap();
    pair.expect(&Told::Text("thread".into()));
    let thread = pair.app.read().unwrap().into_text().unwrap();
    pair.app.send(Message::binary("enough")).unwrap();
    pair.expect(&Told::Binary("enough".into()));
    let message = Message::text("x".repeat(50_000));
    let sent = send_until_full(&mut pair.app, &message);
    let before = thread_time(&thread);
    expect_nothing_told(&pair, Duration::from_millis(500));
    let spent = thread_time(&thread) - before;
    assert!(spent < Duration::from_millis(50), "the reactor was busy for {spent:?}");
    pair.slot.read_on();
    pair.app.get_ref().set_write_timeout(Some(PATIENCE)).unwrap();
    pair.app.flush().unwrap();
    for _ in 0..sent {
        pair.expect(&Told::Text("x".repeat(50_000)));
    }
    reactors.stop();
}

/// The processor time that the thread has used so far.
fn thread_time(thread: &str) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/self/task/{thread}/schedstat")).unwrap();
    Duration::from_nanos(stat.split(' ').next().unwrap().parse().unwrap())
}

/// An application that waits in a write neither reads nor answers, and is not given up for either.
#[test]
fn its_silence_does_not_count_while_it_is_not_read() {
    let reactors = Reactors::start(1, true).unwrap();
    let pings = Some(Pings { interval: Duration::from_millis(100), probes: 2 });
    let config = ConnectionConfig { pings, write_timeout: Duration::from_millis(300), ..config() };
    let mut pair = pair(&reactors, Role::Server, config, Vec::new());
    pair.app.send(Message::binary("enough")).unwrap();
    pair.expect(&Told::Binary("enough".into()));
    // Events pile up, because the application reads none of them.
    let event = "x".repeat(1 << 20);
    (0..20).for_each(|_| pair.out.send_text(&event));
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(1000) {
        let told = pair.told.recv_timeout(Duration::from_millis(50));
        assert!(told.is_err(), "{told:?}");
    }
    pair.slot.read_on();
    // From now on its silence counts again.
    let read_on = Instant::now();
    let told = loop {
        match pair.told.recv_timeout(PATIENCE).unwrap() {
            Told::Ping { .. } => {}
            told => break told,
        }
    };
    assert!(matches!(told, Told::Closed(Closed::Unresponsive(_))), "{told:?}");
    assert!(read_on.elapsed() >= Duration::from_millis(150), "{:?}", read_on.elapsed());
    reactors.stop();
}

#[test]
fn an_end_is_seen_while_it_is_not_read() {
    let reactors = Reactors::start(1, true).unwrap();
    for goes in ["closes", "is reset", "is closed by us", "closes in order"] {
        let mut pair = pair(&reactors, Role::Server, config(), Vec::new());
        pair.app.send(Message::binary("enough")).unwrap();
        pair.expect(&Told::Binary("enough".into()));
        pair.app.send(Message::binary("enough behind it")).unwrap();
        expect_nothing_told(&pair, Duration::from_millis(50));
        match goes {
            "closes in order" => {
                pair.app.close(None).unwrap();
                pair.app.get_ref().shutdown(std::net::Shutdown::Write).unwrap();
                pair.expect(&Told::Binary("enough behind it".into()));
                pair.expect(&Told::Closed(Closed::ByPeer { code: 1005, reason: String::new() }));
            }
            "is closed by us" => {
                pair.slot.close(1000);
                pair.expect(&Told::Closed(Closed::ByUs(1000)));
                assert_eq!(pair.read_to_end(), (Some(1000), true));
            }
            _ => {
                if goes == "is reset" {
                    reset_on_close(pair.app.get_ref());
                }
                let Pair { app, told, .. } = pair;
                drop(app);
                let closed = loop {
                    match told.recv_timeout(PATIENCE).expect(goes) {
                        Told::Binary(_) => {}
                        told => break told,
                    }
                };
                assert!(matches!(closed, Told::Closed(Closed::Lost(_))), "{goes}: {closed:?}");
            }
        }
    }
    reactors.stop();
}

/// Makes the close reset the connection.
fn reset_on_close(stream: &TcpStream) {
    rustix::net::sockopt::set_socket_linger(stream, Some(Duration::ZERO)).unwrap();
}

/// The call is called back once, after the time that it asked for, whether the connection is read meanwhile or not.
#[test]
fn a_call_is_called_back() {
    let reactors = Reactors::start(1, true).unwrap();
    let mut pair = pair(&reactors, Role::Server, config(), Vec::new());
    for then in ["", "enough"] {
        let begun = Instant::now();
        pair.app.send(Message::binary("call back")).unwrap();
        pair.expect(&Told::Binary("call back".into()));
        if !then.is_empty() {
            pair.app.send(Message::binary(then)).unwrap();
            pair.expect(&Told::Binary(then.into()));
        }
        pair.expect(&Told::CalledBack);
        assert!(begun.elapsed() >= Duration::from_millis(50), "{:?}", begun.elapsed());
        expect_nothing_told(&pair, Duration::from_millis(150));
    }
    reactors.stop();
}
