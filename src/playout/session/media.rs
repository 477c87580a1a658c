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

    /// The same for a message whose `samples` the caller has counted, if it has. They hold if the message is a frame; the
    /// session's own counter counts the rest.
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
        self.queue.hold_if_full();
        self.settle(now, actions);
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
                let pieces = if self.buffering { reframer.join(message) } else { reframer.cut(message) };
                self.push_pieces(pieces, pace, now, actions);
            }
            _ => {
                let length = self.max_latency.map(|_| self.frame_length(&message, samples));
                let queued = self.queue.push_message(message, samples, pace, now);
                self.count_queued(queued, length, actions);
            }
        }
    }

    /// What stands behind bulk media may not wait until its frames' length is known: queues what has waited for that.
    pub(super) fn settle_bulk(&mut self, now: MonoTime, actions: &mut Vec<Action>) {
        if let Some(pieces) = self.reframer.as_mut().map(Reframer::settle) {
            self.push_pieces(pieces, Pace::Bulk, now, actions);
        }
    }

    fn push_pieces(&mut self, pieces: Pieces, pace: Pace, now: MonoTime, actions: &mut Vec<Action>) {
        self.stats.bytes_cut_off += pieces.cut_off_bytes as u64;
        self.push_media(pieces.joined, pieces.cut, pace, now, actions);
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
        let frame = bytes.get(..cut.frame_len(&bytes)).unwrap_or(&bytes);
        let length = self.max_latency.map(|_| self.frame_length(frame, None));
        let queued = self.queue.push_media(bytes, cut, pace, came);
        self.count_queued(queued, length, actions);
    }

    /// `length`: how long each of the frames lasts, if that is of interest.
    fn count_queued(
        &mut self,
        (frames, flow): (usize, Option<Flow>),
        length: Option<Duration>,
        actions: &mut Vec<Action>,
    ) {
        if let Some(length) = length.filter(|_| frames > 0) {
            self.queue.time_last(frames, length);
        }
        self.stats.frames_in += frames as u64;
        actions.extend(flow.map(|flow| Action::Send(flow.into())));
    }
}
