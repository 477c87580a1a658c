//! The table of dialects, and the two of the C module.

use super::*;
use crate::protocol::command::{self, Spelling};

#[test]
fn formats_are_read_as_they_are_written() {
    for format in ControlMessageFormat::ALL {
        assert_eq!(ControlMessageFormat::parse(format.as_str()), Some(*format));
        assert_eq!(ControlMessageFormat::parse(&format.as_str().to_uppercase()), Some(*format));
    }
    for text in ["", "plain", "plain_text", "json ", "invalid"] {
        assert_eq!(ControlMessageFormat::parse(text), None, "{text}");
    }
    assert_eq!(ControlMessageFormat::default(), ControlMessageFormat::PlainText);
    let listed = control_message_formats();
    assert!(listed.starts_with("'plain-text', 'json'"), "{listed}");
    assert!(listed.contains(" or '"), "{listed}");
}

#[test]
fn our_own_dialects_are_the_commands_and_events_as_they_are_spelled() {
    let event = Event::DtmfEnd { digit: '5', duration_ms: None };
    for (format, spelling, text) in [
        (ControlMessageFormat::PlainText, Spelling::PlainText, "MARK_MEDIA \u{1}"),
        (ControlMessageFormat::Json, Spelling::Json, r#"{"command":"MARK_MEDIA","correlation_id":"1"}"#),
    ] {
        let dialect = format.dialect(&CallFacts::default());
        let command = command::parse(text, spelling, 100);
        assert!(command.is_ok(), "{text}");
        assert_eq!(dialect.on_text(text, 100), Incoming::Command(command));
        let too_long = Incoming::Command(Err(CommandError::TooLong { len_bytes: text.len(), max_bytes: 5 }));
        assert_eq!(dialect.on_text(text, 5), too_long);
        assert_eq!(dialect.on_binary(Bytes::from_static(b"x")), Incoming::Media(Bytes::from_static(b"x")));
        let mut written = Vec::new();
        dialect.write_event(&event, "1.1", &mut |text| written.push(text));
        assert_eq!(written, [event.render(spelling, "1.1")]);
        assert!(dialect.wire_writer().is_none());
        assert_eq!(dialect.signature("ws://a", "key"), None);
    }
}
