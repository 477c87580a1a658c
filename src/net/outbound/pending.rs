//! What waits for the writer, the limits for it, and what is dropped beyond them.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::counters::{Dropped, as_nanos};
use super::waiting::Successor;
use super::{MediaTime, Outbound};

/// Reading from an application stops while this many bytes of answers wait for it to read them.
const CONTROL_BACKLOG_BYTES: usize = 256 * 1024;

/// A message waiting to be written.
pub(super) enum PendingMessage {
    /// An unencoded payload: one frame of media, or the text of an event.
    Payload { payload: Vec<u8>, media: Option<MediaTime>, is_passing: bool },
    /// A whole control frame.
    Encoded(Vec<u8>),
}

impl PendingMessage {
    fn len(&self) -> usize {
        match self {
            PendingMessage::Payload { payload, .. } => payload.len(),
            PendingMessage::Encoded(bytes) => bytes.len(),
        }
    }

    fn media(&self) -> Option<Duration> {
        match self {
            PendingMessage::Payload { media, .. } => media.map(|time| time.duration),
            PendingMessage::Encoded(_) => None,
        }
    }
}

/// Messages in their order, with their playing time and size.
#[derive(Default)]
pub(super) struct Messages {
    list: VecDeque<PendingMessage>,
    media: Duration,
    /// Bytes of messages that are not media.
    control_bytes: usize,
}

impl Messages {
    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// Playing time of the media among them.
    pub(super) fn media(&self) -> Duration {
        self.media
    }

    /// Bytes of the messages that are not media.
    pub(super) fn control_bytes(&self) -> usize {
        self.control_bytes
    }

    /// Puts a message after the others.
    pub(super) fn push(&mut self, message: PendingMessage) {
        match message.media() {
            Some(duration) => self.media += duration,
            None => self.control_bytes += message.len(),
        }
        self.list.push_back(message);
    }

    /// Takes the oldest.
    pub(super) fn pop(&mut self) -> Option<PendingMessage> {
        self.remove(0)
    }

    /// Takes the oldest media message.
    fn pop_media(&mut self) -> Option<PendingMessage> {
        self.pop_first(|message| message.media().is_some())
    }

    /// Takes the oldest event; if there are events that are soon out of date, the oldest of those.
    pub(super) fn pop_event(&mut self) -> Option<PendingMessage> {
        let passing =
            self.pop_first(|message| matches!(message, PendingMessage::Payload { is_passing: true, .. }));
        passing.or_else(|| self.pop_first(|message| message.media().is_none()))
    }

    fn pop_first(&mut self, wanted: impl FnMut(&PendingMessage) -> bool) -> Option<PendingMessage> {
        let first = self.list.iter().position(wanted)?;
        self.remove(first)
    }

    fn remove(&mut self, index: usize) -> Option<PendingMessage> {
        let message = self.list.remove(index)?;
        match message.media() {
            Some(duration) => self.media = self.media.saturating_sub(duration),
            None => self.control_bytes = self.control_bytes.saturating_sub(message.len()),
        }
        Some(message)
    }

    fn discard_media(&mut self) {
        self.list.retain(|message| message.media().is_none());
        self.media = Duration::ZERO;
    }
}

/// What waits for the writer. Its lock is never held across a syscall.
#[derive(Default)]
pub(super) struct Pending {
    pub(super) messages: Messages,
    pub(super) dropped: Dropped,
    /// Nothing more is sent here: a close frame is queued, or the connection has failed.
    pub(super) closed: bool,
    /// Where payload goes instead, if anywhere.
    pub(super) instead: Option<Successor>,
}

impl Pending {
    /// Whether media and events are sent here.
    pub(super) fn takes_payload(&self) -> bool {
        !self.closed && self.instead.is_none()
    }
}

impl Outbound {
    /// Drops queued media, for an application that has sent its close frame and reads no more.
    pub fn discard_media(&self) {
        let mut pending = self.pending.lock();
        pending.messages.discard_media();
        self.mirror(&pending);
    }

    /// Puts a message after the others.
    pub(super) fn append(&self, pending: &mut Pending, message: PendingMessage) {
        let is_media = message.media().is_some();
        pending.messages.push(message);
        if is_media {
            self.note_high_water(pending.messages.media());
        }
        self.mirror(pending);
    }

    /// Records that this much media waits.
    pub(super) fn note_high_water(&self, media: Duration) {
        self.counters.queue_high_water_ns.fetch_max(as_nanos(media), Ordering::Relaxed);
    }

    /// Drops the oldest media until no more waits than the limit. What was dropped is counted.
    pub(super) fn drop_oldest_media(&self, messages: &mut Messages) -> Dropped {
        let mut dropped = Dropped::default();
        while messages.media() > self.media_limit {
            let Some(message) = messages.pop_media() else { break };
            dropped.messages += 1;
            dropped.media += message.media().unwrap_or_default();
            self.counters.media_dropped.fetch_add(1, Ordering::Relaxed);
            let dropped_ns = as_nanos(message.media().unwrap_or_default());
            self.counters.media_dropped_ns.fetch_add(dropped_ns, Ordering::Relaxed);
        }
        dropped
    }

    /// Updates what is visible of the queue without its lock.
    pub(super) fn mirror(&self, pending: &Pending) {
        self.pending_len.store(pending.messages.len(), Ordering::Release);
        self.congested.store(pending.messages.control_bytes() > CONTROL_BACKLOG_BYTES, Ordering::Relaxed);
    }
}
