//! What was sent on one connection, and what was not.

use std::ops::AddAssign;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

/// Media that an application did not read in time.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Dropped {
    /// Media messages (frames of the core).
    pub messages: u64,
    /// Their playing time.
    pub media: Duration,
}

impl AddAssign for Dropped {
    fn add_assign(&mut self, more: Self) {
        self.messages += more.messages;
        self.media += more.media;
    }
}

/// Totals of a call's output, over all its connections.
#[derive(Debug, Default)]
pub struct OutCounters {
    /// Media messages handed to the socket or queued.
    pub media_messages: AtomicU64,
    /// Their payload bytes.
    pub media_bytes: AtomicU64,
    /// Media messages dropped because the application read too slowly.
    pub media_dropped: AtomicU64,
    /// Their playing time, ns.
    pub media_dropped_ns: AtomicU64,
    /// Text messages (events).
    pub events: AtomicU64,
    /// The most media that ever waited, ns of playing time.
    pub queue_high_water_ns: AtomicU64,
    /// How long the application took nothing although something waited for it, ns, all times together.
    pub blocked_ns: AtomicU64,
    /// The longest of these times, ns.
    pub longest_block_ns: AtomicU64,
}

/// The time in ns, for the counters of times.
pub(super) fn as_nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
