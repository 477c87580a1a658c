//! One WebSocket connection after its handshake: reads, parses and closes. Lives in one reactor thread.
//!
//! A message passes through `on_readable` and `reading` to the call's [`Handler`]. What is written goes through the
//! connection's [`Outbound`].

mod closing;
mod handler;
mod holding;
mod liveness;
mod pongs;
mod reading;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use tungstenite::protocol::Role;
use tungstenite::protocol::frame::coding::CloseCode;

use self::closing::CloseState;
use self::holding::Holding;
use self::liveness::Ping;
use self::pongs::Pongs;
use super::contain::contained;
use super::frame_reader::FrameReader;
use super::outbound::{Flushed, Outbound};
use super::transport::Transport;
use crate::settings::config::Pings;

pub use self::handler::{Closed, Handler, Wants};

/// Limits and times of one connection.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionConfig {
    /// Longest message from the application, fragments together, bytes.
    pub max_message_size: usize,
    /// How long the application may read nothing at all.
    pub write_timeout: Duration,
    /// How long to wait for its close frame after ours.
    pub close_timeout: Duration,
    /// Pings, if any.
    pub pings: Option<Pings>,
    /// Each message is read as it arrives, even if its reactor has much to do.
    pub prompt: bool,
}

/// The result of a reactor's turn with a connection.
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
    reader: FrameReader,
    /// What has arrived and is not read yet.
    unread: BytesMut,
    pongs: Pongs,
    role: Role,
    config: ConnectionConfig,
    state: CloseState,
    ping: Option<Ping>,
    blocked_since: Option<Instant>,
    /// Since when the application has stalled, if the call has been told of that.
    stalled_since: Option<Instant>,
    /// The media dropped so far when everything was last written.
    dropped_before: u64,
    told: bool,
    holding: Holding,
    /// When the call is to be called back.
    call_back: Option<Instant>,
    /// Reading stopped because the application does not take our answers.
    congested: bool,
    /// The stream has ended, or has urgent data in it: a short read does not mean that the socket is empty.
    short_reads: bool,
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
    /// Closes the transport at once: the call may keep it for a while, and the application should not wait for that. If
    /// a panic drops the connection, it still tells its call.
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.tell(Closed::Panicked);
        }
        self.out.close();
        self.transport.close();
    }
}

impl Connection {
    /// A connection whose handshake is done. `leftover` is what arrived right after the handshake.
    pub fn new(
        transport: Arc<dyn Transport>,
        out: Arc<Outbound>,
        handler: Arc<dyn Handler>,
        role: Role,
        leftover: Vec<u8>,
        config: ConnectionConfig,
    ) -> Self {
        let dropped_before = out.counters.media_dropped.load(Ordering::Relaxed);
        Self {
            transport,
            out,
            handler,
            reader: FrameReader::new(role, config.max_message_size),
            unread: BytesMut::from(leftover.as_slice()),
            pongs: Pongs::default(),
            role,
            config,
            state: CloseState::Open,
            ping: config.pings.map(Ping::new),
            blocked_since: None,
            stalled_since: None,
            dropped_before,
            told: false,
            holding: Holding::default(),
            call_back: None,
            congested: false,
            short_reads: false,
            commanded: false,
        }
    }

    /// Also calls [`Handler::on_call_back`] after this time.
    #[must_use]
    pub fn called_back_after(mut self, after: Duration) -> Self {
        self.call_back = Some(Instant::now() + after);
        self
    }

    /// Whether each message is read as it arrives.
    pub fn is_prompt(&self) -> bool {
        self.config.prompt
    }

    /// Whether a text message has come since this was last asked.
    pub fn take_commanded(&mut self) -> bool {
        std::mem::take(&mut self.commanded)
    }

    /// Whether it has something to do when its socket accepts bytes again.
    pub fn wants_room(&self) -> bool {
        self.blocked_since.is_some() || !self.transport.concurrent()
    }

    /// The descriptor to poll.
    pub fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.transport.as_raw_fd()
    }

    /// Reads and handles what has arrived, at most one buffer of it. `short_reads`: poll saw the end of the stream, or
    /// urgent data, which it does not report again.
    pub fn on_readable(&mut self, scratch: &mut [u8], short_reads: bool) -> Turn {
        self.short_reads |= short_reads;
        let more = match self.state {
            CloseState::Open | CloseState::CloseSent { .. } => self.read_messages(scratch),
            CloseState::Lingering { .. } => self.discard_input(scratch),
            CloseState::Done => false,
        };
        let turn = self.on_writable();
        if more && turn == Turn::Idle { Turn::StillReadable } else { turn }
    }

    /// The socket accepts bytes again. Over TLS a read may have waited for that: some messages of the protocol have to
    /// be answered before what follows them can be read.
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
                    if dropped.messages > 0 && self.state == CloseState::Open {
                        self.ask(|handler| handler.on_media_dropped(dropped));
                    }
                    self.linger_once_written();
                    if self.queue_waiting_pongs() {
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
        if self.state == CloseState::Done {
            Turn::Done
        } else if self.release_at_end() {
            Turn::StillReadable
        } else if self.congested && !self.out.is_congested() {
            self.congested = false;
            Turn::StillReadable
        } else {
            Turn::Idle
        }
    }

    /// Queues pongs that had to wait for room: nothing else would send them before the application sends again. True if
    /// there is something to write.
    fn queue_waiting_pongs(&mut self) -> bool {
        if self.state != CloseState::Open {
            return false;
        }
        self.pongs.queue(&self.out);
        self.out.is_waiting()
    }

    /// Tells the call how the connection has ended, if it has not been told yet.
    pub(in crate::net) fn tell(&mut self, closed: Closed) {
        if !std::mem::replace(&mut self.told, true) {
            let handler = self.handler.clone();
            if contained("ending a connection", || handler.on_closed(closed)).is_none() {
                log::error!("a panic while ending a connection; its call may stay up until it is hung up");
            }
        }
    }

    /// Tells the call something; notes and returns what the call wants then.
    fn ask(&mut self, tell: impl FnOnce(&dyn Handler) -> Wants) -> Wants {
        let mut wants = Wants::default();
        self.guarded(|connection| wants = tell(&*connection.handler));
        if wants.no_more {
            self.holding.hold();
        }
        let at = wants.call_back.map(|after| Instant::now() + after);
        self.call_back = self.call_back.into_iter().chain(at).min();
        wants
    }

    /// Runs a piece of the call's own code; a panic in it ends this connection and nothing else.
    fn guarded(&mut self, work: impl FnOnce(&Self)) {
        if contained("a connection's call", || work(self)).is_none() {
            self.send_close(CloseCode::Error.into(), &Closed::Panicked);
            self.tell(Closed::Panicked);
            self.linger(false);
        }
    }
}
