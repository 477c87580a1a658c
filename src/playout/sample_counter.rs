//! Counts the samples of a payload, by the rule of its codec. No rule calls into Asterisk, because a session counts
//! under its lock.
//!
//! | codec | counted by | |
//! | --- | --- | --- |
//! | ulaw, alaw, slin…, g722, g726, g726aal2, adpcm, siren7, siren14, g719, none | its bytes: all have one bit rate | [`ByBytes`] |
//! | gsm, codec2, lpc10 | its whole frames, which have one size | [`ByFrames`] |
//! | silk… | the message: a frame, whatever its length | [`OneFrame`] |
//! | g723, g729, ilbc, opus, speex, speex16, speex32 | its contents or its length | [`super::g723`], [`super::g729`], [`super::ilbc`], [`super::opus`], [`super::speex`] |
//! | a codec of another module (amr, …), cut into frames | its bytes, by the length of its frames | [`ByBytes`] |
//! | the same, not cut | Asterisk's own counter, when the message arrives and without the session's lock | |

use super::media_format::MediaFormat;
use super::speex::SpeexSampleCounter;
use super::{g723, g729, ilbc, opus};

/// Counts the samples of an encoded payload.
///
/// Called under a session's lock: must not block, allocate, log, or call into Asterisk.
pub trait SampleCounter: Send + Sync {
    /// Samples per channel in `payload`; 0 if unknown.
    fn samples(&self, payload: &[u8]) -> u32;
}

/// The counter of a codec whose rule is known here; `None` for a codec of another module.
pub fn by_codec(format: &MediaFormat) -> Option<Box<dyn SampleCounter>> {
    let name = format.name.as_str();
    Some(match name {
        "ulaw" | "alaw" | "g722" | "g726" | "g726aal2" | "adpcm" | "siren7" | "siren14" | "g719" | "none" => {
            by_frame_size(format)
        }
        _ if name.starts_with("slin") => by_frame_size(format),
        "gsm" => Box::new(ByFrames { frame_bytes: 33, frame_samples: 160 }),
        "codec2" => Box::new(ByFrames { frame_bytes: 6, frame_samples: 160 }),
        // 22.5 ms in 54 bits. Asterisk's own counter counts 22 ms, or 23 by a bit after the frame's end.
        "lpc10" => Box::new(ByFrames { frame_bytes: 7, frame_samples: 180 }),
        _ if name.starts_with("silk") => Box::new(OneFrame { samples: format.frame_samples() }),
        g723::FORMAT_NAME => Box::new(g723::G723SampleCounter),
        g729::FORMAT_NAME => Box::new(g729::G729SampleCounter),
        ilbc::FORMAT_NAME => Box::new(ilbc::IlbcSampleCounter),
        opus::FORMAT_NAME => Box::new(opus::OpusSampleCounter),
        _ => Box::new(SpeexSampleCounter::of(name)?),
    })
}

/// The counter of a codec whose frames have the format's frame size.
pub fn by_frame_size(format: &MediaFormat) -> Box<dyn SampleCounter> {
    Box::new(ByBytes { samples: format.frame_samples(), bytes: format.optimal_frame_size })
}

/// Counts in proportion to the bytes, at any length.
#[derive(Debug, Clone, Copy)]
struct ByBytes {
    samples: u32,
    /// 0: unknown.
    bytes: usize,
}

impl SampleCounter for ByBytes {
    fn samples(&self, payload: &[u8]) -> u32 {
        let all = (payload.len() as u64).saturating_mul(u64::from(self.samples));
        all.checked_div(self.bytes as u64).map_or(0, saturated)
    }
}

/// Counts frames of one size. A short frame has no samples, as in Asterisk's own counters.
#[derive(Debug, Clone, Copy)]
struct ByFrames {
    frame_bytes: usize,
    frame_samples: u32,
}

impl SampleCounter for ByFrames {
    fn samples(&self, payload: &[u8]) -> u32 {
        let frames = payload.len().checked_div(self.frame_bytes).unwrap_or(0) as u64;
        saturated(frames.saturating_mul(u64::from(self.frame_samples)))
    }
}

/// Counts any payload as one frame.
#[derive(Debug, Clone, Copy)]
struct OneFrame {
    samples: u32,
}

impl SampleCounter for OneFrame {
    fn samples(&self, _payload: &[u8]) -> u32 {
        self.samples
    }
}

fn saturated(samples: u64) -> u32 {
    u32::try_from(samples).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::playout::media_format::CodecFacts;

    /// A format as Asterisk describes it.
    fn format(
        name: &str,
        sample_rate: u32,
        default_ms: u32,
        minimum_ms: u32,
        minimum_bytes: u32,
    ) -> MediaFormat {
        let name = name.to_owned();
        let facts = CodecFacts { name, is_audio: true, sample_rate, default_ms, minimum_ms, minimum_bytes };
        MediaFormat::new(&facts).unwrap()
    }

    #[test]
    fn each_codec_by_its_rule() {
        // Bytes and samples of a usual frame, and of three bytes more.
        for (format, bytes, samples, of_more) in [
            (format("ulaw", 8000, 20, 10, 80), 160, 160, 163),
            (format("slin", 8000, 20, 10, 160), 320, 160, 161),
            (format("slin44", 44100, 20, 10, 882), 1764, 882, 883),
            (format("slin192", 192_000, 20, 10, 3840), 7680, 3840, 3841),
            (format("g722", 16000, 20, 10, 80), 160, 320, 326),
            (format("g726aal2", 8000, 20, 10, 40), 80, 160, 166),
            (format("siren7", 16000, 20, 20, 80), 80, 320, 332),
            (format("siren14", 32000, 20, 20, 120), 120, 640, 656),
            (format("g719", 48000, 20, 20, 160), 160, 960, 978),
            (format("gsm", 8000, 20, 20, 33), 33, 160, 160),
            (format("codec2", 8000, 20, 20, 6), 6, 160, 160),
            (format("lpc10", 8000, 20, 20, 7), 7, 180, 180),
            (format("silk16", 16000, 20, 20, 320), 320, 320, 320),
            (format("g723", 8000, 30, 30, 20), 24, 240, 480),
            (format("g729", 8000, 20, 10, 10), 20, 160, 240),
            (format("ilbc", 8000, 20, 20, 38), 38, 160, 240),
            // Zeros: sub-mode 0, whose frames have 5 bits.
            (format("speex16", 16000, 20, 10, 10), 5, 8 * 320, 12 * 320),
        ] {
            let counter = by_codec(&format).unwrap();
            let count = |bytes| counter.samples(&vec![0; bytes]);
            assert_eq!((count(bytes), count(bytes + 3)), (samples, of_more), "{}", format.name);
            assert_eq!(count(0), if format.name == "silk16" { 320 } else { 0 }, "{}", format.name);
        }
    }

    #[test]
    fn a_codec_of_another_module_goes_by_its_frames_length() {
        for (format, samples) in
            [(format("evs", 16000, 20, 20, 60), 320), (format("amr", 8000, 20, 20, 10), 0)]
        {
            assert!(by_codec(&format).is_none(), "{}", format.name);
            assert_eq!(by_frame_size(&format).samples(&[0; 60]), samples, "{}", format.name);
        }
    }
}
