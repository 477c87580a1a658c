//! The one media format of a channel: what its frames look like and how long they last.

use std::fmt;
use std::time::Duration;

use super::framing::Framing;

/// The core's facts about a codec (`ast_format_get_*`, asterisk/format.h).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodecFacts {
    /// Asterisk's format name, e.g. `ulaw`.
    pub name: String,
    /// Whether its media type is audio.
    pub is_audio: bool,
    /// Samples per second.
    pub sample_rate: u32,
    /// Length of a frame unless negotiated otherwise, ms.
    pub default_ms: u32,
    /// Shortest frame, ms.
    pub minimum_ms: u32,
    /// Bytes of the shortest frame.
    pub minimum_bytes: u32,
}

/// A format that media over WebSocket cannot carry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("format '{name}' is not an audio format with a frame length; only audio formats are supported")]
pub struct UnsupportedFormat {
    /// The refused format.
    pub name: String,
}

/// The channel's format with everything derived from it.
#[derive(Clone, PartialEq, Eq)]
pub struct MediaFormat {
    /// Asterisk's format name.
    pub name: String,
    /// Samples per second.
    pub sample_rate: u32,
    /// Length of one frame.
    pub ptime_ms: u32,
    /// Bytes of one frame, or of the usual frame if there are several sizes; 0 if the codec cannot be cut at all.
    pub optimal_frame_size: usize,
    /// How messages are cut into frames; `None` if the codec cannot be cut at all.
    pub framing: Option<Framing>,
    /// The codec cannot be cut at arbitrary bytes, so every message is a frame.
    pub passthrough_forced: bool,
    /// The byte that is silence when repeated, for codecs that have one.
    pub silence: Option<u8>,
}

impl fmt::Debug for MediaFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}/{} Hz/{} ms/{} bytes",
            self.name, self.sample_rate, self.ptime_ms, self.optimal_frame_size
        )
    }
}

/// Codecs whose shortest frame has at most this many bytes cannot be cut at arbitrary bytes.
const MINIMUM_BYTES_UNCUTTABLE: u32 = 10;

impl MediaFormat {
    /// Derives frame size, ptime and passthrough from the codec's facts.
    ///
    /// # Errors
    /// A format that is not audio, or that has no frame length.
    pub fn new(facts: &CodecFacts) -> Result<Self, UnsupportedFormat> {
        if !facts.is_audio || facts.default_ms == 0 || facts.sample_rate == 0 {
            return Err(UnsupportedFormat { name: facts.name.clone() });
        }
        let passthrough_forced = facts.minimum_bytes <= MINIMUM_BYTES_UNCUTTABLE || facts.minimum_ms == 0;
        let optimal_frame_size = if passthrough_forced {
            0
        } else {
            let bytes =
                u64::from(facts.default_ms) * u64::from(facts.minimum_bytes) / u64::from(facts.minimum_ms);
            usize::try_from(bytes).unwrap_or(0)
        };
        Ok(Self {
            name: facts.name.clone(),
            sample_rate: facts.sample_rate,
            ptime_ms: facts.default_ms,
            optimal_frame_size,
            framing: Framing::of(&facts.name, optimal_frame_size),
            passthrough_forced,
            silence: silence_byte(&facts.name),
        })
    }

    /// Length of one frame.
    pub fn ptime(&self) -> Duration {
        Duration::from_millis(u64::from(self.ptime_ms))
    }

    /// Samples of one frame.
    pub fn frame_samples(&self) -> u32 {
        let samples = u64::from(self.sample_rate) * u64::from(self.ptime_ms) / 1000;
        u32::try_from(samples).unwrap_or(u32::MAX)
    }

    /// How long `samples` last; one ptime if the count is unknown (0).
    pub fn duration_of(&self, samples: u32) -> Duration {
        if samples == 0 {
            return self.ptime();
        }
        Duration::from_nanos(u64::from(samples) * 1_000_000_000 / u64::from(self.sample_rate))
    }
}

/// G.711 silence is the code word nearest to zero; signed linear silence is zero.
fn silence_byte(name: &str) -> Option<u8> {
    match name {
        "ulaw" => Some(0xff),
        "alaw" => Some(0xd5),
        _ if name.starts_with("slin") => Some(0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(
        name: &str,
        sample_rate: u32,
        default_ms: u32,
        minimum_ms: u32,
        minimum_bytes: u32,
    ) -> CodecFacts {
        CodecFacts { name: name.into(), is_audio: true, sample_rate, default_ms, minimum_ms, minimum_bytes }
    }

    #[test]
    fn optimal_frame_size_follows_the_codec() {
        let cases = [
            (facts("ulaw", 8000, 20, 10, 80), 160, false),
            (facts("slin16", 16000, 20, 10, 320), 640, false),
            (facts("slin192", 192_000, 20, 10, 3840), 7680, false),
            (facts("g722", 16000, 20, 10, 80), 160, false),
            (facts("gsm", 8000, 20, 20, 33), 33, false),
            (facts("g723", 8000, 30, 30, 20), 20, false),
            (facts("opus", 48000, 20, 10, 10), 0, true),
            (facts("g729", 8000, 20, 10, 10), 0, true),
        ];
        for (facts, size, passthrough) in cases {
            let format = MediaFormat::new(&facts).unwrap();
            assert_eq!(
                (format.optimal_frame_size, format.passthrough_forced),
                (size, passthrough),
                "{}",
                facts.name
            );
            assert_eq!(format.framing.is_none(), passthrough, "{}", facts.name);
        }
    }

    #[test]
    fn a_format_without_frame_length_is_refused_by_name() {
        let video = CodecFacts { is_audio: false, ..facts("h264", 90_000, 0, 0, 0) };
        let error = MediaFormat::new(&video).unwrap_err();
        assert!(error.to_string().contains("'h264'"));
        assert!(MediaFormat::new(&facts("odd", 8000, 0, 10, 80)).is_err());
    }

    #[test]
    fn durations_come_from_samples() {
        let opus = MediaFormat::new(&facts("opus", 48000, 20, 10, 10)).unwrap();
        assert_eq!(opus.duration_of(2880), Duration::from_millis(60));
        assert_eq!(opus.duration_of(0), Duration::from_millis(20));
    }
}
