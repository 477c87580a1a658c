//! SEND_EVENT: an event from the application to the listeners of ARI and AMI.

use super::fields::{CommandFields, FieldError};
use crate::protocol::command::Command;

/// The command's name on the wire.
pub(in crate::protocol::command) const NAME: &str = "SEND_EVENT";

/// Bytes of the event's name.
const MAX_NAME_BYTES: usize = 128;

/// The key of the event's name in ARI.
const EVENT_NAME: &str = "eventname";

/// What SEND_EVENT asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendEvent {
    /// Comes back with EVENT_SENT.
    pub correlation_id: Option<String>,
    /// 1 to 128 bytes, no control characters.
    pub name: String,
    /// A JSON object as the application has written it, without a key `eventname`.
    pub data: String,
}

pub(super) fn parse(
    fields: &CommandFields<'_>,
    correlation_id: Option<String>,
) -> Result<Command, FieldError> {
    const FIELD: &str = "name";
    const NAMES: &str = "a string of 1 to 128 bytes, without control characters";
    let name =
        fields.short_string(FIELD, MAX_NAME_BYTES, NAMES, |name| !name.chars().any(char::is_control))?;
    let name = name.ok_or_else(|| FieldError::Missing { field: FIELD, allowed: NAMES.to_owned() })?;
    Ok(Command::SendEvent(Box::new(SendEvent { correlation_id, name: name.to_owned(), data: data(fields)? })))
}

fn data(fields: &CommandFields<'_>) -> Result<String, FieldError> {
    const FIELD: &str = "data";
    const OBJECTS: &str = "a JSON object without a key \"eventname\"";
    match fields.object(FIELD, OBJECTS)? {
        Some(data) if data.object.contains_key(EVENT_NAME) => {
            let (value, allowed) = (format!("an object with the key \"{EVENT_NAME}\""), OBJECTS.to_owned());
            Err(FieldError::Wrong { field: FIELD, value, allowed })
        }
        Some(data) => Ok(data.text),
        None => Ok("{}".to_owned()),
    }
}
