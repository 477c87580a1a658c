//! The common tick: when calls' clocks fire, and when a busy reactor sweeps its sockets.
//!
//! Waking a sleeping processor costs several times the work that is then done for one call. So all calls' clocks fire
//! at multiples of [`CLOCK_GRID`], and a reactor with much to do sweeps all its sockets while the channels' threads
//! keep the processor awake anyway, instead of waking for every message. This file only calculates times on
//! `CLOCK_MONOTONIC`.

use std::time::Duration;

use crate::mono_time::MonoTime;

/// Clocks fire at multiples of this. A longer one saves hardly more and delays media by up to its length.
pub const CLOCK_GRID: Duration = Duration::from_millis(5);

/// A busy reactor sweeps this long after a tick. A sweep before the tick would save half a tick's delay, but it would
/// wake the processor a second time, which costs about as much as the common tick saves.
const SWEEP_LAG: Duration = Duration::from_micros(250);

/// When a busy reactor is to sweep its sockets next, after `now`.
pub fn next_sweep(now: MonoTime) -> MonoTime {
    let tick = u64::try_from(CLOCK_GRID.as_nanos()).unwrap_or(u64::MAX);
    let sweep = now - Duration::from_nanos(now.as_nanos() % tick) + SWEEP_LAG;
    if sweep > now { sweep } else { sweep + CLOCK_GRID }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_sweep_follows_each_tick() {
        for (now, sweep) in [(0, 250), (249, 250), (250, 5250), (4999, 5250), (5000, 5250), (5251, 10_250)] {
            let [now, sweep] = [now, sweep].map(|us| MonoTime::from_nanos((20_000 + us) * 1000));
            assert_eq!(next_sweep(now), sweep, "{now:?}");
        }
    }
}
