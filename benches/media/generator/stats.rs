//! What the generator measures.

use hdrhistogram::Histogram;

/// Times up to a minute, to three digits. Recorded in nanoseconds.
#[derive(Debug, Clone)]
pub struct Times(Histogram<u64>);

const LONGEST_NS: u64 = 60_000_000_000;

impl Default for Times {
    fn default() -> Self {
        // Only absurd bounds or digits are refused.
        Self(Histogram::new_with_bounds(1000, LONGEST_NS, 3).unwrap_or_else(|_| unreachable!()))
    }
}

impl Times {
    /// Adds one.
    pub fn record(&mut self, nanos: u64) {
        self.0.saturating_record(nanos);
    }

    /// Adds all of another's.
    pub fn merge(&mut self, other: &Self) {
        // Same bounds everywhere.
        let _ = self.0.add(&other.0);
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// A percentile, ms; 0 if there are none.
    pub fn percentile_ms(&self, percentile: f64) -> f64 {
        if self.0.is_empty() { 0.0 } else { self.0.value_at_percentile(percentile) as f64 / 1e6 }
    }

    /// The longest, ms; 0 if there are none.
    pub fn max_ms(&self) -> f64 {
        self.0.max() as f64 / 1e6
    }
}

/// What happened between opening a window and closing it.
#[derive(Debug, Clone, Default)]
pub struct Window {
    /// Media frames sent.
    pub sent: u64,
    /// Media frames received.
    pub received: u64,
    /// From sending a frame to receiving it.
    pub latency: Times,
    /// How much the time between two frames differs from the time between their sending.
    pub jitter: Times,
    /// From GET_STATUS to STATUS.
    pub status: Times,
    /// From the first byte of a bulk of media to the STATUS after it.
    pub ingest: Times,
    /// Frames of bulk that Asterisk said it had queued.
    pub ingested: u64,
    /// Bulks that were due while the one before was not yet taken.
    pub overrun: u64,
    /// How late the generator itself sent.
    pub own_lateness: Times,
    /// How long the generator took from waking up to having read everything.
    pub own_turns: Times,
}

impl Window {
    /// Adds another worker's.
    pub fn merge(&mut self, other: &Self) {
        self.sent += other.sent;
        self.received += other.received;
        self.ingested += other.ingested;
        self.overrun += other.overrun;
        self.latency.merge(&other.latency);
        self.jitter.merge(&other.jitter);
        self.status.merge(&other.status);
        self.ingest.merge(&other.ingest);
        self.own_lateness.merge(&other.own_lateness);
        self.own_turns.merge(&other.own_turns);
    }
}

/// Since the generator was started, all connections together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Media frames sent.
    pub sent: u64,
    /// Media frames received whole.
    pub received: u64,
    /// Of them, those that came after a later one, or twice.
    pub out_of_order: u64,
    /// Media messages with a wrong byte or length.
    pub corrupt: u64,
    /// MEDIA_POSITION events received.
    pub positions: u64,
}

impl Totals {
    /// Adds another's.
    pub fn merge(&mut self, other: Self) {
        self.sent += other.sent;
        self.received += other.received;
        self.out_of_order += other.out_of_order;
        self.corrupt += other.corrupt;
        self.positions += other.positions;
    }
}

/// A frame's way, for looking at the course of things: when it was received, and its latency, both in ns.
#[derive(Debug, Clone, Copy)]
pub struct Point {
    /// By [`clock::now`](crate::clock::now).
    pub at: u64,
    /// From sending to receiving.
    pub latency: u64,
}
