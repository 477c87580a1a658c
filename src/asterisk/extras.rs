//! Callbacks of the tech that not every channel has.

/// Callbacks that a channel has if its application asks for their events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Extras {
    /// For the begin of digits.
    pub(crate) digit_begins: bool,
    /// For texts.
    pub(crate) texts: bool,
}
