//! Applications that do odd things, or too much of one: every path ends in progress or in sleep.

use std::net::Shutdown;
use std::thread;

use rustix::net::SendFlags;

use super::*;

/// Keeps the one reactor busy, so that what is sent meanwhile is found all at once.
fn hold(reactors: &Reactors) -> Pair {
    let mut holder = pair(reactors, Role::Client, config(), Vec::new());
    holder.app.send(Message::text("sleep 200")).unwrap();
    thread::sleep(Duration::from_millis(50));
    holder
}

#[test]
fn the_end_of_the_stream_behind_more_than_one_turn_reads_is_noticed() {
    let reactors = Reactors::start(1, true).unwrap();
    let mut pair = pair(&reactors, Role::Client, config(), Vec::new());
    let _holder = hold(&reactors);
    for _ in 0..3 {
        pair.app.send(Message::binary(vec![0; 40_000])).unwrap();
    }
    pair.app.get_ref().shutdown(Shutdown::Write).unwrap();
    let end = |told: &Told| matches!(told, Told::Closed(Closed::Lost(_)));
    assert!((0..4).any(|_| end(&pair.told.recv_timeout(PATIENCE).expect("the end"))));
    reactors.stop();
}

#[test]
fn messages_behind_urgent_data_do_not_wait() {
    let reactors = Reactors::start(1, true).unwrap();
    let mut pair = pair(&reactors, Role::Client, config(), Vec::new());
    for _ in 0..2 {
        let _holder = hold(&reactors);
        pair.app.send(Message::text("before")).unwrap();
        // Not part of the stream for who does not ask for it.
        assert_eq!(rustix::net::send(pair.app.get_ref(), b"!", SendFlags::OOB), Ok(1));
        pair.app.send(Message::text("behind")).unwrap();
        pair.expect(&Told::Text("before".into()));
        pair.expect(&Told::Text("behind".into()));
    }
    reactors.stop();
}

#[test]
fn an_application_that_reads_slowly_is_not_given_up() {
    const STEP_BYTES: usize = 32 * 1024;
    let reactors = Reactors::start(1, true).unwrap();
    let config = ConnectionConfig { write_timeout: Duration::from_millis(400), ..config() };
    let mut pair = pair(&reactors, Role::Server, config, Vec::new());
    for number in 0..3000 {
        pair.out.send_text(&format!("{number:16000}"));
    }
    let begin = Instant::now();
    let mut buffer = vec![0; STEP_BYTES];
    while begin.elapsed() < Duration::from_secs(4) {
        pair.app.get_mut().read_exact(&mut buffer).unwrap();
        thread::sleep(Duration::from_millis(50));
        if let Ok(told) = pair.told.try_recv() {
            panic!("{told:?} after {:?}", begin.elapsed());
        }
    }
    reactors.stop();
}

#[test]
fn many_small_messages_keep_the_reactor_from_nobody() {
    let reactors = Reactors::start(1, true).unwrap();
    let mut flood = pair(&reactors, Role::Client, config(), Vec::new());
    let mut neighbour = pair(&reactors, Role::Client, config(), Vec::new());
    // Half a second of work in one read.
    for _ in 0..500 {
        flood.app.write(Message::text("sleep 1")).unwrap();
    }
    flood.app.flush().unwrap();
    thread::sleep(Duration::from_millis(20));
    let begin = Instant::now();
    neighbour.app.send(Message::text("reply here")).unwrap();
    assert_eq!(neighbour.app.read().unwrap(), Message::text("here"));
    let took = begin.elapsed();
    assert!(took < Duration::from_millis(250), "the neighbour waited for {took:?}");
    for _ in 0..500 {
        flood.expect(&Told::Text("sleep 1".into()));
    }
    reactors.stop();
}
