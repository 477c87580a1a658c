//! SEND_DTMF beside media: during a digit no media is played, and none is lost.

use proptest::prelude::*;

use super::super::fixture::filled;
use super::*;

fn json(config: SessionConfig) -> SessionConfig {
    SessionConfig { control_message_format: ControlMessageFormat::Json, ..config }
}

fn press(call: &mut Call, digits: &str, id: &str) {
    let text = format!(r#"{{"command":"SEND_DTMF","digits":"{digits}","correlation_id":"{id}"}}"#);
    call.command(&text);
}

fn sent(time: u64, id: &str, stopped: Option<usize>) -> String {
    let stopped = stopped.map(|sent| format!(r#","cancelled":true,"sent":{sent}"#)).unwrap_or_default();
    format!(r#"{time} {{"event":"DTMF_SENT","channel_id":"1.1","correlation_id":"{id}"{stopped}}}"#)
}

#[track_caller]
fn expect(call: &mut Call, transcript: &[impl AsRef<str>]) {
    let transcript: Vec<&str> = transcript.iter().map(AsRef::as_ref).collect();
    call.expect(&transcript);
}

#[test]
fn digits_come_when_they_are_due_with_no_media_at_all() {
    for config in [
        config(),
        SessionConfig { mode: MediaMode::Unbuffered, ..config() },
        SessionConfig { mode: MediaMode::Passthrough, ..config() },
        SessionConfig { direction: MediaDirection::In, ..config() },
        SessionConfig { direction: MediaDirection::Out, ..config() },
    ] {
        let mut call = Call::new(json(config));
        press(&mut call, "1d", "d1");
        call.expect_clock(Some(1000)).wait(500);
        let last = sent(1260, "d1", None);
        expect(&mut call, &["1000 1", "1100 1 ends", "1160 D", "1260 D ends", &last]);
        call.expect_clock(None);
    }
}

#[test]
fn playout_pauses_during_a_digit() {
    for config in [config(), SessionConfig { mode: MediaMode::Passthrough, ..config() }] {
        let mut call = Call::new(json(config));
        call.media(160).wait(5).expect(&["1000 frame 160"]);
        press(&mut call, "1", "d");
        call.command(r#"{"command":"MARK_MEDIA","correlation_id":"m"}"#);
        call.wait(0).expect(&["1005 1"]);
        call.media(160).wait(0).media(160).command(r#"{"command":"GET_STATUS"}"#).skip();
        call.expect_queued(2).wait(200);
        // The frame that was being played when the digit began is played to its end first.
        expect(
            &mut call,
            &[
                "1105 1 ends".to_owned(),
                sent(1105, "d", None),
                r#"1120 {"event":"MEDIA_MARK_PROCESSED","channel_id":"1.1","correlation_id":"m"}"#.into(),
                "1120 frame 160".into(),
                "1140 frame 160".into(),
            ],
        );
        let stats = call.session.stats();
        assert_eq!((stats.underruns, stats.late_reads), (1, 0), "a digit is neither");
    }
}

#[test]
fn media_timed_by_the_application_waits_too() {
    let mut call = Call::new(json(SessionConfig { mode: MediaMode::Unbuffered, ..config() }));
    press(&mut call, "1", "d");
    call.wait(10).media(160).wait(10).media(160).wait(200);
    let done = sent(1100, "d", None);
    expect(&mut call, &["1000 1", "1100 1 ends", &done, "1100 frame 160", "1100 frame 160"]);
}

#[test]
fn silence_pauses_too_and_is_not_caught_up() {
    let mut call = Call::new(json(filled(config())));
    call.answered().wait(20).expect(&["1020 frame 7 due 1000"]);
    press(&mut call, "1", "d");
    call.wait(179);
    let done = sent(1120, "d", None);
    let silence = ["1140 frame 7 due 1120", "1160 frame 7 due 1140", "1180 frame 7 due 1160"];
    expect(&mut call, &[&["1020 1", "1120 1 ends", &done][..], &silence].concat());
}

#[test]
fn digits_wait_for_the_answer_that_is_under_way() {
    let mut call = Call::new(json(config()));
    call.session.answering();
    press(&mut call, "1", "d");
    call.expect_clock(None).wait(300).answered().expect_clock(Some(1000)).wait(0);
    call.expect(&["1300 1"]);
}

#[test]
fn pause_and_flush_do_not_touch_digits_and_a_stop_does() {
    let mut call = Call::new(json(config()));
    press(&mut call, "123", "d");
    call.command(r#"{"command":"PAUSE_MEDIA"}"#).media(160).wait(170);
    call.expect(&["1000 1", "1100 1 ends", "1160 2"]);
    call.command(r#"{"command":"FLUSH_MEDIA"}"#).wait(85).expect(&[]);
    press(&mut call, "", "s");
    press(&mut call, "4", "e");
    call.wait(60);
    let answers = [sent(1255, "d", Some(2)), sent(1255, "s", None)];
    expect(&mut call, &[&["1255 2 ends".to_owned()][..], &answers, &["1315 4".into()]].concat());
}

#[test]
fn too_many_are_refused_and_those_that_wait_are_not() {
    let mut call = Call::new(json(config()));
    press(&mut call, &"1".repeat(256), "d");
    press(&mut call, "2", "e");
    let text = "SEND_DTMF: 257 digits would wait; allowed: at most 256";
    call.expect(&[&format!(
        r#"1000 {{"event":"ERROR","channel_id":"1.1","error_text":"{text}","correlation_id":"e","command":"SEND_DTMF"}}"#
    )]);
    assert_eq!(call.session.stats().commands_refused, 1);
    press(&mut call, "", "s");
    expect(&mut call, &[sent(1000, "d", Some(0)), sent(1000, "s", None)]);
}

#[test]
fn the_end_of_the_call_answers_what_was_not_over() {
    let mut call = Call::new(json(config()));
    press(&mut call, "12", "d");
    press(&mut call, "3", "e");
    call.wait(0).expect(&["1000 1"]);
    let mut actions = Vec::new();
    call.session.hung_up(&mut actions);
    call.record(actions);
    expect(&mut call, &[sent(1000, "d", Some(1)), sent(1000, "e", Some(0))]);
}

#[derive(Debug, Clone)]
enum Op {
    Press(String),
    Stop,
    Media(usize),
    Wait(u64),
    Stall(u64),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        "[0-9#w]{1,4}".prop_map(Op::Press),
        Just(Op::Stop),
        (1..12_usize).prop_map(Op::Media),
        (0..400_u64).prop_map(Op::Wait),
        (0..60_u64).prop_map(Op::Stall),
    ]
}

proptest! {
    #[test]
    fn no_media_is_lost_and_none_is_played_within_a_digit(
        ops in prop::collection::vec(op(), 1..40),
        mode in prop_oneof![
            Just(MediaMode::Framed), Just(MediaMode::Passthrough), Just(MediaMode::Unbuffered)
        ],
        fills in any::<bool>(),
    ) {
        let config = json(SessionConfig { mode, ..config() });
        let mut call = Call::new(if fills { filled(config) } else { config });
        call.answered();
        let mut said = Vec::new();
        for op in &ops {
            match op {
                Op::Press(digits) => press(&mut call, digits, "d"),
                Op::Stop => press(&mut call, "", "s"),
                Op::Media(frames) => {
                    for _ in 0..*frames {
                        let frame = [(said.len() / 160) as u8; 160];
                        said.extend(frame);
                        call.bytes(frame.to_vec());
                    }
                }
                Op::Wait(ms) => _ = call.wait(*ms),
                Op::Stall(ms) => _ = call.stall(*ms),
            }
        }
        while call.session.digits.deadline().is_some() || !call.session.queue.is_empty() {
            call.wait(1000);
        }
        let played = call.played();
        let silence = b"silence";
        let mut rest = &*played;
        let mut media = Vec::new();
        while !rest.is_empty() {
            let size = if rest.starts_with(silence) { silence.len() } else { 160 };
            if size == 160 {
                media.extend_from_slice(&rest[..160]);
            }
            rest = &rest[size..];
        }
        prop_assert_eq!(media, said);
        let mut within = false;
        for line in &call.transcript {
            let what = line.split_once(' ').map_or("", |(_, what)| what);
            match what.len() {
                1 => {
                    prop_assert!(!within);
                    within = true;
                }
                _ if what.ends_with(" ends") => {
                    prop_assert!(within, "an end alone");
                    within = false;
                }
                _ => prop_assert!(!(within && what.contains("frame")), "{}", line),
            }
        }
        prop_assert!(!within);
    }
}
