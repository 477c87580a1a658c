//! The application's connection as Asterisk's HTTP server hands it over (asterisk/iostream.h).

use std::io;
use std::mem::ManuallyDrop;
use std::net::TcpStream;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, RawFd};
use std::ptr::NonNull;
use std::sync::Arc;

use super::{fault, sys};
use crate::net::transport::Transport;
use crate::tls::TlsTransport;

/// More than the stream's own read-ahead, so that one read empties it.
const READ_AHEAD_BYTES: usize = 4096;

/// An `ast_iostream` that is ours. Closed when dropped.
#[derive(Debug)]
pub(crate) struct IoStream(NonNull<sys::ast_iostream>);

// SAFETY: a stream has no thread of its own; we use it from one thread at a time (see `into_transport`).
unsafe impl Send for IoStream {}
// SAFETY: after `into_transport` only its descriptor and its SSL are used, under their own rules.
unsafe impl Sync for IoStream {}

impl IoStream {
    /// Takes the stream out of an HTTP session, which leaves it alone from then on.
    ///
    /// # Safety
    /// `session` is the session that the HTTP callback was given, and this is that callback's thread.
    pub(crate) unsafe fn take(session: *mut sys::ast_tcptls_session_instance) -> Option<Self> {
        // SAFETY: the session lives across the callback; a NULL stream tells the HTTP server that it was taken.
        let stream = unsafe { std::mem::replace(&mut (*session).stream, std::ptr::null_mut()) };
        NonNull::new(stream).map(Self)
    }

    /// Makes a non-blocking transport of it, with the bytes that were read ahead.
    ///
    /// # Errors
    /// The connection has ended already.
    pub(crate) fn into_transport(self) -> io::Result<(Arc<dyn Transport>, Vec<u8>)> {
        let stream = self.0.as_ptr();
        let mut ahead = vec![0u8; READ_AHEAD_BYTES];
        // SAFETY: the stream is ours alone; from here on a read returns what is there and never waits.
        let n = unsafe {
            sys::ast_iostream_nonblock(stream);
            sys::ast_iostream_set_exclusive_input(stream, 0);
            sys::ast_iostream_set_timeout_inactivity(stream, 0);
            sys::ast_iostream_read(stream, ahead.as_mut_ptr().cast(), ahead.len())
        };
        match usize::try_from(n) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => ahead.truncate(n),
            Err(_) => {
                let error = io::Error::last_os_error();
                if error.kind() != io::ErrorKind::WouldBlock {
                    return Err(error);
                }
                ahead.clear();
            }
        }
        // SAFETY: a getter on our stream; the SSL, if there is one, belongs to the stream and lives as long.
        let ssl = unsafe { sys::ast_iostream_get_ssl(stream) };
        let transport: Arc<dyn Transport> = match NonNull::new(ssl) {
            None => {
                // SAFETY: the descriptor is open as long as the stream, which is dropped with this transport.
                let socket = ManuallyDrop::new(unsafe { TcpStream::from_raw_fd(self.as_fd().as_raw_fd()) });
                Arc::new(PlainStream { socket, stream: self })
            }
            Some(ssl) => {
                // SAFETY: Asterisk has done the handshake; only the reactor uses it from here on; it belongs to the
                // stream.
                Arc::new(unsafe { TlsTransport::new(ssl.cast(), self) })
            }
        };
        Ok((transport, ahead))
    }
}

impl AsFd for IoStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: a getter on our stream, whose descriptor is open as long as it lives.
        unsafe { BorrowedFd::borrow_raw(sys::ast_iostream_get_fd(self.0.as_ptr())) }
    }
}

impl Drop for IoStream {
    fn drop(&mut self) {
        // SAFETY: the one reference is ours; closes the descriptor too.
        unsafe { sys::ast_iostream_close(self.0.as_ptr()) };
    }
}

/// A plain connection: the descriptor is used directly, the stream only closes it.
#[derive(Debug)]
struct PlainStream {
    socket: ManuallyDrop<TcpStream>,
    #[allow(dead_code, reason = "closes the descriptor when dropped")]
    stream: IoStream,
}

impl Transport for PlainStream {
    fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        fault::point("receive");
        io::Read::read(&mut &*self.socket, buf)
    }

    fn send(&self, buf: &[u8]) -> io::Result<usize> {
        io::Write::write(&mut &*self.socket, buf)
    }

    fn shutdown(&self) {
        let _ = self.socket.shutdown(std::net::Shutdown::Write);
    }

    fn close(&self) {
        let _ = self.socket.shutdown(std::net::Shutdown::Both);
    }

    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }

    fn concurrent(&self) -> bool {
        true
    }
}
