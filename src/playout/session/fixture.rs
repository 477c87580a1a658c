//! Formats and sessions for tests, the model and the fuzz targets.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::time::Duration;

use super::*;
use crate::playout::media_format::{CodecFacts, own_sample_counter};
use crate::protocol::command;

/// Samples as the codec has them: for gsm 160 in 33 bytes, for g722 two per byte, for silk8 always 160, for opus what the
/// first byte says in ms, else one per byte.
struct Counter(&'static str);

impl SampleCounter for Counter {
    fn samples(&self, payload: &[u8]) -> u32 {
        let len = u32::try_from(payload.len()).unwrap();
        match self.0 {
            "gsm" => len / 33 * 160,
            "g722" => len * 2,
            "silk8" => 160,
            "opus" => u32::from(payload[0]) * 48,
            _ => len,
        }
    }
}

/// The format `name` as Asterisk's codecs describe it.
pub(crate) fn format(name: &'static str) -> MediaFormat {
    let (sample_rate, default_ms, minimum_ms, minimum_bytes) = match name {
        "gsm" => (8000, 20, 20, 33),
        "g722" => (16000, 20, 10, 80),
        "g723" => (8000, 30, 30, 20),
        "ilbc" => (8000, 20, 20, 38),
        "silk8" => (8000, 20, 20, 160),
        "opus" => (48000, 20, 10, 10),
        _ => (8000, 20, 10, 80),
    };
    let name = name.to_owned();
    MediaFormat::new(&CodecFacts { name, is_audio: true, sample_rate, default_ms, minimum_ms, minimum_bytes })
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
pub(crate) fn on_text(session: &mut Session, text: &str, now: MonoTime, actions: &mut Vec<Action>) {
    const MAX_COMMAND_SIZE: usize = 65536;
    let command = command::parse(text, session.control_message_format(), MAX_COMMAND_SIZE);
    session.on_command(command, now, actions);
}

/// A session whose samples are counted as its codec does.
pub(crate) fn session(config: SessionConfig) -> Session {
    let counter: Box<dyn SampleCounter> = match config.format.name.as_str() {
        "gsm" => Box::new(Counter("gsm")),
        "g722" => Box::new(Counter("g722")),
        "silk8" => Box::new(Counter("silk8")),
        "opus" => Box::new(Counter("opus")),
        name => own_sample_counter(name).unwrap_or_else(|| Box::new(Counter("ulaw"))),
    };
    Session::new(config, counter)
}
