//! The configuration of a session.

use std::time::Duration;

use crate::playout::media_format::MediaFormat;
use crate::playout::overflow::Overflow;
use crate::playout::queue::QueueLimits;
use crate::playout::silence::SilenceFrame;
use crate::protocol::command::MediaDirection;
use crate::protocol::dialect::ControlMessageFormat;
use crate::protocol::topic::Topics;

/// The configuration of a session; during a call only the direction changes.
#[derive(Debug, Clone)]
pub struct SessionConfig {
    /// The channel's one format.
    pub format: MediaFormat,
    /// How a message of the app is played.
    pub mode: MediaMode,
    /// The media direction at the beginning.
    pub direction: MediaDirection,
    /// How commands are written.
    pub control_message_format: ControlMessageFormat,
    /// Outside bulk media too, bytes that fill no frame are joined with the next message.
    pub joins_media: bool,
    /// The added events about media that the app gets without a SUBSCRIBE.
    pub topics: Topics,
    /// Flow control.
    pub limits: QueueLimits,
    /// What happens to media that finds the queue full.
    pub overflow: Overflow,
    /// Live media that may wait before the oldest of it is dropped; `None`: any.
    pub max_latency: Option<Duration>,
    /// The frame that goes to the core while there is nothing to play; `None`: nothing goes.
    pub silence: Option<SilenceFrame>,
    /// The core's shortest digit.
    pub shortest_digit: Duration,
    /// After silence, media begins at a multiple of this on the monotonic clock; zero: at once.
    pub clock_grid: Duration,
    /// Limits of the connection, which SUBSCRIBED reports.
    pub connection_limits: ConnectionLimits,
}

/// The limits in SUBSCRIBED that are not the session's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ConnectionLimits {
    /// Bytes of one message of the app.
    pub max_message_size: usize,
    /// Bytes of one command.
    pub max_command_size: usize,
    /// Media that is kept for an app that reads slowly.
    pub out_queue: Duration,
}

/// How a binary message of the app is cut and timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MediaMode {
    /// Bytes to be cut into frames, played one per ptime.
    #[default]
    Framed,
    /// One frame, played for its length. SET_MEDIA_DIRECTION is refused.
    Passthrough,
    /// One frame, given to the core at once; but bulk media is framed and timed.
    Unbuffered,
}
