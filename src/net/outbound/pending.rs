//! What waits behind the writer, how much of it may, and what is dropped when it is more.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tungstenite::protocol::frame::coding::Data;

use super::Outbound;
use super::counters::{Dropped, as_nanos};

/// Reading from an application stops while this many bytes of answers wait for it to read them.
const CONTROL_BACKLOG_BYTES: usize = 256 * 1024;

/// A message waiting to be written.
pub(super) enum Message {
    /// An unencoded payload.
    Payload { opcode: Data, payload: Vec<u8>, media: Option<Duration> },
    /// A whole control frame.
    Encoded(Vec<u8>),
}

impl Message {
    pub(super) fn len(&self) -> usize {
        match self {
            Message::Payload { payload, .. } => payload.len(),
            Message::Encoded(bytes) => bytes.len(),
        }
    }

    pub(super) fn media(&self) -> Option<Duration> {
        match self {
            Message::Payload { media, .. } => *media,
            Message::Encoded(_) => None,
        }
    }
}

/// What waits behind the writer. Its lock is never held across a syscall.
#[derive(Default)]
pub(super) struct Pending {
    pub(super) messages: VecDeque<Message>,
    pub(super) media: Duration,
    control_bytes: usize,
    pub(super) dropped: Dropped,
    /// No more payload is taken: a close frame is queued, or the connection has failed.
    pub(super) closed: bool,
}

impl Outbound {
    /// Forgets queued media; for an application that has sent its close frame and reads no more.
    pub fn discard_media(&self) {
        let mut pending = self.pending.lock();
        pending.messages.retain(|message| message.media().is_none());
        pending.media = Duration::ZERO;
        self.mirror(&pending);
    }

    /// Puts a message behind the others.
    pub(super) fn append(&self, pending: &mut Pending, message: Message) {
        match message.media() {
            Some(duration) => {
                pending.media += duration;
                self.counters.queue_high_water_ns.fetch_max(as_nanos(pending.media), Ordering::Relaxed);
            }
            None => pending.control_bytes += message.len(),
        }
        pending.messages.push_back(message);
        self.mirror(pending);
    }

    /// A message has been taken out.
    pub(super) fn account_removed(&self, pending: &mut Pending, message: &Message) {
        match message.media() {
            Some(duration) => pending.media = pending.media.saturating_sub(duration),
            None => pending.control_bytes = pending.control_bytes.saturating_sub(message.len()),
        }
        self.mirror(pending);
    }

    /// Drops media until no more of it waits than may.
    pub(super) fn drop_oldest_media(&self, pending: &mut Pending) {
        while pending.media > self.media_limit {
            let Some(oldest) = pending.messages.iter().position(|message| message.media().is_some()) else {
                return;
            };
            let Some(message) = pending.messages.remove(oldest) else { return };
            self.account_removed(pending, &message);
            pending.dropped.messages += 1;
            pending.dropped.media += message.media().unwrap_or_default();
            self.counters.media_dropped.fetch_add(1, Ordering::Relaxed);
            let dropped_ns = as_nanos(message.media().unwrap_or_default());
            self.counters.media_dropped_ns.fetch_add(dropped_ns, Ordering::Relaxed);
        }
    }
    /// What is seen of the queue without its lock.
    fn mirror(&self, pending: &Pending) {
        self.pending_len.store(pending.messages.len(), Ordering::Release);
        self.congested.store(pending.control_bytes > CONTROL_BACKLOG_BYTES, Ordering::Relaxed);
    }
}
