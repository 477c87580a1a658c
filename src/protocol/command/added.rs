//! Commands that the C module does not have, and FLUSH_MEDIA where it has fields that the C module does not know. They
//! are spelled in JSON only.
//!
//! A new command is a file with its name and its `parse`, a row of [`ADDED`], and a variant of [`Command`].

mod fields;
mod flush;
mod send_dtmf;
mod send_event;
mod send_text;
mod subscribe;
mod transfer;

use std::fmt::Display;

use serde_json::{Map, Value};

use self::fields::{CommandFields, FieldError};
use super::{Command, CommandError};

pub use self::flush::{Flush, FlushExtent, MAX_FADE_MS};
pub(super) use self::send_dtmf::NAME as SEND_DTMF;
pub use self::send_dtmf::{MAX_DIGITS, SendDtmf};
pub(super) use self::send_event::NAME as SEND_EVENT;
pub use self::send_event::SendEvent;
pub(super) use self::send_text::NAME as SEND_TEXT;
pub use self::send_text::SendText;
pub(super) use self::subscribe::NAME as SUBSCRIBE;
pub use self::subscribe::{DEFAULT_POSITION_INTERVAL_MS, Subscribe};
pub(super) use self::transfer::NAME as TRANSFER;
pub use self::transfer::Transfer;

type Parse = fn(&CommandFields<'_>, Option<String>) -> Result<Command, FieldError>;

/// The added commands: name, and how its fields are read.
const ADDED: &[(&str, Parse)] = &[
    (SUBSCRIBE, subscribe::parse),
    (SEND_DTMF, send_dtmf::parse),
    (SEND_TEXT, send_text::parse),
    (SEND_EVENT, send_event::parse),
    (TRANSFER, transfer::parse),
];

/// An added command that is refused. Displays as the ERROR event's `error_text`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{error_text}")]
pub struct RequestError {
    /// The command's name.
    pub command: &'static str,
    /// Its id, if it has a valid one.
    pub correlation_id: Option<String>,
    /// The text, on one line.
    pub error_text: String,
}

impl RequestError {
    /// The error that refuses `command`; `why` is the reason.
    pub fn new(command: &'static str, correlation_id: Option<String>, why: impl Display) -> Self {
        Self { command, correlation_id, error_text: format!("{command}: {why}") }
    }
}

/// The error for an added command on a call whose control messages are plain text; `None` if `name` is not an added
/// one.
pub(super) fn in_plain_text(name: &str) -> Option<CommandError> {
    let (command, _) = *ADDED.iter().find(|(added, _)| *added == name)?;
    let error_text = format!("{command} only supports JSON format.");
    Some(CommandError::Request(Box::new(RequestError { command, correlation_id: None, error_text })))
}

/// The command in `object`, which was parsed from `text`, if `name` is an added one or one that uses an addition.
pub(super) fn parse(
    name: &str,
    object: &Map<String, Value>,
    text: &str,
) -> Option<Result<Command, CommandError>> {
    let fields = CommandFields { object, text };
    let (command, parse) = match ADDED.iter().find(|(added, _)| *added == name) {
        Some(row) => *row,
        None if name == flush::NAME && flush::uses_addition(&fields) => (flush::NAME, flush::parse as Parse),
        None => return None,
    };
    let refused = |correlation_id, error: FieldError| {
        CommandError::Request(Box::new(RequestError::new(command, correlation_id, error)))
    };
    Some(match fields.correlation_id() {
        Ok(id) => parse(&fields, id.clone()).map_err(|error| refused(id, error)),
        Err(error) => Err(refused(None, error)),
    })
}

#[cfg(test)]
mod tests;
