//! How a cancelled attempt leaves its server: an application has to be able to distinguish a cancelled call from a
//! fault. A server that answers the upgrade nevertheless gets a close frame, any other server the end of the stream.
//! What it sends meanwhile is read and discarded, because the kernel resets a connection that is closed with unread
//! data.
//!
//! The call is no longer involved. The connector's thread does it, each step without waiting.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tungstenite::protocol::frame::coding::CloseCode;

use super::opening::{Move, Opening, Upgrade};
use super::partial_write::PartialWrite;
use super::tls::{TlsHandshake, TlsProgress};
use crate::net::outbound::client_close_frame;
use crate::net::transport::{PlainTransport, Transport};

/// How long to wait for the answer to a request that was sent.
const ANSWER_GRACE: Duration = Duration::from_secs(1);

/// How long the rest may take: to send what is queued, and until the server ends the stream.
const LINGER: Duration = Duration::from_secs(2);

/// A server that goes on sending more than this, in bytes, is no longer read.
const MAX_FORGOTTEN: usize = 1024 * 1024;

/// A connection on its way out. Dropped, it closes the socket.
pub(super) struct CancelledAttempt {
    stage: FarewellStage,
    addr: SocketAddr,
    deadline: Instant,
}

enum FarewellStage {
    /// The TLS handshake is finished, because TLS has its own end message. Nothing is requested.
    Tls(Box<dyn TlsHandshake>),
    /// The answer to the upgrade may come.
    Upgrade(Upgrade),
    /// What is queued is sent, then our end of the stream; then the server has to end it.
    Closing { transport: Arc<dyn Transport>, to_send: PartialWrite, is_shut_down: bool, forgotten: usize },
}

impl CancelledAttempt {
    /// From a connection to `addr` that is not a WebSocket yet. `None`: no peer could notice.
    pub(super) fn from_link(link: Opening, addr: SocketAddr, now: Instant) -> Option<Self> {
        let stage = match link {
            Opening::Tcp(_) => return None,
            Opening::Proxy(stream, _) => closing(Arc::new(PlainTransport::new(stream).ok()?), Vec::new()),
            Opening::Tls(handshake) => FarewellStage::Tls(handshake),
            Opening::Upgrade(upgrade) => FarewellStage::Upgrade(upgrade),
        };
        Some(Self { stage, addr, deadline: now + ANSWER_GRACE })
    }

    /// From a WebSocket with `addr`, which is registered like a link.
    pub(super) fn from_open(transport: Arc<dyn Transport>, addr: SocketAddr, now: Instant) -> Self {
        Self { stage: closing(transport, close_frame()), addr, deadline: now + LINGER }
    }

    /// When [`Self::give_up`] is to be called.
    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Moves the deadline by this time.
    pub(super) fn postpone(&mut self, by: Duration) {
        self.deadline += by;
    }

    /// Goes on until the socket would block. `None`: it is over.
    pub(super) fn advance(self, now: Instant) -> Option<Self> {
        let Self { stage, addr, deadline } = self;
        match stage {
            FarewellStage::Tls(handshake) => match handshake.advance() {
                TlsProgress::Done(transport) => Self::close(transport, Vec::new(), addr, now),
                TlsProgress::Pending(handshake) => {
                    Some(Self { stage: FarewellStage::Tls(handshake), addr, deadline })
                }
                TlsProgress::Failed(_) => None,
            },
            FarewellStage::Upgrade(upgrade) => {
                let transport = upgrade.transport.clone();
                match upgrade.advance(addr) {
                    Ok(Move::Wait(Opening::Upgrade(upgrade))) => {
                        Some(Self { stage: FarewellStage::Upgrade(upgrade), addr, deadline })
                    }
                    Ok(Move::Done(_)) => Self::close(transport, close_frame(), addr, now),
                    // A refusal, or the connection is lost.
                    Ok(_) | Err(_) => Self::close(transport, Vec::new(), addr, now),
                }
            }
            FarewellStage::Closing { transport, to_send, is_shut_down, forgotten } => {
                let stage = go_on_closing(transport, to_send, is_shut_down, forgotten)?;
                Some(Self { stage, addr, deadline })
            }
        }
    }

    /// The deadline has come. `None`: it is over.
    pub(super) fn give_up(self, now: Instant) -> Option<Self> {
        match self.stage {
            FarewellStage::Upgrade(Upgrade { transport, .. }) => {
                Self::close(transport, Vec::new(), self.addr, now)
            }
            FarewellStage::Tls(_) | FarewellStage::Closing { .. } => None,
        }
    }

    fn close(
        transport: Arc<dyn Transport>,
        to_send: Vec<u8>,
        addr: SocketAddr,
        now: Instant,
    ) -> Option<Self> {
        Self { stage: closing(transport, to_send), addr, deadline: now + LINGER }.advance(now)
    }
}

fn closing(transport: Arc<dyn Transport>, to_send: Vec<u8>) -> FarewellStage {
    FarewellStage::Closing {
        transport,
        to_send: PartialWrite::new(to_send),
        is_shut_down: false,
        forgotten: 0,
    }
}

fn close_frame() -> Vec<u8> {
    client_close_frame(CloseCode::Normal.into())
}

/// Sends, ends our direction, and reads up to the server's end. `None`: the end has come, or the connection is lost.
fn go_on_closing(
    transport: Arc<dyn Transport>,
    mut to_send: PartialWrite,
    mut is_shut_down: bool,
    mut forgotten: usize,
) -> Option<FarewellStage> {
    if to_send.flush(|bytes| transport.send(bytes)).ok()? && !is_shut_down {
        transport.shutdown();
        is_shut_down = true;
    }
    let mut buf = [0; 4096];
    while forgotten < MAX_FORGOTTEN {
        match transport.recv(&mut buf) {
            Ok(0) => return None,
            Ok(len) => forgotten = forgotten.saturating_add(len),
            Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
            Err(err) if err.kind() == io::ErrorKind::WouldBlock => {
                return Some(FarewellStage::Closing { transport, to_send, is_shut_down, forgotten });
            }
            Err(_) => return None,
        }
    }
    None
}
