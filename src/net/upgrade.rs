//! The opening handshake, RFC 6455 section 4, as pure functions: bytes and headers in, bytes and verdicts out.
//!
//! [`check_request`] judges a request that Asterisk's HTTP server has parsed. [`UpgradeRequest`] and
//! [`ResponseParser`] are the client's side. Nothing here reads, writes or waits; any thread may call it.
//! tungstenite's own handshake is not used: as a client it refuses a server that returns no subprotocol or
//! `Connection: keep-alive, Upgrade`, as a server it wants the raw bytes.

mod head;
mod incoming;
mod outgoing;

pub use self::head::{HeadError, MAX_HEAD_BYTES, MAX_HEADERS};
pub use self::incoming::{Accept, UpgradeRefusal, check_request};
pub use self::outgoing::{Progress, ResponseParser, UpgradeError, UpgradeRequest, UpgradeRequestError};

pub(crate) use self::head::{Fed, HeadReader, for_log};
pub(crate) use self::outgoing::{authority, basic_authorization, offered_as};
