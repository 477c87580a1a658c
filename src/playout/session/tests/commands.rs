//! Which command is allowed when, and the answer.

use super::*;

#[test]
fn commands_are_refused_as_the_table_says() {
    const PASSTHROUGH: &str = "not supported in passthrough mode";
    const IN: &str = "not supported while media direction is 'in'";
    // In passthrough, with direction in, with both.
    let table = [
        ("ANSWER", None, None, None),
        ("HANGUP", None, None, None),
        ("START_MEDIA_BUFFERING", None, Some(IN), Some(IN)),
        ("STOP_MEDIA_BUFFERING", None, Some(IN), Some(IN)),
        ("MARK_MEDIA", None, Some(IN), Some(IN)),
        ("FLUSH_MEDIA", None, None, None),
        ("PAUSE_MEDIA", None, Some(IN), Some(IN)),
        ("CONTINUE_MEDIA", None, Some(IN), Some(IN)),
        ("REPORT_QUEUE_DRAINED", None, None, None),
        ("GET_STATUS", None, None, None),
        ("SUBSCRIBE", None, None, None),
        ("SET_MEDIA_DIRECTION", Some(PASSTHROUGH), None, Some(PASSTHROUGH)),
    ];
    for (name, passthrough, direction_in, both) in table {
        for mode in [MediaMode::Framed, MediaMode::Passthrough, MediaMode::Unbuffered] {
            for direction in [MediaDirection::Both, MediaDirection::In, MediaDirection::Out] {
                let expected = match (mode == MediaMode::Passthrough, direction == MediaDirection::In) {
                    (true, true) => both,
                    (true, false) => passthrough,
                    (false, true) => direction_in,
                    (false, false) => None,
                };
                let expected: Vec<_> = expected.map(|why| format!("{name} {why}")).into_iter().collect();
                let json = format!(r#"{{"command":"{name}","direction":"out","correlation_id":"x"}}"#);
                for (format, text) in
                    [(ControlMessageFormat::PlainText, name), (ControlMessageFormat::Json, json.as_str())]
                {
                    let config =
                        SessionConfig { mode, direction, control_message_format: format, ..config() };
                    assert_eq!(refusals(config, text), expected, "{text}, {mode:?}, {direction:?}");
                }
            }
        }
    }
}

/// The answer of a call to a command that is not allowed.
fn refusals(config: SessionConfig, text: &str) -> Vec<String> {
    let mut actions = Vec::new();
    on_text(&mut session(config), text, ms(1000), &mut actions);
    let errors = actions.into_iter().filter_map(|action| match action {
        Action::Send(Event::Error { error_text }) => Some(error_text),
        _ => None,
    });
    errors.filter(|text| text.contains("not supported")).collect()
}

#[test]
fn a_refused_command_changes_nothing() {
    let mut call = Call::mode(MediaMode::Passthrough);
    call.media(160).media(160).direction(MediaDirection::In).skip();
    call.command("GET_STATUS")
        .expect(&["1000 STATUS channel_id:1.1 queue_length:2 xon_level:800 xoff_level:900 \
        queue_full:false bulk_media:false media_paused:false"]);
    call.wait(1000).expect(&["1000 frame 160", "1020 frame 160"]);
}

#[test]
fn what_is_no_command_is_said() {
    for (text, error_text) in [
        ("", "Empty command"),
        (" \n", "Empty command"),
        ("answer", "Unknown command 'answer'"),
        ("SET_MEDIA_DIRECTION in", "SET_MEDIA_DIRECTION only supports JSON format."),
    ] {
        let mut call = Call::ulaw();
        call.command(text).expect(&[&format!("1000 ERROR channel_id:1.1 error_text:{error_text}")]);
    }
    let mut call = Call::ulaw();
    call.command("ANSWER").expect(&["1000 Answer"]).command(&"x".repeat(65537));
    assert!(call.transcript[0].contains("ERROR"));
    assert_eq!(call.session.stats().commands, 2);
}

#[test]
fn answer_and_hangup_are_the_callers_to_do() {
    Call::ulaw().command("ANSWER").command("HANGUP\n").expect(&["1000 Answer", "1000 Hangup"]);
}

#[test]
fn media_does_not_overtake_the_answer() {
    for mode in [MediaMode::Framed, MediaMode::Passthrough, MediaMode::Unbuffered] {
        let mut call = Call::mode(mode);
        call.command("ANSWER").media(160).media(160).expect(&["1000 Answer"]).expect_clock(None);
        // Marks and commands do not wait for the answer, only for the media before them.
        call.command("MARK_MEDIA a").wait(5).read().expect(&[]).answered().expect_clock(Some(1005));
        let second = if mode == MediaMode::Unbuffered { 1005 } else { 1025 };
        let (frame, mark) = (format!("{second} frame 160"), call.wait(100).transcript.pop().unwrap());
        assert!(mark.ends_with("MEDIA_MARK_PROCESSED a"), "{mark}");
        call.expect(&["1005 frame 160", &frame]);
        // No media waits for a second answer.
        call.command("ANSWER").media(160).wait(0).expect(&["1105 Answer", "1105 frame 160"]);
    }
}

#[test]
fn media_before_the_answer_is_played() {
    Call::ulaw()
        .media(160)
        .wait(30)
        .expect(&["1000 frame 160"])
        .command("ANSWER")
        .command("MARK_MEDIA a")
        .expect(&["1030 Answer", "1030 MEDIA_MARK_PROCESSED a"]);
}
