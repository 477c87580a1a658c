//! FLUSH_MEDIA that is answered, ends at a mark, or fades.

use super::*;

/// A call with JSON commands, whose events are shown without the keys that all of them have.
fn call(mode: MediaMode, name: &'static str) -> Call {
    Call::new(SessionConfig {
        control_message_format: ControlMessageFormat::Json,
        mode,
        format: format(name),
        ..config()
    })
}

fn json(call: &mut Call, command: &str, fields: &str) {
    call.command(&format!(r#"{{"command":"{command}"{fields}}}"#));
}

/// Half a second in bulk: mark m1 after 100 ms, m2 after 300 ms, and the end of the bulk.
fn half_a_second(mode: MediaMode) -> Call {
    let mut call = call(mode, "ulaw");
    json(&mut call, "START_MEDIA_BUFFERING", "");
    let pieces = if mode == MediaMode::Passthrough { 160 } else { 800 };
    let media = |call: &mut Call, bytes: usize| (0..bytes / pieces).for_each(|_| _ = call.media(pieces));
    media(&mut call, 800);
    json(&mut call, "MARK_MEDIA", r#","correlation_id":"m1""#);
    media(&mut call, 1600);
    json(&mut call, "MARK_MEDIA", r#","correlation_id":"m2""#);
    media(&mut call, 1600);
    json(&mut call, "STOP_MEDIA_BUFFERING", r#","correlation_id":"b""#);
    call
}

const MODES: [MediaMode; 3] = [MediaMode::Framed, MediaMode::Passthrough, MediaMode::Unbuffered];

#[test]
fn a_flush_with_an_id_reports_what_was_dropped() {
    for mode in MODES {
        let mut call = half_a_second(mode);
        call.wait(210).skip();
        json(&mut call, "FLUSH_MEDIA", r#","correlation_id":"f1""#);
        call.expect(&[
            r#"1210 {"event":"MEDIA_FLUSHED","channel_id":"1.1","correlation_id":"f1","flushed_ms":280,"flushed_frames":14,"played_ms":220,"marks":["m2"],"bulk":["b"]}"#,
        ]);
        call.expect_queued(0).wait(1000).expect(&[]);
    }
}

#[test]
fn a_flush_without_an_id_is_answered_if_that_is_subscribed() {
    let mut call = half_a_second(MediaMode::Framed);
    call.wait(110).skip();
    json(&mut call, "SUBSCRIBE", r#","events":["MEDIA_FLUSHED"]"#);
    json(call.skip(), "FLUSH_MEDIA", "");
    call.expect(&[
        r#"1110 {"event":"MEDIA_FLUSHED","channel_id":"1.1","correlation_id":"","flushed_ms":380,"flushed_frames":19,"played_ms":120,"marks":["m2"],"bulk":["b"]}"#,
    ]);
    json(&mut call, "SUBSCRIBE", r#","events":[]"#);
    json(call.skip(), "FLUSH_MEDIA", "");
    call.expect(&[]);
}

#[test]
fn a_flush_after_a_mark_lets_the_sentence_end() {
    for mode in MODES {
        let mut call = half_a_second(mode);
        call.wait(210).skip();
        json(&mut call, "PAUSE_MEDIA", "");
        json(&mut call, "START_MEDIA_BUFFERING", "");
        if mode != MediaMode::Passthrough {
            call.media(100);
        }
        json(&mut call, "FLUSH_MEDIA", r#","after":"m2","correlation_id":"f""#);
        call.expect(&[
            r#"1210 {"event":"MEDIA_FLUSHED","channel_id":"1.1","correlation_id":"f","flushed_ms":200,"flushed_frames":10,"played_ms":220,"marks":[],"bulk":["b"]}"#,
        ]);
        // Neither pause nor buffering has ended.
        let status = call.session.status();
        assert!(status.media_paused && status.bulk_media);
        call.wait(100).expect(&[]);
        json(&mut call, "CONTINUE_MEDIA", "");
        call.wait(1000).expect(&[
            "1310 frame 160",
            "1330 frame 160",
            "1350 frame 160",
            "1370 frame 160",
            r#"1390 {"event":"MEDIA_MARK_PROCESSED","channel_id":"1.1","correlation_id":"m2"}"#,
        ]);
        let rest = if mode == MediaMode::Passthrough { 0 } else { 100 };
        assert_eq!(call.session.stats().bytes_cut_off, rest, "{mode:?}");
    }
}

#[test]
fn after_a_mark_that_does_not_wait_is_an_error_and_forgets_nothing() {
    let mut call = half_a_second(MediaMode::Framed);
    call.wait(210).skip();
    // An unknown id, that of a mark that has been reached, and the id of a bulk.
    for id in ["m3", "m1", "b"] {
        json(&mut call, "FLUSH_MEDIA", &format!(r#","after":"{id}","correlation_id":"f""#));
        call.expect(&[&format!(
            r#"1210 {{"event":"ERROR","channel_id":"1.1","error_text":"FLUSH_MEDIA: 'after' is \"{id}\"; allowed: the id of a MARK_MEDIA that has not been reached","correlation_id":"f","command":"FLUSH_MEDIA"}}"#
        )]);
    }
    call.expect_queued(14);
    assert_eq!(call.session.stats().commands_refused, 3);
}

#[test]
fn a_soft_flush_keeps_whole_frames_and_fades_them() {
    let mut call = half_a_second(MediaMode::Framed);
    call.wait(210).skip();
    json(&mut call, "FLUSH_MEDIA", r#","fade_ms":70,"correlation_id":"f""#);
    call.expect(&[
        r#"1210 {"event":"MEDIA_FLUSHED","channel_id":"1.1","correlation_id":"f","flushed_ms":200,"flushed_frames":10,"played_ms":220,"marks":[],"bulk":["b"]}"#,
    ]);
    // m2 is at the end of the media that is kept.
    call.wait(1000).expect(&[
        "1220 frame 160",
        "1240 frame 160",
        "1260 frame 160",
        "1280 frame 160",
        r#"1300 {"event":"MEDIA_MARK_PROCESSED","channel_id":"1.1","correlation_id":"m2"}"#,
    ]);
    let stats = call.session.stats();
    assert_eq!((stats.media_played, stats.media_flushed).map_ms(), (300, 200));
    let kept = call.frames.iter().skip(11).flat_map(|frame| frame.payload.to_vec());
    let louder = |code: u8| ULAW_LOUDEST - (code & ULAW_LOUDEST);
    let before = numbered(160 * 10).into_iter().skip(160);
    assert!(kept.clone().zip(before).all(|(kept, before)| louder(kept) <= louder(before)));
    assert_eq!(kept.last().map(louder), Some(0), "silence");
}

/// The quieter a µ-law sample is, the larger is its code.
const ULAW_LOUDEST: u8 = 0x7f;

/// Whole ms of both.
trait Millis {
    fn map_ms(self) -> (u128, u128);
}

impl Millis for (Duration, Duration) {
    fn map_ms(self) -> (u128, u128) {
        (self.0.as_millis(), self.1.as_millis())
    }
}

#[test]
fn a_soft_flush_keeps_all_if_less_waits_and_nothing_while_paused() {
    let mut call = half_a_second(MediaMode::Framed);
    json(&mut call, "FLUSH_MEDIA", r#","fade_ms":500,"correlation_id":"f""#);
    assert!(
        call.transcript.pop().is_some_and(|event| event.contains(r#""flushed_ms":0,"flushed_frames":0,"#))
    );
    call.expect_queued(25);
    json(&mut call, "PAUSE_MEDIA", "");
    json(&mut call, "FLUSH_MEDIA", r#","fade_ms":500,"correlation_id":"f""#);
    assert!(call.transcript.pop().is_some_and(|event| event.contains(r#""marks":["m1","m2"],"bulk":["b"]"#)));
    call.expect_queued(0);
    assert!(!call.session.status().media_paused);
}

#[test]
fn a_fade_that_is_not_possible_is_refused_and_nothing_is_dropped() {
    for (mode, name, why) in [
        (MediaMode::Framed, "opus", "in passthrough mode"),
        (MediaMode::Passthrough, "ulaw", "in passthrough mode"),
        (MediaMode::Framed, "g722", "with a format that is none of ulaw, alaw and slin"),
        (MediaMode::Unbuffered, "opus", "with a format that is none of ulaw, alaw and slin"),
    ] {
        let mut call = call(mode, name);
        json(&mut call, "START_MEDIA_BUFFERING", "");
        call.bytes(vec![20; 160]);
        json(&mut call, "FLUSH_MEDIA", r#","fade_ms":80"#);
        call.expect(&[&format!(
            r#"1000 {{"event":"ERROR","channel_id":"1.1","error_text":"FLUSH_MEDIA: 'fade_ms' is 80; allowed: 0 {why}","command":"FLUSH_MEDIA"}}"#
        )]);
        call.expect_queued(1);
        assert!(call.session.status().bulk_media);
        json(&mut call, "FLUSH_MEDIA", r#","fade_ms":0"#);
        call.expect(&[]).expect_queued(0);
    }
}

#[test]
fn in_plain_text_an_argument_means_nothing() {
    let mut call = Call::ulaw();
    call.media(1600).command("FLUSH_MEDIA f1").expect(&[]).expect_queued(0);
}
