//! Frames of G.723.1: the two low bits of a frame's first byte tell its length (ITU-T G.723.1, RFC 3551 section 4.5.3).
//!
//! Each lasts 30 ms. Asterisk's own counter (`g723_samples`, `main/codec_builtin.c`) counts frames of 24, 20 and 4
//! bytes in the same way. It is not used, because it logs a warning for each frame of the fourth kind: an application
//! could fill the log.

use super::sample_counter::SampleCounter;

/// Asterisk's name of the format.
pub const FORMAT_NAME: &str = "g723";

/// Samples of a frame, at 8 kHz.
const FRAME_SAMPLES: u32 = 240;

/// Bytes of the frame that begins with this byte: 6.3 kbit/s, 5.3 kbit/s, comfort noise, or nothing transmitted.
pub fn frame_len(first: u8) -> usize {
    match first & 0x03 {
        0 => 24,
        1 => 20,
        2 => 4,
        _ => 1,
    }
}

/// The frames in `media`; the last one may be short.
pub fn frames(mut media: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let len = frame_len(*media.first()?).min(media.len());
        let (frame, rest) = media.split_at_checked(len)?;
        media = rest;
        Some(frame)
    })
}

/// Bytes of the whole frames in `media`.
pub fn whole_frames_len(media: &[u8]) -> usize {
    let whole = |frame: &&[u8]| frame.first().is_some_and(|first| frame_len(*first) == frame.len());
    frames(media).take_while(whole).map(<[u8]>::len).sum()
}

/// Counts the samples of frames, at 8 kHz.
#[derive(Debug, Clone, Copy, Default)]
pub struct G723SampleCounter;

impl SampleCounter for G723SampleCounter {
    fn samples(&self, payload: &[u8]) -> u32 {
        u32::try_from(frames(payload).count()).unwrap_or(0).saturating_mul(FRAME_SAMPLES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frames_length_is_in_its_first_byte() {
        for (first, len) in [(0x00, 24), (0xfc, 24), (0x01, 20), (0xfd, 20), (0x02, 4), (0x03, 1), (0xff, 1)]
        {
            assert_eq!(frame_len(first), len, "{first:#x}");
        }
    }

    #[test]
    fn each_frame_lasts_30_ms() {
        for (name, payload, samples) in [
            ("6.3 kbit/s", vec![0x00; 24], 240),
            ("5.3 kbit/s", vec![0x01; 20], 240),
            ("comfort noise", vec![0x02; 4], 240),
            ("nothing transmitted", vec![0x03], 240),
            ("one of each", [&[0x00; 24][..], &[0x01; 20], &[0x02; 4], &[0x03]].concat(), 960),
            ("a short one counts as one", vec![0x00; 5], 240),
            ("empty", vec![], 0),
        ] {
            assert_eq!(G723SampleCounter.samples(&payload), samples, "{name}");
        }
    }
}
