//! Random frames in random pieces, compared with tungstenite's own reader.

use std::io::{self, Cursor, Read, Write};

use proptest::prelude::*;
use tungstenite::protocol::{WebSocket, WebSocketConfig};
use tungstenite::{Error, Message as TheirMessage};

use super::tests::{Outcome, reader};
use super::*;

/// A frame, usually one that is allowed in its place.
fn frame() -> impl Strategy<Value = (u8, Vec<u8>)> {
    let first = prop_oneof![
        4 => Just(0x81_u8),
        8 => Just(0x82),
        4 => prop::sample::select(vec![0x01, 0x02]),
        8 => prop::sample::select(vec![0x00, 0x80]),
        3 => prop::sample::select(vec![0x89, 0x8a]),
        1 => Just(0x88),
        1 => any::<u8>(),
    ];
    let payload = prop_oneof![
        6 => prop::collection::vec(any::<u8>(), 0..12),
        4 => "[a-zäß€\u{1f600}]{0,10}".prop_map(String::into_bytes),
        2 => prop::collection::vec(any::<u8>(), 120..140),
        2 => prop::collection::vec(any::<u8>(), 400..600),
        1 => prop::sample::select(vec![&[0x03, 0xe8][..], b"\x0f\xa0bye", &[0x03, 0xed]]).prop_map(<[u8]>::to_vec),
    ];
    (first, payload)
}

fn role() -> impl Strategy<Value = Role> {
    prop_oneof![Just(Role::Server), Just(Role::Client)]
}

/// Frames as bytes, masked as our role requires it, occasionally not.
fn stream() -> impl Strategy<Value = (Role, Vec<u8>)> {
    let framed = (frame(), any::<Key>(), prop::bool::weighted(0.01), prop::bool::weighted(0.1));
    (role(), prop::collection::vec(framed, 0..12)).prop_map(|(role, frames)| {
        let mut bytes = Vec::new();
        for ((first, mut payload), mut key, is_wrong, is_long) in frames {
            let is_masked = (role == Role::Server) != is_wrong;
            let mask_bit = if is_masked { 0x80 } else { 0 };
            bytes.push(first);
            match payload.len() {
                len if is_long => {
                    bytes.push(127 | mask_bit);
                    bytes.extend((len as u64).to_be_bytes());
                }
                len @ ..126 => bytes.push(len as u8 | mask_bit),
                len => {
                    bytes.push(126 | mask_bit);
                    bytes.extend((len as u16).to_be_bytes());
                }
            }
            if is_masked {
                bytes.extend(key);
                apply_mask(&mut payload, &mut key);
            }
            bytes.extend(payload);
        }
        (role, bytes)
    })
}

fn read_in_pieces(role: Role, bytes: &[u8], cuts: &[prop::sample::Index]) -> Outcome {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    cuts.sort_unstable();
    cuts.push(bytes.len());
    let (mut reader, mut outcome) = (reader(role), Outcome::default());
    let mut from = 0;
    for to in cuts {
        outcome.add(&mut reader, &bytes[from..to]);
        from = to;
    }
    outcome
}

/// The bytes that were sent, and a place for answers.
struct Socket(Cursor<Vec<u8>>);

impl Read for Socket {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf)
    }
}

impl Write for Socket {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        Ok(buf.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What tungstenite reads from it, up to a close frame or a fault, and whether there is a fault. An end without a close
/// frame, which a socket has and a reader does not know, is no fault.
fn read_by_tungstenite(role: Role, bytes: &[u8], max_message_size: usize) -> (Vec<Received>, bool) {
    let config = WebSocketConfig::default()
        .max_message_size(Some(max_message_size))
        .max_frame_size(Some(max_message_size));
    let mut socket = WebSocket::from_raw_socket(Socket(Cursor::new(bytes.to_vec())), role, Some(config));
    let mut received = Vec::new();
    loop {
        match socket.read() {
            Ok(TheirMessage::Text(text)) => received.push(Received::Text(text.as_str().into())),
            Ok(TheirMessage::Binary(bytes)) => received.push(Received::Binary(bytes)),
            Ok(TheirMessage::Ping(payload)) => received.push(Received::Ping(payload.to_vec())),
            Ok(TheirMessage::Pong(_)) => received.push(Received::Pong),
            Ok(TheirMessage::Close(_)) => return (received, false),
            Ok(TheirMessage::Frame(frame)) => panic!("{frame}"),
            Err(Error::Protocol(tungstenite::error::ProtocolError::ResetWithoutClosingHandshake)) => {
                return (received, false);
            }
            Err(_) => return (received, true),
        }
    }
}

proptest! {
    #[test]
    fn any_cuts_give_the_same((role, bytes) in stream(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20)) {
        let whole = read_in_pieces(role, &bytes, &[]);
        prop_assert_eq!(read_in_pieces(role, &bytes, &cuts), whole);
    }

    /// Everything that is found in the first bytes is found in them alone: no result waits for later bytes.
    #[test]
    fn a_fault_is_at_the_same_byte((role, bytes) in stream()) {
        let (mut reader, mut slow) = (reader(role), Outcome::default());
        for (at, byte) in bytes.iter().enumerate() {
            slow.add(&mut reader, &[*byte]);
            prop_assert_eq!(&read_in_pieces(role, &bytes[..=at], &[]), &slow);
        }
    }

    #[test]
    fn any_bytes_at_all(role in role(), bytes in prop::collection::vec(any::<u8>(), 0..200), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20)) {
        let whole = read_in_pieces(role, &bytes, &[]);
        prop_assert_eq!(read_in_pieces(role, &bytes, &cuts), whole);
    }

    /// The same messages as tungstenite's reader, and a fault where that has one, possibly earlier.
    #[test]
    fn the_same_messages_as_tungstenite((role, bytes) in stream()) {
        let ours = read_in_pieces(role, &bytes, &[]);
        let closed = ours.received.iter().position(|received| matches!(received, Received::Close(_)));
        let until_close = &ours.received[..closed.unwrap_or(ours.received.len())];
        let (theirs, fault) = read_by_tungstenite(role, &bytes, reader(role).max_message_size);
        prop_assert_eq!(until_close, &theirs[..]);
        prop_assert!(!fault || closed.is_none() && ours.fault.is_some());
    }
}
