//! `telnyx`: Telnyx Media Streaming over WebSockets in its RTP mode, for applications that were written for it.
//!
//! Follows, as of 2026-11-30, Telnyx's public pages "Media Streaming over Websockets"
//! (developers.telnyx.com/docs/voice/programmable-voice/media-streaming) and "Stream call media over WebSocket"
//! (developers.telnyx.com/api-reference/websockets/stream-call-media-over-websocket): names, fields and their order are
//! written there. docs/dialects.md has what Asterisk does with each.

use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use serde_json::Value;

use super::carrier_events::CarrierEvents;
use super::carrier_message::{CarrierFault, PAYLOAD, Words};
use super::identity::{account_of, custom_parameters, named, uuid};
use super::wire_writer::{NUMBER, PLACES, Places};
use super::{CallFacts, Dialect, Incoming, Profile, WireWriter};
use crate::protocol::command::CommandError;
use crate::protocol::event::{Event, MediaStart};
use crate::protocol::topic::{Topic, Topics};

/// See [`Profile`].
pub(super) const PROFILE: Profile = Profile {
    codecs: &["ulaw", "alaw", "g722", "slin16", "slin", "slin24", "opus"],
    answers: false,
    joins_media: true,
    message_bytes: 0,
    waits: true,
    carries_parameters: true,
    carries_variables: true,
    topics: Topics::NONE.with(Topic::MediaFlushed).with(Topic::MediaStop),
};

const WORDS: Words =
    Words { media: "media", mark: "mark", mark_in: Some("mark"), clear: "clear", stream: "stream_id" };

/// Telnyx's name of a codec and its rate there: that of G.722 is the rate of its RTP clock, and Opus can be decoded at
/// any rate.
fn media_format(call: &CallFacts) -> (&'static str, u32) {
    match call.format.as_str() {
        "ulaw" => ("PCMU", 8000),
        "alaw" => ("PCMA", 8000),
        "g722" => ("G722", 8000),
        "opus" => ("OPUS", 16000),
        _ => ("L16", call.sample_rate),
    }
}

/// The dialect of one call.
pub(super) fn dialect(call: &CallFacts) -> Box<dyn Dialect> {
    Box::new(Telnyx::new(call, SystemTime::now))
}

struct Telnyx {
    stream_id: String,
    user_id: String,
    call_control_id: String,
    call_session_id: String,
    /// `from`, `to` and `client_state`.
    call: [String; 3],
    parameters: Vec<(String, String)>,
    encoding: &'static str,
    sample_rate: u32,
    now: fn() -> SystemTime,
}

/// Telnyx's errors: title and code.
const ERRORS: [(&str, u32); 2] = [("malformed_frame", 100_003), ("invalid_media", 100_004)];
/// The error for everything else.
const UNKNOWN_ERROR: (&str, u32) = ("unknown_error", 100_002);

impl Dialect for Telnyx {
    fn on_text(&self, text: &str, max_command_size: usize) -> Incoming {
        match WORDS.understand(text, &self.stream_id, max_command_size) {
            Ok(said) => said.incoming(),
            Err(fault) => refused(&fault),
        }
    }

    fn on_binary(&self, _: Bytes) -> Incoming {
        refused(&CarrierFault::Binary(WORDS.media))
    }

    fn write_event(&self, event: &Event, channel_id: &str, write: &mut dyn FnMut(String)) {
        self.write(event, channel_id, write);
    }

    fn wire_writer(&self) -> Option<WireWriter> {
        let Places { number, chunk, timestamp, payload } = PLACES;
        let around_media = format!(
            r#"{{"event":"media","sequence_number":"{number}","media":{{"track":"inbound","chunk":"{chunk}","timestamp":"{timestamp}","payload":"{payload}"}},"stream_id":"{}"}}"#,
            self.stream_id
        );
        Some(WireWriter::new(Some(&around_media)))
    }
}

impl Telnyx {
    fn new(call: &CallFacts, now: fn() -> SystemTime) -> Self {
        let (stream, session) = call.random.split_at(16);
        let (encoding, sample_rate) = media_format(call);
        let (own, parameters) = named(&call.parameters, ["from", "to", "client_state"]);
        Self {
            stream_id: uuid(stream),
            user_id: uuid(account_of(&call.system_name).get(..16).unwrap_or_default()),
            call_control_id: format!("v3:{}", URL_SAFE_NO_PAD.encode(call.random)),
            call_session_id: uuid(session),
            call: own,
            parameters,
            encoding,
            sample_rate,
            now,
        }
    }
}

impl CarrierEvents for Telnyx {
    const CONNECTED: &str = r#"{"event":"connected","version":"1.0.0"}"#;

    fn start(&self, start: &MediaStart, channel_id: &str) -> String {
        let Self { stream_id, user_id, call_control_id, call_session_id, encoding, sample_rate, .. } = self;
        let [from, to, client_state] = &self.call;
        let parameters = custom_parameters(&start.channel_variables, &self.parameters, channel_id);
        format!(
            r#"{{"event":"start","sequence_number":"{NUMBER}","stream_id":"{stream_id}","start":{{"user_id":"{user_id}","call_control_id":"{call_control_id}","call_session_id":"{call_session_id}","from":{},"to":{},"tags":[],"client_state":{},"custom_parameters":{},"media_format":{{"encoding":"{encoding}","sample_rate":{sample_rate},"channels":1}}}}}}"#,
            Value::from(from.as_str()),
            Value::from(to.as_str()),
            Value::from(client_state.as_str()),
            Value::Object(parameters),
        )
    }

    fn dtmf(&self, digit: char, _duration_ms: Option<u32>) -> String {
        format!(
            r#"{{"event":"dtmf","stream_id":"{}","occurred_at":"{}","sequence_number":"{NUMBER}","dtmf":{{"digit":"{digit}"}}}}"#,
            self.stream_id,
            humantime::format_rfc3339_micros((self.now)())
        )
    }

    fn mark(&self, name: &str) -> String {
        format!(
            r#"{{"event":"mark","stream_id":"{}","sequence_number":"{NUMBER}","mark":{{"name":{}}}}}"#,
            self.stream_id,
            Value::from(name)
        )
    }

    fn stop(&self) -> String {
        let Self { stream_id, user_id, call_control_id, .. } = self;
        format!(
            r#"{{"event":"stop","sequence_number":"{NUMBER}","stop":{{"user_id":"{user_id}","call_control_id":"{call_control_id}"}},"stream_id":"{stream_id}"}}"#
        )
    }

    /// The text of a refused message begins with the error's title.
    fn error(&self, error_text: &str) -> Option<String> {
        let titled = error_text.split_once(": ").and_then(|(title, detail)| {
            ERRORS.iter().find(|(known, _)| *known == title).map(|error| (*error, detail))
        });
        let ((title, code), detail) = titled.unwrap_or((UNKNOWN_ERROR, error_text));
        Some(format!(
            r#"{{"event":"error","payload":{{"code":{code},"title":"{title}","detail":{}}},"stream_id":"{}"}}"#,
            Value::from(detail),
            self.stream_id
        ))
    }
}

fn refused(fault: &CarrierFault) -> Incoming {
    let [(malformed, _), (invalid, _)] = ERRORS;
    let title = match fault {
        CarrierFault::Field { field: PAYLOAD, .. } => invalid,
        _ => malformed,
    };
    Incoming::Command(Err(CommandError::Dialect(format!("{title}: {fault}"))))
}

#[cfg(test)]
mod tests;
