//! What goes over the wire, and what is understood: the pure translation.

use super::super::ControlMessageFormat;
use super::super::script::{Step, flushed, mark, media_start, stop, wire};
use super::*;
use bytes::Bytes;

use crate::protocol::command::CommandError;

fn call(sample_rate: u32) -> Box<dyn Dialect> {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    ControlMessageFormat::Vonage.dialect(&CallFacts {
        sample_rate,
        parameters: vec![pair("tenant", "a \"b\""), pair("LANG", "de"), pair("event", "x")],
        ..CallFacts::default()
    })
}

/// A call from its first to its last message, byte for byte; media is in binary messages beside it.
#[test]
fn a_call_as_it_goes_over_the_wire() {
    use Step::Event as Say;
    let script = [
        Say(media_start()),
        Say(Event::DtmfEnd { digit: '#', duration_ms: Some(260) }),
        Say(mark(r#"{"customKey": "é"}"#)),
        Say(flushed(&[r#"{"n":2}"#, r#"{"n":1}"#])),
        Say(flushed(&[])),
        // Events for which Vonage has no message.
        Say(Event::MediaXoff),
        Say(Event::Error { error_text: "no".into() }),
        Say(stop()),
    ];
    let expected = [
        r#"{"event":"websocket:connected","content-type":"audio/l16;rate=16000","LANG":"de","Z":"1","channel_id":"asterisk-1.7","tenant":"a \"b\""}"#,
        r##"{"event":"websocket:dtmf","digit":"#","duration":260}"##,
        r#"{"event":"websocket:notify","payload":{"customKey": "é"}}"#,
        r#"{"event":"websocket:notify","payload":{"n":2}}"#,
        r#"{"event":"websocket:notify","payload":{"n":1}}"#,
        r#"{"event":"websocket:cleared"}"#,
        r#"{"event":"websocket:cleared"}"#,
    ];
    let dialect = call(16000);
    assert_eq!(wire(&*dialect, &script), expected);
    assert!(dialect.wire_writer().is_none(), "media in binary messages");
    for rate in [8000, 24000] {
        let opening = wire(&*call(rate), &[Say(media_start())]).concat();
        assert!(opening.contains(&format!("\"audio/l16;rate={rate}\"")), "{opening}");
    }
}

#[test]
fn what_an_application_says() {
    let notify = |payload: &str| Command::MarkMedia { correlation_id: Some(payload.to_owned()) };
    for (text, command) in [
        (r#"{"action":"clear"}"#, Command::FlushMedia(Flush::default())),
        (r#" {"x":[1],"action":"cl\u0065ar"}"#, Command::FlushMedia(Flush::default())),
        (r#"{"action":"notify","payload":{"customKey": "v"}}"#, notify(r#"{"customKey": "v"}"#)),
        (r#"{"action":"notify","payload":{}}"#, notify("{}")),
    ] {
        assert_eq!(call(8000).on_text(text, 100), Incoming::Command(Ok(command)), "{text}");
    }
    let media = Bytes::from_static(&[1; 320]);
    assert_eq!(call(8000).on_binary(media.clone()), Incoming::Media(media));
}

#[test]
fn what_vonage_would_not_understand() {
    let long = format!(r#"{{"action":"notify","payload":{{"x":"{}"}}}}"#, "x".repeat(100));
    for (text, error_text) in [
        ("clear", "a text that is no JSON object".to_owned()),
        ("{}", "'action' is missing; allowed: 'clear' or 'notify'".to_owned()),
        (r#"{"action":"stop"}"#, "'action' is \"stop\"; allowed: 'clear' or 'notify'".to_owned()),
        (r#"{"action":7}"#, "'action' is 7; allowed: 'clear' or 'notify'".to_owned()),
        (r#"{"action":"notify"}"#, "'payload' of a notify message is missing; allowed: an object".to_owned()),
        (
            r#"{"action":"notify","payload":"x"}"#,
            "'payload' of a notify message is \"x\"; allowed: an object".to_owned(),
        ),
        (
            &long,
            format!(
                "a notify message of {} bytes exceeds the limit of 100 bytes (max_command_size)",
                long.len()
            ),
        ),
    ] {
        let expected = Incoming::Command(Err(CommandError::Dialect(error_text)));
        assert_eq!(call(8000).on_text(text, 100), expected, "{text}");
    }
}
