//! The way out: encodes WebSocket frames and writes them without waiting, with a bounded queue behind.
//!
//! On a plain socket any thread writes directly when nothing is queued; behind a queue, on contention and over TLS it
//! appends and wakes the connection's reactor. Media for an application that reads slowly is kept up to a limit and
//! then dropped, the oldest first; control messages are never dropped, nor is a message whose bytes have begun.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tungstenite::protocol::Role;
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use super::transport::Transport;

/// Queued messages go into one write up to about this many bytes.
const BATCH_BYTES: usize = 16 * 1024;

/// Longest frame header (RFC 6455 section 5.2).
const MAX_HEADER_BYTES: usize = 14;

/// Reading from an application stops while this many bytes of answers wait for it to read them.
const CONTROL_BACKLOG_BYTES: usize = 256 * 1024;

/// How an [`Outbound`] gets its reactor to flush it. Called from any thread, never with a lock held.
pub trait Wake: Send + Sync {
    /// Asks for a flush soon.
    fn wake(&self);
}

/// A message waiting to be written.
enum Message {
    /// An unencoded payload.
    Payload { opcode: Data, payload: Vec<u8>, media: Option<Duration> },
    /// A whole frame as tungstenite encoded it (pong, close).
    Encoded(Vec<u8>),
}

impl Message {
    fn len(&self) -> usize {
        match self {
            Message::Payload { payload, .. } => payload.len(),
            Message::Encoded(bytes) => bytes.len(),
        }
    }

    fn media(&self) -> Option<Duration> {
        match self {
            Message::Payload { media, .. } => *media,
            Message::Encoded(_) => None,
        }
    }
}

/// What waits behind the writer. Its lock is never held across a syscall.
#[derive(Default)]
struct Pending {
    messages: VecDeque<Message>,
    media: Duration,
    control_bytes: usize,
    dropped: Dropped,
    /// No more payload is taken: a close frame is queued, or the connection has failed.
    closed: bool,
}

/// The encoder and the bytes on their way. Its lock spans at most one non-blocking `send`.
struct Writer {
    buf: Vec<u8>,
    sent: usize,
    mask: Option<StdRng>,
    blocked_since: Option<Instant>,
    failed: bool,
}

/// Media that an application did not read in time.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Dropped {
    /// Media messages (frames of the core).
    pub messages: u64,
    /// Their playing time.
    pub media: Duration,
}

/// Totals of one connection's way out.
#[derive(Debug, Default)]
pub struct OutCounters {
    /// Media messages handed to the socket or queued.
    pub media_messages: AtomicU64,
    /// Their payload bytes.
    pub media_bytes: AtomicU64,
    /// Media messages dropped because the application read too slowly.
    pub media_dropped: AtomicU64,
    /// Text messages (events).
    pub events: AtomicU64,
    /// The most media that ever waited, ns of playing time.
    pub queue_high_water_ns: AtomicU64,
    /// How long the application took nothing although something waited for it, ns, all times together.
    pub blocked_ns: AtomicU64,
    /// The longest of these times, ns.
    pub longest_block_ns: AtomicU64,
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

/// One connection's way out. Shared by the channel's thread, the effects thread and the reactor.
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
        self.send(Data::Binary, payload, Some(duration));
    }

    /// Sends one text message (an event). Never waits and is never dropped while the connection lives.
    pub fn send_text(&self, text: &str) {
        self.counters.events.fetch_add(1, Ordering::Relaxed);
        self.send(Data::Text, text.as_bytes(), None);
    }

    /// Queues a ping; written with the next flush (the reactor calls this and flushes after it).
    pub fn queue_ping(&self, payload: &[u8]) {
        self.queue_control(Control::Ping, payload);
    }

    /// Queues a close frame with this payload behind everything else, and takes no more. Written as a ping is.
    pub fn queue_close(&self, payload: &[u8]) {
        self.queue_control(Control::Close, payload);
        self.close();
    }

    fn queue_control(&self, control: Control, payload: &[u8]) {
        let mut frame = Vec::with_capacity(MAX_HEADER_BYTES + payload.len());
        let mask = self.writer.lock().mask.as_mut().map(next_mask);
        if encode(&mut frame, OpCode::Control(control), payload, mask).is_ok() {
            self.queue_encoded(&frame);
        }
    }

    /// Queues a whole encoded frame behind everything else. Called by the reactor, which flushes after it.
    pub fn queue_encoded(&self, frame: &[u8]) {
        let mut pending = self.pending.lock();
        if !pending.closed {
            self.append(&mut pending, Message::Encoded(frame.to_vec()));
        }
    }

    /// Takes no more payload from now on; what is queued still goes out.
    pub fn close(&self) {
        self.pending.lock().closed = true;
    }

    /// Forgets queued media; for an application that has sent its close frame and reads no more.
    pub fn discard_media(&self) {
        let mut pending = self.pending.lock();
        pending.messages.retain(|message| message.media().is_none());
        pending.media = Duration::ZERO;
        self.pending_len.store(pending.messages.len(), Ordering::Release);
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

    fn send(&self, opcode: Data, payload: &[u8], media: Option<Duration>) {
        if self.transport.concurrent()
            && let Some(writer) = self.writer.try_lock()
            && writer.sent == writer.buf.len()
            && self.pending_len.load(Ordering::Acquire) == 0
        {
            self.send_directly(writer, opcode, payload);
            return;
        }
        {
            let mut pending = self.pending.lock();
            if pending.closed {
                return;
            }
            self.append(&mut pending, Message::Payload { opcode, payload: payload.to_vec(), media });
            self.drop_oldest_media(&mut pending);
        }
        self.wake.wake();
    }

    /// The common case: one frame, encoded into the writer's buffer, one `send`.
    fn send_directly(&self, mut writer: MutexGuard<'_, Writer>, opcode: Data, payload: &[u8]) {
        if writer.failed || self.pending.lock().closed {
            return;
        }
        writer.buf.clear();
        writer.sent = 0;
        let mask = writer.mask.as_mut().map(next_mask);
        if encode(&mut writer.buf, OpCode::Data(opcode), payload, mask).is_err() {
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

    fn append(&self, pending: &mut Pending, message: Message) {
        match message.media() {
            Some(duration) => {
                pending.media += duration;
                self.counters.queue_high_water_ns.fetch_max(as_nanos(pending.media), Ordering::Relaxed);
            }
            None => pending.control_bytes += message.len(),
        }
        pending.messages.push_back(message);
        self.pending_len.store(pending.messages.len(), Ordering::Release);
        self.congested.store(pending.control_bytes > CONTROL_BACKLOG_BYTES, Ordering::Relaxed);
    }

    fn account_removed(&self, pending: &mut Pending, message: &Message) {
        match message.media() {
            Some(duration) => pending.media = pending.media.saturating_sub(duration),
            None => pending.control_bytes = pending.control_bytes.saturating_sub(message.len()),
        }
        self.pending_len.store(pending.messages.len(), Ordering::Release);
        self.congested.store(pending.control_bytes > CONTROL_BACKLOG_BYTES, Ordering::Relaxed);
    }

    fn drop_oldest_media(&self, pending: &mut Pending) {
        while pending.media > self.media_limit {
            let Some(oldest) = pending.messages.iter().position(|message| message.media().is_some()) else {
                return;
            };
            let Some(message) = pending.messages.remove(oldest) else { return };
            self.account_removed(pending, &message);
            pending.dropped.messages += 1;
            pending.dropped.media += message.media().unwrap_or_default();
            self.counters.media_dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn as_nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// A generator for masking keys. The kernel's randomness seeds it; no thread-local state is involved, for that would
/// leave a destructor behind on Asterisk's threads.
fn seeded_rng() -> StdRng {
    let mut seed = [0u8; 32];
    if let Err(error) = getrandom::fill(&mut seed) {
        log::error!("no randomness from the kernel for WebSocket masking keys: {error}");
    }
    StdRng::from_seed(seed)
}

fn next_mask(rng: &mut StdRng) -> [u8; 4] {
    rng.next_u32().to_ne_bytes()
}

/// Appends one unfragmented frame (RFC 6455 section 5.2), masked if a key is given.
fn encode(
    out: &mut Vec<u8>,
    opcode: OpCode,
    payload: &[u8],
    mask: Option<[u8; 4]>,
) -> tungstenite::Result<()> {
    let header = FrameHeader { is_final: true, rsv1: false, rsv2: false, rsv3: false, opcode, mask };
    header.format(payload.len() as u64, out)?;
    let start = out.len();
    out.extend_from_slice(payload);
    if let Some(key) = mask {
        let masked = out.get_mut(start..).unwrap_or_default();
        for (byte, key) in masked.iter_mut().zip(key.iter().cycle()) {
            *byte ^= key;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::RawFd;

    #[derive(Debug, Default)]
    struct Pipe {
        /// How many bytes the "socket" still takes.
        room: Mutex<usize>,
        out: Mutex<Vec<u8>>,
        /// With TLS: bytes of a record, which is all that one `send` takes.
        record: Option<usize>,
    }

    impl Transport for Pipe {
        fn recv(&self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::WouldBlock.into())
        }
        fn send(&self, buf: &[u8]) -> io::Result<usize> {
            let mut room = self.room.lock();
            let n = buf.len().min(*room).min(self.record.unwrap_or(usize::MAX));
            if n == 0 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            *room -= n;
            self.out.lock().extend_from_slice(&buf[..n]);
            Ok(n)
        }
        fn shutdown(&self) {}
        fn close(&self) {}
        fn as_raw_fd(&self) -> RawFd {
            -1
        }
        fn concurrent(&self) -> bool {
            self.record.is_none()
        }
    }

    struct NoWake;
    impl Wake for NoWake {
        fn wake(&self) {}
    }

    fn outbound(room: usize, role: Role) -> (Arc<Pipe>, Outbound) {
        let pipe = Arc::new(Pipe { room: Mutex::new(room), ..Pipe::default() });
        let out = Outbound::new(pipe.clone(), role, Duration::from_millis(100), Box::new(NoWake));
        (pipe, out)
    }

    const FRAME: Duration = Duration::from_millis(20);

    #[test]
    fn a_frame_goes_out_at_once_when_nothing_waits() {
        let (pipe, out) = outbound(1000, Role::Server);
        out.send_media(&[7; 160], FRAME);
        assert_eq!(pipe.out.lock()[..6], [0x82, 126, 0, 160, 7, 7]);
        assert_eq!(out.flush(), Flushed::Empty(Dropped::default()));
    }

    #[test]
    fn a_client_masks_every_frame_with_its_own_key() {
        let (pipe, out) = outbound(1000, Role::Client);
        out.send_text("hello");
        out.send_text("hello");
        let bytes = pipe.out.lock().clone();
        assert_eq!((bytes[0], bytes[1]), (0x81, 0x85));
        let key = &bytes[2..6];
        let text: Vec<u8> = bytes[6..11].iter().zip(key.iter().cycle()).map(|(b, k)| b ^ k).collect();
        assert_eq!(text, b"hello");
        assert_ne!(bytes[2..6], bytes[13..17], "a key is used for one frame only");
    }

    #[test]
    fn the_oldest_media_is_dropped_never_an_event_nor_a_begun_message() {
        let (pipe, out) = outbound(10, Role::Server);
        for number in 0..10u8 {
            out.send_media(&[number; 50], FRAME);
            if number == 3 {
                out.send_text("event");
            }
        }
        // 10 bytes of frame 0 went out, so it stays; 5 frames (100 ms) may wait behind it.
        *pipe.room.lock() = 100_000;
        let dropped = Dropped { messages: 4, media: FRAME * 4 };
        assert_eq!(out.flush(), Flushed::Empty(dropped));
        // The frame that makes the queue too long is in it for a moment.
        assert_eq!(out.counters.queue_high_water_ns.load(Ordering::Relaxed), 120_000_000);
        let bytes = pipe.out.lock().clone();
        let mut expected = Vec::new();
        encode(&mut expected, OpCode::Data(Data::Binary), &[0; 50], None).unwrap();
        encode(&mut expected, OpCode::Data(Data::Text), b"event", None).unwrap();
        for number in 5u8..10 {
            encode(&mut expected, OpCode::Data(Data::Binary), &[number; 50], None).unwrap();
        }
        assert_eq!(bytes, expected);
        assert_eq!(out.flush(), Flushed::Empty(Dropped::default()), "an episode is told once");
    }

    /// Nothing would bring the rest out: epoll has nothing to say about a socket that is not full.
    #[test]
    fn a_message_of_many_tls_records_goes_out_in_one_flush() {
        let pipe = Arc::new(Pipe { room: Mutex::new(1000), record: Some(16), ..Pipe::default() });
        let out = Outbound::new(pipe.clone(), Role::Server, FRAME, Box::new(NoWake));
        out.send_text(&"x".repeat(500));
        assert_eq!(out.flush(), Flushed::Empty(Dropped::default()));
        assert_eq!(pipe.out.lock().len(), 504);
        out.send_text(&"y".repeat(500));
        assert!(matches!(out.flush(), Flushed::Blocked(_)), "496 of 504 bytes fit");
        *pipe.room.lock() = 8;
        assert_eq!(out.flush(), Flushed::Empty(Dropped::default()));
    }

    #[test]
    fn blocked_lasts_from_the_last_byte_taken() {
        let (pipe, out) = outbound(0, Role::Server);
        out.send_text("one");
        let Flushed::Blocked(first) = out.flush() else { panic!() };
        assert_eq!(out.flush(), Flushed::Blocked(first));
        *pipe.room.lock() = 2;
        std::thread::sleep(Duration::from_millis(2));
        let Flushed::Blocked(second) = out.flush() else { panic!() };
        assert!(second > first);
        let longest = || out.counters.longest_block_ns.load(Ordering::Relaxed);
        let first_block = longest();
        assert!(first_block >= 2_000_000, "{first_block}");
        std::thread::sleep(Duration::from_millis(1));
        *pipe.room.lock() = 100;
        assert_eq!(out.flush(), Flushed::Empty(Dropped::default()));
        let all = out.counters.blocked_ns.load(Ordering::Relaxed);
        assert!(all >= first_block + 1_000_000 && longest() < all, "{all}");
    }

    #[test]
    fn nothing_follows_a_close() {
        let (pipe, out) = outbound(1000, Role::Server);
        out.queue_encoded(&[0x88, 0]);
        out.close();
        out.send_text("late");
        out.flush();
        assert_eq!(*pipe.out.lock(), [0x88, 0]);
    }
}
