//! What goes over the wire, and what is understood: the pure translation.

use super::super::ControlMessageFormat;
use super::super::script::{Step, flushed, mark, media_start, random, stop, wire};
use super::*;
use crate::protocol::event::{AddedEvent, MediaPosition};

const STREAM: &str = "MZ000102030405060708090a0b0c0d0e0f";

fn facts() -> CallFacts {
    CallFacts {
        account: Some("ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa".into()),
        parameters: vec![("tenant".into(), "a \"b\"".into()), ("LANG".into(), "de".into())],
        random: random(),
        ..CallFacts::default()
    }
}

fn call() -> Box<dyn Dialect> {
    ControlMessageFormat::Twilio.dialect(&facts())
}

/// A call from its first to its last message, byte for byte.
#[test]
fn a_call_as_it_goes_over_the_wire() {
    use Step::{Event as Say, Media};
    let script = [
        Say(media_start()),
        Media(4, &[0xff; 6]),
        Say(Event::DtmfEnd { digit: '#', duration_ms: Some(100) }),
        Media(24, &[0, 1, 2, 0xfb, 0xf0]),
        Say(mark("a \"quoted\" \u{1} name")),
        Say(mark("")),
        Say(flushed(&["m2", "", "m2"])),
        Say(flushed(&[])),
        // Events for which Twilio has no message.
        Say(Event::MediaXoff),
        Say(Event::MediaXon),
        Say(Event::QueueDrained),
        Say(Event::Error { error_text: "no".into() }),
        Say(Event::Added(Box::new(AddedEvent::MediaPosition(MediaPosition { played_ms: 1, queued_ms: 2 })))),
        Say(stop()),
    ];
    let expected = [
        r#"{"event":"connected","protocol":"Call","version":"1.0.0"}"#,
        r#"{"event":"start","sequenceNumber":"1","start":{"accountSid":"ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","streamSid":"MZ000102030405060708090a0b0c0d0e0f","callSid":"CA101112131415161718191a1b1c1d1e1f","tracks":["inbound"],"mediaFormat":{"encoding":"audio/x-mulaw","sampleRate":8000,"channels":1},"customParameters":{"LANG":"de","Z":"1","channel_id":"asterisk-1.7","tenant":"a \"b\""}},"streamSid":"MZ000102030405060708090a0b0c0d0e0f"}"#,
        r#"{"event":"media","sequenceNumber":"2","media":{"track":"inbound","chunk":"1","timestamp":"4","payload":"////////"},"streamSid":"MZ000102030405060708090a0b0c0d0e0f"}"#,
        r##"{"event":"dtmf","streamSid":"MZ000102030405060708090a0b0c0d0e0f","sequenceNumber":"3","dtmf":{"track":"inbound_track","digit":"#"}}"##,
        r#"{"event":"media","sequenceNumber":"4","media":{"track":"inbound","chunk":"2","timestamp":"24","payload":"AAEC+/A="},"streamSid":"MZ000102030405060708090a0b0c0d0e0f"}"#,
        r#"{"event":"mark","sequenceNumber":"5","streamSid":"MZ000102030405060708090a0b0c0d0e0f","mark":{"name":"a \"quoted\" \u0001 name"}}"#,
        r#"{"event":"mark","sequenceNumber":"6","streamSid":"MZ000102030405060708090a0b0c0d0e0f","mark":{"name":""}}"#,
        r#"{"event":"mark","sequenceNumber":"7","streamSid":"MZ000102030405060708090a0b0c0d0e0f","mark":{"name":"m2"}}"#,
        r#"{"event":"mark","sequenceNumber":"8","streamSid":"MZ000102030405060708090a0b0c0d0e0f","mark":{"name":""}}"#,
        r#"{"event":"mark","sequenceNumber":"9","streamSid":"MZ000102030405060708090a0b0c0d0e0f","mark":{"name":"m2"}}"#,
        r#"{"event":"stop","sequenceNumber":"10","streamSid":"MZ000102030405060708090a0b0c0d0e0f","stop":{"accountSid":"ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","callSid":"CA101112131415161718191a1b1c1d1e1f"}}"#,
    ];
    let dialect = call();
    assert_eq!(wire(&*dialect, &script), expected);
    // The next connection of the same call: its opening messages again, with the same ids, and numbers from 1.
    assert_eq!(
        wire(&*dialect, &[Say(media_start()), Media(9000, &[0xff; 6])]),
        [
            expected[0].to_owned(),
            expected[1].to_owned(),
            expected[2].replace(r#""timestamp":"4""#, r#""timestamp":"9000""#),
        ]
    );
}

#[test]
fn without_variables_and_without_an_account() {
    let facts = CallFacts { system_name: "pbx1".into(), ..CallFacts::default() };
    let start = |facts: &CallFacts| {
        let dialect = ControlMessageFormat::Twilio.dialect(facts);
        let event = Event::MediaStart(Box::default());
        wire(&*dialect, &[Step::Event(event)]).pop().unwrap()
    };
    let text = start(&facts);
    let read: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(read["start"]["customParameters"], serde_json::json!({ "channel_id": "asterisk-1.7" }));
    let account = read["start"]["accountSid"].as_str().unwrap();
    assert!(is_account_sid(account), "{account}");
    let another_call = CallFacts { random: [9; 32], ..facts.clone() };
    assert!(start(&another_call).contains(account));
    let another_system = CallFacts { system_name: "pbx2".into(), ..facts };
    assert!(!start(&another_system).contains(account));
}

#[test]
fn what_an_application_says() {
    let command = |command| Incoming::Command(Ok(command));
    let rows = [
        ("media", r#""event":"media","streamSid":"$","media":{"payload":"AAEC"}"#, {
            Incoming::Media(Bytes::from_static(&[0, 1, 2]))
        }),
        (
            "media with more fields",
            r#""media":{"track":"x","payload":"\/\u002f==","y":[1]},"z":{},"event":"media","streamSid":"$""#,
            { Incoming::Media(Bytes::from_static(&[0xff])) },
        ),
        (
            "no media",
            r#""event":"media","streamSid":"$","media":{"payload":""}"#,
            Incoming::Media(Bytes::new()),
        ),
        ("a mark", r#""event":"mark","streamSid":"$","mark":{"name":"m \"1\""}"#, {
            command(Command::MarkMedia { correlation_id: Some("m \"1\"".into()) })
        }),
        ("a mark without a name", r#""event":"mark","streamSid":"$","mark":{"name":""}"#, {
            command(Command::MarkMedia { correlation_id: None })
        }),
        ("clear", r#""event":"clear","streamSid":"$""#, command(Command::FlushMedia(Flush::default()))),
        ("escapes in the event", r#""\u0065vent":"cl\u0065ar","streamSid":"$""#, {
            command(Command::FlushMedia(Flush::default()))
        }),
    ];
    for (name, fields, expected) in rows {
        let text = format!(" {{{}}}\n", fields.replace('$', STREAM));
        assert_eq!(call().on_text(&text, 200), expected, "{name}");
    }
}

/// None of these messages has an effect. Each gets a text that says what is wrong and what is allowed.
#[test]
fn what_twilio_would_not_understand() {
    let long =
        format!(r#"{{"event":"mark","streamSid":"{STREAM}","mark":{{"name":"{}"}}}}"#, "x".repeat(200));
    let event =
        |found: &str| format!("event {found} (Twilio's warning 31951); allowed: 'media', 'mark' or 'clear'");
    let no_object = || "a text that is no JSON object (Twilio's warning 31951)".to_owned();
    let stream = |event: &str, found: &str| {
        format!("'streamSid' of a {event} message is {found} (Twilio's warning 31951); allowed: '{STREAM}'")
    };
    let payload = |found: &str| {
        format!(
            "'media.payload' of a media message is {found} (Twilio's warning 31951); allowed: a string in base64"
        )
    };
    let name = |found: &str| {
        format!("'mark.name' of a mark message is {found} (Twilio's warning 31951); allowed: a string")
    };
    let with = |rest: &str| format!(r#"{{"streamSid":"{STREAM}",{rest}}}"#);
    let rows = [
        (String::new(), no_object()),
        ("ANSWER".into(), no_object()),
        ("[1]".into(), no_object()),
        (r#"{"event":"clear""#.into(), no_object()),
        (format!("{}x", with(r#""event":"clear""#)), no_object()),
        ("{}".into(), event("missing")),
        (with(r#""event":null"#), event("null")),
        (with(r#""event":7"#), event("7")),
        (with(r#""event":"stop""#), event("\"stop\"")),
        (with(r#""event":"Media""#), event("\"Media\"")),
        (with(&format!(r#""event":"{}""#, "y".repeat(100))), event(&format!("\"{}…", "y".repeat(63)))),
        (r#"{"command":"HANGUP"}"#.into(), event("missing")),
        (r#"{"event":"clear"}"#.into(), stream("clear", "missing")),
        (r#"{"event":"mark","streamSid":null}"#.into(), stream("mark", "null")),
        (
            r#"{"event":"media","streamSid":"MZ1","media":{"payload":"AAAA"}}"#.into(),
            stream("media", "\"MZ1\""),
        ),
        (with(r#""event":"media""#), payload("missing")),
        (with(r#""event":"media","media":null"#), payload("missing")),
        (with(r#""event":"media","media":"AAAA""#), payload("missing")),
        (with(r#""event":"media","media":{"payload":5}"#), payload("5")),
        (with(r#""event":"media","media":{"payload":"A"}"#), payload("\"A\"")),
        (with(r#""event":"media","media":{"payload":"AA AA"}"#), payload("\"AA AA\"")),
        (with(r#""event":"media","media":{"payload":"AA-_"}"#), payload("\"AA-_\"")),
        (with(r#""event":"mark""#), name("missing")),
        (with(r#""event":"mark","mark":{}"#), name("missing")),
        (with(r#""event":"mark","mark":{"name":{"a":1}}"#), name("{\"a\":1}")),
        (long.clone(), {
            format!(
                "a mark message of {} bytes exceeds the limit of 200 bytes (max_command_size)",
                long.len()
            )
        }),
    ];
    for (text, error_text) in rows {
        let expected = Incoming::Command(Err(CommandError::Dialect(error_text)));
        assert_eq!(call().on_text(&text, 200), expected, "{text}");
    }
    let binary = "a binary message (Twilio's warning 31950): media comes as text, in media messages";
    let expected = Incoming::Command(Err(CommandError::Dialect(binary.into())));
    assert_eq!(call().on_binary(Bytes::from_static(&[0; 160])), expected);
}

#[test]
fn media_may_be_longer_than_a_command() {
    let media = vec![0x55; 100_000];
    let text = format!(
        r#"{{"event":"media","streamSid":"{STREAM}","media":{{"payload":"{}"}}}}"#,
        BASE64.encode(&media)
    );
    assert_eq!(call().on_text(&text, 200), Incoming::Media(Bytes::from(media)));
}

/// The second example of RFC 2202, section 3.
#[test]
fn signatures() {
    let (name, value) = call().signature("what do ya want for nothing?", "Jefe").unwrap();
    assert_eq!((name, value.as_str()), ("X-Twilio-Signature", "7/zfauXrL6LSdBbV8YTfnCWafHk="));
}

#[test]
fn accounts() {
    assert!(is_account_sid("AC0123456789abcdefABCDEF0123456789"));
    for text in [
        "",
        "AC",
        "AC0123456789abcdefABCDEF012345678",
        "AC0123456789abcdefABCDEF012345678g",
        "MZ0123456789abcdefABCDEF0123456789",
    ] {
        assert!(!is_account_sid(text), "{text}");
    }
}
