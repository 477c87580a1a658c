//! Messages as they go over the wire, where a dialect wraps media in text or numbers its messages.
//!
//! An event is numbered when it is written, and not when it is queued: the numbers are those of the wire, without gaps, whatever was
//! dropped before. Written under the connection's own lock; nothing is allocated for a frame.

use std::borrow::Cow;
use std::io::Write as _;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

/// Stands in an event's text, and in the text around media, where the message's number is to be. JSON cannot have it in a string.
pub const NUMBER: char = '\u{1}';

/// In the text around media: which of the media messages it is.
const CHUNK: char = '\u{2}';
/// In the text around media: when the stream has begun to play it, ms.
const TIMESTAMP: char = '\u{3}';
/// In the text around media: the media in base64.
const PAYLOAD: char = '\u{4}';

/// The placeholders of the text around media.
pub(super) struct Places {
    pub(super) number: char,
    pub(super) chunk: char,
    pub(super) timestamp: char,
    pub(super) payload: char,
}

/// To be written into the text with `format!`.
pub(super) const PLACES: Places =
    Places { number: NUMBER, chunk: CHUNK, timestamp: TIMESTAMP, payload: PAYLOAD };

/// An event's text as people may read it before it is numbered.
pub fn shown(text: &str) -> Cow<'_, str> {
    if text.contains(NUMBER) { Cow::Owned(text.replace(NUMBER, "#")) } else { Cow::Borrowed(text) }
}

/// A piece of the text around media.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(Box<str>),
    Number,
    Chunk,
    Timestamp,
    Payload,
}

/// Writes the messages of one connection.
#[derive(Debug, Clone)]
pub struct WireWriter {
    /// The text around media; `None`: media is a binary message.
    media: Option<Box<[Piece]>>,
    /// The last message's.
    number: u64,
    /// The last media message's.
    chunk: u64,
    /// From when timestamps count.
    origin: Duration,
}

impl WireWriter {
    /// For a connection on which nothing has been sent. `around_media`: the text with its placeholders ([`PLACES`]); `None`: media
    /// goes out in binary messages.
    pub(super) fn new(around_media: Option<&str>) -> Self {
        Self { media: around_media.map(pieces), number: 0, chunk: 0, origin: Duration::ZERO }
    }

    /// The same, with timestamps that count from another time than the stream's beginning, which was `origin` after that.
    pub(super) fn since(self, origin: Duration) -> Self {
        Self { origin, ..self }
    }

    /// Whether media goes out as text.
    pub fn wraps_media(&self) -> bool {
        self.media.is_some()
    }

    /// Appends the message that an event's text makes.
    pub fn write_event(&mut self, text: &[u8], message: &mut Vec<u8>) {
        let place = |byte: &u8| u32::from(*byte) == u32::from(NUMBER);
        let mut parts = text.split(place);
        message.extend_from_slice(parts.next().unwrap_or_default());
        for part in parts {
            self.number += 1;
            append_number(message, self.number);
            message.extend_from_slice(part);
        }
    }

    /// Appends the message that one frame of media makes, which the stream has begun to play at `timestamp`.
    pub fn write_media(&mut self, payload: &[u8], timestamp: Duration, message: &mut Vec<u8>) {
        let Some(pieces) = &self.media else {
            message.extend_from_slice(payload);
            return;
        };
        self.chunk += 1;
        for piece in pieces {
            match piece {
                Piece::Text(text) => message.extend_from_slice(text.as_bytes()),
                Piece::Number => {
                    self.number += 1;
                    append_number(message, self.number);
                }
                Piece::Chunk => append_number(message, self.chunk),
                Piece::Timestamp => {
                    let since_origin = self.origin.saturating_add(timestamp);
                    append_number(message, u64::try_from(since_origin.as_millis()).unwrap_or(u64::MAX));
                }
                Piece::Payload => append_base64(message, payload),
            }
        }
    }
}

fn pieces(text: &str) -> Box<[Piece]> {
    let split = text.split_inclusive([NUMBER, CHUNK, TIMESTAMP, PAYLOAD]);
    let pieces = split.flat_map(|part| {
        let place = match part.chars().next_back() {
            Some(NUMBER) => Some(Piece::Number),
            Some(CHUNK) => Some(Piece::Chunk),
            Some(TIMESTAMP) => Some(Piece::Timestamp),
            Some(PAYLOAD) => Some(Piece::Payload),
            _ => None,
        };
        let text = if place.is_some() { part.get(..part.len() - 1).unwrap_or_default() } else { part };
        let text = Some(text).filter(|text| !text.is_empty()).map(|text| Piece::Text(text.into()));
        [text, place].into_iter().flatten()
    });
    pieces.collect()
}

fn append_number(message: &mut Vec<u8>, number: u64) {
    // Writing into memory does not fail.
    let _ = write!(message, "{number}");
}

fn append_base64(message: &mut Vec<u8>, bytes: &[u8]) {
    let begin = message.len();
    let len = base64::encoded_len(bytes.len(), true).unwrap_or_default();
    message.resize(begin + len, 0);
    let written = BASE64.encode_slice(bytes, message.get_mut(begin..).unwrap_or_default());
    // The place is as long as was asked for.
    message.truncate(begin + written.unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut message = Vec::new();
        write(&mut message);
        String::from_utf8(message).unwrap()
    }

    #[test]
    fn messages_are_numbered_as_they_are_written() {
        let around = format!("n{NUMBER} c{CHUNK} t{TIMESTAMP} [{PAYLOAD}]");
        let mut writer = WireWriter::new(Some(&around));
        assert!(writer.wraps_media());
        let ms = Duration::from_millis;
        assert_eq!(text(|m| writer.write_event(b"no number", m)), "no number");
        assert_eq!(text(|m| writer.write_event(format!("e{NUMBER}!").as_bytes(), m)), "e1!");
        assert_eq!(text(|m| writer.write_media(&[0, 1, 2, 3], ms(7), m)), "n2 c1 t7 [AAECAw==]");
        assert_eq!(text(|m| writer.write_event(format!("{NUMBER}").as_bytes(), m)), "3");
        assert_eq!(text(|m| writer.write_media(&[], ms(27), m)), "n4 c2 t27 []");
    }

    #[test]
    fn timestamps_count_from_the_origin() {
        let mut writer =
            WireWriter::new(Some(&format!("{TIMESTAMP}"))).since(Duration::from_secs(1_700_000_000));
        assert_eq!(text(|m| writer.write_media(&[], Duration::from_millis(20), m)), "1700000000020");
    }

    #[test]
    fn media_in_binary_messages_is_what_it_is() {
        let mut writer = WireWriter::new(None);
        assert!(!writer.wraps_media());
        let mut message = vec![9];
        writer.write_media(&[1, 2], Duration::ZERO, &mut message);
        assert_eq!(message, [9, 1, 2]);
    }

    #[test]
    fn a_text_is_shown_without_its_placeholder() {
        assert_eq!(shown(&format!("a{NUMBER}b")), "a#b");
        assert!(matches!(shown("ab"), Cow::Borrowed("ab")));
    }
}
