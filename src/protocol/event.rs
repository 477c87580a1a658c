//! The events to the app, and both spellings of each.
//!
//! `session` decides when each is sent. Rendering needs no lock and no Asterisk thread.

use std::time::Duration;

use super::command::{RequestError, Spelling};

pub use self::added::{
    AddedEvent, CallState, ConnectedLine, DropReason, DtmfBegin, DtmfSent, DtmfStopped, EventSent, Limits,
    MediaDropped, MediaFlushed, MediaPosition, MediaStop, MediaTimes, Subscribed, Text, TextSent,
    TransferResult, Transferred, whole_ms,
};

/// An event to the app, as one text message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The connection is up; always the first message on it.
    MediaStart(Box<MediaStart>),
    /// The core heard a digit, which has ended.
    DtmfEnd {
        /// `0`-`9`, `A`-`D`, `*` or `#`.
        digit: char,
        /// Its length, ms; only after a SUBSCRIBE.
        duration_ms: Option<u32>,
    },
    /// The queue is nearly full: stop sending.
    MediaXoff,
    /// There is room again: go on sending.
    MediaXon,
    /// The queue is empty; the answer to REPORT_QUEUE_DRAINED.
    QueueDrained,
    /// The answer to GET_STATUS.
    Status(Status),
    /// Everything queued before STOP_MEDIA_BUFFERING has been played.
    MediaBufferingCompleted {
        /// The command's.
        correlation_id: Option<String>,
        /// Media that has been played by then, ms; said after a SUBSCRIBE.
        played_ms: Option<u64>,
    },
    /// Everything queued before MARK_MEDIA has been played.
    MediaMarkProcessed {
        /// The command's.
        correlation_id: Option<String>,
        /// Media that has been played by then, ms; said after a SUBSCRIBE.
        played_ms: Option<u64>,
    },
    /// A command was refused, or media had to be dropped.
    Error {
        /// The text, on one line.
        error_text: String,
    },
    /// An added command was refused: an ERROR that names the command.
    RequestRefused(Box<RequestError>),
    /// An event that is sent only after a SUBSCRIBE.
    Added(Box<AddedEvent>),
}

/// What MEDIA_START says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MediaStart {
    /// The websocket_client's name, or the UUID of an incoming connection.
    pub connection_id: String,
    /// The channel's name.
    pub channel: String,
    /// Asterisk's name of the channel's one format.
    pub format: String,
    /// Bytes of one frame; 0 where the codec cannot be cut at arbitrary bytes.
    pub optimal_frame_size: usize,
    /// Length of one frame.
    pub ptime_ms: u32,
    /// The channel's variables: a JSON object as Asterisk writes it, which is sent unchanged; JSON only. A text that is
    /// not JSON counts as an empty object.
    pub channel_variables: String,
    /// Messages are frames, and not re-framed.
    pub passthrough: bool,
    /// Messages go to the core as they come, not re-timed.
    pub unbuffered: bool,
    /// On a connection that follows one that was lost: how long the call was without one.
    pub reconnected_after: Option<Duration>,
}

/// What STATUS says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Status {
    /// Frames that wait.
    pub queue_length: usize,
    /// Frames under which MEDIA_XON is sent.
    pub xon_level: usize,
    /// Frames at which MEDIA_XOFF is sent.
    pub xoff_level: usize,
    /// MEDIA_XOFF has been sent, and MEDIA_XON not yet.
    pub queue_full: bool,
    /// Between START_ and STOP_MEDIA_BUFFERING.
    pub bulk_media: bool,
    /// Between PAUSE_ and CONTINUE_MEDIA.
    pub media_paused: bool,
    /// Only after a SUBSCRIBE.
    pub times: Option<MediaTimes>,
}

impl Event {
    /// The event's name on the wire, in both formats.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::MediaStart(_) => "MEDIA_START",
            Self::DtmfEnd { .. } => "DTMF_END",
            Self::MediaXoff => "MEDIA_XOFF",
            Self::MediaXon => "MEDIA_XON",
            Self::QueueDrained => "QUEUE_DRAINED",
            Self::Status(_) => "STATUS",
            Self::MediaBufferingCompleted { .. } => "MEDIA_BUFFERING_COMPLETED",
            Self::MediaMarkProcessed { .. } => "MEDIA_MARK_PROCESSED",
            Self::Error { .. } | Self::RequestRefused(_) => "ERROR",
            Self::Added(event) => event.name(),
        }
    }

    /// The text of an ERROR; `None` for any other event.
    pub fn error_text(&self) -> Option<&str> {
        match self {
            Self::Error { error_text } => Some(error_text),
            Self::RequestRefused(error) => Some(&error.error_text),
            _ => None,
        }
    }

    /// Whether it is out of date soon.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Added(added) if matches!(**added, AddedEvent::MediaPosition(_)))
    }

    /// The message in this spelling; `channel_id` is the channel's unique id.
    pub fn render(&self, spelling: Spelling, channel_id: &str) -> String {
        match spelling {
            Spelling::PlainText => self.plain_text(channel_id),
            Spelling::Json => json::render(self, channel_id),
        }
    }

    fn plain_text(&self, channel_id: &str) -> String {
        let name = self.name();
        match self {
            Self::MediaXoff | Self::MediaXon | Self::QueueDrained => name.to_owned(),
            Self::MediaStart(start) => {
                let MediaStart { connection_id, channel, format, optimal_frame_size, ptime_ms, .. } =
                    &**start;
                let MediaStart { passthrough, unbuffered, .. } = &**start;
                let reconnected = start
                    .reconnected_after
                    .map(|lost| format!(" reconnected:true lost_ms:{}", lost.as_millis()));
                let reconnected = reconnected.unwrap_or_default();
                format!(
                    "{name} connection_id:{connection_id} channel:{channel} channel_id:{channel_id} format:{format} \
                     optimal_frame_size:{optimal_frame_size} ptime:{ptime_ms} passthrough:{passthrough} \
                     unbuffered:{unbuffered}{reconnected}"
                )
            }
            Self::DtmfEnd { digit, .. } => format!("{name} digit:{digit} channel_id:{channel_id}"),
            Self::Status(status) => {
                let Status {
                    queue_length, xon_level, xoff_level, queue_full, bulk_media, media_paused, ..
                } = status;
                format!(
                    "{name} channel_id:{channel_id} queue_length:{queue_length} xon_level:{xon_level} \
                     xoff_level:{xoff_level} queue_full:{queue_full} bulk_media:{bulk_media} \
                     media_paused:{media_paused}"
                )
            }
            Self::MediaBufferingCompleted { correlation_id, .. }
            | Self::MediaMarkProcessed { correlation_id, .. } => match correlation_id.as_deref() {
                None | Some("") => name.to_owned(),
                Some(id) => format!("{name} {id}"),
            },
            Self::Error { error_text } => format!("{name} channel_id:{channel_id} error_text:{error_text}"),
            Self::RequestRefused(error) => format!("{name} channel_id:{channel_id} error_text:{error}"),
            // These events have no plain text: an app can subscribe to them in JSON only.
            Self::Added(_) => name.to_owned(),
        }
    }
}

mod added;
mod json;
#[cfg(test)]
mod tests;
