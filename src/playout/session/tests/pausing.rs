//! FLUSH_MEDIA, PAUSE_MEDIA and CONTINUE_MEDIA.

use super::*;

#[test]
fn flush_drops_everything_but_the_report() {
    let mut call = Call::limits(10, 3, 2);
    call.command("PAUSE_MEDIA").command("START_MEDIA_BUFFERING").media(500).command("MARK_MEDIA lost");
    call.command("REPORT_QUEUE_DRAINED").expect(&["1000 MEDIA_XOFF"]).stall(7).command("FLUSH_MEDIA");
    call.expect(&["1007 MEDIA_XON", "1007 QUEUE_DRAINED"]);
    let status = call.session.status();
    assert!(!status.bulk_media && !status.media_paused && !status.queue_full);
    assert_eq!((status.queue_length, call.session.stats().frames_flushed), (0, 3));
    call.media(160).wait(100).expect(&["1007 frame 160"]);
    call.command("FLUSH_MEDIA").expect(&[]);
}

#[test]
fn media_behind_a_flush_does_not_overtake_the_frame_that_plays() {
    let mut call = Call::playing();
    call.media(1600).stall(5).command("FLUSH_MEDIA").media(160).wait(100);
    call.expect(&["1020 frame 160"]);
}

#[test]
fn a_pause_keeps_the_queue_and_moves_the_schedule() {
    let mut call = Call::ulaw();
    call.media(800).wait(30).expect(&["1000 frame 160", "1020 frame 160"]);
    call.command("PAUSE_MEDIA").expect_clock(None).wait(1000).expect(&[]).expect_queued(3).media(160);
    call.expect_queued(4).expect_clock(None).command("CONTINUE_MEDIA").wait(45);
    call.expect(&["2030 frame 160", "2050 frame 160", "2070 frame 160"]);
}

#[test]
fn a_pause_within_a_frame_shifts_nothing() {
    let mut call = Call::ulaw();
    call.media(480).wait(5).command("PAUSE_MEDIA").wait(5).command("CONTINUE_MEDIA").wait(100);
    call.expect(&["1000 frame 160", "1020 frame 160", "1040 frame 160"]);
}

#[test]
fn time_in_a_pause_is_not_lateness() {
    let mut call = Call::ulaw();
    call.media(1600).wait(0).stall(200).command("PAUSE_MEDIA").stall(10).command("CONTINUE_MEDIA").wait(40);
    call.expect(&["1000 frame 160", "1210 frame 160", "1230 frame 160", "1250 frame 160"]);
}
