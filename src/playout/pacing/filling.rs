//! A schedule without gaps: silence takes each slot that media leaves empty (`silence_fill`).
//!
//! A slot waits one frame length for its media, and is then filled with silence. So media that comes after silence
//! takes the next slot and is read at once, and due times follow each other by one frame, in silence, in speech and
//! between them.

use std::time::Duration;

use super::{MAX_CATCH_UP, Pace, PlaySlot, Schedule};
use crate::mono_time::MonoTime;

/// The state of a filled schedule in addition to its next due time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Filling {
    /// There has been media to play since then, without a break.
    pub(super) media_since: MonoTime,
    /// No silence is read before this.
    pub(super) not_before: MonoTime,
}

impl Schedule {
    /// From `now` on silence takes the slots that media leaves empty.
    pub fn fill_from(&mut self, now: MonoTime) {
        self.filling.get_or_insert(Filling { media_since: now, not_before: now });
    }

    /// Whether silence takes the slots that media leaves empty.
    pub fn is_filled(&self) -> bool {
        self.filling.is_some()
    }

    /// When a frame of silence of this length may be read, if no media comes before; `None`: never.
    pub fn fill_slot(&self, duration: Duration) -> Option<MonoTime> {
        let filling = self.filling?;
        self.next_due.map(|due| (due + duration).max(filling.not_before))
    }

    /// The due time of a frame of silence that is read at `now`. Missing silence is caught up, at most two frames per
    /// frame length.
    pub fn take_fill(&mut self, now: MonoTime, duration: Duration) -> MonoTime {
        let planned = self.next_due.unwrap_or(now);
        let behind = now.since(planned + duration);
        let due = if !self.started && behind >= duration {
            self.last_on_grid(now) - duration
        } else if behind > MAX_CATCH_UP {
            self.last_on_grid(now - MAX_CATCH_UP) - duration
        } else {
            planned
        };
        let due = due.max(planned);
        self.started = true;
        self.next_due = Some(due + duration);
        if let Some(filling) = &mut self.filling {
            filling.not_before = now + duration / 2;
        }
        due
    }

    /// [`Schedule::take`] for slots without gaps: bulk media is caught up like live media, and media that the
    /// application times itself takes slots too. If such media comes faster than real time, its slot may be later than
    /// `now`.
    pub(super) fn take_filled(
        &mut self,
        now: MonoTime,
        pace: Pace,
        duration: Duration,
        planned: MonoTime,
        slot: MonoTime,
    ) -> PlaySlot {
        let is_too_late = now.since(planned) > MAX_CATCH_UP;
        let due = if is_too_late { self.last_on_grid(now - MAX_CATCH_UP) } else { planned };
        self.next_due = Some(due + duration);
        if pace == Pace::Unpaced {
            return PlaySlot { due, lateness: Duration::ZERO };
        }
        self.not_before = now + duration / 2;
        PlaySlot { due, lateness: now.since(slot) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PTIME: Duration = Duration::from_millis(20);

    fn ms(ms: u64) -> MonoTime {
        MonoTime::from_nanos(ms * 1_000_000)
    }

    /// A schedule that is filled from 1000 ms on.
    fn filled() -> Schedule {
        let mut schedule = Schedule::default();
        schedule.resume(ms(1000));
        schedule.fill_from(ms(1000));
        schedule
    }

    /// Reads silence whenever it may be read, until `end`: when it is read, and when it is due.
    fn silence_until(schedule: &mut Schedule, end: u64) -> Vec<(u64, u64)> {
        let mut read = Vec::new();
        while let Some(at) = schedule.fill_slot(PTIME).filter(|at| *at <= ms(end)) {
            read.push((at.as_nanos() / 1_000_000, schedule.take_fill(at, PTIME).as_nanos() / 1_000_000));
        }
        read
    }

    #[test]
    fn each_slot_waits_one_frame_length_for_its_media() {
        let mut schedule = filled();
        assert_eq!(silence_until(&mut schedule, 1060), [(1020, 1000), (1040, 1020), (1060, 1040)]);
        // Speech is read at once, in the next slot.
        schedule.resume(ms(1061));
        assert_eq!(schedule.next_slot(), Some(ms(1060)));
        let slot = schedule.take(ms(1061), Pace::Live, PTIME);
        assert_eq!(slot, PlaySlot { due: ms(1060), lateness: Duration::ZERO }, "it was not there before");
        // A frame that is late by less than its length is in time.
        schedule.resume(ms(1099));
        assert_eq!(schedule.take(ms(1099), Pace::Live, PTIME).due, ms(1080));
        assert_eq!(schedule.take(ms(1109), Pace::Live, PTIME).due, ms(1100));
        // Silence waits that long for it, and is not read sooner than one and a half frames after the last frame.
        assert_eq!(silence_until(&mut schedule, 1160), [(1140, 1120), (1160, 1140)]);
    }

    #[test]
    fn unread_silence_is_caught_up() {
        let mut schedule = filled();
        silence_until(&mut schedule, 1040);
        assert_eq!(schedule.take_fill(ms(1095), PTIME), ms(1040));
        assert_eq!(
            silence_until(&mut schedule, 1140),
            [(1105, 1060), (1115, 1080), (1125, 1100), (1140, 1120)]
        );
        // At most a second of it is caught up.
        assert_eq!(schedule.take_fill(ms(9000), PTIME), ms(7980));
        // Time before the first read is not caught up.
        assert_eq!(filled().take_fill(ms(9000), PTIME), ms(8980));
    }

    #[test]
    fn no_media_leaves_a_gap_in_it() {
        for pace in [Pace::Live, Pace::Bulk, Pace::Unpaced] {
            let mut schedule = filled();
            silence_until(&mut schedule, 1040);
            for (read, due) in [(1390, 1040), (1400, 1060), (1410, 1080)] {
                schedule.resume(ms(read));
                assert_eq!(schedule.take(ms(read), pace, PTIME).due, ms(due), "{pace:?}");
            }
            assert_eq!(schedule.take_fill(ms(1440), PTIME), ms(1100), "{pace:?}");
            schedule.resume(ms(9000));
            assert!(schedule.take(ms(9000), pace, PTIME).due >= ms(8000), "{pace:?}: but for a second");
        }
    }

    #[test]
    fn media_that_comes_faster_than_it_is_spoken_takes_its_time() {
        let mut schedule = filled();
        silence_until(&mut schedule, 1040);
        schedule.resume(ms(1041));
        for due in [1040, 1060, 1080] {
            assert_eq!(schedule.take(ms(1041), Pace::Unpaced, PTIME).due, ms(due));
        }
        assert_eq!(silence_until(&mut schedule, 1140), [(1120, 1100), (1140, 1120)]);
    }
}
