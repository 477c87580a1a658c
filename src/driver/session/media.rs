//! Binary messages of the app: cut or joined into frames and queued, or dropped.

use bytes::Bytes;

use super::{Effect, MediaMode, Session, send_error};
use crate::driver::clock::MonoTime;
use crate::driver::pacing::Pace;
use crate::driver::reframe::Reframer;

impl Session {
    /// Takes a binary message from the app. Called on the reactor thread.
    pub fn on_media(&mut self, message: Bytes, now: MonoTime, effects: &mut Vec<Effect>) {
        let len_bytes = message.len();
        self.notice_stall(now);
        self.stats.messages += 1;
        self.stats.bytes += len_bytes as u64;
        if message.is_empty() {
            return;
        }
        if !self.direction.app_sends() {
            self.stats.messages_unwanted += 1;
            return;
        }
        if self.queue.refuses_media() {
            self.drop_message(len_bytes, effects);
            return;
        }
        self.dropping = false;
        self.queue_message(message, now, effects);
        self.settle(now, effects);
        self.set_clock(now);
    }

    fn queue_message(&mut self, message: Bytes, now: MonoTime, effects: &mut Vec<Effect>) {
        let pace = match self.mode {
            _ if self.buffering => Pace::Bulk,
            MediaMode::Unbuffered => Pace::Unpaced,
            MediaMode::Framed | MediaMode::Passthrough => Pace::Live,
        };
        match &mut self.reframer {
            Some(reframer) if pace != Pace::Unpaced => {
                let frame_size = reframer.frame_size();
                let pieces = if self.buffering { reframer.join(message) } else { reframer.cut(message) };
                self.stats.bytes_cut_off += pieces.cut_off_bytes as u64;
                self.push_media(pieces.joined, frame_size, pace, now, effects);
                self.push_media(pieces.body, frame_size, pace, now, effects);
            }
            _ => {
                let frame_len = message.len();
                self.push_media(message, frame_len, pace, now, effects);
            }
        }
    }

    /// DIVERGES: the C module drops in silence.
    fn drop_message(&mut self, len_bytes: usize, effects: &mut Vec<Effect>) {
        let frame_size = self.reframer.as_ref().map_or(len_bytes, Reframer::frame_size);
        self.stats.messages_dropped += 1;
        self.stats.frames_dropped += len_bytes.div_ceil(frame_size.max(1)) as u64;
        if !std::mem::replace(&mut self.dropping, true) {
            let frames = self.queue.len_frames();
            send_error(effects, format!("Media dropped: the queue is full with {frames} frames"));
        }
    }

    pub(super) fn push_media(
        &mut self,
        bytes: Bytes,
        frame_len: usize,
        pace: Pace,
        came: MonoTime,
        effects: &mut Vec<Effect>,
    ) {
        let (frames, flow) = self.queue.push_media(bytes, frame_len, pace, came);
        self.stats.frames_in += frames as u64;
        effects.extend(flow.map(|flow| Effect::Send(flow.into())));
    }
}
