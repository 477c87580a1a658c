//! Timing: the duration of frames, the effect of a stall of the process, and the results in RTP and in conferences.
//! Times are compared as ratios and with wide bounds.

use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::super::harness::{App, Context, Item, Suite, wait};
use super::super::media::noise;
use super::rtp::{self, Phone, assert_continuous, is_continuous, speak_with_pauses, steps};
use super::slope_ms;

pub fn tests(suite: &mut Suite) {
    suite.differs("pace/20_ms", "10", |t| frames_take(t, "ulaw", 160, 20.0));
    suite.differs("pace/30_ms", "10", |t| frames_take(t, "g723", 20, 30.0));
    suite.same("pace/rtp/continuous", continuous).shares("rtp", rtp::instance);
    suite.same("pace/rtp/late_app", late_app).shares("rtp", rtp::instance);
    suite.same("pace/rtp/silence_between", silence_between).shares("rtp", rtp::instance);
    suite.differs("pace/rtp/stall_live", "10", stall_live).private_with(rtp::instance());
    suite.differs("pace/rtp/stall_queued", "10", stall_queued).private_with(rtp::instance());
    suite.same("pace/rtp/stall_bulk", stall_bulk).private_with(rtp::instance());
    suite.differs("pace/conference_stall", "10", conference_stall).private();
}

const FRAME: usize = 160;
const PTIME: Duration = Duration::from_millis(20);
const STALL: Duration = Duration::from_millis(500);

/// Stops the process of Asterisk for a while.
fn stall(t: &Context) {
    let pid = Pid::from_raw(i32::try_from(t.asterisk.pid()).unwrap()).unwrap();
    kill_process(pid, Signal::STOP).unwrap();
    thread::sleep(STALL);
    kill_process(pid, Signal::CONT).unwrap();
}

/// n frames take n times their duration, without drift. The C module's timer ticks a whole number of times a second,
/// and loses ticks on a busy machine.
fn frames_take(t: &Context, codec: &str, size: usize, ms: f64) {
    const FRAMES: usize = 150;
    let at_best = if ms == 30.0 { 30.2 } else { 19.9 };
    let range = t.either(at_best..ms * 1.5, ms - 0.1..ms + 0.1);
    let (_call, app) = t.incoming_echo(&format!("c({codec})"));
    let frame_took = || {
        let before = app.received().len();
        let mut media = noise(size * FRAMES);
        if codec == "g723" {
            // The first byte of a frame says its length: these say 20 bytes, the size to which the C module cuts all
            // frames.
            media.chunks_mut(size).for_each(|frame| frame[0] = frame[0] & !3 | 1);
        }
        app.send_media(&media);
        app.collect_media(size * FRAMES);
        let received = app.received().split_off(before);
        let media = received.into_iter().filter(|received| matches!(received.item, Item::Media(_)));
        slope_ms(&media.map(|received| received.at).collect::<Vec<_>>())
    };
    wait::until_fits(&format!("a frame takes {ms} ms"), frame_took, |slope| range.contains(slope));
}

/// An app and a phone in a bridge.
fn phone_and_app(t: &Context) -> (Phone<'_>, super::super::harness::call::Call<'_>, App) {
    let (call, app) = t.incoming_app("c(ulaw)");
    call.wait_up();
    let phone = Phone::new(t);
    t.ari().bridge(&[&call.id, &phone.call.id]);
    (phone, call, app)
}

fn continuous(t: &Context) {
    let (phone, _call, app) = phone_and_app(t);
    let media = noise(FRAME * 50);
    app.send_media(&media);
    let packets = phone.collect(50);
    assert_continuous(t, &packets);
    assert_eq!(packets.into_iter().flat_map(|packet| packet.payload).collect::<Vec<_>>(), media);
}

/// An app that is sometimes a little late: its frames are one stream, with continuous time stamps.
fn late_app(t: &Context) {
    let (phone, _call, app) = phone_and_app(t);
    let media = noise(FRAME * 120);
    let steps_heard = || {
        thread::scope(|scope| {
            scope.spawn(|| speak_with_pauses(&app, &media, PTIME));
            let packets = phone.collect_media(&media);
            (is_continuous(&packets), steps(&packets))
        })
    };
    wait::until_fits("even time stamps", steps_heard, |(is_continuous, _)| *is_continuous);
}

/// Time stamps continue across a silence.
fn silence_between(t: &Context) {
    let (phone, _call, app) = phone_and_app(t);
    app.send_media(&noise(FRAME * 10));
    let before = phone.collect(10);
    thread::sleep(Duration::from_millis(600));
    app.send_media(&noise(FRAME * 10));
    let after = phone.collect(10);
    let (last, first) = (&before[9], &after[0]);
    assert_eq!(first.sequence.wrapping_sub(last.sequence), 1);
    let samples = f64::from(first.timestamp.wrapping_sub(last.timestamp));
    let expected = (first.at - last.at).as_secs_f64() * 8000.0;
    assert!((samples / expected - 1.0).abs() < 0.2, "{samples} samples for {expected}");
    assert_continuous(t, &after);
}

/// Sends a frame every 20 ms. Returns the times.
fn speak(app: &App, media: &[u8]) -> Vec<Instant> {
    let start = Instant::now();
    let frames = (0..).zip(media.chunks(FRAME));
    frames
        .map(|(number, frame)| {
            thread::sleep((start + PTIME * number).saturating_duration_since(Instant::now()));
            app.send_media(frame);
            Instant::now()
        })
        .collect()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// An app sends live speech, and Asterisk is stopped for half a second. Media that was late catches up: the delay is
/// gone after a while. With the C module it stays for the rest of the call.
fn stall_live(t: &Context) {
    let fits = |&(before, after): &(Duration, Duration)| {
        if t.is_ours() { after < before + STALL / 4 } else { after > before + STALL / 2 }
    };
    wait::until_fits("delays before and after the stall", || delay_around_a_stall(t), fits);
}

/// One call with a stall in it: the delay of its media before and at the end. None of it is lost.
fn delay_around_a_stall(t: &Context) -> (Duration, Duration) {
    const FRAMES: usize = 175;
    let (phone, _call, app) = phone_and_app(t);
    let media = noise(FRAME * FRAMES);
    let (sent, packets) = thread::scope(|scope| {
        let spoken = scope.spawn(|| speak(&app, &media));
        let heard = scope.spawn(|| phone.collect(FRAMES));
        thread::sleep(PTIME * 50);
        stall(t);
        (spoken.join().unwrap(), heard.join().unwrap())
    });
    let delay = |range: std::ops::Range<usize>| {
        median(range.map(|number| packets[number].at.saturating_duration_since(sent[number])).collect())
    };
    let delays = (delay(10..40), delay(FRAMES - 30..FRAMES));
    if t.is_ours() {
        let steps = steps(&packets);
        // The app's own clock is not exact; the stall would be a step of 4160.
        assert!(steps.iter().all(|step| step.0 == 1 && (160..800).contains(&step.1)), "{steps:?}");
    }
    assert_eq!(packets.into_iter().flat_map(|packet| packet.payload).collect::<Vec<_>>(), media);
    delays
}

/// The same with media that an app has sent ahead, but not as bulk media.
fn stall_queued(t: &Context) {
    let plan = PTIME * (QUEUED_FRAMES as u32 - 1);
    let fits =
        |took: &Duration| if t.is_ours() { *took < plan + STALL / 2 } else { *took > plan + STALL / 2 };
    wait::until_fits("the queue with a stall in it", || time_with_a_stall(t), fits);
}

const QUEUED_FRAMES: usize = 125;

/// The time that queued media takes with a stall. None of it is lost.
fn time_with_a_stall(t: &Context) -> Duration {
    let (phone, _call, app) = phone_and_app(t);
    let media = noise(FRAME * QUEUED_FRAMES);
    let packets = thread::scope(|scope| {
        let heard = scope.spawn(|| phone.collect(QUEUED_FRAMES));
        app.send_media(&media);
        thread::sleep(PTIME * 40);
        stall(t);
        heard.join().unwrap()
    });
    if t.is_ours() {
        let steps = steps(&packets);
        assert!(steps.iter().all(|step| *step == (1, 160)), "{steps:?}");
    }
    let took = packets[QUEUED_FRAMES - 1].at - packets[0].at;
    assert_eq!(packets.into_iter().flat_map(|packet| packet.payload).collect::<Vec<_>>(), media);
    took
}

/// Bulk media does not catch up: it continues where it stopped, at its own pace.
fn stall_bulk(t: &Context) {
    const FRAMES: usize = 100;
    let (phone, _call, app) = phone_and_app(t);
    let media = noise(FRAME * FRAMES);
    let packets = thread::scope(|scope| {
        let heard = scope.spawn(|| phone.collect(FRAMES));
        app.command("START_MEDIA_BUFFERING");
        app.send_media(&media);
        app.command("STOP_MEDIA_BUFFERING");
        thread::sleep(PTIME * 30);
        stall(t);
        heard.join().unwrap()
    });
    app.expect_event("MEDIA_BUFFERING_COMPLETED");
    let took = packets[FRAMES - 1].at - packets[0].at;
    let plan = PTIME * (FRAMES as u32 - 1) + STALL;
    assert!((plan - STALL / 4..plan + STALL).contains(&took), "{FRAMES} frames took {took:?}");
    assert_eq!(packets.into_iter().flat_map(|packet| packet.payload).collect::<Vec<_>>(), media);
}

/// In a conference, media that cannot be mixed in time is lost, but not more than the stall, and the delay does not
/// stay.
fn conference_stall(t: &Context) {
    const FRAMES: usize = 200;
    let room = t.unique("room");
    t.name(&room, "room");
    let join = || {
        let call =
            t.call("WebSocket/INCOMING/c(ulaw)").extension("conference").variable("ROOM", &room).originate();
        let app = call.connect();
        app.expect_media_start();
        t.ari().wait_channel("ChannelEnteredBridge", &call.id);
        (call, app)
    };
    let ((_a, talker), (_b, listener)) = (join(), join());
    // Each frame is a different tone, because frames are mixed and not passed on.
    let media: Vec<u8> =
        (0..FRAMES).flat_map(|number| [u8::try_from(number / 2).unwrap() + 0x10; FRAME]).collect();
    let sent = thread::scope(|scope| {
        let spoken = scope.spawn(|| speak(&talker, &media));
        thread::sleep(PTIME * 50);
        stall(t);
        spoken.join().unwrap()
    });
    thread::sleep(STALL * 2);
    let heard: Vec<(Instant, u8)> = listener
        .received()
        .into_iter()
        .filter_map(|received| match received.item {
            Item::Media(bytes) if bytes.iter().all(|byte| *byte == bytes[0] && *byte != 0xff) => {
                Some((received.at, bytes[0]))
            }
            _ => None,
        })
        .collect();
    let lost = FRAMES - heard.len();
    assert!(lost <= FRAMES / 3, "{lost} of {FRAMES} frames are lost");
    let delay = |tones: std::ops::Range<usize>| {
        let delay_of = |tone: usize| {
            let (at, _) = heard.iter().rfind(|(_, byte)| usize::from(*byte) == tone + 0x10)?;
            Some(at.saturating_duration_since(sent[tone * 2 + 1]))
        };
        median(tones.filter_map(delay_of).collect())
    };
    let (before, after) = (delay(5..20), delay(FRAMES / 2 - 15..FRAMES / 2));
    let what = format!("{lost} frames are lost, and a delay of {before:?} became one of {after:?}");
    if t.is_ours() {
        assert!(after < before + STALL / 2, "{what}");
    } else {
        // Media that was lost on a busy machine does not count as late.
        assert!(after + PTIME * u32::try_from(lost).unwrap() > before + STALL / 2, "{what}");
    }
}
