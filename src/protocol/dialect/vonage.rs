//! `vonage`: WebSockets of the Vonage Voice API, for applications that were written for it.
//!
//! Follows, as of 2026-11-30, Vonage's public page "WebSockets in the Vonage Voice API"
//! (developer.vonage.com/en/voice/voice-api/guides/websockets): names, fields and their order are written there.
//! docs/dialects.md has what Asterisk does with each.

use serde_json::Value;
use serde_json::value::RawValue;

use super::carrier_message::{CarrierFault, found};
use super::identity::custom_parameters;
use super::media_message::{fields, string};
use super::{CallFacts, Dialect, Incoming, Profile};
use crate::protocol::command::{Command, Flush};
use crate::protocol::event::{AddedEvent, Event, MediaStart};
use crate::protocol::topic::{Topic, Topics};

/// See [`Profile`]. Vonage's own buffer has 3072 messages.
pub(super) const PROFILE: Profile = Profile {
    codecs: &["slin16", "slin", "slin24"],
    answers: false,
    joins_media: true,
    message_bytes: 0,
    waits: true,
    carries_parameters: true,
    carries_variables: true,
    topics: Topics::NONE.with(Topic::MediaFlushed),
};

/// The dialect of one call.
pub(super) fn dialect(call: &CallFacts) -> Box<dyn Dialect> {
    Box::new(Vonage { sample_rate: call.sample_rate, parameters: call.parameters.clone() })
}

struct Vonage {
    sample_rate: u32,
    parameters: Vec<(String, String)>,
}

impl Dialect for Vonage {
    fn on_text(&self, text: &str, max_command_size: usize) -> Incoming {
        match understand(text, max_command_size) {
            Ok(command) => Incoming::Command(Ok(command)),
            Err(fault) => fault.refused(),
        }
    }

    fn write_event(&self, event: &Event, channel_id: &str, write: &mut dyn FnMut(String)) {
        match event {
            Event::MediaStart(start) => write(self.connected(start, channel_id)),
            Event::DtmfEnd { digit, duration_ms } => {
                let duration = duration_ms.unwrap_or_default();
                write(format!(r#"{{"event":"websocket:dtmf","digit":"{digit}","duration":{duration}}}"#));
            }
            Event::MediaMarkProcessed { correlation_id, .. } => {
                write(notify(correlation_id.as_deref().unwrap_or("{}")));
            }
            Event::Added(added) => {
                // The waiting notifications are sent before the confirmation of the clear.
                if let AddedEvent::MediaFlushed(flushed) = &**added {
                    flushed.marks.iter().for_each(|payload| write(notify(payload)));
                    write(r#"{"event":"websocket:cleared"}"#.to_owned());
                }
            }
            _ => {}
        }
    }
}

impl Vonage {
    /// The opening message: its two own fields and the parameters. A parameter with the name of an own field is left
    /// out.
    fn connected(&self, start: &MediaStart, channel_id: &str) -> String {
        let mut parameters = custom_parameters(&start.channel_variables, &self.parameters, channel_id);
        parameters.retain(|name, _| name != "event" && name != "content-type");
        let parameters = Value::Object(parameters).to_string();
        let parameters = parameters.strip_prefix('{').unwrap_or_default();
        let rate = self.sample_rate;
        format!(r#"{{"event":"websocket:connected","content-type":"audio/l16;rate={rate}",{parameters}"#)
    }
}

/// `payload` is JSON, as it was received.
fn notify(payload: &str) -> String {
    format!(r#"{{"event":"websocket:notify","payload":{payload}}}"#)
}

fn understand(text: &str, max_command_size: usize) -> Result<Command, CarrierFault> {
    let [action, payload] = fields(text, ["action", "payload"]).ok_or(CarrierFault::NotAnObject)?;
    let kind = match action.and_then(string).as_deref() {
        Some("clear") => "clear",
        Some("notify") => "notify",
        _ => {
            let (found, allowed) = (found(action), "'clear' or 'notify'".to_owned());
            return Err(CarrierFault::Kind { field: "action", found, allowed });
        }
    };
    if text.len() > max_command_size {
        return Err(CarrierFault::TooLong { kind, len_bytes: text.len(), max_bytes: max_command_size });
    }
    match kind {
        "clear" => Ok(Command::FlushMedia(Flush::default())),
        _ => notify_of(payload),
    }
}

/// The payload is sent back unchanged, so it is the mark's id.
fn notify_of(payload: Option<&RawValue>) -> Result<Command, CarrierFault> {
    let object = payload.filter(|payload| payload.get().starts_with('{'));
    let object = object.ok_or_else(|| CarrierFault::Field {
        kind: "notify",
        field: "payload",
        found: found(payload),
        allowed: "an object".to_owned(),
    })?;
    Ok(Command::MarkMedia { correlation_id: Some(object.get().to_owned()) })
}

#[cfg(test)]
mod tests;
