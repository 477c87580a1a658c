//! What goes over the wire, and what is understood: the pure translation.

use std::time::{Duration, UNIX_EPOCH};

use super::super::script::{Step, flushed, mark, media_start, random, stop, wire};
use super::*;
use crate::protocol::command::{Command, Flush};

const STREAM: &str = "00010203-0405-4607-8809-0a0b0c0d0e0f";

fn call(format: &str, sample_rate: u32) -> Telnyx {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let facts = CallFacts {
        format: format.into(),
        sample_rate,
        parameters: vec![pair("to", "+2"), pair("tenant", "a"), pair("from", "+1")],
        system_name: "pbx1".into(),
        random: random(),
        ..CallFacts::default()
    };
    Telnyx::new(&facts, || UNIX_EPOCH + Duration::from_micros(1_749_113_659_698_408))
}

/// A call from its first to its last message, byte for byte.
#[test]
fn a_call_as_it_goes_over_the_wire() {
    use Step::{Event as Say, Media};
    let script = [
        Say(media_start()),
        Media(4, &[0xff; 6]),
        Say(Event::DtmfEnd { digit: '1', duration_ms: Some(100) }),
        Media(24, &[0, 1, 2, 0xfb, 0xf0]),
        Say(mark("a \"name\"")),
        Say(flushed(&["m2", ""])),
        Say(Event::Error { error_text: "malformed_frame: a text that is no JSON object".into() }),
        Say(Event::Error { error_text: "Media dropped: the queue is full".into() }),
        Say(Event::MediaXoff),
        Say(stop()),
    ];
    let user = call("ulaw", 8000).user_id;
    let expected = [
        r#"{"event":"connected","version":"1.0.0"}"#,
        r#"{"event":"start","sequence_number":"1","stream_id":"$","start":{"user_id":"%","call_control_id":"v3:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8","call_session_id":"10111213-1415-4617-9819-1a1b1c1d1e1f","from":"+1","to":"+2","tags":[],"client_state":"","custom_parameters":{"LANG":"en","Z":"1","channel_id":"asterisk-1.7","tenant":"a"},"media_format":{"encoding":"PCMU","sample_rate":8000,"channels":1}}}"#,
        r#"{"event":"media","sequence_number":"2","media":{"track":"inbound","chunk":"1","timestamp":"4","payload":"////////"},"stream_id":"$"}"#,
        r#"{"event":"dtmf","stream_id":"$","occurred_at":"2025-06-05T08:54:19.698408Z","sequence_number":"3","dtmf":{"digit":"1"}}"#,
        r#"{"event":"media","sequence_number":"4","media":{"track":"inbound","chunk":"2","timestamp":"24","payload":"AAEC+/A="},"stream_id":"$"}"#,
        r#"{"event":"mark","stream_id":"$","sequence_number":"5","mark":{"name":"a \"name\""}}"#,
        r#"{"event":"mark","stream_id":"$","sequence_number":"6","mark":{"name":"m2"}}"#,
        r#"{"event":"mark","stream_id":"$","sequence_number":"7","mark":{"name":""}}"#,
        r#"{"event":"error","payload":{"code":100003,"title":"malformed_frame","detail":"a text that is no JSON object"},"stream_id":"$"}"#,
        r#"{"event":"error","payload":{"code":100002,"title":"unknown_error","detail":"Media dropped: the queue is full"},"stream_id":"$"}"#,
        r#"{"event":"stop","sequence_number":"8","stop":{"user_id":"%","call_control_id":"v3:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"},"stream_id":"$"}"#,
    ];
    let expected = expected.map(|text| text.replace('$', STREAM).replace('%', &user));
    assert_eq!(wire(&call("ulaw", 8000), &script), expected);
}

#[test]
fn media_formats() {
    for (format, sample_rate, expected) in [
        ("ulaw", 8000, r#"{"encoding":"PCMU","sample_rate":8000,"channels":1}"#),
        ("alaw", 8000, r#"{"encoding":"PCMA","sample_rate":8000,"channels":1}"#),
        ("g722", 16000, r#"{"encoding":"G722","sample_rate":8000,"channels":1}"#),
        ("slin", 8000, r#"{"encoding":"L16","sample_rate":8000,"channels":1}"#),
        ("slin16", 16000, r#"{"encoding":"L16","sample_rate":16000,"channels":1}"#),
        ("slin24", 24000, r#"{"encoding":"L16","sample_rate":24000,"channels":1}"#),
        ("opus", 48000, r#"{"encoding":"OPUS","sample_rate":16000,"channels":1}"#),
    ] {
        assert!(PROFILE.codecs.contains(&format), "{format}");
        let start = wire(&call(format, sample_rate), &[Step::Event(media_start())]).concat();
        assert!(start.contains(expected), "{start}");
    }
}

#[test]
fn what_an_application_says() {
    let command = |command| Incoming::Command(Ok(command));
    let clear = || command(Command::FlushMedia(Flush::default()));
    for (text, expected) in [
        (r#"{"event":"media","media":{"payload":"AAEC"}}"#, Incoming::Media(Bytes::from_static(&[0, 1, 2]))),
        (r#"{"event":"clear"}"#, clear()),
        (r#"{"event":"clear","stream_id":"$"}"#, clear()),
        (r#"{"event":"mark","mark":{"name":"m"}}"#, {
            command(Command::MarkMedia { correlation_id: Some("m".into()) })
        }),
        (r#"{"event":"mark","mark":{"name":""}}"#, command(Command::MarkMedia { correlation_id: None })),
    ] {
        let text = text.replace('$', STREAM);
        assert_eq!(call("ulaw", 8000).on_text(&text, 200), expected, "{text}");
    }
}

#[test]
fn what_telnyx_answers_with_an_error() {
    let event =
        |found: &str| format!("malformed_frame: 'event' is {found}; allowed: 'media', 'mark' or 'clear'");
    for (text, error_text) in [
        ("hello", "malformed_frame: a text that is no JSON object".to_owned()),
        ("{}", event("missing")),
        (r#"{"event":"stop"}"#, event("\"stop\"")),
        (
            r#"{"event":"clear","stream_id":"x"}"#,
            format!("malformed_frame: 'stream_id' of a clear message is \"x\"; allowed: '{STREAM}', or none"),
        ),
        (
            r#"{"event":"mark","mark":{}}"#,
            "malformed_frame: 'mark.name' of a mark message is missing; allowed: a string".to_owned(),
        ),
        (
            r#"{"event":"media","media":{"payload":"-"}}"#,
            "invalid_media: 'media.payload' of a media message is \"-\"; allowed: a string in base64"
                .to_owned(),
        ),
    ] {
        let expected = Incoming::Command(Err(CommandError::Dialect(error_text)));
        assert_eq!(call("ulaw", 8000).on_text(text, 200), expected, "{text}");
    }
    let binary = "malformed_frame: a binary message: media comes as text, in media messages";
    let expected = Incoming::Command(Err(CommandError::Dialect(binary.into())));
    assert_eq!(call("ulaw", 8000).on_binary(Bytes::from_static(&[0; 160])), expected);
}
