//! Times of media in events.

use serde::Serialize;

/// What STATUS says more of after a SUBSCRIBE. Times are ms of media.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MediaTimes {
    /// Waits for the core.
    pub queued_ms: u64,
    /// Went to the core.
    pub played_ms: u64,
    /// Was dropped.
    pub dropped_ms: u64,
    /// MARK_MEDIA that wait for the media before them.
    pub marks_waiting: usize,
}

/// MEDIA_DROPPED. Times are ms of media.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct MediaDropped {
    /// Since the last one for this reason.
    pub dropped_ms: u64,
    /// Since the call began, for this reason.
    pub total_dropped_ms: u64,
    /// Why.
    pub reason: DropReason,
}

/// Why media was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum DropReason {
    /// It found the queue full.
    QueueFull,
    /// More live media than may waited.
    MaxLatency,
    /// The application did not read it in time.
    OutQueue,
}

impl DropReason {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::QueueFull, Self::MaxLatency, Self::OutQueue];
}
