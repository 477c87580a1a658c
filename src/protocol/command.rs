//! The app's commands: their names, their two spellings, and the errors for texts that are not commands.
//!
//! Whether a command is allowed at the moment (passthrough, media direction) is decided by `session`. Called from
//! the reactor thread that read the message; nothing here waits.

mod added;
#[cfg(test)]
mod tests;

use serde_json::Value;

use crate::report::table::shortened;

pub use self::added::{
    DEFAULT_POSITION_INTERVAL_MS, Flush, FlushExtent, MAX_DIGITS, MAX_FADE_MS, RequestError, SendDtmf,
    SendEvent, SendText, Subscribe, Transfer,
};

/// How `chan_websocket` spells its commands and events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spelling {
    /// `WORD argument`.
    PlainText,
    /// One JSON object per message.
    Json,
}

/// The direction of media, seen from the app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum MediaDirection {
    /// The app sends and receives, the default.
    #[default]
    Both,
    /// The app only receives.
    In,
    /// The app only sends.
    Out,
}

/// The values of `d()` and of SET_MEDIA_DIRECTION, for messages about a wrong one.
pub const MEDIA_DIRECTIONS: &str = "'both', 'in' or 'out'";

impl MediaDirection {
    /// The direction that `d()` or SET_MEDIA_DIRECTION names; `None` for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Both, Self::In, Self::Out].into_iter().find(|direction| text == direction.as_str())
    }

    /// As it is written in a dial string and in a command.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Both => "both",
            Self::In => "in",
            Self::Out => "out",
        }
    }

    /// Whether the app may send media.
    pub const fn app_sends(self) -> bool {
        matches!(self, Self::Both | Self::Out)
    }

    /// Whether the app gets media.
    pub const fn app_receives(self) -> bool {
        matches!(self, Self::Both | Self::In)
    }
}

/// A command that the app may send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Answer the channel.
    Answer,
    /// Hang the channel up.
    Hangup,
    /// Media is sent in bulk from here on: keep the rest of a message for the next one.
    StartMediaBuffering,
    /// The bulk ends here.
    StopMediaBuffering {
        /// Comes back with MEDIA_BUFFERING_COMPLETED; never empty.
        correlation_id: Option<String>,
    },
    /// Say when everything queued so far has been played.
    MarkMedia {
        /// Comes back with MEDIA_MARK_PROCESSED; never empty.
        correlation_id: Option<String>,
    },
    /// Drop everything queued, or a part of it.
    FlushMedia(Flush),
    /// Stop playing, keep the queue.
    PauseMedia,
    /// Go on playing.
    ContinueMedia,
    /// Say once when the queue is empty.
    ReportQueueDrained,
    /// Send STATUS now.
    GetStatus,
    /// Change the media direction. Holds the error of a wrong argument, because a session that does not allow the
    /// command refuses it before it checks the argument.
    SetMediaDirection(Result<MediaDirection, DirectionError>),
    /// Send added events.
    Subscribe(Box<Subscribe>),
    /// Press digits.
    SendDtmf(Box<SendDtmf>),
    /// Give the core a text.
    SendText(Box<SendText>),
    /// Send an event to ARI and AMI.
    SendEvent(Box<SendEvent>),
    /// Transfer the bridge's other side.
    Transfer(Box<Transfer>),
}

impl Command {
    /// The command's name on the wire, in both formats.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Answer => "ANSWER",
            Self::Hangup => "HANGUP",
            Self::StartMediaBuffering => "START_MEDIA_BUFFERING",
            Self::StopMediaBuffering { .. } => "STOP_MEDIA_BUFFERING",
            Self::MarkMedia { .. } => "MARK_MEDIA",
            Self::FlushMedia(_) => "FLUSH_MEDIA",
            Self::PauseMedia => "PAUSE_MEDIA",
            Self::ContinueMedia => "CONTINUE_MEDIA",
            Self::ReportQueueDrained => "REPORT_QUEUE_DRAINED",
            Self::GetStatus => "GET_STATUS",
            Self::SetMediaDirection(_) => SET_MEDIA_DIRECTION,
            Self::Subscribe(_) => added::SUBSCRIBE,
            Self::SendDtmf(_) => added::SEND_DTMF,
            Self::SendText(_) => added::SEND_TEXT,
            Self::SendEvent(_) => added::SEND_EVENT,
            Self::Transfer(_) => added::TRANSFER,
        }
    }
}

const SET_MEDIA_DIRECTION: &str = "SET_MEDIA_DIRECTION";

/// What is wrong with the argument of SET_MEDIA_DIRECTION. Displays as the ERROR event's `error_text`.
///
/// DIVERGES: the C module ends these three texts with a line feed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DirectionError {
    /// The call's control messages are plain text, which has no spelling for the argument.
    #[error("{SET_MEDIA_DIRECTION} only supports JSON format.")]
    PlainText,
    /// There is no `direction`, or it is not a string.
    #[error("{SET_MEDIA_DIRECTION} requires a 'direction' parameter.")]
    Missing,
    /// The direction is none of [`MEDIA_DIRECTIONS`].
    #[error("'{}' is not a valid direction for {SET_MEDIA_DIRECTION}.", excerpt(.0))]
    Invalid(String),
}

/// A text message that is not a command. Displays as the ERROR event's `error_text`.
///
/// DIVERGES: the C module answers only unparsable JSON; all the others it logs, at best, and ignores.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// Empty, or only white space.
    #[error("Empty command")]
    Empty,
    /// More bytes than `max_command_size`.
    #[error("Command of {len_bytes} bytes exceeds the limit of {max_bytes} bytes")]
    TooLong {
        /// Length of the message.
        len_bytes: usize,
        /// The limit.
        max_bytes: usize,
    },
    /// Not JSON.
    #[error("Unable to parse JSON command")]
    Json,
    /// JSON, but not an object.
    #[error("JSON command is not an object")]
    NotAnObject,
    /// An object whose `command` is missing or not a string.
    #[error("JSON command requires a 'command' string")]
    NoCommand,
    /// There is no such command; holds the name that was sent.
    #[error("Unknown command '{}'", excerpt(.0))]
    Unknown(String),
    /// An added command that is refused.
    #[error("{0}")]
    Request(Box<RequestError>),
    /// Not a message of the call's dialect; says what is wrong with it.
    #[error("{0}")]
    Dialect(String),
}

/// Parses the text message `text`, as received, in this spelling.
///
/// `max_command_size` is in bytes. White space around the command is ignored, but counts for the limit.
///
/// # Errors
/// Everything that is not a [`Command`]; the error's text is for the app.
pub fn parse(text: &str, spelling: Spelling, max_command_size: usize) -> Result<Command, CommandError> {
    if text.len() > max_command_size {
        return Err(CommandError::TooLong { len_bytes: text.len(), max_bytes: max_command_size });
    }
    if text.is_empty() {
        return Err(CommandError::Empty);
    }
    // As ast_strip (asterisk/strings.h): everything up to and including the space counts as white space, so that
    // an app may send a line feed or a C string's NUL after its command.
    let text = text.trim_matches(|c| c <= ' ');
    match spelling {
        Spelling::PlainText => parse_plain_text(text),
        Spelling::Json => parse_json(text),
    }
}

fn parse_plain_text(text: &str) -> Result<Command, CommandError> {
    if text.is_empty() {
        return Err(CommandError::Empty);
    }
    let (name, argument) = match text.split_once(' ') {
        Some((name, argument)) => (name, Some(argument)),
        None => (text, None),
    };
    from_parts(name, argument, || Err(DirectionError::PlainText)).ok_or_else(|| unknown(name))
}

fn parse_json(text: &str) -> Result<Command, CommandError> {
    let value: Value = serde_json::from_str(text).map_err(|_| CommandError::Json)?;
    let object = value.as_object().ok_or(CommandError::NotAnObject)?;
    let string = |key: &str| object.get(key).and_then(Value::as_str);
    let name = string("command").ok_or(CommandError::NoCommand)?;
    if let Some(added) = added::parse(name, object, text) {
        return added;
    }
    from_parts(name, string("correlation_id"), || {
        let direction = string("direction").ok_or(DirectionError::Missing)?;
        MediaDirection::parse(direction).ok_or_else(|| DirectionError::Invalid(direction.to_owned()))
    })
    .ok_or_else(|| CommandError::Unknown(name.to_owned()))
}

/// The error for `name` on a call whose control messages are plain text, which have no such command.
fn unknown(name: &str) -> CommandError {
    added::in_plain_text(name).unwrap_or_else(|| CommandError::Unknown(name.to_owned()))
}

/// The command `name`; `None` if there is no such command.
fn from_parts(
    name: &str,
    correlation_id: Option<&str>,
    direction: impl FnOnce() -> Result<MediaDirection, DirectionError>,
) -> Option<Command> {
    let correlation_id = || correlation_id.filter(|id| !id.is_empty()).map(str::to_owned);
    Some(match name {
        "ANSWER" => Command::Answer,
        "HANGUP" => Command::Hangup,
        "START_MEDIA_BUFFERING" => Command::StartMediaBuffering,
        "STOP_MEDIA_BUFFERING" => Command::StopMediaBuffering { correlation_id: correlation_id() },
        "MARK_MEDIA" => Command::MarkMedia { correlation_id: correlation_id() },
        "FLUSH_MEDIA" => Command::FlushMedia(Flush::default()),
        "PAUSE_MEDIA" => Command::PauseMedia,
        "CONTINUE_MEDIA" => Command::ContinueMedia,
        "REPORT_QUEUE_DRAINED" => Command::ReportQueueDrained,
        "GET_STATUS" => Command::GetStatus,
        SET_MEDIA_DIRECTION => Command::SetMediaDirection(direction()),
        _ => return None,
    })
}

/// `text` as an error may quote it: as JSON, and short.
pub fn quoted(text: &str) -> String {
    excerpt(&Value::from(text).to_string())
}

/// `text` as an error may quote it: short, and on one line.
fn excerpt(text: &str) -> String {
    const MAX_CHARS: usize = 64;
    shortened(text, MAX_CHARS)
}
