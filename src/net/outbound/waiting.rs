//! What waits while a call has lost its connection and may get another: the output of the lost connection keeps it, and
//! hands it over to the next one.
//!
//! Media and events are in one order, that in which they were queued. Threads notice the new output at different times:
//! what one still brings to the old output goes on to the new one, after what waited.

use std::sync::{Arc, Weak};

use super::counters::Dropped;
use super::pending::{Messages, PendingMessage};
use super::{Outbound, Writer};

/// How many bytes of events are kept. More than an application can request in advance; a day of digits fits.
const KEPT_EVENT_BYTES: usize = 256 * 1024;

/// Where payload goes that this connection no longer accepts.
pub(super) enum Successor {
    /// It waits for the next connection, with the media that has been dropped since.
    Kept(Messages, Dropped),
    /// The next connection exists. Weak, because a thread that never writes again keeps the connection that it has seen
    /// last.
    Heir(Weak<Outbound>),
}

impl Outbound {
    /// Sets that the call outlives this connection: then what cannot be sent on it is kept.
    #[must_use]
    pub fn outlived(mut self) -> Self {
        self.outlived = true;
        self
    }

    /// Goes on with the counters of `before`: the totals are the call's.
    #[must_use]
    pub fn counting_on(mut self, before: &Self) -> Self {
        self.counters = before.counters.clone();
        self
    }

    /// The connection is lost. If the call [outlives](Self::outlived) it, all media and events that have not begun to
    /// be written are kept from now on, the newest `media_limit` of media, and are sent on the next connection; on this
    /// one only a close frame is. A message that has begun is finished here or not at all. Called by the connection's
    /// reactor.
    pub fn keep(&self) {
        self.keep_with(&mut self.writer.lock());
    }

    pub(super) fn keep_with(&self, writer: &mut Writer) {
        if !self.outlived {
            return;
        }
        let mut pending = self.pending.lock();
        if pending.instead.is_some() {
            return;
        }
        let not_begun = take_not_begun(writer);
        let mut kept = Messages::default();
        let mut queued = std::mem::take(&mut pending.messages);
        for message in not_begun.into_iter().chain(std::iter::from_fn(|| queued.pop())) {
            match message {
                PendingMessage::Payload { .. } => kept.push(message),
                PendingMessage::Encoded(_) => pending.messages.push(message),
            }
        }
        let dropped = self.bound(&mut kept);
        pending.instead = Some(Successor::Kept(kept, dropped));
        self.mirror(&pending);
    }

    /// Another connection serves the call from now on. It gets what has waited here, in order, after what was already
    /// given to it, and then everything that other threads still bring here. The reactor of `heir` does not know it
    /// yet. No lock held. Returns what was dropped meanwhile.
    pub fn hand_over(&self, heir: &Arc<Self>) -> Dropped {
        let mut pending = self.pending.lock();
        let before = pending.instead.replace(Successor::Heir(Arc::downgrade(heir)));
        pending.closed = true;
        let Some(Successor::Kept(mut kept, dropped)) = before else { return Dropped::default() };
        // Our lock is held, so what is brought here meanwhile comes after it.
        let mut heirs = heir.pending.lock();
        while let Some(message) = kept.pop() {
            heir.append(&mut heirs, message);
        }
        dropped
    }

    /// The connection that has taken over from this one.
    pub(super) fn heir(&self) -> Option<Arc<Self>> {
        match &self.pending.lock().instead {
            Some(Successor::Heir(heir)) => heir.upgrade(),
            _ => None,
        }
    }

    /// Keeps one more, and returns what was dropped for it.
    pub(super) fn keep_more(&self, kept: &mut Messages, message: PendingMessage) -> Dropped {
        kept.push(message);
        self.note_high_water(kept.media());
        self.bound(kept)
    }

    fn bound(&self, kept: &mut Messages) -> Dropped {
        while kept.control_bytes() > KEPT_EVENT_BYTES && kept.pop_event().is_some() {
            log::debug!("an event for an application that is lost is dropped: too many wait for it");
        }
        self.drop_oldest_media(kept)
    }
}

/// The messages of the current batch of which nothing was sent yet. The batch ends before them.
fn take_not_begun(writer: &mut Writer) -> Vec<PendingMessage> {
    let sent = writer.sent;
    let batch = std::mem::take(&mut writer.batch);
    let not_begun: Vec<_> = batch.into_iter().skip_while(|(start, _)| *start < sent).collect();
    if let Some((start, _)) = not_begun.first() {
        writer.buf.truncate(*start);
    }
    not_begun.into_iter().map(|(_, message)| message).collect()
}
