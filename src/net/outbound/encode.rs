//! WebSocket frames as bytes (RFC 6455 section 5.2), masked where a client sends them.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, OpCode};

use crate::net::mask::{Key, apply_mask};

/// A generator for masking keys. The kernel's randomness seeds it; no thread-local state is involved, for that would
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
