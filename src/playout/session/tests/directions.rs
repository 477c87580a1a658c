//! The media direction.

use super::*;

#[test]
fn directions_say_which_way_media_goes() {
    for (direction, sends, wants) in [
        (MediaDirection::Both, true, true),
        (MediaDirection::In, true, false),
        (MediaDirection::Out, false, true),
    ] {
        let mut call = Call::new(SessionConfig { direction, ..config() });
        assert_eq!((call.session.sends_media(), call.session.wants_media()), (sends, wants), "{direction:?}");
        call.media(160).wait(100);
        assert_eq!(call.frames.len(), usize::from(wants), "{direction:?}");
        assert_eq!(call.session.stats().messages_unwanted, u64::from(!wants), "{direction:?}");
        call.expect_clock(None);
    }
}

#[test]
fn direction_in_keeps_queue_and_marks_and_stops_the_clock() {
    let mut call = Call::ulaw();
    call.media(480).command("MARK_MEDIA m").wait(5).direction(MediaDirection::In).expect_clock(None);
    call.media(160).wait(500).expect(&["1000 frame 160"]).expect_queued(2);
    call.command("REPORT_QUEUE_DRAINED").expect(&[]);
    call.direction(MediaDirection::Out).wait(500).expect(&[
        "1505 frame 160",
        "1525 frame 160",
        "1545 MEDIA_MARK_PROCESSED m",
        "1545 QUEUE_DRAINED",
    ]);
    assert_eq!(call.session.direction(), MediaDirection::Out);
}

#[test]
fn a_flush_with_direction_in_reports() {
    let mut call = Call::limits(10, 2, 1);
    call.media(480).command("REPORT_QUEUE_DRAINED").direction(MediaDirection::In).command("FLUSH_MEDIA");
    call.expect(&["1000 MEDIA_XOFF", "1000 MEDIA_XON", "1000 QUEUE_DRAINED"]).expect_clock(None);
}
