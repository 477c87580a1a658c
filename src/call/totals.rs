//! What all calls did together, including those that are over.

use std::collections::BTreeMap;
use std::ops::AddAssign;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::call::report::{CallReport, METRICS, Metric};
use crate::call::role::PerRole;
use crate::report::call_stats::{EndedBy, Ending};
use crate::report::direct_bridge::{ByReason, NotDirect};
use crate::report::metric::{Histogram, Unit, Value};

/// From here on, close codes are an application's own. They are counted together per thousand, so that no application
/// can make the list long.
const OWN_CLOSE_CODES: u16 = 3000;

/// The traffic of one call, or of many together. Every value only grows.
#[derive(Debug, Clone)]
pub struct Traffic {
    /// One sum for each of a call's metrics that has a total, in their order.
    sums: Vec<Value>,
    /// Frames to applications in direct bridges that went through a channel's thread.
    not_direct: ByReason,
    /// The same for frames from applications.
    played_not_direct: ByReason,
    /// How long frames waited for the core.
    pub queue_wait: Histogram,
    /// How late the core read frames.
    pub lateness: Histogram,
    /// Time from MEDIA_START to the application's first media.
    pub first_media: Histogram,
    /// Round trips of pings.
    pub ping_rtt: Histogram,
}

impl Default for Traffic {
    fn default() -> Self {
        let nothing = |metric: &Metric| match metric.unit {
            Unit::Milliseconds => Value::Milliseconds(Duration::ZERO),
            _ => Value::Number(0),
        };
        let sums = summed().map(|(metric, _)| nothing(metric)).collect();
        let (queue_wait, lateness, first_media, ping_rtt) = Default::default();
        let (not_direct, played_not_direct) = Default::default();
        Self { sums, not_direct, played_not_direct, queue_wait, lateness, first_media, ping_rtt }
    }
}

impl Traffic {
    /// The traffic of one call so far.
    pub fn of(call: &CallReport<'_>) -> Self {
        let record = &call.call.stats;
        let mut first_media = Histogram::default();
        if let Some(time) = record.first_media() {
            first_media.record(time);
        }
        Self {
            sums: summed().map(|(metric, _)| (metric.get)(call)).collect(),
            not_direct: call.call.direct.not_direct(),
            played_not_direct: call.call.played_directly.not_direct(),
            queue_wait: call.stats.queue_wait,
            lateness: call.stats.lateness,
            first_media,
            ping_rtt: record.round_trips(),
        }
    }

    /// The metric that is summed up, the meaning of the sum, and the sum.
    pub fn sums(&self) -> impl Iterator<Item = (&'static Metric, &'static str, &Value)> {
        summed().zip(&self.sums).map(|((metric, help), sum)| (metric, help, sum))
    }

    /// Frames to applications in direct bridges that went through a channel's thread.
    pub fn not_direct(&self) -> ByReason {
        self.not_direct
    }

    /// The same for frames from applications.
    pub fn played_not_direct(&self) -> ByReason {
        self.played_not_direct
    }

    /// Adds frames whose call is not known.
    pub fn count_not_direct(&mut self, reason: NotDirect, frames: u64) {
        if let Some(count) = self.not_direct.get_mut(reason as usize) {
            *count += frames;
        }
    }
}

impl AddAssign for Traffic {
    fn add_assign(&mut self, other: Self) {
        for (sum, more) in self.sums.iter_mut().zip(other.sums) {
            *sum += more;
        }
        let by_reason = self.not_direct.iter_mut().chain(&mut self.played_not_direct);
        for (count, more) in by_reason.zip(other.not_direct.into_iter().chain(other.played_not_direct)) {
            *count += more;
        }
        self.queue_wait += other.queue_wait;
        self.lateness += other.lateness;
        self.first_media += other.first_media;
        self.ping_rtt += other.ping_rtt;
    }
}

/// The metrics of a call that are summed up, and the meanings of their sums.
fn summed() -> impl Iterator<Item = (&'static Metric, &'static str)> {
    METRICS.iter().filter_map(|metric| Some((metric, metric.total?)))
}

/// What is kept of calls after their end. Its lock is held only for an addition.
#[derive(Debug, Clone)]
pub struct Totals {
    /// Since when the totals are kept.
    pub since: Instant,
    /// Channels ever made.
    pub calls: PerRole,
    /// The most calls at one time.
    pub calls_high_water: u64,
    /// Channels whose WebSocket came up.
    pub connected: PerRole,
    /// Calls that are over, by the way they ended and by close code (0: none).
    pub ended: BTreeMap<(EndedBy, u16), u64>,
    /// The traffic of calls that are over.
    pub traffic: Traffic,
}

impl Default for Totals {
    fn default() -> Self {
        Self {
            since: Instant::now(),
            calls: PerRole::default(),
            calls_high_water: 0,
            connected: PerRole::default(),
            ended: BTreeMap::new(),
            traffic: Traffic::default(),
        }
    }
}

impl Totals {
    /// A call is over.
    pub fn end(&mut self, ending: Option<&Ending>, traffic: Traffic) {
        let by = ending.map_or(EndedBy::Core, |ending| ending.by);
        let code = ending.and_then(|ending| ending.code).unwrap_or(0);
        let code = if code >= OWN_CLOSE_CODES { code - code % 1000 } else { code };
        *self.ended.entry((by, code)).or_default() += 1;
        self.traffic += traffic;
    }
}

/// Requests to connect to INCOMING channels that were refused, by HTTP status.
#[derive(Debug, Default)]
pub struct Refusals(Mutex<BTreeMap<u16, u64>>);

impl Refusals {
    /// Counts one.
    pub fn count(&self, status: u16) {
        *self.0.lock().entry(status).or_default() += 1;
    }

    /// All so far.
    pub fn all(&self) -> Vec<(u16, u64)> {
        self.0.lock().iter().map(|(status, count)| (*status, *count)).collect()
    }
}
