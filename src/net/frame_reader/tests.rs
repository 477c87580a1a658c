//! Frames, cut at every byte.

use super::*;

const KEY: Key = [0x37, 0xfa, 0x21, 0x3d];
const MAX_MESSAGE_SIZE: usize = 1000;

/// A frame as a client sends it, its length written in the shortest way.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = unmasked(first, payload);
    frame[1] |= 0x80;
    let header_len = frame.len() - payload.len();
    frame.splice(header_len..header_len, KEY);
    apply_mask(&mut frame[header_len + KEY.len()..], &mut KEY.clone());
    frame
}

/// The same as a server sends it.
fn unmasked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match u16::try_from(payload.len()).unwrap() {
        len @ ..126 => frame.push(len as u8),
        len => {
            frame.push(126);
            frame.extend(len.to_be_bytes());
        }
    }
    frame.extend(payload);
    frame
}

/// The result of a reader: what it has received, and the fault, if there is one.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) received: Vec<Received>,
    pub(super) fault: Option<Fault>,
}

impl Outcome {
    /// Adds the result of the next piece.
    pub(super) fn add(&mut self, reader: &mut FrameReader, piece: &[u8]) {
        let mut piece = piece.to_vec();
        let mut input = &mut piece[..];
        while self.fault.is_none() {
            match reader.next(&mut input) {
                Ok(Some(received)) => self.received.push(received),
                Ok(None) => {
                    assert!(input.is_empty(), "{} bytes are left", input.len());
                    return;
                }
                Err(fault) => self.fault = Some(fault),
            }
        }
    }
}

pub(super) fn reader(role: Role) -> FrameReader {
    FrameReader::new(role, MAX_MESSAGE_SIZE)
}

/// Reads `bytes` in two pieces, cut at each byte, and byte by byte; all ways have the same outcome, and a fault is
/// found at the same byte. Returns that outcome, and how many bytes it took.
fn read(role: Role, bytes: &[u8]) -> (Outcome, usize) {
    let mut slow = (reader(role), Outcome::default());
    let mut taken = 0;
    for at in 0..=bytes.len() {
        let mut begun = (reader(role), Outcome::default());
        begun.1.add(&mut begun.0, &bytes[..at]);
        assert_eq!(begun.1, slow.1, "{role:?}: the first {at} bytes of {bytes:02x?}");
        begun.1.add(&mut begun.0, &bytes[at..]);
        let mut whole = (reader(role), Outcome::default());
        whole.1.add(&mut whole.0, bytes);
        assert_eq!(begun.1, whole.1, "{role:?}: cut at {at}: {bytes:02x?}");
        if slow.1.fault.is_none() {
            taken = at;
        }
        slow.1.add(&mut slow.0, bytes.get(at..=at).unwrap_or_default());
    }
    if slow.1.fault.is_some() {
        taken += 1;
    }
    (slow.1, taken)
}

/// A name, first bytes and payloads of good frames, and the expected messages.
type Row = (&'static str, Vec<(u8, Vec<u8>)>, Vec<Received>);

fn good() -> Vec<Row> {
    use Received::{Binary, Close, Ping, Pong, Text};
    let frame = |first: u8, payload: &[u8]| (first, payload.to_vec());
    let long: Vec<u8> = (0..300_u16).map(|byte| byte as u8).collect();
    let close = [&[0x0f, 0xa0], "that was €it".as_bytes()].concat();
    vec![
        ("nothing", vec![], vec![]),
        ("empty text", vec![frame(0x81, b"")], vec![Text(String::new())]),
        ("empty binary", vec![frame(0x82, b"")], vec![Binary(Bytes::new())]),
        ("text", vec![frame(0x81, "h€llo".as_bytes())], vec![Text("h€llo".into())]),
        ("binary", vec![frame(0x82, &[0xff; 125])], vec![Binary(vec![0xff; 125].into())]),
        ("of two length bytes", vec![frame(0x82, &long)], vec![Binary(long.clone().into())]),
        ("as long as may be", vec![frame(0x82, &[9; 1000])], vec![Binary(vec![9; 1000].into())]),
        ("ping, pong", vec![frame(0x89, &[1; 125]), frame(0x8a, b"x")], vec![Ping(vec![1; 125]), Pong]),
        ("empty close", vec![frame(0x88, b"")], vec![Close(Vec::new())]),
        ("close", vec![frame(0x88, &close)], vec![Close(close.clone())]),
        (
            "fragments",
            vec![frame(0x02, &long), frame(0x00, b""), frame(0x00, &long), frame(0x80, b"!")],
            vec![Binary([&long[..], &long, b"!"].concat().into())],
        ),
        (
            "as long as may be, in fragments",
            vec![frame(0x02, &[1; 500]), frame(0x00, &[2; 500]), frame(0x80, b"")],
            vec![Binary([[1; 500], [2; 500]].concat().into())],
        ),
        (
            "a character in fragments",
            vec![frame(0x01, b"\xf0"), frame(0x00, b"\x9f\x98"), frame(0x80, b"\x80")],
            vec![Text("\u{1f600}".into())],
        ),
        (
            "control frames between fragments",
            vec![frame(0x01, b"\xce"), frame(0x89, b"\xff"), frame(0x8a, b""), frame(0x80, b"\xba")],
            vec![Ping(vec![0xff]), Pong, Text("κ".into())],
        ),
        (
            "one message after the other",
            vec![frame(0x01, b"a"), frame(0x80, b"b"), frame(0x82, b"c"), frame(0x02, b""), frame(0x80, b"")],
            vec![Text("ab".into()), Binary("c".into()), Binary(Bytes::new())],
        ),
    ]
}

#[test]
fn good_frames_become_messages_however_they_are_cut() {
    for (name, frames, received) in good() {
        for (role, encode) in [(Role::Server, masked as fn(u8, &[u8]) -> Vec<u8>), (Role::Client, unmasked)] {
            let bytes: Vec<u8> = frames.iter().flat_map(|(first, payload)| encode(*first, payload)).collect();
            let expected = Outcome { received: received.clone(), fault: None };
            assert_eq!(read(role, &bytes).0, expected, "{name}, {role:?}");
        }
    }
}

/// Longer ways to write a length are taken, too.
#[test]
fn lengths_in_all_spellings() {
    let rows: [&[u8]; 3] = [&[0x82, 2], &[0x82, 126, 0, 2], &[0x82, 127, 0, 0, 0, 0, 0, 0, 0, 2]];
    for header in rows {
        let (outcome, _) = read(Role::Client, &[header, b"ok"].concat());
        assert_eq!(outcome.received, [Received::Binary("ok".into())], "{header:02x?}");
    }
}

#[test]
fn a_fault_is_found_as_soon_as_its_bytes_are_there() {
    use Fault::*;
    let too_long = |size| LongMessage { size, max: MAX_MESSAGE_SIZE };
    // The fault is found at the last of these bytes.
    let rows: &[(Fault, Role, &[u8])] = &[
        (ReservedBits, Role::Server, &[0xc1, 0x80]),
        (ReservedBits, Role::Server, &[0xa1, 0x80]),
        (ReservedBits, Role::Client, &[0x98, 0]),
        (ReservedOpcode, Role::Server, &[0x83, 0xff]),
        (ReservedOpcode, Role::Server, &[0x87, 0xff]),
        (ReservedOpcode, Role::Client, &[0x8b, 0]),
        (ReservedOpcode, Role::Client, &[0x8f, 0]),
        (NotMasked, Role::Server, &[0x81, 5]),
        (NotMasked, Role::Server, &[0x88, 0]),
        (Masked, Role::Client, &[0x81, 0x85]),
        (FragmentedControlFrame, Role::Client, &[0x09, 0]),
        (FragmentedControlFrame, Role::Server, &[0x08, 0x80]),
        (ContinuesNothing, Role::Client, &[0x80, 3]),
        (ContinuesNothing, Role::Client, &[0x01, 0, 0x80, 0, 0x00, 0]),
        (WithinMessage, Role::Client, &[0x01, 0, 0x82, 9]),
        (WithinMessage, Role::Client, &[0x02, 0, 0x89, 0, 0x01, 9]),
        (LongControlFrame, Role::Client, &[0x89, 126, 0, 126]),
        (LongControlFrame, Role::Server, &[0x8a, 0xfe, 0, 126, 1, 2, 3, 4]),
        (LongControlFrame, Role::Client, &[0x88, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        (too_long(1001), Role::Client, &[0x82, 126, 0x03, 0xe9]),
        (too_long(1001), Role::Server, &[0x81, 0xfe, 0x03, 0xe9, 1, 2, 3, 4]),
        (too_long(u64::MAX), Role::Client, &[0x02, 127, 255, 255, 255, 255, 255, 255, 255, 255]),
        // Fragments together; the sum does not overflow.
        (too_long(1002), Role::Client, &[0x02, 2, 7, 7, 0x80, 126, 0x03, 0xe8]),
        (too_long(u64::MAX), Role::Client, &[0x02, 1, 7, 0x00, 127, 255, 255, 255, 255, 255, 255, 255, 255]),
        // Text is judged with the end of its frame.
        (TextNotUtf8, Role::Client, &[0x81, 2, 0xff, b'x']),
        (TextNotUtf8, Role::Client, &[0x81, 1, 0xce]),
        (TextNotUtf8, Role::Client, &[0x01, 2, b'x', 0xff]),
        (TextNotUtf8, Role::Client, &[0x01, 1, 0xce, 0x00, 1, b'x']),
        (TextNotUtf8, Role::Client, &[0x01, 1, 0xce, 0x80, 0]),
        (HalfCloseCode, Role::Client, &[0x88, 1, 3]),
        (CloseCode(1005), Role::Client, &[0x88, 2, 0x03, 0xed]),
        (CloseCode(2999), Role::Client, &[0x88, 3, 0x0b, 0xb7, b'x']),
        (ReasonNotUtf8, Role::Client, &[0x88, 3, 0x03, 0xe8, 0xff]),
        (ReasonNotUtf8, Role::Client, &[0x88, 3, 0x03, 0xed, 0xff]),
    ];
    for (fault, role, bytes) in rows {
        for behind in [&[][..], &[0x83, 0, 0xff, 1]] {
            let (outcome, taken) = read(*role, &[bytes, behind].concat());
            assert_eq!(outcome.fault, Some(*fault), "{bytes:02x?}");
            assert_eq!(taken, bytes.len(), "{fault}: {bytes:02x?}");
        }
    }
}

#[test]
fn messages_before_a_fault_are_received() {
    let bytes = [&masked(0x81, b"hello"), &masked(0x89, b"?")[..], &[0x83, 0x80, 1, 2]].concat();
    let (outcome, _) = read(Role::Server, &bytes);
    let received = vec![Received::Text("hello".into()), Received::Ping(b"?".to_vec())];
    assert_eq!(outcome, Outcome { received, fault: Some(Fault::ReservedOpcode) });
}

#[test]
fn unread_bytes_stay_unchanged() {
    let first = masked(0x82, &[7; 20]);
    let second = masked(0x81, b"later");
    let mut all = [&first[..], &second].concat();
    let mut reader = reader(Role::Server);
    let mut input = &mut all[..];
    assert_eq!(reader.next(&mut input), Ok(Some(Received::Binary(vec![7; 20].into()))));
    assert_eq!(input, second);
    // The same bytes again, from another place.
    let mut kept = input.to_vec();
    assert_eq!(reader.next(&mut &mut kept[..]), Ok(Some(Received::Text("later".into()))));
}

#[test]
fn faults_have_the_close_codes_of_the_rfc() {
    let code = |fault: Fault| u16::from(fault.close_code());
    assert_eq!(code(Fault::LongMessage { size: 9, max: 8 }), 1009);
    assert_eq!([code(Fault::TextNotUtf8), code(Fault::ReasonNotUtf8)], [1007; 2]);
    for fault in [
        Fault::ReservedBits,
        Fault::ReservedOpcode,
        Fault::NotMasked,
        Fault::Masked,
        Fault::FragmentedControlFrame,
        Fault::LongControlFrame,
        Fault::ContinuesNothing,
        Fault::WithinMessage,
        Fault::HalfCloseCode,
        Fault::CloseCode(1005),
    ] {
        assert_eq!(code(fault), 1002, "{fault}");
    }
}

/// A message of several frames that waits to be played holds its own bytes and no more.
#[test]
fn a_message_of_fragments_has_no_room_to_spare() {
    let mut message = Message::default();
    message.begin(false, false, 1000);
    message.extend(b"sh", 1000);
    message.extend(b"ort", 3);
    let Ok(Received::Binary(bytes)) = message.end() else { panic!("no binary message") };
    assert_eq!(bytes.try_into_mut().unwrap().capacity(), 5);
}

/// Twelve frames of ulaw fit into one allocation, and the next one begins another, whatever is still played of the first.
#[test]
fn small_messages_share_allocations() {
    let mut message = Message::default();
    let mut next = |byte: u8| {
        message.begin(false, true, 160);
        message.extend(&[byte; 100], 160);
        message.extend(&[byte; 60], 60);
        let Ok(Received::Binary(bytes)) = message.end() else { panic!("no binary message") };
        assert_eq!(bytes, [byte; 160].as_slice());
        bytes
    };
    let frames: Vec<_> = (0..24).map(&mut next).collect();
    let follows = |pair: &[Bytes]| pair[0].as_ptr_range().end == pair[1].as_ptr();
    let ends: Vec<_> =
        frames.windows(2).enumerate().filter(|(_, pair)| !follows(pair)).map(|(at, _)| at).collect();
    assert_eq!(ends, [11]);
    assert!(frames.iter().zip(0..).all(|(frame, byte)| *frame == [byte; 160].as_slice()));
}

/// A long message, one that is text, and one that would leave too much of a shared allocation unused.
#[test]
fn other_messages_have_their_own_allocation() {
    for (is_text, len, before) in [(false, 641, 0), (true, 4, 0), (false, 513, 3)] {
        let mut message = Message::default();
        let shared: Vec<_> = (0..before)
            .map(|_| {
                message.begin(false, true, 513);
                message.extend(&[b'b'; 513], 513);
                message.end().unwrap()
            })
            .collect();
        message.begin(is_text, true, len as u64);
        message.extend(&vec![b'a'; len], len);
        match message.end() {
            Ok(Received::Binary(bytes)) => assert_eq!(bytes.try_into_mut().unwrap().capacity(), len),
            Ok(Received::Text(text)) => assert_eq!(text, "aaaa"),
            other => panic!("{other:?}"),
        }
        drop(shared);
    }
}
