//! A script of a session, and the messages that a dialect makes of it: for tests of the translation alone.

use std::time::Duration;

use super::{Dialect, WireWriter};
use crate::protocol::event::{AddedEvent, Event, MediaFlushed, MediaStart, MediaStop};

/// Replaces the random bytes of a call's ids: the bytes from 0 on.
pub(super) fn random() -> [u8; 32] {
    std::array::from_fn(|place| place as u8)
}

/// A step of the script.
pub(super) enum Step<'a> {
    Event(Event),
    Media(u64, &'a [u8]),
}

/// The messages of the script on one connection.
pub(super) fn wire(dialect: &dyn Dialect, script: &[Step<'_>]) -> Vec<String> {
    let mut writer = dialect.wire_writer().unwrap_or_else(|| WireWriter::new(None));
    let mut wire = Vec::new();
    let text = |message: Vec<u8>| String::from_utf8(message).unwrap();
    for step in script {
        match step {
            Step::Event(event) => dialect.write_event(event, "asterisk-1.7", &mut |event| {
                let mut message = Vec::new();
                writer.write_event(event.as_bytes(), &mut message);
                wire.push(text(message));
            }),
            Step::Media(at_ms, media) => {
                let mut message = Vec::new();
                writer.write_media(media, Duration::from_millis(*at_ms), &mut message);
                wire.push(text(message));
            }
        }
    }
    wire
}

pub(super) fn media_start() -> Event {
    Event::MediaStart(Box::new(MediaStart {
        channel_variables: r#"{"LANG":"en","channel_id":"x","Z":"1"}"#.into(),
        ..MediaStart::default()
    }))
}

pub(super) fn mark(name: &str) -> Event {
    let correlation_id = Some(name.to_owned()).filter(|name| !name.is_empty());
    Event::MediaMarkProcessed { correlation_id, played_ms: None }
}

pub(super) fn flushed(marks: &[&str]) -> Event {
    Event::Added(Box::new(AddedEvent::MediaFlushed(MediaFlushed {
        correlation_id: String::new(),
        flushed_ms: 20,
        flushed_frames: 1,
        played_ms: 0,
        marks: marks.iter().map(|mark| (*mark).to_owned()).collect(),
        bulk: vec![],
    })))
}

pub(super) fn stop() -> Event {
    Event::Added(Box::new(AddedEvent::MediaStop(MediaStop {
        ended_by: "core",
        cause: 16,
        cause_txt: String::new(),
        duration_ms: 0,
        played_ms: 0,
        queued_ms: 0,
        dropped_ms: 0,
        frames_in: 0,
        frames_out: 0,
        underruns: 0,
        longest_stall_ms: 0,
    })))
}
