//! One WebSocket connection after its handshake: reads, parses and closes. Lives in one reactor thread.
//!
//! tungstenite reads and answers pings; what it writes goes through the connection's [`Outbound`]. Closing is done here.

use std::fmt;
use std::io::{self, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tungstenite::error::{CapacityError, ProtocolError};
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::protocol::{Role, WebSocketConfig, WebSocketContext};
use tungstenite::{Error, Message};

use super::frame_watch::{FrameWatch, is_sendable};
use super::outbound::{Dropped, Flushed, Outbound};
use super::transport::Transport;

/// tungstenite's own buffer; whole messages grow it as needed. Small, for it is per connection and zeroed per read.
const READ_BUFFER_BYTES: usize = 1024;

/// Pongs that may wait inside tungstenite for an application that does not read; then only the newest is kept
/// (RFC 6455 section 5.5.3 allows that).
const PONG_BACKLOG_BYTES: usize = 4 * 1024;

/// One turn handles at most this many messages, so that an application that sends many small ones takes its reactor's
/// time in small pieces. (The bytes of a turn are bounded by the reactor's buffer.)
const MESSAGES_PER_TURN: usize = 64;

/// A message of this size leaves tungstenite with a buffer as large, which messages behind it may share.
const LARGE_MESSAGE_BYTES: usize = 64 * 1024;
/// A message smaller than this is not to keep such a buffer in memory while it waits to be played.
const SMALL_MESSAGE_BYTES: usize = 8 * 1024;

/// An application that takes nothing for this long has stalled.
const STALL: Duration = Duration::from_secs(1);

/// What a connection tells its call. Called on the reactor's thread; must not wait, nor take a channel's lock.
pub trait Handler: Send + Sync {
    /// A whole text message.
    fn on_text(&self, text: &str);
    /// A whole binary message.
    fn on_binary(&self, message: Bytes);
    /// The application reads again after media for it had to be dropped.
    fn on_media_dropped(&self, dropped: Dropped);
    /// The application takes nothing, or too little: media for it waits long or is being dropped.
    fn on_stalled(&self) {}
    /// It has taken all that waited. It had stalled for `lasted`; what was dropped since it last had taken all.
    fn on_resumed(&self, lasted: Duration, dropped: Dropped) {
        let _ = (lasted, dropped);
    }
    /// A ping goes out; `missed`: the one before was not answered.
    fn on_ping(&self, missed: bool);
    /// A ping was answered after this long.
    fn on_pong(&self, round_trip: Duration);
    /// The connection is over for the call. Called once, last.
    fn on_closed(&self, closed: Closed);
}

/// How a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Closed {
    /// The application sent a close frame; it was answered.
    ByPeer {
        /// Its code; 1005 if it had none.
        code: u16,
        /// Its reason; may be empty.
        reason: String,
    },
    /// We asked for it, with this code.
    ByUs(u16),
    /// The application broke RFC 6455 or a limit; this code was sent.
    Fault {
        /// The close code sent.
        code: u16,
        /// What it did, for the log.
        what: String,
    },
    /// TCP or TLS ended without a close frame.
    Lost(String),
    /// The application took nothing, or answered no ping, for too long.
    Unresponsive(String),
    /// A panic inside; the connection was given up.
    Panicked,
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ByPeer { code, reason } if reason.is_empty() => {
                write!(f, "closed by the application, code {code}")
            }
            Self::ByPeer { code, reason } => write!(f, "closed by the application, code {code} ({reason})"),
            Self::ByUs(code) => write!(f, "closed by Asterisk, code {code}"),
            Self::Fault { code, what } => {
                write!(f, "protocol fault by the application: {what}; closed with {code}")
            }
            Self::Lost(what) => write!(f, "lost: {what}"),
            Self::Unresponsive(what) => write!(f, "given up: {what}"),
            Self::Panicked => f.write_str("given up after an internal fault"),
        }
    }
}

/// Limits and times of one connection.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionConfig {
    /// Longest message from the application, fragments together, bytes.
    pub max_message_size: usize,
    /// How long it may take nothing at all from us.
    pub write_timeout: Duration,
    /// How long to wait for its close frame after ours.
    pub close_timeout: Duration,
    /// Pings, if any.
    pub ping: Option<PingConfig>,
    /// Each message is wanted as it comes, also when its reactor has much to do.
    pub prompt: bool,
}

/// WebSocket pings.
#[derive(Debug, Clone, Copy)]
pub struct PingConfig {
    /// Time between two.
    pub interval: Duration,
    /// Unanswered ones before the connection is given up.
    pub probes: u32,
}

/// Where a connection is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// Our close frame is queued or sent; waiting for the application's.
    CloseSent {
        until: Instant,
    },
    /// Both close frames are there, or none will come: what is queued goes out, then TCP ends. What still arrives is
    /// read and forgotten, lest the kernel reset the connection under our last bytes.
    Lingering {
        until: Instant,
        shut_down: bool,
        /// A server ends TCP first after a close handshake (RFC 6455 section 7.1.1), and this one has still to.
        server_first: bool,
    },
    Done,
}

#[derive(Debug)]
struct Ping {
    config: PingConfig,
    due: Instant,
    unanswered: u32,
    sent: Instant,
}

/// What a reactor's turn with a connection came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Wait for the socket.
    Idle,
    /// There may be more to read: the turn's budget is spent.
    StillReadable,
    /// Drop the connection.
    Done,
}

/// A connection; see the module.
pub struct Connection {
    transport: Arc<dyn Transport>,
    out: Arc<Outbound>,
    handler: Arc<dyn Handler>,
    ws: WebSocketContext,
    watch: FrameWatch,
    role: Role,
    config: ConnectionConfig,
    state: State,
    ping: Option<Ping>,
    blocked_since: Option<Instant>,
    /// The application has stalled, since then, and the call knows.
    stalled_since: Option<Instant>,
    /// Media dropped when all had last been written.
    dropped_before: u64,
    told: bool,
    /// Reading stopped because the application does not take our answers.
    congested: bool,
    /// The stream has ended somewhere, or has urgent data in it: a short read does not mean that the socket is empty.
    short_reads: bool,
    /// Bytes that a turn has read and not handled.
    carry: Vec<u8>,
    /// There was a message of [`LARGE_MESSAGE_BYTES`].
    had_large: bool,
    /// A text message has come.
    commanded: bool,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("transport", &self.transport)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl Drop for Connection {
    /// The call may keep the transport for a while yet; the application should not wait for that.
    fn drop(&mut self) {
        self.out.close();
        self.transport.close();
    }
}

impl Connection {
    /// A connection whose handshake is done. `leftover` is what arrived right behind the handshake.
    pub fn new(
        transport: Arc<dyn Transport>,
        out: Arc<Outbound>,
        handler: Arc<dyn Handler>,
        role: Role,
        mut leftover: Vec<u8>,
        config: ConnectionConfig,
    ) -> Self {
        let mut watch = FrameWatch::new(role);
        leftover.truncate(watch.advance(&leftover));
        let ws_config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            .write_buffer_size(0)
            .max_write_buffer_size(PONG_BACKLOG_BYTES)
            .max_message_size(Some(config.max_message_size))
            .max_frame_size(Some(config.max_message_size));
        let ping = config.ping.map(|ping| {
            let now = Instant::now();
            Ping { config: ping, due: now + ping.interval, unanswered: 0, sent: now }
        });
        Self {
            transport,
            out,
            handler,
            ws: WebSocketContext::from_partially_read(leftover, role, Some(ws_config)),
            watch,
            role,
            config,
            state: State::Open,
            ping,
            blocked_since: None,
            stalled_since: None,
            dropped_before: 0,
            told: false,
            congested: false,
            short_reads: false,
            carry: Vec::new(),
            had_large: false,
            commanded: false,
        }
    }

    /// Whether each message is wanted as it comes.
    pub fn is_prompt(&self) -> bool {
        self.config.prompt
    }

    /// Whether a text message has come since this was last asked.
    pub fn take_commanded(&mut self) -> bool {
        std::mem::take(&mut self.commanded)
    }

    /// The descriptor to poll.
    pub fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.transport.as_raw_fd()
    }

    /// Reads and handles what has arrived, at most one buffer of it. `short_reads`: poll saw the end of the stream, or
    /// urgent data, which it does not say again.
    pub fn on_readable(&mut self, scratch: &mut [u8], short_reads: bool) -> Turn {
        self.short_reads |= short_reads;
        let more = match self.state {
            State::Open | State::CloseSent { .. } => self.read_messages(scratch),
            State::Lingering { .. } => self.discard_input(scratch),
            State::Done => false,
        };
        let turn = self.on_writable();
        if more && turn == Turn::Idle { Turn::StillReadable } else { turn }
    }

    /// The socket takes bytes again. Over TLS a read may have waited for that: some messages of the protocol have to be
    /// answered before what stands behind them can be read.
    pub fn on_room(&mut self, scratch: &mut [u8]) -> Turn {
        if self.transport.concurrent() { self.on_writable() } else { self.on_readable(scratch, false) }
    }

    /// Writes what waits, and moves an ending connection on.
    pub fn on_writable(&mut self) -> Turn {
        loop {
            match self.out.flush() {
                Flushed::Empty(dropped) => {
                    self.blocked_since = None;
                    self.end_stall(dropped);
                    if dropped.messages > 0 && self.state == State::Open {
                        self.guarded(|connection| connection.handler.on_media_dropped(dropped));
                    }
                    self.linger_once_written();
                    if self.queue_waiting_pong() {
                        continue;
                    }
                }
                Flushed::Blocked(since) => {
                    self.blocked_since = Some(since);
                    self.notice_stall(since);
                }
                Flushed::Failed => self.lose("the application's side of the connection is gone".into()),
            }
            break;
        }
        if self.state == State::Done {
            Turn::Done
        } else if self.congested && !self.out.is_congested() {
            self.congested = false;
            Turn::StillReadable
        } else {
            Turn::Idle
        }
    }

    /// The application has taken nothing since then, and something waits for it.
    fn notice_stall(&mut self, since: Instant) {
        if self.state != State::Open || self.stalled_since.is_some() {
            return;
        }
        let dropping = self.out.counters.media_dropped.load(Ordering::Relaxed) != self.dropped_before;
        if dropping || since.elapsed() >= STALL {
            self.stalled_since = Some(since);
            self.guarded(|connection| connection.handler.on_stalled());
        }
    }

    /// All is written.
    fn end_stall(&mut self, dropped: Dropped) {
        if dropped.messages > 0 {
            self.dropped_before = self.out.counters.media_dropped.load(Ordering::Relaxed);
        }
        let Some(since) = self.stalled_since.take() else { return };
        if self.state == State::Open {
            self.guarded(|connection| connection.handler.on_resumed(since.elapsed(), dropped));
        }
    }

    /// Queues the pong that had to wait inside tungstenite for room, if there is one: nothing else would bring it out
    /// before the application sends again. True if there is something to write.
    fn queue_waiting_pong(&mut self) -> bool {
        if self.state != State::Open {
            return false;
        }
        let _ = self.ws.flush(&mut WriteOnly { out: &self.out, force: false });
        self.out.is_waiting()
    }

    /// Starts the close handshake with `code` (RFC 6455 section 7.1.2). Queued messages go out before it.
    pub fn close(&mut self, code: u16) -> Turn {
        if self.state == State::Open {
            self.send_close(code);
            self.state = State::CloseSent { until: Instant::now() + self.config.close_timeout };
            self.tell(Closed::ByUs(code));
        }
        self.on_writable()
    }

    /// When [`on_deadline`](Self::on_deadline) is to be called, if at all.
    pub fn deadline(&self) -> Option<Instant> {
        let ending = match self.state {
            State::CloseSent { until } | State::Lingering { until, .. } => Some(until),
            State::Open | State::Done => None,
        };
        // Once it is ending, only the end's own deadline counts: this one may have passed already.
        let blocked = self
            .blocked_since
            .filter(|_| self.state == State::Open)
            .map(|since| since + self.config.write_timeout);
        let stall = self
            .blocked_since
            .filter(|_| self.state == State::Open && self.stalled_since.is_none())
            .map(|since| since + STALL);
        let ping = self.ping.as_ref().filter(|_| self.state == State::Open).map(|ping| ping.due);
        [ending, blocked, stall, ping].into_iter().flatten().min()
    }

    /// Acts on whatever deadline has passed. This thread may not have run since long before it (the process was
    /// stopped, the machine is overloaded), and an application that reads slowly may have made room that is too little
    /// for poll to tell: what the socket has to say by now counts first.
    pub fn on_deadline(&mut self, now: Instant, scratch: &mut [u8]) -> Turn {
        let turn = self.on_readable(scratch, false);
        match self.state {
            State::CloseSent { until } if now >= until => {
                self.transport.shutdown();
                self.state = State::Done;
            }
            State::Lingering { until, .. } if now >= until => {
                self.end_linger();
                self.state = State::Done;
            }
            State::Open => {
                if self.blocked_since.is_some_and(|since| now >= since + self.config.write_timeout) {
                    let what = format!(
                        "the application took nothing for {} ms",
                        self.config.write_timeout.as_millis()
                    );
                    self.give_up(what);
                } else if turn != Turn::StillReadable {
                    self.ping_if_due(now);
                }
            }
            _ => {}
        }
        match self.on_writable() {
            Turn::Idle => turn,
            other => other,
        }
    }

    /// Ends the connection, which cannot be polled.
    pub fn on_unpollable(&mut self, error: &io::Error) -> Turn {
        self.lose(format!("it cannot be polled: {error}"));
        Turn::Done
    }

    /// Reads messages until nothing is left or the budget (one scratch buffer, and a number of messages) is spent; true
    /// in the latter case.
    fn read_messages(&mut self, scratch: &mut [u8]) -> bool {
        if self.out.is_congested() {
            self.congested = true;
            return false;
        }
        let transport = self.transport.clone();
        let out = self.out.clone();
        let watch = std::mem::replace(&mut self.watch, FrameWatch::new(self.role));
        let mut io = ReadTurn::new(&*transport, &out, watch, scratch, self.short_reads);
        io.go_on_with(std::mem::take(&mut self.carry));
        let more = self.read_until_blocked(&mut io);
        self.watch = io.watch;
        more
    }

    fn read_until_blocked(&mut self, io: &mut ReadTurn<'_>) -> bool {
        for _ in 0..MESSAGES_PER_TURN {
            match self.ws.read(io) {
                Ok(message) => self.on_message(message, io),
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                    let Some(what) = io.watch.fault() else { return io.state == ReadState::BudgetSpent };
                    self.fail(u16::from(CloseCode::Protocol), what.into());
                }
                Err(error) => self.on_error(&error),
            }
            if !matches!(self.state, State::Open | State::CloseSent { .. }) {
                return true;
            }
        }
        self.carry = io.rest().to_vec();
        true
    }

    fn on_message(&mut self, message: Message, io: &mut ReadTurn<'_>) {
        let open = self.state == State::Open;
        self.had_large |= message.len() >= LARGE_MESSAGE_BYTES;
        match message {
            Message::Text(text) if open => {
                self.commanded = true;
                self.guarded(|connection| connection.handler.on_text(&text));
            }
            Message::Binary(bytes) if open => {
                let shares_much = self.had_large && bytes.len() < SMALL_MESSAGE_BYTES;
                let bytes = if shares_much { Bytes::copy_from_slice(&bytes) } else { bytes };
                self.guarded(|connection| connection.handler.on_binary(bytes));
            }
            Message::Pong(_) => self.on_pong(),
            Message::Close(_) => self.on_peer_close(io.watch.close_payload()),
            // Pings are answered by tungstenite; data behind our close frame is of no use any more.
            _ => {}
        }
    }

    fn on_pong(&mut self) {
        if let Some(ping) = &mut self.ping
            && ping.unanswered > 0
        {
            ping.unanswered = 0;
            let round_trip = ping.sent.elapsed();
            self.guarded(|connection| connection.handler.on_pong(round_trip));
        }
    }

    /// The application's close frame is answered with its own payload.
    fn on_peer_close(&mut self, payload: &[u8]) {
        let code = payload.first_chunk().map(|code| u16::from_be_bytes(*code));
        if let Some(code) = code.filter(|code| !is_sendable(*code)) {
            let what = format!("a close frame with the code {code}, which must not be sent");
            return self.fail(u16::from(CloseCode::Protocol), what);
        }
        if self.state == State::Open {
            self.out.discard_media();
            self.out.queue_close(payload);
            self.tell(Closed::ByPeer {
                code: code.unwrap_or(CloseCode::Status.into()),
                reason: String::from_utf8_lossy(payload.get(2..).unwrap_or_default()).into_owned(),
            });
        }
        self.linger(self.role == Role::Client);
    }

    fn on_error(&mut self, error: &Error) {
        match error {
            Error::ConnectionClosed | Error::AlreadyClosed => self.linger(false),
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => {
                // It may still read: with TLS it is owed a close_notify.
                self.transport.shutdown();
                self.lose("the application ended TCP without a close frame".into());
            }
            Error::Io(error) => self.lose(error.to_string()),
            _ => match fault_code(error) {
                Some(code) => self.fail(code, error.to_string()),
                None => self.lose(error.to_string()),
            },
        }
    }

    /// Fails the connection (RFC 6455 section 7.1.7): the close frame with `code`, then the end.
    fn fail(&mut self, code: u16, what: String) {
        self.out.discard_media();
        if self.state == State::Open {
            self.send_close(code);
            self.tell(Closed::Fault { code, what });
        }
        self.linger(false);
    }

    fn give_up(&mut self, what: String) {
        self.out.discard_media();
        self.send_close(CloseCode::Away.into());
        self.tell(Closed::Unresponsive(what));
        self.linger(false);
    }

    fn lose(&mut self, what: String) {
        self.out.close();
        self.tell(Closed::Lost(what));
        self.state = State::Done;
    }

    /// Queues our close frame behind the pongs that wait inside tungstenite: some in a buffer, and the newest apart from
    /// it, which comes into the buffer by the second flush. (Behind the application's close frame none is owed.)
    fn send_close(&mut self, code: u16) {
        let mut io = WriteOnly { out: &self.out, force: true };
        for _ in 0..2 {
            if self.ws.can_write() {
                // An error says that nothing more is taken, which is known.
                let _ = self.ws.flush(&mut io);
            }
        }
        self.out.queue_close(&code.to_be_bytes());
    }

    fn linger(&mut self, server_first: bool) {
        if !matches!(self.state, State::Lingering { .. } | State::Done) {
            let until = Instant::now() + self.config.close_timeout;
            self.state = State::Lingering { until, shut_down: false, server_first };
        }
    }

    fn linger_once_written(&mut self) {
        if let State::Lingering { shut_down, server_first: false, .. } = &mut self.state
            && !*shut_down
        {
            *shut_down = true;
            self.transport.shutdown();
        }
    }

    /// The server has ended TCP, or takes too long about it.
    fn end_linger(&mut self) {
        if let State::Lingering { server_first, .. } = &mut self.state {
            *server_first = false;
        }
        self.linger_once_written();
    }

    /// Reads and forgets, so that the kernel does not reset the connection; the end of the stream is the end.
    fn discard_input(&mut self, scratch: &mut [u8]) -> bool {
        match self.transport.recv(scratch) {
            Ok(0) => {
                if self.out.flush() != Flushed::Failed {
                    self.end_linger();
                }
                self.state = State::Done;
                false
            }
            Ok(_) => true,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => true,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => false,
            Err(_) => {
                self.state = State::Done;
                false
            }
        }
    }

    fn ping_if_due(&mut self, now: Instant) {
        let Some(ping) = &mut self.ping else { return };
        if now < ping.due {
            return;
        }
        if ping.unanswered >= ping.config.probes {
            let what = format!("the application answered none of {} pings", ping.unanswered);
            self.give_up(what);
            return;
        }
        let missed = ping.unanswered > 0;
        ping.unanswered += 1;
        ping.sent = now;
        ping.due = now + ping.config.interval;
        self.out.queue_ping(b"ping");
        self.guarded(|connection| connection.handler.on_ping(missed));
    }

    fn tell(&mut self, closed: Closed) {
        if !std::mem::replace(&mut self.told, true) {
            let handler = self.handler.clone();
            if catch_unwind(AssertUnwindSafe(|| handler.on_closed(closed))).is_err() {
                log::error!("a panic while ending a connection; its call may stay up until it is hung up");
            }
        }
    }

    /// Runs a piece of the call's own code; a panic in it ends this connection and nothing else.
    fn guarded(&mut self, work: impl FnOnce(&Self)) {
        if catch_unwind(AssertUnwindSafe(|| work(self))).is_err() {
            log::error!("a fault in chan_websocket was contained; the call that met it ends");
            self.send_close(CloseCode::Error.into());
            self.tell(Closed::Panicked);
            self.linger(false);
        }
    }
}

/// The close code that RFC 6455 section 7.4.1 gives a fault.
fn fault_code(error: &Error) -> Option<u16> {
    let code = match error {
        Error::Capacity(CapacityError::MessageTooLong { .. }) => CloseCode::Size,
        Error::Utf8(_) => CloseCode::Invalid,
        Error::Protocol(_) => CloseCode::Protocol,
        _ => return None,
    };
    Some(code.into())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ReadState {
    /// Nothing was read from the socket in this turn yet.
    Fresh,
    /// The socket has no more.
    Drained,
    /// The socket may have more, but not in this turn.
    BudgetSpent,
}

/// What tungstenite reads from and writes to in one turn: one `recv` into the reactor's buffer, the out-queue behind.
struct ReadTurn<'a> {
    transport: &'a dyn Transport,
    out: &'a Outbound,
    watch: FrameWatch,
    scratch: &'a mut [u8],
    start: usize,
    end: usize,
    state: ReadState,
    /// As in [`Connection`].
    short_reads: bool,
}

impl<'a> ReadTurn<'a> {
    fn new(
        transport: &'a dyn Transport,
        out: &'a Outbound,
        watch: FrameWatch,
        scratch: &'a mut [u8],
        short_reads: bool,
    ) -> Self {
        let state = ReadState::Fresh;
        Self { transport, out, watch, scratch, start: 0, end: 0, state, short_reads }
    }

    /// Begins with bytes that an earlier turn has read; then these are all that this turn has.
    fn go_on_with(&mut self, carry: Vec<u8>) {
        if let Some(to) = self.scratch.get_mut(..carry.len()).filter(|to| !to.is_empty()) {
            to.copy_from_slice(&carry);
            self.end = carry.len();
            self.state = ReadState::BudgetSpent;
        }
    }

    /// What was read and not taken.
    fn rest(&self) -> &[u8] {
        self.scratch.get(self.start..self.end).unwrap_or_default()
    }

    /// One `recv`. A short read from a plain socket means that it is empty (epoll(7)), unless it has ended or stops
    /// before urgent data.
    fn refill(&mut self) -> io::Result<usize> {
        match self.state {
            ReadState::Fresh => {}
            ReadState::Drained | ReadState::BudgetSpent => return Err(io::ErrorKind::WouldBlock.into()),
        }
        let mut filled = 0;
        while let Some(room) = self.scratch.get_mut(filled..).filter(|room| !room.is_empty()) {
            match self.transport.recv(room) {
                Ok(0) if filled > 0 => {
                    self.state = ReadState::BudgetSpent;
                    break;
                }
                Ok(0) => return Ok(0),
                Ok(n) => {
                    let short = n < room.len();
                    filled += n;
                    if short && self.transport.concurrent() && !self.short_reads {
                        self.state = ReadState::Drained;
                        break;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.state = ReadState::Drained;
                    break;
                }
                // What came before the error is handled first; the next turn finds the error again.
                Err(_) if filled > 0 => {
                    self.state = ReadState::BudgetSpent;
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        if self.state == ReadState::Fresh {
            self.state = ReadState::BudgetSpent;
        }
        self.start = 0;
        self.end = filled;
        if filled == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(filled) }
    }
}

impl Read for ReadTurn<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        // Behind a fault nothing is of interest.
        if self.watch.fault().is_some() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        if self.start == self.end && self.refill()? == 0 {
            return Ok(0);
        }
        let waiting = self.scratch.get(self.start..self.end).unwrap_or_default();
        let n = waiting.len().min(buf.len());
        let n = self.watch.advance(waiting.get(..n).unwrap_or_default());
        if n == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        if let (Some(to), Some(from)) = (buf.get_mut(..n), waiting.get(..n)) {
            to.copy_from_slice(from);
        }
        self.start += n;
        Ok(n)
    }
}

impl Write for ReadTurn<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        WriteOnly { out: self.out, force: false }.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Where tungstenite writes: the out-queue. Pongs wait inside tungstenite while the queue is backed up.
struct WriteOnly<'a> {
    out: &'a Outbound,
    /// A close frame is going to stand behind the pongs: let all of them through.
    force: bool,
}

impl Read for WriteOnly<'_> {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }
}

impl Write for WriteOnly<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        const OPCODE: u8 = 0x0f;
        const PONG: u8 = 0x0a;
        let is_pong = buf.first().is_some_and(|first| first & OPCODE == PONG);
        if is_pong && !self.force && self.out.is_backed_up() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.out.queue_encoded(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
