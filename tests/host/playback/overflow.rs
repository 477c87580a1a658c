//! `queue_overflow = wait`: no media is lost, commands act at once, memory is returned, and other calls are not
//! affected.

use std::time::{Duration, Instant};

use super::super::harness::call::Call;
use super::super::harness::{App, Context, InstanceConfig, Item, Suite, wait};
use super::super::media::noise;
use super::{WAYS, Way, command, next, number};

const OURS: &str = "the C module drops what finds the queue full";

/// The bytes of 20 ms in slin192. It uses 48 times as many bytes a second as ulaw: the most bytes in the least time.
pub(super) const WIDE_FRAME: usize = 7680;

/// Long enough for everything that is played here.
pub(super) const LONG: Duration = Duration::from_secs(60);

pub fn tests(suite: &mut Suite) {
    for way in WAYS {
        suite
            .ours(format!("playback/overflow/all_arrives/{}", way.name), OURS, move |t| all_arrives(t, way))
            .shares("overflow", small_each);
        suite.ours(format!("playback/overflow/ten_minutes/{}", way.name), OURS, move |t| ten_minutes(t, way));
    }
    let mut ours = |name: &str, body: fn(&Context)| {
        suite.ours(format!("playback/overflow/{name}"), OURS, body).private_from(small);
    };
    ours("many", many);
    ours("freed", freed);
    ours("unread_is_not_dead", unread_is_not_dead);
    ours("goes_away_unread", goes_away_unread);
    ours("stuck", stuck);
    ours("bad_settings", bad_settings);
    suite.ours("playback/overflow/limits", OURS, limits).shares("overflow", small_each);
}

/// Small limits, which are reached soon. XON is below a second of media.
fn small() -> InstanceConfig {
    limited(2_000_000)
}

/// Small limits, with enough shared room for each call to fill its own queue.
fn small_each() -> InstanceConfig {
    limited(10_000_000)
}

fn limited(total: u64) -> InstanceConfig {
    let config = format!(
        "[global]\nqueue_overflow = wait\nqueue_bytes = 1000000\nqueue_bytes_total = {total}\n\
         queue_max = 60\nqueue_xoff = 50\nqueue_xon = 20\nenable_pingpongs = yes\npingpong_interval = 1\n\
         pingpong_probes = 2\nwrite_timeout = 2000\n"
    );
    InstanceConfig::new().our_file("chan_websocket.conf", &config)
}

/// A figure of the module, or of a call, without its unit.
pub(super) fn figure(t: &Context, of: &str, name: &str) -> u64 {
    let text = t.asterisk.cli(&format!("websocket show {of}"));
    let line = text.lines().find(|line| line.split_whitespace().next() == Some(name));
    let value = line.and_then(|line| line.split_whitespace().nth(1)?.split('.').next()?.parse().ok());
    value.unwrap_or_else(|| panic!("no {name} in {text}"))
}

pub(super) fn queued_bytes(t: &Context) -> u64 {
    figure(t, "stats", "queued_bytes")
}

pub(super) fn wait_for_memory(t: &Context) {
    wait::until("the memory of the queue is given back", || queued_bytes(t) == 0);
}

/// More than the limit at once, in messages that do not match frames, arrives byte for byte.
fn all_arrives(t: &Context, way: Way) {
    let (call, app) = way.echo(t, "c(slin192)f(json)");
    let media = noise(WIDE_FRAME * 300);
    command(&app, "START_MEDIA_BUFFERING", "");
    for message in media.chunks(50_021) {
        app.send_media(message);
    }
    command(&app, "STOP_MEDIA_BUFFERING", r#""correlation_id":"end""#);
    assert!(app.collect_media_for(media.len(), LONG) == media, "media is missing or misplaced");
    assert_eq!(next(&app, "MEDIA_BUFFERING_COMPLETED").get("correlation_id"), "end");
    let of = format!("channel {}", call.name);
    // Without a limit the queue would have held all of it.
    let high = figure(t, &of, "queue_high_water");
    assert!((100..150).contains(&high), "{high} frames waited at most");
    assert_eq!(figure(t, &of, "messages_dropped"), 0);
    let count = |name| super::received(&app, name).len();
    assert!(count("MEDIA_XOFF") == count("MEDIA_XON") && count("MEDIA_XON") > 0);
    assert_eq!(count("ERROR"), 0);
}

/// Ten minutes of ulaw are queued, and a flush acts at once.
fn ten_minutes(t: &Context, way: Way) {
    const FRAMES: usize = 30_000;
    let (call, app) = way.echo(t, "c(ulaw)f(json)X(queue_overflow=wait)");
    let media = vec![0x31; FRAMES * 160];
    for message in media.chunks(160_000) {
        app.send_media(message);
    }
    let begun = app.collect_media(160 * 50);
    assert!(begun.iter().all(|byte| *byte == 0x31));
    assert!(queued_bytes(t) >= 4_000_000);
    command(&app, "FLUSH_MEDIA", r#""correlation_id":"f""#);
    let flushed = next(&app, "MEDIA_FLUSHED");
    let (frames, played) = (number(&flushed, "flushed_frames"), number(&flushed, "played_ms") / 20);
    assert_eq!(frames + played, FRAMES as u64);
    assert!(frames > 29_000, "{frames} frames were flushed");
    // Media after it is played at once. Of the old media only what was in transit still comes.
    app.send_media(&[0x32; 160 * 5]);
    let new = app.wait_item(wait::PATIENCE, |item| match item {
        Item::Media(bytes) if bytes.contains(&0x32) => Some(()),
        _ => None,
    });
    assert!(new.is_some(), "the new media does not come");
    let received = app.received();
    let told = received
        .iter()
        .position(|it| matches!(&it.item, Item::Event(event) if event.name == "MEDIA_FLUSHED"));
    let late = received.iter().skip(told.expect("it came")).filter(|it| match &it.item {
        Item::Media(bytes) => bytes.contains(&0x31),
        _ => false,
    });
    assert!(late.count() <= 2, "old media is played after the flush");
    assert_eq!(figure(t, &format!("channel {}", call.name), "frames_dropped_in"), 0);
}

/// Together the calls queue many times the limit. None loses a byte, and calls with little media are not delayed by the
/// others.
fn many(t: &Context) {
    const CALLS: usize = 8;
    let calls: Vec<_> = (0..CALLS).map(|_| t.incoming_echo("c(slin192)f(json)")).collect();
    let (other_call, other) = t.incoming_echo("c(ulaw)f(json)X(queue_overflow=drop)");
    let small_queue = t.incoming_echo("c(ulaw)f(json)");
    let media = noise(WIDE_FRAME * 200);
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for (_, app) in &calls {
            scope.spawn(|| {
                for message in media.chunks(WIDE_FRAME * 4) {
                    app.send_media(message);
                }
            });
        }
        // Three seconds each, from a call with `drop` and from a call with `wait` that is below its XON.
        for app in [&other, &small_queue.1] {
            scope.spawn(|| {
                let spoken = noise(160 * 150);
                for (number, frame) in spoken.chunks(160).enumerate() {
                    let due = begun + Duration::from_millis(20) * number as u32;
                    std::thread::sleep(due.saturating_duration_since(Instant::now()));
                    app.send_media(frame);
                }
                assert!(
                    app.collect_media_for(spoken.len(), LONG) == spoken,
                    "media of another call is missing"
                );
                let took = begun.elapsed();
                assert!(took < Duration::from_secs(10), "3 s of media took {took:?}");
            });
        }
        let mut high = 0;
        while begun.elapsed() < Duration::from_secs(2) {
            high = high.max(queued_bytes(t));
        }
        // Each call may have one more message, and calls below XON are still read.
        assert!((1_000_000..4_500_000).contains(&high), "{high} bytes waited");
    });
    for (_, app) in &calls {
        assert!(app.collect_media_for(media.len(), LONG) == media, "media is missing");
    }
    assert_eq!(figure(t, &format!("channel {}", other_call.name), "messages_dropped"), 0);
    wait_for_memory(t);
}

/// Queued memory is returned at once, however the call ends.
fn freed(t: &Context) {
    type End = fn(&Call<'_>, &App);
    let ends: [(&str, End); 6] = [
        ("flush", |call, app| {
            command(app, "FLUSH_MEDIA", "");
            wait_for_memory(call.context());
            call.hangup();
        }),
        ("hangup by the application", |_, app| command(app, "HANGUP", "")),
        ("hangup by the core", |call, _| call.hangup()),
        ("hangup by an operator", |call, _| {
            call.context().asterisk.cli(&format!("websocket hangup {}", call.name));
        }),
        ("close", |_, app| app.close(1000)),
        ("loss", |_, app| app.disconnect()),
    ];
    for (name, end) in ends {
        let (call, app) = t.incoming_app("c(ulaw)f(json)");
        call.wait_up();
        command(&app, "MARK_MEDIA", r#""correlation_id":"m""#);
        app.send_media(&noise(160 * 5000));
        wait::until("it is queued", || queued_bytes(t) > 700_000);
        end(&call, &app);
        wait::until(name, || queued_bytes(t) == 0);
        t.asterisk.wait_no_channels();
    }
}

/// While the application is not read, unanswered pings and stalled writes have no consequence, even beyond their
/// limits.
fn unread_is_not_dead(t: &Context) {
    let (call, app) = t.incoming_echo("c(slin192)f(json)");
    let media = noise(WIDE_FRAME * 400);
    for message in media.chunks(WIDE_FRAME * 120) {
        app.send_media(message);
    }
    assert!(app.collect_media_for(media.len(), LONG) == media, "media is missing");
    assert_eq!(figure(t, &format!("channel {}", call.name), "pongs_missed"), 0);
    // Once it is read again, its pings are answered as usual.
    wait::until("a ping is answered", || {
        let text = t.asterisk.cli(&format!("websocket show channel {}", call.name));
        text.lines().any(|line| line.trim().starts_with("ping_rtt_ms ") && line.trim().ends_with("ms"))
    });
}

/// The end of an application is noticed even if unread data comes before it, or no close frame.
fn goes_away_unread(t: &Context) {
    let (call, app) = t.incoming_app("c(ulaw)f(json)");
    call.wait_up();
    for len in [600_000, 600_000, 50_000] {
        app.send_media(&noise(len));
    }
    wait::until("it is full", || queued_bytes(t) > 1_000_000);
    app.reset();
    t.asterisk.wait_no_channels();
    wait_for_memory(t);
}

/// A call that is paused with a full queue makes no progress, and the log says so. Others can end it.
fn stuck(t: &Context) {
    t.allow_log("the queue is full while media is paused");
    let (call, app) = t.incoming_app("c(ulaw)f(json)");
    call.wait_up();
    command(&app, "PAUSE_MEDIA", "");
    app.send_media(&noise(600_000));
    app.send_media(&noise(600_000));
    t.wait_log(&[
        "WARNING",
        &call.name,
        "the queue is full while media is paused",
        "queue_bytes",
        "CONTINUE_MEDIA",
    ]);
    app.expect_event("MEDIA_XOFF");
    let shown = t.asterisk.cli(&format!("websocket show channel {}", call.name));
    assert!(shown.lines().any(|line| line.split_whitespace().eq(["unread", "yes"])), "{shown}");
    command(&app, "CONTINUE_MEDIA", "");
    call.hangup();
    assert_eq!(app.expect_close(), 1000);
    wait_for_memory(t);
}

/// SUBSCRIBED has the limits of the call.
fn limits(t: &Context) {
    for (options, overflow, bytes, latency) in
        [("", "wait", 1_000_000, 0), ("X(queue_overflow=drop,max_latency=200)", "drop", 64 << 20, 200)]
    {
        let (_call, app) = t.incoming_app(&format!("c(ulaw)f(json){options}"));
        command(&app, "SUBSCRIBE", r#""events":[]"#);
        let limits = app.expect_event("SUBSCRIBED").value("limits").clone();
        assert_eq!(limits["queue_overflow"], overflow);
        assert_eq!((&limits["queue_bytes"], &limits["max_latency"]), (&bytes.into(), &latency.into()));
    }
}

/// Each bad value is refused with file, section, option, value and what is allowed; the last good value stays.
fn bad_settings(t: &Context) {
    t.allow_log("chan_websocket.conf");
    for (lines, parts) in [
        ("queue_overflow = block", ["queue_overflow", "'block'", "'drop' or 'wait'"]),
        ("queue_bytes = 65535", ["queue_bytes", "'65535'", "from 65536 to 1073741824 (bytes)"]),
        ("queue_bytes_total = 1G", ["queue_bytes_total", "'1G'", "from 65536 to 1099511627776 (bytes)"]),
        ("queue_bytes_total = 70000", ["queue_bytes 16777216", "at most queue_bytes_total", "70000 (bytes)"]),
        ("max_latency = 10", ["max_latency", "'10'", "0 (off), or a number from 20 to 60000 (milliseconds)"]),
    ] {
        let mark = t.asterisk.log.len();
        t.asterisk.write_config("chan_websocket.conf", &format!("[global]\n{lines}\n"));
        t.asterisk.driver("reload");
        let parts = [&["ERROR", "chan_websocket.conf", "[global]"][..], &parts].concat();
        t.asterisk.log.wait_since(mark, &parts);
        let settings = t.asterisk.cli("websocket show settings");
        assert!(settings.contains("1000000, 2000000 bytes"), "{lines}: {settings}");
    }
    let server = t.server(&[]);
    let mark = t.asterisk.log.len();
    let client = &server.client;
    let section = format!("[{client}]\ntype = connection\nqueue_bytes = 1073741824\n");
    t.asterisk
        .write_config("chan_websocket.conf", &format!("[global]\nqueue_bytes_total = 16777216\n{section}"));
    t.asterisk.driver("reload");
    let parts =
        ["ERROR", client, "queue_bytes 1073741824", "at most queue_bytes_total, which is 16777216 (bytes)"];
    t.asterisk.log.wait_since(mark, &parts);
}
