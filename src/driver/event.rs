//! The events that the app is sent, and both spellings of each.
//!
//! What is sent when is `session`'s business. Rendering needs no lock and no Asterisk thread.

use std::collections::{HashMap, HashSet};
use std::io;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::ser::{CharEscape, CompactFormatter, Formatter};

use super::command::ControlMessageFormat;

/// Something that the app is told, as one text message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The connection is up; always the first message on it.
    MediaStart(Box<MediaStart>),
    /// The core heard a digit, which has ended.
    DtmfEnd {
        /// `0`-`9`, `A`-`D`, `*` or `#`.
        digit: char,
    },
    /// The queue is nearly full: stop sending.
    MediaXoff,
    /// There is room again: go on sending.
    MediaXon,
    /// The queue is empty, as REPORT_QUEUE_DRAINED asked to be told.
    QueueDrained,
    /// The answer to GET_STATUS.
    Status(Status),
    /// Everything queued before STOP_MEDIA_BUFFERING has been played.
    MediaBufferingCompleted {
        /// The command's.
        correlation_id: Option<String>,
    },
    /// Everything queued before MARK_MEDIA has been played.
    MediaMarkProcessed {
        /// The command's.
        correlation_id: Option<String>,
    },
    /// A command was refused, or media had to be dropped.
    Error {
        /// One line for a person.
        error_text: String,
    },
}

/// What MEDIA_START says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MediaStart {
    /// The websocket_client's name, or the UUID of an incoming connection.
    pub connection_id: String,
    /// The channel's name.
    pub channel: String,
    /// Asterisk's name of the channel's one format.
    pub format: String,
    /// Bytes of one frame; 0 where the codec cannot be cut at arbitrary bytes.
    pub optimal_frame_size: usize,
    /// Length of one frame.
    pub ptime_ms: u32,
    /// Names and values in the order of the channel's own list; JSON only. Where a name occurs twice the last
    /// value counts, at the first one's place, as in the C module.
    pub channel_variables: Vec<(String, String)>,
    /// Messages are frames, and not re-framed.
    pub passthrough: bool,
    /// Messages go to the core as they come, not re-timed.
    pub unbuffered: bool,
}

/// What STATUS says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Status {
    /// Frames that wait.
    pub queue_length: usize,
    /// Frames under which MEDIA_XON is sent.
    pub xon_level: usize,
    /// Frames at which MEDIA_XOFF is sent.
    pub xoff_level: usize,
    /// MEDIA_XOFF has been sent, and MEDIA_XON not yet.
    pub queue_full: bool,
    /// Between START_ and STOP_MEDIA_BUFFERING.
    pub bulk_media: bool,
    /// Between PAUSE_ and CONTINUE_MEDIA.
    pub media_paused: bool,
}

impl Event {
    /// The event's name on the wire, in both formats.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::MediaStart(_) => "MEDIA_START",
            Self::DtmfEnd { .. } => "DTMF_END",
            Self::MediaXoff => "MEDIA_XOFF",
            Self::MediaXon => "MEDIA_XON",
            Self::QueueDrained => "QUEUE_DRAINED",
            Self::Status(_) => "STATUS",
            Self::MediaBufferingCompleted { .. } => "MEDIA_BUFFERING_COMPLETED",
            Self::MediaMarkProcessed { .. } => "MEDIA_MARK_PROCESSED",
            Self::Error { .. } => "ERROR",
        }
    }

    /// The message to send on a call with `format`; `channel_id` is the channel's unique id.
    pub fn render(&self, format: ControlMessageFormat, channel_id: &str) -> String {
        match format {
            ControlMessageFormat::PlainText => self.plain_text(channel_id),
            ControlMessageFormat::Json => self.json(channel_id),
        }
    }

    fn plain_text(&self, channel_id: &str) -> String {
        let name = self.name();
        match self {
            Self::MediaXoff | Self::MediaXon | Self::QueueDrained => name.to_owned(),
            Self::MediaStart(start) => {
                let MediaStart { connection_id, channel, format, optimal_frame_size, ptime_ms, .. } =
                    &**start;
                let MediaStart { passthrough, unbuffered, .. } = &**start;
                format!(
                    "{name} connection_id:{connection_id} channel:{channel} channel_id:{channel_id} format:{format} \
                     optimal_frame_size:{optimal_frame_size} ptime:{ptime_ms} passthrough:{passthrough} \
                     unbuffered:{unbuffered}"
                )
            }
            Self::DtmfEnd { digit } => format!("{name} digit:{digit} channel_id:{channel_id}"),
            Self::Status(status) => {
                let Status { queue_length, xon_level, xoff_level, queue_full, bulk_media, media_paused } =
                    status;
                format!(
                    "{name} channel_id:{channel_id} queue_length:{queue_length} xon_level:{xon_level} \
                     xoff_level:{xoff_level} queue_full:{queue_full} bulk_media:{bulk_media} \
                     media_paused:{media_paused}"
                )
            }
            Self::MediaBufferingCompleted { correlation_id }
            | Self::MediaMarkProcessed { correlation_id } => match correlation_id.as_deref() {
                None | Some("") => name.to_owned(),
                Some(id) => format!("{name} {id}"),
            },
            Self::Error { error_text } => format!("{name} channel_id:{channel_id} error_text:{error_text}"),
        }
    }

    fn json(&self, channel_id: &str) -> String {
        let mut rendered = Vec::new();
        let mut serializer = serde_json::Serializer::with_formatter(&mut rendered, Compact);
        let written = Json { event: self, channel_id }.serialize(&mut serializer);
        // Writing strings, numbers and booleans into memory does not fail; the bare name would still be true.
        let rendered = written.ok().and_then(|()| String::from_utf8(rendered).ok());
        rendered.unwrap_or_else(|| format!(r#"{{"event":"{}"}}"#, self.name()))
    }
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
                object.serialize_entry("channel_variables", &Variables(&start.channel_variables))?;
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

/// Channel variables as a JSON object in which every name occurs once.
struct Variables<'a>(&'a [(String, String)]);

impl Serialize for Variables<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(None)?;
        let mut seen = HashSet::new();
        let last: HashMap<&str, &str> =
            self.0.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        for (name, _) in self.0 {
            if seen.insert(name.as_str()) {
                object.serialize_entry(name, last.get(name.as_str()).copied().unwrap_or_default())?;
            }
        }
        object.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ControlMessageFormat::{Json, PlainText};
    use proptest::prelude::*;
    use serde_json::Value;

    fn media_start() -> MediaStart {
        MediaStart {
            connection_id: "conn1".into(),
            channel: "WebSocket/conn1/0x7f".into(),
            format: "ulaw".into(),
            optimal_frame_size: 160,
            ptime_ms: 20,
            channel_variables: vec![("Z".into(), "1".into()), ("A".into(), "\"2\"".into())],
            passthrough: false,
            unbuffered: true,
        }
    }

    #[test]
    fn every_event_in_both_formats() {
        let status = Status {
            queue_length: 850,
            xon_level: 800,
            xoff_level: 900,
            queue_full: true,
            bulk_media: false,
            media_paused: true,
        };
        let opus = MediaStart {
            format: "opus".into(),
            optimal_frame_size: 0,
            passthrough: true,
            unbuffered: false,
            channel_variables: Vec::new(),
            ..media_start()
        };
        let rows = [
            (
                Event::MediaStart(Box::new(media_start())),
                "MEDIA_START connection_id:conn1 channel:WebSocket/conn1/0x7f channel_id:id.1 format:ulaw \
                 optimal_frame_size:160 ptime:20 passthrough:false unbuffered:true",
                r#"{"event":"MEDIA_START","connection_id":"conn1","channel":"WebSocket/conn1/0x7f","channel_id":"id.1","format":"ulaw","optimal_frame_size":160,"ptime":20,"channel_variables":{"Z":"1","A":"\"2\""},"passthrough":false,"unbuffered":true}"#,
            ),
            (
                Event::MediaStart(Box::new(opus)),
                "MEDIA_START connection_id:conn1 channel:WebSocket/conn1/0x7f channel_id:id.1 format:opus \
                 optimal_frame_size:0 ptime:20 passthrough:true unbuffered:false",
                r#"{"event":"MEDIA_START","connection_id":"conn1","channel":"WebSocket/conn1/0x7f","channel_id":"id.1","format":"opus","optimal_frame_size":0,"ptime":20,"channel_variables":{},"passthrough":true,"unbuffered":false}"#,
            ),
            (
                Event::DtmfEnd { digit: '#' },
                "DTMF_END digit:# channel_id:id.1",
                r##"{"event":"DTMF_END","channel_id":"id.1","digit":"#"}"##,
            ),
            (Event::MediaXoff, "MEDIA_XOFF", r#"{"event":"MEDIA_XOFF","channel_id":"id.1"}"#),
            (Event::MediaXon, "MEDIA_XON", r#"{"event":"MEDIA_XON","channel_id":"id.1"}"#),
            (Event::QueueDrained, "QUEUE_DRAINED", r#"{"event":"QUEUE_DRAINED","channel_id":"id.1"}"#),
            (
                Event::Status(status),
                "STATUS channel_id:id.1 queue_length:850 xon_level:800 xoff_level:900 queue_full:true \
                 bulk_media:false media_paused:true",
                r#"{"event":"STATUS","channel_id":"id.1","queue_length":850,"xon_level":800,"xoff_level":900,"queue_full":true,"bulk_media":false,"media_paused":true}"#,
            ),
            (
                Event::MediaBufferingCompleted { correlation_id: Some("a b\nc".into()) },
                "MEDIA_BUFFERING_COMPLETED a b\nc",
                r#"{"event":"MEDIA_BUFFERING_COMPLETED","channel_id":"id.1","correlation_id":"a b\nc"}"#,
            ),
            (
                Event::MediaBufferingCompleted { correlation_id: None },
                "MEDIA_BUFFERING_COMPLETED",
                r#"{"event":"MEDIA_BUFFERING_COMPLETED","channel_id":"id.1","correlation_id":""}"#,
            ),
            (
                Event::MediaMarkProcessed { correlation_id: Some("17".into()) },
                "MEDIA_MARK_PROCESSED 17",
                r#"{"event":"MEDIA_MARK_PROCESSED","channel_id":"id.1","correlation_id":"17"}"#,
            ),
            (
                Event::MediaMarkProcessed { correlation_id: Some(String::new()) },
                "MEDIA_MARK_PROCESSED",
                r#"{"event":"MEDIA_MARK_PROCESSED","channel_id":"id.1","correlation_id":""}"#,
            ),
            (
                Event::Error { error_text: "MARK_MEDIA not supported".into() },
                "ERROR channel_id:id.1 error_text:MARK_MEDIA not supported",
                r#"{"event":"ERROR","channel_id":"id.1","error_text":"MARK_MEDIA not supported"}"#,
            ),
        ];
        for (event, plain_text, json) in rows {
            assert_eq!(event.render(PlainText, "id.1"), plain_text);
            assert_eq!(event.render(Json, "id.1"), json);
        }
    }

    #[test]
    fn json_escapes_as_jansson_does() {
        let rows = [
            ("quotes, backslash, slash", "\"\\/", r#"\"\\/"#),
            ("short forms", "\x08\x0c\n\r\t", r"\b\f\n\r\t"),
            ("control characters", "\0\x0b\x1f\x7f", "\\u0000\\u000B\\u001F\x7f"),
            ("not ASCII", "é\u{80}\u{2028}😀", "é\u{80}\u{2028}😀"),
        ];
        for (name, id, escaped) in rows {
            let event = Event::MediaMarkProcessed { correlation_id: Some(id.into()) };
            let expected = format!(
                r#"{{"event":"MEDIA_MARK_PROCESSED","channel_id":"1","correlation_id":"{escaped}"}}"#
            );
            assert_eq!(event.render(Json, "1"), expected, "{name}");
        }
    }

    #[test]
    fn a_variable_that_occurs_twice_has_its_last_value_at_its_first_place() {
        let variables = [("A", "1"), ("B", "2"), ("A", "3"), ("C", "4")];
        let channel_variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let event = Event::MediaStart(Box::new(MediaStart { channel_variables, ..media_start() }));
        assert!(event.render(Json, "1").contains(r#""channel_variables":{"A":"3","B":"2","C":"4"}"#));
    }

    fn events() -> impl Strategy<Value = Event> {
        let text = any::<String>;
        let id = || proptest::option::of(any::<String>());
        let start = (text(), text(), text(), any::<usize>(), any::<u32>(), any::<[bool; 2]>()).prop_map(|start| {
            let (connection_id, channel, format, optimal_frame_size, ptime_ms, [passthrough, unbuffered]) = start;
            let channel_variables = vec![(channel.clone(), format.clone())];
            Event::MediaStart(Box::new(MediaStart {
                connection_id,
                channel,
                format,
                optimal_frame_size,
                ptime_ms,
                channel_variables,
                passthrough,
                unbuffered,
            }))
        });
        prop_oneof![
            start,
            any::<char>().prop_map(|digit| Event::DtmfEnd { digit }),
            id().prop_map(|correlation_id| Event::MediaBufferingCompleted { correlation_id }),
            id().prop_map(|correlation_id| Event::MediaMarkProcessed { correlation_id }),
            text().prop_map(|error_text| Event::Error { error_text }),
        ]
    }

    proptest! {
        #[test]
        fn json_reads_back(event in events(), channel_id in any::<String>()) {
            let read: Value = serde_json::from_str(&event.render(Json, &channel_id)).unwrap();
            prop_assert_eq!(&read["event"], event.name());
            prop_assert_eq!(&read["channel_id"], &channel_id);
            match &event {
                Event::MediaStart(start) => {
                    prop_assert_eq!(&read["connection_id"], &start.connection_id);
                    prop_assert_eq!(&read["optimal_frame_size"], start.optimal_frame_size);
                    prop_assert_eq!(&read["channel_variables"][&start.channel], &start.format);
                    prop_assert_eq!(&read["unbuffered"], start.unbuffered);
                }
                Event::DtmfEnd { digit } => prop_assert_eq!(&read["digit"], &digit.to_string()),
                Event::MediaBufferingCompleted { correlation_id } | Event::MediaMarkProcessed { correlation_id } => {
                    prop_assert_eq!(&read["correlation_id"], correlation_id.as_deref().unwrap_or(""));
                }
                Event::Error { error_text } => prop_assert_eq!(&read["error_text"], error_text),
                _ => {}
            }
        }

        #[test]
        fn plain_text_begins_with_the_name(event in events(), channel_id in any::<String>()) {
            prop_assert!(event.render(PlainText, &channel_id).starts_with(event.name()));
        }
    }
}
