//! The messages of a dialect that wraps media in text or numbers its messages.
//!
//! A message is numbered when it is written, not when it is queued, so that dropped messages leave no gaps in the
//! numbers. Used under the connection's lock; nothing is allocated for a frame.

use std::borrow::Cow;
use std::io::Write as _;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

/// The place of the message's number, in an event's text and in the text around media. A JSON string cannot contain it.
pub const NUMBER: char = '\u{1}';

/// In the text around media: the number of the media message.
const CHUNK: char = '\u{2}';
/// In the text around media: its timestamp, ms.
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

/// The placeholders, for the text in `format!`.
pub(super) const PLACES: Places =
    Places { number: NUMBER, chunk: CHUNK, timestamp: TIMESTAMP, payload: PAYLOAD };

/// An event's text for the log, before it is numbered.
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
    /// Number of the last message.
    number: u64,
    /// Number of the last media message.
    chunk: u64,
    /// The timestamp of the stream's beginning.
    origin: Duration,
}

impl WireWriter {
    /// For a connection on which nothing has been sent. `around_media`: the text with its placeholders ([`PLACES`]);
    /// `None`: media goes out in binary messages.
    pub(super) fn new(around_media: Option<&str>) -> Self {
        Self { media: around_media.map(pieces), number: 0, chunk: 0, origin: Duration::ZERO }
    }

    /// Has timestamps count from another time than the stream's beginning, which was `origin` after that time.
    pub(super) fn since(self, origin: Duration) -> Self {
        Self { origin, ..self }
    }

    /// Whether media goes out as text.
    pub fn wraps_media(&self) -> bool {
        self.media.is_some()
    }

    /// Appends the message of an event with this text.
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

    /// Appends the message of one frame of media, which plays `timestamp` after the stream's beginning.
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
    // Writing to memory cannot fail.
    let _ = write!(message, "{number}");
}

fn append_base64(message: &mut Vec<u8>, bytes: &[u8]) {
    let begin = message.len();
    let len = base64::encoded_len(bytes.len(), true).unwrap_or_default();
    message.resize(begin + len, 0);
    let written = BASE64.encode_slice(bytes, message.get_mut(begin..).unwrap_or_default());
    // Cannot fail: the buffer has the length of the encoded text.
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
