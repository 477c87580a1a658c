//! The length of an Opus packet, which its first two bytes give (RFC 6716 section 3.1).
//!
//! Asterisk itself counts 20 ms for every packet unless a codec module is loaded, and such a module logs a warning for
//! each invalid packet. Called under the session's lock from the channel's thread.

use super::sample_counter::SampleCounter;

/// Asterisk's name of the format.
pub const FORMAT_NAME: &str = "opus";

/// Samples per ms: Opus always counts at 48 kHz.
const SAMPLES_PER_MS: u32 = 48;

/// A packet lasts no longer than 120 ms (RFC 6716 section 3.2.5, R5).
const MAX_SAMPLES: u32 = 120 * SAMPLES_PER_MS;

/// Counts the samples of Opus packets, at 48 kHz.
#[derive(Debug, Clone, Copy, Default)]
pub struct OpusSampleCounter;

impl SampleCounter for OpusSampleCounter {
    fn samples(&self, payload: &[u8]) -> u32 {
        samples(payload).unwrap_or(0)
    }
}

/// Samples of a packet; `None` if it is not valid.
fn samples(packet: &[u8]) -> Option<u32> {
    let toc = *packet.first()?;
    let frames = match toc & 0x03 {
        0 => 1,
        1 | 2 => 2,
        _ => u32::from(packet.get(1)? & 0x3f),
    };
    let total = frames * frame_samples(toc >> 3);
    (total > 0 && total <= MAX_SAMPLES).then_some(total)
}

/// Samples of each frame, by the configuration number (RFC 6716, table 2).
fn frame_samples(configuration: u8) -> u32 {
    let step = u32::from(configuration & 0x03);
    match configuration {
        // SILK: 10, 20, 40 or 60 ms.
        0..=11 => SAMPLES_PER_MS * [10, 20, 40, 60].get(step as usize).copied().unwrap_or(0),
        // Hybrid: 10 or 20 ms.
        12..=15 => SAMPLES_PER_MS * if step & 1 == 0 { 10 } else { 20 },
        // CELT: 2.5, 5, 10 or 20 ms.
        _ => (SAMPLES_PER_MS * 5 / 2) << step,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_configuration() {
        // Tenths of a ms.
        let silk = [100, 200, 400, 600].repeat(3);
        let hybrid = [100, 200].repeat(2);
        let celt = [25, 50, 100, 200].repeat(4);
        for (configuration, length) in silk.into_iter().chain(hybrid).chain(celt).enumerate() {
            let toc = u8::try_from(configuration).unwrap() << 3;
            assert_eq!(samples(&[toc, 1, 2]), Some(length * 48 / 10), "configuration {configuration}");
            // The stereo bit does not change the length.
            assert_eq!(samples(&[toc | 0x04]), Some(length * 48 / 10), "configuration {configuration}");
        }
    }

    #[test]
    fn every_number_of_frames() {
        let celt_20_ms = 31 << 3;
        for (name, packet, ms) in [
            ("one", vec![celt_20_ms], Some(20)),
            ("two of equal length", vec![celt_20_ms | 1], Some(40)),
            ("two of their own lengths", vec![celt_20_ms | 2], Some(40)),
            ("as many as are said", vec![celt_20_ms | 3, 3], Some(60)),
            ("with padding and variable lengths", vec![celt_20_ms | 3, 0xc0 | 6], Some(120)),
            ("more than 120 ms", vec![celt_20_ms | 3, 7], None),
            ("none", vec![celt_20_ms | 3, 0], None),
            ("not said", vec![celt_20_ms | 3], None),
            ("empty", vec![], None),
            ("two of 60 ms", vec![3 << 3 | 1], Some(120)),
            ("48 of 2.5 ms", vec![16 << 3 | 3, 48], Some(120)),
            ("49 of 2.5 ms", vec![16 << 3 | 3, 49], None),
        ] {
            assert_eq!(samples(&packet), ms.map(|ms| ms * 48), "{name}");
        }
    }

    #[test]
    fn an_invalid_packet_has_no_length() {
        assert_eq!(OpusSampleCounter.samples(&[]), 0);
        assert_eq!(OpusSampleCounter.samples(&[0xff, 0xff, 0xff]), 0);
        assert_eq!(OpusSampleCounter.samples(&[0xf8, 1, 2]), 960);
    }
}
