//! `twilio`: Twilio Media Streams, bidirectional (`<Connect><Stream>`), for applications that were written for it.
//!
//! Follows, as of 2026-11-30, Twilio's public pages "Media Streams - WebSocket Messages"
//! (twilio.com/docs/voice/media-streams/websocket-messages), "Security" (twilio.com/docs/usage/security, the signature)
//! and those on warnings 31950 and 31951 (twilio.com/docs/api/errors): names, fields and their order are written there.
//! docs/dialects.md has what Asterisk does with each.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use serde_json::value::RawValue;
use sha1::Sha1;

use super::carrier_events::CarrierEvents;
use super::carrier_message::{found, inside};
use super::identity::{account_of, custom_parameters, sid};
use super::media_message::{decoded, fields, string};
use super::wire_writer::{NUMBER, PLACES, Places};
use super::{CallFacts, Dialect, Incoming, Profile, WireWriter};
use crate::protocol::command::{Command, CommandError, Flush, quoted};
use crate::protocol::event::{Event, MediaStart};
use crate::protocol::topic::{Topic, Topics};

/// See [`Profile`]. Twilio's own buffer is far larger than 1000 frames.
pub(super) const PROFILE: Profile = Profile {
    codecs: &["ulaw"],
    answers: false,
    joins_media: true,
    message_bytes: 0,
    waits: true,
    carries_parameters: true,
    carries_variables: true,
    topics: Topics::NONE.with(Topic::MediaFlushed).with(Topic::MediaStop),
};

/// The form of an account's id, for messages about an invalid one.
pub const ACCOUNT_SID: &str = "AC and 32 hexadecimal digits";

/// Whether this is the id of an account.
pub fn is_account_sid(text: &str) -> bool {
    let digits = text.strip_prefix("AC").unwrap_or_default();
    digits.len() == 32 && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
}

/// The dialect of one call.
pub(super) fn dialect(call: &CallFacts) -> Box<dyn Dialect> {
    let (stream, channel) = call.random.split_at(16);
    Box::new(Twilio {
        stream_sid: sid("MZ", stream),
        call_sid: sid("CA", channel),
        account_sid: call
            .account
            .clone()
            .unwrap_or_else(|| sid("AC", account_of(&call.system_name).get(..16).unwrap_or_default())),
        parameters: call.parameters.clone(),
    })
}

struct Twilio {
    stream_sid: String,
    call_sid: String,
    account_sid: String,
    parameters: Vec<(String, String)>,
}

/// A message that Twilio would not understand, and the number of its warning for that. Twilio ignores such a message.
#[derive(Debug, thiserror::Error)]
enum TwilioFault {
    #[error("a binary message (Twilio's warning 31950): media comes as text, in media messages")]
    Binary,
    #[error("a text that is no JSON object (Twilio's warning 31951)")]
    NotAnObject,
    #[error("event {0} (Twilio's warning 31951); allowed: 'media', 'mark' or 'clear'")]
    Event(String),
    #[error("'streamSid' of a {event} message is {found} (Twilio's warning 31951); allowed: '{own}'")]
    Stream { event: String, found: String, own: String },
    #[error("'{field}' of a {event} message is {found} (Twilio's warning 31951); allowed: {allowed}")]
    Field { event: &'static str, field: &'static str, found: String, allowed: &'static str },
    #[error(
        "a {event} message of {len_bytes} bytes exceeds the limit of {max_bytes} bytes (max_command_size)"
    )]
    TooLong { event: String, len_bytes: usize, max_bytes: usize },
}

impl Dialect for Twilio {
    fn on_text(&self, text: &str, max_command_size: usize) -> Incoming {
        self.understand(text, max_command_size).unwrap_or_else(|fault| refused(&fault))
    }

    fn on_binary(&self, _: Bytes) -> Incoming {
        refused(&TwilioFault::Binary)
    }

    fn write_event(&self, event: &Event, channel_id: &str, write: &mut dyn FnMut(String)) {
        self.write(event, channel_id, write);
    }

    fn wire_writer(&self) -> Option<WireWriter> {
        let Places { number, chunk, timestamp, payload } = PLACES;
        let around_media = format!(
            r#"{{"event":"media","sequenceNumber":"{number}","media":{{"track":"inbound","chunk":"{chunk}","timestamp":"{timestamp}","payload":"{payload}"}},"streamSid":"{}"}}"#,
            self.stream_sid
        );
        Some(WireWriter::new(Some(&around_media)))
    }

    /// HMAC-SHA1 of the URI, in base64.
    fn signature(&self, uri: &str, key: &str) -> Option<(&'static str, String)> {
        // A key may have any length.
        let mut mac = Hmac::<Sha1>::new_from_slice(key.as_bytes()).ok()?;
        mac.update(uri.as_bytes());
        Some(("X-Twilio-Signature", BASE64.encode(mac.finalize().into_bytes())))
    }
}

impl Twilio {
    fn understand(&self, text: &str, max_command_size: usize) -> Result<Incoming, TwilioFault> {
        let [event, stream, media, mark] =
            fields(text, ["event", "streamSid", "media", "mark"]).ok_or(TwilioFault::NotAnObject)?;
        let event = event.and_then(string).ok_or_else(|| TwilioFault::Event(found(event)))?;
        if !matches!(&*event, "media" | "mark" | "clear") {
            return Err(TwilioFault::Event(quoted(&event)));
        }
        if event != "media" && text.len() > max_command_size {
            let event = event.into_owned();
            return Err(TwilioFault::TooLong { event, len_bytes: text.len(), max_bytes: max_command_size });
        }
        if stream.and_then(string).as_deref() != Some(&*self.stream_sid) {
            let (event, own) = (event.into_owned(), self.stream_sid.clone());
            return Err(TwilioFault::Stream { event, found: found(stream), own });
        }
        match &*event {
            "media" => media_of(media),
            "mark" => mark_of(mark),
            // The profile subscribes to MEDIA_FLUSHED, which returns the marks.
            _ => Ok(Incoming::Command(Ok(Command::FlushMedia(Flush::default())))),
        }
    }
}

impl CarrierEvents for Twilio {
    const CONNECTED: &str = r#"{"event":"connected","protocol":"Call","version":"1.0.0"}"#;

    fn start(&self, start: &MediaStart, channel_id: &str) -> String {
        let Self { stream_sid, call_sid, account_sid, .. } = self;
        format!(
            r#"{{"event":"start","sequenceNumber":"{NUMBER}","start":{{"accountSid":"{account_sid}","streamSid":"{stream_sid}","callSid":"{call_sid}","tracks":["inbound"],"mediaFormat":{{"encoding":"audio/x-mulaw","sampleRate":8000,"channels":1}},"customParameters":{}}},"streamSid":"{stream_sid}"}}"#,
            Value::Object(custom_parameters(&start.channel_variables, &self.parameters, channel_id))
        )
    }

    fn dtmf(&self, digit: char, _duration_ms: Option<u32>) -> String {
        format!(
            r#"{{"event":"dtmf","streamSid":"{}","sequenceNumber":"{NUMBER}","dtmf":{{"track":"inbound_track","digit":"{digit}"}}}}"#,
            self.stream_sid
        )
    }

    fn mark(&self, name: &str) -> String {
        format!(
            r#"{{"event":"mark","sequenceNumber":"{NUMBER}","streamSid":"{}","mark":{{"name":{}}}}}"#,
            self.stream_sid,
            Value::from(name)
        )
    }

    fn stop(&self) -> String {
        let Self { stream_sid, call_sid, account_sid, .. } = self;
        format!(
            r#"{{"event":"stop","sequenceNumber":"{NUMBER}","streamSid":"{stream_sid}","stop":{{"accountSid":"{account_sid}","callSid":"{call_sid}"}}}}"#
        )
    }
}

fn media_of(media: Option<&RawValue>) -> Result<Incoming, TwilioFault> {
    let payload = inside(media, "payload");
    let media = payload.and_then(string).and_then(|payload| decoded(&payload));
    media.map(Incoming::Media).ok_or_else(|| TwilioFault::Field {
        event: "media",
        field: "media.payload",
        found: found(payload),
        allowed: "a string in base64",
    })
}

fn mark_of(mark: Option<&RawValue>) -> Result<Incoming, TwilioFault> {
    let name = inside(mark, "name");
    let correlation_id = name.and_then(string).ok_or_else(|| TwilioFault::Field {
        event: "mark",
        field: "mark.name",
        found: found(name),
        allowed: "a string",
    })?;
    let correlation_id = Some(correlation_id.into_owned()).filter(|name| !name.is_empty());
    Ok(Incoming::Command(Ok(Command::MarkMedia { correlation_id })))
}

fn refused(fault: &TwilioFault) -> Incoming {
    Incoming::Command(Err(CommandError::Dialect(fault.to_string())))
}

#[cfg(test)]
mod tests;
