//! Reads WebSocket frames out of the bytes that have arrived (RFC 6455 section 5), in whatever pieces they arrive.
//!
//! A header is checked as soon as its bytes are there, a payload when all of it is. A payload is unmasked in place and
//! copied once, into the message. It uses no socket; a connection calls it, on its reactor's thread.

mod close;
mod fault;
mod header;
mod message;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use tungstenite::protocol::Role;
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

pub(super) use self::fault::Fault;
pub(super) use self::header::MAX_HEADER_BYTES;
use self::header::{Expected, Header};
use self::message::Message;
use super::mask::{Key, apply_mask};

/// What an application has sent: a whole message, or a control frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Received {
    Text(String),
    Binary(Bytes),
    /// A ping, whose payload is to come back in a pong.
    Ping(Vec<u8>),
    Pong,
    /// The payload of a close frame: empty, or a code that may be sent and a reason in UTF-8. Nothing after it matters.
    Close(Vec<u8>),
}

/// A frame whose header has arrived, but not all of its payload.
#[derive(Debug, Clone, Copy)]
struct Frame {
    opcode: OpCode,
    is_final: bool,
    /// The key for the rest of the payload.
    key: Option<Key>,
    /// Bytes of the payload that are missing.
    left: usize,
}

/// The frames of one connection, as far as they have arrived.
#[derive(Debug)]
pub(super) struct FrameReader {
    expected: Expected,
    max_message_size: usize,
    /// The beginning of a header.
    header: Vec<u8>,
    frame: Option<Frame>,
    message: Message,
    /// The payload of a control frame, which may come between fragments of a message.
    control: Vec<u8>,
}

impl FrameReader {
    /// A reader for a connection on which we have this role. `max_message_size`: limit of a message, its fragments
    /// together, bytes.
    pub(super) fn new(role: Role, max_message_size: usize) -> Self {
        Self {
            expected: Expected { masked: role == Role::Server, in_message: false },
            max_message_size,
            header: Vec::new(),
            frame: None,
            message: Message::default(),
            control: Vec::new(),
        }
    }

    /// Reads up to the end of the next message or control frame, and takes the bytes that it has read off `input`;
    /// `None`: that was all of `input`. The rest of `input` has to be passed again when the caller wants the next
    /// message.
    ///
    /// # Errors
    /// What breaks RFC 6455 or the limit. Nothing can be read after that.
    pub(super) fn next(&mut self, input: &mut &mut [u8]) -> Result<Option<Received>, Fault> {
        while let Some(mut frame) = self.begun_frame(input)? {
            let payload = take(input, frame.left);
            if let Some(key) = &mut frame.key {
                apply_mask(payload, key);
            }
            match frame.opcode {
                OpCode::Control(_) => self.control.extend_from_slice(payload),
                OpCode::Data(_) => self.message.extend(payload, frame.left),
            }
            frame.left -= payload.len();
            if frame.left > 0 {
                self.frame = Some(frame);
                return Ok(None);
            }
            if let Some(received) = self.end_frame(frame)? {
                return Ok(Some(received));
            }
        }
        Ok(None)
    }

    /// The frame whose payload comes next; `None`: its header is not complete.
    fn begun_frame(&mut self, input: &mut &mut [u8]) -> Result<Option<Frame>, Fault> {
        if let Some(frame) = self.frame.take() {
            return Ok(Some(frame));
        }
        let Some(Header { fields, payload_len, .. }) = self.read_header(input)? else { return Ok(None) };
        let FrameHeader { opcode, is_final, mask: key, .. } = fields;
        if let OpCode::Data(data) = opcode {
            self.begin_fragment(data, is_final, payload_len)?;
        }
        // No longer than a message or a control frame may be.
        let left = usize::try_from(payload_len).unwrap_or(usize::MAX);
        Ok(Some(Frame { opcode, is_final, key, left }))
    }

    /// The next header, taken off `input`; `None`: it is not complete. Usually `input` has all of it.
    fn read_header(&mut self, input: &mut &mut [u8]) -> Result<Option<Header>, Fault> {
        if self.header.is_empty()
            && let Some(header) = self.expected.parse(input)?
        {
            take(input, header.len);
            return Ok(Some(header));
        }
        while let Some(byte) = input.split_off_first_mut() {
            self.header.push(*byte);
            if let Some(header) = self.expected.parse(&self.header)? {
                self.header.clear();
                return Ok(Some(header));
            }
        }
        Ok(None)
    }

    /// A frame of a message begins: checks that the message does not become too long.
    fn begin_fragment(&mut self, data: Data, is_final: bool, payload_len: u64) -> Result<(), Fault> {
        if data != Data::Continue {
            self.message.begin(data == Data::Text, is_final, payload_len);
        }
        let size = payload_len.saturating_add(self.message.len() as u64);
        if size > self.max_message_size as u64 {
            return Err(Fault::LongMessage { size, max: self.max_message_size });
        }
        Ok(())
    }

    /// The frame is complete.
    fn end_frame(&mut self, frame: Frame) -> Result<Option<Received>, Fault> {
        match frame.opcode {
            OpCode::Control(control) => self.end_control(control),
            OpCode::Data(_) if frame.is_final => {
                self.expected.in_message = false;
                self.message.end().map(Some)
            }
            OpCode::Data(_) => {
                self.expected.in_message = true;
                self.message.end_fragment().map(|()| None)
            }
        }
    }

    fn end_control(&mut self, control: Control) -> Result<Option<Received>, Fault> {
        let payload = std::mem::take(&mut self.control);
        match control {
            Control::Ping => Ok(Some(Received::Ping(payload))),
            Control::Pong => Ok(Some(Received::Pong)),
            Control::Close => close::check(&payload).map(|()| Some(Received::Close(payload))),
            // Its header was refused earlier.
            Control::Reserved(_) => Err(Fault::ReservedOpcode),
        }
    }
}

/// Takes `len` bytes off the front of `input`, or all of them if there are fewer.
fn take<'a>(input: &mut &'a mut [u8], len: usize) -> &'a mut [u8] {
    let len = len.min(input.len());
    input.split_off_mut(..len).unwrap_or_default()
}
