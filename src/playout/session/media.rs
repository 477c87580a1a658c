//! Binary messages of the app: cut or joined into frames and queued, or dropped.

use std::time::Duration;

use bytes::Bytes;

use super::{Action, MediaMode, Session};
use crate::mono_time::MonoTime;
use crate::playout::framing::Cut;
use crate::playout::pacing::Pace;
use crate::playout::queue::Flow;
use crate::playout::reframing::{Pieces, Reframer};

impl Session {
    /// Takes a binary message from the app. Called on the reactor thread.
    pub fn on_media(&mut self, message: Bytes, now: MonoTime, actions: &mut Vec<Action>) {
        self.on_counted_media(message, None, now, actions);
    }

    /// The same for a message whose `samples` the caller may have counted. They are used if the message is one frame;
    /// else the session's own counter counts.
    pub fn on_counted_media(
        &mut self,
        message: Bytes,
        samples: Option<u32>,
        now: MonoTime,
        actions: &mut Vec<Action>,
    ) {
        self.notice_stall(now);
        self.stats.messages += 1;
        self.stats.bytes += message.len() as u64;
        if message.is_empty() {
            return;
        }
        if !self.direction.app_sends() || self.queue.is_abandoned() {
            self.stats.messages_unwanted += 1;
            return;
        }
        if self.queue.refuses_media() {
            self.drop_message(&message, samples, now, actions);
            return;
        }
        self.dropping = false;
        self.queue_message(message, samples, now, actions);
        self.limit_latency(now, actions);
        self.settle(now, actions);
        self.queue.hold_if_full();
        self.set_clock(now);
    }

    fn queue_message(
        &mut self,
        message: Bytes,
        samples: Option<u32>,
        now: MonoTime,
        actions: &mut Vec<Action>,
    ) {
        let pace = match self.mode {
            _ if self.buffering => Pace::Bulk,
            MediaMode::Unbuffered => Pace::Unpaced,
            MediaMode::Framed | MediaMode::Passthrough => Pace::Live,
        };
        match &mut self.reframer {
            Some(reframer) if pace != Pace::Unpaced => {
                let joins = self.buffering || self.rests.join;
                self.rests.since = now;
                let pieces = if joins { reframer.join(message) } else { reframer.cut(message) };
                self.push_pieces(pieces, pace, now, actions);
            }
            _ => {
                let samples = samples.unwrap_or_else(|| self.samples.samples(&message));
                let duration = self.format.duration_of(samples);
                let queued = self.queue.push_message(message, Some(samples), pace, now, duration);
                self.count_queued(queued, actions);
            }
        }
    }

    /// Queues the bulk media that waits until its frames' length is known, because what comes after it cannot wait.
    pub(super) fn settle_bulk(&mut self, now: MonoTime, actions: &mut Vec<Action>) {
        if let Some(pieces) = self.reframer.as_mut().map(Reframer::settle) {
            self.push_pieces(pieces, Pace::Bulk, now, actions);
        }
    }

    fn push_pieces(&mut self, pieces: Pieces, pace: Pace, now: MonoTime, actions: &mut Vec<Action>) {
        self.stats.bytes_cut_off += pieces.cut_off_bytes as u64;
        let is_joined = !pieces.joined.is_empty();
        self.push_media(pieces.joined, pieces.cut, pace, now, actions);
        if is_joined {
            self.queue_marks_of_rest(actions);
        }
        self.push_media(pieces.body, pieces.cut, pace, now, actions);
    }

    pub(super) fn push_media(
        &mut self,
        bytes: Bytes,
        cut: Cut,
        pace: Pace,
        came: MonoTime,
        actions: &mut Vec<Action>,
    ) {
        let frame = self.frame_duration(&bytes, cut);
        let queued = self.queue.push_media(bytes, cut, pace, came, frame);
        self.count_queued(queued, actions);
    }

    /// How long each frame of `media` lasts; all frames of one message have the same length.
    fn frame_duration(&self, media: &[u8], cut: Cut) -> Duration {
        // With frames of one size, each takes one ptime, also the short one at the end of a bulk.
        // DIVERGES: in the C module every frame of any codec takes one ptime.
        if media.is_empty() || self.reframer.as_ref().is_some_and(Reframer::is_fixed) {
            return self.format.ptime();
        }
        let first = media.get(..cut.frame_len(media)).unwrap_or(media);
        self.format.duration_of(self.samples.samples(first))
    }

    /// How long the whole frames of a message last, as far as the message alone shows.
    pub(super) fn whole_frames_duration(&self, message: &[u8], samples: Option<u32>) -> Duration {
        match &self.reframer {
            Some(reframer) if self.mode != MediaMode::Unbuffered || self.buffering => {
                let cut = reframer.cut_of(message);
                let whole = message.get(..cut.whole_frames_len(message)).unwrap_or_default();
                let frames = u32::try_from(cut.frames(whole)).unwrap_or(u32::MAX);
                self.frame_duration(whole, cut).saturating_mul(frames)
            }
            _ => self.format.duration_of(samples.unwrap_or_else(|| self.samples.samples(message))),
        }
    }

    fn count_queued(&mut self, (frames, flow): (usize, Option<Flow>), actions: &mut Vec<Action>) {
        self.stats.frames_in += frames as u64;
        actions.extend(flow.map(|flow| Action::Send(flow.into())));
    }
}
