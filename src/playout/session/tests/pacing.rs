//! When frames are due, also after late reads.

use super::*;

#[test]
fn n_frames_take_n_times_ptime_however_the_reads_jitter() {
    // Miri is slow.
    let frames = if cfg!(miri) { 90 } else { 900 };
    for buffering in [false, true] {
        let mut call = Call::ulaw();
        if buffering {
            call.command("START_MEDIA_BUFFERING");
        }
        call.media(frames * 160).skip();
        let mut latest = Duration::ZERO;
        for n in 0..frames as u64 {
            let deadline = call.session.clock().deadline.unwrap();
            assert_eq!(deadline, ms(1000 + 20 * n));
            call.now = deadline + Duration::from_micros(if n == 0 { 0 } else { n * 7919 % 10_000 });
            latest = latest.max(call.now.since(deadline));
            call.read();
            assert_eq!(call.frames.last().unwrap().due, deadline);
        }
        assert_eq!(call.session.stats().late_reads, 0);
        assert_eq!(call.session.stats().longest_lateness, latest);
    }
}

#[test]
fn a_stall_of_live_media_is_caught_up() {
    let mut call = Call::ulaw();
    call.media(1600).wait(20).stall(60).wait(120).expect(&[
        "1000 frame 160",
        "1020 frame 160",
        "1080 frame 160 due 1040",
        "1090 frame 160 due 1060",
        "1100 frame 160 due 1080",
        "1110 frame 160 due 1100",
        "1120 frame 160",
        "1140 frame 160",
        "1160 frame 160",
        "1180 frame 160",
    ]);
    let stats = call.session.stats();
    assert_eq!((stats.late_reads, stats.longest_lateness), (1, Duration::from_millis(40)));
}

#[test]
fn a_live_stream_that_waited_outside_during_a_stall_is_caught_up() {
    // Media that came while the process stood still is read from the socket before the channel is read, or after that.
    for reads_first in [false, true] {
        let mut call = Call::ulaw();
        call.media(160).wait(0).skip();
        call.wait(19).stall(81);
        if reads_first {
            call.read().expect(&[]);
        }
        for _ in 0..5 {
            call.media(160);
        }
        call.wait(60).media(160).wait(20).media(160).wait(0);
        call.expect(&[
            "1100 frame 160 due 1020",
            "1110 frame 160 due 1040",
            "1120 frame 160 due 1060",
            "1130 frame 160 due 1080",
            "1140 frame 160 due 1100",
            "1160 frame 160 due 1120",
            "1180 frame 160 due 1140",
        ]);
    }
}

#[test]
fn after_a_stall_only_what_had_waited_is_late() {
    let stalled = || {
        let mut call = Call::ulaw();
        call.media(160).wait(0).stall(500).wait(0).skip();
        call
    };
    stalled().wait(199).media(320).wait(20).expect(&["1699 frame 160 due 1020", "1709 frame 160 due 1040"]);
    stalled().wait(200).media(320).wait(20).expect(&["1700 frame 160", "1720 frame 160"]);
    // After a flush, a pause or a change of the direction, something new begins.
    stalled()
        .command("FLUSH_MEDIA")
        .wait(9)
        .media(320)
        .wait(20)
        .expect(&["1509 frame 160", "1529 frame 160"]);
    let mut paused = stalled();
    paused.command("PAUSE_MEDIA").wait(9).command("CONTINUE_MEDIA").media(320).wait(20);
    paused.expect(&["1509 frame 160", "1529 frame 160"]);
    // Bulk media is never late.
    let mut bulk = stalled();
    bulk.command("START_MEDIA_BUFFERING").media(320).wait(20).expect(&["1500 frame 160", "1520 frame 160"]);
}

#[test]
fn silence_is_no_stall() {
    let mut call = Call::playing();
    // The clock has ticked once more and has stopped.
    call.wait(500).expect_clock(None).media(480).wait(40);
    call.expect(&["1500 frame 160", "1520 frame 160", "1540 frame 160"]);
}

#[test]
fn at_most_one_second_is_caught_up() {
    let mut call = Call::ulaw();
    call.media(600 * 160).wait(0).stall(8000).wait(2000);
    let extra = call.frames.iter().filter(|frame| frame.due > ms(1000)).count();
    assert_eq!(call.frames[1].due, ms(8000), "9000 less one second");
    assert_eq!(extra, 50 + 100 + 1, "one second caught up within two");
    assert!(call.frames[1..].windows(2).all(|pair| pair[1].due == pair[0].due + Duration::from_millis(20)));
}

#[test]
fn bulk_media_is_not_hurried() {
    let mut call = Call::ulaw();
    call.command("START_MEDIA_BUFFERING").media(800).wait(0).stall(500).wait(60);
    call.expect(&["1000 frame 160", "1500 frame 160", "1520 frame 160", "1540 frame 160", "1560 frame 160"]);
}

#[test]
fn a_channel_that_is_not_read_yet_collects_no_credit() {
    let mut call = Call::ulaw();
    call.media(480).stall(5000).wait(100);
    call.expect(&["6000 frame 160", "6020 frame 160", "6040 frame 160"]);
    assert_eq!(call.session.stats().late_reads, 0);
}

#[test]
fn the_ends_of_time_are_survived() {
    for mode in [MediaMode::Framed, MediaMode::Passthrough, MediaMode::Unbuffered] {
        let mut call = Call::mode(mode);
        for now in [0, u64::MAX, 1, u64::MAX - 1, u64::MAX, 0] {
            call.now = MonoTime::from_nanos(now);
            call.media(480).command("MARK_MEDIA m").read().command("REPORT_QUEUE_DRAINED").read();
            call.command("PAUSE_MEDIA").read().command("CONTINUE_MEDIA").read();
        }
        call.now = MonoTime::from_nanos(u64::MAX);
        (0..100).for_each(|_| _ = call.read());
        call.expect_queued(0);
    }
}
