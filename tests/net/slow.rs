//! Applications that read slowly or not at all, and applications that send nothing.

use super::*;

#[test]
fn media_for_an_application_that_does_not_read_is_dropped_and_told_once() {
    const FRAMES: u32 = 300;
    let reactors = Reactors::start(1, true).unwrap();
    let mut pair = pair(&reactors, Role::Server, config(), Vec::new());
    // The out-queue keeps more than the kernel's buffers can grow by before the reactor checks.
    for number in 0..FRAMES {
        let mut frame = vec![0u8; LARGE_FRAME];
        frame[..4].copy_from_slice(&number.to_be_bytes());
        pair.out.send_media(&frame, Duration::from_millis(20));
    }
    pair.out.send_text("an event is never dropped");
    let stalled_by = Instant::now() + PATIENCE;
    while pair.stalls.lock().is_empty() && Instant::now() < stalled_by {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(pair.stalls.lock().first(), Some(&Stall::Begins), "not told while it lasts");
    let mut numbers = Vec::new();
    let event = loop {
        match pair.app.read().unwrap() {
            Message::Binary(frame) => numbers.push(u32::from_be_bytes(frame[..4].try_into().unwrap())),
            Message::Text(text) => break text,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(event.as_str(), "an event is never dropped");
    assert!(numbers.is_sorted() && numbers.first() == Some(&0) && numbers.last() == Some(&(FRAMES - 1)));
    // There is more than one episode if the kernel's buffers grew meanwhile; each frame is reported once.
    let lost = u64::from(FRAMES) - numbers.len() as u64;
    let mut told = 0;
    while told < lost {
        match pair.told.recv_timeout(PATIENCE).unwrap() {
            Told::Dropped(messages) => told += messages,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(told, lost);
    reactors.stop();
    let stalls = pair.stalls.lock();
    assert!(matches!(stalls[1], Stall::Ends(dropped) if dropped > 0 && dropped <= lost), "{stalls:?}");
    let begins = |stall: &Stall| matches!(stall, Stall::Begins);
    assert!(stalls.iter().enumerate().all(|(n, stall)| begins(stall) == n.is_multiple_of(2)), "{stalls:?}");
}

/// Without dropped messages a stall begins after a second. An application that reads everything in time has not
/// stalled.
#[test]
fn a_stall_begins_when_nothing_is_taken_for_a_second() {
    let reactors = Reactors::start(1, true).unwrap();
    let mut pair = pair(&reactors, Role::Server, config(), Vec::new());
    let begun = Instant::now();
    let event = "x".repeat(1 << 20);
    (0..30).for_each(|_| pair.out.send_text(&event));
    while pair.stalls.lock().is_empty() && begun.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(begun.elapsed() >= Duration::from_secs(1), "{:?}", begun.elapsed());
    (0..30).for_each(|_| assert_eq!(pair.app.read().unwrap().len(), 1 << 20));
    // A later message finds that the connection flows again.
    pair.app.send(Message::text("reply ok")).unwrap();
    assert_eq!(pair.app.read().unwrap(), Message::text("ok"));
    assert_eq!(*pair.stalls.lock(), [Stall::Begins, Stall::Ends(0)]);
    reactors.stop();
}

#[test]
fn an_application_that_takes_nothing_is_given_up() {
    let reactors = Reactors::start(1, true).unwrap();
    let config = ConnectionConfig { write_timeout: Duration::from_millis(300), ..config() };
    let pair = pair(&reactors, Role::Server, config, Vec::new());
    let mut neighbour = self::pair(&reactors, Role::Server, self::config(), Vec::new());
    for _ in 0..1000 {
        pair.out.send_media(&[0; 16_000], Duration::from_millis(20));
    }
    let begin = Instant::now();
    let told = loop {
        // Keeps sending, as a call does: whether the application has read what the kernel has taken is unknown.
        pair.out.send_media(&[0; 16_000], Duration::from_millis(20));
        match pair.told.recv_timeout(Duration::from_millis(5)) {
            Ok(Told::Dropped(_)) | Err(_) => assert!(begin.elapsed() < PATIENCE),
            Ok(told) => break told,
        }
    };
    assert!(matches!(told, Told::Closed(Closed::Unresponsive(_))), "{told:?}");
    // The reactor still serves the others while it waits for the end.
    neighbour.still_works();
    reactors.stop();
}

#[test]
fn commands_of_an_application_that_does_not_read_its_answers_wait() {
    let reactors = Reactors::start(1, true).unwrap();
    let mut pair = pair(&reactors, Role::Server, config(), Vec::new());
    let answer = "x".repeat(60_000);
    let command = Message::text(format!("reply {answer}"));
    pair.app.get_ref().set_nonblocking(true).unwrap();
    let begin = Instant::now();
    let mut sent = 0;
    // Until the buffers of both sides are full: the reactor has stopped reading.
    while begin.elapsed() < Duration::from_millis(500) {
        match pair.app.send(command.clone()) {
            Ok(()) => sent += 1,
            Err(Error::Io(error)) if error.kind() == std::io::ErrorKind::WouldBlock => {
                sent += 1;
                break;
            }
            Err(error) => panic!("{error}"),
        }
    }
    // The application reads again, and the outstanding answers are sent as there is room.
    let mut answers = 0;
    while answers < sent {
        assert!(begin.elapsed() < PATIENCE, "{answers} answers to {sent} commands");
        match pair.app.read() {
            Ok(message) => {
                assert_eq!(message.into_text().unwrap().len(), answer.len());
                answers += 1;
            }
            Err(Error::Io(error)) if error.kind() == std::io::ErrorKind::WouldBlock => {
                let _ = pair.app.flush();
                std::thread::sleep(Duration::from_millis(1));
            }
            Err(error) => panic!("{error}"),
        }
    }
    reactors.stop();
}

#[test]
fn pings_are_sent_answered_and_counted() {
    let reactors = Reactors::start(1, true).unwrap();
    let pings = Some(Pings { interval: Duration::from_millis(100), probes: 2 });
    let config = ConnectionConfig { pings, ..config() };
    let mut alive = pair(&reactors, Role::Server, config, Vec::new());
    let mute = pair(&reactors, Role::Server, config, Vec::new());
    for _ in 0..3 {
        assert!(matches!(alive.app.read().unwrap(), Message::Ping(_)));
        alive.app.flush().unwrap();
        while alive.told.recv_timeout(PATIENCE).unwrap() != Told::Pong {}
    }
    mute.expect(&Told::Ping { missed: false });
    mute.expect(&Told::Ping { missed: true });
    let told = mute.told.recv_timeout(PATIENCE).unwrap();
    assert!(matches!(told, Told::Closed(Closed::Unresponsive(_))), "{told:?}");
    alive.app.send(Message::Ping(Bytes::from_static(b"and back"))).unwrap();
    loop {
        match alive.app.read().unwrap() {
            Message::Pong(payload) => break assert_eq!(payload, &b"and back"[..]),
            Message::Ping(_) => {}
            other => panic!("{other:?}"),
        }
    }
    reactors.stop();
}

/// A pong that arrived while the reactor did not run counts, however late its deadline is checked.
#[test]
fn a_reactor_that_was_stopped_reads_before_it_gives_up() {
    let reactors = Reactors::start(1, true).unwrap();
    let pings = Some(Pings { interval: Duration::from_millis(200), probes: 1 });
    let mut alive = pair(&reactors, Role::Server, ConnectionConfig { pings, ..config() }, Vec::new());
    let mut other = pair(&reactors, Role::Server, config(), Vec::new());
    assert!(matches!(alive.app.read().unwrap(), Message::Ping(_)));
    other.app.send(Message::text("sleep 500")).unwrap();
    other.expect(&Told::Text("sleep 500".into()));
    // This also holds after more media than one turn reads.
    for _ in 0..20 {
        alive.app.write(Message::binary(vec![0; 10_000])).unwrap();
    }
    alive.app.flush().unwrap();
    loop {
        match alive.told.recv_timeout(PATIENCE).unwrap() {
            Told::Pong => break,
            Told::Binary(_) | Told::Dropped(_) | Told::Ping { missed: false } => {}
            told => panic!("{told:?}"),
        }
    }
    reactors.stop();
}
