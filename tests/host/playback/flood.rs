//! Ten minutes of ulaw at once with `queue_overflow = wait`: played to the end, flushed, and on many calls at the same
//! time.

use std::time::{Duration, Instant};

use super::super::harness::{App, Context, InstanceConfig, Item, Suite, wait};
use super::super::hostile::usage::Usage;
use super::super::media::noise;
use super::overflow::{LONG, WIDE_FRAME, figure, queued_bytes, wait_for_memory};
use super::{WAYS, Way, command, next, number, received, report};

const OURS: &str = "the C module drops what finds the queue full";

/// The bytes of ten minutes of ulaw.
const TEN_MINUTES: usize = 30_000 * 160;

const PTIME: Duration = Duration::from_millis(20);

pub fn tests(suite: &mut Suite) {
    for way in WAYS {
        let name = format!("playback/flood/played/{}", way.name);
        suite.ours(name, OURS, move |t| played(t, way)).shares("flood", waiting);
    }
    suite.ours("playback/flood/flushed", OURS, flushed).private_from(waiting);
    suite.ours("playback/flood/many_calls", OURS, many_calls).private_from(little_room);
}

/// With `drop` such a call would keep about a second.
fn waiting() -> InstanceConfig {
    let config = "[global]\nqueue_overflow = wait\nqueue_max = 60\nqueue_xoff = 50\nqueue_xon = 20\n";
    InstanceConfig::new().our_file("chan_websocket.conf", config)
}

/// In slin192 this many bytes last 12.5 s. All of them are queued before the first is played.
fn played(t: &Context, way: Way) {
    const FRAMES: usize = TEN_MINUTES / WIDE_FRAME;
    let (call, app) = way.echo(t, "c(slin192)f(json)");
    let media = noise(TEN_MINUTES);
    command(&app, "PAUSE_MEDIA", "");
    for message in media.chunks(WIDE_FRAME * 5) {
        app.send_media(message);
    }
    command(&app, "MARK_MEDIA", r#""correlation_id":"end""#);
    command(&app, "GET_STATUS", "");
    assert_eq!(number(&next(&app, "STATUS"), "queue_length"), FRAMES as u64);
    let begun = Instant::now();
    command(&app, "CONTINUE_MEDIA", "");
    assert!(app.collect_media_for(media.len(), LONG) == media, "media is missing or misplaced");
    assert_eq!(next(&app, "MEDIA_MARK_PROCESSED").get("correlation_id"), "end");
    let times = times_of_media(&app, |_| true);
    assert_eq!(times.len(), FRAMES);
    let took = *times.last().expect("frames") - begun;
    assert!(took >= PTIME * (FRAMES as u32 - 1), "faster than 50 frames a second: {took:?}");
    let of = format!("channel {}", call.name);
    assert_eq!(figure(t, &of, "frames_dropped_in"), 0);
    assert_eq!(received(&app, "ERROR"), []);
}

/// The times at which the wanted media arrived.
fn times_of_media(app: &App, wanted: impl Fn(&[u8]) -> bool) -> Vec<Instant> {
    let is_wanted = |item: &Item| matches!(item, Item::Media(bytes) if wanted(bytes));
    app.received()
        .into_iter()
        .filter(|received| is_wanted(&received.item))
        .map(|received| received.at)
        .collect()
}

const OLD: u8 = 0x31;
const NEW: u8 = 0x32;

/// Old media stops within a frame, and the process returns its memory.
fn flushed(t: &Context) {
    let (_call, app) = t.incoming_echo("c(ulaw)f(json)");
    let heard_after_flush = || {
        queue_ten_minutes(t, &app);
        flush(t, &app)
    };
    let late =
        wait::until_fits("the last old frame comes within a frame", heard_after_flush, |late| *late <= PTIME);
    let before = resident_bytes(t);
    queue_ten_minutes(t, &app);
    let full = resident_bytes(t);
    let added = full.saturating_sub(before);
    assert!(added > TEN_MINUTES as u64 * 9 / 10, "{added} bytes of memory for {TEN_MINUTES} of media");
    flush(t, &app);
    let kept = || resident_bytes(t).saturating_sub(before);
    wait::until("the memory of the process is given back", || kept() < TEN_MINUTES as u64 / 4);
    report(&format!("last old frame {late:?} after FLUSH_MEDIA; {added} bytes more, then {}", kept()));
}

/// Some of it has already been heard.
fn queue_ten_minutes(t: &Context, app: &App) {
    let heard = times_of_media(app, |_| true).len();
    for message in vec![OLD; TEN_MINUTES].chunks(160_000) {
        app.send_media(message);
    }
    wait::until("all of it is queued", || queued_bytes(t) > TEN_MINUTES as u64 * 9 / 10);
    wait::until("it is played", || times_of_media(app, |_| true).len() > heard + 25);
}

/// Flushes. Returns the time from the command to the last frame of old media.
fn flush(t: &Context, app: &App) -> Duration {
    let sent = Instant::now();
    command(app, "FLUSH_MEDIA", r#""correlation_id":"f""#);
    let flushed = next(app, "MEDIA_FLUSHED");
    assert!(number(&flushed, "flushed_frames") > 29_000, "{}", flushed.raw);
    wait_for_memory(t);
    app.send_media(&[NEW; 160]);
    let comes_after = |at: &Instant| *at > sent;
    wait::until("the new media comes", || {
        times_of_media(app, |bytes| bytes[0] == NEW).iter().any(comes_after)
    });
    let last = times_of_media(app, |bytes| bytes[0] == OLD).last().copied();
    last.map_or(Duration::ZERO, |last| last.saturating_duration_since(sent))
}

/// The resident memory of the process after the allocator has returned free memory.
fn resident_bytes(t: &Context) -> u64 {
    t.asterisk.cli("malloc trim");
    Usage::of(t).resident_bytes
}

/// Room for an eighth of what all calls queue at once.
fn little_room() -> InstanceConfig {
    let config = "[global]\nqueue_overflow = wait\nqueue_bytes = 65536\nqueue_bytes_total = 1000000\n\
                  queue_max = 60\nqueue_xoff = 50\nqueue_xon = 20\n";
    InstanceConfig::new().our_file("chan_websocket.conf", config)
}

const CALLS: usize = 200;

/// Five seconds of ulaw.
const FLOOD: usize = 160 * 250;

/// No call loses a byte, and another call has no longer gap than without them.
fn many_calls(t: &Context) {
    let calls: Vec<_> = (0..CALLS).map(|_| t.incoming_echo("c(ulaw)f(json)")).collect();
    let (other_call, other) = t.incoming_echo("c(ulaw)f(json)X(queue_overflow=drop)");
    let media = noise(FLOOD + CALLS);
    let of_call = |number: usize| &media[number..number + FLOOD];
    let flooded = || {
        let most = std::thread::scope(|scope| {
            let most = scope.spawn(|| most_queued(t));
            for (number, (_, app)) in calls.iter().enumerate() {
                of_call(number).chunks(1600).for_each(|message| app.send_media(message));
            }
            most.join().expect("thread")
        });
        // Each call may have one more message, and calls below XON are still read.
        assert!((900_000..2_500_000).contains(&most), "{most} bytes waited");
    };
    let measure = || {
        let alone = longest_gap(&other);
        let beside = std::thread::scope(|scope| {
            scope.spawn(flooded);
            longest_gap(&other)
        });
        for (number, (_, app)) in calls.iter().enumerate() {
            assert!(app.collect_media_for(FLOOD, LONG) == of_call(number), "media is missing");
        }
        wait_for_memory(t);
        (alone, beside)
    };
    let fits = |(alone, beside): &(Duration, Duration)| *beside <= *alone + PTIME;
    let gaps = wait::until_fits("the longest gap, alone and beside a flood", measure, fits);
    report(&format!("{CALLS} calls: longest gap of another call alone and beside them {gaps:?}"));
    assert_eq!(figure(t, "stats", "frames_dropped_in"), 0);
    assert_eq!(figure(t, &format!("channel {}", other_call.name), "messages_dropped"), 0);
    calls.iter().for_each(|(call, _)| call.hangup());
}

/// The most bytes that are queued in the first seconds of a flood.
fn most_queued(t: &Context) -> u64 {
    let begun = Instant::now();
    let mut most = 0;
    while begun.elapsed() < Duration::from_secs(2) {
        most = most.max(queued_bytes(t));
        std::thread::sleep(Duration::from_millis(20));
    }
    most
}

/// Sends media for three seconds. Returns the longest time between two frames that come back.
fn longest_gap(app: &App) -> Duration {
    let spoken = noise(160 * 150);
    let before = times_of_media(app, |_| true).len();
    let begun = Instant::now();
    for (number, frame) in spoken.chunks(160).enumerate() {
        std::thread::sleep((begun + PTIME * number as u32).saturating_duration_since(Instant::now()));
        app.send_media(frame);
    }
    assert!(app.collect_media_for(spoken.len(), LONG) == spoken, "media of another call is missing");
    let times = &times_of_media(app, |_| true)[before..];
    times.windows(2).map(|pair| pair[1] - pair[0]).max().expect("frames")
}
