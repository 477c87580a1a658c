//! The length of a Speex packet: it has frames of 20 ms, and each begins with bits that say what it is (RFC 5574
//! section 3; the Speex Codec Manual 1.2, sections 9 and 10 and "In-band signalling").
//!
//! A packet is a sequence of bits. Each item in it begins with one of these:
//!
//! | bits | it is | its length, with these bits |
//! | --- | --- | --- |
//! | 0, sub-mode 0 to 8 in 4 bits | a narrowband frame | [`NARROWBAND_BITS`] |
//! | 1, sub-mode 0 to 4 in 3 bits | a layer that widens the frame before it: one for wideband, two for ultra-wideband | [`LAYER_BITS`] |
//! | 0, 13 in 4 bits | the application's own message of n bytes | 14 + 8 n, n in the next 4 bits (so says the decoder of libspeex; the manual has 5 bits) |
//! | 0, 14 in 4 bits | a request to the other side | 9 + [`REQUEST_BITS`] by the next 4 bits |
//! | 0, 15 in 4 bits | the end; RFC 5574 fills up the last byte with the first of these bits | |
//!
//! Asterisk's own counter (`speex_samples`, `main/codec_builtin.c`) logs a warning for each packet with anything else,
//! so an application could fill the log.

use super::sample_counter::SampleCounter;

/// No frame has fewer bits than this.
const SHORTEST_BITS: usize = 5;

/// Bits of a narrowband frame, by its sub-mode (manual, table 9.2).
const NARROWBAND_BITS: [usize; 9] = [5, 43, 119, 160, 220, 300, 364, 492, 79];

/// Bits of a layer, by its sub-mode (manual, table 10.1).
const LAYER_BITS: [usize; 5] = [4, 36, 112, 192, 352];

/// The most layers of a frame, those of ultra-wideband.
const MAX_LAYERS: usize = 2;

/// Bits of a request after its number, by that number.
const REQUEST_BITS: [usize; 16] = [1, 1, 4, 4, 4, 4, 4, 4, 8, 8, 16, 16, 32, 32, 64, 64];

const APPLICATION_MESSAGE: usize = 13;
const REQUEST: usize = 14;

/// Counts the samples of Speex packets.
#[derive(Debug, Clone, Copy)]
pub struct SpeexSampleCounter {
    frame_samples: u32,
}

impl SpeexSampleCounter {
    /// For the format of this name: `speex`, `speex16` or `speex32`; `None` for any other.
    pub fn of(format_name: &str) -> Option<Self> {
        let frame_samples = match format_name {
            "speex" => 160,
            "speex16" => 320,
            "speex32" => 640,
            _ => return None,
        };
        Some(Self { frame_samples })
    }
}

impl SampleCounter for SpeexSampleCounter {
    /// An invalid packet counts as the frames before the fault.
    fn samples(&self, payload: &[u8]) -> u32 {
        frames(payload).saturating_mul(self.frame_samples)
    }
}

/// Frames of a packet, up to its end or to the first invalid item. A frame whose end is missing counts.
fn frames(packet: &[u8]) -> u32 {
    let mut bits = Bits { bytes: packet, at: 0 };
    let (mut frames, mut layers) = (0_u32, 0);
    while bits.left() >= SHORTEST_BITS {
        let len = if bits.peek(0, 1) == 1 {
            layers += 1;
            LAYER_BITS.get(bits.peek(1, 3)).filter(|_| layers <= MAX_LAYERS).copied()
        } else {
            layers = 0;
            let sub_mode = bits.peek(1, 4);
            frames += u32::from(sub_mode < NARROWBAND_BITS.len());
            bits.narrowband_len(sub_mode)
        };
        let Some(len) = len else { break };
        bits.at += len;
    }
    frames
}

/// A packet that is read bit by bit.
struct Bits<'a> {
    bytes: &'a [u8],
    /// The next bit, counted from the packet's beginning.
    at: usize,
}

impl Bits<'_> {
    fn left(&self) -> usize {
        (self.bytes.len() * 8).saturating_sub(self.at)
    }

    /// `count` bits, at most 8, after `skipped` bits; 0 for each missing bit.
    fn peek(&self, skipped: usize, count: usize) -> usize {
        let first = self.at + skipped;
        let byte = |number| usize::from(self.bytes.get(number).copied().unwrap_or(0));
        let two_bytes = byte(first / 8) << 8 | byte(first / 8 + 1);
        two_bytes >> (16 - first % 8 - count) & ((1 << count) - 1)
    }

    /// Bits of the next item, which is not a layer; `None` at the end, or if there is no such item.
    fn narrowband_len(&self, sub_mode: usize) -> Option<usize> {
        match sub_mode {
            APPLICATION_MESSAGE => Some(14 + 8 * self.peek(5, 4)),
            REQUEST => REQUEST_BITS.get(self.peek(5, 4)).map(|bits| 9 + bits),
            _ => NARROWBAND_BITS.get(sub_mode).copied(),
        }
    }
}

#[cfg(test)]
mod tests;
