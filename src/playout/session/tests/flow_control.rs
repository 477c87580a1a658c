//! MEDIA_XOFF, MEDIA_XON and QUEUE_DRAINED.

use super::*;

#[test]
fn flow_control_at_the_c_modules_levels() {
    let mut call = Call::ulaw();
    call.command("PAUSE_MEDIA").media(899 * 160).expect(&[]).media(160).expect(&["1000 MEDIA_XOFF"]);
    call.media(99 * 160).expect(&[]).expect_queued(999);
    call.media(50 * 160).expect(&[]).expect_queued(1049);
    let full = "1000 ERROR channel_id:1.1 error_text:Media dropped: the queue is full with 1049 frames";
    call.media(3 * 160).expect(&[full]).media(160).expect(&[]).expect_queued(1049);
    call.command("GET_STATUS").expect(&["1000 STATUS channel_id:1.1 queue_length:1049 xon_level:800 \
        xoff_level:900 queue_full:true bulk_media:false media_paused:true"]);
    let stats = call.session.stats();
    assert_eq!((stats.messages_dropped, stats.frames_dropped, stats.queue_high_water), (2, 4, 1049));

    call.command("CONTINUE_MEDIA").wait(249 * 20).expect_queued(799);
    let lines = std::mem::take(&mut call.transcript);
    assert_eq!(lines.len(), 251);
    assert_eq!(lines[249..], ["5980 MEDIA_XON", "5980 frame 160"], "with the frame that makes it true");
    call.media(160).expect_queued(800).expect(&[]);
}

#[test]
fn dropped_media_is_said_once_per_episode() {
    let mut call = Call::limits(2, 2, 1);
    let full = "ERROR channel_id:1.1 error_text:Media dropped: the queue is full with 2 frames";
    call.media(320).media(160).media(160).wait(0);
    call.expect(&["1000 MEDIA_XOFF", &format!("1000 {full}"), "1000 frame 160"]);
    call.media(160).expect(&[]).media(160).expect(&[&format!("1000 {full}")]);
    call.command("FLUSH_MEDIA").expect(&["1000 MEDIA_XON"]);
    call.media(320).media(160).expect(&["1000 MEDIA_XOFF", &format!("1000 {full}")]);
}

#[test]
fn a_message_dropped_in_a_bulk_leaves_the_rest_alone() {
    let mut call = Call::limits(2, 2, 1);
    call.command("START_MEDIA_BUFFERING").media(400).media(100).wait(20).skip();
    call.bytes(vec![9; 80]).command("STOP_MEDIA_BUFFERING").wait(100);
    assert_eq!(call.played(), [&numbered(400)[..], &[9; 80]].concat());
}

#[test]
fn xon_is_sent_when_it_is_true_also_while_paused() {
    let mut call = Call::limits(10, 9, 8);
    call.command("PAUSE_MEDIA").media(1600).expect(&["1000 MEDIA_XOFF"]).stall(5).command("FLUSH_MEDIA");
    call.expect(&["1005 MEDIA_XON"]).expect_clock(None);
}

#[test]
fn an_empty_queue_is_reported_at_once() {
    let mut call = Call::ulaw();
    call.command("REPORT_QUEUE_DRAINED").expect(&["1000 QUEUE_DRAINED"]).wait(1000).expect(&[]);
    call.command("PAUSE_MEDIA").command("REPORT_QUEUE_DRAINED").expect(&["2000 QUEUE_DRAINED"]);
    call.command("CONTINUE_MEDIA").direction(MediaDirection::In).command("REPORT_QUEUE_DRAINED");
    call.expect(&["2000 QUEUE_DRAINED"]);
}

#[test]
fn the_queue_is_drained_when_its_last_frame_is_over() {
    let mut call = Call::ulaw();
    call.command("PAUSE_MEDIA").media(320).command("REPORT_QUEUE_DRAINED").command("REPORT_QUEUE_DRAINED");
    call.command("MARK_MEDIA m").wait(100).expect(&[]).command("CONTINUE_MEDIA").wait(1000).expect(&[
        "1100 frame 160",
        "1120 frame 160",
        "1140 MEDIA_MARK_PROCESSED m",
        "1140 QUEUE_DRAINED",
    ]);
    call.media(160).wait(1000).expect(&["2100 frame 160"]);
}

#[test]
fn drained_while_the_last_frame_plays() {
    Call::playing()
        .stall(5)
        .command("REPORT_QUEUE_DRAINED")
        .expect(&[])
        .wait(50)
        .expect(&["1020 QUEUE_DRAINED"]);
    let mut call = Call::playing();
    call.stall(5).command("REPORT_QUEUE_DRAINED").media(160).wait(100);
    call.expect(&["1020 frame 160", "1040 QUEUE_DRAINED"]);
    let mut call = Call::playing();
    call.stall(5).command("REPORT_QUEUE_DRAINED").command("PAUSE_MEDIA");
    call.expect(&["1005 QUEUE_DRAINED"]).expect_clock(None);
}
