//! Text messages of an application, in both formats, and the answers to them.

use serde_json::{Value, json};

use crate::protocol::command::{
    Command, CommandError, DirectionError, Flush, FlushExtent, RequestError, Spelling, parse,
};
use crate::protocol::event::Event;

const MAX_BYTES: usize = 2048;

/// The commands that plain text does not have.
const ADDED: [&str; 5] = ["SUBSCRIBE", "SEND_DTMF", "SEND_TEXT", "SEND_EVENT", "TRANSFER"];

/// The first byte selects the format, the others are the message.
pub fn command(bytes: &[u8]) {
    let Some((first, message)) = bytes.split_first() else { return };
    let Ok(text) = std::str::from_utf8(message) else { return };
    if first % 2 == 0 {
        plain_text(text);
    } else {
        json_text(text);
    }
}

fn plain_text(text: &str) {
    let parsed = parse(text, Spelling::PlainText, MAX_BYTES);
    assert_eq!(parsed, expected_plain_text(text), "{text:?}");
    check_answer(&parsed);
}

/// The expected result, implemented a second time in another way.
fn expected_plain_text(text: &str) -> Result<Command, CommandError> {
    if text.len() > MAX_BYTES {
        return Err(CommandError::TooLong { len_bytes: text.len(), max_bytes: MAX_BYTES });
    }
    let bytes = text.as_bytes();
    let Some(begin) = bytes.iter().position(|byte| *byte > b' ') else { return Err(CommandError::Empty) };
    let end = bytes.iter().rposition(|byte| *byte > b' ').unwrap() + 1;
    let line = &text[begin..end];
    let space = line.find(' ').unwrap_or(line.len());
    let id = Some(line.get(space + 1..).unwrap_or_default().to_owned()).filter(|id| !id.is_empty());
    Ok(match &line[..space] {
        "ANSWER" => Command::Answer,
        "HANGUP" => Command::Hangup,
        "START_MEDIA_BUFFERING" => Command::StartMediaBuffering,
        "STOP_MEDIA_BUFFERING" => Command::StopMediaBuffering { correlation_id: id },
        "MARK_MEDIA" => Command::MarkMedia { correlation_id: id },
        "FLUSH_MEDIA" => Command::FlushMedia(Flush::default()),
        "PAUSE_MEDIA" => Command::PauseMedia,
        "CONTINUE_MEDIA" => Command::ContinueMedia,
        "REPORT_QUEUE_DRAINED" => Command::ReportQueueDrained,
        "GET_STATUS" => Command::GetStatus,
        "SET_MEDIA_DIRECTION" => Command::SetMediaDirection(Err(DirectionError::PlainText)),
        other => {
            return Err(match ADDED.into_iter().find(|added| *added == other) {
                Some(command) => {
                    let error_text = format!("{command} only supports JSON format.");
                    CommandError::Request(Box::new(RequestError {
                        command,
                        correlation_id: None,
                        error_text,
                    }))
                }
                None => CommandError::Unknown(other.to_owned()),
            });
        }
    })
}

fn json_text(text: &str) {
    let parsed = parse(text, Spelling::Json, MAX_BYTES);
    if let Ok(command) = &parsed {
        // The command, written again, parses to the same command.
        let again = rewritten(command);
        assert_eq!(parse(&again, Spelling::Json, usize::MAX).as_ref(), Ok(command), "{text:?}");
        let object: Value = serde_json::from_str(text.trim_matches(|c| c <= ' ')).unwrap();
        assert_eq!(object["command"], json!(command.name()), "{text:?}");
        if let Command::MarkMedia { correlation_id } | Command::StopMediaBuffering { correlation_id } =
            command
        {
            let sent = object["correlation_id"].as_str().unwrap_or_default();
            assert_eq!(correlation_id.as_deref().unwrap_or_default(), sent, "{text:?}");
        }
    }
    check_answer(&parsed);
}

fn rewritten(command: &Command) -> String {
    let mut object = json!({ "command": command.name() });
    match command {
        Command::MarkMedia { correlation_id: Some(id) }
        | Command::StopMediaBuffering { correlation_id: Some(id) } => object["correlation_id"] = json!(id),
        Command::SetMediaDirection(Ok(direction)) => object["direction"] = json!(direction.as_str()),
        Command::SetMediaDirection(Err(DirectionError::Invalid(text))) => object["direction"] = json!(text),
        Command::FlushMedia(Flush { correlation_id, extent }) => {
            if let Some(id) = correlation_id {
                object["correlation_id"] = json!(id);
            }
            match extent {
                FlushExtent::All => {}
                FlushExtent::After(id) => object["after"] = json!(id),
                FlushExtent::Fade(ms) => object["fade_ms"] = json!(ms),
            }
        }
        Command::Subscribe(subscribe) => {
            let mut events = subscribe.topics.names();
            events.extend(subscribe.unknown.iter().map(String::as_str));
            object["events"] = json!(events);
            object["position_interval"] = json!(subscribe.position_interval_ms);
            if let Some(id) = &subscribe.correlation_id {
                object["correlation_id"] = json!(id);
            }
        }
        Command::SendDtmf(request) => {
            object["digits"] = json!(request.digits);
            object["duration"] = json!(request.duration_ms);
            object["pause"] = json!(request.pause_ms);
            set_id(&mut object, request.correlation_id.as_ref());
        }
        Command::SendText(request) => {
            object["text"] = json!(request.text);
            set_id(&mut object, request.correlation_id.as_ref());
        }
        Command::SendEvent(request) => {
            object["name"] = json!(request.name);
            set_id(&mut object, request.correlation_id.as_ref());
            // As the application wrote it.
            let text = object.to_string();
            return format!("{},\"data\":{}}}", text.trim_end_matches('}'), request.data);
        }
        Command::Transfer(request) => {
            object["exten"] = json!(request.exten);
            if let Some(context) = &request.context {
                object["context"] = json!(context);
            }
            set_id(&mut object, request.correlation_id.as_ref());
        }
        _ => {}
    }
    object.to_string()
}

fn set_id(object: &mut Value, id: Option<&String>) {
    if let Some(id) = id {
        object["correlation_id"] = json!(id);
    }
}

/// The answer reaches the application with the intended content.
fn check_answer(parsed: &Result<Command, CommandError>) {
    match parsed {
        Ok(Command::MarkMedia { correlation_id } | Command::StopMediaBuffering { correlation_id }) => {
            let event = Event::MediaMarkProcessed { correlation_id: correlation_id.clone(), played_ms: None };
            let id = correlation_id.as_deref().unwrap_or_default();
            let read: Value = serde_json::from_str(&event.render(Spelling::Json, "1.1")).unwrap();
            assert_eq!(
                read,
                json!({ "event": "MEDIA_MARK_PROCESSED", "channel_id": "1.1", "correlation_id": id })
            );
            let plain = event.render(Spelling::PlainText, "1.1");
            assert_eq!(
                plain,
                format!("MEDIA_MARK_PROCESSED {id}").trim_end_matches(' ').to_owned() + trailing(id)
            );
        }
        Ok(_) => {}
        Err(error) => {
            let error_text = error.to_string();
            assert!(!error_text.contains(char::is_control) && error_text.chars().count() < 1000);
            let event = Event::Error { error_text: error_text.clone() };
            let read: Value = serde_json::from_str(&event.render(Spelling::Json, "1.1")).unwrap();
            assert_eq!(read, json!({ "event": "ERROR", "channel_id": "1.1", "error_text": error_text }));
            if let CommandError::Request(error) = error {
                check_refusal(error);
            }
        }
    }
}

/// An ERROR about an added command names it, and has its id if that is valid.
fn check_refusal(error: &RequestError) {
    assert!(error.correlation_id.as_ref().is_none_or(|id| (1..=1024).contains(&id.len())));
    let event = Event::RequestRefused(Box::new(error.clone()));
    let read: Value = serde_json::from_str(&event.render(Spelling::Json, "1.1")).unwrap();
    assert_eq!(read["command"], json!(error.command));
    assert_eq!(read.get("correlation_id").and_then(Value::as_str), error.correlation_id.as_deref());
}

/// The spaces at the end of an id, which are a part of it.
fn trailing(id: &str) -> &str {
    &id[id.trim_end_matches(' ').len()..]
}
