//! When the channel has to be read, and how its clock is set.

use super::{Answering, Session};
use crate::mono_time::MonoTime;
use crate::playout::pacing::Pace;
use crate::playout::queue::Head;

/// A setting of the channel's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ClockSetting {
    /// Grows with every change, and with every read that used up the clock's tick.
    pub seq: u64,
    /// When [`Session::read`] has to be called; `None`: not at all.
    pub deadline: Option<MonoTime>,
}

impl ClockSetting {
    /// Calls `set` with this setting, outside the session's lock. Two threads may do so at once, in any order. A thread
    /// that afterwards finds a newer setting by `newest` applies that too, so that the newest one wins.
    pub fn apply(mut self, set: impl Fn(Option<MonoTime>), newest: impl Fn() -> Self) {
        loop {
            set(self.deadline);
            let newest = newest();
            if newest.seq == self.seq {
                return;
            }
            self = newest;
        }
    }

    pub(super) fn changed_to(self, deadline: Option<MonoTime>) -> Self {
        Self { seq: self.seq.wrapping_add(1), deadline }
    }
}

impl Session {
    /// When [`Self::read`] has to be called next. Check it again after every call that takes `now`.
    pub fn clock(&self) -> ClockSetting {
        self.clock
    }

    pub(super) fn set_clock(&mut self, now: MonoTime) {
        let deadline = self.wanted_deadline(now);
        // A tick that is already on its way does as well.
        let on_its_way =
            self.clock.deadline.is_some_and(|set| set <= now) && deadline.is_some_and(|due| due <= now);
        if deadline != self.clock.deadline && !on_its_way {
            self.clock = self.clock.changed_to(deadline);
        }
    }

    pub(super) fn wanted_deadline(&self, now: MonoTime) -> Option<MonoTime> {
        let deadlines =
            [self.media_deadline(now), self.rest_deadline(), self.fill_deadline(), self.digit_deadline()];
        deadlines.into_iter().flatten().min()
    }

    fn media_deadline(&self, now: MonoTime) -> Option<MonoTime> {
        if !self.plays() {
            return None;
        }
        match self.queue.head() {
            Some(Head::Frame(_)) if self.answer == Answering::Due => None,
            Some(Head::Frame(Pace::Unpaced)) => Some(now),
            Some(Head::Frame(_) | Head::Mark) => self.schedule.next_slot(),
            None if self.report_queue_drained || self.trailing_wake => self.schedule.next_slot(),
            None => None,
        }
    }
}
