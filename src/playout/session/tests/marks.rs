//! Bulk media and marks.

use super::*;

#[test]
fn buffering_without_media_is_answered_at_once() {
    let mut call = Call::ulaw();
    call.command("START_MEDIA_BUFFERING").command("STOP_MEDIA_BUFFERING x y");
    call.expect(&["1000 MEDIA_BUFFERING_COMPLETED x y"]).expect_clock(None);
}

#[test]
fn a_second_start_is_an_error_and_changes_nothing() {
    let mut call = Call::ulaw();
    call.command("START_MEDIA_BUFFERING").media(100).command("START_MEDIA_BUFFERING").media(60);
    call.expect(&[
        "1000 ERROR channel_id:1.1 error_text:START_MEDIA_BUFFERING while media is being buffered already",
    ]);
    assert!(call.session.status().bulk_media);
    call.expect_queued(1);
}

#[test]
fn a_stop_without_start_is_an_error_and_is_answered_in_order() {
    let mut call = Call::ulaw();
    call.media(160).command("STOP_MEDIA_BUFFERING s").wait(100).expect(&[
        "1000 ERROR channel_id:1.1 error_text:STOP_MEDIA_BUFFERING without START_MEDIA_BUFFERING",
        "1000 frame 160",
        "1020 MEDIA_BUFFERING_COMPLETED s",
    ]);
}

#[test]
fn marks_keep_their_place_and_take_no_time() {
    let mut call = Call::ulaw();
    call.command("MARK_MEDIA a").expect(&["1000 MEDIA_MARK_PROCESSED a"]);
    call.media(160)
        .command("MARK_MEDIA b")
        .command("MARK_MEDIA")
        .media(160)
        .command("MARK_MEDIA c")
        .wait(1000);
    call.expect(&[
        "1000 frame 160",
        "1020 MEDIA_MARK_PROCESSED b",
        "1020 MEDIA_MARK_PROCESSED",
        "1020 frame 160",
        "1040 MEDIA_MARK_PROCESSED c",
    ]);
    call.expect_clock(None);
}

#[test]
fn a_mark_on_an_empty_queue_waits_for_the_end_of_the_last_frame() {
    Call::playing()
        .wait(7)
        .command("MARK_MEDIA a")
        .expect(&[])
        .wait(30)
        .expect(&["1020 MEDIA_MARK_PROCESSED a"]);
    Call::playing().stall(19).command("MARK_MEDIA a").expect(&[]);
    Call::playing().stall(20).command("MARK_MEDIA a").expect(&["1020 MEDIA_MARK_PROCESSED a"]);
    Call::playing().wait(500).command("MARK_MEDIA a").expect(&["1500 MEDIA_MARK_PROCESSED a"]);
}

#[test]
fn marks_wait_while_paused_also_on_an_empty_queue() {
    let mut call = Call::ulaw();
    call.command("PAUSE_MEDIA").command("MARK_MEDIA a").media(160).command("MARK_MEDIA b").wait(500);
    call.expect(&[]).expect_clock(None).command("CONTINUE_MEDIA");
    call.expect(&["1500 MEDIA_MARK_PROCESSED a"]);
    call.wait(100).expect(&["1500 frame 160", "1520 MEDIA_MARK_PROCESSED b"]);
}

#[test]
#[cfg_attr(miri, ignore = "20 MB of commands are too many; the queue has a test of the limit")]
fn marks_have_no_end_but_memory_has() {
    let mut call = Call::ulaw();
    call.command("PAUSE_MEDIA");
    let long = "x".repeat(65000);
    for _ in 0..300 {
        call.command(&format!("MARK_MEDIA {long}"));
    }
    assert!(call.transcript.len() > 10);
    assert!(call.transcript.iter().all(|line| {
        line == "1000 ERROR channel_id:1.1 error_text:MARK_MEDIA refused: too many marks are waiting for media"
    }));
}
