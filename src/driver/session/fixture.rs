//! Formats and sessions for tests, the model and the fuzz targets.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::time::Duration;

use super::*;
use crate::driver::command;
use crate::driver::media_format::CodecFacts;

/// Samples as the codec has them: for gsm 160 in 33 bytes, for g722 two per byte, for opus what the first
/// byte says in ms, else one per byte.
struct Counter(&'static str);

impl SampleCounter for Counter {
    fn samples(&self, payload: &[u8]) -> u32 {
        let len = u32::try_from(payload.len()).unwrap();
        match self.0 {
            "gsm" => len / 33 * 160,
            "g722" => len * 2,
            "opus" => u32::from(payload[0]) * 48,
            _ => len,
        }
    }
}

/// The format `name` as Asterisk's codecs describe it.
pub(crate) fn format(name: &'static str) -> MediaFormat {
    let (sample_rate, minimum_ms, minimum_bytes) = match name {
        "gsm" => (8000, 20, 33),
        "g722" => (16000, 10, 80),
        "opus" => (48000, 10, 10),
        _ => (8000, 10, 80),
    };
    let name = name.to_owned();
    MediaFormat::new(&CodecFacts {
        name,
        is_audio: true,
        sample_rate,
        default_ms: 20,
        minimum_ms,
        minimum_bytes,
    })
    .unwrap()
}

/// A call with ulaw and all defaults.
pub(crate) fn config() -> SessionConfig {
    SessionConfig {
        clock_grid: Duration::ZERO,
        format: format("ulaw"),
        mode: MediaMode::Framed,
        direction: MediaDirection::Both,
        control_message_format: ControlMessageFormat::PlainText,
        limits: QueueLimits::default(),
    }
}

/// Gives the session a text message, parsed as the call does it.
pub(crate) fn on_text(session: &mut Session, text: &str, now: MonoTime, effects: &mut Vec<Effect>) {
    const MAX_COMMAND_SIZE: usize = 65536;
    let command = command::parse(text, session.control_message_format(), MAX_COMMAND_SIZE);
    session.on_command(command, now, effects);
}

/// A session whose samples are counted as its codec does.
pub(crate) fn session(config: SessionConfig) -> Session {
    let counter = match config.format.name.as_str() {
        "gsm" => Counter("gsm"),
        "g722" => Counter("g722"),
        "opus" => Counter("opus"),
        _ => Counter("ulaw"),
    };
    Session::new(config, Box::new(counter))
}
