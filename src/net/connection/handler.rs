//! What a connection tells its call, and how it ends.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;

use crate::net::outbound::Dropped;

/// What a connection tells its call. Called on the reactor's thread; must not wait, nor take a channel's lock.
pub trait Handler: Send + Sync {
    /// A whole text message.
    fn on_text(&self, text: &str) -> Wants;
    /// A whole binary message.
    fn on_binary(&self, message: Bytes) -> Wants;
    /// The application reads again after media for it had to be dropped.
    fn on_media_dropped(&self, dropped: Dropped) -> Wants;
    /// The time has passed after which the call wanted to be called back.
    fn on_call_back(&self) -> Wants {
        Wants::default()
    }
    /// The application reads nothing, or too little: media for it waits long or is dropped.
    fn on_stalled(&self) {}
    /// It has read all that waited. It had stalled for `lasted`; `dropped` is what was dropped since it last had read
    /// everything.
    fn on_resumed(&self, lasted: Duration, dropped: Dropped) {
        let _ = (lasted, dropped);
    }
    /// A ping is sent; `missed`: the previous one was not answered.
    fn on_ping(&self, missed: bool);
    /// A ping was answered after this long.
    fn on_pong(&self, round_trip: Duration);
    /// We are about to send the first close frame, as `closed` says. Returns the text message to send before it, if
    /// any. Called at most once, and before [`on_closed`](Self::on_closed).
    fn last_message(&self, closed: &Closed) -> Option<String> {
        let _ = closed;
        None
    }
    /// The connection is over for the call. Called once, last.
    fn on_closed(&self, closed: Closed);
}

/// What a call wants after it was told something. By default it wants the next message, and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wants {
    /// No more messages for now: the connection is not read until
    /// [`Slot::read_on`](crate::net::reactor::Slot::read_on). What the call was told is processed; nothing that was
    /// read after it is lost.
    pub no_more: bool,
    /// [`Handler::on_call_back`] after this long; of several the earliest counts.
    pub call_back: Option<Duration>,
    /// It was media. A text message with media is not a command whose answer the application waits for.
    pub was_media: bool,
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
    /// We closed it, with this code.
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
    /// The application read nothing, or answered no ping, for too long.
    Unresponsive(String),
    /// A panic inside; the connection was given up.
    Panicked,
}

impl Closed {
    /// Whether the application may come back, or can be reached again: the connection ended without a close frame, was
    /// given up, or was closed with a code (RFC 6455 section 7.4.1, and its registry) that speaks of the server and not
    /// of the call: going away, internal error, service restart, try again later, bad gateway.
    pub const fn is_loss(&self) -> bool {
        match self {
            Self::Lost(_) | Self::Unresponsive(_) => true,
            Self::ByPeer { code, .. } => matches!(code, 1001 | 1011 | 1012 | 1013 | 1014),
            Self::ByUs(_) | Self::Fault { .. } | Self::Panicked => false,
        }
    }
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
