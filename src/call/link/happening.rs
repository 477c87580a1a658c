//! What can happen to a call and its connection.

use std::sync::Arc;

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
    /// No connection has come of the attempt or the claim.
    AttemptFailed(NotConnected),
    /// The connection is over.
    Over(Closed),
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
    /// The deadline of [`State::Lost`] is over.
    LostDeadline,
    /// A panic of ours was contained in something that the call needs.
    Fault,
}

/// Why there is no connection. The text is for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotConnected {
    /// An attempt to connect has failed for good.
    Failed(String),
    /// What the call was to say to its server, or where that is, cannot be.
    Misconfigured(String),
    /// The application was lost between its claim and the connection.
    LostInHandshake(String),
}

/// What happens, without what comes along with it: a row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Claim,
    ConnectStarted,
    Established,
    AttemptFailed,
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
    pub(super) const fn kind(&self) -> Kind {
        match self {
            Self::Claim => Kind::Claim,
            Self::ConnectStarted => Kind::ConnectStarted,
            Self::Established(_) => Kind::Established,
            Self::AttemptFailed(_) => Kind::AttemptFailed,
            Self::Over(Closed::ByUs(_)) => Kind::ClosedByUs,
            Self::Over(Closed::ByPeer { .. } | Closed::Fault { .. } | Closed::Panicked) => {
                Kind::ConnectionOver
            }
            Self::Over(Closed::Lost(_) | Closed::Unresponsive(_)) => Kind::ConnectionLost,
            Self::Hangup { .. } => Kind::Hangup,
            Self::HangupCommand => Kind::HangupCommand,
            Self::Operator => Kind::Operator,
            Self::Transferred => Kind::Transferred,
            Self::IncomingTimeout => Kind::IncomingTimeout,
            Self::LostDeadline => Kind::LostDeadline,
            Self::Fault => Kind::Fault,
        }
    }
}
