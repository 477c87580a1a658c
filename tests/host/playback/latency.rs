//! `max_latency`, and what the application is told about dropped media.

use std::time::{Duration, Instant};

use super::super::harness::call::Call;
use super::super::harness::{App, Context, InstanceConfig, Item, Suite, wait};
use super::super::media::noise;
use super::{WAYS, Way, command, next, number, received};

const OURS: &str = "the C module has no limit of delay, and drops in silence";
const FRAME: usize = 160;

/// The interval of a sender that is 2 % too fast.
const INTERVAL: Duration = Duration::from_micros(19_600);

pub fn tests(suite: &mut Suite) {
    for way in WAYS {
        suite.ours(format!("playback/max_latency/fast_sender/{}", way.name), OURS, move |t| {
            fast_sender(t, way)
        });
        suite.ours(format!("playback/max_latency/burst/{}", way.name), OURS, move |t| burst(t, way));
    }
    suite.ours("playback/max_latency/comparison", OURS, comparison);
    suite.ours("playback/max_latency/passthrough", OURS, passthrough);
    suite.ours("playback/dropped/queue_full", OURS, queue_full).shares("dropped", small);
    suite.ours("playback/dropped/out_queue", OURS, out_queue).shares("dropped", small);
    suite.ours("playback/dropped/not_asked_for", OURS, not_asked_for).shares("dropped", small);
}

fn small() -> InstanceConfig {
    let config = "[global]\nqueue_max = 50\nqueue_xoff = 40\nqueue_xon = 30\nout_queue = 100\n";
    InstanceConfig::new().our_file("chan_websocket.conf", config)
}

/// Subscribes. Returns the time before that.
fn subscribe(app: &App) -> Instant {
    let before = Instant::now();
    command(app, "SUBSCRIBE", r#""events":["MEDIA_DROPPED"]"#);
    next(app, "SUBSCRIBED");
    before
}

/// A figure of a call in ms.
fn figure_ms(call: &Call<'_>, name: &str) -> f64 {
    let text = call.context().asterisk.cli(&format!("websocket show channel {}", call.name));
    let line = text.lines().find(|line| line.split_whitespace().next() == Some(name));
    let value = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
    value.unwrap_or_else(|| panic!("no {name} in {text}"))
}

/// What MEDIA_DROPPED has reported so far for a reason: the sum, and the last total.
fn told(app: &App, reason: &str) -> (u64, u64) {
    let of_reason = received(app, "MEDIA_DROPPED").into_iter().filter(|event| event.get("reason") == reason);
    let told: Vec<(u64, u64)> =
        of_reason.map(|event| (number(&event, "dropped_ms"), number(&event, "total_dropped_ms"))).collect();
    (told.iter().map(|(dropped, _)| dropped).sum(), told.last().map_or(0, |(_, total)| *total))
}

/// Waits until the application has been told of everything in the figure, at most once a second since it subscribed.
fn expect_all_told(call: &Call<'_>, app: &App, subscribed: Instant, reason: &str) -> u64 {
    let figure = format!("dropped_{reason}_ms");
    wait::until("all that was dropped is told", || {
        let dropped = figure_ms(call, &figure) as u64;
        dropped > 0 && told(app, reason) == (dropped, dropped)
    });
    let of_reason = app.received().into_iter().filter(|it| match &it.item {
        Item::Event(event) => event.name == "MEDIA_DROPPED" && event.get("reason") == reason,
        _ => false,
    });
    for (number, received) in of_reason.enumerate() {
        let least = Duration::from_secs(number as u64 + 1);
        assert!(
            received.at - subscribed >= least,
            "number {number} came after {:?}",
            received.at - subscribed
        );
    }
    told(app, reason).1
}

/// Sends media for some seconds, 180 ms ahead from the start. Returns the longest queue in STATUS, in ms.
fn speak_too_fast(app: &App) -> u64 {
    const FRAMES: u32 = 500;
    app.send_media(&noise(FRAME * 9));
    let begun = Instant::now();
    for number in 0..FRAMES {
        std::thread::sleep((begun + INTERVAL * number).saturating_duration_since(Instant::now()));
        app.send_media(&noise(FRAME));
        if number % 10 == 0 {
            command(app, "GET_STATUS", "");
        }
    }
    let statuses = || received(app, "STATUS");
    wait::until("all are answered", || statuses().len() == FRAMES as usize / 10);
    statuses().iter().map(|status| number(status, "queued_ms")).max().unwrap_or(0)
}

fn fast_sender(t: &Context, way: Way) {
    let (call, app) = way.echo(t, "c(ulaw)f(json)X(max_latency=200)");
    let subscribed = subscribe(&app);
    let longest = speak_too_fast(&app);
    assert!(longest <= 200, "{longest} ms waited");
    let dropped = expect_all_told(&call, &app, subscribed, "max_latency");
    assert!(dropped.is_multiple_of(20), "{dropped}");
    command(&app, "GET_STATUS", "");
    wait::until("the last status", || {
        received(&app, "STATUS").last().is_some_and(|it| number(it, "dropped_ms") == dropped)
    });
}

/// Without `max_latency` the queue grows, and nothing is dropped.
fn comparison(t: &Context) {
    let (call, app) = WAYS[0].echo(t, "c(ulaw)f(json)");
    subscribe(&app);
    let longest = speak_too_fast(&app);
    assert!(longest > 300, "{longest} ms waited");
    assert_eq!(figure_ms(&call, "dropped_max_latency_ms"), 0.0);
    assert_eq!(received(&app, "MEDIA_DROPPED"), []);
}

/// The end of a long message is played, with the marks before it answered, and there is no XOFF. Bulk media is not
/// limited.
fn burst(t: &Context, way: Way) {
    let (call, app) = way.echo(t, "c(ulaw)f(json)X(max_latency=100)");
    let subscribed = subscribe(&app);
    let media = noise(FRAME * 1000);
    command(&app, "PAUSE_MEDIA", "");
    app.send_media(&media[..FRAME * 3]);
    command(&app, "MARK_MEDIA", r#""correlation_id":"a""#);
    app.send_media(&media[FRAME * 3..]);
    command(&app, "MARK_MEDIA", r#""correlation_id":"b""#);
    command(&app, "CONTINUE_MEDIA", "");
    for id in ["a", "b"] {
        assert_eq!(next(&app, "MEDIA_MARK_PROCESSED").get("correlation_id"), id);
    }
    assert_eq!(app.collect_media(FRAME * 5), media[FRAME * 995..]);
    command(&app, "START_MEDIA_BUFFERING", "");
    app.send_media(&media[..FRAME * 50]);
    command(&app, "STOP_MEDIA_BUFFERING", "");
    assert!(app.collect_media(FRAME * 50) == media[..FRAME * 50]);
    assert_eq!(expect_all_told(&call, &app, subscribed, "max_latency"), 995 * 20);
    assert_eq!(received(&app, "MEDIA_XOFF"), []);
    assert_eq!(received(&app, "ERROR"), []);
}

/// Each message counts with its own duration.
fn passthrough(t: &Context) {
    let (call, app) = WAYS[0].echo(t, "c(ulaw)pf(json)X(max_latency=100)");
    let subscribed = subscribe(&app);
    command(&app, "PAUSE_MEDIA", "");
    let media = noise(320 * 20);
    for message in media.chunks(320) {
        app.send_media(message);
    }
    command(&app, "CONTINUE_MEDIA", "");
    // Two messages of 40 ms are 80 ms, a third would exceed the limit.
    assert_eq!(app.collect_media(640), media[320 * 18..]);
    assert_eq!(expect_all_told(&call, &app, subscribed, "max_latency"), 18 * 40);
}

/// The drops of a second are summed up, and reported even if nothing more is dropped.
fn queue_full(t: &Context) {
    let (call, app) = t.incoming_app("c(ulaw)f(json)");
    call.wait_up();
    let subscribed = subscribe(&app);
    command(&app, "PAUSE_MEDIA", "");
    app.send_media(&noise(FRAME * 50));
    // Remainders that do not fill a frame do not count.
    for _ in 0..10 {
        app.send_media(&noise(FRAME * 2 + 50));
    }
    assert_eq!(expect_all_told(&call, &app, subscribed, "queue_full"), 400);
    assert_eq!(received(&app, "MEDIA_DROPPED").len(), 1);
    app.send_media(&noise(FRAME));
    wait::until("the next second", || told(&app, "queue_full") == (420, 420));
    let events = received(&app, "MEDIA_DROPPED");
    assert_eq!(events[1].keys(), ["event", "channel_id", "dropped_ms", "total_dropped_ms", "reason"]);
    let variable = call.context().ari().variable(&call.id, "CHANNEL(websocket,dropped_queue_full_ms)");
    assert_eq!(variable.as_deref(), Some("420"));
}

/// The application does not read for a while.
fn out_queue(t: &Context) {
    t.allow_log("were not read in time");
    let [(one, app), (_other, peer)] = t.bridged("c(slin192)f(json)", "c(slin192)f(json)");
    let subscribed = subscribe(&app);
    app.stop_reading();
    let media = noise(7680 * 40);
    let drops = || figure_ms(&one, "frames_dropped_out");
    wait::until("media for it is dropped", || {
        peer.send_media(&media);
        drops() > 20.0
    });
    command(&peer, "FLUSH_MEDIA", "");
    app.resume_reading();
    expect_all_told(&one, &app, subscribed, "out_queue");
}

/// Without SUBSCRIBE there is only the usual ERROR.
fn not_asked_for(t: &Context) {
    let (call, app) = t.incoming_app("c(ulaw)f(json)");
    call.wait_up();
    command(&app, "PAUSE_MEDIA", "");
    app.send_media(&noise(FRAME * 50));
    app.send_media(&noise(FRAME * 5));
    assert_eq!(next(&app, "ERROR").get("error_text"), "Media dropped: the queue is full with 50 frames");
    wait::until("it is counted", || figure_ms(&call, "dropped_queue_full_ms") == 100.0);
    app.expect_quiet(Duration::from_millis(1500));
}
