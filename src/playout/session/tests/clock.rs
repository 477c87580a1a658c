//! When the channel has to be read.

use super::*;

#[test]
fn a_steady_stream_needs_no_setting_of_the_clock() {
    let mut call = Call::ulaw();
    call.media(160).wait(0);
    for _ in 0..50 {
        call.wait(19);
        let clock = call.session.clock();
        call.media(160);
        assert_eq!(call.session.clock(), clock, "the tick after the last frame serves");
        call.wait(1);
    }
    assert_eq!(call.frames.len(), 51);
    assert!(call.frames.windows(2).all(|pair| pair[1].due == pair[0].due + Duration::from_millis(20)));
    assert_eq!(call.session.stats().underruns, 0);
}

#[test]
fn silence_costs_nothing() {
    let mut call = Call::ulaw();
    call.expect_clock(None).media(160).expect_clock(Some(1000)).wait(0).expect_clock(Some(1020)).wait(20);
    call.expect_clock(None);
    assert_eq!(call.session.stats().underruns, 1);
}

#[test]
fn the_first_frame_after_silence_leaves_at_once_and_the_schedule_outlives_it() {
    let mut call = Call::playing();
    call.wait(3003).media(160).wait(5).media(160).wait(5).media(160).wait(100);
    call.expect(&["4003 frame 160", "4023 frame 160", "4043 frame 160"]);
    assert_eq!(call.session.stats().late_reads, 0);
}

#[test]
fn a_read_before_its_time_does_nothing() {
    let mut call = Call::ulaw();
    call.read().media(320).wait(0).skip();
    let clock = call.session.clock();
    call.stall(19).read().read().expect(&[]);
    assert_eq!(call.session.clock(), clock);
    call.stall(1).read().expect(&["1020 frame 160"]);
    assert_eq!(call.session.clock().seq, clock.seq + 1);
}

#[test]
fn every_used_tick_asks_for_the_next_one() {
    let mut call = Call::mode(MediaMode::Unbuffered);
    call.media(160).media(160).media(160);
    for _ in 0..3 {
        let seq = call.session.clock().seq;
        call.read();
        assert_eq!(call.session.clock().seq, seq + 1, "also where the deadline is the same");
    }
    call.expect_clock(None);
}

#[test]
fn a_tick_on_its_way_is_not_set_again() {
    let mut call = Call::playing();
    call.stall(30);
    let clock = call.session.clock();
    call.media(160);
    assert_eq!(call.session.clock(), clock);
    call.read().expect(&["1030 frame 160"]);
}
