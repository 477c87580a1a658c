//! Silence for the core while there is nothing to play (`silence_fill`): from the answer on, also while paused and in
//! direction `in`. No event to the app counts it.

use super::{MediaFrame, Session};
use crate::mono_time::MonoTime;

impl Session {
    /// The channel is up: from now on silence goes to the core, if it is configured.
    pub(super) fn begin_fill(&mut self, now: MonoTime) {
        if self.silence.is_none() || self.schedule.is_filled() {
            return;
        }
        if !self.playable {
            self.schedule.resume(now);
        }
        self.schedule.fill_from(now);
    }

    /// Whether silence goes to the core.
    fn fills(&self) -> bool {
        self.schedule.is_filled()
            && !self.digits.is_sounding()
            && !(self.plays() && self.queue.len_frames() > 0)
    }

    /// When the next frame of silence has to be read, unless something changes before.
    pub(super) fn fill_deadline(&self) -> Option<MonoTime> {
        let silence = self.silence.as_ref().filter(|_| self.fills())?;
        self.schedule.fill_slot(silence.duration)
    }

    /// The frame of silence that is due at `now`.
    pub(super) fn take_fill(&mut self, now: MonoTime) -> Option<MediaFrame> {
        self.fill_deadline().filter(|deadline| *deadline <= now)?;
        let silence = self.silence.clone()?;
        let due = self.schedule.take_fill(now, silence.duration);
        self.stats.frames_filled += 1;
        let delivery = self.deliveries.next(now, due, silence.duration);
        Some(MediaFrame { payload: silence.payload, samples: silence.samples, due, delivery })
    }
}
