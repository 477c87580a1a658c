//! What goes over the wire, and what is understood: the pure translation.

use super::super::ControlMessageFormat;
use super::super::script::{Step, flushed, mark, media_start, random, stop, wire};
use super::*;
use crate::protocol::command::{Command, CommandError, Flush};

const STREAM: &str = "MZ000102030405060708090a0b0c0d0e0f";

fn call(sample_rate: u32) -> Box<dyn Dialect> {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    ControlMessageFormat::Exotel.dialect(&CallFacts {
        sample_rate,
        parameters: vec![pair("from", "+1"), pair("key1", "value1")],
        system_name: "pbx1".into(),
        random: random(),
        ..CallFacts::default()
    })
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
        Say(mark("my-label")),
        Say(flushed(&["m2", "m3"])),
        // Events for which Exotel has no message.
        Say(Event::Error { error_text: "no".into() }),
        Say(stop()),
    ];
    let account = sid("AC", &account_of("pbx1")[..16]);
    let expected = [
        r#"{"event":"connected"}"#,
        r#"{"event":"start","sequence_number":"1","stream_sid":"$","start":{"stream_sid":"$","call_sid":"CA101112131415161718191a1b1c1d1e1f","account_sid":"%","from":"+1","to":"","custom_parameters":{"LANG":"en","Z":"1","channel_id":"asterisk-1.7","key1":"value1"},"media_format":{"encoding":"audio/x-raw","sample_rate":"8000","bit_rate":"16"}}}"#,
        r#"{"event":"media","sequence_number":"2","stream_sid":"$","media":{"chunk":"1","timestamp":"4","payload":"////////"}}"#,
        r#"{"event":"dtmf","sequence_number":"3","stream_sid":"$","dtmf":{"digit":"5","duration":"100"}}"#,
        r#"{"event":"media","sequence_number":"4","stream_sid":"$","media":{"chunk":"2","timestamp":"24","payload":"AAEC+/A="}}"#,
        r#"{"event":"mark","sequence_number":"5","stream_sid":"$","mark":{"name":"my-label"}}"#,
        r#"{"event":"mark","sequence_number":"6","stream_sid":"$","mark":{"name":"m2"}}"#,
        r#"{"event":"mark","sequence_number":"7","stream_sid":"$","mark":{"name":"m3"}}"#,
        r#"{"event":"stop","sequence_number":"8","stream_sid":"$","stop":{"call_sid":"CA101112131415161718191a1b1c1d1e1f","account_sid":"%","reason":"callended"}}"#,
    ];
    let expected = expected.map(|text| text.replace('$', STREAM).replace('%', &account));
    assert_eq!(wire(&*call(8000), &script), expected);
    for rate in [16000, 24000] {
        let start = wire(&*call(rate), &[Say(media_start())]).concat();
        assert!(start.contains(&format!(r#""sample_rate":"{rate}""#)), "{start}");
    }
}

#[test]
fn what_an_application_says() {
    let command = |command| Incoming::Command(Ok(command));
    for (text, expected) in [
        (r#"{"event":"media","stream_sid":"$","media":{"payload":"AAEC"}}"#, {
            Incoming::Media(Bytes::from_static(&[0, 1, 2]))
        }),
        (r#"{"event":"clear","stream_sid":"$"}"#, command(Command::FlushMedia(Flush::default()))),
        (r#"{"event":"mark","stream_sid":"$","mark":{"name":"m"}}"#, {
            command(Command::MarkMedia { correlation_id: Some("m".into()) })
        }),
    ] {
        let text = text.replace('$', STREAM);
        assert_eq!(call(8000).on_text(&text, 200), expected, "{text}");
    }
}

#[test]
fn what_exotel_would_not_understand() {
    for (text, error_text) in [
        ("hello", "a text that is no JSON object".to_owned()),
        (r#"{"event":"stop"}"#, "'event' is \"stop\"; allowed: 'media', 'mark' or 'clear'".to_owned()),
        (r#"{"event":"clear","stream_sid":"x"}"#, {
            format!("'stream_sid' of a clear message is \"x\"; allowed: '{STREAM}', or none")
        }),
        (r#"{"event":"media","media":{}}"#, {
            "'media.payload' of a media message is missing; allowed: a string in base64".to_owned()
        }),
    ] {
        let expected = Incoming::Command(Err(CommandError::Dialect(error_text)));
        assert_eq!(call(8000).on_text(text, 200), expected, "{text}");
    }
    let binary = "a binary message: media comes as text, in media messages";
    assert_eq!(
        call(8000).on_binary(Bytes::new()),
        Incoming::Command(Err(CommandError::Dialect(binary.into())))
    );
}
