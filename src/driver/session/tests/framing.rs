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
