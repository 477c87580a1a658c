//! TRANSFER: the other side of the bridge goes to an extension.

use super::fields::{CommandFields, FieldError};
use crate::protocol::command::Command;

/// The command's name on the wire.
pub(in crate::protocol::command) const NAME: &str = "TRANSFER";

/// Bytes of an extension or a context: one less than `AST_MAX_EXTENSION` and `AST_MAX_CONTEXT` (asterisk/channel.h).
const MAX_BYTES: usize = 79;

/// What TRANSFER asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    /// Comes back with TRANSFERRED.
    pub correlation_id: Option<String>,
    /// 1 to 79 bytes; no control characters, `@` or `/`.
    pub exten: String,
    /// `None`: the permitted context, if there is exactly one.
    pub context: Option<String>,
}

pub(super) fn parse(
    fields: &CommandFields<'_>,
    correlation_id: Option<String>,
) -> Result<Command, FieldError> {
    const EXTEN: &str = "exten";
    // A transfer of several parties dials Local/<exten>@<context>, where these two would lead elsewhere.
    const EXTENS: &str = "a string of 1 to 79 bytes, without control characters, '@' and '/'";
    const CONTEXTS: &str = "a string of 1 to 79 bytes, without control characters";
    let is_exten = |text: &str| !text.chars().any(|c| c.is_control() || c == '@' || c == '/');
    let exten = fields.short_string(EXTEN, MAX_BYTES, EXTENS, is_exten)?;
    let exten = exten.ok_or_else(|| FieldError::Missing { field: EXTEN, allowed: EXTENS.to_owned() })?;
    let is_context = |text: &str| !text.chars().any(char::is_control);
    let context = fields.short_string("context", MAX_BYTES, CONTEXTS, is_context)?;
    let (exten, context) = (exten.to_owned(), context.map(str::to_owned));
    Ok(Command::Transfer(Box::new(Transfer { correlation_id, exten, context })))
}
