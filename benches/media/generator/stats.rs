//! The measurements of the generator.

use hdrhistogram::Histogram;

/// Times of up to a minute, with three digits. Recorded in nanoseconds.
#[derive(Debug, Clone)]
pub struct Times(Histogram<u64>);

const LONGEST_NS: u64 = 60_000_000_000;

impl Default for Times {
    fn default() -> Self {
        // The constructor refuses only invalid bounds or digits.
        Self(Histogram::new_with_bounds(1000, LONGEST_NS, 3).unwrap_or_else(|_| unreachable!()))
    }
}

impl Times {
    /// Adds a time.
    pub fn record(&mut self, nanos: u64) {
        self.0.saturating_record(nanos);
    }

    /// Adds all times of another.
    pub fn merge(&mut self, other: &Self) {
        // All have the same bounds.
        let _ = self.0.add(&other.0);
    }

    /// The number of times.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// A percentile in ms; 0 without times.
    pub fn percentile_ms(&self, percentile: f64) -> f64 {
        if self.0.is_empty() { 0.0 } else { self.0.value_at_percentile(percentile) as f64 / 1e6 }
    }

    /// The longest time in ms; 0 without times.
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
    /// Time from sending a frame to receiving it.
    pub latency: Times,
    /// The difference between the interval of two received frames and the interval in which they were sent.
    pub jitter: Times,
    /// Time from GET_STATUS to STATUS.
    pub status: Times,
    /// Time from the first byte of a bulk to the STATUS after it.
    pub ingest: Times,
    /// Frames of bulk media that Asterisk has reported as queued.
    pub ingested: u64,
    /// Bulks that were due before the previous one was taken.
    pub overrun: u64,
    /// How late the generator itself sent.
    pub own_lateness: Times,
    /// The time from waking up until the generator had read everything.
    pub own_turns: Times,
}

impl Window {
    /// Adds those of another worker.
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

/// Counts since the generator was started, of all connections together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Media frames sent.
    pub sent: u64,
    /// Media frames received undamaged.
    pub received: u64,
    /// Those of them that came after a later one, or twice.
    pub out_of_order: u64,
    /// Media messages with a wrong byte or length.
    pub corrupt: u64,
    /// MEDIA_POSITION events received.
    pub positions: u64,
}

impl Totals {
    /// Adds those of another.
    pub fn merge(&mut self, other: Self) {
        self.sent += other.sent;
        self.received += other.received;
        self.out_of_order += other.out_of_order;
        self.corrupt += other.corrupt;
        self.positions += other.positions;
    }
}

/// A received frame: when it was received, and its latency, both in ns.
#[derive(Debug, Clone, Copy)]
pub struct Point {
    /// By [`clock::now`](crate::clock::now).
    pub at: u64,
    /// The time from sending to receiving.
    pub latency: u64,
}
