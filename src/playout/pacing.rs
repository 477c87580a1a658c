//! When the next frame is due: the schedule of one call, on the monotonic clock.
//!
//! This file has only arithmetic: no queue, no timer. `session` calls it under the session's lock.

mod filling;

use std::time::Duration;

use self::filling::Filling;
use crate::mono_time::MonoTime;

/// At most this much of a stall is caught up; a longer stall moves the schedule.
pub const MAX_CATCH_UP: Duration = Duration::from_secs(1);

/// How a frame is timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// Sent by the app in real time. Late reads are caught up, so that a stall does not become a permanent delay.
    Live,
    /// Sent by the app in bulk. Nothing is caught up: after a stall it continues from now.
    Bulk,
    /// Timed by the app itself: due as soon as it can be read.
    Unpaced,
}

/// One frame's place in the schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlaySlot {
    /// When the frame is due. Due times follow each other by one frame length unless the schedule had to be moved.
    pub due: MonoTime,
    /// The time from when the clock should have fired to the read of the frame.
    pub lateness: Duration,
}

/// The due times of one call's frames. It is kept during silence: the next frame is never due before the end of the
/// last one.
///
/// DIVERGES: the C module plays one frame per tick of a timer whose rate is a whole number per second (33
/// ticks a second for 30 ms frames), and does not make up for a missed tick. Here n frames take n times
/// their length as long as the queue never runs empty.
#[derive(Debug, Clone, Default)]
pub struct Schedule {
    /// A schedule begins, or moves, at a multiple of this; zero: at any time.
    grid: Duration,
    /// When the next frame is due; `None` before the first one.
    next_due: Option<MonoTime>,
    /// The next frame is not read before this, however late it is, so that catching up reads at most one extra frame
    /// per frame length.
    not_before: MonoTime,
    /// A frame has been read. Before that no thread reads the channel, so no frame can be late.
    started: bool,
    /// Silence takes the slots that media leaves empty.
    filling: Option<Filling>,
}

impl Schedule {
    /// A schedule whose due times lie on a grid if frames last a multiple of it. Calls on the same grid share wake-ups
    /// of the processor: a grid of 5 ms saves a quarter of a call's cost for 2.5 ms of delay.
    pub fn on_grid(grid: Duration) -> Self {
        Self { grid, ..Self::default() }
    }

    fn next_on_grid(&self, at: MonoTime) -> MonoTime {
        let below = self.last_on_grid(at);
        if below == at { at } else { below + self.grid }
    }

    fn last_on_grid(&self, at: MonoTime) -> MonoTime {
        let grid = u64::try_from(self.grid.as_nanos()).unwrap_or(u64::MAX);
        at.as_nanos().checked_rem(grid).map_or(at, |over| at - Duration::from_nanos(over))
    }

    /// There is something to play again from `now` on. Media is not late if at its due time the queue was empty, paused
    /// or stopped by the direction. If silence has filled the slots until now, media takes the next one.
    pub fn resume(&mut self, now: MonoTime) {
        let mut kept = Duration::ZERO;
        if let Some(filling) = &mut self.filling {
            filling.media_since = now;
            kept = MAX_CATCH_UP;
        }
        if self.next_due.is_none_or(|due| due + kept < now) {
            self.next_due = Some(self.next_on_grid(now));
        }
    }

    /// Nothing could be read for this time: all later frames are due later by it, rounded up to the grid.
    pub fn stand_still(&mut self, lasted: Duration) {
        if let Some(due) = self.next_due {
            self.next_due = Some(self.next_on_grid(due + lasted));
        }
    }

    /// The earliest time for a paced frame, or for an event in its place; `None` before the first frame.
    pub fn next_slot(&self) -> Option<MonoTime> {
        self.next_due.map(|due| due.max(self.not_before))
    }

    /// Whether a paced frame, or an event in its place, may go at `now`.
    pub fn is_reached(&self, now: MonoTime) -> bool {
        self.next_slot().is_none_or(|slot| slot <= now)
    }

    /// Returns the slot of the frame that is read at `now` and lasts `duration`, and moves on to the next slot.
    pub fn take(&mut self, now: MonoTime, pace: Pace, duration: Duration) -> PlaySlot {
        let planned = self.next_due.filter(|_| self.started).unwrap_or(now);
        let slot = planned.max(self.not_before);
        self.started = true;
        if let Some(filling) = &mut self.filling {
            filling.not_before = now + duration + duration / 2;
            // A frame is not late before it came: silence would not have been read in its slot before that either.
            let slot = slot.max(filling.media_since);
            return self.take_filled(now, pace, duration, planned, slot);
        }
        if pace == Pace::Unpaced {
            // It takes no time of the schedule, but nothing after it may be due before it.
            self.next_due = Some(planned.max(now));
            return PlaySlot { due: now, lateness: Duration::ZERO };
        }
        let behind = now.since(planned);
        let due = match pace {
            Pace::Live if behind > MAX_CATCH_UP => self.last_on_grid(now - MAX_CATCH_UP),
            // Less than a frame is the timer's jitter, and moving the schedule by it would make the schedule drift.
            Pace::Bulk if behind >= duration => self.last_on_grid(now),
            _ => planned,
        };
        self.next_due = Some(due + duration);
        self.not_before = now + duration / 2;
        PlaySlot { due, lateness: now.since(slot) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PTIME: Duration = Duration::from_millis(20);

    fn ms(ms: u64) -> MonoTime {
        MonoTime::from_nanos(ms * 1_000_000)
    }

    /// A schedule whose first frame was due and read at 1000 ms.
    fn playing(pace: Pace) -> Schedule {
        let mut schedule = Schedule::default();
        schedule.resume(ms(1000));
        assert_eq!(schedule.take(ms(1000), pace, PTIME).due, ms(1000));
        schedule
    }

    #[test]
    fn calls_on_a_grid_begin_together_and_stay_on_it() {
        let mut schedule = Schedule::on_grid(Duration::from_millis(5));
        schedule.resume(ms(1001));
        assert_eq!(schedule.next_slot(), Some(ms(1005)));
        assert_eq!(schedule.take(ms(1005), Pace::Live, PTIME).due, ms(1005));
        schedule.resume(ms(1010));
        assert_eq!(schedule.next_slot(), Some(ms(1025)), "never before the last frame is over");
        schedule.resume(ms(1040));
        assert_eq!(schedule.next_slot(), Some(ms(1040)), "what is on the grid stays");
        let late = schedule.take(ms(1083), Pace::Bulk, PTIME);
        assert_eq!(late.due, ms(1080), "a moved schedule goes back to the grid");
        let later = schedule.take(ms(5002), Pace::Live, PTIME);
        assert_eq!(later.due, ms(4000));
    }

    #[test]
    fn nothing_is_planned_before_there_is_media() {
        let schedule = Schedule::default();
        assert_eq!(schedule.next_slot(), None);
        assert!(schedule.is_reached(MonoTime::default()));
    }

    #[test]
    fn a_channel_that_has_not_been_read_collects_no_credit() {
        for pace in [Pace::Live, Pace::Bulk, Pace::Unpaced] {
            let mut schedule = Schedule::default();
            schedule.resume(ms(1000));
            assert_eq!(schedule.next_slot(), Some(ms(1000)));
            let slot = schedule.take(ms(9000), pace, PTIME);
            assert_eq!(slot, PlaySlot { due: ms(9000), lateness: Duration::ZERO }, "{pace:?}");
        }
    }

    #[test]
    fn jitter_of_the_reads_is_no_drift() {
        for pace in [Pace::Live, Pace::Bulk] {
            let mut schedule = playing(pace);
            for n in 1..1000_u64 {
                let jitter = Duration::from_micros(n * 7919 % 9000);
                let slot = schedule.take(ms(1000 + 20 * n) + jitter, pace, PTIME);
                assert_eq!((slot.due, slot.lateness), (ms(1000 + 20 * n), jitter), "{pace:?} {n}");
            }
        }
    }

    #[test]
    fn the_schedule_outlives_silence() {
        for (what, resumed_at, slot) in [
            ("within the last frame", 1005, 1020),
            ("just at its end", 1020, 1020),
            ("after silence", 7003, 7003),
        ] {
            let mut schedule = playing(Pace::Live);
            schedule.resume(ms(resumed_at));
            assert_eq!(schedule.next_slot(), Some(ms(slot)), "{what}");
            assert!(!schedule.is_reached(ms(slot) - Duration::from_nanos(1)), "{what}");
            assert!(schedule.is_reached(ms(slot)), "{what}");
            // A second message 5 ms after the first still waits for a whole frame.
            schedule.take(ms(slot), Pace::Live, PTIME);
            schedule.resume(ms(slot + 5));
            assert_eq!(schedule.next_slot(), Some(ms(slot + 20)), "{what}");
        }
    }

    #[test]
    fn live_media_is_caught_up_with_one_extra_frame_per_frame_length() {
        let mut schedule = playing(Pace::Live);
        let mut now = ms(1000 + 20 + 100);
        let mut reads = Vec::new();
        for n in 1..=12 {
            let slot = schedule.take(now, Pace::Live, PTIME);
            assert_eq!(slot.due, ms(1000 + 20 * n), "due times stay continuous");
            assert_eq!(slot.lateness, Duration::from_millis(if n == 1 { 100 } else { 0 }), "one late read");
            reads.push(now.as_nanos() / 1_000_000);
            now = schedule.next_slot().unwrap();
        }
        assert_eq!(reads, [1120, 1130, 1140, 1150, 1160, 1170, 1180, 1190, 1200, 1210, 1220, 1240]);
    }

    #[test]
    fn a_long_stall_moves_the_schedule() {
        for (what, pace, stall, due) in [
            ("live, one second", Pace::Live, 1000, 1020),
            ("live, more", Pace::Live, 1001, 1021),
            ("live, much more", Pace::Live, 60_000, 60_020),
            ("bulk, less than a frame", Pace::Bulk, 19, 1020),
            ("bulk, a frame", Pace::Bulk, 20, 1040),
            ("bulk, much more", Pace::Bulk, 60_000, 61_020),
        ] {
            let mut schedule = playing(pace);
            let slot = schedule.take(ms(1020 + stall), pace, PTIME);
            assert_eq!(slot, PlaySlot { due: ms(due), lateness: Duration::from_millis(stall) }, "{what}");
            let next = ms(due + 20).max(ms(1020 + stall + 10));
            assert_eq!(schedule.next_slot(), Some(next), "{what}");
        }
    }

    #[test]
    fn frames_take_as_long_as_they_last() {
        let mut schedule = playing(Pace::Live);
        let mut due = ms(1020);
        for length in [60, 20, 5, 120, 40] {
            assert_eq!(schedule.next_slot(), Some(due));
            let length = Duration::from_millis(length);
            assert_eq!(schedule.take(due, Pace::Live, length).due, due);
            due = due + length;
        }
    }

    #[test]
    fn unpaced_media_takes_no_time_but_keeps_its_place() {
        let mut schedule = playing(Pace::Bulk);
        schedule.resume(ms(1005));
        assert_eq!(schedule.take(ms(1005), Pace::Unpaced, PTIME).due, ms(1005));
        assert_eq!(schedule.take(ms(1005), Pace::Unpaced, PTIME).due, ms(1005));
        assert_eq!(schedule.next_slot(), Some(ms(1020)), "the bulk before it still lasts");
        schedule.take(ms(1500), Pace::Unpaced, PTIME);
        assert_eq!(schedule.next_slot(), Some(ms(1500)), "nothing behind it is due before it");
    }

    proptest! {
        #[test]
        fn no_time_overflows_and_due_times_never_go_back(
            steps in prop::collection::vec(
                (any::<u64>(), 0..3_u8, any::<u64>(), any::<bool>()), 1..60),
            small in any::<bool>(),
        ) {
            let mut schedule = Schedule::default();
            let mut now = MonoTime::default();
            let mut last_due = MonoTime::default();
            for (step, pace, length, idle) in steps {
                let scale = if small { 3_000_000_000 } else { u64::MAX };
                now = now + Duration::from_nanos(step % scale);
                if idle {
                    schedule.resume(now);
                }
                if let Some(slot) = schedule.next_slot() {
                    now = now.max(slot);
                }
                let pace = [Pace::Live, Pace::Bulk, Pace::Unpaced][usize::from(pace)];
                let slot = schedule.take(now, pace, Duration::from_nanos(length % scale));
                prop_assert!(slot.due <= now);
                prop_assert!(slot.due >= last_due);
                prop_assert!(schedule.next_slot().unwrap() >= slot.due);
                if pace == Pace::Live {
                    prop_assert!(now.since(slot.due) <= MAX_CATCH_UP);
                }
                last_due = slot.due;
            }
        }

        #[test]
        fn any_clock_reading_is_survived(
            steps in prop::collection::vec((any::<u64>(), any::<u64>(), 0..3_u8, any::<bool>()), 1..60),
        ) {
            let mut schedule = Schedule::default();
            for (now, length, pace, idle) in steps {
                let now = MonoTime::from_nanos(now);
                if idle {
                    schedule.resume(now);
                }
                let pace = [Pace::Live, Pace::Bulk, Pace::Unpaced][usize::from(pace)];
                let slot = schedule.take(now, pace, Duration::from_nanos(length));
                prop_assert!(pace != Pace::Unpaced || slot.due == now);
                prop_assert!(schedule.is_reached(MonoTime::from_nanos(u64::MAX)));
            }
        }
    }
}
