//! One call at one moment, as the CLI, CHANNEL(), AMI and the metrics show it: named metrics, defined in one table.

mod metrics;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::call::connection::CallConnection;
use crate::call::data::CallData;
use crate::call::link::State;
use crate::call::role::CallRole;
use crate::net::outbound::{OutCounters, Outbound};
use crate::playout::media_format::MediaFormat;
use crate::playout::session::{MediaMode, SessionStats};
use crate::protocol::command::MediaDirection;
use crate::protocol::event::Status;
use crate::report::call_stats::{Ending, PingStats};
use crate::report::metric::{Kind, Unit, Value};

pub use self::metrics::{METRICS, metric_of};

/// A call at one moment. The session's data is taken at once, all other data is read when it is asked for. Its metrics
/// are in [`METRICS`].
pub struct CallReport<'a> {
    /// The call.
    pub call: &'a CallData,
    /// The state of its connection.
    pub link_state: State,
    /// It has lost its connection and waits for another one.
    pub is_lost: bool,
    /// The newest connection, even if it is over.
    pub connection: Option<Arc<CallConnection>>,
    /// The same as in STATUS.
    pub status: Status,
    /// What the session has counted.
    pub stats: SessionStats,
    /// The direction as the application sees it.
    pub direction: MediaDirection,
    /// The application is not read: its queue is full and drops nothing.
    pub is_unread: bool,
    /// Playing time of the media that waits for the core.
    pub queued: Duration,
}

/// What a metric is about; the headings of `websocket show channel`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricSection {
    /// The call itself.
    Call,
    /// Its connection.
    Connection,
    /// Media and commands from the application.
    FromApplication,
    /// Media and events to the application.
    ToApplication,
}

impl MetricSection {
    /// The heading.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Call => "Call",
            Self::Connection => "Connection",
            Self::FromApplication => "From the application",
            Self::ToApplication => "To the application",
        }
    }
}

/// One metric of a call: its name, which is the same everywhere, and its source.
pub struct Metric {
    /// The section in which it is shown.
    pub section: MetricSection,
    /// Its name.
    pub name: &'static str,
    /// Whether it counts, measures or describes.
    pub kind: Kind,
    /// The unit of its value.
    pub unit: Unit,
    /// Its meaning.
    pub help: &'static str,
    /// Its value.
    pub get: fn(&CallReport<'_>) -> Value,
    /// The meaning of the sum over all calls; `None` if they are not summed up.
    pub total: Option<&'static str>,
}

impl CallData {
    /// The call as it is now, for people.
    pub fn report(&self) -> CallReport<'_> {
        let (link_state, connection) = (self.link.state(), self.link.connection());
        let is_lost = self.link.waits();
        let session = self.playout.session();
        CallReport {
            call: self,
            link_state,
            is_lost,
            connection,
            status: session.status(),
            stats: session.stats(),
            direction: session.direction(),
            is_unread: session.holds(),
            queued: session.queued_media(),
        }
    }
}

impl std::fmt::Debug for CallReport<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CallReport").field("call", &self.call).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Metric {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metric").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<'a> CallReport<'a> {
    /// Whether an application is connected.
    pub fn is_connected(&self) -> bool {
        self.link_state == State::Up
    }

    /// What the call is doing.
    pub fn state(&self) -> &'static str {
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
    pub fn mode_name(&self) -> &'static str {
        match self.call.mode {
            MediaMode::Framed => "framed",
            MediaMode::Passthrough => "passthrough",
            MediaMode::Unbuffered => "unbuffered",
        }
    }

    /// The channel's format.
    pub fn format(&self) -> &'a MediaFormat {
        &self.call.media_format
    }

    /// Time since the channel was made.
    pub fn age(&self) -> Duration {
        self.call.since.elapsed()
    }

    /// Frames sent to the application.
    pub fn frames_out(&self) -> u64 {
        self.out_count(|out| &out.media_messages)
    }

    /// Frames dropped, both ways together.
    pub fn frames_dropped(&self) -> u64 {
        self.stats.frames_dropped + self.out_count(|out| &out.media_dropped)
    }

    fn ending(&self) -> Option<&'a Ending> {
        self.call.link.ending()
    }

    fn pings(&self) -> PingStats {
        self.call.stats.pings()
    }

    /// The newest connection, even if it is over.
    pub fn connection(&self) -> Option<&CallConnection> {
        self.connection.as_deref()
    }

    /// The application's address.
    pub fn peer(&self) -> Option<&str> {
        self.connection().map(|connection| connection.peer.as_str())
    }

    /// Time from the making of the channel to its WebSocket.
    fn connect_time(&self) -> Option<Duration> {
        self.call.stats.connected_at().map(|at| at.duration_since(self.call.since))
    }

    /// Time since the connection came up.
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

#[cfg(test)]
mod tests;
