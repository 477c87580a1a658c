//! WebSocket frames as bytes, valid or invalid.

use std::io::{self, Read};

/// Frame types.
pub mod opcode {
    /// The rest of a fragmented message.
    pub const CONTINUATION: u8 = 0;
    /// UTF-8 text: commands and events.
    pub const TEXT: u8 = 1;
    /// Bytes: media.
    pub const BINARY: u8 = 2;
    /// Close.
    pub const CLOSE: u8 = 8;
    /// Ping.
    pub const PING: u8 = 9;
    /// Pong.
    pub const PONG: u8 = 10;
}

/// The length of a frame in a form that the test chooses (RFC 6455 section 5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// Two bytes after 126.
    Medium(u16),
    /// Eight bytes after 127.
    Long(u64),
}

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Whether it ends its message.
    pub fin: bool,
    /// Reserved bits, in the positions in which they are sent (0x40, 0x20, 0x10).
    pub reserved: u8,
    /// One of [`opcode`], or something else.
    pub opcode: u8,
    /// Whether the payload is masked, as RFC 6455 requires of a client.
    pub masked: bool,
    /// The masking key.
    pub mask: [u8; 4],
    /// A length to send instead of the payload's.
    pub announced: Option<Length>,
    /// What it carries.
    pub payload: Vec<u8>,
}

const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

impl Frame {
    /// A whole message in one frame, masked.
    pub fn new(opcode: u8, payload: impl Into<Vec<u8>>) -> Self {
        let payload = payload.into();
        Self { fin: true, reserved: 0, opcode, masked: true, mask: MASK, announced: None, payload }
    }

    /// A text message.
    pub fn text(text: &str) -> Self {
        Self::new(opcode::TEXT, text)
    }

    /// The text, if this is a whole and valid text message.
    pub fn whole_text(&self) -> Option<&str> {
        let is_whole =
            self.opcode == opcode::TEXT && self.fin && self.reserved == 0 && self.announced.is_none();
        is_whole.then(|| std::str::from_utf8(&self.payload).ok()).flatten()
    }

    /// A binary message.
    pub fn binary(payload: impl Into<Vec<u8>>) -> Self {
        Self::new(opcode::BINARY, payload)
    }

    /// A close frame, with a code and a reason or empty.
    pub fn close(code: Option<u16>, reason: &str) -> Self {
        let mut payload = code.map_or_else(Vec::new, |code| code.to_be_bytes().to_vec());
        payload.extend_from_slice(reason.as_bytes());
        Self::new(opcode::CLOSE, payload)
    }

    /// Clears FIN: more frames of the same message follow.
    pub fn not_last(mut self) -> Self {
        self.fin = false;
        self
    }

    /// Not masked, which RFC 6455 does not allow a client.
    pub fn unmasked(mut self) -> Self {
        self.masked = false;
        self
    }

    /// With these reserved bits.
    pub fn reserved(mut self, bits: u8) -> Self {
        self.reserved = bits;
        self
    }

    /// With this length, true or not, in eight bytes.
    pub fn announcing(mut self, length: u64) -> Self {
        self.announced = Some(Length::Long(length));
        self
    }

    /// With this length, true or not, in two bytes.
    pub fn announcing_in_two(mut self, length: u16) -> Self {
        self.announced = Some(Length::Medium(length));
        self
    }

    /// Masked with this key.
    pub fn with_mask(mut self, mask: [u8; 4]) -> Self {
        self.mask = mask;
        self
    }

    /// The frame as it is sent.
    pub fn encode(&self) -> Vec<u8> {
        let mask_bit = if self.masked { 0x80 } else { 0 };
        let mut bytes = vec![u8::from(self.fin) << 7 | self.reserved | self.opcode];
        let length = self.payload.len();
        match (self.announced, u8::try_from(length), u16::try_from(length)) {
            (Some(Length::Long(length)), ..) => {
                bytes.push(mask_bit | 127);
                bytes.extend_from_slice(&length.to_be_bytes());
            }
            (Some(Length::Medium(length)), ..) => {
                bytes.push(mask_bit | 126);
                bytes.extend_from_slice(&length.to_be_bytes());
            }
            (None, Ok(short), _) if short < 126 => bytes.push(mask_bit | short),
            (None, _, Ok(medium)) => {
                bytes.push(mask_bit | 126);
                bytes.extend_from_slice(&medium.to_be_bytes());
            }
            (None, ..) => {
                bytes.push(mask_bit | 127);
                bytes.extend_from_slice(&(length as u64).to_be_bytes());
            }
        }
        if self.masked {
            bytes.extend_from_slice(&self.mask);
            bytes.extend(self.payload.iter().zip(self.mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        } else {
            bytes.extend_from_slice(&self.payload);
        }
        bytes
    }

    /// Reads one frame.
    pub fn read(stream: &mut impl Read) -> io::Result<Self> {
        let mut head = [0; 2];
        stream.read_exact(&mut head)?;
        let length = match head[1] & 0x7f {
            126 => u64::from(u16::from_be_bytes(read_array(stream)?)),
            127 => u64::from_be_bytes(read_array(stream)?),
            short => u64::from(short),
        };
        let masked = head[1] & 0x80 != 0;
        let mask: [u8; 4] = if masked { read_array(stream)? } else { [0; 4] };
        let length = usize::try_from(length).map_err(io::Error::other)?;
        let mut payload = vec![0; length];
        stream.read_exact(&mut payload)?;
        for (byte, mask) in payload.iter_mut().zip(mask.iter().cycle()) {
            *byte ^= mask;
        }
        let fin = head[0] & 0x80 != 0;
        let (reserved, opcode) = (head[0] & 0x70, head[0] & 0x0f);
        Ok(Self { fin, reserved, opcode, masked, mask, announced: None, payload })
    }

    /// The code of a close frame; `None` if it has none.
    pub fn close_code(&self) -> Option<u16> {
        Some(u16::from_be_bytes(self.payload.first_chunk().copied()?))
    }
}

fn read_array<const N: usize>(stream: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}
