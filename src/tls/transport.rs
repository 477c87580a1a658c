//! A TLS connection as the reactor uses it, whatever owns its session and its socket.

use std::fmt::Debug;
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::ptr::NonNull;
use std::time::SystemTime;

use openssl_sys as ffi;
use rustix::net::Shutdown;

use super::TlsSession;
use crate::net::transport::Transport;

/// An established TLS connection. The session is dropped before its owner, which frees the `SSL` that the session
/// points to.
#[derive(Debug)]
pub(crate) struct TlsTransport<Owner> {
    session: TlsSession,
    owner: Owner,
}

impl<Owner> TlsTransport<Owner> {
    /// # Safety
    /// The handshake of `ssl` is done, over the descriptor of `owner`. Only `owner` may free `ssl`, and no other code
    /// uses it.
    pub(crate) unsafe fn new(ssl: NonNull<ffi::SSL>, owner: Owner) -> Self {
        // SAFETY: alive as long as `owner`, which is dropped with it; used through the result only.
        let session = unsafe { TlsSession::new(ssl) };
        Self { session, owner }
    }
}

impl<Owner: AsFd> TlsTransport<Owner> {
    fn end(&self, how: Shutdown) {
        let _ = rustix::net::shutdown(self.owner.as_fd(), how);
    }
}

impl<Owner> Drop for TlsTransport<Owner> {
    fn drop(&mut self) {
        self.session.be_quiet();
    }
}

impl<Owner: AsFd + Debug + Send + Sync> Transport for TlsTransport<Owner> {
    fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.session.recv(buf)
    }

    fn send(&self, buf: &[u8]) -> io::Result<usize> {
        self.session.send(buf)
    }

    fn shutdown(&self) {
        self.session.shutdown();
        self.end(Shutdown::Write);
    }

    fn close(&self) {
        self.end(Shutdown::Both);
    }

    fn as_raw_fd(&self) -> RawFd {
        self.owner.as_fd().as_raw_fd()
    }

    fn concurrent(&self) -> bool {
        false
    }

    fn tls_description(&self) -> Option<String> {
        Some(self.session.description())
    }

    fn certificate_expiry(&self) -> Option<SystemTime> {
        self.session.certificate_expiry()
    }
}
