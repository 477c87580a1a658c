//! Each field of each added command, right and wrong.

use super::super::Spelling::{Json, PlainText};
use super::super::parse;
use super::*;
use crate::protocol::topic::{Topic, Topics};

const MAX: usize = 65_536;

fn json(text: &str) -> Result<Command, CommandError> {
    parse(text, Json, MAX)
}

fn flush(correlation_id: Option<&str>, extent: FlushExtent) -> Command {
    Command::FlushMedia(Flush { correlation_id: correlation_id.map(str::to_owned), extent })
}

#[test]
fn valid_commands_are_understood() {
    let subscribe = |topics, unknown: &[&str], position_interval_ms, id: Option<&str>| {
        Command::Subscribe(Box::new(Subscribe {
            correlation_id: id.map(str::to_owned),
            topics,
            unknown: unknown.iter().map(|name| (*name).to_owned()).collect(),
            position_interval_ms,
        }))
    };
    let two = Topics::default().with(Topic::MediaPosition).with(Topic::MediaStop);
    for (text, command) in [
        (r#"{"command":"SUBSCRIBE","events":[]}"#, subscribe(Topics::default(), &[], 1000, None)),
        (
            r#"{"command":"SUBSCRIBE","events":["MEDIA_STOP","MEDIA_POSITION","MEDIA_STOP"],"position_interval":100,"correlation_id":"s1"}"#,
            subscribe(two, &[], 100, Some("s1")),
        ),
        (
            r#"{"command":"SUBSCRIBE","events":["b","*","a","b",""],"position_interval":60000,"correlation_id":""}"#,
            subscribe(Topics::all(), &["b", "a", ""], 60_000, None),
        ),
        (r#"{"command":"FLUSH_MEDIA"}"#, flush(None, FlushExtent::All)),
        (r#"{"command":"FLUSH_MEDIA","after_":"m"}"#, flush(None, FlushExtent::All)),
        (r#"{"command":"FLUSH_MEDIA","correlation_id":""}"#, flush(None, FlushExtent::All)),
        (r#"{"command":"FLUSH_MEDIA","correlation_id":"f\u0000"}"#, flush(Some("f\0"), FlushExtent::All)),
        (r#"{"command":"FLUSH_MEDIA","after":"m2"}"#, flush(None, FlushExtent::After("m2".into()))),
        (r#"{"command":"FLUSH_MEDIA","fade_ms":0}"#, flush(None, FlushExtent::All)),
        (
            r#"{"command":"FLUSH_MEDIA","fade_ms":500,"correlation_id":"f"}"#,
            flush(Some("f"), FlushExtent::Fade(500)),
        ),
    ] {
        assert_eq!(json(text), Ok(command), "{text}");
    }
}

#[test]
fn valid_commands_around_the_media_are_understood() {
    let text = |id: Option<&str>, text: &str| {
        Command::SendText(Box::new(SendText { correlation_id: id.map(str::to_owned), text: text.into() }))
    };
    let event = |name: &str, data: &str| {
        let (correlation_id, name, data) = (None, name.to_owned(), data.to_owned());
        Command::SendEvent(Box::new(SendEvent { correlation_id, name, data }))
    };
    let transfer = |exten: &str, context: Option<&str>| {
        let (correlation_id, exten) = (Some("t".to_owned()), exten.to_owned());
        Command::Transfer(Box::new(Transfer { correlation_id, exten, context: context.map(str::to_owned) }))
    };
    let digits = |digits: &str, duration_ms, pause_ms| {
        let digits = digits.to_owned();
        Command::SendDtmf(Box::new(SendDtmf { correlation_id: None, digits, duration_ms, pause_ms }))
    };
    let most = "w".repeat(256);
    let name = "n".repeat(128);
    let exten = "1".repeat(79);
    for (json_text, command) in [
        (r#"{"command":"SEND_DTMF","digits":""}"#.to_owned(), digits("", 100, 60)),
        (
            r#"{"command":"SEND_DTMF","digits":"0189aAdD*#w","duration":40,"pause":0}"#.into(),
            digits("0189AADD*#w", 40, 0),
        ),
        (
            format!(r#"{{"command":"SEND_DTMF","digits":"{most}","duration":6000,"pause":6000}}"#),
            digits(&most, 6000, 6000),
        ),
        (r#"{"command":"SEND_TEXT","text":"a\r\n\u00e9"}"#.to_owned(), text(None, "a\r\n\u{e9}")),
        (r#"{"command":"SEND_TEXT","text":" ","correlation_id":""}"#.into(), text(None, " ")),
        (format!(r#"{{"command":"SEND_EVENT","name":"{name}"}}"#), event(&name, "{}")),
        // The object as it was written: the order of keys, each digit; of two equal keys the last one counts.
        (
            r#"{"data":{},"command":"SEND_EVENT","name":"e","data":{"z":[1 ],"a":12345678901234567890123,"z":1.50}}"#
                .into(),
            event("e", r#"{"z":[1 ],"a":12345678901234567890123,"z":1.50}"#),
        ),
        (
            r#"{"command":"TRANSFER","exten":"*7 #","correlation_id":"t"}"#.into(),
            transfer("*7 #", None),
        ),
        (
            format!(r#"{{"command":"TRANSFER","exten":"{exten}","context":"{exten}","correlation_id":"t"}}"#),
            transfer(&exten, Some(&exten)),
        ),
    ] {
        assert_eq!(json(&json_text), Ok(command), "{json_text}");
    }
}

#[test]
fn an_id_has_at_most_1024_bytes() {
    for (len, fits) in [(1024, true), (1025, false), (60_000, false)] {
        for command in [r#""SUBSCRIBE","events":[]"#, r#""FLUSH_MEDIA""#] {
            let text = format!(r#"{{"command":{command},"correlation_id":"{}"}}"#, "i".repeat(len));
            match json(&text) {
                Ok(_) => assert!(fits, "{len}"),
                Err(CommandError::Request(error)) => {
                    assert!(!fits, "{len}");
                    assert_eq!(error.correlation_id, None);
                    let what = format!("'correlation_id' has {len} bytes; allowed: at most 1024 bytes");
                    assert!(error.error_text.ends_with(&what), "{error}");
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
}

#[test]
fn errors_name_the_value_and_the_allowed_values() {
    const EVENTS: &str = "allowed: an array of strings, of MEDIA_POSITION, MEDIA_FLUSHED, MEDIA_DROPPED, MEDIA_STOP, DTMF_BEGIN, CALL_STATE, CONNECTED_LINE, TEXT, or \"*\" for all";
    const INTERVAL: &str = "allowed: whole numbers from 100 to 60000";
    const FADE: &str = "allowed: whole numbers from 0 to 500";
    const AFTER: &str = "allowed: the id of a MARK_MEDIA, a string that is not empty";
    const ID: &str = "allowed: a string of at most 1024 bytes";
    for (command, fields, id, error_text) in [
        ("SUBSCRIBE", r#""correlation_id":"s""#, Some("s"), format!("'events' is missing; {EVENTS}")),
        ("SUBSCRIBE", r#""events":null"#, None, format!("'events' is null; {EVENTS}")),
        ("SUBSCRIBE", r#""events":"*""#, None, format!("'events' is \"*\"; {EVENTS}")),
        ("SUBSCRIBE", r#""events":["*",1]"#, None, format!("'events' is [\"*\",1]; {EVENTS}")),
        (
            "SUBSCRIBE",
            r#""events":[],"position_interval":99"#,
            None,
            format!("'position_interval' is 99; {INTERVAL}"),
        ),
        (
            "SUBSCRIBE",
            r#""events":[],"position_interval":60001,"correlation_id":"s""#,
            Some("s"),
            format!("'position_interval' is 60001; {INTERVAL}"),
        ),
        (
            "SUBSCRIBE",
            r#""events":[],"position_interval":-500"#,
            None,
            format!("'position_interval' is -500; {INTERVAL}"),
        ),
        (
            "SUBSCRIBE",
            r#""events":[],"position_interval":500.5"#,
            None,
            format!("'position_interval' is 500.5; {INTERVAL}"),
        ),
        (
            "SUBSCRIBE",
            r#""events":[],"position_interval":1e300"#,
            None,
            format!("'position_interval' is 1e+300; {INTERVAL}"),
        ),
        (
            "SUBSCRIBE",
            r#""events":[],"position_interval":"500""#,
            None,
            format!("'position_interval' is \"500\"; {INTERVAL}"),
        ),
        (
            "SUBSCRIBE",
            r#""events":[],"position_interval":null"#,
            None,
            format!("'position_interval' is null; {INTERVAL}"),
        ),
        (
            "SUBSCRIBE",
            r#""events":[],"correlation_id":null"#,
            None,
            format!("'correlation_id' is null; {ID}"),
        ),
        ("SUBSCRIBE", r#""events":[],"correlation_id":17"#, None, format!("'correlation_id' is 17; {ID}")),
        ("FLUSH_MEDIA", r#""correlation_id":null"#, None, format!("'correlation_id' is null; {ID}")),
        ("FLUSH_MEDIA", r#""correlation_id":["f"]"#, None, format!("'correlation_id' is [\"f\"]; {ID}")),
        (
            "FLUSH_MEDIA",
            r#""fade_ms":501,"correlation_id":"f""#,
            Some("f"),
            format!("'fade_ms' is 501; {FADE}"),
        ),
        ("FLUSH_MEDIA", r#""fade_ms":-1"#, None, format!("'fade_ms' is -1; {FADE}")),
        ("FLUSH_MEDIA", r#""fade_ms":"80""#, None, format!("'fade_ms' is \"80\"; {FADE}")),
        ("FLUSH_MEDIA", r#""fade_ms":null"#, None, format!("'fade_ms' is null; {FADE}")),
        (
            "FLUSH_MEDIA",
            r#""fade_ms":18446744073709551616"#,
            None,
            format!("'fade_ms' is 1.8446744073709552e+19; {FADE}"),
        ),
        ("FLUSH_MEDIA", r#""after":7,"correlation_id":"f""#, Some("f"), format!("'after' is 7; {AFTER}")),
        ("FLUSH_MEDIA", r#""after":null"#, None, format!("'after' is null; {AFTER}")),
        ("FLUSH_MEDIA", r#""after":"""#, None, format!("'after' is \"\"; {AFTER}")),
        (
            "FLUSH_MEDIA",
            r#""after":"m","fade_ms":0"#,
            None,
            "'after' and 'fade_ms' cannot be used together".to_owned(),
        ),
    ] {
        let correlation_id = id.map(str::to_owned);
        let error_text = format!("{command}: {error_text}");
        let expected = RequestError { command, correlation_id, error_text };
        let text = format!(r#"{{"command":"{command}",{fields}}}"#);
        assert_eq!(json(&text), Err(CommandError::Request(Box::new(expected))), "{text}");
    }
}

#[test]
fn plain_text_has_no_spelling_for_an_added_command() {
    for (text, error_text) in [
        ("SUBSCRIBE", Some("SUBSCRIBE only supports JSON format.")),
        ("SUBSCRIBE *", Some("SUBSCRIBE only supports JSON format.")),
        ("FLUSH_MEDIA f1", None),
    ] {
        let error = parse(text, PlainText, MAX).err().map(|error| error.to_string());
        assert_eq!(error.as_deref(), error_text, "{text}");
    }
}

/// JSON has only one kind of number, and some libraries write whole numbers with a fraction of zeros.
#[test]
fn a_whole_number_may_have_a_fraction() {
    for (written, ms) in [("100", 100), ("100.0", 100), ("1e3", 1000), ("60000.000", 60_000)] {
        let text = format!(r#"{{"command":"SUBSCRIBE","events":[],"position_interval":{written}}}"#);
        let Ok(Command::Subscribe(subscribe)) = json(&text) else { panic!("{text}") };
        assert_eq!(subscribe.position_interval_ms, ms, "{text}");
    }
    for written in ["99.0", "60000.5", "60001.0", "-100.0", "1e300"] {
        let text = format!(r#"{{"command":"SUBSCRIBE","events":[],"position_interval":{written}}}"#);
        assert!(json(&text).is_err(), "{text}");
    }
}
