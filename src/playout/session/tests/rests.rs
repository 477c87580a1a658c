//! Bytes that fill no frame, in a dialect that joins them with the next message.

use super::*;

fn joining() -> Call {
    Call::new(SessionConfig { joins_media: true, ..config() })
}

/// A rest of this many bytes, with silence up to a whole frame.
fn padded(bytes: &[u8]) -> Vec<u8> {
    let silence = config().format.silence.unwrap();
    let mut padded = bytes.to_vec();
    padded.resize(bytes.len().next_multiple_of(160), silence);
    padded
}

#[test]
fn media_in_any_pieces_is_played_without_a_byte_lost() {
    let media = numbered(160 * 20);
    for pieces in [1, 7, 159, 160, 161, 333, 1000, 5000] {
        let mut call = joining();
        media.chunks(pieces).for_each(|piece| _ = call.bytes(piece.to_vec()));
        call.wait(1000);
        assert_eq!(call.played(), media, "{pieces}");
        assert_eq!(call.session.stats().bytes_cut_off, 0, "{pieces}");
        call.expect_clock(None);
    }
}

#[test]
fn a_rest_waits_the_length_of_a_frame_after_all_before_it_was_played() {
    let mut call = joining();
    call.media(170).expect_clock(Some(1000)).wait(39).expect(&["1000 frame 160"]).expect_clock(Some(1040));
    call.wait(1).expect(&["1040 frame 160"]);
    assert_eq!(call.played(), padded(&numbered(170)));
    call.wait(100).expect(&[]).expect_clock(None);
    // No frame before it is still being played.
    call.media(1).expect_clock(Some(1160)).wait(100).expect(&["1160 frame 160"]);
}

#[test]
fn media_that_arrives_in_time_completes_the_frame() {
    let mut call = joining();
    call.bytes(numbered(320)[..170].to_vec()).wait(35).bytes(numbered(320)[170..].to_vec()).wait(100);
    call.expect(&["1000 frame 160", "1035 frame 160"]);
    assert_eq!(call.played(), numbered(320));
    // After a message that does not fill it, it waits again.
    call.media(50).wait(15).media(50).wait(15).media(50).wait(19).expect(&[]);
    call.wait(100).expect(&["1185 frame 160"]);
}

#[test]
fn a_mark_follows_all_earlier_media() {
    let mut call = joining();
    // Media after a mark belongs to the same sound: there is no silence between.
    call.bytes(numbered(320)[..200].to_vec()).command("MARK_MEDIA a");
    call.bytes(numbered(320)[200..].to_vec()).command("MARK_MEDIA b").wait(100);
    call.expect(&[
        "1000 frame 160",
        "1020 frame 160",
        "1040 MEDIA_MARK_PROCESSED a",
        "1040 MEDIA_MARK_PROCESSED b",
    ]);
    assert_eq!(call.played(), numbered(320));
    call.command("MARK_MEDIA c").expect(&["1100 MEDIA_MARK_PROCESSED c"]);
    // No more media comes: the rest is filled up, and the mark comes when it has been played.
    call.media(10)
        .command("MARK_MEDIA d")
        .wait(100)
        .expect(&["1120 frame 160", "1140 MEDIA_MARK_PROCESSED d"]);
}

#[test]
fn a_rest_has_so_many_marks_behind_it_and_a_flush_brings_them_back() {
    let topics = crate::protocol::topic::Topics::NONE.with(crate::protocol::topic::Topic::MediaFlushed);
    let mut call = Call::new(SessionConfig { joins_media: true, topics, ..config() });
    call.media(170);
    for number in 0..18 {
        call.command(&format!("MARK_MEDIA {number}"));
    }
    call.wait(0).expect(&["1000 frame 160"]).wait(20).expect(&["1020 frame 160"]);
    let marks: Vec<String> = (0..18).map(|number| format!("1040 MEDIA_MARK_PROCESSED {number}")).collect();
    call.wait(20).expect(&marks.iter().map(String::as_str).collect::<Vec<_>>());
    call.media(170).command("MARK_MEDIA x").command("MARK_MEDIA y").command("FLUSH_MEDIA");
    assert!(call.session.queue.is_empty() && call.session.rest_deadline().is_none());
    call.wait(100).expect(&["1040 MEDIA_FLUSHED"]);
}

#[test]
fn a_flush_forgets_it_and_a_pause_keeps_it() {
    let mut call = joining();
    call.media(10).command("FLUSH_MEDIA").wait(100).expect(&[]).expect_clock(None);
    call.media(10).command("PAUSE_MEDIA").wait(100).expect(&[]).expect_clock(None);
    call.command("CONTINUE_MEDIA").wait(0).expect(&["1200 frame 160"]);
}

#[test]
fn before_the_answer_it_waits_for_that() {
    let mut call = joining();
    call.command("ANSWER").skip();
    call.media(10).wait(100).expect(&[]).expect_clock(None);
    call.answered().wait(0).expect(&["1100 frame 160"]);
}

#[test]
fn elsewhere_it_is_dropped_as_ever() {
    let mut call = Call::ulaw();
    call.media(170).wait(100).expect(&["1000 frame 160"]);
    assert_eq!(call.session.stats().bytes_cut_off, 10);
}

/// An application gets the events for which its dialect has messages, although it cannot subscribe.
#[test]
fn a_dialect_subscribes_for_its_application() {
    use crate::protocol::topic::{Topic, Topics};
    let topics = Topics::NONE.with(Topic::MediaFlushed).with(Topic::MediaStop);
    let mut call = Call::new(SessionConfig { topics, ..config() });
    assert!(call.session.wants(Topic::MediaStop) && !call.session.wants(Topic::MediaPosition));
    // The dialect itself leaves out values for which it has no field, such as a digit's length.
    assert!(call.session.knows_additions());
    call.media(160).command("MARK_MEDIA a").command("FLUSH_MEDIA").expect(&["1000 MEDIA_FLUSHED"]);
}
