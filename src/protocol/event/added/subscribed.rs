//! SUBSCRIBED.

use serde::Serialize;

/// What the application has subscribed to, and its limits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Subscribed {
    /// The command's; empty without one.
    pub correlation_id: String,
    /// The events that it gets, in their order.
    pub events: Vec<&'static str>,
    /// The names that this version does not know.
    pub unknown: Vec<String>,
    /// The module's version.
    pub version: &'static str,
    /// The limits of this call.
    pub limits: Limits,
}

/// A call's limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Limits {
    /// Frames with which the queue is full.
    pub queue_max: usize,
    /// Frames at which MEDIA_XOFF is sent.
    pub queue_xoff: usize,
    /// Frames under which MEDIA_XON is sent.
    pub queue_xon: usize,
    /// What happens to media that finds the queue full.
    pub queue_overflow: &'static str,
    /// Bytes of media that may wait.
    pub queue_bytes: usize,
    /// Live media that may wait, ms; 0: any.
    pub max_latency: u64,
    /// Bytes of one message of the application.
    pub max_message_size: usize,
    /// Bytes of one command.
    pub max_command_size: usize,
    /// Media that is kept for an application that reads slowly, ms.
    pub out_queue: u64,
}
