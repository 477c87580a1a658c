//! WebSocket frames (RFC 6455 section 5.2), as far as the generator needs them: many small whole messages at low cost.

/// Frame types.
pub mod opcode {
    /// UTF-8: commands and events.
    pub const TEXT: u8 = 1;
    /// Media.
    pub const BINARY: u8 = 2;
    /// Close.
    pub const CLOSE: u8 = 8;
    /// Ping.
    pub const PING: u8 = 9;
    /// Pong.
    pub const PONG: u8 = 10;
}

/// Appends one whole message, masked if there is a key.
pub fn encode(out: &mut Vec<u8>, opcode: u8, payload: &[u8], mask: Option<[u8; 4]>) {
    let mask_bit = if mask.is_some() { 0x80 } else { 0 };
    out.push(0x80 | opcode);
    let length = payload.len();
    if length < 126 {
        out.push(mask_bit | length as u8);
    } else if let Ok(length) = u16::try_from(length) {
        out.push(mask_bit | 126);
        out.extend_from_slice(&length.to_be_bytes());
    } else {
        out.push(mask_bit | 127);
        out.extend_from_slice(&(length as u64).to_be_bytes());
    }
    match mask {
        None => out.extend_from_slice(payload),
        Some(key) => {
            out.extend_from_slice(&key);
            out.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
        }
    }
}

/// One frame in the input.
#[derive(Debug)]
pub struct Frame<'a> {
    /// One of [`opcode`].
    pub opcode: u8,
    /// The payload, unmasked.
    pub payload: &'a [u8],
}

/// The content at the front of the input.
#[derive(Debug)]
pub enum Next<'a> {
    /// A frame, and its length including the header.
    Frame(Frame<'a>, usize),
    /// The beginning of a frame.
    Incomplete,
    /// Something that neither module sends.
    Fault(&'static str),
}

/// Takes the first frame off the input, and unmasks it in place.
pub fn decode(input: &mut [u8]) -> Next<'_> {
    let Some(([first, second], rest)) = input.split_first_chunk_mut::<2>() else { return Next::Incomplete };
    let opcode = *first & 0x0f;
    if *first & 0xf0 != 0x80 || opcode == 0 {
        return Next::Fault("a fragment, or reserved bits");
    }
    let (length, length_bytes) = match *second & 0x7f {
        126 => {
            let Some(bytes) = rest.first_chunk::<2>() else { return Next::Incomplete };
            (usize::from(u16::from_be_bytes(*bytes)), 2)
        }
        127 => return Next::Fault("a frame of more than 64 KiB"),
        short => (usize::from(short), 0),
    };
    let masked = *second & 0x80 != 0;
    let mask_bytes = if masked { 4 } else { 0 };
    let Some(body) = rest.get_mut(length_bytes..length_bytes + mask_bytes + length) else {
        return Next::Incomplete;
    };
    let (mask, payload) = body.split_at_mut(mask_bytes);
    if masked {
        for (byte, key) in payload.iter_mut().zip(mask.iter().cycle()) {
            *byte ^= key;
        }
    }
    Next::Frame(Frame { opcode, payload }, 2 + length_bytes + mask_bytes + length)
}
