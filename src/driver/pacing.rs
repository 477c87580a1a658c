//! When the next frame is due: the schedule of one call, on the monotonic clock.
//!
//! Only arithmetic lives here: no queue, no timer. `session` calls it under the session's lock.

use std::time::Duration;

use super::clock::MonoTime;

/// The most of a stall that is ever caught up; a longer one moves the schedule.
pub const MAX_CATCH_UP: Duration = Duration::from_secs(1);

/// How a frame is timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// Sent by the app as it is spoken. A late read is caught up, so that no stall becomes standing delay.
    Live,
    /// Sent by the app in bulk. It cannot fall behind anything: after a stall it goes on from now.
    Bulk,
    /// Timed by the app itself: due as soon as it can be read.
    Unpaced,
}

/// One frame's place in the schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// When the frame is due. Continuous from frame to frame unless the schedule had to be moved.
    pub due: MonoTime,
    /// How much later than the schedule said the frame was read.
    pub lateness: Duration,
}

/// The due times of one call's frames. Outlives silence: the next frame is never due before the last one is over.
///
/// DIVERGES: the C module plays one frame per tick of a timer whose rate is a whole number per second (33 ticks a
/// second for 30 ms frames), and a tick that is missed is missed for good. Here n frames take n times their length
/// as long as the queue never runs empty.
#[derive(Debug, Clone, Default)]
pub struct Schedule {
    /// When a frame behind the last one is due; `None` before there was any.
    next_due: Option<MonoTime>,
    /// The next frame is not read before this, however late it is: at most one extra frame per frame length.
    not_before: MonoTime,
    /// A frame has been read. Before that nobody listens, and nothing can be late.
    started: bool,
}

impl Schedule {
    /// There is something to play from `now` on, after there was not: a queue that was empty, paused or stopped by
    /// the direction at its due time is not late.
    pub fn resume(&mut self, now: MonoTime) {
        self.next_due = Some(self.next_due.map_or(now, |due| due.max(now)));
    }

    /// The earliest time at which a paced frame, or an event that stands where one could, may go; `None` before
    /// there was any frame.
    pub fn next_slot(&self) -> Option<MonoTime> {
        self.next_due.map(|due| due.max(self.not_before))
    }

    /// Whether a paced frame, or an event in its place, may go at `now`.
    pub fn is_reached(&self, now: MonoTime) -> bool {
        self.next_slot().is_none_or(|slot| slot <= now)
    }

    /// Gives the frame that is read at `now` and lasts `duration` its place, and moves on to the next one.
    pub fn take(&mut self, now: MonoTime, pace: Pace, duration: Duration) -> Slot {
        let planned = self.next_due.filter(|_| self.started).unwrap_or(now);
        self.started = true;
        if pace == Pace::Unpaced {
            // It takes no time of the schedule, but nothing behind it may be due before it.
            self.next_due = Some(planned.max(now));
            return Slot { due: now, lateness: Duration::ZERO };
        }
        let lateness = now.since(planned);
        let due = match pace {
            Pace::Live if lateness > MAX_CATCH_UP => now - MAX_CATCH_UP,
            // Less than a frame late is the timer's jitter: moving the schedule by it would be drift.
            Pace::Bulk if lateness >= duration => now,
            _ => planned,
        };
        self.next_due = Some(due + duration);
        self.not_before = now + duration / 2;
        Slot { due, lateness }
    }
}
