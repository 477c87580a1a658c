//! The module's totals: what all calls did together, those that are over included, and what its threads are doing.

use std::collections::BTreeMap;
use std::ops::AddAssign;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::call::CallRole;
use super::call_report::{CallReport, METRICS, Metric};
use crate::net::connector::ConnectorStats;
use crate::report::call_record::{EndedBy, Ending};
use crate::report::direct_bridge::{ByReason, NotDirect};
use crate::report::metric::{Histogram, Kind, Unit, Value};

/// Close codes of an application's own are counted together per thousand from here on, so that no application can
/// make the list long.
const OWN_CLOSE_CODES: u16 = 3000;

/// What one call, or many together, have moved. All of it only grows.
#[derive(Debug, Clone)]
pub(crate) struct Traffic {
    /// One for each of a call's metrics that has a total, in their order.
    sums: Vec<Value>,
    /// Frames of direct bridges that went by way of a channel's thread.
    not_direct: ByReason,
    pub(crate) queue_wait: Histogram,
    pub(crate) lateness: Histogram,
    pub(crate) first_media: Histogram,
    pub(crate) ping_rtt: Histogram,
}

impl Default for Traffic {
    fn default() -> Self {
        let nothing = |metric: &Metric| match metric.unit {
            Unit::Milliseconds => Value::Milliseconds(Duration::ZERO),
            _ => Value::Number(0),
        };
        let sums = summed().map(|(metric, _)| nothing(metric)).collect();
        let (queue_wait, lateness, first_media, ping_rtt) = Default::default();
        Self { sums, not_direct: ByReason::default(), queue_wait, lateness, first_media, ping_rtt }
    }
}

impl Traffic {
    /// What one call has moved so far.
    pub(crate) fn of(call: &CallReport<'_>) -> Self {
        let record = &call.call.record;
        let mut first_media = Histogram::default();
        if let Some(time) = record.first_media() {
            first_media.record(time);
        }
        Self {
            sums: summed().map(|(metric, _)| (metric.get)(call)).collect(),
            not_direct: call.call.direct.not_direct(),
            queue_wait: call.stats.queue_wait,
            lateness: call.stats.lateness,
            first_media,
            ping_rtt: record.round_trips(),
        }
    }

    /// Adds frames of calls that are not known.
    pub(crate) fn count_not_direct(&mut self, reason: NotDirect, frames: u64) {
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
        for (count, more) in self.not_direct.iter_mut().zip(other.not_direct) {
            *count += more;
        }
        self.queue_wait += other.queue_wait;
        self.lateness += other.lateness;
        self.first_media += other.first_media;
        self.ping_rtt += other.ping_rtt;
    }
}

/// The metrics of a call that are summed up, and what their sum is.
fn summed() -> impl Iterator<Item = (&'static Metric, &'static str)> {
    METRICS.iter().filter_map(|metric| Some((metric, metric.total?)))
}

/// A number for each role.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PerRole {
    pub(crate) incoming: u64,
    pub(crate) outgoing: u64,
}

impl PerRole {
    /// Counts one.
    pub(crate) fn count(&mut self, role: CallRole) {
        match role {
            CallRole::Incoming => self.incoming += 1,
            CallRole::Outgoing => self.outgoing += 1,
        }
    }
}

/// What is kept of calls beyond their end. Its lock is held for an addition.
#[derive(Debug, Clone)]
pub(crate) struct Totals {
    pub(crate) since: Instant,
    /// Channels ever made, and the most at one time.
    pub(crate) calls: PerRole,
    pub(crate) calls_high_water: u64,
    /// Of them, those whose WebSocket came up.
    pub(crate) connected: PerRole,
    /// Calls that are over, by how and by close code (0: none).
    pub(crate) ended: BTreeMap<(EndedBy, u16), u64>,
    /// Of calls that are over.
    pub(crate) traffic: Traffic,
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
    pub(crate) fn end(&mut self, ending: Option<&Ending>, traffic: Traffic) {
        let by = ending.map_or(EndedBy::Core, |ending| ending.by);
        let code = ending.and_then(|ending| ending.code).unwrap_or(0);
        let code = if code >= OWN_CLOSE_CODES { code - code % 1000 } else { code };
        *self.ended.entry((by, code)).or_default() += 1;
        self.traffic += traffic;
    }
}

/// Requests to connect to INCOMING channels that were refused, by HTTP status.
#[derive(Debug, Default)]
pub(crate) struct Refusals(Mutex<BTreeMap<u16, u64>>);

impl Refusals {
    /// Counts one.
    pub(crate) fn count(&self, status: u16) {
        *self.0.lock().entry(status).or_default() += 1;
    }

    /// All so far.
    pub(crate) fn all(&self) -> Vec<(u16, u64)> {
        self.0.lock().iter().map(|(status, count)| (*status, *count)).collect()
    }
}

/// The module at one moment.
#[derive(Debug, Clone)]
pub(crate) struct ModuleReport {
    /// Of calls that are over and those that are up, together.
    pub(crate) totals: Totals,
    /// Channels now, and how many of them are connected.
    pub(crate) up: PerRole,
    pub(crate) up_connected: PerRole,
    pub(crate) requests_failed: u64,
    pub(crate) refused: Vec<(u16, u64)>,
    pub(crate) connector: ConnectorStats,
    /// Connections of each reactor.
    pub(crate) reactors: Vec<usize>,
    /// Memory of what waits on calls with `queue_overflow = wait`.
    pub(crate) queued_bytes: usize,
    /// What waits for a channel's lock, or for its time.
    pub(crate) jobs_waiting: usize,
    /// By why: see [`Notifier::untold`](super::notifier::Notifier::untold).
    pub(crate) notifications_dropped: [(&'static str, u64); 2],
    pub(crate) threads_stuck: usize,
}

/// One of the module's metrics.
#[derive(Debug, Clone)]
pub(crate) struct ModuleMetric {
    pub(crate) name: &'static str,
    /// What tells metrics of one name apart.
    pub(crate) labels: Vec<(&'static str, String)>,
    pub(crate) kind: Kind,
    pub(crate) unit: Unit,
    pub(crate) help: &'static str,
    pub(crate) value: Value,
}

impl ModuleReport {
    /// All metrics, those of one name together. The histogram of waiting times is beside it, in `totals`.
    pub(crate) fn metrics(&self) -> Vec<ModuleMetric> {
        let mut list = Metrics(Vec::new());
        let (gauge, counter) = (Kind::Gauge, Kind::Counter);
        list.one("uptime", gauge, Unit::Seconds, "Since the module was loaded", {
            Value::Seconds(self.totals.since.elapsed())
        });
        self.call_figures(&mut list);
        self.connection_figures(&mut list);
        self.traffic_figures(&mut list);
        list.one("queued_bytes", gauge, Unit::Bytes, "Media that waits with queue_overflow = wait", {
            self.queued_bytes.into()
        });
        list.one("jobs_waiting", gauge, Unit::None, "What waits for a channel's lock, or its time", {
            self.jobs_waiting.into()
        });
        list.labelled(
            "notifications_dropped",
            counter,
            "Events for AMI and ARI that were not told: too many waited, or there were many of one call",
            "reason",
            self.notifications_dropped.iter().map(|(reason, count)| ((*reason).to_owned(), *count)),
        );
        list.one("threads_stuck", gauge, Unit::None, "Threads that have not come round for 5 s", {
            self.threads_stuck.into()
        });
        for (name, kind, help, value) in [
            ("connect_jobs", gauge, "Outgoing calls being connected", self.connector.under_way as u64),
            ("connect_attempts", counter, "Attempts to connect to applications", self.connector.attempts),
            ("connect_attempts_failed", counter, "Attempts that failed", self.connector.attempts_failed),
            ("connect_addresses", counter, "Addresses that were tried", self.connector.addresses),
            ("connects", counter, "Outgoing calls that were connected", self.connector.connected),
            ("connects_failed", counter, "Outgoing calls that could not be", self.connector.failed),
            ("connects_cancelled", counter, "Outgoing calls hung up before they were", {
                self.connector.cancelled
            }),
            ("resolver_threads", gauge, "Threads that look names up", self.connector.resolver_threads as u64),
            ("settings_threads", gauge, "Threads that read settings", self.connector.settings_threads as u64),
        ] {
            list.one(name, kind, Unit::None, help, value.into());
        }
        list.0
    }

    fn call_figures(&self, list: &mut Metrics) {
        let totals = &self.totals;
        for (name, kind, help, count) in [
            ("channels", Kind::Gauge, "Channels now", self.up),
            ("channels_connected", Kind::Gauge, "Channels whose WebSocket is up", self.up_connected),
            ("calls", Kind::Counter, "Channels that were made", totals.calls),
            ("calls_connected", Kind::Counter, "Channels whose WebSocket came up", totals.connected),
        ] {
            list.labelled(
                name,
                kind,
                help,
                "role",
                [
                    (CallRole::Incoming.as_str().to_owned(), count.incoming),
                    (CallRole::Outgoing.as_str().to_owned(), count.outgoing),
                ],
            );
        }
        list.one("channels_high_water", Kind::Gauge, Unit::None, "The most channels at one time", {
            totals.calls_high_water.into()
        });
        for ((by, code), count) in &totals.ended {
            list.0.push(ModuleMetric {
                name: "calls_ended",
                labels: vec![("by", by.as_str().to_owned()), ("close_code", code.to_string())],
                kind: Kind::Counter,
                unit: Unit::None,
                help: "Channels that are over, by what ended them and the WebSocket's close code (0: none)",
                value: (*count).into(),
            });
        }
        list.one("requests_failed", Kind::Counter, Unit::None, "Dial strings that got no channel", {
            self.requests_failed.into()
        });
    }

    fn connection_figures(&self, list: &mut Metrics) {
        list.labelled(
            "upgrades_refused",
            Kind::Counter,
            "Requests to connect that were refused",
            "status",
            self.refused.iter().map(|(status, count)| (status.to_string(), *count)),
        );
        list.labelled("reactor_connections", Kind::Gauge, "Connections of each reactor thread", "reactor", {
            self.reactors.iter().enumerate().map(|(number, count)| (number.to_string(), *count as u64))
        });
    }

    fn traffic_figures(&self, list: &mut Metrics) {
        for ((metric, help), sum) in summed().zip(&self.totals.traffic.sums) {
            list.one(metric.name, metric.kind, metric.unit, help, sum.clone());
        }
        let counts = NotDirect::ALL.into_iter().zip(self.totals.traffic.not_direct);
        list.labelled(
            "frames_not_direct",
            Kind::Counter,
            "Frames of direct bridges that did not skip the channel's thread",
            "reason",
            counts.map(|(reason, count)| (reason.as_str().to_owned(), count)),
        );
    }
}

struct Metrics(Vec<ModuleMetric>);

impl Metrics {
    fn one(&mut self, name: &'static str, kind: Kind, unit: Unit, help: &'static str, value: Value) {
        self.0.push(ModuleMetric { name, labels: Vec::new(), kind, unit, help, value });
    }

    fn labelled(
        &mut self,
        name: &'static str,
        kind: Kind,
        help: &'static str,
        label: &'static str,
        values: impl IntoIterator<Item = (String, u64)>,
    ) {
        let metrics = values.into_iter().map(|(text, value)| ModuleMetric {
            name,
            labels: vec![(label, text)],
            kind,
            unit: Unit::None,
            help,
            value: value.into(),
        });
        self.0.extend(metrics);
    }
}
