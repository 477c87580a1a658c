//! `websocket set debug`: control messages of one call, of one peer's calls or of all, shown at the console.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::RwLock;

/// An application's address, with or without its port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DebuggedPeer {
    ip: IpAddr,
    port: Option<u16>,
}

impl DebuggedPeer {
    /// `192.0.2.1`, `192.0.2.1:8080`, `2001:db8::1` or `[2001:db8::1]:8080`; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Some(Self { ip: address.ip().to_canonical(), port: Some(address.port()) });
        }
        let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
        let ip = bare.parse::<IpAddr>().ok()?;
        Some(Self { ip: ip.to_canonical(), port: None })
    }

    /// Whether a connection's peer is this one.
    pub fn matches(self, connected: &str) -> bool {
        Self::parse(connected)
            .is_some_and(|other| other.ip == self.ip && (self.port.is_none() || self.port == other.port))
    }
}

/// The debug settings beyond those of single calls.
#[derive(Debug, Default)]
pub struct DebugSettings {
    all: AtomicBool,
    peers: RwLock<Vec<DebuggedPeer>>,
}

impl DebugSettings {
    /// Whether all calls' control messages are wanted.
    pub fn wants_all(&self) -> bool {
        self.all.load(Ordering::Relaxed)
    }

    /// Whether the control messages of calls with this peer are wanted.
    pub fn wants_peer(&self, connected: &str) -> bool {
        self.peers.read().iter().any(|peer| peer.matches(connected))
    }

    /// Sets it for all calls, including future ones. Off also ends the setting for every peer.
    pub fn set_all(&self, on: bool) {
        self.all.store(on, Ordering::Relaxed);
        if !on {
            self.peers.write().clear();
        }
    }

    /// Sets it for the calls with one peer, including future ones.
    pub fn set_peer(&self, peer: DebuggedPeer, on: bool) {
        let mut peers = self.peers.write();
        peers.retain(|other| *other != peer);
        if on {
            peers.push(peer);
        }
    }
}
