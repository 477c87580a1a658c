//! SEND_DTMF: digits that come out of the channel as if the far end had pressed them.

use super::fields::{CommandFields, FieldError};
use crate::protocol::command::Command;

/// The command's name on the wire.
pub(in crate::protocol::command) const NAME: &str = "SEND_DTMF";

/// The limit of digits and waits, for one command and for all waiting commands together.
pub const MAX_DIGITS: usize = 256;
/// How long a digit lasts, ms, unless the command says otherwise.
const DEFAULT_DURATION_MS: u64 = 100;
/// How long the pause after a digit lasts, ms, unless the command says otherwise.
const DEFAULT_PAUSE_MS: u64 = 60;

/// What SEND_DTMF asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendDtmf {
    /// Comes back with DTMF_SENT.
    pub correlation_id: Option<String>,
    /// `0`-`9`, `A`-`D`, `*`, `#` and `w`, at most [`MAX_DIGITS`]. Empty: waiting digits are discarded.
    pub digits: String,
    /// How long each lasts, ms.
    pub duration_ms: u64,
    /// How long the pause after each lasts, ms.
    pub pause_ms: u64,
}

pub(super) fn parse(
    fields: &CommandFields<'_>,
    correlation_id: Option<String>,
) -> Result<Command, FieldError> {
    const DIGITS: &str = "digits";
    const ALLOWED: &str =
        "a string of 0 to 9, A to D, *, # and w (half a second), or \"\" to stop those that wait";
    let is_digit = |c: char| matches!(c, '0'..='9' | 'A'..='D' | 'a'..='d' | '*' | '#' | 'w');
    let digits = fields.string_of(DIGITS, MAX_DIGITS, ALLOWED, |text| text.chars().all(is_digit))?;
    let digits = digits.ok_or_else(|| FieldError::Missing { field: DIGITS, allowed: ALLOWED.to_owned() })?;
    let duration_ms = fields.number("duration", 40..=6000)?.unwrap_or(DEFAULT_DURATION_MS);
    let pause_ms = fields.number("pause", 0..=6000)?.unwrap_or(DEFAULT_PAUSE_MS);
    let written = |c: char| if c == 'w' { c } else { c.to_ascii_uppercase() };
    let digits = digits.chars().map(written).collect();
    Ok(Command::SendDtmf(Box::new(SendDtmf { correlation_id, digits, duration_ms, pause_ms })))
}
