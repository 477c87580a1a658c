//! Events about the application's media: its position and its end.

use std::time::Duration;

use serde::Serialize;

/// A time in the form of events: whole ms.
pub fn whole_ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// The fields that STATUS has in addition after a SUBSCRIBE. Times are ms of media.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MediaTimes {
    /// Waits for the core.
    pub queued_ms: u64,
    /// Went to the core.
    pub played_ms: u64,
    /// Was dropped.
    pub dropped_ms: u64,
    /// MARK_MEDIA commands that wait for the media before them.
    pub marks_waiting: usize,
}

/// What MEDIA_POSITION says. Times are ms of media.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct MediaPosition {
    /// Went to the core.
    pub played_ms: u64,
    /// Waits for it.
    pub queued_ms: u64,
}

/// What MEDIA_FLUSHED says. Times are ms of media.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MediaFlushed {
    /// The command's; empty without one.
    pub correlation_id: String,
    /// Was discarded.
    pub flushed_ms: u64,
    /// The same in frames.
    pub flushed_frames: usize,
    /// Had gone to the core before.
    pub played_ms: u64,
    /// The ids of MARK_MEDIA that were discarded: their events are not sent.
    pub marks: Vec<String>,
    /// The ids of STOP_MEDIA_BUFFERING that were discarded: their events are not sent.
    pub bulk: Vec<String>,
}

/// What MEDIA_DROPPED says. Times are ms of media.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct MediaDropped {
    /// Dropped since the last event with this reason.
    pub dropped_ms: u64,
    /// Dropped since the call began, for this reason.
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
    /// More live media waited than `max_latency` allows.
    MaxLatency,
    /// The application did not read it in time.
    OutQueue,
}

impl DropReason {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::QueueFull, Self::MaxLatency, Self::OutQueue];
}

/// What MEDIA_STOP says. Times are ms, of media except `duration_ms` and `longest_stall_ms`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MediaStop {
    /// What ended the call.
    pub ended_by: &'static str,
    /// The hangup cause, by its number in Q.850.
    pub cause: u32,
    /// Asterisk's words for it.
    pub cause_txt: String,
    /// Since the connection came up.
    pub duration_ms: u64,
    /// Went to the core.
    pub played_ms: u64,
    /// Still waited for it.
    pub queued_ms: u64,
    /// Was dropped.
    pub dropped_ms: u64,
    /// Frames of the application that were queued.
    pub frames_in: u64,
    /// Frames to the application.
    pub frames_out: u64,
    /// How often a frame was due and none waited.
    pub underruns: u64,
    /// How late the latest read of a frame by the core was.
    pub longest_stall_ms: u64,
}
