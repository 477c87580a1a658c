//! The watchdog over a reactor with a stuck callback, and over an idle one.

use chan_websocket::net::watchdog::{Patience, Watchdog};

use super::*;

const PERIOD: Duration = Duration::from_millis(50);
const LIMIT: Duration = Duration::from_secs(1);

/// A connection whose reactor the watchdog watches, as for one call.
struct WatchedThread {
    reactors: Reactors,
    watchdog: Watchdog,
    pair: Pair,
}

impl WatchedThread {
    fn start(threads: usize) -> Self {
        let reactors = Reactors::start(threads, true).unwrap();
        let patience = Patience { period: PERIOD, late: LIMIT, limit: LIMIT };
        let watchdog = Watchdog::start(reactors.watched().collect(), patience).unwrap();
        let pair = pair(&reactors, Role::Server, config(), Vec::new());
        watchdog.count_call();
        Self { reactors, watchdog, pair }
    }

    /// Waits until this many threads are stuck. Returns how long that took.
    fn until_stuck(&self, count: usize) -> Duration {
        let begin = Instant::now();
        while self.watchdog.stuck() != count {
            assert!(begin.elapsed() < PATIENCE, "{} threads are stuck", self.watchdog.stuck());
            std::thread::sleep(Duration::from_millis(10));
        }
        begin.elapsed()
    }

    fn stop(self) {
        self.watchdog.stop();
        self.reactors.stop();
    }
}

#[test]
fn a_stalled_callback_is_reported_and_so_is_its_end() {
    let mut call = WatchedThread::start(2);
    call.pair.app.send(Message::text("sleep 2500")).unwrap();
    assert!(call.until_stuck(1) >= LIMIT);
    call.until_stuck(0);
    call.pair.expect(&Told::Text("sleep 2500".into()));
    call.stop();
}

#[test]
fn an_idle_thread_does_not_stall() {
    let mut call = WatchedThread::start(1);
    for _ in 0..2 {
        let begin = Instant::now();
        while begin.elapsed() < 2 * LIMIT {
            assert_eq!(call.watchdog.stuck(), 0);
            std::thread::sleep(PERIOD);
        }
        call.pair.app.send(Message::binary(vec![0; 160])).unwrap();
        assert_eq!(call.pair.app.read().unwrap(), Message::binary(vec![0; 160]));
    }
    call.stop();
}

#[test]
fn what_remains_of_calls_is_watched_to_its_end() {
    let mut call = WatchedThread::start(1);
    call.pair.app.send(Message::text("sleep 2500")).unwrap();
    // The call is over, but its connection is not.
    call.watchdog.forget_call();
    call.until_stuck(1);
    call.until_stuck(0);
    call.stop();
}
