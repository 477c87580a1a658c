//! SEND_TEXT: a text for the peer.

use super::fields::{CommandFields, FieldError};
use crate::protocol::command::Command;

/// The command's name on the wire.
pub(in crate::protocol::command) const NAME: &str = "SEND_TEXT";

/// What SEND_TEXT asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendText {
    /// Comes back with TEXT_SENT, which is sent if there is one.
    pub correlation_id: Option<String>,
    /// Not empty, and without NUL.
    pub text: String,
}

pub(super) fn parse(
    fields: &CommandFields<'_>,
    correlation_id: Option<String>,
) -> Result<Command, FieldError> {
    const TEXT: &str = "text";
    const ALLOWED: &str = "a string that is not empty, without NUL";
    let text = fields.short_string(TEXT, usize::MAX, ALLOWED, |text| !text.contains('\0'))?;
    let text = text.ok_or_else(|| FieldError::Missing { field: TEXT, allowed: ALLOWED.to_owned() })?;
    Ok(Command::SendText(Box::new(SendText { correlation_id, text: text.to_owned() })))
}
