//! The output of a connection: encodes WebSocket frames and writes them without waiting, with a bounded queue for what
//! cannot be written yet.
//!
//! Events are queued first, so that the queue determines their order, and then written by the same thread. Media is
//! written directly when nothing is queued. When something waits, when another thread writes, and over TLS, a message
//! is appended and the connection's reactor is woken. Media for an application that reads slowly is kept up to a limit
//! and then dropped, the oldest first; control messages are never dropped, nor is a message whose bytes have begun.

mod counters;
mod encode;
mod pending;
#[cfg(test)]
mod tests;
mod waiting;
mod writer;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tungstenite::protocol::Role;
use tungstenite::protocol::frame::coding::{Control, OpCode};

pub(in crate::net) use self::encode::client_close_frame;
use self::encode::{Encoder, encode, next_mask, seeded_rng};
use self::pending::{Pending, PendingMessage};
use self::waiting::Successor;
use self::writer::Writer;
use super::frame_reader::MAX_HEADER_BYTES;
use super::sync::{AtomicBool, AtomicUsize, Mutex};
use super::transport::Transport;
use crate::protocol::dialect::WireWriter;

pub use self::counters::{Dropped, OutCounters};

/// How an [`Outbound`] gets its reactor to flush it. Called from any thread, never with a lock held.
pub trait Wake: Send + Sync {
    /// Asks for a flush soon.
    fn wake(&self);
}

/// When one frame of media plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MediaTime {
    /// How long it lasts.
    pub duration: Duration,
    /// The time since the stream began, if the call's dialect sends it; else zero.
    pub at: Duration,
}

/// The result of a flush.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flushed {
    /// Everything is written; this much media had been dropped since the last time that was so.
    Empty(Dropped),
    /// The socket accepts no more; the application has taken nothing since the given time.
    Blocked(Instant),
    /// Writing failed for good.
    Failed,
}

/// One connection's output. Shared by the channel's thread, the job thread and the reactor.
pub struct Outbound {
    transport: Arc<dyn Transport>,
    wake: Box<dyn Wake>,
    media_limit: Duration,
    pending: Mutex<Pending>,
    /// The number of messages in `pending`: shows without its lock that there are none.
    pending_len: AtomicUsize,
    writer: Mutex<Writer>,
    congested: AtomicBool,
    /// See [`Outbound::outlived`].
    outlived: bool,
    /// Totals.
    pub counters: Arc<OutCounters>,
}

impl std::fmt::Debug for Outbound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outbound").field("transport", &self.transport).finish_non_exhaustive()
    }
}

impl Outbound {
    /// The output over `transport`. As a client it masks with keys from its own generator, seeded by the kernel (RFC
    /// 6455 section 5.3). `media_limit` is how much playing time of media may wait.
    pub fn new(
        transport: Arc<dyn Transport>,
        role: Role,
        media_limit: Duration,
        wake: Box<dyn Wake>,
    ) -> Self {
        let mask = match role {
            Role::Server => None,
            Role::Client => Some(seeded_rng()),
        };
        Self {
            transport,
            wake,
            media_limit,
            pending: Mutex::default(),
            pending_len: AtomicUsize::new(0),
            writer: Mutex::new(Writer::new(Encoder::new(mask))),
            congested: AtomicBool::new(false),
            outlived: false,
            counters: Arc::default(),
        }
    }

    /// Writes messages in the call's dialect, if that wraps media or numbers messages.
    #[must_use]
    pub fn speaking(self, dialect: Option<WireWriter>) -> Self {
        self.writer.lock().encoder.dialect = dialect;
        self
    }

    /// Sends one media frame's payload that lasts `duration`. Never waits. Called by the channel's thread.
    pub fn send_media(&self, payload: &[u8], duration: Duration) {
        self.send_timed_media(payload, MediaTime { duration, at: Duration::ZERO });
    }

    /// The same for a dialect that sends the time at which the frame plays.
    pub fn send_timed_media(&self, payload: &[u8], time: MediaTime) {
        self.counters.media_messages.fetch_add(1, Ordering::Relaxed);
        self.counters.media_bytes.fetch_add(payload.len() as u64, Ordering::Relaxed);
        if self.transport.concurrent()
            && let Some(writer) = self.writer.try_lock()
            && writer.sent == writer.buf.len()
            && !self.is_waiting()
            && self.send_directly(writer, payload, time)
        {
            return;
        }
        if self.queue_payload(payload, Some(time), false) {
            self.wake.wake();
        } else if let Some(heir) = self.heir() {
            heir.wake.wake();
        }
    }

    /// Sends one text message (an event). Never waits. The message is not dropped while the connection lives.
    pub fn send_text(&self, text: &str) {
        self.queue_text(text);
        self.send_queued();
    }

    /// Queues one text message without writing it: a short lock, no syscall. A caller that orders events by its own
    /// lock queues them under that lock, and calls [`send_queued`](Self::send_queued) after it has released the lock.
    pub fn queue_text(&self, text: &str) {
        self.queue_event(text, false);
    }

    /// The same for an event that is soon out of date: it is dropped first if too many wait for the next connection.
    pub fn queue_passing_text(&self, text: &str) {
        self.queue_event(text, true);
    }

    fn queue_event(&self, text: &str, is_passing: bool) {
        self.counters.events.fetch_add(1, Ordering::Relaxed);
        self.queue_payload(text.as_bytes(), None, is_passing);
    }

    /// Writes what is queued, if the socket accepts it and no other thread writes; else wakes the reactor for it. Never
    /// waits. Any thread, no lock held.
    pub fn send_queued(&self) {
        if !self.is_waiting() {
            // The thread that has taken the message writes it, unless it has gone on to the next connection.
            if let Some(heir) = self.heir() {
                heir.send_queued();
            }
            return;
        }
        if self.transport.concurrent()
            && let Some(mut writer) = self.writer.try_lock()
            && writer.sent == writer.buf.len()
        {
            let blocked = self.refill(&mut writer) && self.write_once(&mut writer).is_some();
            drop(writer);
            if !blocked && !self.is_waiting() {
                return;
            }
        }
        self.wake.wake();
    }

    /// Queues a ping; written with the next flush (the reactor calls this and flushes after it).
    pub fn queue_ping(&self, payload: &[u8]) {
        self.queue_control(Control::Ping, payload);
    }

    /// Queues the answer to a ping with this payload; written as a ping is.
    pub fn queue_pong(&self, payload: &[u8]) {
        self.queue_control(Control::Pong, payload);
    }

    fn queue_control(&self, control: Control, payload: &[u8]) {
        let frame = self.control_frame(control, payload);
        let mut pending = self.pending.lock();
        if !pending.closed {
            self.append(&mut pending, PendingMessage::Encoded(frame));
        }
    }

    /// Queues a close frame with this payload after everything else, and accepts no more. Written as a ping is. Nothing
    /// comes between it and the text message `last`, if there is one.
    pub fn queue_close(&self, last: Option<&str>, payload: &[u8]) {
        let frame = self.control_frame(Control::Close, payload);
        let mut pending = self.pending.lock();
        if std::mem::replace(&mut pending.closed, true) {
            return;
        }
        if let Some(text) = last {
            self.counters.events.fetch_add(1, Ordering::Relaxed);
            let message = PendingMessage::Payload { payload: text.into(), media: None, is_passing: false };
            self.append(&mut pending, message);
        }
        self.append(&mut pending, PendingMessage::Encoded(frame));
    }

    fn control_frame(&self, control: Control, payload: &[u8]) -> Vec<u8> {
        let mut frame = Vec::with_capacity(MAX_HEADER_BYTES + payload.len());
        let mask = self.writer.lock().encoder.mask.as_mut().map(next_mask);
        // Encoding into a Vec cannot fail.
        let _ = encode(&mut frame, OpCode::Control(control), payload, mask);
        frame
    }

    /// Accepts no more payload from now on; what is queued is still sent.
    pub fn close(&self) {
        self.pending.lock().closed = true;
    }

    /// Whether so many answers wait for the application that no more of its messages should be read.
    pub fn is_congested(&self) -> bool {
        self.congested.load(Ordering::Relaxed)
    }

    /// Whether a message waits that has not begun to be written.
    pub fn is_waiting(&self) -> bool {
        self.pending_len.load(Ordering::Acquire) > 0
    }

    /// Whether so much waits that pongs would pile up for an application that does not read.
    pub fn is_backed_up(&self) -> bool {
        self.pending_len.load(Ordering::Acquire) > 16
    }

    /// TLS version and cipher for people to read; `None` on a plain socket.
    pub fn tls_description(&self) -> Option<String> {
        self.transport.tls_description()
    }

    /// Playing time of the media that waits.
    pub fn queued_media(&self) -> Duration {
        match &*self.pending.lock() {
            Pending { instead: Some(Successor::Kept(kept, _)), .. } => kept.media(),
            pending => pending.messages.media(),
        }
    }

    /// Writes what the socket accepts. Called by the connection's reactor alone.
    pub fn flush(&self) -> Flushed {
        loop {
            let mut writer = self.writer.lock();
            if writer.failed {
                return Flushed::Failed;
            }
            if writer.sent == writer.buf.len() && !self.refill(&mut writer) {
                self.end_block(&mut writer);
                drop(writer);
                let dropped = std::mem::take(&mut self.pending.lock().dropped);
                return Flushed::Empty(dropped);
            }
            if let Some(since) = self.write_once(&mut writer) {
                return if writer.failed { Flushed::Failed } else { Flushed::Blocked(since) };
            }
        }
    }

    /// Queues an unencoded message; false if it is not sent here. `media`: how long it plays, if it is media.
    fn queue_payload(&self, payload: &[u8], media: Option<MediaTime>, is_passing: bool) -> bool {
        let mut pending = self.pending.lock();
        let message = || PendingMessage::Payload { payload: payload.to_vec(), media, is_passing };
        match &mut pending.instead {
            Some(Successor::Kept(kept, dropped)) => {
                *dropped += self.keep_more(kept, message());
                return false;
            }
            Some(Successor::Heir(heir)) => {
                let heir = heir.upgrade();
                drop(pending);
                heir.map(|heir| heir.queue_payload(payload, media, is_passing));
                return false;
            }
            None => {}
        }
        if pending.closed {
            return false;
        }
        self.append(&mut pending, message());
        let dropped = self.drop_oldest_media(&mut pending.messages);
        pending.dropped += dropped;
        self.mirror(&pending);
        true
    }
}
