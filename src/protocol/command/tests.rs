//! Commands in both formats, and the errors for texts that are not commands.

use super::*;
use Spelling::{Json, PlainText};
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
        ("FLUSH_MEDIA", Command::FlushMedia(Flush::default())),
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
        ("direction", "SET_MEDIA_DIRECTION in", Command::SetMediaDirection(Err(DirectionError::PlainText))),
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
        ("in", r#"{"command":"SET_MEDIA_DIRECTION","direction":"in"}"#, direction(Ok(MediaDirection::In))),
        ("out", r#"{"command":"SET_MEDIA_DIRECTION","direction":"out"}"#, direction(Ok(MediaDirection::Out))),
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
        ("plain, JSON", PlainText, r#"{"command":"ANSWER"}"#, r#"Unknown command '{"command":"ANSWER"}'"#),
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
fn directions_are_read_as_they_are_written() {
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
