//! The content of a media frame, from which the receiver finds loss, order, delay and damage.
//!
//! Asterisk passes ulaw through `Echo()` and a two-party bridge unchanged, so the stamp arrives as it was sent.

/// 20 ms of ulaw.
pub const FRAME_BYTES: usize = 160;

const MAGIC: [u8; 4] = *b"cwb1";
const STAMP_BYTES: usize = 20;

/// The head of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// The connection that sent it.
    pub source: u32,
    /// The frame's number among the frames of that connection.
    pub sequence: u32,
    /// The time at which it was sent, by [`clock::now`](crate::clock::now); 0 if it is not used.
    pub sent: u64,
}

impl Stamp {
    /// Appends a frame of `bytes` bytes, which is at least the length of a stamp.
    pub fn write(self, out: &mut Vec<u8>, bytes: usize) {
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&self.source.to_le_bytes());
        out.extend_from_slice(&self.sequence.to_le_bytes());
        out.extend_from_slice(&self.sent.to_le_bytes());
        out.extend((STAMP_BYTES..bytes).map(|at| filler(self.sequence, at)));
    }

    /// Reads a frame; `None` if a byte has changed.
    pub fn read(frame: &[u8]) -> Option<Self> {
        let (head, rest) = frame.split_first_chunk::<STAMP_BYTES>()?;
        let (magic, head) = head.split_first_chunk::<4>()?;
        let (source, head) = head.split_first_chunk::<4>()?;
        let (sequence, head) = head.split_first_chunk::<4>()?;
        let stamp = Self {
            source: u32::from_le_bytes(*source),
            sequence: u32::from_le_bytes(*sequence),
            sent: u64::from_le_bytes(*head.first_chunk()?),
        };
        let intact = rest.iter().zip(STAMP_BYTES..).all(|(byte, at)| *byte == filler(stamp.sequence, at));
        (*magic == MAGIC && intact).then_some(stamp)
    }
}

fn filler(sequence: u32, at: usize) -> u8 {
    (sequence.wrapping_mul(31) as u8).wrapping_add(at as u8)
}
