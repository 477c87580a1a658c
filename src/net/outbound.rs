//! The way out: encodes WebSocket frames and writes them without waiting, with a bounded queue behind.
//!
//! Events are queued first, so that their order is the queue's, and then written by the same thread. Media is written
//! directly when nothing is queued. When something waits, when another thread writes, and over TLS, a message is appended
//! and the connection's reactor is woken. Media for an application that reads slowly is kept up to a limit and
//! then dropped, the oldest first; control messages are never dropped, nor is a message whose bytes have begun.

mod counters;
mod encode;
mod pending;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use tungstenite::protocol::Role;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use self::counters::as_nanos;
pub(in crate::net) use self::encode::client_close_frame;
use self::encode::{encode, next_mask, seeded_rng};
use self::pending::{Message, Pending};
use super::frame_reader::MAX_HEADER_BYTES;
use super::sync::{AtomicBool, AtomicUsize, Mutex, MutexGuard};
use super::transport::Transport;

pub use self::counters::{Dropped, OutCounters};

/// Queued messages go into one write up to about this many bytes.
const BATCH_BYTES: usize = 16 * 1024;

/// How an [`Outbound`] gets its reactor to flush it. Called from any thread, never with a lock held.
pub trait Wake: Send + Sync {
    /// Asks for a flush soon.
    fn wake(&self);
}

/// The encoder and the bytes on their way. Its lock spans at most one non-blocking `send`.
struct Writer {
    buf: Vec<u8>,
    sent: usize,
    mask: Option<StdRng>,
    blocked_since: Option<Instant>,
    failed: bool,
}

/// What a flush came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flushed {
    /// All is written; this much media had been dropped since the last time all was.
    Empty(Dropped),
    /// The socket takes no more; the application has taken nothing since the given time.
    Blocked(Instant),
    /// Writing failed for good.
    Failed,
}

/// One connection's way out. Shared by the channel's thread, the job thread and the reactor.
pub struct Outbound {
    transport: Arc<dyn Transport>,
    wake: Box<dyn Wake>,
    media_limit: Duration,
    pending: Mutex<Pending>,
    /// Messages in `pending`, to see without its lock that there are none.
    pending_len: AtomicUsize,
    writer: Mutex<Writer>,
    congested: AtomicBool,
    /// Totals.
    pub counters: OutCounters,
}

impl std::fmt::Debug for Outbound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outbound").field("transport", &self.transport).finish_non_exhaustive()
    }
}

impl Outbound {
    /// The way out over `transport`. As a client it masks with keys from a generator of its own, seeded by the
    /// kernel (RFC 6455 section 5.3). `media_limit` is how much playing time of media may wait.
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
            writer: Mutex::new(Writer { buf: Vec::new(), sent: 0, mask, blocked_since: None, failed: false }),
            congested: AtomicBool::new(false),
            counters: OutCounters::default(),
        }
    }

    /// Sends one media frame's payload that lasts `duration`. Never waits. Called by the channel's thread.
    pub fn send_media(&self, payload: &[u8], duration: Duration) {
        self.counters.media_messages.fetch_add(1, Ordering::Relaxed);
        self.counters.media_bytes.fetch_add(payload.len() as u64, Ordering::Relaxed);
        if self.transport.concurrent()
            && let Some(writer) = self.writer.try_lock()
            && writer.sent == writer.buf.len()
            && !self.is_waiting()
        {
            return self.send_directly(writer, payload);
        }
        if self.queue_payload(Data::Binary, payload, Some(duration)) {
            self.wake.wake();
        }
    }

    /// Sends one text message (an event). Never waits. The message is not dropped while the connection lives.
    pub fn send_text(&self, text: &str) {
        self.queue_text(text);
        self.send_queued();
    }

    /// Queues one text message without writing it: a short lock, no syscall. A caller that orders events by a lock of
    /// its own queues them under that lock, and calls [`send_queued`](Self::send_queued) after it has released the lock.
    pub fn queue_text(&self, text: &str) {
        self.counters.events.fetch_add(1, Ordering::Relaxed);
        self.queue_payload(Data::Text, text.as_bytes(), None);
    }

    /// Writes what is queued, if the socket takes it and no other thread writes; else wakes the reactor for it. Never
    /// waits. Any thread, no lock held.
    pub fn send_queued(&self) {
        if !self.is_waiting() {
            // The thread that has taken the message writes it.
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
            self.append(&mut pending, Message::Encoded(frame));
        }
    }

    /// Queues a close frame with this payload after everything else, and takes no more. Written as a ping is. Nobody comes
    /// between it and the text message `last`, if there is one.
    pub fn queue_close(&self, last: Option<&str>, payload: &[u8]) {
        let frame = self.control_frame(Control::Close, payload);
        let mut pending = self.pending.lock();
        if std::mem::replace(&mut pending.closed, true) {
            return;
        }
        if let Some(text) = last {
            self.counters.events.fetch_add(1, Ordering::Relaxed);
            let message = Message::Payload { opcode: Data::Text, payload: text.into(), media: None };
            self.append(&mut pending, message);
        }
        self.append(&mut pending, Message::Encoded(frame));
    }

    fn control_frame(&self, control: Control, payload: &[u8]) -> Vec<u8> {
        let mut frame = Vec::with_capacity(MAX_HEADER_BYTES + payload.len());
        let mask = self.writer.lock().mask.as_mut().map(next_mask);
        // Encoding into a Vec cannot fail.
        let _ = encode(&mut frame, OpCode::Control(control), payload, mask);
        frame
    }

    /// Takes no more payload from now on; what is queued still goes out.
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

    /// Whether pongs can be queued without piling up behind an application that does not read.
    pub fn is_backed_up(&self) -> bool {
        self.pending_len.load(Ordering::Acquire) > 16
    }

    /// TLS version and cipher for people to read; `None` on a plain socket.
    pub fn tls_description(&self) -> Option<String> {
        self.transport.tls_description()
    }

    /// Playing time of the media that waits.
    pub fn queued_media(&self) -> Duration {
        self.pending.lock().media
    }

    /// Writes what the socket takes. Called by the connection's reactor alone.
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

    /// Queues an unencoded message; false if none is taken any more. `media`: how long it plays, if it is media.
    fn queue_payload(&self, opcode: Data, payload: &[u8], media: Option<Duration>) -> bool {
        let mut pending = self.pending.lock();
        if pending.closed {
            return false;
        }
        self.append(&mut pending, Message::Payload { opcode, payload: payload.to_vec(), media });
        self.drop_oldest_media(&mut pending);
        true
    }

    /// The common case: one frame of media, encoded into the writer's buffer, one `send`.
    fn send_directly(&self, mut writer: MutexGuard<'_, Writer>, payload: &[u8]) {
        if writer.failed || self.pending.lock().closed {
            return;
        }
        writer.buf.clear();
        writer.sent = 0;
        let mask = writer.mask.as_mut().map(next_mask);
        if encode(&mut writer.buf, OpCode::Data(Data::Binary), payload, mask).is_err() {
            writer.buf.clear();
            return;
        }
        let blocked = self.write_once(&mut writer).is_some();
        drop(writer);
        if blocked {
            // The reactor has to know: it watches how long the application takes nothing.
            self.wake.wake();
        }
    }

    /// One `send`; with TLS, which takes a record at a time, as many as it takes. Returns since when the socket takes
    /// nothing, if not all could be written (or writing failed).
    fn write_once(&self, writer: &mut Writer) -> Option<Instant> {
        loop {
            let rest = writer.buf.get(writer.sent..).unwrap_or_default();
            match self.transport.send(rest) {
                Ok(written) if writer.sent + written >= writer.buf.len() => {
                    writer.sent = writer.buf.len();
                    self.end_block(writer);
                    return None;
                }
                Ok(written) => {
                    writer.sent += written;
                    self.end_block(writer);
                    writer.blocked_since = Some(Instant::now());
                    // A plain socket is full now, and epoll says when it is not. Behind a TLS record it need not be
                    // full, and epoll would have nothing to say.
                    if !self.transport.concurrent() {
                        continue;
                    }
                }
                Err(error)
                    if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                Err(_) => {
                    writer.failed = true;
                    self.close();
                }
            }
            return Some(*writer.blocked_since.get_or_insert_with(Instant::now));
        }
    }

    /// The application has taken something; in the common case it had not kept us waiting.
    fn end_block(&self, writer: &mut Writer) {
        if let Some(since) = writer.blocked_since.take() {
            let blocked_ns = as_nanos(since.elapsed());
            self.counters.blocked_ns.fetch_add(blocked_ns, Ordering::Relaxed);
            self.counters.longest_block_ns.fetch_max(blocked_ns, Ordering::Relaxed);
        }
    }

    /// Encodes queued messages into the writer's buffer; false if there are none.
    fn refill(&self, writer: &mut Writer) -> bool {
        writer.buf.clear();
        writer.sent = 0;
        let mut pending = self.pending.lock();
        while writer.buf.len() < BATCH_BYTES {
            let Some(message) = pending.messages.pop_front() else { break };
            self.account_removed(&mut pending, &message);
            match message {
                Message::Payload { opcode, payload, .. } => {
                    let mask = writer.mask.as_mut().map(next_mask);
                    // Encoding into a Vec cannot fail.
                    let _ = encode(&mut writer.buf, OpCode::Data(opcode), &payload, mask);
                }
                Message::Encoded(bytes) => writer.buf.extend_from_slice(&bytes),
            }
        }
        !writer.buf.is_empty()
    }
}
