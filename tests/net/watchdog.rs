//! The watchdog over a reactor whose callback stands still, and over one that has nothing to do.

use chan_websocket::net::watchdog::{Patience, Watchdog};

use super::*;

const PERIOD: Duration = Duration::from_millis(50);
const LIMIT: Duration = Duration::from_secs(1);

fn watch(reactors: &Reactors) -> Watchdog {
    let patience = Patience { period: PERIOD, late: LIMIT, limit: LIMIT };
    Watchdog::start(reactors.watched().collect(), patience).unwrap()
}

/// Waits until so many threads stand still; how long that took.
fn until_stuck(watchdog: &Watchdog, count: usize) -> Duration {
    let begin = Instant::now();
    while watchdog.stuck() != count {
        assert!(begin.elapsed() < PATIENCE, "{} threads are stuck", watchdog.stuck());
        std::thread::sleep(Duration::from_millis(10));
    }
    begin.elapsed()
}

#[test]
fn a_callback_that_stands_still_is_found_and_found_to_go_on() {
    let reactors = Reactors::start(2, true).unwrap();
    let watchdog = watch(&reactors);
    let mut pair = pair(&reactors, Role::Server, config(), Vec::new());
    watchdog.count_call();
    pair.app.send(Message::text("sleep 2500")).unwrap();
    assert!(until_stuck(&watchdog, 1) >= LIMIT);
    until_stuck(&watchdog, 0);
    pair.expect(&Told::Text("sleep 2500".into()));
    watchdog.stop();
    reactors.stop();
}

#[test]
fn who_has_nothing_to_do_does_not_stand_still() {
    let reactors = Reactors::start(1, true).unwrap();
    let watchdog = watch(&reactors);
    let mut pair = pair(&reactors, Role::Server, config(), Vec::new());
    watchdog.count_call();
    for _ in 0..2 {
        let begin = Instant::now();
        while begin.elapsed() < 2 * LIMIT {
            assert_eq!(watchdog.stuck(), 0);
            std::thread::sleep(PERIOD);
        }
        pair.app.send(Message::binary(vec![0; 160])).unwrap();
        assert_eq!(pair.app.read().unwrap(), Message::binary(vec![0; 160]));
    }
    watchdog.stop();
    reactors.stop();
}

#[test]
fn what_remains_of_calls_is_watched_to_its_end() {
    let reactors = Reactors::start(1, true).unwrap();
    let watchdog = watch(&reactors);
    let mut pair = pair(&reactors, Role::Server, config(), Vec::new());
    watchdog.count_call();
    pair.app.send(Message::text("sleep 2500")).unwrap();
    // The call is over, its connection is not.
    watchdog.forget_call();
    until_stuck(&watchdog, 1);
    until_stuck(&watchdog, 0);
    watchdog.stop();
    reactors.stop();
}
