//! One call at one moment, as the CLI, CHANNEL(), AMI and the metrics show it: named figures, defined in one table.

use std::ffi::CStr;
use std::sync::Arc;
use std::time::Duration;

use super::call::{self, CallRole};
use super::log::call_warn;
use super::record::{Ending, PingStats};
use super::totals::Traffic;
use crate::driver::command::ControlMessageFormat;
use crate::driver::config::Settings;
use crate::driver::event::Status;
use crate::driver::figure::{Kind, Unit, Value};
use crate::driver::media_format::MediaFormat;
use crate::driver::session::{MediaMode, SessionStats};

/// The connection's side of a [`CallView`].
#[derive(Debug, Clone)]
pub(crate) struct LinkView {
    /// The application's address.
    pub(crate) peer: String,
    /// TLS version and cipher.
    pub(crate) tls: Option<String>,
    pub(crate) write_timeout: Duration,
    pub(crate) ping_interval: Option<Duration>,
    /// Since the connection came up.
    pub(crate) age: Duration,
    /// Frames sent to the application, and their bytes.
    pub(crate) frames_out: u64,
    pub(crate) bytes_out: u64,
    /// Frames dropped because it read too slowly.
    pub(crate) frames_out_dropped: u64,
    /// Media that waits for it, and the most that ever did.
    pub(crate) out_queue: Duration,
    pub(crate) out_queue_high_water: Duration,
    pub(crate) events: u64,
    /// How long it took nothing although something waited: all together, and the longest.
    pub(crate) write_blocked: Duration,
    pub(crate) longest_write_block: Duration,
}

/// A call at one moment. Its figures are in [`FIGURES`].
#[derive(Debug, Clone)]
pub(crate) struct CallView {
    /// The channel's name and unique id when it was made: what the application knows it by.
    pub(crate) name: String,
    pub(crate) uniqueid: String,
    pub(crate) role: CallRole,
    pub(crate) connection_id: String,
    pub(crate) format: MediaFormat,
    pub(crate) direction: &'static str,
    pub(crate) mode: MediaMode,
    pub(crate) control_message_format: ControlMessageFormat,
    pub(crate) auto_answer: bool,
    pub(crate) debug: bool,
    pub(crate) settings: Arc<Settings>,
    pub(crate) age: Duration,
    /// From the channel's making to its WebSocket.
    pub(crate) connect_time: Option<Duration>,
    pub(crate) status: Status,
    pub(crate) stats: SessionStats,
    pub(crate) wrong_format_frames: u64,
    pub(crate) errors: u64,
    pub(crate) last_error: Option<String>,
    pub(crate) pings: PingStats,
    pub(crate) ending: Option<Ending>,
    /// The connection, once there was one.
    pub(crate) link: Option<LinkView>,
}

/// What a figure is about; the headings of `websocket show channel`.
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

/// One figure of a call: what it is called everywhere, and where it comes from.
pub(crate) struct Figure {
    pub(crate) section: Section,
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) unit: Unit,
    pub(crate) help: &'static str,
    pub(crate) get: fn(&CallView) -> Value,
}

impl CallView {
    /// The value of the figure `name`; `None` if there is no such figure.
    pub(crate) fn value(&self, name: &str) -> Option<Value> {
        FIGURES.iter().find(|figure| figure.name.eq_ignore_ascii_case(name)).map(|figure| (figure.get)(self))
    }

    /// Whether an application is connected.
    pub(crate) fn is_connected(&self) -> bool {
        self.link.is_some() && self.ending.is_none()
    }

    /// What the call is doing.
    pub(crate) fn state(&self) -> &'static str {
        match (&self.link, self.role) {
            _ if self.ending.is_some() => "ending",
            (None, CallRole::Incoming) => "waiting",
            (None, CallRole::Outgoing) => "connecting",
            _ if self.status.media_paused => "paused",
            _ if self.status.bulk_media => "buffering",
            _ => "connected",
        }
    }

    /// What a message is.
    pub(crate) fn mode_name(&self) -> &'static str {
        match self.mode {
            MediaMode::Framed => "framed",
            MediaMode::Passthrough => "passthrough",
            MediaMode::Unbuffered => "unbuffered",
        }
    }

    /// Playing time of the media that waits for the core; an estimate in passthrough.
    pub(crate) fn queue(&self) -> Duration {
        self.format.ptime() * u32::try_from(self.status.queue_length).unwrap_or(u32::MAX)
    }

    /// Frames dropped, both ways together.
    pub(crate) fn frames_dropped(&self) -> u64 {
        self.stats.frames_dropped + self.link.as_ref().map_or(0, |link| link.frames_out_dropped)
    }

    /// What the call has moved.
    pub(crate) fn traffic(&self) -> Traffic {
        let stats = &self.stats;
        let mut traffic = Traffic {
            messages_in: stats.messages,
            bytes_in: stats.bytes,
            commands: stats.commands,
            commands_refused: stats.commands_refused,
            frames_in: stats.frames_in,
            frames_played: stats.frames_played,
            frames_flushed: stats.frames_flushed,
            frames_dropped_in: stats.frames_dropped,
            underruns: stats.underruns,
            late_reads: stats.late_reads,
            queue_wait: stats.queue_wait,
            lateness: stats.lateness,
            errors: self.errors,
            pings: self.pings.sent,
            pongs_missed: self.pings.missed,
            ..Traffic::default()
        };
        if let Some(link) = &self.link {
            traffic.frames_out = link.frames_out;
            traffic.bytes_out = link.bytes_out;
            traffic.frames_dropped_out = link.frames_out_dropped;
            traffic.events = link.events;
            traffic.write_blocked = link.write_blocked;
        }
        traffic
    }

    fn out_count(&self, get: fn(&LinkView) -> u64) -> Value {
        self.link.as_ref().map_or(0, get).into()
    }

    fn out_time(&self, get: fn(&LinkView) -> Duration) -> Value {
        Value::Milliseconds(self.link.as_ref().map_or(Duration::ZERO, get))
    }
}

/// What `CHANNEL(<item>)` is for `call`, if the item is ours: `websocket,<figure>`. Says so if there is no such figure.
pub(crate) fn channel_function(call: &call::Call, item: &str) -> Option<String> {
    let (kind, name) = item.split_once(',').unwrap_or((item, ""));
    if !kind.trim().eq_ignore_ascii_case("websocket") {
        return None;
    }
    let value = call.view().value(name.trim());
    if value.is_none() {
        let names: Vec<&str> = FIGURES.iter().map(|figure| figure.name).collect();
        call_warn!(call, "CHANNEL(websocket,{name}) is not known; known are: {}", names.join(", "));
    }
    value.map(|value| value.to_string())
}

const fn figure(
    section: Section,
    name: &'static str,
    kind: Kind,
    unit: Unit,
    help: &'static str,
    get: fn(&CallView) -> Value,
) -> Figure {
    Figure { section, name, kind, unit, help, get }
}

use Kind::{Counter, Gauge, Info};
use Section::{Call, Connection, FromApplication, ToApplication};
use Unit::{Bytes, Frames, Milliseconds, Seconds};
const NONE: Unit = Unit::None;

/// What a channel is left with in its variables when its connection or the channel itself ends.
pub(crate) static TOTALS: [(&CStr, &str); 9] = [
    (c"WEBSOCKET_ENDED_BY", "ended_by"),
    (c"WEBSOCKET_CLOSE_CODE", "close_code"),
    (c"WEBSOCKET_FRAMES_IN", "frames_in"),
    (c"WEBSOCKET_FRAMES_PLAYED", "frames_played"),
    (c"WEBSOCKET_FRAMES_OUT", "frames_out"),
    (c"WEBSOCKET_FRAMES_DROPPED_IN", "frames_dropped_in"),
    (c"WEBSOCKET_FRAMES_DROPPED_OUT", "frames_dropped_out"),
    (c"WEBSOCKET_UNDERRUNS", "underruns"),
    (c"WEBSOCKET_LONGEST_STALL", "longest_stall"),
];

/// Every figure of a call, in the order in which they are shown.
pub(crate) static FIGURES: &[Figure] = &[
    figure(Call, "channel", Info, NONE, "Name of the channel", |v| v.name.as_str().into()),
    figure(Call, "uniqueid", Info, NONE, "Unique id of the channel", |v| v.uniqueid.as_str().into()),
    figure(Call, "role", Info, NONE, "Who connects: incoming, the application; outgoing, Asterisk", |v| {
        v.role.as_str().into()
    }),
    figure(Call, "connection_id", Info, NONE, "Connection id, or name of the websocket_client", |v| {
        v.connection_id.as_str().into()
    }),
    figure(Call, "state", Info, NONE, "waiting, connecting, connected, buffering, paused or ending", |v| {
        v.state().into()
    }),
    figure(Call, "age", Gauge, Seconds, "Since the channel was made", |v| Value::Seconds(v.age)),
    figure(Call, "format", Info, NONE, "Media format", |v| v.format.name.as_str().into()),
    figure(Call, "ptime", Info, Milliseconds, "Length of a frame", |v| Value::Milliseconds(v.format.ptime())),
    figure(Call, "optimal_frame_size", Info, Bytes, "Size of a frame; 0 if it cannot be cut", |v| {
        v.format.optimal_frame_size.into()
    }),
    figure(Call, "mode", Info, NONE, "framed, passthrough or unbuffered", |v| v.mode_name().into()),
    figure(Call, "direction", Info, NONE, "Direction of media, seen from the application", |v| {
        v.direction.into()
    }),
    figure(Call, "control_messages", Info, NONE, "How commands and events are written", |v| {
        v.control_message_format.as_str().into()
    }),
    figure(Call, "auto_answer", Info, NONE, "Whether connecting answers the channel", |v| {
        v.auto_answer.into()
    }),
    figure(Call, "debug", Info, NONE, "Whether its control messages are logged", |v| v.debug.into()),
    figure(Call, "ended_by", Info, NONE, "What ended the call", |v| {
        v.ending.as_ref().map(|ending| ending.by.as_str()).into()
    }),
    figure(Call, "close_code", Info, NONE, "Close code of the WebSocket", |v| {
        v.ending.as_ref().and_then(|ending| ending.code).map(u64::from).into()
    }),
    figure(Call, "close_reason", Info, NONE, "What is known of the end beyond that", |v| {
        v.ending.as_ref().map(|ending| ending.reason.as_str()).filter(|reason| !reason.is_empty()).into()
    }),
    figure(Connection, "peer", Info, NONE, "Address of the application", |v| {
        v.link.as_ref().map(|link| link.peer.as_str()).into()
    }),
    figure(Connection, "tls", Info, NONE, "TLS version and cipher; none on a plain connection", |v| {
        v.link.as_ref().map(|link| link.tls.as_deref().unwrap_or("none")).into()
    }),
    figure(
        Connection,
        "connect_time",
        Gauge,
        Milliseconds,
        "From the channel's making to its WebSocket",
        |v| v.connect_time.map_or(Value::Absent, Value::Milliseconds),
    ),
    figure(Connection, "connected", Gauge, Seconds, "Since the WebSocket came up", |v| {
        v.link.as_ref().map_or(Value::Absent, |link| Value::Seconds(link.age))
    }),
    figure(Connection, "ping_interval", Info, Seconds, "Time between two pings, if any are sent", |v| {
        v.link.as_ref().and_then(|link| link.ping_interval).map_or(Value::Absent, Value::Seconds)
    }),
    figure(Connection, "pings", Counter, NONE, "Pings sent", |v| v.pings.sent.into()),
    figure(Connection, "pongs_missed", Counter, NONE, "Pings not answered before the next", |v| {
        v.pings.missed.into()
    }),
    figure(Connection, "round_trip", Gauge, Milliseconds, "Round trip of the last ping", |v| {
        v.pings.round_trip.map_or(Value::Absent, Value::Milliseconds)
    }),
    figure(Connection, "longest_round_trip", Gauge, Milliseconds, "The longest round trip of a ping", |v| {
        v.pings.longest_round_trip.map_or(Value::Absent, Value::Milliseconds)
    }),
    figure(
        Connection,
        "write_timeout",
        Info,
        Milliseconds,
        "How long the application may take nothing",
        |v| v.link.as_ref().map_or(Value::Absent, |link| Value::Milliseconds(link.write_timeout)),
    ),
    figure(FromApplication, "messages_in", Counter, NONE, "Binary messages", |v| v.stats.messages.into()),
    figure(FromApplication, "bytes_in", Counter, Bytes, "Bytes in them", |v| v.stats.bytes.into()),
    figure(FromApplication, "messages_dropped", Counter, NONE, "Messages that found the queue full", |v| {
        v.stats.messages_dropped.into()
    }),
    figure(FromApplication, "messages_unwanted", Counter, NONE, "Messages while the direction was in", |v| {
        v.stats.messages_unwanted.into()
    }),
    figure(FromApplication, "bytes_cut_off", Counter, Bytes, "Bytes that filled no frame", |v| {
        v.stats.bytes_cut_off.into()
    }),
    figure(FromApplication, "frames_in", Counter, Frames, "Frames queued", |v| v.stats.frames_in.into()),
    figure(FromApplication, "frames_played", Counter, Frames, "Frames that went to the core", |v| {
        v.stats.frames_played.into()
    }),
    figure(FromApplication, "frames_flushed", Counter, Frames, "Frames dropped by FLUSH_MEDIA", |v| {
        v.stats.frames_flushed.into()
    }),
    figure(FromApplication, "frames_dropped_in", Counter, Frames, "Frames that found the queue full", |v| {
        v.stats.frames_dropped.into()
    }),
    figure(FromApplication, "queue_length", Gauge, Frames, "Frames that wait for the core", |v| {
        v.status.queue_length.into()
    }),
    figure(FromApplication, "queue_time", Gauge, Milliseconds, "Their playing time", |v| {
        Value::Milliseconds(v.queue())
    }),
    figure(FromApplication, "queue_high_water", Gauge, Frames, "The most frames that ever waited", |v| {
        v.stats.queue_high_water.into()
    }),
    figure(FromApplication, "queue_full", Info, NONE, "MEDIA_XOFF was sent, MEDIA_XON not yet", |v| {
        v.status.queue_full.into()
    }),
    figure(FromApplication, "buffering", Info, NONE, "Between START_ and STOP_MEDIA_BUFFERING", |v| {
        v.status.bulk_media.into()
    }),
    figure(FromApplication, "paused", Info, NONE, "Between PAUSE_ and CONTINUE_MEDIA", |v| {
        v.status.media_paused.into()
    }),
    figure(
        FromApplication,
        "queue_wait_median",
        Gauge,
        Milliseconds,
        "Half of the frames waited at most this",
        |v| v.stats.queue_wait.quantile(0.5).map_or(Value::Absent, Value::Milliseconds),
    ),
    figure(
        FromApplication,
        "queue_wait_p99",
        Gauge,
        Milliseconds,
        "99 of 100 frames waited at most this",
        |v| v.stats.queue_wait.quantile(0.99).map_or(Value::Absent, Value::Milliseconds),
    ),
    figure(FromApplication, "longest_queue_wait", Gauge, Milliseconds, "The longest wait of a frame", |v| {
        Value::Milliseconds(v.stats.longest_queue_wait)
    }),
    figure(
        FromApplication,
        "underruns",
        Counter,
        NONE,
        "Times that a frame was due and none was there",
        |v| v.stats.underruns.into(),
    ),
    figure(FromApplication, "late_reads", Counter, NONE, "Frames read late by a frame or more", |v| {
        v.stats.late_reads.into()
    }),
    figure(FromApplication, "longest_stall", Gauge, Milliseconds, "The latest read of all", |v| {
        Value::Milliseconds(v.stats.longest_lateness)
    }),
    figure(FromApplication, "commands", Counter, NONE, "Text messages", |v| v.stats.commands.into()),
    figure(FromApplication, "commands_refused", Counter, NONE, "Those answered with an ERROR", |v| {
        v.stats.commands_refused.into()
    }),
    figure(FromApplication, "last_command", Info, NONE, "The last command that was understood", |v| {
        v.stats.last_command.into()
    }),
    figure(ToApplication, "frames_out", Counter, Frames, "Frames sent", |v| {
        v.out_count(|link| link.frames_out)
    }),
    figure(ToApplication, "bytes_out", Counter, Bytes, "Bytes in them", |v| {
        v.out_count(|link| link.bytes_out)
    }),
    figure(ToApplication, "frames_dropped_out", Counter, Frames, "Frames that were not read in time", |v| {
        v.out_count(|link| link.frames_out_dropped)
    }),
    figure(
        ToApplication,
        "frames_wrong_format",
        Counter,
        Frames,
        "Frames of the core in another format",
        |v| v.wrong_format_frames.into(),
    ),
    figure(
        ToApplication,
        "out_queue_time",
        Gauge,
        Milliseconds,
        "Media that waits for the application",
        |v| v.out_time(|link| link.out_queue),
    ),
    figure(ToApplication, "out_queue_high_water", Gauge, Milliseconds, "The most that ever waited", |v| {
        v.out_time(|link| link.out_queue_high_water)
    }),
    figure(
        ToApplication,
        "write_blocked",
        Counter,
        Milliseconds,
        "Time that the application took nothing",
        |v| v.out_time(|link| link.write_blocked),
    ),
    figure(ToApplication, "longest_write_block", Gauge, Milliseconds, "The longest time at once", |v| {
        v.out_time(|link| link.longest_write_block)
    }),
    figure(ToApplication, "events", Counter, NONE, "Events sent", |v| v.out_count(|link| link.events)),
    figure(ToApplication, "errors", Counter, NONE, "ERROR events among them", |v| v.errors.into()),
    figure(ToApplication, "last_error", Info, NONE, "The last one's text", |v| {
        v.last_error.as_deref().into()
    }),
];
