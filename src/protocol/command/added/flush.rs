//! FLUSH_MEDIA with the additions to the C module's: an answer, a flush after a mark, a fade.

use super::fields::{CommandFields, FieldError};
use crate::protocol::command::Command;

/// The command's name on the wire.
pub(super) const NAME: &str = "FLUSH_MEDIA";

/// The longest fade, ms.
pub const MAX_FADE_MS: u64 = 500;

const AFTER: &str = "after";
const FADE_MS: &str = "fade_ms";

/// What FLUSH_MEDIA asks for. The default is the C module's.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Flush {
    /// Comes back with MEDIA_FLUSHED, which is sent if there is one.
    pub correlation_id: Option<String>,
    /// What is discarded.
    pub extent: FlushExtent,
}

/// What a flush discards.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum FlushExtent {
    /// All waiting media.
    #[default]
    All,
    /// Everything after the first waiting MARK_MEDIA with this id.
    After(String),
    /// All but the first so many ms, which are faded out; 1 to [`MAX_FADE_MS`].
    Fade(u64),
}

pub(super) fn uses_addition(fields: &CommandFields<'_>) -> bool {
    ["correlation_id", AFTER, FADE_MS].iter().any(|field| fields.has(field))
}

pub(super) fn parse(
    fields: &CommandFields<'_>,
    correlation_id: Option<String>,
) -> Result<Command, FieldError> {
    const MARK_IDS: &str = "the id of a MARK_MEDIA, a string that is not empty";
    let after = fields.string(AFTER, MARK_IDS)?;
    let fade_ms = fields.number(FADE_MS, 0..=MAX_FADE_MS)?;
    let extent = match (after, fade_ms) {
        (Some(_), Some(_)) => return Err(FieldError::Together { field: AFTER, other: FADE_MS }),
        (Some(""), None) => {
            let (value, allowed) = ("\"\"".to_owned(), MARK_IDS.to_owned());
            return Err(FieldError::Wrong { field: AFTER, value, allowed });
        }
        (Some(id), None) => FlushExtent::After(id.to_owned()),
        (None, None | Some(0)) => FlushExtent::All,
        (None, Some(ms)) => FlushExtent::Fade(ms),
    };
    Ok(Command::FlushMedia(Flush { correlation_id, extent }))
}
