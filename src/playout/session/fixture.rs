//! Formats and sessions for tests, the model and the fuzz targets.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::time::Duration;

use super::*;
use crate::playout::digits::DEFAULT_SHORTEST_DIGIT;
use crate::playout::media_format::CodecFacts;
use crate::playout::overflow::Overflow;
use crate::playout::sample_counter;
use crate::playout::silence::SilenceFrame;
use crate::protocol::command::{self, Spelling};
use crate::protocol::topic::Topics;

/// Opus for tests: the first byte of a packet is its length in ms.
struct Opus;

impl SampleCounter for Opus {
    fn samples(&self, payload: &[u8]) -> u32 {
        u32::from(payload[0]) * 48
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
        "slin" => (8000, 20, 10, 160),
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
        joins_media: false,
        topics: Topics::NONE,
        limits: QueueLimits::default(),
        overflow: Overflow::Drop,
        silence: None,
        shortest_digit: DEFAULT_SHORTEST_DIGIT,
        max_latency: None,
        connection_limits: ConnectionLimits::default(),
    }
}

/// The same call with its gaps filled by a frame that no media in the tests looks like.
pub(crate) fn filled(config: SessionConfig) -> SessionConfig {
    let duration = config.format.ptime();
    let silence =
        SilenceFrame { payload: "silence".into(), samples: config.format.frame_samples(), duration };
    SessionConfig { silence: Some(silence), ..config }
}

/// How a session's commands and events are written in tests.
pub(crate) fn spelling(format: ControlMessageFormat) -> Spelling {
    match format {
        ControlMessageFormat::PlainText => Spelling::PlainText,
        _ => Spelling::Json,
    }
}

/// Gives the session a text message, parsed as the call does it.
pub(crate) fn on_text(session: &mut Session, text: &str, now: MonoTime, actions: &mut Vec<Action>) {
    const MAX_COMMAND_SIZE: usize = 65536;
    let command = command::parse(text, spelling(session.control_message_format()), MAX_COMMAND_SIZE);
    session.on_command(command, now, actions);
}

/// A session whose samples are counted by the rule of its codec.
pub(crate) fn session(config: SessionConfig) -> Session {
    let counter: Box<dyn SampleCounter> = match config.format.name.as_str() {
        "opus" => Box::new(Opus),
        _ => sample_counter::by_codec(&config.format)
            .unwrap_or_else(|| sample_counter::by_frame_size(&config.format)),
    };
    Session::new(config, counter)
}
