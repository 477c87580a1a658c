//! A connection to Asterisk at the level of bytes and frames, in either role, with or without TLS.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use super::super::harness::Frame;
use super::super::harness::secure::{Stream, Tls};

static TLS: LazyLock<Tls> = LazyLock::new(Tls::new);

/// How long a write may take: a peer that reads is not that slow.
const WRITING: Duration = Duration::from_secs(5);

/// The connection.
pub struct Link {
    stream: Stream,
    /// Bytes that have been read and not yet taken.
    ahead: Vec<u8>,
}

/// Something that was received.
#[derive(Debug, PartialEq, Eq)]
pub enum Arrival {
    /// A frame.
    Frame(Frame),
    /// Asterisk ended its direction of TCP, in order.
    End,
    /// The connection ended out of order: a reset, or in the middle of a frame.
    Broken(String),
    /// Nothing within the given time.
    Nothing,
}

impl Link {
    /// Connects to Asterisk.
    pub fn connect(address: SocketAddr, tls: bool) -> io::Result<Self> {
        let socket = TcpStream::connect(address)?;
        Self::new(if tls { Stream::tls_client(socket, &TLS.client)? } else { Stream::plain(socket)? })
    }

    /// Accepts the next connection of a listener.
    pub fn accept(listener: &TcpListener, tls: bool, timeout: Duration) -> io::Result<Self> {
        let deadline = Instant::now() + timeout;
        listener.set_nonblocking(true)?;
        let socket = loop {
            match listener.accept() {
                Ok((socket, _)) => break socket,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(1));
                }
                Err(error) => return Err(error),
            }
        };
        socket.set_nonblocking(false)?;
        Self::new(if tls { Stream::tls_server(socket, &TLS.server)? } else { Stream::plain(socket)? })
    }

    fn new(stream: Stream) -> io::Result<Self> {
        stream.socket().set_write_timeout(Some(WRITING))?;
        Ok(Self { stream, ahead: Vec::new() })
    }

    /// Sends bytes, in one segment or TLS record as far as they fit.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)?;
        self.stream.flush()
    }

    /// Uses new keys for what is sent from now on, and asks the other side to do the same.
    pub fn refresh_keys(&mut self) -> io::Result<()> {
        self.stream.refresh_keys()
    }

    /// Sends each byte separately.
    pub fn trickle(&mut self, bytes: &[u8], pause: Duration) -> io::Result<()> {
        for byte in bytes {
            self.send(&[*byte])?;
            std::thread::sleep(pause);
        }
        Ok(())
    }

    /// Reads up to the empty line, and returns the head with that line.
    pub fn head(&mut self, timeout: Duration) -> io::Result<String> {
        let deadline = Instant::now() + timeout;
        loop {
            if let Some(end) = self.ahead.windows(4).position(|window| window == b"\r\n\r\n") {
                let rest = self.ahead.split_off(end + 4);
                let head = std::mem::replace(&mut self.ahead, rest);
                return Ok(String::from_utf8_lossy(&head).into_owned());
            }
            if !self.read_more(deadline)? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// The next frame, or what came instead before the deadline.
    pub fn next(&mut self, deadline: Instant) -> Arrival {
        loop {
            if let Some(frame) = self.take_frame() {
                return Arrival::Frame(frame);
            }
            match self.read_more(deadline) {
                Ok(true) => {}
                Ok(false) if !self.stream.ended_in_order() => {
                    return Arrival::Broken("no close_notify".into());
                }
                Ok(false) if self.ahead.is_empty() => return Arrival::End,
                Ok(false) => return Arrival::Broken("the end in the middle of a frame".into()),
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    return Arrival::Nothing;
                }
                Err(error) => return Arrival::Broken(error.to_string()),
            }
        }
    }

    /// Ends our direction in order.
    pub fn finish(&mut self) {
        self.stream.say_end();
        self.cut();
    }

    /// Ends our direction of TCP without a TLS close_notify.
    pub fn cut(&self) {
        let _ = self.stream.socket().shutdown(Shutdown::Write);
    }

    fn take_frame(&mut self) -> Option<Frame> {
        let mut rest = self.ahead.as_slice();
        let frame = Frame::read(&mut rest).ok()?;
        let used = self.ahead.len() - rest.len();
        self.ahead.drain(..used);
        Some(frame)
    }

    /// Reads available bytes; false at the end.
    fn read_more(&mut self, deadline: Instant) -> io::Result<bool> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.stream.socket().set_read_timeout(Some(left))?;
        let mut buffer = [0; 65_536];
        let count = self.stream.read(&mut buffer)?;
        self.ahead.extend_from_slice(&buffer[..count]);
        Ok(count > 0)
    }
}

/// A new listener.
pub fn listen() -> TcpListener {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("listen")
}
