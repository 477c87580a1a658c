//! Media that is dropped: how much live media waits, when the app has to wait, and the events about drops.

use serde_json::Value;

use super::*;
use crate::playout::overflow::Overflow;
use crate::playout::session::model::bounded::wait;

fn json(overflow: Overflow, max_latency_ms: Option<u64>, limits: QueueLimits) -> Call {
    Call::new(SessionConfig {
        control_message_format: ControlMessageFormat::Json,
        overflow,
        max_latency: max_latency_ms.map(Duration::from_millis),
        limits,
        ..config()
    })
}

const SMALL: QueueLimits = QueueLimits { max: 3, xoff: 3, xon: 2 };

fn subscribe(call: &mut Call, topics: &str) {
    call.command(&format!(r#"{{"command":"SUBSCRIBE","events":[{topics}]}}"#)).skip();
}

fn report(call: &mut Call) {
    let mut actions = Vec::new();
    call.session.report_drops(call.now, &mut actions);
    call.record(actions);
}

fn dropped(at_ms: u64, dropped_ms: u64, total_ms: u64, reason: &str) -> String {
    format!(
        r#"{at_ms} {{"event":"MEDIA_DROPPED","channel_id":"1.1","dropped_ms":{dropped_ms},"total_dropped_ms":{total_ms},"reason":"{reason}"}}"#
    )
}

/// How long media waited on a call whose app sends too fast.
struct Waiting {
    /// The most media that was queued at one time.
    queued: Duration,
    /// The longest time from a frame's arrival to its playing.
    delay: Duration,
}

/// The app sends numbered frames of 20 ms, so many in ten seconds. The channel is read whenever the clock fires, and
/// drops are told when that is due.
fn send(call: &mut Call, in_ten_seconds: u64, seconds: u64) -> Waiting {
    let due = |number| MonoTime::from_nanos(1_000_000_000 + number * 10_000_000_000 / in_ten_seconds);
    let mut waiting = Waiting { queued: Duration::ZERO, delay: Duration::ZERO };
    let mut actions = Vec::new();
    for number in 0..in_ten_seconds * seconds / 10 {
        while let Some(deadline) = call.session.clock().deadline.filter(|deadline| *deadline <= due(number)) {
            call.now = call.now.max(deadline);
            let Some(frame) = call.session.read(call.now, &mut actions) else { continue };
            let sent = frame.payload.first_chunk().map(|bytes| due(u64::from_be_bytes(*bytes))).unwrap();
            waiting.delay = waiting.delay.max(call.now.since(sent));
        }
        call.now = due(number);
        let frame = [&number.to_be_bytes()[..], &[0x55; 152]].concat();
        call.session.on_media(frame.into(), call.now, &mut actions);
        if call.session.drops_due().is_some_and(|due| due <= call.now) {
            call.session.report_drops(call.now, &mut actions);
        }
        call.record(std::mem::take(&mut actions));
        waiting.queued = waiting.queued.max(call.session.queued_media());
    }
    waiting
}

/// The sender of Asterisk's issue 2115: 50.1 frames a second, for an hour. Without a limit each word is 7 s late at the
/// end.
#[test]
fn a_sender_that_is_a_little_too_fast() {
    for (limit_ms, most_ms, lost_ms) in [(Some(200), 200, 7000..=7200), (None, 7220, 0..=0)] {
        let mut call = json(Overflow::Drop, limit_ms, QueueLimits::default());
        let most = send(&mut call, 501, 3600).queued;
        let stats = call.session.stats();
        assert!(most.as_millis() <= most_ms && most.as_millis() + 40 > most_ms, "{most:?}");
        assert!(lost_ms.contains(&stats.media_dropped.as_millis()), "{:?}", stats.media_dropped);
        assert_eq!(stats.media_dropped_late, stats.media_dropped);
        assert_eq!((stats.frames_dropped, stats.underruns), (0, 0));
    }
}

/// 2 % too fast, for ten minutes: 12 s more than can be played. With a limit each word comes in time; without one it is
/// nearly 12 s late at the end.
#[test]
fn a_sender_that_is_much_too_fast() {
    for (limit_ms, delay_ms, dropped_ms) in
        [(Some(200), 180..220, 11_780..=11_840), (None, 11_700..11_800, 0..=0)]
    {
        let mut call = json(Overflow::Drop, limit_ms, QueueLimits::default());
        subscribe(&mut call, r#""MEDIA_DROPPED""#);
        let delay = send(&mut call, 510, 600).delay;
        assert!(delay_ms.contains(&delay.as_millis()), "{limit_ms:?}: {delay:?}");
        // Drops of the last second are told when it is over.
        if let Some(due) = call.session.drops_due() {
            call.now = due;
            report(&mut call);
        }
        let dropped = call.session.stats().media_dropped_late.as_millis();
        assert!(dropped_ms.contains(&dropped), "{limit_ms:?}: {dropped} ms");
        let mut told: Vec<Value> = call.transcript.iter().map(|line| event(line)).collect();
        told.retain(|event| event["event"] == "MEDIA_DROPPED");
        assert!(told.iter().all(|event| event["reason"] == "max_latency"));
        let sum: u64 = told.iter().filter_map(|event| event["dropped_ms"].as_u64()).sum();
        assert_eq!(u128::from(sum), dropped, "{limit_ms:?}");
        assert_eq!(told.last().map(|event| event["total_dropped_ms"].as_u64()), limit_ms.map(|_| Some(sum)));
        call.skip().command(r#"{"command":"GET_STATUS"}"#);
        assert_eq!(event(&call.transcript[0])["dropped_ms"], sum);
    }
}

/// The event in a line of the transcript.
fn event(line: &str) -> Value {
    serde_json::from_str(line.split_once(' ').unwrap().1).unwrap()
}

#[test]
fn one_long_frame_may_wait_though_it_is_too_long() {
    let mut call = json(Overflow::Drop, Some(20), QueueLimits::default());
    call.session.mode = MediaMode::Passthrough;
    call.session.reframer = None;
    call.media(800).media(800).expect_queued(1).wait(100);
    assert_eq!(call.frames.len(), 1);
}

#[test]
fn drops_of_a_second_are_reported_at_its_end() {
    let mut call = json(Overflow::Drop, None, SMALL);
    subscribe(&mut call, r#""MEDIA_DROPPED""#);
    call.command(r#"{"command":"PAUSE_MEDIA"}"#).media(480).media(160).stall(500).media(400).skip();
    assert_eq!(call.session.drops_due(), Some(ms(2000)));
    report(&mut call);
    call.expect(&[]).stall(500);
    report(&mut call);
    call.expect(&[&dropped(2000, 60, 60, "queue_full")]);
    assert_eq!(call.session.drops_due(), None);
    // Bytes that fill no frame are not reported. The next second begins with the next drop.
    call.stall(300).media(100);
    report(&mut call);
    call.stall(1500).expect(&[]);
    report(&mut call);
    call.expect(&[]).media(160);
    assert_eq!(call.session.drops_due(), Some(ms(4800)));
    call.stall(1000);
    report(&mut call);
    call.expect(&[&dropped(4800, 20, 80, "queue_full")]);
}

#[test]
fn each_reason_has_its_own_second_and_total() {
    let mut call = json(Overflow::Drop, Some(40), SMALL);
    subscribe(&mut call, r#""MEDIA_DROPPED""#);
    call.command(r#"{"command":"PAUSE_MEDIA"}"#).media(160 * 5).skip();
    call.stall(400);
    call.session.on_unread_media(Duration::from_micros(61_500), call.now);
    call.stall(600);
    report(&mut call);
    call.expect(&[&dropped(2000, 60, 60, "max_latency")]).stall(400);
    // Parts of a ms are not lost.
    call.session.on_unread_media(Duration::from_micros(500), call.now);
    report(&mut call);
    call.expect(&[&dropped(2400, 62, 62, "out_queue")]);
}

#[test]
fn drops_are_reported_from_the_subscription_on() {
    let mut call = json(Overflow::Drop, None, SMALL);
    call.command(r#"{"command":"PAUSE_MEDIA"}"#).media(480).media(160).skip();
    assert_eq!(call.session.drops_due(), None);
    subscribe(&mut call, r#""MEDIA_STOP""#);
    call.media(160);
    assert_eq!(call.session.drops_due(), None);
    subscribe(&mut call, r#""MEDIA_DROPPED""#);
    call.media(160).stall(1000);
    report(&mut call);
    call.expect(&[&dropped(2000, 20, 60, "queue_full")]).media(160);
    subscribe(&mut call, "");
    call.stall(1000);
    report(&mut call);
    call.expect(&[]);
    assert_eq!(call.session.drops_due(), None);
}

/// The queue grows beyond the maximum of a queue that drops, up to the limit of its bytes. The app is read again when
/// there is room.
#[test]
fn an_app_waits_and_is_read_again() {
    let overflow = wait(10_000, 100_000);
    let Overflow::Wait(limits) = overflow.clone() else { unreachable!() };
    let mut call = json(overflow, None, SMALL);
    call.media(480).expect(&[r#"1000 {"event":"MEDIA_XOFF","channel_id":"1.1"}"#]);
    call.media(8000).expect(&[]).expect_queued(53);
    assert!(!call.session.holds());
    call.media(8000).expect(&[]).expect_queued(103);
    assert!(call.session.holds() && !call.session.is_stuck() && limits.total.get() > 16_000);
    call.wait(101 * 20 - 1);
    assert!(call.session.holds());
    call.skip().wait(1).expect(&[
        r#"3020 {"event":"MEDIA_XON","channel_id":"1.1"}"#,
        "3020 ReadOn",
        "3020 frame 160",
    ]);
    assert!(!call.session.holds());
    assert_eq!(call.session.stats().frames_dropped, 0);
    // The end of the call frees everything, and nothing more is queued.
    call.media(16_000);
    let mut actions = Vec::new();
    call.session.abandon(&mut actions);
    assert_eq!((actions, limits.total.get()), (vec![Action::ReadOn], 0));
    let queued = call.session.queued_media();
    call.skip().media(16_000).wait(1000).expect(&[]);
    assert_eq!((limits.total.get(), call.session.queued_media()), (0, queued));
    assert_eq!(call.session.stats().messages_unwanted, 1);
}

#[test]
fn a_call_that_drops_goes_on_playing_when_its_app_has_ended_it() {
    let mut call = json(Overflow::Drop, None, SMALL);
    let mut actions = Vec::new();
    call.media(320).session.abandon(&mut actions);
    assert_eq!(actions, []);
    call.wait(100).expect(&["1000 frame 160", "1020 frame 160"]);
}
