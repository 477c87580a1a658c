//! Silence while there is nothing to play. Its frames have 7 bytes here.

use super::super::fixture::filled;
use super::*;

/// A call that is up since 1000 ms and has had silence until 1060.
fn silent() -> Call {
    let mut call = Call::new(filled(config()));
    call.answered().expect_clock(Some(1020)).wait(60);
    call.expect(&["1020 frame 7 due 1000", "1040 frame 7 due 1020", "1060 frame 7 due 1040"]);
    call
}

#[test]
fn silence_begins_with_the_answer() {
    let mut call = Call::new(filled(config()));
    call.media(320).wait(100).expect(&["1000 frame 160", "1020 frame 160"]).expect_clock(None);
    call.answered().wait(40).expect(&["1120 frame 7 due 1100", "1140 frame 7 due 1120"]);
    // A second answer does not begin the silence again.
    call.answered().wait(20).expect(&["1160 frame 7 due 1140"]);
    assert_eq!(call.session.stats().frames_filled, 3);
}

#[test]
fn speech_takes_the_next_slot_at_once_and_silence_follows_it() {
    let mut call = silent();
    call.wait(5).media(160).wait(0).expect(&["1065 frame 160 due 1060"]);
    call.wait(19).media(160).wait(0).expect(&["1084 frame 160 due 1080"]);
    call.wait(60).expect(&["1120 frame 7 due 1100", "1140 frame 7 due 1120"]);
    let carried: Vec<_> = call.frames.iter().filter_map(|frame| frame.delivery).collect();
    assert_eq!(carried.len(), call.frames.len());
    for pair in carried.windows(2) {
        assert_eq!(
            pair[1].since(pair[0]),
            Duration::from_millis(20),
            "each timestamp is a frame behind the other"
        );
    }
}

#[test]
fn it_counts_for_nothing() {
    let mut call = silent();
    call.command("REPORT_QUEUE_DRAINED").command("MARK_MEDIA m");
    call.expect(&["1060 QUEUE_DRAINED", "1060 MEDIA_MARK_PROCESSED m"]);
    call.wait(19).media(160).command("REPORT_QUEUE_DRAINED").wait(41);
    call.expect(&[
        "1079 frame 160 due 1060",
        "1089 QUEUE_DRAINED",
        "1109 frame 7 due 1080",
        "1120 frame 7 due 1100",
    ]);
    let stats = call.session.stats();
    assert_eq!((stats.frames_in, stats.frames_played, stats.frames_filled), (1, 1, 5));
    assert_eq!((stats.media_played, stats.underruns), (Duration::from_millis(20), 1));
    assert_eq!((stats.late_reads, stats.longest_lateness), (0, Duration::ZERO), "it was not there before");
}

#[test]
fn a_pause_and_direction_in_are_filled() {
    let mut call = silent();
    call.command("PAUSE_MEDIA").media(160).wait(40).expect_queued(1);
    call.expect(&["1080 frame 7 due 1060", "1100 frame 7 due 1080"]);
    call.command("CONTINUE_MEDIA").wait(0).expect(&["1100 frame 160"]);
    call.direction(MediaDirection::In).media(160).wait(60).expect_queued(0);
    call.expect(&["1140 frame 7 due 1120", "1160 frame 7 due 1140"]);
    call.direction(MediaDirection::Out).media(160).wait(0).expect(&["1160 frame 160"]);
}

#[test]
fn a_call_that_does_not_ask_is_never_woken() {
    let mut call = Call::ulaw();
    call.answered().expect_clock(None).media(160).wait(500).expect(&["1000 frame 160"]).expect_clock(None);
    assert_eq!(call.session.stats().frames_filled, 0);
}
