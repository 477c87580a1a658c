//! WebSocket frames as bytes (RFC 6455 section 5.2), masked if a client sends them.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use super::MediaTime;
use crate::net::mask::{Key, apply_mask};
use crate::protocol::dialect::WireWriter;

/// A generator for masking keys, seeded by the kernel's randomness. It uses no thread-local state, which would leave a
/// destructor behind on Asterisk's threads.
pub(super) fn seeded_rng() -> StdRng {
    let mut seed = [0u8; 32];
    if let Err(error) = getrandom::fill(&mut seed) {
        log::error!("no randomness from the kernel for WebSocket masking keys: {error}");
    }
    StdRng::from_seed(seed)
}

/// The key of the next frame: each frame has its own.
pub(super) fn next_mask(rng: &mut StdRng) -> Key {
    rng.next_u32().to_ne_bytes()
}

/// Makes frames of messages on one connection.
pub(super) struct Encoder {
    /// The generator of masking keys, if it masks.
    pub(super) mask: Option<StdRng>,
    /// Writes messages, if the call's dialect wraps media or numbers its messages.
    pub(super) dialect: Option<WireWriter>,
    /// The message that it is writing; its memory is kept.
    message: Vec<u8>,
}

impl Encoder {
    /// An encoder for a connection on which nothing was sent yet.
    pub(super) fn new(mask: Option<StdRng>) -> Self {
        Self { mask, dialect: None, message: Vec::new() }
    }

    /// Appends the frame of one message: media if a time is given, else the text of an event.
    // Runs once per frame: compiled together with its callers.
    #[inline]
    pub(super) fn encode_payload(&mut self, out: &mut Vec<u8>, payload: &[u8], media: Option<MediaTime>) {
        let own = if media.is_some() { Data::Binary } else { Data::Text };
        let mask = self.mask.as_mut().map(next_mask);
        // Encoding into a Vec cannot fail.
        let _ = match &mut self.dialect {
            None => encode(out, OpCode::Data(own), payload, mask),
            Some(writer) => {
                self.message.clear();
                let opcode = if writer.wraps_media() { Data::Text } else { own };
                match media {
                    Some(time) => writer.write_media(payload, time.at, &mut self.message),
                    None => writer.write_event(payload, &mut self.message),
                }
                encode(out, OpCode::Data(opcode), &self.message, mask)
            }
        };
    }
}

/// Appends one unfragmented frame (RFC 6455 section 5.2), masked if a key is given.
// Runs once per frame: compiled together with its callers, so that the header's code is inlined too.
#[inline]
pub(super) fn encode(
    out: &mut Vec<u8>,
    opcode: OpCode,
    payload: &[u8],
    mask: Option<Key>,
) -> tungstenite::Result<()> {
    let header = FrameHeader { is_final: true, rsv1: false, rsv2: false, rsv3: false, opcode, mask };
    header.format(payload.len() as u64, out)?;
    let start = out.len();
    out.extend_from_slice(payload);
    if let Some(mut key) = mask {
        apply_mask(out.get_mut(start..).unwrap_or_default(), &mut key);
    }
    Ok(())
}

/// A client's close frame with `code`, as bytes.
pub(in crate::net) fn client_close_frame(code: u16) -> Vec<u8> {
    let mut frame = Vec::new();
    let mask = next_mask(&mut seeded_rng());
    // Fails only for lengths that no frame can have.
    let _ = encode(&mut frame, OpCode::Control(Control::Close), &code.to_be_bytes(), Some(mask));
    frame
}
