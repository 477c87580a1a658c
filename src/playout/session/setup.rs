//! What a call is set up with.

use std::time::Duration;

use crate::playout::media_format::MediaFormat;
use crate::playout::overflow::Overflow;
use crate::playout::queue::QueueLimits;
use crate::playout::silence::SilenceFrame;
use crate::protocol::command::MediaDirection;
use crate::protocol::dialect::ControlMessageFormat;
use crate::protocol::topic::Topics;

/// What a call is set up with; fixed while it lives except the direction.
#[derive(Debug, Clone)]
pub struct SessionConfig {
    /// The channel's one format.
    pub format: MediaFormat,
    /// What a message of the app is.
    pub mode: MediaMode,
    /// Which way media goes at first.
    pub direction: MediaDirection,
    /// How commands are written.
    pub control_message_format: ControlMessageFormat,
    /// What fills no frame outside bulk media is joined with the next message, too.
    pub joins_media: bool,
    /// The added events, of those about media, that the app gets without a SUBSCRIBE.
    pub topics: Topics,
    /// Flow control.
    pub limits: QueueLimits,
    /// What happens to media that finds the queue full.
    pub overflow: Overflow,
    /// Live media that may wait before the oldest of it is dropped; `None`: any.
    pub max_latency: Option<Duration>,
    /// What goes to the core while there is nothing to play; `None`: nothing.
    pub silence: Option<SilenceFrame>,
    /// No digit of the app's is shorter for the core.
    pub shortest_digit: Duration,
    /// Media that begins after silence, does so at a multiple of this on the monotonic clock; zero: at once.
    pub clock_grid: Duration,
    /// Limits of its connection, which the app is told.
    pub connection_limits: ConnectionLimits,
}

/// What SUBSCRIBED says of limits that are not the session's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ConnectionLimits {
    /// Bytes of one message of the app.
    pub max_message_size: usize,
    /// Bytes of one command.
    pub max_command_size: usize,
    /// Media that is kept for an app that reads slowly.
    pub out_queue: Duration,
}

/// What a binary message of the app is, and how it is timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MediaMode {
    /// Bytes to be cut into frames, played one per ptime.
    #[default]
    Framed,
    /// One frame, played for as long as it lasts. Most commands about media are refused.
    Passthrough,
    /// One frame, given to the core as it comes; but bulk media is framed and timed.
    Unbuffered,
}
