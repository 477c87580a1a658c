//! The caller interrupts: the queue is discarded, and the application knows what an RTP phone has heard.

use std::thread;
use std::time::{Duration, Instant};

use super::super::harness::call::Call;
use super::super::harness::{App, Context, Suite, wait};
use super::super::protocol::rtp::{self, Phone};
use super::{OURS, WAYS, Way, command, next, number, report};

const FRAME: usize = 160;
const PTIME_MS: u64 = 20;

pub fn tests(suite: &mut Suite) {
    for way in WAYS {
        suite
            .ours(format!("playback/barge_in/{}", way.name), OURS, move |t| barge_in(t, way))
            .shares("rtp", rtp::instance);
        suite
            .ours(format!("playback/after/{}", way.name), OURS, move |t| after(t, way))
            .shares("rtp", rtp::instance);
    }
}

/// Frames that each contain their number.
pub fn numbered(numbers: std::ops::Range<usize>) -> Vec<u8> {
    let tone = |digit: usize| [0x10 + u8::try_from(digit % 64).expect("small"); FRAME / 2];
    numbers.flat_map(|number| [tone(number / 64), tone(number)]).flatten().collect()
}

/// The number of a frame; `None` for silence.
pub fn number_of(frame: &[u8]) -> Option<usize> {
    let digit = |place: usize| frame.get(place).map(|byte| usize::from(*byte).wrapping_sub(0x10));
    match (digit(0)?, digit(FRAME - 1)?) {
        (high @ 0..64, low @ 0..64) => Some(high * 64 + low),
        _ => None,
    }
}

/// An application and a phone in a bridge.
fn with_phone(t: &Context, way: Way) -> (Call<'_>, App, Phone<'_>) {
    let (call, app) = way.call(t, "c(ulaw)f(json)");
    let phone = Phone::new(t);
    t.ari().bridge(&[&call.id, &phone.call.id]);
    (call, app, phone)
}

/// The numbers of the next frames that the phone hears: at most `count`, or until it hears nothing more.
pub fn hear(phone: &Phone<'_>, count: usize) -> Vec<usize> {
    let packets = std::iter::from_fn(|| phone.receive());
    packets.filter_map(|packet| number_of(&packet.payload)).take(count).collect()
}

/// 30 s are queued, and the caller speaks after 3 s.
fn barge_in(t: &Context, way: Way) {
    const QUEUED: usize = 1500;
    const HEARD: usize = 150;
    let (_call, app, phone) = with_phone(t, way);
    command(&app, "START_MEDIA_BUFFERING", "");
    app.send_media(&numbered(0..500));
    command(&app, "MARK_MEDIA", r#""correlation_id":"m1""#);
    app.send_media(&numbered(500..QUEUED));
    command(&app, "MARK_MEDIA", r#""correlation_id":"m2""#);
    command(&app, "STOP_MEDIA_BUFFERING", r#""correlation_id":"b""#);
    let mut heard = hear(&phone, HEARD);
    command(&app, "FLUSH_MEDIA", r#""correlation_id":"f1""#);
    let flushed = next(&app, "MEDIA_FLUSHED");
    heard.extend(hear(&phone, usize::MAX));

    assert_eq!(flushed.get("correlation_id"), "f1");
    assert_eq!(flushed.get("marks"), r#"["m1","m2"]"#);
    assert_eq!(flushed.get("bulk"), r#"["b"]"#);
    let (played_ms, flushed_ms) = (number(&flushed, "played_ms"), number(&flushed, "flushed_ms"));
    assert_eq!(played_ms + flushed_ms, QUEUED as u64 * PTIME_MS);
    assert_eq!(number(&flushed, "flushed_frames") * PTIME_MS, flushed_ms);
    assert_eq!(heard, (0..heard.len()).collect::<Vec<_>>(), "in order, and none is lost");
    let heard_ms = heard.len() as u64 * PTIME_MS;
    assert!(heard_ms.abs_diff(played_ms) <= PTIME_MS, "{heard_ms} ms were heard, {played_ms} ms played");

    // The application's answer to the caller.
    app.send_media(&numbered(2000..2010));
    assert_eq!(hear(&phone, 10), (2000..2010).collect::<Vec<_>>());
    command(&app, "SUBSCRIBE", r#""events":[]"#);
    command(&app, "GET_STATUS", "");
    let status = next(&app, "STATUS");
    assert_eq!((number(&status, "queued_ms"), number(&status, "marks_waiting")), (0, 0));
    assert_eq!(number(&status, "played_ms"), played_ms + 10 * PTIME_MS);

    let fits = |late: &Duration| *late <= Duration::from_millis(2 * PTIME_MS);
    let late = wait::until_fits("old media at the phone", || longest_until_silence(&app, &phone), fits);
    report(&format!("{}: old media comes to the phone until {late:?} after FLUSH_MEDIA", way.name));
}

/// Interrupts at several positions within a frame. Returns the longest time from FLUSH_MEDIA to the last old frame at
/// the phone.
fn longest_until_silence(app: &App, phone: &Phone<'_>) -> Duration {
    let places = (1..PTIME_MS).step_by(2).map(Duration::from_millis);
    places.map(|place| until_silence(app, phone, place)).max().unwrap_or_default()
}

/// The caller speaks this long after a frame. Returns the time until the phone is silent.
fn until_silence(app: &App, phone: &Phone<'_>, after_frame: Duration) -> Duration {
    const OLD: usize = 500;
    const LAST: usize = 2009;
    app.send_media(&numbered(0..OLD));
    assert_eq!(hear(phone, 5), (0..5).collect::<Vec<_>>());
    thread::sleep(after_frame);
    let interrupted = Instant::now();
    command(app, "FLUSH_MEDIA", r#""correlation_id":"f""#);
    next(app, "MEDIA_FLUSHED");
    app.send_media(&numbered(2000..LAST + 1));
    let mut last_old = interrupted;
    loop {
        let packet = phone.receive().expect("the answer is heard");
        match number_of(&packet.payload) {
            Some(0..OLD) => last_old = packet.at,
            Some(LAST) => return last_old.saturating_duration_since(interrupted),
            _ => {}
        }
    }
}

/// The sentence is heard to its end, and nothing of the next sentence.
fn after(t: &Context, way: Way) {
    const SENTENCE: usize = 50;
    let (_call, app, phone) = with_phone(t, way);
    command(&app, "SUBSCRIBE", r#""events":[]"#);
    command(&app, "START_MEDIA_BUFFERING", "");
    app.send_media(&numbered(0..SENTENCE));
    command(&app, "MARK_MEDIA", r#""correlation_id":"m1""#);
    app.send_media(&numbered(SENTENCE..500));
    command(&app, "MARK_MEDIA", r#""correlation_id":"m2""#);
    command(&app, "STOP_MEDIA_BUFFERING", r#""correlation_id":"b""#);
    let mut heard = hear(&phone, 5);
    command(&app, "FLUSH_MEDIA", r#""after":"m1","correlation_id":"f1""#);
    let flushed = next(&app, "MEDIA_FLUSHED");
    assert_eq!(number(&flushed, "flushed_frames"), 500 - SENTENCE as u64);
    assert_eq!((flushed.get("marks"), flushed.get("bulk")), (r#"["m2"]"#.into(), r#"["b"]"#.into()));
    assert!(number(&flushed, "played_ms") < SENTENCE as u64 * PTIME_MS);
    let mark = next(&app, "MEDIA_MARK_PROCESSED");
    assert_eq!(mark.get("correlation_id"), "m1");
    assert_eq!(number(&mark, "played_ms"), SENTENCE as u64 * PTIME_MS);
    heard.extend(hear(&phone, usize::MAX));
    assert_eq!(heard, (0..SENTENCE).collect::<Vec<_>>());

    command(&app, "FLUSH_MEDIA", r#""after":"m1","correlation_id":"f2""#);
    let error = next(&app, "ERROR");
    let text = "FLUSH_MEDIA: 'after' is \"m1\"; allowed: the id of a MARK_MEDIA that has not been reached";
    assert_eq!(error.get("error_text"), text);
    assert_eq!((error.get("correlation_id"), error.get("command")), ("f2".into(), "FLUSH_MEDIA".into()));
}
