//! Messages are cut or joined into frames.

use super::*;

#[test]
fn a_message_is_cut_into_frames_and_played_one_per_ptime() {
    let mut call = Call::ulaw();
    call.media(400).expect_queued(2).wait(1000);
    call.expect(&["1000 frame 160", "1020 frame 160"]).expect_clock(None);
    assert_eq!(call.played(), numbered(320), "the rest is dropped");
    assert_eq!(call.frames[0].samples, 160);
    let stats = call.session.stats();
    assert_eq!((stats.messages, stats.bytes, stats.bytes_cut_off), (1, 400, 80));
    assert_eq!((stats.frames_in, stats.frames_played, stats.frames_dropped), (2, 2, 0));
}

#[test]
fn a_message_shorter_than_a_frame_gives_nothing() {
    Call::ulaw().media(159).media(159).expect_queued(0).expect_clock(None).wait(100).expect(&[]);
}

#[test]
fn an_empty_message_is_ignored_in_all_modes() {
    for mode in [MediaMode::Framed, MediaMode::Passthrough, MediaMode::Unbuffered] {
        Call::mode(mode).media(0).expect_queued(0).expect_clock(None).wait(100).expect(&[]);
    }
}

#[test]
fn bulk_media_is_joined_across_messages() {
    let mut call = Call::ulaw();
    let media = numbered(1000);
    call.command("START_MEDIA_BUFFERING");
    for part in [&media[..100], &media[100..150], &media[150..480], &media[480..481], &media[481..]] {
        call.bytes(part.to_vec());
    }
    call.expect_queued(6).command("STOP_MEDIA_BUFFERING b1").expect_queued(7).wait(1000);
    call.expect(&[
        "1000 frame 160",
        "1020 frame 160",
        "1040 frame 160",
        "1060 frame 160",
        "1080 frame 160",
        "1100 frame 160",
        "1120 frame 160",
        "1140 MEDIA_BUFFERING_COMPLETED b1",
    ]);
    assert_eq!(call.played(), [&media[..], &[0xff; 120]].concat(), "byte for byte, then silence");
}

#[test]
fn a_codec_without_known_silence_ends_short_and_still_takes_a_ptime() {
    for (name, frame, rest, samples) in [("gsm", 33, 7, [160, 0, 160]), ("g722", 160, 40, [320, 80, 320])] {
        let mut call = Call::new(SessionConfig { format: format(name), ..config() });
        call.command("START_MEDIA_BUFFERING")
            .media(frame + rest)
            .command("STOP_MEDIA_BUFFERING")
            .media(frame);
        call.wait(1000).expect(&[
            &format!("1000 frame {frame}"),
            &format!("1020 frame {rest}"),
            "1040 MEDIA_BUFFERING_COMPLETED",
            &format!("1040 frame {frame}"),
        ]);
        assert_eq!(call.frames.iter().map(|frame| frame.samples).collect::<Vec<_>>(), samples, "{name}");
    }
}

#[test]
fn a_rest_is_not_mixed_into_later_media() {
    let mut call = Call::ulaw();
    call.command("START_MEDIA_BUFFERING").media(100).command("FLUSH_MEDIA").media(160).wait(100);
    call.expect(&["1000 frame 160"]);
    assert_eq!(call.played(), numbered(160));
    assert_eq!(call.session.stats().bytes_cut_off, 100);
}

#[test]
fn frames_share_the_memory_of_their_message() {
    let mut call = Call::ulaw();
    let message = Bytes::from(numbered(1000));
    call.bytes(message.clone()).wait(200);
    for (n, frame) in call.frames.iter().enumerate() {
        assert_eq!(frame.payload.as_ptr(), message[n * 160..].as_ptr());
    }
}

/// A call with this format whose messages are cut.
fn of_format(name: &'static str) -> Call {
    Call::new(SessionConfig { format: format(name), ..config() })
}

#[test]
fn frames_of_g723_have_their_own_sizes_and_last_30_ms() {
    let frames = [vec![0x00; 24], vec![0x01; 20], vec![0x02; 4], vec![0x03]];
    let mut call = of_format("g723");
    for frame in &frames {
        call.bytes(frame.clone());
    }
    call.bytes(frames.concat()).expect_queued(8).wait(1000);
    call.expect(&[
        "1000 frame 24",
        "1030 frame 20",
        "1060 frame 4",
        "1090 frame 1",
        "1120 frame 24",
        "1150 frame 20",
        "1180 frame 4",
        "1210 frame 1",
    ]);
    assert!(call.frames.iter().all(|frame| frame.samples == 240));
}

#[test]
fn frames_of_ilbc_last_as_long_as_they_are() {
    let mut call = of_format("ilbc");
    call.bytes(vec![0xff; 50]).bytes(vec![0xff; 100]).bytes(vec![0xff; 38]).bytes(vec![0xff; 77]);
    call.expect_queued(6).wait(1000);
    call.expect(&[
        "1000 frame 50",
        "1030 frame 50",
        "1060 frame 50",
        "1090 frame 38",
        "1110 frame 38",
        "1130 frame 38",
    ]);
    let samples: Vec<u32> = call.frames.iter().map(|frame| frame.samples).collect();
    assert_eq!(samples, [240, 240, 240, 160, 160, 160]);
    assert_eq!(call.session.stats().bytes_cut_off, 1, "the rest of what fits neither is dropped");
}

#[test]
fn a_mark_in_a_bulk_of_ilbc_follows_the_earlier_media() {
    let mut call = of_format("ilbc");
    call.command("START_MEDIA_BUFFERING").bytes(vec![0xff; 25]).bytes(vec![0xff; 75]).expect_queued(0);
    call.command("MARK_MEDIA m").expect_queued(2).bytes(vec![0xff; 50]).expect_queued(3);
    call.command("STOP_MEDIA_BUFFERING b").wait(1000);
    call.expect(&[
        "1000 frame 50",
        "1030 frame 50",
        "1060 MEDIA_MARK_PROCESSED m",
        "1060 frame 50",
        "1090 MEDIA_BUFFERING_COMPLETED b",
    ]);
}

#[test]
fn a_message_of_silk_is_a_frame_in_bulk_too() {
    let mut call = of_format("silk8");
    call.bytes(vec![1; 57]).command("START_MEDIA_BUFFERING").bytes(vec![2; 400]);
    call.command("STOP_MEDIA_BUFFERING b").wait(1000);
    call.expect(&["1000 frame 57", "1020 frame 400", "1040 MEDIA_BUFFERING_COMPLETED b"]);
}

#[test]
fn frames_that_are_dropped_are_counted_by_their_codec() {
    for (name, message, frames) in [
        ("ulaw", vec![0; 161], 2),
        ("g723", vec![0x03; 24], 24),
        ("ilbc", vec![0xff; 100], 2),
        ("silk8", vec![0; 400], 1),
    ] {
        let limits = QueueLimits { max: 1, xoff: 1, xon: 1 };
        let mut call = Call::new(SessionConfig { format: format(name), limits, ..config() });
        call.bytes(vec![0; 480]).bytes(message);
        assert_eq!(call.session.stats().frames_dropped, frames, "{name}");
    }
}
