//! How a connection ends.

use super::*;

#[test]
fn the_applications_close_code_comes_back() {
    let reactors = Reactors::start(1, true).unwrap();
    for role in [Role::Server, Role::Client] {
        for code in [1000u16, 1001, 4001] {
            let mut pair = pair(&reactors, role, config(), Vec::new());
            pair.app.close(Some(CloseFrame { code: code.into(), reason: "bye".into() })).unwrap();
            pair.expect(&Told::Closed(Closed::ByPeer { code, reason: "bye".into() }));
            assert_eq!(pair.read_to_end(), (Some(code), true), "{role:?}");
        }
    }
    let mut pair = pair(&reactors, Role::Server, config(), Vec::new());
    pair.app.close(None).unwrap();
    pair.expect(&Told::Closed(Closed::ByPeer { code: 1005, reason: String::new() }));
    assert_eq!(pair.read_to_end(), (None, true));
    reactors.stop();
}

#[test]
fn our_close_follows_the_queued_messages() {
    let reactors = Reactors::start(1, true).unwrap();
    let mut pair = pair(&reactors, Role::Server, config(), Vec::new());
    pair.out.send_text("last words");
    pair.slot.close(1000);
    assert_eq!(pair.app.read().unwrap(), Message::text("last words"));
    assert_eq!(pair.read_to_end(), (Some(1000), true));
    reactors.stop();
}

#[test]
fn an_application_that_never_answers_a_close_is_dropped() {
    let reactors = Reactors::start(1, true).unwrap();
    let config = ConnectionConfig { close_timeout: Duration::from_millis(100), ..config() };
    let mut pair = pair(&reactors, Role::Server, config, Vec::new());
    pair.slot.close(1000);
    let begin = Instant::now();
    let mut rest = Vec::new();
    pair.app.get_mut().read_to_end(&mut rest).unwrap();
    assert_eq!(rest, [0x88, 2, 0x03, 0xe8]);
    assert!(begin.elapsed() < PATIENCE);
    reactors.stop();
}

/// More pings at once than pongs are kept for: the close frame after them is still sent.
#[test]
fn a_close_frame_goes_out_behind_any_number_of_pongs() {
    let reactors = Reactors::start(1, true).unwrap();
    let ping = [&[0x89, 125][..], &[7; 125]].concat();
    let cases: [(&[u8], u16); 2] = [(&[0x83, 0], 1002), (&[0x88, 2, 0x03, 0xe8], 1000)];
    for (end, code) in cases {
        let mut pair = pair(&reactors, Role::Client, config(), Vec::new());
        pair.app.get_mut().write_all(&[&ping.repeat(100)[..], end].concat()).unwrap();
        assert_eq!(pair.read_to_end().0, Some(code));
    }
    reactors.stop();
}

#[test]
fn a_lost_connection_is_told() {
    let reactors = Reactors::start(1, true).unwrap();
    let pair = pair(&reactors, Role::Server, config(), Vec::new());
    drop(pair.app);
    let told = pair.told.recv_timeout(PATIENCE).unwrap();
    assert!(matches!(told, Told::Closed(Closed::Lost(_))), "{told:?}");
    reactors.stop();
}

/// More data than one turn reads, and then the end of TCP: poll reports that only once.
#[test]
fn an_end_behind_much_media_is_seen() {
    let reactors = Reactors::start(1, true).unwrap();
    let mut neighbour = pair(&reactors, Role::Server, config(), Vec::new());
    let mut pair = pair(&reactors, Role::Server, config(), Vec::new());
    let text = "x".repeat(90_000);
    // Makes the receive window grow.
    for _ in 0..30 {
        pair.app.send(Message::text(text.clone())).unwrap();
        pair.expect(&Told::Text(text.clone()));
    }
    // The reactor does not read until all of it has arrived.
    neighbour.app.send(Message::text("sleep")).unwrap();
    neighbour.expect(&Told::Text("sleep".into()));
    pair.app.send(Message::text(text.clone())).unwrap();
    pair.app.get_mut().shutdown(std::net::Shutdown::Write).unwrap();
    pair.expect(&Told::Text(text));
    let told = pair.told.recv_timeout(PATIENCE).expect("the end of TCP was not seen");
    assert!(matches!(told, Told::Closed(Closed::Lost(_))), "{told:?}");
    reactors.stop();
}

#[test]
fn a_panic_ends_its_own_connection_and_no_other() {
    let reactors = Reactors::start(1, true).unwrap();
    let mut neighbour = pair(&reactors, Role::Server, config(), Vec::new());
    let mut pair = pair(&reactors, Role::Server, config(), Vec::new());
    pair.app.send(Message::text("panic")).unwrap();
    pair.expect(&Told::Closed(Closed::Panicked));
    assert_eq!(pair.read_to_end().0, Some(u16::from(CloseCode::Error)));
    neighbour.still_works();
    reactors.stop();
}

#[test]
fn stopping_ends_the_threads_and_the_connections() {
    let reactors = Reactors::start(3, true).unwrap();
    let mut pairs: Vec<Pair> = (0..10).map(|_| pair(&reactors, Role::Server, config(), Vec::new())).collect();
    assert_eq!(reactors.connections().iter().sum::<usize>(), 10);
    reactors.stop();
    for pair in &mut pairs {
        let mut rest = Vec::new();
        assert_eq!(pair.app.get_mut().read_to_end(&mut rest).unwrap(), 0);
    }
}
