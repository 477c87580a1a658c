//! A frame of silence in a call's format (`silence_fill`). Asterisk's translators make it.

use std::time::Duration;

use bytes::Bytes;

/// A frame of silence that fills a call's gaps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SilenceFrame {
    /// Not empty; all frames share its memory.
    pub payload: Bytes,
    /// Samples in it.
    pub samples: u32,
    /// How long it lasts; not zero.
    pub duration: Duration,
}
