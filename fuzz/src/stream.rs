//! The bytes of an application through a [`Connection`], in one piece and in any pieces.

use std::collections::VecDeque;
use std::io;
use std::os::fd::RawFd;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tungstenite::protocol::Role;

use super::input::Input;
use super::rfc6455::{Expected, Frame, Told, expected};
use crate::net::connection::{Closed, Connection, ConnectionConfig, Handler, Turn, Wants};
use crate::net::outbound::{Dropped, Outbound, Wake};
use crate::net::transport::Transport;

/// Small, so that a fuzzer reaches it.
const MAX_MESSAGE_SIZE: usize = 1000;

/// The first byte selects the role, the kind of transport and the size of a read. Then come lengths of pieces, a zero,
/// and the bytes from the application.
pub fn stream(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let kind = input.byte();
    let role = if kind & 1 == 0 { Role::Server } else { Role::Client };
    let concurrent = kind & 2 == 0;
    let leftover_first = kind & 4 != 0;
    let scratch_len = [7, 64, 4096, 65536][usize::from((kind >> 3) & 3)];
    let end_with_last = kind & 32 != 0;
    let (all, pieces) = input.pieces();

    let expected = expected(all, role == Role::Server, MAX_MESSAGE_SIZE);
    let whole = run(
        role,
        concurrent,
        &Delivery { leftover_first: false, scratch_len: 65536, end_with_last: false },
        &[all],
    );
    check(&whole, &expected, all);
    let split = run(role, concurrent, &Delivery { leftover_first, scratch_len, end_with_last }, &pieces);
    check(&split, &expected, all);
    assert_eq!((whole.told, whole.sent), (split.told, split.sent), "in one piece and in pieces");
}

fn check(seen: &Seen, expected: &Expected, all: &[u8]) {
    let (end, messages) = seen.told.split_last().expect("the end is told");
    assert_eq!(messages, expected.messages, "{all:02x?}");
    assert!(expected.end.contains(end), "{end:?}, expected one of {:?}: {all:02x?}", expected.end);
    // Each text is echoed, and then comes the close frame.
    let mut echoes: Vec<Sent> = Vec::new();
    for message in messages {
        if let Told::Text(text) = message {
            echoes.push(Sent::Text(text.clone()));
        }
    }
    echoes.extend(match end {
        Told::ByPeer(1005) => Some(Sent::Close(None)),
        Told::ByPeer(code) | Told::Fault(code) => Some(Sent::Close(Some(*code))),
        _ => None,
    });
    assert_eq!(seen.sent, echoes, "{all:02x?}");
    // Of several waiting pongs only the latest has to be sent (RFC 6455 section 5.5.3).
    let mut pings = expected.pings.iter();
    for pong in &seen.pongs {
        assert!(pings.any(|ping| ping == pong), "a pong without its ping: {all:02x?}");
    }
    // No pong has to follow the peer's close frame.
    if !expected.has_close {
        assert_eq!(seen.pongs.last(), expected.pings.last(), "{all:02x?}");
    }
}

/// What an application receives from us, except pongs.
#[derive(Debug, PartialEq, Eq)]
enum Sent {
    Text(String),
    Close(Option<u16>),
}

#[derive(Debug)]
struct Seen {
    told: Vec<Told>,
    sent: Vec<Sent>,
    pongs: Vec<Vec<u8>>,
}

/// How the bytes are passed to a connection.
struct Delivery {
    /// The first piece came after the handshake.
    leftover_first: bool,
    /// The size of a read.
    scratch_len: usize,
    /// TCP ends right after the last piece, and poll reports both together.
    end_with_last: bool,
}

/// A connection that gets `pieces` one after the other, and then the end of TCP.
fn run(role: Role, concurrent: bool, delivery: &Delivery, pieces: &[&[u8]]) -> Seen {
    let pipe = Arc::new(Pipe { concurrent, ..Pipe::default() });
    let transport: Arc<dyn Transport> = pipe.clone();
    let out = Arc::new(Outbound::new(transport.clone(), role, Duration::from_secs(1), Box::new(Nobody)));
    let call = Arc::new(Call::default());
    assert!(call.out.set(out.clone()).is_ok());
    let config = ConnectionConfig {
        max_message_size: MAX_MESSAGE_SIZE,
        write_timeout: Duration::from_secs(3600),
        close_timeout: Duration::from_secs(3600),
        pings: None,
        prompt: false,
    };
    let (leftover, rest) = match pieces.split_first() {
        Some((first, rest)) if delivery.leftover_first => (first.to_vec(), rest),
        _ => (Vec::new(), pieces),
    };
    let mut connection = Connection::new(transport, out, call.clone(), role, leftover, config);
    let mut scratch = vec![0; delivery.scratch_len];
    let mut done = turn(&mut connection, &mut scratch, false);
    let mut rest = rest.iter().peekable();
    while let Some(piece) = rest.next() {
        pipe.input.lock().extend(*piece);
        let ended = delivery.end_with_last && rest.peek().is_none();
        *pipe.ended.lock() = ended;
        done = done || turn(&mut connection, &mut scratch, ended);
    }
    if !*pipe.ended.lock() {
        *pipe.ended.lock() = true;
        done = done || turn(&mut connection, &mut scratch, true);
    }
    assert!(done, "the end of TCP is the end of the connection");
    drop(connection);
    let told = std::mem::take(&mut *call.told.lock());
    let (sent, pongs) = sent(&pipe.output.lock(), role);
    Seen { told, sent, pongs }
}

/// Lets the connection read until there is nothing more, as a reactor does: `ended` is reported once. True if it is
/// over.
fn turn(connection: &mut Connection, scratch: &mut [u8], ended: bool) -> bool {
    for number in 0..100_000 {
        match connection.on_readable(scratch, ended && number == 0) {
            Turn::StillReadable => {}
            Turn::Idle => return false,
            Turn::Done => return true,
        }
    }
    panic!("a connection that reads for ever");
}

/// Splits the written bytes, which must be whole frames, masked or not as the role requires.
fn sent(mut bytes: &[u8], role: Role) -> (Vec<Sent>, Vec<Vec<u8>>) {
    let (mut sent, mut pongs) = (Vec::new(), Vec::new());
    while !bytes.is_empty() {
        assert!(!matches!(sent.last(), Some(Sent::Close(_))), "nothing goes out behind a close frame");
        let frame = Frame::read(bytes).expect("a whole header");
        let payload = frame.payload(bytes).expect("a whole frame");
        assert!(frame.fin);
        assert_eq!(bytes[1] & 0x80 != 0, role == Role::Client, "masked as a client, and only then");
        match frame.opcode {
            1 => sent.push(Sent::Text(String::from_utf8(payload).expect("UTF-8"))),
            8 => sent.push(Sent::Close(payload.get(..2).map(|code| u16::from_be_bytes([code[0], code[1]])))),
            10 => pongs.push(payload),
            other => panic!("opcode {other}"),
        }
        bytes = &bytes[frame.len()..];
    }
    (sent, pongs)
}

/// A socket in memory that takes everything.
#[derive(Debug, Default)]
struct Pipe {
    concurrent: bool,
    input: Mutex<VecDeque<u8>>,
    ended: Mutex<bool>,
    output: Mutex<Vec<u8>>,
}

impl Transport for Pipe {
    fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        let mut input = self.input.lock();
        let len = buf.len().min(input.len());
        for (to, from) in buf.iter_mut().zip(input.drain(..len)) {
            *to = from;
        }
        if len == 0 && !*self.ended.lock() { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(len) }
    }

    fn send(&self, buf: &[u8]) -> io::Result<usize> {
        self.output.lock().extend_from_slice(buf);
        Ok(buf.len())
    }

    fn shutdown(&self) {}

    fn close(&self) {}

    fn as_raw_fd(&self) -> RawFd {
        -1
    }

    fn concurrent(&self) -> bool {
        self.concurrent
    }
}

/// Ignores requests for a flush, because every turn flushes here.
struct Nobody;

impl Wake for Nobody {
    fn wake(&self) {}
}

/// A call that echoes text and keeps everything it is told.
#[derive(Default)]
struct Call {
    told: Mutex<Vec<Told>>,
    out: OnceLock<Arc<Outbound>>,
}

impl Handler for Call {
    fn on_text(&self, text: &str) -> Wants {
        self.told.lock().push(Told::Text(text.to_owned()));
        self.out.get().unwrap().send_text(text);
        Wants::default()
    }

    fn on_binary(&self, message: Bytes) -> Wants {
        self.told.lock().push(Told::Binary(message.to_vec()));
        Wants::default()
    }

    fn on_media_dropped(&self, dropped: Dropped) -> Wants {
        self.told.lock().push(Told::Other(format!("{dropped:?}")));
        Wants::default()
    }

    fn on_ping(&self, missed: bool) {
        self.told.lock().push(Told::Other(format!("a ping, missed: {missed}")));
    }

    fn on_pong(&self, _: Duration) {
        self.told.lock().push(Told::Other("a pong".into()));
    }

    fn on_closed(&self, closed: Closed) {
        self.told.lock().push(match closed {
            Closed::ByPeer { code, .. } => Told::ByPeer(code),
            Closed::Fault { code, .. } => Told::Fault(code),
            Closed::Lost(_) => Told::Lost,
            other => Told::Other(format!("{other:?}")),
        });
    }
}
