//! `exotel`: Exotel AgentStream (Voicebot applet, bidirectional), for applications that were written for it.
//!
//! Follows, as of 2026-11-30, Exotel's public page "WebSocket protocol"
//! (developer.exotel.com/docs/agentstream/websocket-protocol): names, fields and their order are written there.
//! docs/dialects.md has what Asterisk does with each.

use bytes::Bytes;
use serde_json::Value;

use super::carrier_events::CarrierEvents;
use super::carrier_message::{CarrierFault, Words};
use super::identity::{account_of, custom_parameters, named, sid};
use super::wire_writer::{NUMBER, PLACES, Places};
use super::{CallFacts, Dialect, Incoming, Profile, WireWriter};
use crate::protocol::event::{Event, MediaStart};
use crate::protocol::topic::{Topic, Topics};

/// See [`Profile`].
pub(super) const PROFILE: Profile = Profile {
    codecs: &["slin", "slin16", "slin24"],
    answers: false,
    joins_media: true,
    message_bytes: 0,
    waits: true,
    carries_parameters: true,
    carries_variables: true,
    topics: Topics::NONE.with(Topic::MediaFlushed).with(Topic::MediaStop),
};

const WORDS: Words =
    Words { media: "media", mark: "mark", mark_in: Some("mark"), clear: "clear", stream: "stream_sid" };

/// The dialect of one call.
pub(super) fn dialect(call: &CallFacts) -> Box<dyn Dialect> {
    let (stream, channel) = call.random.split_at(16);
    let (call_parties, parameters) = named(&call.parameters, ["from", "to"]);
    Box::new(Exotel {
        stream_sid: sid("MZ", stream),
        call_sid: sid("CA", channel),
        account_sid: sid("AC", account_of(&call.system_name).get(..16).unwrap_or_default()),
        call: call_parties,
        parameters,
        sample_rate: call.sample_rate,
    })
}

struct Exotel {
    stream_sid: String,
    call_sid: String,
    account_sid: String,
    /// `from` and `to`.
    call: [String; 2],
    parameters: Vec<(String, String)>,
    sample_rate: u32,
}

impl Dialect for Exotel {
    fn on_text(&self, text: &str, max_command_size: usize) -> Incoming {
        match WORDS.understand(text, &self.stream_sid, max_command_size) {
            Ok(said) => said.incoming(),
            Err(fault) => fault.refused(),
        }
    }

    fn on_binary(&self, _: Bytes) -> Incoming {
        CarrierFault::Binary(WORDS.media).refused()
    }

    fn write_event(&self, event: &Event, channel_id: &str, write: &mut dyn FnMut(String)) {
        self.write(event, channel_id, write);
    }

    fn wire_writer(&self) -> Option<WireWriter> {
        let Places { chunk, timestamp, payload, .. } = PLACES;
        let media =
            format!(r#""media":{{"chunk":"{chunk}","timestamp":"{timestamp}","payload":"{payload}"}}"#);
        Some(WireWriter::new(Some(&self.message("media", &media))))
    }
}

impl Exotel {
    /// A numbered message of Exotel's: event, number, stream, and the object with the details.
    fn message(&self, event: &str, about: &str) -> String {
        let stream_sid = &self.stream_sid;
        format!(r#"{{"event":"{event}","sequence_number":"{NUMBER}","stream_sid":"{stream_sid}",{about}}}"#)
    }
}

impl CarrierEvents for Exotel {
    const CONNECTED: &str = r#"{"event":"connected"}"#;

    fn start(&self, start: &MediaStart, channel_id: &str) -> String {
        let Self { stream_sid, call_sid, account_sid, sample_rate, .. } = self;
        let [from, to] = &self.call;
        let parameters = custom_parameters(&start.channel_variables, &self.parameters, channel_id);
        let about = format!(
            r#""start":{{"stream_sid":"{stream_sid}","call_sid":"{call_sid}","account_sid":"{account_sid}","from":{},"to":{},"custom_parameters":{},"media_format":{{"encoding":"audio/x-raw","sample_rate":"{sample_rate}","bit_rate":"16"}}}}"#,
            Value::from(from.as_str()),
            Value::from(to.as_str()),
            Value::Object(parameters),
        );
        self.message("start", &about)
    }

    fn mark(&self, name: &str) -> String {
        self.message("mark", &format!(r#""mark":{{"name":{}}}"#, Value::from(name)))
    }

    fn stop(&self) -> String {
        let Self { call_sid, account_sid, .. } = self;
        let about = format!(
            r#""stop":{{"call_sid":"{call_sid}","account_sid":"{account_sid}","reason":"callended"}}"#
        );
        self.message("stop", &about)
    }

    fn dtmf(&self, digit: char, duration_ms: Option<u32>) -> String {
        let duration = duration_ms.unwrap_or_default();
        let dtmf = format!(r#""dtmf":{{"digit":"{digit}","duration":"{duration}"}}"#);
        self.message("dtmf", &dtmf)
    }
}

#[cfg(test)]
mod tests;
