//! Keeps a peer from filling the log with warnings that it can cause at will. Of each kind a few are logged at once,
//! then one per interval, with the number of those that were left out.

use std::time::Duration;

use parking_lot::Mutex;

use crate::mono_time::MonoTime;

/// This many lines are logged at once, so that a handful of applications in trouble are all seen.
const BURST: u32 = 5;
/// Then one line is logged per this time. After a pause of [`BURST`] times this, a whole burst is logged again.
const EVERY: Duration = Duration::from_secs(5);

/// The limit for one kind of line; a `static` next to the code that logs it. Usable from any thread.
#[derive(Debug)]
pub struct LogLimit(Mutex<LimitState>);

#[derive(Debug)]
struct LimitState {
    lines_left: u32,
    /// When `lines_left` last grew, or when the burst began; unused while it is full.
    since: MonoTime,
    left_out: u64,
}

impl LogLimit {
    /// A limit with a whole burst left.
    pub const fn new() -> Self {
        Self(Mutex::new(LimitState { lines_left: BURST, since: MonoTime::from_nanos(0), left_out: 0 }))
    }

    /// Whether a line may be logged at `now`, and if so, how many were left out since the last one.
    pub fn admit(&self, now: MonoTime) -> Option<u64> {
        let mut state = self.0.lock();
        while state.lines_left < BURST && now.since(state.since) >= EVERY {
            state.lines_left += 1;
            state.since = state.since + EVERY;
        }
        if state.lines_left == 0 {
            state.left_out += 1;
            return None;
        }
        if state.lines_left == BURST {
            state.since = now;
        }
        state.lines_left -= 1;
        Some(std::mem::take(&mut state.left_out))
    }
}

impl Default for LogLimit {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> MonoTime {
        MonoTime::from_nanos(1_000_000_000) + Duration::from_secs(seconds)
    }

    #[test]
    fn a_burst_then_one_per_interval_with_the_number_of_the_others() {
        let limit = LogLimit::new();
        for _ in 0..BURST {
            assert_eq!(limit.admit(at(0)), Some(0));
        }
        for _ in 0..1000 {
            assert_eq!(limit.admit(at(4)), None);
        }
        assert_eq!(limit.admit(at(5)), Some(1000));
        assert_eq!(limit.admit(at(9)), None);
        assert_eq!(limit.admit(at(10)), Some(1));
    }

    #[test]
    fn a_flood_gets_one_line_per_interval_however_long_it_lasts() {
        let limit = LogLimit::new();
        // A minute; Miri is slow.
        let apart = if cfg!(miri) { 100 } else { 1 };
        let times = (0..60_000).step_by(apart).map(|millis| at(0) + Duration::from_millis(millis));
        let admitted = times.filter(|time| limit.admit(*time).is_some());
        assert_eq!(admitted.count(), 5 + 11);
    }

    #[test]
    fn a_pause_gives_no_more_than_the_burst() {
        let limit = LogLimit::new();
        for _ in 0..2 {
            assert_eq!(limit.admit(at(0)), Some(0));
        }
        let admitted = (0..100).filter(|_| limit.admit(at(3600)).is_some());
        assert_eq!(admitted.count(), 5);
        assert_eq!(limit.admit(at(3604)), None);
        assert_eq!(limit.admit(at(3605)), Some(96));
    }
}
