//! What goes over the wire, and what is understood: the pure translation.

use super::super::script::{Step, flushed, mark, media_start, random, stop, wire};
use super::*;
use crate::protocol::command::{Command, CommandError, Flush};

const STREAM: &str = "00010203-0405-4607-8809-0a0b0c0d0e0f";

fn call(format: &str, sample_rate: u32) -> Plivo {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let facts = CallFacts {
        format: format.into(),
        sample_rate,
        parameters: vec![pair("userId", "12345"), pair("note", "a \"b\"")],
        system_name: "pbx1".into(),
        random: random(),
        ..CallFacts::default()
    };
    Plivo::new(&facts, || UNIX_EPOCH + Duration::from_millis(1_705_312_200_000))
}

/// A call from its first to its last message, byte for byte.
#[test]
fn a_call_as_it_goes_over_the_wire() {
    use Step::{Event as Say, Media};
    let script = [
        Say(media_start()),
        Media(4, &[0xff; 6]),
        Say(Event::DtmfEnd { digit: '5', duration_ms: Some(100) }),
        Media(24, &[0, 1, 2, 0xfb, 0xf0]),
        Say(mark("customer greeting audio")),
        Say(flushed(&["m2"])),
        // Events for which Plivo has no message.
        Say(Event::Error { error_text: "no".into() }),
        Say(stop()),
    ];
    let account = call("ulaw", 8000).account_id;
    assert_eq!(account.len(), 20, "{account}");
    let expected = [
        r#"{"event":"start","sequenceNumber":1,"start":{"callId":"10111213-1415-4617-9819-1a1b1c1d1e1f","streamId":"$","accountId":"%","tracks":["inbound"],"mediaFormat":{"encoding":"audio/x-mulaw","sampleRate":8000}},"extra_headers":"userId=12345;note=a \"b\";channel_id=asterisk-1.7"}"#,
        r#"{"event":"media","sequenceNumber":2,"streamId":"$","media":{"track":"inbound","timestamp":"1705312200004","chunk":1,"payload":"////////"}}"#,
        r#"{"event":"dtmf","sequenceNumber":3,"streamId":"$","dtmf":{"track":"inbound","digit":"5","timestamp":"1705312200000"}}"#,
        r#"{"event":"media","sequenceNumber":4,"streamId":"$","media":{"track":"inbound","timestamp":"1705312200024","chunk":2,"payload":"AAEC+/A="}}"#,
        r#"{"event":"playedStream","sequenceNumber":5,"streamId":"$","name":"customer greeting audio"}"#,
        r#"{"event":"clearedAudio","sequenceNumber":6,"streamId":"$"}"#,
    ];
    let expected = expected.map(|text| text.replace('$', STREAM).replace('%', &account));
    let expected = expected.map(|text| text.replace("a \"b\"", "a \\\"b\\\""));
    assert_eq!(wire(&call("ulaw", 8000), &script), expected);
    for (format, rate) in [("slin", 8000), ("slin16", 16000)] {
        let start = wire(&call(format, rate), &[Say(media_start())]).concat();
        let expected = format!(r#""mediaFormat":{{"encoding":"audio/x-l16","sampleRate":{rate}}}"#);
        assert!(start.contains(&expected), "{start}");
    }
}

#[test]
fn what_an_application_says() {
    let command = |command| Incoming::Command(Ok(command));
    let media = || Incoming::Media(Bytes::from_static(&[0, 1, 2]));
    let about = |rate: &str| {
        format!(
            r#"{{"event":"playAudio","media":{{"contentType":"audio/x-mulaw","sampleRate":{rate},"payload":"AAEC"}}}}"#
        )
    };
    for (text, expected) in [
        (about("8000"), media()),
        (about("\"8000\""), media()),
        (r#"{"event":"clearAudio","streamId":"$"}"#.into(), command(Command::FlushMedia(Flush::default()))),
        (r#"{"event":"checkpoint","streamId":"$","name":"m"}"#.into(), {
            command(Command::MarkMedia { correlation_id: Some("m".into()) })
        }),
    ] {
        let text = text.replace('$', STREAM);
        assert_eq!(call("ulaw", 8000).on_text(&text, 200), expected, "{text}");
    }
}

#[test]
fn what_plivo_would_not_understand() {
    let media = |fields: &str| format!(r#"{{"event":"playAudio","media":{{"payload":"AAEC"{fields}}}}}"#);
    for (text, error_text) in [
        ("hello".to_owned(), "a text that is no JSON object".to_owned()),
        (r#"{"event":"sendDTMF","dtmf":"1"}"#.to_owned(), {
            "'event' is \"sendDTMF\"; allowed: 'playAudio', 'checkpoint' or 'clearAudio'".to_owned()
        }),
        (r#"{"event":"clearAudio","streamId":"x"}"#.to_owned(), {
            format!("'streamId' of a clearAudio message is \"x\"; allowed: '{STREAM}', or none")
        }),
        (r#"{"event":"checkpoint","name":7}"#.to_owned(), {
            "'name' of a checkpoint message is 7; allowed: a string".to_owned()
        }),
        (media(""), {
            "'media.contentType' of a playAudio message is missing; allowed: 'audio/x-mulaw'".to_owned()
        }),
        (media(r#","contentType":"audio/x-l16","sampleRate":8000"#), {
            "'media.contentType' of a playAudio message is \"audio/x-l16\"; allowed: 'audio/x-mulaw'"
                .to_owned()
        }),
        (media(r#","contentType":"audio/x-mulaw","sampleRate":16000"#), {
            "'media.sampleRate' of a playAudio message is 16000; allowed: 8000".to_owned()
        }),
    ] {
        let expected = Incoming::Command(Err(CommandError::Dialect(error_text)));
        assert_eq!(call("ulaw", 8000).on_text(&text, 200), expected, "{text}");
    }
    let binary = "a binary message: media comes as text, in playAudio messages";
    let expected = Incoming::Command(Err(CommandError::Dialect(binary.into())));
    assert_eq!(call("ulaw", 8000).on_binary(Bytes::new()), expected);
}
