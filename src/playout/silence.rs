//! A frame of silence in a call's format (`silence_fill`). Asterisk's translators make it.

use std::time::Duration;

use bytes::Bytes;

/// One frame that a call's gaps are filled with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SilenceFrame {
    /// Not empty; shared by all frames of it.
    pub payload: Bytes,
    /// Samples in it.
    pub samples: u32,
    /// How long it lasts; not zero.
    pub duration: Duration,
}
