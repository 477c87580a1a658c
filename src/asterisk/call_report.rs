//! One call at one moment, as the CLI, CHANNEL(), AMI and the metrics show it: named metrics, defined in one table.

mod metrics;

use std::ffi::CStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

pub(crate) use self::metrics::METRICS;
use self::metrics::TOTALS;
use super::call::{Call, CallRole, Connection};
use super::log::call_warn;
use crate::call::link::State;
use crate::net::outbound::{OutCounters, Outbound};
use crate::playout::media_format::MediaFormat;
use crate::playout::session::{MediaMode, SessionStats};
use crate::protocol::command::MediaDirection;
use crate::protocol::event::Status;
use crate::report::call_record::{Ending, PingStats};
use crate::report::metric::{Kind, Unit, Value};

/// A call at one moment. What its session knows is taken at once, all else is read when it is asked for. Its metrics
/// are in [`METRICS`].
pub(crate) struct CallReport<'a> {
    pub(crate) call: &'a Call,
    pub(crate) link_state: State,
    /// It has lost its connection and waits for another one.
    pub(crate) is_lost: bool,
    /// The newest, also when it is over.
    pub(crate) connection: Option<Arc<Connection>>,
    pub(crate) status: Status,
    pub(crate) stats: SessionStats,
    pub(crate) direction: MediaDirection,
    /// The application is not read: its queue is full and drops nothing.
    pub(crate) is_unread: bool,
    /// Playing time of the media that waits for the core.
    pub(crate) queued: Duration,
}

/// What a metric is about; the headings of `websocket show channel`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    Call,
    Connection,
    FromApplication,
    ToApplication,
}

impl Section {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Call => "Call",
            Self::Connection => "Connection",
            Self::FromApplication => "From the application",
            Self::ToApplication => "To the application",
        }
    }
}

/// One metric of a call: what it is called everywhere, and where it comes from.
pub(crate) struct Metric {
    pub(crate) section: Section,
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) unit: Unit,
    pub(crate) help: &'static str,
    pub(crate) get: fn(&CallReport<'_>) -> Value,
    /// What the sum of all calls' is; `None` if they are not summed up.
    pub(crate) total: Option<&'static str>,
}

impl<'a> CallReport<'a> {
    /// The value of the metric `name`; `None` if there is no such metric.
    pub(crate) fn value(&self, name: &str) -> Option<Value> {
        metric(name).map(|metric| (metric.get)(self))
    }

    /// What the channel is left with at the end: variable, name of the metric, value.
    pub(crate) fn left(&self) -> impl Iterator<Item = (&'static CStr, &'static str, Value)> {
        TOTALS.iter().filter_map(|(variable, name)| Some((*variable, *name, self.value(name)?)))
    }

    /// Whether an application is connected.
    pub(crate) fn is_connected(&self) -> bool {
        self.link_state == State::Up
    }

    /// What the call is doing.
    pub(crate) fn state(&self) -> &'static str {
        match self.link_state {
            State::Connecting | State::Lost if self.is_lost => "lost",
            State::None | State::Connecting => match self.call.role {
                CallRole::Incoming => "waiting",
                CallRole::Outgoing => "connecting",
            },
            State::Up if self.status.media_paused => "paused",
            State::Up if self.status.bulk_media => "buffering",
            State::Up | State::Lost => "connected",
            State::Ending | State::Closed => "ending",
        }
    }

    /// What a message is.
    pub(crate) fn mode_name(&self) -> &'static str {
        match self.call.mode {
            MediaMode::Framed => "framed",
            MediaMode::Passthrough => "passthrough",
            MediaMode::Unbuffered => "unbuffered",
        }
    }

    /// The channel's format.
    pub(crate) fn format(&self) -> &'a MediaFormat {
        &self.call.media_format
    }

    /// Since the channel was made.
    pub(crate) fn age(&self) -> Duration {
        self.call.since.elapsed()
    }

    /// Frames sent to the application.
    pub(crate) fn frames_out(&self) -> u64 {
        self.out_count(|out| &out.media_messages)
    }

    /// Frames dropped, both ways together.
    pub(crate) fn frames_dropped(&self) -> u64 {
        self.stats.frames_dropped + self.out_count(|out| &out.media_dropped)
    }

    fn ending(&self) -> Option<&'a Ending> {
        self.call.link.ending()
    }

    fn pings(&self) -> PingStats {
        self.call.record.pings()
    }

    /// The newest connection, also when it is over.
    pub(crate) fn connection(&self) -> Option<&Connection> {
        self.connection.as_deref()
    }

    /// The application's address.
    pub(crate) fn peer(&self) -> Option<&str> {
        self.connection().map(|connection| connection.peer.as_str())
    }

    /// From the channel's making to its WebSocket.
    fn connect_time(&self) -> Option<Duration> {
        self.call.record.connected_at().map(|at| at.duration_since(self.call.since))
    }

    /// Since the connection came up.
    fn connected(&self) -> Option<Duration> {
        self.connection().map(|connection| connection.since.elapsed())
    }

    /// TLS version and cipher.
    fn tls(&self) -> Value {
        let of = |out: &Outbound| out.tls_description().unwrap_or_else(|| "none".to_owned());
        self.connection().map_or(Value::Absent, |connection| Value::Text(of(&connection.out)))
    }

    /// Media that waits for the application.
    fn out_queue(&self) -> Duration {
        self.connection().map_or(Duration::ZERO, |connection| connection.out.queued_media())
    }

    fn out_count(&self, counter: fn(&OutCounters) -> &AtomicU64) -> u64 {
        self.connection().map_or(0, |connection| counter(&connection.out.counters).load(Ordering::Relaxed))
    }

    fn out_time(&self, nanos: fn(&OutCounters) -> &AtomicU64) -> Value {
        Value::Milliseconds(Duration::from_nanos(self.out_count(nanos)))
    }
}

/// What `CHANNEL(<item>)` is for `call`, if the item is ours: `websocket,<metric>`. "" if the call is over (`None`), as
/// in a channel's last snapshot. Says so if there is no such metric.
pub(crate) fn channel_function(call: Option<&Call>, item: &str) -> Option<String> {
    let (kind, name) = item.split_once(',').unwrap_or((item, ""));
    if !kind.trim().eq_ignore_ascii_case("websocket") {
        return None;
    }
    let Some(metric) = metric(name.trim()) else {
        warn_unknown(call, name);
        return None;
    };
    Some(call.map_or_else(String::new, |call| (metric.get)(&call.report()).to_string()))
}

/// The metric of this name.
fn metric(name: &str) -> Option<&'static Metric> {
    METRICS.iter().find(|metric| metric.name.eq_ignore_ascii_case(name))
}

fn warn_unknown(call: Option<&Call>, name: &str) {
    let names: Vec<&str> = METRICS.iter().map(|metric| metric.name).collect();
    let text = format!("CHANNEL(websocket,{name}) is not known; known are: {}", names.join(", "));
    match call {
        Some(call) => call_warn!(call, "{text}"),
        None => log::warn!("{text}"),
    }
}
