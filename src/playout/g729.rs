//! The length of a G.729 message: frames of 10 bytes, perhaps with a last one of comfort noise in 2 bytes (RFC 3551
//! section 4.5.6). Each lasts 10 ms.
//!
//! Asterisk's own counter (`g729_samples`, `main/codec_builtin.c`) counts bytes, so comfort noise counts as 2 ms.

use super::sample_counter::SampleCounter;

/// Asterisk's name of the format.
pub const FORMAT_NAME: &str = "g729";

const FRAME: usize = 10;

/// Samples of a frame of either kind, at 8 kHz.
const FRAME_SAMPLES: u32 = 80;

/// Counts the samples of frames, at 8 kHz.
#[derive(Debug, Clone, Copy, Default)]
pub struct G729SampleCounter;

impl SampleCounter for G729SampleCounter {
    fn samples(&self, payload: &[u8]) -> u32 {
        u32::try_from(payload.len().div_ceil(FRAME)).unwrap_or(0).saturating_mul(FRAME_SAMPLES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comfort_noise_lasts_as_long_as_a_frame() {
        for (len, samples) in [(0, 0), (2, 80), (10, 80), (12, 160), (20, 160), (22, 240)] {
            assert_eq!(G729SampleCounter.samples(&vec![0; len]), samples, "{len}");
        }
    }
}
