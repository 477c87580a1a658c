//! How a connection is found to be dead: WebSocket pings and TCP keepalives, for which `[global]` and connections have
//! the same options.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::option::{ConfigOption, option, put};
use super::value::{boolean, count, seconds};

/// WebSocket pings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pings {
    /// Time between two pings.
    pub interval: Duration,
    /// After this many pings without an answer the connection is lost.
    pub probes: u32,
}

/// TCP keepalives (tcp(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TcpKeepalives {
    /// Idle time before the first one (TCP_KEEPIDLE), whole seconds.
    pub time: Duration,
    /// Time between two (TCP_KEEPINTVL), whole seconds.
    pub interval: Duration,
    /// After this many without an answer the connection is lost (TCP_KEEPCNT).
    pub probes: u32,
}

/// The options of [`Pings`] as they are written; `None` for those that are not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PingOptions {
    /// `enable_pingpongs`.
    pub enable: Option<bool>,
    /// `pingpong_interval`.
    pub interval: Option<Duration>,
    /// `pingpong_probes`.
    pub probes: Option<u32>,
}

impl PingOptions {
    /// With the defaults for what is not written; `None` unless enabled.
    pub fn resolve(self) -> Option<Pings> {
        let Self { enable, interval, probes } = self;
        (enable == Some(true)).then(|| Pings {
            interval: interval.unwrap_or(KEEPALIVE_INTERVAL),
            probes: probes.unwrap_or(PROBES),
        })
    }
}

/// The options of [`TcpKeepalives`] as they are written; `None` for those that are not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TcpKeepaliveOptions {
    /// `enable_tcp_keepalives`.
    pub enable: Option<bool>,
    /// `tcp_keepalive_time`.
    pub time: Option<Duration>,
    /// `tcp_keepalive_interval`.
    pub interval: Option<Duration>,
    /// `tcp_keepalive_probes`.
    pub probes: Option<u32>,
}

impl TcpKeepaliveOptions {
    /// With the defaults for what is not written; `None` unless enabled.
    pub fn resolve(self) -> Option<TcpKeepalives> {
        let Self { enable, time, interval, probes } = self;
        (enable == Some(true)).then(|| TcpKeepalives {
            time: time.unwrap_or(KEEPALIVE_INTERVAL),
            interval: interval.unwrap_or(KEEPALIVE_INTERVAL),
            probes: probes.unwrap_or(PROBES),
        })
    }
}

/// The default of all intervals of pings and keepalives, as in newer versions of websocket_client.conf.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);
/// The default number of unanswered pings or keepalives.
const PROBES: u32 = 3;
/// The longest keepalive times that Linux allows (MAX_TCP_KEEPIDLE, MAX_TCP_KEEPINTVL); also the limit for pings.
pub(crate) const MAX_TCP_SECONDS: u32 = 32_767;
/// The most keepalives that Linux allows (MAX_TCP_KEEPCNT); also the limit for pings.
pub(crate) const MAX_TCP_PROBES: u32 = 127;

/// Both kinds of options.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LivenessOptions {
    /// WebSocket pings.
    pub pings: PingOptions,
    /// TCP keepalives.
    pub tcp_keepalives: TcpKeepaliveOptions,
}

/// A time of pings or keepalives, seconds.
const TCP_SECONDS: RangeInclusive<u64> = 1..=MAX_TCP_SECONDS as u64;
/// A number of pings or keepalives.
const TCP_PROBES: RangeInclusive<u64> = 1..=MAX_TCP_PROBES as u64;

/// The options that `[global]` and connections share.
pub(super) static LIVENESS: [ConfigOption<LivenessOptions>; 7] = [
    option("enable_pingpongs", |o, v| put(&mut o.pings.enable, boolean(v).map(Some))),
    option("pingpong_interval", |o, v| put(&mut o.pings.interval, seconds(v, TCP_SECONDS).map(Some))),
    option("pingpong_probes", |o, v| put(&mut o.pings.probes, count(v, TCP_PROBES).map(Some))),
    option("enable_tcp_keepalives", |o, v| put(&mut o.tcp_keepalives.enable, boolean(v).map(Some))),
    option("tcp_keepalive_time", |o, v| put(&mut o.tcp_keepalives.time, seconds(v, TCP_SECONDS).map(Some))),
    option("tcp_keepalive_interval", |o, v| {
        put(&mut o.tcp_keepalives.interval, seconds(v, TCP_SECONDS).map(Some))
    }),
    option("tcp_keepalive_probes", |o, v| put(&mut o.tcp_keepalives.probes, count(v, TCP_PROBES).map(Some))),
];
