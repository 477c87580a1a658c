//! The byte stream under a WebSocket: a plain TCP socket, or TLS.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsRawFd, RawFd};
use std::time::SystemTime;

/// A connected, non-blocking byte stream.
///
/// `recv` is called by the connection's reactor alone. `send` is called under the connection's out lock: by any
/// thread if [`concurrent`](Self::concurrent) says so, else by the reactor alone.
pub trait Transport: Send + Sync + fmt::Debug {
    /// Reads what has arrived: `Ok(0)` at the end of the stream, `WouldBlock` when there is nothing.
    ///
    /// # Errors
    /// As `recv(2)`; anything but `WouldBlock` and `Interrupted` is final.
    fn recv(&self, buf: &mut [u8]) -> io::Result<usize>;

    /// Writes what fits, `WouldBlock` when nothing does. Never `Ok(0)` for a non-empty `buf`.
    ///
    /// A caller that got `WouldBlock` repeats the same bytes first (they may already be inside a TLS record).
    ///
    /// # Errors
    /// As `send(2)`.
    fn send(&self, buf: &[u8]) -> io::Result<usize>;

    /// Ends our direction (TLS close_notify, then FIN), without waiting. Errors are of no interest any more.
    fn shutdown(&self);

    /// Ends both directions, for good: the descriptor stays open until the transport is dropped, which may be later.
    fn close(&self);

    /// The descriptor to poll. Owned by the transport.
    fn as_raw_fd(&self) -> RawFd;

    /// Whether any thread may `send` while the reactor is inside `recv`. False for TLS.
    fn concurrent(&self) -> bool;

    /// TLS version and cipher for people to read; `None` on a plain socket.
    fn tls_description(&self) -> Option<String> {
        None
    }

    /// When the certificate of the other end expires; `None` on a plain socket, and if the other end has sent none.
    fn certificate_expiry(&self) -> Option<SystemTime> {
        None
    }
}

/// A plain TCP socket of our own.
#[derive(Debug)]
pub struct PlainTransport(std::net::TcpStream);

impl PlainTransport {
    /// Takes over a connected socket and makes it non-blocking.
    ///
    /// # Errors
    /// As `fcntl(2)`.
    pub fn new(stream: std::net::TcpStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self(stream))
    }
}

impl Transport for PlainTransport {
    fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        (&self.0).read(buf)
    }

    fn send(&self, buf: &[u8]) -> io::Result<usize> {
        (&self.0).write(buf)
    }

    fn shutdown(&self) {
        let _ = self.0.shutdown(Shutdown::Write);
    }

    fn close(&self) {
        let _ = self.0.shutdown(Shutdown::Both);
    }

    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    fn concurrent(&self) -> bool {
        true
    }
}
