//! A byte stream to or from Asterisk: TCP, or TLS through a local socket.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use super::tls::{self, Tunnel};

/// A byte stream. Clones share the connection.
#[derive(Debug)]
pub enum Stream {
    /// Plain.
    Tcp(TcpStream),
    /// Encrypted by the tunnel.
    Tls(UnixStream, Arc<Tunnel>),
}

impl Stream {
    /// Connects without TLS.
    pub fn tcp(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, super::wait::PATIENCE)?;
        Self::accepted(stream)
    }

    /// Connects with TLS.
    pub fn tls(address: SocketAddr) -> io::Result<Self> {
        let (stream, tunnel) = tls::connect(address)?;
        Ok(Self::Tls(stream, Arc::new(tunnel)))
    }

    /// Waits for a connection with TLS to the returned port. Certificate and key are paths inside the sandbox.
    pub fn tls_listener(cert: &str, key: &str) -> io::Result<(Self, u16)> {
        let (stream, tunnel, port) = tls::listen(cert, key)?;
        Ok((Self::Tls(stream, Arc::new(tunnel)), port))
    }

    /// A connection that we have accepted.
    pub fn accepted(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self::Tcp(stream))
    }

    /// Another handle to the same connection.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(match self {
            Self::Tcp(stream) => Self::Tcp(stream.try_clone()?),
            Self::Tls(stream, tunnel) => Self::Tls(stream.try_clone()?, Arc::clone(tunnel)),
        })
    }

    /// Our own address, which Asterisk sees as the application's. Plain connections only.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Tcp(stream) => stream.local_addr(),
            Self::Tls(..) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// The timeout of reads and writes; `None` waits for ever.
    pub fn set_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.set_read_timeout(timeout).and(stream.set_write_timeout(timeout)),
            Self::Tls(stream, _) => stream.set_read_timeout(timeout).and(stream.set_write_timeout(timeout)),
        }
    }

    /// The timeout of writes; `None` waits for ever.
    pub fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.set_write_timeout(timeout),
            Self::Tls(stream, _) => stream.set_write_timeout(timeout),
        }
    }

    /// Ends the connection, or one direction of it, for all handles.
    pub fn shutdown(&self, how: Shutdown) {
        let _ = match self {
            Self::Tcp(stream) => stream.shutdown(how),
            Self::Tls(stream, _) => stream.shutdown(how),
        };
    }

    /// Makes the close of the last handle send a TCP reset.
    pub fn reset_on_close(&self) {
        if let Self::Tcp(stream) = self {
            let linger = Some(Duration::ZERO);
            rustix::net::sockopt::set_socket_linger(stream, linger).expect("linger");
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Tls(stream, _) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(buffer),
            Self::Tls(stream, _) => stream.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
