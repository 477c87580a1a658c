//! Whether a reactor has so much to do that sweeping all sockets after each tick costs less than waking for each.

use std::time::Duration;

use crate::mono_time::MonoTime;

/// How long sockets are counted.
const WINDOW: Duration = Duration::from_millis(40);
/// A reactor becomes busy with this many in a window: more than it has sweeps.
const BUSY: u32 = 14;
/// A busy reactor is no longer busy with fewer than this.
const QUIET: u32 = 8;

/// How many sockets were found readable lately, among those that sweeps find: those in front wake the reactor in any
/// case.
pub(super) struct ReadableRate {
    since: MonoTime,
    events: u32,
    busy: bool,
}

impl ReadableRate {
    pub(super) fn new(now: MonoTime) -> Self {
        Self { since: now, events: 0, busy: false }
    }

    /// Counts, and returns whether the reactor is busy.
    pub(super) fn count(&mut self, events: usize, now: MonoTime) -> bool {
        self.events = self.events.saturating_add(u32::try_from(events).unwrap_or(u32::MAX));
        let elapsed = now.since(self.since);
        if elapsed >= WINDOW {
            // A window during which the reactor slept is longer, and its events are fewer per time.
            let windows = u32::try_from(elapsed.as_nanos() / WINDOW.as_nanos()).unwrap_or(u32::MAX);
            self.busy = self.events / windows >= if self.busy { QUIET } else { BUSY };
            (self.since, self.events) = (now, 0);
        }
        self.busy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn busy_begins_late_and_ends_late() {
        let ms = |ms: u64| MonoTime::from_nanos(ms * 1_000_000);
        let mut load = ReadableRate::new(ms(0));
        // Time, events, busy.
        for (at, events, busy) in [
            (5, 13, false),
            (40, 0, false),
            (45, 14, false),
            (80, 0, true),
            (100, 8, true),
            (120, 0, true),
            (140, 7, true),
            (160, 0, false),
            (200, 13, false),
            (240, 0, false),
            // A long sleep: 40 events, but in ten windows.
            (640, 40, false),
        ] {
            assert_eq!(load.count(events, ms(at)), busy, "{at}");
        }
    }
}
