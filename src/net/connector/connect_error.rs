//! Why an outgoing call could not be connected, in words for the log. Never with credentials, path or query.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use super::proxy::ProxyError;
use crate::net::upgrade::{UpgradeError, UpgradeRequestError};

/// A call that was not connected. Displays as one line.
#[derive(Debug)]
pub struct ConnectError {
    /// The fallback that was tried last, by the name of its websocket_client; `None`: there was none.
    pub fallback: Option<Box<str>>,
    /// `host:port` of the app; `None` if it is not known.
    pub server: Option<String>,
    /// Attempts made.
    pub attempts: u32,
    /// Addresses tried in the last of them.
    pub addresses: usize,
    /// What ended the last attempt.
    pub failure: Failure,
    /// How long to leave the server alone: `reconnect_interval`, or longer if the server asks for that; at least 1.
    /// `None`: the settings are not known.
    pub pause_ms: Option<NonZeroU32>,
}

impl ConnectError {
    pub(super) fn before_any_attempt(failure: Failure) -> Self {
        Self { fallback: None, server: None, attempts: 0, addresses: 0, failure, pause_ms: None }
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(fallback) = &self.fallback {
            write!(f, "the last fallback '{fallback}': ")?;
        }
        f.write_str("connection ")?;
        if let Some(server) = &self.server {
            write!(f, "to {server} ")?;
        }
        match self.attempts {
            0 | 1 => write!(f, "failed: {}", self.failure)?,
            n => write!(f, "failed {n} times, at last: {}", self.failure)?,
        }
        match self.addresses {
            0 | 1 => Ok(()),
            n => write!(f, " (the last of {n} addresses)"),
        }
    }
}

impl std::error::Error for ConnectError {}

/// The phases that `handshake_timeout` covers, besides the name look-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// CONNECT at the proxy.
    Proxy,
    /// The TLS handshake.
    Tls,
    /// The WebSocket upgrade.
    Upgrade,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Proxy => "the proxy's answer",
            Self::Tls => "the TLS handshake",
            Self::Upgrade => "the answer to the upgrade request",
        })
    }
}

/// What ended an attempt, or the whole call before any.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The job's `settings` failed; the text is theirs.
    #[error("{0}")]
    Settings(String),
    /// The job's `settings` did not return in time.
    #[error("its settings could not be read within {} ms", .0.as_millis())]
    SettingsTimeout(Duration),
    /// Certificates or trust store could not be loaded.
    #[error("TLS cannot be set up: {0}")]
    TlsSetup(String),
    /// There is no token in bearer_token_file; in words for the log, without what is in it.
    #[error("{0}")]
    Token(String),
    /// That file could not be read in time.
    #[error("bearer_token_file could not be read within {} ms (handshake_timeout)", .0.as_millis())]
    TokenTimeout(Duration),
    /// The settings give no valid request.
    #[error(transparent)]
    Request(#[from] UpgradeRequestError),
    /// The name has no address, or no server knows it.
    #[error("look-up of the name {host} failed: {error}")]
    Lookup {
        /// The name: the app's, or the proxy's.
        host: String,
        /// The resolver's text.
        error: String,
    },
    /// The name servers did not answer in time.
    #[error("look-up of the name {host} did not end within {} ms", after.as_millis())]
    LookupTimeout {
        /// The name: the app's, or the proxy's.
        host: String,
        /// `handshake_timeout`.
        after: Duration,
    },
    /// No TCP connection.
    #[error("TCP connection to {addr} failed: {error}")]
    Tcp {
        /// The app's address, or the proxy's.
        addr: SocketAddr,
        /// errno.
        error: io::Error,
    },
    /// No TCP connection in time.
    #[error("no TCP connection to {addr} within {} ms (connection_timeout)", after.as_millis())]
    TcpTimeout {
        /// The app's address, or the proxy's.
        addr: SocketAddr,
        /// `connection_timeout`.
        after: Duration,
    },
    /// The proxy did not connect us.
    #[error("the proxy {proxy} {error}")]
    Proxy {
        /// `host:port` of the proxy.
        proxy: String,
        /// Its answer.
        error: ProxyError,
    },
    /// TLS failed: OpenSSL's text, or the check that failed and for which name.
    #[error("TLS failed at {addr}: {text}")]
    Tls {
        /// The app's address, or the proxy's.
        addr: SocketAddr,
        /// What failed.
        text: String,
    },
    /// The app's server refuses the WebSocket.
    #[error("no WebSocket at {addr}: {error}")]
    Upgrade {
        /// The app's address, or the proxy's.
        addr: SocketAddr,
        /// Its answer.
        error: Box<UpgradeError>,
        /// The `Retry-After` of its answer, unchanged.
        retry_after: Option<String>,
    },
    /// The connection broke.
    #[error("connection to {addr} lost while waiting for {phase}: {error}")]
    Lost {
        /// The app's address, or the proxy's.
        addr: SocketAddr,
        /// What was going on.
        phase: Phase,
        /// errno.
        error: io::Error,
    },
    /// `handshake_timeout` ran out; `after` is its length.
    #[error("{addr} accepted the connection, but {phase} did not come within {} ms (handshake_timeout)", after.as_millis())]
    HandshakeTimeout {
        /// The app's address, or the proxy's.
        addr: SocketAddr,
        /// What was waited for.
        phase: Phase,
        /// `handshake_timeout`.
        after: Duration,
    },
    /// An internal fault, or no thread could be started.
    #[error("internal error: {0}")]
    Internal(String),
    /// [`stop`](super::Connector::stop) came first.
    #[error("the connector was stopped")]
    Stopped,
}

impl Failure {
    /// Whether another attempt is of no use: wrong settings, or a lasting verdict of the app's server
    /// ([`UpgradeError::is_final`]).
    /// DIVERGES: res_websocket_client tries again whatever the server said.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Settings(_)
            | Self::SettingsTimeout(_)
            | Self::TlsSetup(_)
            | Self::Request(_)
            | Self::Internal(_)
            | Self::Stopped => true,
            Self::Upgrade { error, .. } => error.is_final(),
            _ => false,
        }
    }

    /// Whether the app's server refuses this client: 401 and 403.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Upgrade { error, .. } if error.is_refusal())
    }

    /// When the app's server wants the next attempt, as it wrote it; `None`: it does not say so.
    pub(super) fn retry_after(&self) -> Option<&str> {
        match self {
            Self::Upgrade { retry_after, .. } => retry_after.as_deref(),
            _ => None,
        }
    }

    /// Whether the host's next address may do better: not after a verdict of a web server or proxy, and not when the
    /// time is up.
    pub(super) fn tries_next_address(&self) -> bool {
        match self {
            Self::Tcp { .. } | Self::TcpTimeout { .. } | Self::Tls { .. } | Self::Lost { .. } => true,
            Self::Proxy { error, .. } => !error.is_verdict(),
            Self::Upgrade { error, .. } => !error.is_verdict(),
            _ => false,
        }
    }
}
