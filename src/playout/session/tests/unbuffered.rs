//! Messages that go to the core as they come.

use super::*;

#[test]
fn unbuffered_messages_go_to_the_core_as_they_come() {
    let mut call = Call::mode(MediaMode::Unbuffered);
    call.media(160).media(7).command("MARK_MEDIA m").media(1000).expect_clock(Some(1000)).wait(0);
    call.expect(&["1000 frame 160", "1000 frame 7", "1000 MEDIA_MARK_PROCESSED m", "1000 frame 1000"]);
    call.expect_clock(None).stall(3).media(160).wait(0).expect(&["1003 frame 160"]);
    call.media(160).command("MARK_MEDIA m").read().expect(&["1003 frame 160"]);
    call.read().expect(&["1003 MEDIA_MARK_PROCESSED m"]).expect_clock(None); // Once the core has the frame.
    assert_eq!(call.session.stats().underruns, 0);
}

#[test]
fn unbuffered_bulk_media_is_framed_and_timed() {
    let mut call = Call::mode(MediaMode::Unbuffered);
    call.media(7).command("START_MEDIA_BUFFERING").media(200).media(200).command("STOP_MEDIA_BUFFERING b");
    call.media(8).media(9).command("REPORT_QUEUE_DRAINED").wait(1000).expect(&[
        "1000 frame 7",
        "1000 frame 160",
        "1020 frame 160",
        "1040 frame 160",
        "1060 MEDIA_BUFFERING_COMPLETED b",
        "1060 frame 8",
        "1060 frame 9",
        "1060 QUEUE_DRAINED",
    ]);
}

#[test]
fn unbuffered_takes_all_other_commands() {
    let mut call = Call::mode(MediaMode::Unbuffered);
    call.command("PAUSE_MEDIA").media(160).media(160).wait(100).expect(&[]).command("CONTINUE_MEDIA").wait(0);
    call.expect(&["1100 frame 160", "1100 frame 160"]);
    call.media(160).media(160).command("FLUSH_MEDIA").wait(100).expect(&[]);
}

#[test]
fn unbuffered_media_of_an_uncuttable_codec_is_timed_in_bulk() {
    let mut call =
        Call::new(SessionConfig { format: format("opus"), mode: MediaMode::Unbuffered, ..config() });
    call.bytes(vec![60]).command("START_MEDIA_BUFFERING").bytes(vec![40]).bytes(vec![20, 1]);
    call.command("STOP_MEDIA_BUFFERING").bytes(vec![60]).wait(1000).expect(&[
        "1000 frame 1",
        "1000 frame 1",
        "1040 frame 2",
        "1060 MEDIA_BUFFERING_COMPLETED",
        "1060 frame 1",
    ]);
}
