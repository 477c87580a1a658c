//! The counters of a call.

use std::time::Duration;

use crate::report::metric::Histogram;

/// Counters of one call for its log line and the CLI. All only grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SessionStats {
    /// Binary messages that came.
    pub messages: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// Text messages that came.
    pub commands: u64,
    /// Text messages that were answered with an ERROR.
    pub commands_refused: u64,
    /// The name of the last valid command.
    pub last_command: Option<&'static str>,
    /// Frames that were queued: they were played, flushed, or dropped because too much waited, or they still wait.
    pub frames_in: u64,
    /// Frames that went to the core.
    pub frames_played: u64,
    /// Playing time of these frames.
    pub media_played: Duration,
    /// Frames of silence that went to the core in addition (`silence_fill`).
    pub frames_filled: u64,
    /// Frames that FLUSH_MEDIA dropped.
    pub frames_flushed: u64,
    /// Playing time of these frames.
    pub media_flushed: Duration,
    /// Frames in messages that found the queue full, as far as each message alone shows.
    pub frames_dropped: u64,
    /// Live frames that were dropped because too much waited.
    pub frames_dropped_late: u64,
    /// Playing time of both together; of messages that found the queue full, only the whole frames count.
    pub media_dropped: Duration,
    /// The part of `media_dropped` that was dropped because too much waited.
    pub media_dropped_late: Duration,
    /// Messages that found the queue full.
    pub messages_dropped: u64,
    /// Messages that came while the direction was `in`.
    pub messages_unwanted: u64,
    /// Bytes that filled no frame and were dropped, outside bulk media or at a flush.
    pub bytes_cut_off: u64,
    /// How often a frame was due and none waited; counted once per silence.
    pub underruns: u64,
    /// Reads that were late by a whole frame or more.
    pub late_reads: u64,
    /// How late the latest read was.
    pub longest_lateness: Duration,
    /// The most frames that ever waited.
    pub queue_high_water: usize,
    /// How long played frames had waited since their message arrived.
    pub queue_wait: Histogram,
    /// The longest of these waits.
    pub longest_queue_wait: Duration,
    /// How late played frames were read.
    pub lateness: Histogram,
}

impl SessionStats {
    /// Counts a frame of this length that goes to the core, `waited` after the arrival of its message and `lateness`
    /// late.
    pub(super) fn played(&mut self, duration: Duration, waited: Duration, lateness: Duration) {
        self.frames_played += 1;
        self.media_played += duration;
        self.queue_wait.record(waited);
        self.longest_queue_wait = self.longest_queue_wait.max(waited);
        self.lateness.record(lateness);
        self.late_reads += u64::from(lateness >= duration);
        self.longest_lateness = self.longest_lateness.max(lateness);
    }
}
