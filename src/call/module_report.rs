//! The module at one moment, as metrics: what all its calls have done, and the state of its threads.

use crate::call::books::Summary;
use crate::call::role::CallRole;
use crate::net::connector::ConnectorStats;
use crate::report::direct_bridge::NotDirect;
use crate::report::metric::{Kind, Unit, Value};

/// The module at one moment.
#[derive(Debug, Clone)]
pub struct ModuleReport {
    /// Of calls that are over and calls that are up, together.
    pub calls: Summary,
    /// Requests that got no channel.
    pub requests_failed: u64,
    /// Requests to connect that were refused, by HTTP status.
    pub refused: Vec<(u16, u64)>,
    /// What the connector has done.
    pub connector: ConnectorStats,
    /// The number of connections of each reactor.
    pub reactors: Vec<usize>,
    /// Memory of the media that waits in calls with `queue_overflow = wait`.
    pub queued_bytes: usize,
    /// Jobs that wait for a channel's lock, or for their time.
    pub jobs_waiting: usize,
    /// Events for AMI and ARI that were not sent, by reason.
    pub notifications_dropped: [(&'static str, u64); 2],
    /// Our threads that have made no progress for a while.
    pub threads_stuck: usize,
}

/// One of the module's metrics.
#[derive(Debug, Clone)]
pub struct ModuleMetric {
    /// Its name.
    pub name: &'static str,
    /// Distinguishes metrics of one name.
    pub labels: Vec<(&'static str, String)>,
    /// Whether it counts, measures or describes.
    pub kind: Kind,
    /// The unit of its value.
    pub unit: Unit,
    /// Its meaning.
    pub help: &'static str,
    /// Its value.
    pub value: Value,
}

impl ModuleReport {
    /// All metrics, with those of one name together. The histogram of waiting times is separate, in `calls`.
    pub fn metrics(&self) -> Vec<ModuleMetric> {
        let mut list = Metrics(Vec::new());
        let (gauge, counter) = (Kind::Gauge, Kind::Counter);
        list.one("uptime", gauge, Unit::Seconds, "Time since the module was loaded", {
            Value::Seconds(self.calls.totals.since.elapsed())
        });
        self.call_metrics(&mut list);
        self.connection_metrics(&mut list);
        self.traffic_metrics(&mut list);
        list.one("queued_bytes", gauge, Unit::Bytes, "Media that waits with queue_overflow = wait", {
            self.queued_bytes.into()
        });
        list.one(
            "jobs_waiting",
            gauge,
            Unit::None,
            "Jobs that wait for a channel's lock or for their time",
            self.jobs_waiting.into(),
        );
        list.labelled(
            "notifications_dropped",
            counter,
            "Events for AMI and ARI that were not sent: too many waited, or one call had too many",
            "reason",
            self.notifications_dropped.iter().map(|(reason, count)| ((*reason).to_owned(), *count)),
        );
        list.one("threads_stuck", gauge, Unit::None, "Threads that have made no progress for 5 s", {
            self.threads_stuck.into()
        });
        for (name, kind, help, value) in [
            ("connect_jobs", gauge, "Outgoing calls being connected", self.connector.under_way as u64),
            ("connect_attempts", counter, "Attempts to connect to applications", self.connector.attempts),
            ("connect_attempts_failed", counter, "Attempts that failed", self.connector.attempts_failed),
            ("connect_addresses", counter, "Addresses that were tried", self.connector.addresses),
            (
                "connects",
                counter,
                "Outgoing calls that were connected; each reconnection counts again",
                self.connector.connected,
            ),
            (
                "connects_failed",
                counter,
                "Outgoing calls that could not be connected; each failed reconnection counts again",
                self.connector.failed,
            ),
            ("connects_cancelled", counter, "Outgoing calls that were hung up before they were connected", {
                self.connector.cancelled
            }),
            ("resolver_threads", gauge, "Threads that look up names", self.connector.resolver_threads as u64),
            ("settings_threads", gauge, "Threads that read settings", self.connector.settings_threads as u64),
        ] {
            list.one(name, kind, Unit::None, help, value.into());
        }
        list.0
    }

    fn call_metrics(&self, list: &mut Metrics) {
        let Summary { totals, up, up_connected } = &self.calls;
        for (name, kind, help, count) in [
            ("channels", Kind::Gauge, "Channels that exist now", *up),
            ("channels_connected", Kind::Gauge, "Channels whose WebSocket is up", *up_connected),
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
        list.one("requests_failed", Kind::Counter, Unit::None, "Dial strings that did not get a channel", {
            self.requests_failed.into()
        });
    }

    fn connection_metrics(&self, list: &mut Metrics) {
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

    fn traffic_metrics(&self, list: &mut Metrics) {
        for (metric, help, sum) in self.calls.totals.traffic.sums() {
            list.one(metric.name, metric.kind, metric.unit, help, sum.clone());
        }
        let traffic = &self.calls.totals.traffic;
        for (name, help, counts) in [
            (
                "frames_not_direct",
                "Frames of direct bridges that did not skip the channel's thread",
                traffic.not_direct(),
            ),
            (
                "frames_played_not_direct",
                "Frames for direct bridges that did not skip the channel's thread",
                traffic.played_not_direct(),
            ),
        ] {
            let counts = NotDirect::ALL.into_iter().zip(counts);
            let labelled = counts.map(|(reason, count)| (reason.as_str().to_owned(), count));
            list.labelled(name, Kind::Counter, help, "reason", labelled);
        }
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
