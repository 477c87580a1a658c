//! The timers of a call that has lost its connection: its next attempt, and the end of its wait.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::call::role::CallRole;
use crate::net::connector::{ConnectError, jitter};
use crate::net::task_thread::TimerKey;

/// The first attempt is made within this time, so that the calls of a server that went away do not all connect at once.
const FIRST_ATTEMPT: Duration = Duration::from_millis(100);

/// The shortest pause between two attempts. `reconnect_interval` may be 0, which suits a few attempts, not minutes of
/// them.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);

/// The pause between two attempts if the settings cannot be read; `reconnect_interval`'s default.
const UNKNOWN_PAUSE: Duration = Duration::from_millis(500);

/// How long after the loss the first attempt is made.
pub fn first_pause() -> Duration {
    jitter(FIRST_ATTEMPT)
}

/// How long after a failed attempt, or a claim that led to no connection, the next attempt is made.
pub fn pause_after(error: Option<&ConnectError>) -> Duration {
    let pause = error.and_then(|error| error.pause_ms);
    let pause = pause.map_or(UNKNOWN_PAUSE, |ms| Duration::from_millis(ms.get().into())).max(SHORTEST_PAUSE);
    pause + jitter(pause)
}

/// The timers of a call that waits. Any thread.
#[derive(Debug, Default)]
pub struct Waits(Mutex<WaitTimers>);

#[derive(Debug, Default)]
struct WaitTimers {
    /// The end of the wait.
    deadline: Option<Instant>,
    /// The next attempt.
    attempt: Option<Instant>,
}

impl Waits {
    /// The connection is lost, and the call waits until then.
    pub fn begin(&self, until: Instant) {
        self.0.lock().deadline = Some(until);
    }

    /// When an attempt is to be made, if Asterisk makes the attempts and that time is not too late.
    pub fn attempt_at(&self, role: CallRole, at: Instant, until: Instant) -> Option<Instant> {
        let at = (role == CallRole::Outgoing && at < until).then_some(at)?;
        self.0.lock().attempt = Some(at);
        Some(at)
    }

    /// The call `number` waits no more: returns the timers that are to be cancelled.
    pub fn end(&self, number: u64) -> impl Iterator<Item = TimerKey> + use<> {
        let WaitTimers { deadline, attempt } = std::mem::take(&mut *self.0.lock());
        [deadline, attempt].into_iter().flatten().map(move |at| (at, number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn an_outgoing_call_tries_again_while_it_waits() {
        let (now, waits) = (Instant::now(), Waits::default());
        let until = now + 2 * SECOND;
        assert_eq!(waits.attempt_at(CallRole::Outgoing, now + SECOND, until), Some(now + SECOND));
        assert_eq!(waits.attempt_at(CallRole::Outgoing, until, until), None, "too late");
        assert_eq!(waits.attempt_at(CallRole::Incoming, now + SECOND, until), None, "its application comes");
    }

    #[test]
    fn the_deadlines_of_a_wait_are_cancelled_once() {
        let (now, waits) = (Instant::now(), Waits::default());
        waits.begin(now + 2 * SECOND);
        waits.attempt_at(CallRole::Outgoing, now + SECOND, now + 2 * SECOND);
        assert_eq!(waits.end(7).collect::<Vec<_>>(), [(now + 2 * SECOND, 7), (now + SECOND, 7)]);
        assert_eq!(waits.end(7).count(), 0);
    }

    #[test]
    fn pauses_are_within_their_bounds() {
        for _ in 0..100 {
            assert!(first_pause() <= FIRST_ATTEMPT);
            assert!((UNKNOWN_PAUSE..=2 * UNKNOWN_PAUSE).contains(&pause_after(None)));
        }
    }
}
