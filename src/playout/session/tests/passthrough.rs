//! Messages that are frames.

use super::*;

#[test]
fn passthrough_messages_are_frames_and_last_as_long_as_they_are() {
    let mut call = Call::mode(MediaMode::Passthrough);
    call.media(80).media(480).media(161).command("MARK_MEDIA m").wait(1000);
    call.expect(&["1000 frame 80", "1010 frame 480", "1070 frame 161", "1090.125 MEDIA_MARK_PROCESSED m"]);
}

#[test]
fn an_uncuttable_codec_is_passthrough_unless_unbuffered() {
    for (mode, is) in [
        (MediaMode::Framed, MediaMode::Passthrough),
        (MediaMode::Passthrough, MediaMode::Passthrough),
        (MediaMode::Unbuffered, MediaMode::Unbuffered),
    ] {
        assert_eq!(session(SessionConfig { mode, format: format("opus"), ..config() }).mode(), is);
    }
    let mut call = Call::new(SessionConfig { format: format("opus"), ..config() });
    call.bytes(vec![60, 1]).bytes(vec![0]).bytes(vec![120, 1, 2]).bytes(vec![5]).bytes(vec![20]).wait(1000);
    call.expect(&[
        "1000 frame 2",
        "1060 frame 1", // Length unknown: one ptime.
        "1080 frame 3",
        "1200 frame 1",
        "1205 frame 1",
    ]);
}

#[test]
fn samples_that_were_counted_already_hold_where_a_message_is_a_frame() {
    for (mode, durations_ms) in [
        (MediaMode::Passthrough, &[50, 20][..]),
        // Cut into frames of the one size.
        (MediaMode::Framed, &[20, 20, 20]),
    ] {
        let mut session = session(SessionConfig { mode, ..config() });
        let (mut now, mut actions) = (ms(1000), Vec::new());
        session.on_counted_media(vec![0; 320].into(), Some(400), now, &mut actions);
        session.on_counted_media(vec![0; 160].into(), None, now, &mut actions);
        for duration_ms in durations_ms {
            let frame = session.read(now, &mut actions).unwrap();
            assert_eq!(frame.samples, duration_ms * 8, "{mode:?}");
            now = now + Duration::from_millis(u64::from(*duration_ms));
        }
        assert_eq!(session.read(now, &mut actions), None);
    }
}

#[test]
fn passthrough_is_flow_controlled() {
    let mut call = Call::new(SessionConfig {
        mode: MediaMode::Passthrough,
        limits: QueueLimits { max: 3, xoff: 2, xon: 1 },
        ..config()
    });
    (0..4).for_each(|_| _ = call.media(1000));
    call.expect(&[
        "1000 MEDIA_XOFF",
        "1000 ERROR channel_id:1.1 error_text:Media dropped: the queue is full with 3 frames",
    ]);
    call.wait(1000).expect(&["1000 frame 1000", "1125 frame 1000", "1250 MEDIA_XON", "1250 frame 1000"]);
    assert_eq!(call.session.stats().frames_dropped, 1);
}
