//! The app's commands: their names, both spellings of them, and what is said about one that is none.
//!
//! Whether a command is allowed at the moment (passthrough, media direction) is `session`'s business. Called from
//! the reactor thread that read the message; nothing here waits.

use serde_json::Value;

/// How control messages (commands and events) are written on one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ControlMessageFormat {
    /// `WORD argument`, the default.
    #[default]
    PlainText,
    /// One JSON object per message.
    Json,
}

/// The values of `f()` and of `control_message_format`, for messages about a wrong one.
pub const CONTROL_MESSAGE_FORMATS: &str = "'plain-text' or 'json'";

impl ControlMessageFormat {
    /// The format that `f()` or `control_message_format` names, whatever its case; `None` for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::PlainText, Self::Json].into_iter().find(|format| text.eq_ignore_ascii_case(format.as_str()))
    }

    /// As it is written in a dial string and in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PlainText => "plain-text",
            Self::Json => "json",
        }
    }
}

/// Which way media goes, seen from the app.
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
    /// Drop everything queued.
    FlushMedia,
    /// Stop playing, keep the queue.
    PauseMedia,
    /// Go on playing.
    ContinueMedia,
    /// Say once when the queue is empty.
    ReportQueueDrained,
    /// Send STATUS now.
    GetStatus,
    /// Change the media direction. The argument's fault is inside, because a session that does not allow the
    /// command refuses it before it looks at its argument.
    SetMediaDirection(Result<MediaDirection, DirectionError>),
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
            Self::FlushMedia => "FLUSH_MEDIA",
            Self::PauseMedia => "PAUSE_MEDIA",
            Self::ContinueMedia => "CONTINUE_MEDIA",
            Self::ReportQueueDrained => "REPORT_QUEUE_DRAINED",
            Self::GetStatus => "GET_STATUS",
            Self::SetMediaDirection(_) => SET_MEDIA_DIRECTION,
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

/// A text message that is no command. Displays as the ERROR event's `error_text`.
///
/// DIVERGES: the C module answers only unparsable JSON; all the others it logs, at best, and ignores.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// Nothing, or nothing but white space.
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
    /// No such command; holds what was sent in its place.
    #[error("Unknown command '{}'", excerpt(.0))]
    Unknown(String),
}

/// What the text message `text` (as received) of a call with `format` commands.
///
/// `max_command_size` is in bytes. White space around the command does not count for anything but the limit.
///
/// # Errors
/// Everything that is not a command of [`Command`]; the error's text is for the app.
pub fn parse(
    text: &str,
    format: ControlMessageFormat,
    max_command_size: usize,
) -> Result<Command, CommandError> {
    if text.len() > max_command_size {
        return Err(CommandError::TooLong { len_bytes: text.len(), max_bytes: max_command_size });
    }
    if text.is_empty() {
        return Err(CommandError::Empty);
    }
    // As ast_strip (asterisk/strings.h): everything up to and including the space counts as white space, so that
    // an app may send a line feed or a C string's NUL behind its command.
    let text = text.trim_matches(|c| c <= ' ');
    match format {
        ControlMessageFormat::PlainText => parse_plain_text(text),
        ControlMessageFormat::Json => parse_json(text),
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
    from_parts(name, argument, || Err(DirectionError::PlainText))
        .ok_or_else(|| CommandError::Unknown(name.to_owned()))
}

fn parse_json(text: &str) -> Result<Command, CommandError> {
    let value: Value = serde_json::from_str(text).map_err(|_| CommandError::Json)?;
    let object = value.as_object().ok_or(CommandError::NotAnObject)?;
    let string = |key: &str| object.get(key).and_then(Value::as_str);
    let name = string("command").ok_or(CommandError::NoCommand)?;
    from_parts(name, string("correlation_id"), || {
        let direction = string("direction").ok_or(DirectionError::Missing)?;
        MediaDirection::parse(direction).ok_or_else(|| DirectionError::Invalid(direction.to_owned()))
    })
    .ok_or_else(|| CommandError::Unknown(name.to_owned()))
}

/// The command `name`, or `None` if there is none of that name.
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
        "FLUSH_MEDIA" => Command::FlushMedia,
        "PAUSE_MEDIA" => Command::PauseMedia,
        "CONTINUE_MEDIA" => Command::ContinueMedia,
        "REPORT_QUEUE_DRAINED" => Command::ReportQueueDrained,
        "GET_STATUS" => Command::GetStatus,
        SET_MEDIA_DIRECTION => Command::SetMediaDirection(direction()),
        _ => return None,
    })
}

/// `text` as an error may quote it: short, and without control characters that would break a line of plain text.
fn excerpt(text: &str) -> String {
    const MAX_CHARS: usize = 64;
    let mut chars = text.chars();
    let mut excerpt = String::new();
    for c in chars.by_ref().take(MAX_CHARS) {
        if c.is_control() {
            excerpt.extend(c.escape_default());
        } else {
            excerpt.push(c);
        }
    }
    if chars.next().is_some() {
        excerpt.push('…');
    }
    excerpt
}

#[cfg(test)]
mod tests {
    use super::*;
    use ControlMessageFormat::{Json, PlainText};
    use proptest::prelude::*;

    const MAX: usize = 65_536;

    fn stop(correlation_id: &str) -> Command {
        Command::StopMediaBuffering { correlation_id: Some(correlation_id.into()) }
    }

    fn mark(correlation_id: &str) -> Command {
        Command::MarkMedia { correlation_id: Some(correlation_id.into()) }
    }

    /// Every command with its name, without arguments.
    fn all() -> Vec<(&'static str, Command)> {
        vec![
            ("ANSWER", Command::Answer),
            ("HANGUP", Command::Hangup),
            ("START_MEDIA_BUFFERING", Command::StartMediaBuffering),
            ("STOP_MEDIA_BUFFERING", Command::StopMediaBuffering { correlation_id: None }),
            ("MARK_MEDIA", Command::MarkMedia { correlation_id: None }),
            ("FLUSH_MEDIA", Command::FlushMedia),
            ("PAUSE_MEDIA", Command::PauseMedia),
            ("CONTINUE_MEDIA", Command::ContinueMedia),
            ("REPORT_QUEUE_DRAINED", Command::ReportQueueDrained),
            ("GET_STATUS", Command::GetStatus),
        ]
    }

    #[test]
    fn every_command_has_one_name_in_both_formats() {
        for (name, command) in all() {
            assert_eq!(command.name(), name);
            assert_eq!(parse(name, PlainText, MAX), Ok(command.clone()), "{name}");
            assert_eq!(parse(&format!(r#"{{"command":"{name}"}}"#), Json, MAX), Ok(command), "{name}");
        }
        let command = Command::SetMediaDirection(Ok(MediaDirection::In));
        assert_eq!(command.name(), "SET_MEDIA_DIRECTION");
    }

    #[test]
    fn plain_text_commands() {
        let rows = [
            ("white space around", " \t\r\nANSWER \n\0", Command::Answer),
            ("argument that no one reads", "ANSWER now", Command::Answer),
            ("id", "MARK_MEDIA 17", mark("17")),
            ("id with spaces", "MARK_MEDIA a b  c", mark("a b  c")),
            ("id behind two spaces", "MARK_MEDIA  17", mark(" 17")),
            ("id stripped at the end", "STOP_MEDIA_BUFFERING 17 \n", stop("17")),
            ("id with a line feed", "STOP_MEDIA_BUFFERING 1\n7", stop("1\n7")),
            ("id with a NUL", "MARK_MEDIA 1\x007", mark("1\x007")),
            ("id with an emoji", "MARK_MEDIA 😀\"{}", mark("😀\"{}")),
            ("no id but a space", "MARK_MEDIA ", Command::MarkMedia { correlation_id: None }),
            (
                "direction",
                "SET_MEDIA_DIRECTION in",
                Command::SetMediaDirection(Err(DirectionError::PlainText)),
            ),
        ];
        for (name, text, command) in rows {
            assert_eq!(parse(text, PlainText, MAX), Ok(command), "{name}");
        }
    }

    #[test]
    fn json_commands() {
        let direction = Command::SetMediaDirection;
        let no_id = Command::MarkMedia { correlation_id: None };
        let rows = [
            ("white space around", " \t\r\n{\"command\":\"ANSWER\"}\n\0", Command::Answer),
            ("white space inside", "{ \"command\" :\n\t\"ANSWER\" }", Command::Answer),
            ("unknown keys", r#"{"a":[{"b":null}],"command":"ANSWER","c":1.5}"#, Command::Answer),
            ("command twice, last wins", r#"{"command":"HANGUP","command":"ANSWER"}"#, Command::Answer),
            ("command escaped", r#"{"\u0063ommand":"ANSWE\u0052"}"#, Command::Answer),
            ("id", r#"{"command":"MARK_MEDIA","correlation_id":"17"}"#, mark("17")),
            ("id first", r#"{"correlation_id":"17","command":"STOP_MEDIA_BUFFERING"}"#, stop("17")),
            (
                "id with everything",
                r#"{"command":"MARK_MEDIA","correlation_id":" \u0000\u0001\n\"\\\/\ud83d\ude00é\u007f "}"#,
                mark(" \0\x01\n\"\\/😀é\x7f "),
            ),
            ("id empty", r#"{"command":"MARK_MEDIA","correlation_id":""}"#, no_id.clone()),
            ("id a number", r#"{"command":"MARK_MEDIA","correlation_id":17}"#, no_id.clone()),
            ("id null", r#"{"command":"MARK_MEDIA","correlation_id":null}"#, no_id.clone()),
            ("id an object", r#"{"command":"MARK_MEDIA","correlation_id":{"a":"b"}}"#, no_id.clone()),
            (
                "id twice, last wins",
                r#"{"command":"MARK_MEDIA","correlation_id":"1","correlation_id":"2"}"#,
                mark("2"),
            ),
            (
                "id twice, last is none",
                r#"{"command":"MARK_MEDIA","correlation_id":"1","correlation_id":2}"#,
                no_id,
            ),
            (
                "both",
                r#"{"command":"SET_MEDIA_DIRECTION","direction":"both"}"#,
                direction(Ok(MediaDirection::Both)),
            ),
            (
                "in",
                r#"{"command":"SET_MEDIA_DIRECTION","direction":"in"}"#,
                direction(Ok(MediaDirection::In)),
            ),
            (
                "out",
                r#"{"command":"SET_MEDIA_DIRECTION","direction":"out"}"#,
                direction(Ok(MediaDirection::Out)),
            ),
            (
                "another case",
                r#"{"command":"SET_MEDIA_DIRECTION","direction":"IN"}"#,
                direction(Err(DirectionError::Invalid("IN".into()))),
            ),
            (
                "direction empty",
                r#"{"command":"SET_MEDIA_DIRECTION","direction":""}"#,
                direction(Err(DirectionError::Invalid(String::new()))),
            ),
            (
                "direction missing",
                r#"{"command":"SET_MEDIA_DIRECTION"}"#,
                direction(Err(DirectionError::Missing)),
            ),
            (
                "direction a number",
                r#"{"command":"SET_MEDIA_DIRECTION","direction":1}"#,
                direction(Err(DirectionError::Missing)),
            ),
        ];
        for (name, text, command) in rows {
            assert_eq!(parse(text, Json, MAX), Ok(command), "{name}");
        }
    }

    #[test]
    fn what_is_no_command_is_said_so() {
        let not_json = "Unable to parse JSON command";
        let no_object = "JSON command is not an object";
        let no_command = "JSON command requires a 'command' string";
        let rows = [
            ("plain, nothing", PlainText, "", "Empty command"),
            ("plain, white space", PlainText, " \r\n\t\0", "Empty command"),
            ("plain, unknown", PlainText, "DANCE now", "Unknown command 'DANCE'"),
            ("plain, another case", PlainText, "answer", "Unknown command 'answer'"),
            ("plain, tab", PlainText, "MARK_MEDIA\t17", r"Unknown command 'MARK_MEDIA\t17'"),
            ("plain, several lines", PlainText, "ANSWER\nHANGUP", r"Unknown command 'ANSWER\nHANGUP'"),
            ("plain, NUL", PlainText, "ANSWER\0x", r"Unknown command 'ANSWER\u{0}x'"),
            (
                "plain, JSON",
                PlainText,
                r#"{"command":"ANSWER"}"#,
                r#"Unknown command '{"command":"ANSWER"}'"#,
            ),
            ("json, nothing", Json, "", "Empty command"),
            ("json, white space", Json, " \n", not_json),
            ("json, plain text", Json, "ANSWER", not_json),
            ("json, open", Json, r#"{"command":"ANSWER""#, not_json),
            ("json, two objects", Json, r#"{"command":"ANSWER"}{"command":"ANSWER"}"#, not_json),
            ("json, comma at the end", Json, r#"{"command":"ANSWER",}"#, not_json),
            ("json, raw line feed", Json, "{\"command\":\"ANS\nWER\"}", not_json),
            ("json, half a surrogate pair", Json, r#"{"command":"\ud800"}"#, not_json),
            ("json, array", Json, r#"["ANSWER"]"#, no_object),
            ("json, number", Json, "17", no_object),
            ("json, string", Json, r#""ANSWER""#, no_object),
            ("json, null", Json, "null", no_object),
            ("json, no command", Json, "{}", no_command),
            ("json, command a number", Json, r#"{"command":1}"#, no_command),
            ("json, command an array", Json, r#"{"command":["ANSWER"]}"#, no_command),
            ("json, command in capitals", Json, r#"{"COMMAND":"ANSWER"}"#, no_command),
            ("json, command twice, last is none", Json, r#"{"command":"ANSWER","command":null}"#, no_command),
            ("json, unknown", Json, r#"{"command":"DANCE"}"#, "Unknown command 'DANCE'"),
            ("json, empty command", Json, r#"{"command":""}"#, "Unknown command ''"),
            ("json, white space counts", Json, r#"{"command":"ANSWER "}"#, "Unknown command 'ANSWER '"),
            (
                "json, argument in the command",
                Json,
                r#"{"command":"MARK_MEDIA 1"}"#,
                "Unknown command 'MARK_MEDIA 1'",
            ),
        ];
        for (name, format, text, error_text) in rows {
            assert_eq!(parse(text, format, MAX).expect_err(name).to_string(), error_text, "{name}");
        }
    }

    #[test]
    fn direction_errors_read_as_in_the_c_module() {
        let rows = [
            (DirectionError::PlainText, "SET_MEDIA_DIRECTION only supports JSON format."),
            (DirectionError::Missing, "SET_MEDIA_DIRECTION requires a 'direction' parameter."),
            (DirectionError::Invalid("up".into()), "'up' is not a valid direction for SET_MEDIA_DIRECTION."),
        ];
        for (error, text) in rows {
            assert_eq!(error.to_string(), text);
        }
    }

    #[test]
    fn the_limit_counts_bytes_as_received() {
        assert_eq!(parse("ANSWER", PlainText, 6), Ok(Command::Answer));
        let error = parse("ANSWER ", PlainText, 6).unwrap_err();
        assert_eq!(error, CommandError::TooLong { len_bytes: 7, max_bytes: 6 });
        assert_eq!(error.to_string(), "Command of 7 bytes exceeds the limit of 6 bytes");
        let id = "é".repeat((MAX - "MARK_MEDIA ".len()) / 2);
        assert_eq!(parse(&format!("MARK_MEDIA {id}"), PlainText, MAX), Ok(mark(&id)));
        let text = format!("MARK_MEDIA {id}éé");
        assert!(matches!(parse(&text, PlainText, MAX), Err(CommandError::TooLong { .. })));
    }

    #[test]
    fn a_long_unknown_command_is_cut_at_a_character() {
        let error = parse(&"é".repeat(1000), PlainText, MAX).unwrap_err();
        assert_eq!(error.to_string(), format!("Unknown command '{}…'", "é".repeat(64)));
        let error = parse(&"é".repeat(64), PlainText, MAX).unwrap_err();
        assert_eq!(error.to_string(), format!("Unknown command '{}'", "é".repeat(64)));
    }

    #[test]
    fn deep_nesting_is_an_error_and_no_stack_overflow() {
        let text = format!(r#"{{"command":"ANSWER","a":{}"#, "[".repeat(60_000));
        assert_eq!(parse(&text, Json, MAX), Err(CommandError::Json));
    }

    #[test]
    fn formats_and_directions_are_read_as_they_are_written() {
        for format in [PlainText, Json] {
            assert_eq!(ControlMessageFormat::parse(format.as_str()), Some(format));
            assert_eq!(ControlMessageFormat::parse(&format.as_str().to_uppercase()), Some(format));
        }
        for text in ["", "plain", "plain_text", "json ", "invalid"] {
            assert_eq!(ControlMessageFormat::parse(text), None, "{text}");
        }
        let rows = [
            ("both", Some(MediaDirection::Both), (true, true)),
            ("in", Some(MediaDirection::In), (false, true)),
            ("out", Some(MediaDirection::Out), (true, false)),
            ("", None, (false, false)),
            ("In", None, (false, false)),
        ];
        for (text, direction, sends_receives) in rows {
            assert_eq!(MediaDirection::parse(text), direction, "{text}");
            if let Some(direction) = direction {
                assert_eq!(direction.as_str(), text);
                assert_eq!((direction.app_sends(), direction.app_receives()), sends_receives, "{text}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_text_gets_an_answer(text in any::<String>()) {
            for format in [PlainText, Json] {
                if let Err(error) = parse(&text, format, MAX) {
                    let error_text = error.to_string();
                    prop_assert!(!error_text.is_empty() && !error_text.contains(char::is_control));
                    prop_assert!(error_text.chars().count() < 1000);
                }
            }
        }

        #[test]
        fn any_json_gets_an_answer(text in r#"[{}\[\]":, a0\\u]{0,40}"#) {
            let _ = parse(&text, Json, MAX);
        }

        #[test]
        fn a_correlation_id_comes_through_json_intact(id in any::<String>()) {
            let text = serde_json::json!({ "command": "MARK_MEDIA", "correlation_id": id }).to_string();
            let correlation_id = Some(id).filter(|id| !id.is_empty());
            prop_assert_eq!(parse(&text, Json, usize::MAX), Ok(Command::MarkMedia { correlation_id }));
        }

        #[test]
        fn a_correlation_id_comes_through_plain_text_intact(id in r"[^\x00-\x20]([^\x00]{0,40}[^\x00-\x20])?") {
            prop_assert_eq!(parse(&format!("MARK_MEDIA {id}"), PlainText, MAX), Ok(mark(&id)));
        }
    }
}
