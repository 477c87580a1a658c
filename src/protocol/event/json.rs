//! Events in JSON, byte for byte as the C module and jansson write them.

use std::io;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::ser::{CharEscape, CompactFormatter, Formatter};
use serde_json::value::RawValue;

use super::{AddedEvent, Event};

pub(super) fn render(event: &Event, channel_id: &str) -> String {
    let mut rendered = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut rendered, Compact);
    let written = Json { event, channel_id }.serialize(&mut serializer);
    // Writing strings, numbers and booleans to memory cannot fail; the name alone would still be a valid event.
    let rendered = written.ok().and_then(|()| String::from_utf8(rendered).ok());
    rendered.unwrap_or_else(|| format!(r#"{{"event":"{}"}}"#, event.name()))
}

/// Writes JSON as compact as jansson does for the C module, byte for byte: serde_json's own style except the
/// hexadecimal digits of control characters.
struct Compact;

impl Formatter for Compact {
    fn write_char_escape<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        escape: CharEscape,
    ) -> io::Result<()> {
        match escape {
            CharEscape::AsciiControl(byte) => write!(writer, "\\u{byte:04X}"),
            _ => CompactFormatter.write_char_escape(writer, escape),
        }
    }
}

/// An event as its JSON object, with the keys in the C module's order.
struct Json<'a> {
    event: &'a Event,
    channel_id: &'a str,
}

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Event::Added(body) = self.event {
            return Added { event: body.name(), channel_id: self.channel_id, body }.serialize(serializer);
        }
        let mut object = serializer.serialize_map(None)?;
        object.serialize_entry("event", self.event.name())?;
        if let Event::MediaStart(start) = self.event {
            object.serialize_entry("connection_id", &start.connection_id)?;
            object.serialize_entry("channel", &start.channel)?;
        }
        object.serialize_entry("channel_id", self.channel_id)?;
        match self.event {
            Event::MediaXoff | Event::MediaXon | Event::QueueDrained | Event::Added(_) => {}
            Event::MediaStart(start) => {
                object.serialize_entry("format", &start.format)?;
                object.serialize_entry("optimal_frame_size", &start.optimal_frame_size)?;
                object.serialize_entry("ptime", &start.ptime_ms)?;
                object.serialize_entry("channel_variables", &Raw(&start.channel_variables))?;
                object.serialize_entry("passthrough", &start.passthrough)?;
                object.serialize_entry("unbuffered", &start.unbuffered)?;
                if let Some(lost) = start.reconnected_after {
                    object.serialize_entry("reconnected", &true)?;
                    object.serialize_entry("lost_ms", &lost.as_millis())?;
                }
            }
            Event::DtmfEnd { digit, duration_ms } => {
                object.serialize_entry("digit", digit)?;
                entry_if_some(&mut object, "duration_ms", duration_ms.as_ref())?;
            }
            Event::Status(status) => {
                object.serialize_entry("queue_length", &status.queue_length)?;
                object.serialize_entry("xon_level", &status.xon_level)?;
                object.serialize_entry("xoff_level", &status.xoff_level)?;
                object.serialize_entry("queue_full", &status.queue_full)?;
                object.serialize_entry("bulk_media", &status.bulk_media)?;
                object.serialize_entry("media_paused", &status.media_paused)?;
                if let Some(times) = &status.times {
                    object.serialize_entry("queued_ms", &times.queued_ms)?;
                    object.serialize_entry("played_ms", &times.played_ms)?;
                    object.serialize_entry("dropped_ms", &times.dropped_ms)?;
                    object.serialize_entry("marks_waiting", &times.marks_waiting)?;
                }
            }
            Event::MediaBufferingCompleted { correlation_id, played_ms }
            | Event::MediaMarkProcessed { correlation_id, played_ms } => {
                object.serialize_entry("correlation_id", correlation_id.as_deref().unwrap_or_default())?;
                entry_if_some(&mut object, "played_ms", played_ms.as_ref())?;
            }
            Event::Error { error_text } => object.serialize_entry("error_text", error_text)?,
            Event::RequestRefused(error) => {
                object.serialize_entry("error_text", &error.error_text)?;
                entry_if_some(&mut object, "correlation_id", error.correlation_id.as_ref())?;
                object.serialize_entry("command", error.command)?;
            }
        }
        object.end()
    }
}

/// An added event; its own keys follow these two.
#[derive(Serialize)]
struct Added<'a> {
    event: &'static str,
    channel_id: &'a str,
    #[serde(flatten)]
    body: &'a AddedEvent,
}

fn entry_if_some<M: SerializeMap, T: Serialize>(
    object: &mut M,
    key: &'static str,
    value: Option<&T>,
) -> Result<(), M::Error> {
    value.map_or(Ok(()), |value| object.serialize_entry(key, value))
}

/// JSON text, written unchanged; an empty object if it is not JSON.
struct Raw<'a>(&'a str);

impl Serialize for Raw<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match serde_json::from_str::<&RawValue>(self.0) {
            Ok(json) => json.serialize(serializer),
            Err(_) => serializer.serialize_map(Some(0))?.end(),
        }
    }
}
