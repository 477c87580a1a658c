//! Times of media in events.

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
