//! Binary messages of the app: cut or joined into frames and queued, or dropped.

use bytes::Bytes;

use super::{Action, MediaMode, Session, send_error};
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
            self.drop_message(&message, actions);
            return;
        }
        self.dropping = false;
        self.queue_message(message, samples, now, actions);
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
                let queued = self.queue.push_message(message, samples, pace, now);
                self.count_queued(queued, actions);
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

    /// DIVERGES: the C module drops in silence.
    fn drop_message(&mut self, message: &[u8], actions: &mut Vec<Action>) {
        let frames = self.reframer.as_ref().map_or(1, |reframer| reframer.frames_in(message));
        self.stats.messages_dropped += 1;
        self.stats.frames_dropped += frames as u64;
        if !std::mem::replace(&mut self.dropping, true) {
            let frames = self.queue.len_frames();
            send_error(actions, format!("Media dropped: the queue is full with {frames} frames"));
        }
    }

    pub(super) fn push_media(
        &mut self,
        bytes: Bytes,
        cut: Cut,
        pace: Pace,
        came: MonoTime,
        actions: &mut Vec<Action>,
    ) {
        let queued = self.queue.push_media(bytes, cut, pace, came);
        self.count_queued(queued, actions);
    }

    fn count_queued(&mut self, (frames, flow): (usize, Option<Flow>), actions: &mut Vec<Action>) {
        self.stats.frames_in += frames as u64;
        actions.extend(flow.map(|flow| Action::Send(flow.into())));
    }
}
