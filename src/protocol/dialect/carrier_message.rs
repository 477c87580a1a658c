//! Messages of applications that were written for a carrier: JSON with media, marks and clears. Each carrier has its
//! own words for them.

use bytes::Bytes;
use serde_json::value::RawValue;

use super::Incoming;
use super::media_message::{decoded, fields, string};
use crate::protocol::command::{Command, CommandError, Flush};
use crate::report::table::shortened;

/// A carrier's words.
#[derive(Debug, Clone, Copy)]
pub(super) struct Words {
    /// `event` of a message with media.
    pub(super) media: &'static str,
    /// `event` of a message that requests a report when all media before it has been played.
    pub(super) mark: &'static str,
    /// The object that has the mark's `name`; `None`: the message itself.
    pub(super) mark_in: Option<&'static str>,
    /// `event` of a message that discards the media that has not been played.
    pub(super) clear: &'static str,
    /// The field with the stream's id. A message may omit it, but may not name another stream.
    pub(super) stream: &'static str,
}

/// A message of the application.
#[derive(Debug)]
pub(super) enum Said<'a> {
    /// Media, and the object in which it came.
    Media(Bytes, &'a RawValue),
    /// Report when playback reaches this place.
    Mark(String),
    /// Discard the waiting media.
    Clear,
}

/// A message that the carrier would not understand.
#[derive(Debug, thiserror::Error)]
pub(super) enum CarrierFault {
    #[error("a binary message: media comes as text, in {0} messages")]
    Binary(&'static str),
    #[error("a text that is no JSON object")]
    NotAnObject,
    #[error("'{field}' is {found}; allowed: {allowed}")]
    Kind { field: &'static str, found: String, allowed: String },
    #[error("'{field}' of a {kind} message is {found}; allowed: {allowed}")]
    Field { kind: &'static str, field: &'static str, found: String, allowed: String },
    #[error(
        "a {kind} message of {len_bytes} bytes exceeds the limit of {max_bytes} bytes (max_command_size)"
    )]
    TooLong { kind: &'static str, len_bytes: usize, max_bytes: usize },
}

impl CarrierFault {
    /// The refused message, for the session to answer.
    pub(super) fn refused(&self) -> Incoming {
        Incoming::Command(Err(CommandError::Dialect(self.to_string())))
    }
}

/// The field with the media in a media message.
pub(super) const PAYLOAD: &str = "media.payload";

impl Words {
    /// Parses a message. `own`: the id of the call's stream. `max_command_size` is in bytes and limits messages without
    /// media.
    ///
    /// # Errors
    /// What is wrong with it, and what is allowed.
    pub(super) fn understand<'a>(
        &self,
        text: &'a str,
        own: &str,
        max_command_size: usize,
    ) -> Result<Said<'a>, CarrierFault> {
        let names = ["event", self.stream, "media", self.mark_in.unwrap_or("name")];
        let [event, stream, media, mark] = fields(text, names).ok_or(CarrierFault::NotAnObject)?;
        let kind = self.kind(event)?;
        if kind != self.media && text.len() > max_command_size {
            return Err(CarrierFault::TooLong { kind, len_bytes: text.len(), max_bytes: max_command_size });
        }
        if stream.is_some_and(|stream| string(stream).as_deref() != Some(own)) {
            return Err(CarrierFault::Field {
                kind,
                field: self.stream,
                found: found(stream),
                allowed: format!("'{own}', or none"),
            });
        }
        match kind {
            _ if kind == self.media => media_of(kind, media),
            _ if kind == self.mark => self.mark_of(mark),
            _ => Ok(Said::Clear),
        }
    }

    fn kind(&self, event: Option<&RawValue>) -> Result<&'static str, CarrierFault> {
        let words = [self.media, self.mark, self.clear];
        let kind = event.and_then(string).and_then(|event| words.into_iter().find(|word| *word == event));
        kind.ok_or_else(|| CarrierFault::Kind {
            field: "event",
            found: found(event),
            allowed: format!("'{}', '{}' or '{}'", self.media, self.mark, self.clear),
        })
    }

    fn mark_of(&self, mark: Option<&RawValue>) -> Result<Said<'static>, CarrierFault> {
        let (field, name) = match self.mark_in {
            Some(_) => ("mark.name", inside(mark, "name")),
            None => ("name", mark),
        };
        let said = name.and_then(string).map(|name| Said::Mark(name.into_owned()));
        said.ok_or_else(|| CarrierFault::Field {
            kind: self.mark,
            field,
            found: found(name),
            allowed: "a string".to_owned(),
        })
    }
}

fn media_of<'a>(kind: &'static str, media: Option<&'a RawValue>) -> Result<Said<'a>, CarrierFault> {
    let payload = inside(media, "payload");
    let said = payload.and_then(string).and_then(|payload| decoded(&payload)).zip(media);
    said.map(|(payload, about)| Said::Media(payload, about)).ok_or_else(|| CarrierFault::Field {
        kind,
        field: PAYLOAD,
        found: found(payload),
        allowed: "a string in base64".to_owned(),
    })
}

impl Said<'_> {
    /// The message as the session takes it.
    pub(super) fn incoming(self) -> Incoming {
        match self {
            Self::Media(media, _) => Incoming::Media(media),
            Self::Mark(name) => {
                let correlation_id = Some(name).filter(|name| !name.is_empty());
                Incoming::Command(Ok(Command::MarkMedia { correlation_id }))
            }
            // The profile subscribes to MEDIA_FLUSHED, which answers this.
            Self::Clear => Incoming::Command(Ok(Command::FlushMedia(Flush::default()))),
        }
    }
}

/// A field of an object.
pub(super) fn inside<'a>(object: Option<&'a RawValue>, name: &'static str) -> Option<&'a RawValue> {
    object.and_then(|object| fields(object.get(), [name])).and_then(|[field]| field)
}

/// The value of a field, for an error message.
pub(super) fn found(value: Option<&RawValue>) -> String {
    const MAX_CHARS: usize = 64;
    value.map_or("missing".to_owned(), |value| shortened(value.get(), MAX_CHARS))
}
