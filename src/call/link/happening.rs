//! What can happen to a call and its connection.

use std::sync::Arc;
use std::time::Instant;

use crate::net::connection::Closed;

/// What can happen to a call's connection, or to the call. `C` is the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happening<C> {
    /// An application asks for the connection id (and gets a 101, unless this is refused).
    Claim,
    /// An attempt to connect to the application is about to be made (unless this is refused).
    ConnectStarted,
    /// The handshake is done; the connection serves the call, unless this is refused.
    Established(Arc<C>),
    /// The attempt or the claim has led to no connection.
    AttemptFailed(NotConnected),
    /// A connection has ended.
    Over {
        /// Which one; see [`Todo::connection`](super::Todo::connection).
        connection: usize,
        /// How it ended.
        closed: Closed,
    },
    /// The core has hung the channel up; a connection is closed with this code.
    Hangup {
        /// A WebSocket close code.
        close_code: u16,
    },
    /// The application has sent HANGUP.
    HangupCommand,
    /// Somebody at a console or a manager ends the call.
    Operator,
    /// The bridge's other side has been transferred.
    Transferred,
    /// No application has come within `incoming_timeout`.
    IncomingTimeout,
    /// This deadline of [`State::Lost`] has passed.
    LostDeadline(Instant),
    /// A panic was contained in something that the call needs.
    Fault,
}

/// Why there is no connection. The text is for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotConnected {
    /// An attempt to connect has failed, after all its tries.
    Failed(String),
    /// The application's server refuses this call: another attempt is of no use.
    Refused(String),
    /// What the call has to send to its server, or the server's address, is not possible.
    Misconfigured(String),
    /// The application was lost between its claim and the connection.
    LostInHandshake(String),
}

impl NotConnected {
    /// Why, in words.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Failed(why)
            | Self::Refused(why)
            | Self::Misconfigured(why)
            | Self::LostInHandshake(why) => why,
        }
    }
}

/// What happens, without its data: a row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HappeningKind {
    Claim,
    ConnectStarted,
    Established,
    AttemptFailed,
    AttemptRefused,
    ClosedByUs,
    ConnectionOver,
    ConnectionLost,
    Hangup,
    HangupCommand,
    Operator,
    Transferred,
    IncomingTimeout,
    LostDeadline,
    Fault,
}

impl<C> Happening<C> {
    pub(super) fn kind(&self) -> HappeningKind {
        match self {
            Self::Claim => HappeningKind::Claim,
            Self::ConnectStarted => HappeningKind::ConnectStarted,
            Self::Established(_) => HappeningKind::Established,
            Self::AttemptFailed(NotConnected::Refused(_)) => HappeningKind::AttemptRefused,
            Self::AttemptFailed(_) => HappeningKind::AttemptFailed,
            Self::Over { closed: Closed::ByUs(_), .. } => HappeningKind::ClosedByUs,
            Self::Over { closed, .. } if closed.is_loss() => HappeningKind::ConnectionLost,
            Self::Over { .. } => HappeningKind::ConnectionOver,
            Self::Hangup { .. } => HappeningKind::Hangup,
            Self::HangupCommand => HappeningKind::HangupCommand,
            Self::Operator => HappeningKind::Operator,
            Self::Transferred => HappeningKind::Transferred,
            Self::IncomingTimeout => HappeningKind::IncomingTimeout,
            Self::LostDeadline(_) => HappeningKind::LostDeadline,
            Self::Fault => HappeningKind::Fault,
        }
    }
}
