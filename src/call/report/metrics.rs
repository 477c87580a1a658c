//! The table of a call's metrics: the name of each, its meaning, and its source.

use std::ffi::CStr;
use std::time::Duration;

use super::MetricSection::{Call, Connection, FromApplication, ToApplication};
use super::{CallReport, Metric, MetricSection};
use crate::report::direct_bridge;
use crate::report::metric::Kind::{self, Counter, Gauge, Info};
use crate::report::metric::Unit::{self, Bytes, Frames, Milliseconds, Seconds};
use crate::report::metric::Value;

const NONE: Unit = Unit::None;

const fn metric(
    section: MetricSection,
    name: &'static str,
    kind: Kind,
    unit: Unit,
    help: &'static str,
    get: fn(&CallReport<'_>) -> Value,
) -> Metric {
    Metric { section, name, kind, unit, help, get, total: None }
}

impl Metric {
    /// The metric is summed up over all calls for the module. `help` is the meaning of the sum.
    const fn of_all(self, help: &'static str) -> Self {
        Self { total: Some(help), ..self }
    }
}

/// The metrics that are written into the channel's variables when its connection or the channel itself ends.
static TOTALS: [(&CStr, &str); 9] = [
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

impl CallReport<'_> {
    /// The value of the metric `name`; `None` if there is no such metric.
    pub fn value(&self, name: &str) -> Option<Value> {
        metric_of(name).map(|metric| (metric.get)(self))
    }

    /// What is written into the channel's variables at the end: variable, name of the metric, value.
    pub fn left(&self) -> impl Iterator<Item = (&'static CStr, &'static str, Value)> {
        TOTALS.iter().filter_map(|(variable, name)| Some((*variable, *name, self.value(name)?)))
    }
}

/// The metric of this name.
pub fn metric_of(name: &str) -> Option<&'static Metric> {
    METRICS.iter().find(|metric| metric.name.eq_ignore_ascii_case(name))
}

/// Every metric of a call, in the order in which they are shown.
pub static METRICS: &[Metric] = &[
    metric(Call, "channel", Info, NONE, "Name of the channel", |r| r.call.name().into()),
    metric(Call, "uniqueid", Info, NONE, "Unique id of the channel", |r| r.call.uniqueid().into()),
    metric(Call, "role", Info, NONE, "Who connects: incoming, the application; outgoing, Asterisk", |r| {
        r.call.role.as_str().into()
    }),
    metric(Call, "connection_id", Info, NONE, "Connection id, or name of the websocket_client", |r| {
        r.call.connection_id.as_str().into()
    }),
    metric(
        Call,
        "state",
        Info,
        NONE,
        "waiting, connecting, connected, buffering, paused, lost or ending",
        |r| r.state().into(),
    ),
    metric(Call, "age", Gauge, Seconds, "Time since the channel was made", |r| Value::Seconds(r.age())),
    metric(Call, "format", Info, NONE, "Media format", |r| r.format().name.as_str().into()),
    metric(Call, "ptime", Info, Milliseconds, "Length of a frame", |r| {
        Value::Milliseconds(r.format().ptime())
    }),
    metric(Call, "optimal_frame_size", Info, Bytes, "Size of a frame; 0 if media cannot be cut", |r| {
        r.format().optimal_frame_size.into()
    }),
    metric(Call, "mode", Info, NONE, "framed, passthrough or unbuffered", |r| r.mode_name().into()),
    metric(Call, "direction", Info, NONE, "Direction of media, seen from the application", |r| {
        r.direction.as_str().into()
    }),
    metric(Call, "control_messages", Info, NONE, "How commands and events are written", |r| {
        r.call.control_message_format.as_str().into()
    }),
    metric(Call, "auto_answer", Info, NONE, "Whether connecting answers the channel", |r| {
        r.call.auto_answer.into()
    }),
    metric(Call, "debug", Info, NONE, "Whether its control messages are logged", |r| {
        r.call.is_debugged().into()
    }),
    metric(Call, "ended_by", Info, NONE, "What ended the call", |r| {
        r.ending().map(|ending| ending.by.as_str()).into()
    }),
    metric(Call, "close_code", Info, NONE, "Close code of the WebSocket", |r| {
        r.ending().and_then(|ending| ending.code).map(u64::from).into()
    }),
    metric(Call, "close_reason", Info, NONE, "The application's close reason, or the fault in words", |r| {
        r.ending().map(|ending| ending.reason.as_str()).filter(|reason| !reason.is_empty()).into()
    }),
    metric(Connection, "peer", Info, NONE, "Address of the application", |r| r.peer().into()),
    metric(Connection, "tls", Info, NONE, "TLS version and cipher; none on a plain connection", |r| r.tls()),
    metric(
        Connection,
        "client",
        Info,
        NONE,
        "websocket_client that is connected: a fallback, or the one that was dialled",
        |r| r.connection().and_then(|connection| connection.client.as_deref()).into(),
    ),
    metric(
        Connection,
        "connect_time",
        Gauge,
        Milliseconds,
        "Time from the creation of the channel to its WebSocket",
        |r| r.connect_time().map(Value::Milliseconds).into(),
    ),
    metric(Connection, "connected", Gauge, Seconds, "Time since the WebSocket came up", |r| {
        r.connected().map(Value::Seconds).into()
    }),
    metric(
        Connection,
        "first_media_ms",
        Gauge,
        Milliseconds,
        "Time from MEDIA_START to the application's first media",
        |r| r.call.stats.first_media().map(Value::Milliseconds).into(),
    ),
    metric(Connection, "reconnects", Counter, NONE, "Connections after the first", |r| {
        r.call.stats.reconnects().into()
    })
    .of_all("Connections of calls after their first"),
    metric(Connection, "lost_ms", Counter, Milliseconds, "Time without a connection that was lost", |r| {
        Value::Milliseconds(Duration::from_millis(
            u64::try_from(r.call.lost_time().as_millis()).unwrap_or(u64::MAX),
        ))
    })
    .of_all("Time that calls were without a connection that was lost"),
    metric(Connection, "ping_interval", Info, Seconds, "Time between two pings, if any are sent", |r| {
        r.connection().and_then(|connection| connection.ping_interval).map(Value::Seconds).into()
    }),
    metric(Connection, "pings", Counter, NONE, "Pings sent", |r| r.pings().sent.into())
        .of_all("WebSocket pings sent"),
    metric(Connection, "pongs_missed", Counter, NONE, "Pings not answered before the next", |r| {
        r.pings().missed.into()
    })
    .of_all("Pings not answered before the next"),
    metric(Connection, "ping_rtt_ms", Gauge, Milliseconds, "Round trip of the last ping", |r| {
        r.pings().round_trip.map(Value::Milliseconds).into()
    }),
    metric(Connection, "longest_ping_rtt_ms", Gauge, Milliseconds, "The longest round trip of a ping", |r| {
        r.pings().longest_round_trip.map(Value::Milliseconds).into()
    }),
    metric(
        Connection,
        "write_timeout",
        Info,
        Milliseconds,
        "How long the application may read nothing",
        |r| r.connection().map(|connection| Value::Milliseconds(connection.write_timeout)).into(),
    ),
    metric(FromApplication, "messages_in", Counter, NONE, "Binary messages", |r| r.stats.messages.into())
        .of_all("Binary messages from applications"),
    metric(FromApplication, "bytes_in", Counter, Bytes, "Bytes of these messages", |r| r.stats.bytes.into())
        .of_all("Bytes of binary messages from applications"),
    metric(FromApplication, "messages_dropped", Counter, NONE, "Messages that found the queue full", |r| {
        r.stats.messages_dropped.into()
    }),
    metric(
        FromApplication,
        "frames_played_direct",
        Counter,
        Frames,
        "Frames for a direct bridge that skipped the channel's thread",
        |r| r.call.played_directly.direct().into(),
    )
    .of_all("Frames for direct bridges that skipped the channel's thread"),
    metric(
        FromApplication,
        "frames_played_not_direct",
        Info,
        NONE,
        "Frames for a direct bridge that did not skip the channel's thread, by reason",
        |r| direct_bridge::listing(&r.call.played_directly.not_direct()).map(Value::Text).into(),
    ),
    metric(FromApplication, "messages_unwanted", Counter, NONE, "Messages while the direction was in", |r| {
        r.stats.messages_unwanted.into()
    }),
    metric(FromApplication, "bytes_cut_off", Counter, Bytes, "Bytes that filled no frame", |r| {
        r.stats.bytes_cut_off.into()
    }),
    metric(FromApplication, "frames_in", Counter, Frames, "Frames queued", |r| r.stats.frames_in.into())
        .of_all("Frames from applications that were queued"),
    metric(FromApplication, "frames_played", Counter, Frames, "Frames that went to the core", |r| {
        r.stats.frames_played.into()
    })
    .of_all("Frames that went to the core"),
    metric(FromApplication, "played_ms", Counter, Milliseconds, "Media that went to the core", |r| {
        Value::Milliseconds(r.stats.media_played)
    }),
    metric(
        FromApplication,
        "frames_filled",
        Counter,
        Frames,
        "Frames of silence that went to the core (silence_fill)",
        |r| r.stats.frames_filled.into(),
    )
    .of_all("Frames of silence that went to the core"),
    metric(FromApplication, "frames_flushed", Counter, Frames, "Frames dropped by FLUSH_MEDIA", |r| {
        r.stats.frames_flushed.into()
    })
    .of_all("Frames dropped by FLUSH_MEDIA"),
    metric(FromApplication, "frames_dropped_in", Counter, Frames, "Frames that found the queue full", |r| {
        r.stats.frames_dropped.into()
    })
    .of_all("Frames that found the queue full"),
    metric(
        FromApplication,
        "dropped_queue_full_ms",
        Counter,
        Milliseconds,
        "Media of the frames that found the queue full",
        |r| Value::Milliseconds(r.stats.media_dropped.saturating_sub(r.stats.media_dropped_late)),
    ),
    metric(
        FromApplication,
        "dropped_max_latency_ms",
        Counter,
        Milliseconds,
        "Live media that was dropped because more than max_latency waited",
        |r| Value::Milliseconds(r.stats.media_dropped_late),
    ),
    metric(FromApplication, "queue_length", Gauge, Frames, "Frames that wait for the core", |r| {
        r.status.queue_length.into()
    }),
    metric(FromApplication, "queue_time", Gauge, Milliseconds, "Playing time of the frames that wait", |r| {
        Value::Milliseconds(r.queued)
    }),
    metric(FromApplication, "queue_high_water", Gauge, Frames, "The most frames that ever waited", |r| {
        r.stats.queue_high_water.into()
    }),
    metric(FromApplication, "queue_full", Info, NONE, "MEDIA_XOFF was sent, MEDIA_XON not yet", |r| {
        r.status.queue_full.into()
    }),
    metric(FromApplication, "unread", Info, NONE, "Not read, because its queue is full (wait)", |r| {
        r.is_unread.into()
    }),
    metric(FromApplication, "buffering", Info, NONE, "Between START_ and STOP_MEDIA_BUFFERING", |r| {
        r.status.bulk_media.into()
    }),
    metric(FromApplication, "paused", Info, NONE, "Between PAUSE_ and CONTINUE_MEDIA", |r| {
        r.status.media_paused.into()
    }),
    metric(
        FromApplication,
        "queue_wait_median",
        Gauge,
        Milliseconds,
        "Half of the frames waited at most this long",
        |r| r.stats.queue_wait.quantile(0.5).map(Value::Milliseconds).into(),
    ),
    metric(
        FromApplication,
        "queue_wait_p99",
        Gauge,
        Milliseconds,
        "99 of 100 frames waited at most this long",
        |r| r.stats.queue_wait.quantile(0.99).map(Value::Milliseconds).into(),
    ),
    metric(FromApplication, "longest_queue_wait", Gauge, Milliseconds, "The longest wait of a frame", |r| {
        Value::Milliseconds(r.stats.longest_queue_wait)
    }),
    metric(FromApplication, "underruns", Counter, NONE, "Times that a frame was due and none waited", |r| {
        r.stats.underruns.into()
    })
    .of_all("Times that a frame was due and none waited"),
    metric(FromApplication, "late_reads", Counter, NONE, "Reads that were late by a frame or more", |r| {
        r.stats.late_reads.into()
    })
    .of_all("Frames that the core read late by a frame or more"),
    metric(FromApplication, "longest_stall", Gauge, Milliseconds, "How late the latest read was", |r| {
        Value::Milliseconds(r.stats.longest_lateness)
    }),
    metric(FromApplication, "commands", Counter, NONE, "Text messages", |r| r.stats.commands.into())
        .of_all("Text messages from applications"),
    metric(FromApplication, "commands_refused", Counter, NONE, "Text messages answered with an ERROR", |r| {
        r.stats.commands_refused.into()
    })
    .of_all("Text messages from applications that were answered with an ERROR"),
    metric(FromApplication, "last_command", Info, NONE, "The last command that was understood", |r| {
        r.stats.last_command.into()
    }),
    metric(ToApplication, "frames_out", Counter, Frames, "Frames sent", |r| {
        r.out_count(|out| &out.media_messages).into()
    })
    .of_all("Frames to applications"),
    metric(
        ToApplication,
        "frames_direct",
        Counter,
        Frames,
        "Frames of a direct bridge that skipped the channel's thread",
        |r| r.call.direct.direct().into(),
    )
    .of_all("Frames of direct bridges that skipped the channel's thread"),
    metric(
        ToApplication,
        "frames_not_direct",
        Info,
        NONE,
        "Frames of a direct bridge that did not skip the channel's thread, by reason",
        |r| direct_bridge::listing(&r.call.direct.not_direct()).map(Value::Text).into(),
    ),
    metric(ToApplication, "bytes_out", Counter, Bytes, "Bytes of these frames", |r| {
        r.out_count(|out| &out.media_bytes).into()
    })
    .of_all("Bytes of frames to applications"),
    metric(ToApplication, "frames_dropped_out", Counter, Frames, "Frames that were not read in time", |r| {
        r.out_count(|out| &out.media_dropped).into()
    })
    .of_all("Frames that applications did not read in time"),
    metric(
        ToApplication,
        "dropped_out_queue_ms",
        Counter,
        Milliseconds,
        "Media that was not read in time",
        |r| r.out_time(|out| &out.media_dropped_ns),
    ),
    metric(
        ToApplication,
        "frames_wrong_format",
        Counter,
        Frames,
        "Frames from the core in another format than the channel's",
        |r| r.call.wrong_format_frames().into(),
    ),
    metric(
        ToApplication,
        "out_queue_time",
        Gauge,
        Milliseconds,
        "Media that waits for the application",
        |r| Value::Milliseconds(r.out_queue()),
    ),
    metric(
        ToApplication,
        "out_queue_high_water",
        Gauge,
        Milliseconds,
        "The most media that ever waited",
        |r| r.out_time(|out| &out.queue_high_water_ns),
    ),
    metric(
        ToApplication,
        "write_blocked",
        Counter,
        Milliseconds,
        "Time that the application read nothing although data waited",
        |r| r.out_time(|out| &out.blocked_ns),
    )
    .of_all("Time that applications read nothing although data waited"),
    metric(ToApplication, "longest_write_block", Gauge, Milliseconds, "The longest of these times", |r| {
        r.out_time(|out| &out.longest_block_ns)
    }),
    metric(ToApplication, "events", Counter, NONE, "Events sent", |r| r.out_count(|out| &out.events).into())
        .of_all("Events to applications"),
    metric(ToApplication, "errors", Counter, NONE, "ERROR events sent", |r| r.call.stats.errors().into())
        .of_all("ERROR events to applications"),
    metric(ToApplication, "last_error", Info, NONE, "Text of the last ERROR event", |r| {
        r.call.stats.last_error().map(Value::Text).into()
    }),
];
