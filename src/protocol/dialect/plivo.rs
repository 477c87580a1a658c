//! `plivo`: Plivo Audio Streaming, bidirectional, for applications that were written for it.
//!
//! Follows, as of 2026-11-30, Plivo's public pages "Stream Event Protocol" and "Audio Streaming Protocol Reference"
//! (plivo.com/docs/voice/audio-streaming/audio-streaming,
//! plivo.com/docs/voice-agents/audio-streaming/concepts/audio-streaming-reference): names, fields and their order are
//! written there. docs/dialects.md has what Asterisk does with each.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use serde_json::Value;
use serde_json::value::RawValue;

use super::carrier_message::{CarrierFault, Said, Words, found};
use super::identity::{account_of, hex, uuid};
use super::media_message::{fields, string};
use super::wire_writer::{NUMBER, PLACES, Places};
use super::{CallFacts, Dialect, Incoming, Profile, WireWriter};
use crate::protocol::event::{AddedEvent, Event};
use crate::protocol::topic::{Topic, Topics};

/// See [`Profile`].
pub(super) const PROFILE: Profile = Profile {
    codecs: &["ulaw", "slin", "slin16"],
    answers: false,
    joins_media: true,
    message_bytes: 0,
    waits: true,
    carries_parameters: true,
    carries_variables: false,
    topics: Topics::NONE.with(Topic::MediaFlushed),
};

const WORDS: Words =
    Words { media: "playAudio", mark: "checkpoint", mark_in: None, clear: "clearAudio", stream: "streamId" };

/// The dialect of one call.
pub(super) fn dialect(call: &CallFacts) -> Box<dyn Dialect> {
    Box::new(Plivo::new(call, SystemTime::now))
}

struct Plivo {
    stream_id: String,
    call_id: String,
    account_id: String,
    parameters: Vec<(String, String)>,
    content_type: &'static str,
    sample_rate: u32,
    now: fn() -> SystemTime,
}

impl Dialect for Plivo {
    fn on_text(&self, text: &str, max_command_size: usize) -> Incoming {
        match self.understand(text, max_command_size) {
            Ok(said) => said.incoming(),
            Err(fault) => fault.refused(),
        }
    }

    fn on_binary(&self, _: Bytes) -> Incoming {
        CarrierFault::Binary(WORDS.media).refused()
    }

    fn write_event(&self, event: &Event, channel_id: &str, write: &mut dyn FnMut(String)) {
        match event {
            Event::MediaStart(_) => write(self.start(channel_id)),
            Event::DtmfEnd { digit, .. } => write(self.dtmf(*digit)),
            Event::MediaMarkProcessed { correlation_id, .. } => {
                write(self.played_stream(correlation_id.as_deref().unwrap_or_default()));
            }
            Event::Added(added) => {
                // The waiting checkpoints were discarded, so they are not reported.
                if let AddedEvent::MediaFlushed(_) = &**added {
                    write(self.cleared_audio());
                }
            }
            _ => {}
        }
    }

    fn wire_writer(&self) -> Option<WireWriter> {
        let Places { number, chunk, timestamp, payload } = PLACES;
        let around_media = format!(
            r#"{{"event":"media","sequenceNumber":{number},"streamId":"{}","media":{{"track":"inbound","timestamp":"{timestamp}","chunk":{chunk},"payload":"{payload}"}}}}"#,
            self.stream_id,
        );
        Some(WireWriter::new(Some(&around_media)).since(self.unix_time()))
    }
}

impl Plivo {
    fn new(call: &CallFacts, now: fn() -> SystemTime) -> Self {
        let (stream, channel) = call.random.split_at(16);
        let account = hex(account_of(&call.system_name).get(..9).unwrap_or_default());
        Self {
            stream_id: uuid(stream),
            call_id: uuid(channel),
            account_id: format!("MA{}", account.to_uppercase()),
            parameters: call.parameters.clone(),
            content_type: if call.format == "ulaw" { "audio/x-mulaw" } else { "audio/x-l16" },
            sample_rate: call.sample_rate,
            now,
        }
    }

    fn unix_time(&self) -> Duration {
        (self.now)().duration_since(UNIX_EPOCH).unwrap_or_default()
    }

    fn understand<'a>(&self, text: &'a str, max_command_size: usize) -> Result<Said<'a>, CarrierFault> {
        let said = WORDS.understand(text, &self.stream_id, max_command_size)?;
        if let Said::Media(_, about) = &said {
            self.check(about)?;
        }
        Ok(said)
    }

    /// Media that is in another format than the stream's would be noise.
    fn check(&self, media: &RawValue) -> Result<(), CarrierFault> {
        let names = ["contentType", "sampleRate"];
        let [content_type, sample_rate] = fields(media.get(), names).unwrap_or_default();
        let rate = self.sample_rate.to_string();
        // A number, or a string with a number.
        let is_rate = |value: &RawValue| value.get() == rate || string(value).as_deref() == Some(&*rate);
        let fault = |field, value, allowed| {
            Err(CarrierFault::Field { kind: WORDS.media, field, found: found(value), allowed })
        };
        if content_type.and_then(string).as_deref() != Some(self.content_type) {
            return fault("media.contentType", content_type, format!("'{}'", self.content_type));
        }
        if !sample_rate.is_some_and(is_rate) {
            return fault("media.sampleRate", sample_rate, rate.clone());
        }
        Ok(())
    }

    fn start(&self, channel_id: &str) -> String {
        let Self { stream_id, call_id, account_id, content_type, sample_rate, .. } = self;
        format!(
            r#"{{"event":"start","sequenceNumber":{NUMBER},"start":{{"callId":"{call_id}","streamId":"{stream_id}","accountId":"{account_id}","tracks":["inbound"],"mediaFormat":{{"encoding":"{content_type}","sampleRate":{sample_rate}}}}},"extra_headers":{}}}"#,
            self.extra_headers(channel_id)
        )
    }

    /// The parameters of `v()` and the channel's id, as JSON.
    fn extra_headers(&self, channel_id: &str) -> Value {
        let own = self.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let pairs: Vec<String> =
            own.chain([("channel_id", channel_id)]).map(|(name, value)| format!("{name}={value}")).collect();
        Value::from(pairs.join(";"))
    }

    fn dtmf(&self, digit: char) -> String {
        format!(
            r#"{{"event":"dtmf","sequenceNumber":{NUMBER},"streamId":"{}","dtmf":{{"track":"inbound","digit":"{digit}","timestamp":"{}"}}}}"#,
            self.stream_id,
            self.unix_time().as_millis()
        )
    }

    fn played_stream(&self, name: &str) -> String {
        format!(
            r#"{{"event":"playedStream","sequenceNumber":{NUMBER},"streamId":"{}","name":{}}}"#,
            self.stream_id,
            Value::from(name)
        )
    }

    fn cleared_audio(&self) -> String {
        format!(r#"{{"event":"clearedAudio","sequenceNumber":{NUMBER},"streamId":"{}"}}"#, self.stream_id)
    }
}

#[cfg(test)]
mod tests;
