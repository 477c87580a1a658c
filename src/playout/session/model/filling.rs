//! Silence while there is nothing to play, in the model.

use super::SECOND;
use super::plain::Model;
use crate::playout::pacing::Pace;

/// The state of the filling.
#[derive(Default)]
pub(super) struct Filling {
    /// The channel is up, and silence is configured.
    pub(super) on: bool,
    /// No silence is read before this.
    hold: u64,
    pub(super) frames: u64,
}

impl Model {
    /// The channel is up from now on.
    pub(super) fn answered(&mut self, now: u64) {
        if self.config.silence.is_some() && !self.filling.on {
            let playable = self.playable_since.is_some();
            self.free_at = self.due().max(if playable { 0 } else { now });
            self.playable_since = playable.then_some(0);
            self.filling = Filling { on: true, hold: now, frames: 0 };
        }
        self.settle(now);
    }

    /// Media that begins takes the next slot, unless that slot is long over.
    pub(super) fn keep_slot(&mut self, now: u64) {
        let begins = self.playable_since.is_none();
        let held_up = now < self.stalled_until;
        if begins && self.filling.on && !held_up {
            self.move_if_long_over(now);
        }
    }

    pub(super) fn move_if_long_over(&mut self, now: u64) {
        if now > self.free_at + SECOND {
            self.free_at = now;
        }
    }

    /// The slot of a frame of media.
    pub(super) fn take_slot(&mut self, due: u64, now: u64, payload: &[u8], pace: Pace) {
        let length = self.media_length(payload, pace);
        self.free_at = due + length;
        self.filling.hold = now + length + length / 2;
        if pace != Pace::Unpaced {
            self.take_time(now, length);
        }
    }

    fn silence_length(&self) -> u64 {
        self.config.silence.as_ref().map_or(0, |silence| silence.duration.as_nanos() as u64)
    }

    pub(super) fn fill_deadline(&self) -> Option<u64> {
        let nothing_to_play = !self.plays() || self.frames() == 0;
        (self.filling.on && nothing_to_play)
            .then(|| (self.free_at + self.silence_length()).max(self.filling.hold))
    }

    /// The channel is read and there is nothing to play.
    pub(super) fn fill(&mut self, now: u64) -> Option<(Vec<u8>, Option<Pace>, u64)> {
        if self.fill_deadline()? > now {
            return None;
        }
        let length = self.silence_length();
        let late = now - (self.free_at + length).min(now);
        let due = if !self.anything_read && late >= length {
            now - length
        } else if late > SECOND {
            now - SECOND - length
        } else {
            self.free_at
        };
        self.anything_read = true;
        self.free_at = due + length;
        self.filling.hold = now + length / 2;
        self.filling.frames += 1;
        let payload = self.config.silence.as_ref().map(|silence| silence.payload.to_vec());
        payload.map(|payload| (payload, None, due))
    }
}
