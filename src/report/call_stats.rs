//! The record of a call for operators, in addition to the counters of its session and its connection. Any thread.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::metric::Histogram;

/// How much of an ERROR event's text is kept, characters.
const MAX_ERROR_CHARS: usize = 200;

/// What ended a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EndedBy {
    /// The application, with a close frame.
    Application,
    /// The application, with HANGUP.
    HangupCommand,
    /// An operator, at a console or by AMI.
    Operator,
    /// Asterisk: the other party, the dialplan, ARI.
    Core,
    /// Asterisk could not connect to the application.
    NotConnected,
    /// No application has connected within `incoming_timeout`.
    IncomingTimeout,
    /// The connection is lost.
    Lost,
    /// The application broke the protocol or a limit.
    ProtocolFault,
    /// The application read nothing, or answered no ping.
    Unresponsive,
    /// A fault of this module.
    InternalError,
}

impl EndedBy {
    /// Its name in metrics, variables and labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Application => "application",
            Self::HangupCommand => "hangup_command",
            Self::Operator => "operator",
            Self::Core => "core",
            Self::NotConnected => "not_connected",
            Self::IncomingTimeout => "incoming_timeout",
            Self::Lost => "lost",
            Self::ProtocolFault => "protocol_fault",
            Self::Unresponsive => "unresponsive",
            Self::InternalError => "internal_error",
        }
    }
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// What ended it.
    pub by: EndedBy,
    /// The WebSocket's close code, sent or received; `None` if there was no connection, or it ended without a close.
    pub code: Option<u16>,
    /// The reason in words; may be empty.
    pub reason: String,
}

/// Pings of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PingStats {
    /// Pings sent.
    pub sent: u64,
    /// Not answered before the next one was due.
    pub missed: u64,
    /// Round trip of the last ping that was answered.
    pub round_trip: Option<Duration>,
    /// The longest round trip.
    pub longest_round_trip: Option<Duration>,
}

/// A call's record.
#[derive(Debug, Default)]
pub struct CallStats {
    connected: OnceLock<Instant>,
    /// 0: none yet.
    first_media_ns: AtomicU64,
    pings: AtomicU64,
    pings_missed: AtomicU64,
    /// 0: none yet.
    round_trip_ns: AtomicU64,
    longest_round_trip_ns: AtomicU64,
    round_trips: Mutex<Histogram>,
    errors: AtomicU64,
    last_error: Mutex<Option<String>>,
    reconnects: AtomicU64,
    /// The time without a connection, up to the last reconnection.
    lost_ns: AtomicU64,
}

/// Never 0, which means none.
fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX).max(1)
}

fn time(nanos: &AtomicU64) -> Option<Duration> {
    let nanos = nanos.load(Ordering::Relaxed);
    (nanos > 0).then(|| Duration::from_nanos(nanos))
}

impl CallStats {
    /// A WebSocket is up. Only the first one of the call is recorded.
    pub fn connected(&self) {
        let _ = self.connected.set(Instant::now());
    }

    /// When the first WebSocket came up.
    pub fn connected_at(&self) -> Option<Instant> {
        self.connected.get().copied()
    }

    /// The call has a connection again, `lost` after it lost the one before.
    pub fn reconnected(&self, lost: Duration) {
        self.reconnects.fetch_add(1, Ordering::Relaxed);
        self.lost_ns.fetch_add(u64::try_from(lost.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// How often the call got another connection.
    pub fn reconnects(&self) -> u64 {
        self.reconnects.load(Ordering::Relaxed)
    }

    /// The total time that it was without a connection.
    pub fn lost(&self) -> Duration {
        Duration::from_nanos(self.lost_ns.load(Ordering::Relaxed))
    }

    /// A media message has arrived. Costs one load, except the first time.
    pub fn media(&self) {
        if self.first_media_ns.load(Ordering::Relaxed) == 0 {
            let nanos = nanos(self.connected_at().map(|at| at.elapsed()).unwrap_or_default());
            // If two threads are here at once, the first counts.
            let _ = self.first_media_ns.compare_exchange(0, nanos, Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    /// From MEDIA_START to the first media.
    pub fn first_media(&self) -> Option<Duration> {
        time(&self.first_media_ns)
    }

    /// A ping goes out.
    pub fn ping(&self, last_one_missed: bool) {
        self.pings.fetch_add(1, Ordering::Relaxed);
        self.pings_missed.fetch_add(u64::from(last_one_missed), Ordering::Relaxed);
    }

    /// A ping was answered.
    pub fn pong(&self, round_trip: Duration) {
        self.round_trips.lock().record(round_trip);
        let nanos = nanos(round_trip);
        self.round_trip_ns.store(nanos, Ordering::Relaxed);
        self.longest_round_trip_ns.fetch_max(nanos, Ordering::Relaxed);
    }

    /// The round trips of all pings.
    pub fn round_trips(&self) -> Histogram {
        *self.round_trips.lock()
    }

    /// The pings so far.
    pub fn pings(&self) -> PingStats {
        PingStats {
            sent: self.pings.load(Ordering::Relaxed),
            missed: self.pings_missed.load(Ordering::Relaxed),
            round_trip: time(&self.round_trip_ns),
            longest_round_trip: time(&self.longest_round_trip_ns),
        }
    }

    /// The application was sent an ERROR event.
    pub fn error(&self, text: &str) {
        self.errors.fetch_add(1, Ordering::Relaxed);
        *self.last_error.lock() = Some(text.chars().take(MAX_ERROR_CHARS).collect());
    }

    /// ERROR events so far.
    pub fn errors(&self) -> u64 {
        self.errors.load(Ordering::Relaxed)
    }

    /// The text of the last ERROR event.
    pub fn last_error(&self) -> Option<String> {
        self.last_error.lock().clone()
    }
}
