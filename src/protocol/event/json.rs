//! Events in JSON, byte for byte as the C module and jansson write them.

use std::io;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::ser::{CharEscape, CompactFormatter, Formatter};
use serde_json::value::RawValue;

use super::Event;

pub(super) fn render(event: &Event, channel_id: &str) -> String {
    let mut rendered = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut rendered, Compact);
    let written = Json { event, channel_id }.serialize(&mut serializer);
    // Writing strings, numbers and booleans into memory does not fail; the bare name would still be true.
    let rendered = written.ok().and_then(|()| String::from_utf8(rendered).ok());
    rendered.unwrap_or_else(|| format!(r#"{{"event":"{}"}}"#, event.name()))
}

/// Writes JSON as compact as jansson does for the C module, byte for byte: serde_json's own style but for the
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
        let mut object = serializer.serialize_map(None)?;
        object.serialize_entry("event", self.event.name())?;
        if let Event::MediaStart(start) = self.event {
            object.serialize_entry("connection_id", &start.connection_id)?;
            object.serialize_entry("channel", &start.channel)?;
        }
        object.serialize_entry("channel_id", self.channel_id)?;
        match self.event {
            Event::MediaXoff | Event::MediaXon | Event::QueueDrained => {}
            Event::MediaStart(start) => {
                object.serialize_entry("format", &start.format)?;
                object.serialize_entry("optimal_frame_size", &start.optimal_frame_size)?;
                object.serialize_entry("ptime", &start.ptime_ms)?;
                object.serialize_entry("channel_variables", &Raw(&start.channel_variables))?;
                object.serialize_entry("passthrough", &start.passthrough)?;
                object.serialize_entry("unbuffered", &start.unbuffered)?;
            }
            Event::DtmfEnd { digit } => object.serialize_entry("digit", digit)?,
            Event::Status(status) => {
                object.serialize_entry("queue_length", &status.queue_length)?;
                object.serialize_entry("xon_level", &status.xon_level)?;
                object.serialize_entry("xoff_level", &status.xoff_level)?;
                object.serialize_entry("queue_full", &status.queue_full)?;
                object.serialize_entry("bulk_media", &status.bulk_media)?;
                object.serialize_entry("media_paused", &status.media_paused)?;
            }
            Event::MediaBufferingCompleted { correlation_id }
            | Event::MediaMarkProcessed { correlation_id } => {
                object.serialize_entry("correlation_id", correlation_id.as_deref().unwrap_or_default())?;
            }
            Event::Error { error_text } => object.serialize_entry("error_text", error_text)?,
        }
        object.end()
    }
}

/// JSON text, written as it is; an empty object in place of what is none.
struct Raw<'a>(&'a str);

impl Serialize for Raw<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match serde_json::from_str::<&RawValue>(self.0) {
            Ok(json) => json.serialize(serializer),
            Err(_) => serializer.serialize_map(Some(0))?.end(),
        }
    }
}
