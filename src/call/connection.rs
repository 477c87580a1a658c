//! A connection: what a finished handshake provides, and what a call keeps of it while it serves the call.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tungstenite::protocol::Role;

use crate::net::outbound::Outbound;
use crate::net::reactor::Slot;
use crate::net::transport::Transport;
use crate::settings::config::Pings;

/// A connection whose handshake is done, in either role.
pub struct Established {
    /// Reads and writes the connection.
    pub transport: Arc<dyn Transport>,
    /// Bytes that arrived right after the handshake.
    pub leftover: Vec<u8>,
    /// Our role in the WebSocket.
    pub role: Role,
    /// The application's address, for people to read.
    pub peer: String,
    /// The websocket_client that Asterisk has connected to; `None` if the application connected.
    pub client: Option<String>,
    /// How long the application may read nothing.
    pub write_timeout: Duration,
    /// `None`: no pings are sent.
    pub pings: Option<Pings>,
}

impl std::fmt::Debug for Established {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Established").field("peer", &self.peer).finish_non_exhaustive()
    }
}

/// A connection of a call.
#[derive(Debug)]
pub struct CallConnection {
    /// The way to the application.
    pub out: Arc<Outbound>,
    /// Its place in its reactor.
    pub slot: Slot,
    /// The application's address, for people to read.
    pub peer: String,
    /// The websocket_client that Asterisk has connected to: the one that was dialled, or a fallback.
    pub client: Option<String>,
    /// How long the application may read nothing.
    pub write_timeout: Duration,
    /// `None`: no pings are sent.
    pub ping_interval: Option<Duration>,
    /// Since when the call has it.
    pub since: Instant,
}

impl CallConnection {
    /// What a call keeps of a connection that it gets now.
    pub fn of(link: &Established, out: Arc<Outbound>, slot: Slot) -> Self {
        Self {
            out,
            slot,
            peer: link.peer.clone(),
            client: link.client.clone(),
            write_timeout: link.write_timeout,
            ping_interval: link.pings.map(|pings| pings.interval),
            since: Instant::now(),
        }
    }
}
