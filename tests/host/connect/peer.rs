//! Servers by hand: the test says what they do with a connection.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::super::harness::wait;
use super::LOCALHOST;

/// One connection to a [`Peer`].
#[derive(Debug)]
struct Visit {
    stream: TcpStream,
    /// When the other end closed the connection.
    ended: Option<Instant>,
}

#[derive(Debug, Default)]
struct Shared {
    visits: Mutex<Vec<Visit>>,
    closed: AtomicBool,
}

/// A listening socket. Each connection has a thread, which does what the test says and then reads until the end.
#[derive(Debug)]
pub struct Peer {
    /// The address that it listens on.
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

impl Peer {
    /// Listens on a free port.
    pub fn listen(behave: impl Fn(&mut TcpStream) + Send + Sync + 'static) -> Self {
        Self::listen_slowly(Duration::ZERO, behave)
    }

    /// Like [`Peer::listen`], with a pause before each accept and a long queue of waiting connections.
    pub fn listen_slowly(pause: Duration, behave: impl Fn(&mut TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((LOCALHOST, 0)).expect("listen");
        rustix::net::listen(&listener, 1024).expect("listen");
        let address = listener.local_addr().expect("address");
        let shared = Arc::<Shared>::default();
        let inner = Arc::clone(&shared);
        let behave = Arc::new(behave);
        let serve = move || {
            loop {
                thread::sleep(pause);
                let Ok((stream, _)) = listener.accept() else { continue };
                if inner.closed.load(Ordering::SeqCst) {
                    return;
                }
                let (inner, behave) = (Arc::clone(&inner), Arc::clone(&behave));
                let visit = move || inner.visit(stream, &*behave);
                thread::Builder::new().name("peer".into()).spawn(visit).expect("thread");
            }
        };
        thread::Builder::new().name("peer".into()).spawn(serve).expect("thread");
        Self { address, shared }
    }

    /// How many connections have come.
    pub fn visits(&self) -> usize {
        self.shared.visits.lock().len()
    }

    /// Waits for this many connections.
    #[track_caller]
    pub fn wait_visits(&self, count: usize) {
        wait::until("Asterisk connects", || self.visits() >= count);
    }

    /// Waits until the other end has closed all connections. Returns when it closed the last one.
    #[track_caller]
    pub fn wait_ended(&self) -> Instant {
        let ended = || self.shared.visits.lock().iter().map(|visit| visit.ended).collect::<Option<Vec<_>>>();
        let ended = wait::poll(wait::PATIENCE, ended).expect("Asterisk closes its connections");
        ended.into_iter().max().expect("a connection")
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::SeqCst);
        // Wakes the thread, which then ends.
        let _ = TcpStream::connect(self.address);
        for visit in &*self.shared.visits.lock() {
            let _ = visit.stream.shutdown(Shutdown::Both);
        }
    }
}

impl Shared {
    fn visit(&self, mut stream: TcpStream, behave: impl Fn(&mut TcpStream)) {
        let visit = Visit { stream: stream.try_clone().expect("stream"), ended: None };
        let index = {
            let mut visits = self.visits.lock();
            visits.push(visit);
            visits.len() - 1
        };
        behave(&mut stream);
        let mut buffer = [0; 4096];
        while stream.read(&mut buffer).is_ok_and(|count| count > 0) {}
        self.visits.lock()[index].ended = Some(Instant::now());
    }
}

/// Reads up to the empty line, and returns the answer that accepts the upgrade.
pub fn read_request(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|count| count > 0) {
        head.extend(byte);
    }
    let head = String::from_utf8_lossy(&head);
    let key = head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap_or_default();
    let accept = tungstenite::handshake::derive_accept_key(key.as_bytes());
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Protocol: media\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    )
}

/// Writes bytes. The other end may be gone.
pub fn write(stream: &mut TcpStream, bytes: impl AsRef<[u8]>) {
    let _ = stream.write_all(bytes.as_ref());
}

/// Writes byte by byte until the other end is gone.
pub fn trickle(stream: &mut TcpStream, bytes: &[u8], pause: Duration) {
    stream.set_nodelay(true).expect("nodelay");
    for byte in bytes {
        if stream.write_all(&[*byte]).is_err() {
            return;
        }
        thread::sleep(pause);
    }
}

/// Ends the connection with a TCP reset.
pub fn reset(stream: &TcpStream) {
    rustix::net::sockopt::set_socket_linger(stream, Some(Duration::ZERO)).expect("linger");
    // connect(2) with AF_UNSPEC resets the connection; other handles to it do not matter.
    let _ = rustix::net::connect_unspec(stream);
}
