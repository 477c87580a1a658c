//! Alternatives to a WebSocket: bots that echo by AudioSocket and by RTP, for the same telephones.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::Result;
use crate::harness::Context;

/// A message of AudioSocket: a kind, the length of its payload in network order, the payload.
const HEADER_BYTES: usize = 3;

/// The kind of messages with 16-bit samples of 8 kHz.
const AUDIO: u8 = 0x10;

/// How a bot is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rival {
    /// AudioSocket over TCP. It carries slin, so the core translates.
    AudioSocket,
    /// A second RTP leg of ARI's externalMedia, in ulaw.
    Rtp,
}

/// Bots that send back what they receive, until they are dropped.
#[derive(Debug)]
pub(super) struct Bots {
    kind: Rival,
    address: SocketAddr,
    ending: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Bots {
    /// Begins to serve at a new address.
    pub(super) fn serve(kind: Rival) -> Result<Self> {
        let ending = Arc::<AtomicBool>::default();
        let ended = Arc::clone(&ending);
        let builder = thread::Builder::new().name("bots".into());
        let (address, thread) = match kind {
            Rival::AudioSocket => {
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
                (listener.local_addr()?, builder.spawn(move || accept(&listener, &ended))?)
            }
            Rival::Rtp => {
                let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
                socket.set_read_timeout(Some(Duration::from_millis(100)))?;
                (socket.local_addr()?, builder.spawn(move || send_back(&socket, &ended))?)
            }
        };
        Ok(Self { kind, address, ending, thread: Some(thread) })
    }

    /// A channel of Asterisk to one of them.
    pub(super) fn channel(&self, stasis: &Context) -> Result<String> {
        let host = self.address.to_string();
        let parameters: &[(&str, &str)] = match self.kind {
            Rival::AudioSocket => &[
                ("transport", "tcp"),
                ("encapsulation", "audiosocket"),
                ("external_host", &host),
                ("format", "slin"),
                ("data", "6b0e4d1c-7c1f-4b52-9a50-3a8f2d1f9d11"),
            ],
            Rival::Rtp => &[
                ("transport", "udp"),
                ("encapsulation", "rtp"),
                ("external_host", &host),
                ("format", "ulaw"),
            ],
        };
        super::phone_calls::id_of(&stasis.external_media(parameters).ok())
    }
}

impl Drop for Bots {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::Relaxed);
        if self.kind == Rival::AudioSocket {
            // Wakes the accepting thread.
            let _ = TcpStream::connect(self.address);
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A thread for each connection, which ends with the connection.
fn accept(listener: &TcpListener, ended: &AtomicBool) {
    for stream in listener.incoming().flatten() {
        if ended.load(Ordering::Relaxed) {
            return;
        }
        let bot = move || {
            let _ = echo(&stream);
            let _ = stream.shutdown(Shutdown::Both);
        };
        let _ = thread::Builder::new().name("bot".into()).spawn(bot);
    }
}

/// Echoes until the end of the stream.
fn echo(mut stream: &TcpStream) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut message = Vec::new();
    loop {
        let mut header = [0; HEADER_BYTES];
        stream.read_exact(&mut header)?;
        let [kind, high, low] = header;
        message.clear();
        message.extend_from_slice(&header);
        message.resize(HEADER_BYTES + usize::from(u16::from_be_bytes([high, low])), 0);
        stream.read_exact(message.get_mut(HEADER_BYTES..).unwrap_or_default())?;
        if kind == AUDIO {
            stream.write_all(&message)?;
        }
    }
}

/// Sends each packet back to the port that it came from.
fn send_back(socket: &UdpSocket, ended: &AtomicBool) {
    let mut packet = [0; 2048];
    while !ended.load(Ordering::Relaxed) {
        if let Ok((length, from)) = socket.recv_from(&mut packet) {
            let _ = socket.send_to(packet.get(..length).unwrap_or_default(), from);
        }
    }
}
