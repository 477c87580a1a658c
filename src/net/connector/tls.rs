//! What the connector needs of TLS. `src/tls` implements it with OpenSSL.

use std::net::TcpStream;
use std::sync::Arc;

use crate::net::transport::Transport;
use crate::settings::client::ClientSettings;

/// Makes the part that all TLS connections of one call share.
pub trait TlsConnector: Send + Sync {
    /// Loads certificates and trust store as `settings` say. Called once per call to a `wss` server, on a helper
    /// thread, where it may block; what is slow to load should be kept for the next call.
    ///
    /// # Errors
    /// What is wrong with which file, for the log. The call fails without an attempt.
    fn prepare(&self, settings: &ClientSettings) -> Result<Arc<dyn TlsContext>, String>;
}

/// Trust store, client certificate and verify flags of one call.
pub trait TlsContext: Send + Sync {
    /// Takes over a connected, non-blocking socket, and prepares TLS with `host` (a name, or an address without
    /// brackets): for SNI and for the name that the certificate must have. On the connector's thread: must not block.
    /// The socket's descriptor stays the same and stays open until handshake or transport is dropped.
    ///
    /// # Errors
    /// What went wrong, for the log.
    fn start(&self, host: &str, socket: TcpStream) -> Result<Box<dyn TlsHandshake>, String>;
}

/// A TLS handshake under way. Dropping it closes the socket.
pub trait TlsHandshake: Send {
    /// Goes on until the socket has nothing more to read, or accepts nothing more. Called on the connector's thread,
    /// again each time the socket has become readable or writable (edge-triggered, whichever it waits for).
    fn advance(self: Box<Self>) -> TlsProgress;
}

/// How far a [`TlsHandshake`] has come.
pub enum TlsProgress {
    /// Done; certificate and name are verified as the settings ask for it.
    Done(Arc<dyn Transport>),
    /// It waits for the socket.
    Pending(Box<dyn TlsHandshake>),
    /// It failed: which check, for which name, for the log.
    Failed(String),
}
