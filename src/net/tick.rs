//! The common tick: when calls' clocks fire, and when a busy reactor looks at its sockets.
//!
//! Waking a processor that sleeps costs several times what is then done for one call. So all calls' clocks fire at
//! multiples of [`TICK`], and a reactor with much to do looks at all its sockets while the channels' threads keep the
//! processor awake anyway, instead of waking for every message. Only arithmetic on `CLOCK_MONOTONIC` lives here.

use std::time::Duration;

use rustix::time::{ClockId, Timespec, clock_gettime};

use crate::driver::clock::MonoTime;

/// Clocks fire at multiples of this. A longer one saves hardly more and delays media by up to its length.
pub const TICK: Duration = Duration::from_millis(5);

/// A busy reactor looks so long after a tick. Before the tick it would save half a tick's delay, and cost about as
/// much as all that this saves: it would wake the processor a second time.
const LOOK_LAG: Duration = Duration::from_micros(250);

const NANOS_PER_SEC: u64 = 1_000_000_000;

/// Now, on `CLOCK_MONOTONIC`.
pub fn now() -> MonoTime {
    let time = clock_gettime(ClockId::Monotonic);
    let seconds = time.tv_sec.unsigned_abs().saturating_mul(NANOS_PER_SEC);
    MonoTime::from_nanos(seconds.saturating_add(time.tv_nsec.unsigned_abs()))
}

/// As the kernel's timers take it.
pub fn timespec(time: MonoTime) -> Timespec {
    let nanos = time.as_nanos();
    Timespec {
        tv_sec: i64::try_from(nanos / NANOS_PER_SEC).unwrap_or(i64::MAX),
        tv_nsec: i64::try_from(nanos % NANOS_PER_SEC).unwrap_or(0),
    }
}

/// When a busy reactor is to look at its sockets next, after `now`.
pub fn next_look(now: MonoTime) -> MonoTime {
    let tick = u64::try_from(TICK.as_nanos()).unwrap_or(u64::MAX);
    let look = now - Duration::from_nanos(now.as_nanos() % tick) + LOOK_LAG;
    if look > now { look } else { look + TICK }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_look_follows_each_tick() {
        for (now, look) in [(0, 250), (249, 250), (250, 5250), (4999, 5250), (5000, 5250), (5251, 10_250)] {
            let [now, look] = [now, look].map(|us| MonoTime::from_nanos((20_000 + us) * 1000));
            assert_eq!(next_look(now), look, "{now:?}");
        }
    }
}
