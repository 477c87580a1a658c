//! WebSocket frames as bytes (RFC 6455 section 5.2), masked where a client sends them.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use super::MediaTime;
use crate::net::mask::{Key, apply_mask};
use crate::protocol::dialect::WireWriter;

/// A generator for masking keys. The kernel's randomness seeds it; no thread-local state is involved, because that would
/// leave a destructor behind on Asterisk's threads.
pub(super) fn seeded_rng() -> StdRng {
    let mut seed = [0u8; 32];
    if let Err(error) = getrandom::fill(&mut seed) {
        log::error!("no randomness from the kernel for WebSocket masking keys: {error}");
    }
    StdRng::from_seed(seed)
}

/// The key of the next frame: each has its own.
pub(super) fn next_mask(rng: &mut StdRng) -> Key {
    rng.next_u32().to_ne_bytes()
}

/// What makes frames of messages on one connection.
pub(super) struct Encoder {
    /// Where masking keys come from, if it masks.
    pub(super) mask: Option<StdRng>,
    /// Writes messages, where the call's dialect wraps media or numbers its messages.
    pub(super) dialect: Option<WireWriter>,
    /// The message that it is writing; its memory is kept.
    message: Vec<u8>,
}

impl Encoder {
    /// On a connection on which nothing has been sent.
    pub(super) fn new(mask: Option<StdRng>) -> Self {
        Self { mask, dialect: None, message: Vec::new() }
    }

    /// Appends the frame of one message: media, where a time is given, else an event's text.
    // Once per frame: compiled beside its callers.
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
// Once per frame: compiled beside its callers, so that the header's code is inlined too.
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
    // Fails for lengths alone that no frame can have.
    let _ = encode(&mut frame, OpCode::Control(Control::Close), &code.to_be_bytes(), Some(mask));
    frame
}
