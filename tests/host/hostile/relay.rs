//! A connection between an application and Asterisk that a test can disturb, below TLS.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use rustix::net::SendFlags;

use super::super::connect::peer;
use super::super::harness::wait;

/// How the bytes from the application are passed on to Asterisk.
#[derive(Debug, Clone, Copy)]
enum Flow {
    Free,
    /// A byte at a time, with this pause.
    Trickle(Duration),
    /// This many more bytes, then nothing.
    Only(usize),
}

#[derive(Debug)]
struct State {
    to_asterisk: Flow,
    from_asterisk: bool,
    /// Asterisk's connection, once both sides are connected.
    asterisk: Option<TcpStream>,
    passed: usize,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

/// The side that connects to the relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// The application: Asterisk is the server.
    App,
    /// Asterisk.
    Asterisk,
}

/// A relay for one connection.
#[derive(Debug)]
pub struct Relay {
    /// The address that it listens on.
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

impl Relay {
    /// Passes the first connection on to `target`. With TLS, data from Asterisk is passed on in whole records, because
    /// the `openssl` command does nothing else while it waits for the rest of a record.
    pub fn to(target: SocketAddr, caller: Caller, tls: bool) -> Self {
        let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).expect("listen");
        Self::between(listener, move || TcpStream::connect(target), caller, tls)
    }

    /// Passes the first connection to a listener on over a second connection.
    pub fn between(
        listener: TcpListener,
        connect: impl FnOnce() -> std::io::Result<TcpStream> + Send + 'static,
        caller: Caller,
        tls: bool,
    ) -> Self {
        let address = listener.local_addr().expect("address");
        let state = State { to_asterisk: Flow::Free, from_asterisk: true, asterisk: None, passed: 0 };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        let inner = Arc::clone(&shared);
        let serve = move || {
            let Ok((near, _)) = listener.accept() else { return };
            let Ok(far) = connect() else { return };
            near.set_nodelay(true).and(far.set_nodelay(true)).expect("nodelay");
            let (app, asterisk) = if caller == Caller::App { (near, far) } else { (far, near) };
            inner.state.lock().asterisk = asterisk.try_clone().ok();
            let handles = (app.try_clone().expect("stream"), asterisk.try_clone().expect("stream"));
            let other = Arc::clone(&inner);
            thread::spawn(move || other.pass_to_app(handles.1, handles.0, tls));
            inner.pass_to_asterisk(app, asterisk);
        };
        thread::Builder::new().name("relay".into()).spawn(serve).expect("thread");
        Self { address, shared }
    }

    fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.shared.state.lock());
        self.shared.changed.notify_all();
    }

    /// Stops reading from Asterisk.
    pub fn hold_from_asterisk(&self) {
        self.set(|state| state.from_asterisk = false);
    }

    /// Reads from Asterisk again.
    pub fn release_from_asterisk(&self) {
        self.set(|state| state.from_asterisk = true);
    }

    /// Passes this many more bytes on to Asterisk, and keeps the bytes after them.
    pub fn only(&self, bytes: usize) {
        self.set(|state| state.to_asterisk = Flow::Only(bytes));
    }

    /// Passes bytes on one at a time.
    pub fn trickle(&self, pause: Duration) {
        self.set(|state| state.to_asterisk = Flow::Trickle(pause));
    }

    /// Sends a byte of urgent data after the first `bytes` that go to Asterisk.
    pub fn urgent_after(&self, bytes: usize) {
        self.only(bytes);
        let shared = Arc::clone(&self.shared);
        let send = move || {
            let passed = wait::poll(wait::PATIENCE, || {
                let state = shared.state.lock();
                (state.passed >= bytes).then(|| state.asterisk.as_ref()?.try_clone().ok()).flatten()
            });
            if let Some(stream) = passed {
                // The kernel has to send the earlier bytes in a separate segment first.
                thread::sleep(Duration::from_millis(50));
                let _ = rustix::net::send(&stream, b"!", SendFlags::OOB);
                thread::sleep(Duration::from_millis(50));
            }
            shared.state.lock().to_asterisk = Flow::Free;
            shared.changed.notify_all();
        };
        thread::Builder::new().name("relay".into()).spawn(send).expect("thread");
    }

    /// Passes everything on, including what was kept.
    pub fn release(&self) {
        self.set(|state| state.to_asterisk = Flow::Free);
    }

    /// The number of bytes that have gone to Asterisk.
    pub fn passed(&self) -> usize {
        self.shared.state.lock().passed
    }

    /// The socket connected to Asterisk.
    pub fn asterisk(&self) -> TcpStream {
        let stream =
            wait::poll(wait::PATIENCE, || self.shared.state.lock().asterisk.as_ref()?.try_clone().ok());
        stream.expect("a connection through the relay")
    }

    /// Resets the TCP connection to Asterisk.
    pub fn reset(&self) {
        peer::reset(&self.asterisk());
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.release();
        self.release_from_asterisk();
        // This connection ends a thread that waits in accept. Its network may be gone.
        let _ = TcpStream::connect_timeout(&self.address, Duration::from_millis(100));
    }
}

impl Shared {
    fn pass_to_app(&self, mut asterisk: TcpStream, mut app: TcpStream, tls: bool) {
        let mut buffer = vec![0; 4096];
        loop {
            let mut state = self.state.lock();
            self.changed.wait_while(&mut state, |state| !state.from_asterisk);
            drop(state);
            let read = if tls { read_record(&mut asterisk, &mut buffer) } else { asterisk.read(&mut buffer) };
            match read {
                Ok(count) if count > 0 && app.write_all(&buffer[..count]).is_ok() => {}
                _ => {
                    let _ = app.shutdown(std::net::Shutdown::Both);
                    return;
                }
            }
        }
    }

    fn pass_to_asterisk(&self, mut app: TcpStream, mut asterisk: TcpStream) {
        let mut buffer = [0; 16384];
        loop {
            match app.read(&mut buffer) {
                Ok(count) if count > 0 => self.pass(&buffer[..count], &mut asterisk),
                _ => {
                    let _ = asterisk.shutdown(std::net::Shutdown::Write);
                    return;
                }
            }
        }
    }

    fn pass(&self, bytes: &[u8], asterisk: &mut TcpStream) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let mut state = self.state.lock();
            self.changed.wait_while(&mut state, |state| matches!(state.to_asterisk, Flow::Only(0)));
            let (count, pause) = match &mut state.to_asterisk {
                Flow::Free => (rest.len(), Duration::ZERO),
                Flow::Trickle(pause) => (1, *pause),
                Flow::Only(left) => {
                    let count = rest.len().min(*left);
                    *left -= count;
                    (count, Duration::ZERO)
                }
            };
            state.passed += count;
            drop(state);
            // Asterisk may be gone: the kept bytes are then lost.
            let _ = asterisk.write_all(&rest[..count]);
            rest = &rest[count..];
            thread::sleep(pause);
        }
    }
}

/// Reads one TLS record with its header.
fn read_record(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> std::io::Result<usize> {
    const HEADER_BYTES: usize = 5;
    buffer.resize(HEADER_BYTES, 0);
    stream.read_exact(buffer)?;
    let length = usize::from(u16::from_be_bytes([buffer[3], buffer[4]]));
    buffer.resize(HEADER_BYTES + length, 0);
    stream.read_exact(&mut buffer[HEADER_BYTES..])?;
    Ok(buffer.len())
}
