//! The encoder, and the bytes that are on their way into the socket.

use std::io;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::counters::as_nanos;
use super::encode::Encoder;
use super::pending::PendingMessage;
use super::{MediaTime, Outbound};
use crate::net::sync::MutexGuard;

/// Queued messages go into one write up to about this many bytes.
const BATCH_BYTES: usize = 16 * 1024;

/// The encoder and the bytes on their way. Its lock spans at most one non-blocking `send`.
pub(super) struct Writer {
    pub(super) buf: Vec<u8>,
    pub(super) sent: usize,
    pub(super) encoder: Encoder,
    blocked_since: Option<Instant>,
    pub(super) failed: bool,
    /// The messages in `buf` and where each begins there; only if the call outlives the connection.
    pub(super) batch: Vec<(usize, PendingMessage)>,
}

impl Writer {
    /// A writer with nothing to write.
    pub(super) fn new(encoder: Encoder) -> Self {
        Self { buf: Vec::new(), sent: 0, encoder, blocked_since: None, failed: false, batch: Vec::new() }
    }
}

impl Outbound {
    /// The common case: one frame of media, encoded into the writer's buffer, one `send`. False: nothing of it was
    /// sent.
    pub(super) fn send_directly(
        &self,
        mut writer: MutexGuard<'_, Writer>,
        payload: &[u8],
        time: MediaTime,
    ) -> bool {
        if writer.failed || !self.pending.lock().takes_payload() {
            return false;
        }
        writer.buf.clear();
        writer.batch.clear();
        writer.sent = 0;
        let Writer { buf, encoder, .. } = &mut *writer;
        encoder.encode_payload(buf, payload, Some(time));
        let blocked = self.write_once(&mut writer).is_some();
        let is_lost = writer.failed && writer.sent == 0;
        drop(writer);
        if blocked {
            // The reactor has to know: it measures how long the application takes nothing.
            self.wake.wake();
        }
        !is_lost
    }

    /// One `send`; with TLS, which takes a record at a time, as many as succeed. Returns since when the socket accepts
    /// nothing, if not all could be written (or writing failed).
    pub(super) fn write_once(&self, writer: &mut Writer) -> Option<Instant> {
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
                    // A plain socket is full now, and epoll reports when it is not. After a TLS record it need not be
                    // full, and epoll would report nothing.
                    if !self.transport.concurrent() {
                        continue;
                    }
                }
                Err(error)
                    if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                Err(_) => {
                    writer.failed = true;
                    self.keep_with(writer);
                    self.close();
                }
            }
            return Some(*writer.blocked_since.get_or_insert_with(Instant::now));
        }
    }

    /// The application has taken something; in the common case the connection was not blocked.
    pub(super) fn end_block(&self, writer: &mut Writer) {
        if let Some(since) = writer.blocked_since.take() {
            let blocked_ns = as_nanos(since.elapsed());
            self.counters.blocked_ns.fetch_add(blocked_ns, Ordering::Relaxed);
            self.counters.longest_block_ns.fetch_max(blocked_ns, Ordering::Relaxed);
        }
    }

    /// Encodes queued messages into the writer's buffer; false if there are none.
    pub(super) fn refill(&self, writer: &mut Writer) -> bool {
        writer.buf.clear();
        writer.batch.clear();
        writer.sent = 0;
        let mut pending = self.pending.lock();
        while writer.buf.len() < BATCH_BYTES {
            let Some(message) = pending.messages.pop() else { break };
            let start = writer.buf.len();
            match &message {
                PendingMessage::Payload { payload, media, .. } => {
                    let Writer { buf, encoder, .. } = &mut *writer;
                    encoder.encode_payload(buf, payload, *media);
                }
                PendingMessage::Encoded(bytes) => writer.buf.extend_from_slice(bytes),
            }
            if self.outlived {
                writer.batch.push((start, message));
            }
        }
        self.mirror(&pending);
        !writer.buf.is_empty()
    }
}
