//! Subscriptions, positions, ends, fades and full queues across a loss, reported in the order in which things happened.

use super::super::harness::event::Event;
use super::super::harness::{App, Context, Item, Suite, wait};
use super::super::media::noise;
use super::super::protocol::rtp::Phone;
use super::goes_on::speak;
use super::{Line, Role, WHY, WINDOW, expect_reconnected, hang_up, instance};

pub fn tests(suite: &mut Suite) {
    for role in Role::BOTH {
        let mut ours = |what: &str, body: fn(&Context, Role)| {
            let name = format!("reconnect/playback/{}/{what}", role.name());
            suite.ours(name, WHY, move |t| body(t, role)).shares("reconnect", instance);
        };
        ours("subscription", subscription);
        ours("media_stop", media_stop);
        ours("no_media_stop", no_media_stop);
        ours("fade", fade);
        ours("flush", flush);
        ours("order", order);
        let body = move |t: &Context| wait_for_room(t, role);
        let small = format!(
            "[global]\nincoming_reconnect = {WINDOW}\nqueue_bytes = 65536\nqueue_max = 100\n\
                             queue_xoff = 90\nqueue_xon = 80\n"
        );
        suite
            .ours(format!("reconnect/playback/{}/wait", role.name()), WHY, body)
            .private_with(instance().our_file("chan_websocket.conf", &small));
    }
}

fn subscribe(app: &App, events: &str, more: &str) {
    app.send_text(&format!(r#"{{"command":"SUBSCRIBE","events":[{events}],"correlation_id":"s"{more}}}"#));
    assert_eq!(app.expect_event("SUBSCRIBED").get("correlation_id"), "s");
}

/// A call that is bridged to a phone.
fn bridged(t: &Context, role: Role) -> (Phone<'_>, Line<'_>, App) {
    let phone = Phone::new(t);
    let (line, app) = Line::up(t, role, false, "c(ulaw)f(json)X(queue_overflow=wait)");
    t.ari().bridge(&[&phone.call.id, &line.call.id]);
    (phone, line, app)
}

/// What an application was told up to this event, by name and one key each, without MEDIA_START.
fn told(app: &App, last: &str, id: &str) -> Vec<(String, String)> {
    let is_last = |event: &Event| event.name == last && event.get("correlation_id") == id;
    let seen = |item: &Item| matches!(item, Item::Event(event) if is_last(event)).then_some(());
    app.wait_item(wait::PATIENCE, seen).unwrap_or_else(|| panic!("no {last} {id}: {:?}", app.received()));
    let with_key = |event: Event| {
        let key = if event.name == "MEDIA_POSITION" { "played_ms" } else { "correlation_id" };
        (event.name.clone(), event.get(key))
    };
    let events = app.received().into_iter().filter_map(|received| match received.item {
        Item::Event(event) if event.name != "MEDIA_START" => Some(with_key(event)),
        _ => None,
    });
    events.collect()
}

/// The ids of the marks in it.
fn marks(told: &[(String, String)]) -> Vec<String> {
    let marks = told.iter().filter(|(name, _)| name == "MEDIA_MARK_PROCESSED");
    marks.map(|(_, id)| id.clone()).collect()
}

/// The positions in it.
fn positions(told: &[(String, String)]) -> Vec<u64> {
    let of = told.iter().filter(|(name, _)| name == "MEDIA_POSITION");
    of.map(|(_, played)| played.parse().expect("milliseconds")).collect()
}

/// The subscription is kept, and the positions of the time without a connection come in their places among the marks.
fn subscription(t: &Context, role: Role) {
    let (phone, line, app) = bridged(t, role);
    subscribe(&app, r#""MEDIA_POSITION""#, r#","position_interval":200"#);
    let media = noise(160 * 250);
    app.command("START_MEDIA_BUFFERING");
    for (number, second) in (1..).zip(media.chunks(160 * 50)) {
        app.send_media(second);
        app.command(&format!("MARK_MEDIA {number}"));
    }
    app.command("STOP_MEDIA_BUFFERING all");
    phone.collect_media(&media[..160 * 5]);
    line.lose(app);
    phone.collect_media(&media[160 * 5..]);
    wait::until("all is played", || line.figure("played_ms") == "5000");
    let app = line.connect();
    expect_reconnected(&app);
    let waited = told(&app, "MEDIA_BUFFERING_COMPLETED", "all");
    // Each mark comes after the position of the media before it.
    let places = [
        ("MEDIA_POSITION", "3800"),
        ("MEDIA_MARK_PROCESSED", "4"),
        ("MEDIA_POSITION", "4200"),
        ("MEDIA_POSITION", "4800"),
        ("MEDIA_MARK_PROCESSED", "5"),
        ("MEDIA_BUFFERING_COMPLETED", "all"),
    ]
    .map(|(name, id)| waited.iter().position(|(is, has)| (is.as_str(), has.as_str()) == (name, id)));
    assert!(places.is_sorted() && places[0].is_some(), "{waited:?}");
    let before = positions(&waited);
    assert!(before.is_sorted() && (3800..=5000).step_by(200).all(|at| before.contains(&at)), "{before:?}");

    // Positions continue on the new connection, from the same count.
    app.send_media(&noise(160 * 20));
    app.command("MARK_MEDIA more");
    let all = positions(&told(&app, "MEDIA_MARK_PROCESSED", "more"));
    assert!(all.is_sorted() && all.contains(&5200) && all.contains(&5400), "{all:?}");
    hang_up(&line, &app);
}

/// MEDIA_STOP counts the whole call, and comes once, before our close frame, if there is a connection.
fn media_stop(t: &Context, role: Role) {
    let (phone, line, app) = bridged(t, role);
    subscribe(&app, r#""MEDIA_STOP""#, "");
    let media = noise(160 * 100);
    app.command("START_MEDIA_BUFFERING");
    app.send_media(&media[..160 * 50]);
    phone.collect_media(&media[..160 * 10]);
    line.lose(app);
    phone.collect_media(&media[160 * 10..160 * 50]);
    let app = line.connect();
    let lost = expect_reconnected(&app);
    app.send_media(&media[160 * 50..]);
    phone.collect_media(&media[160 * 50..]);
    wait::until("all is played", || line.figure("played_ms") == "2000");
    app.command("HANGUP");
    let rest = app.rest();
    let stops: Vec<usize> = rest
        .iter()
        .enumerate()
        .filter(|(_, item)| matches!(item, Item::Event(event) if event.name == "MEDIA_STOP"))
        .map(|(number, _)| number)
        .collect();
    let close = rest.iter().position(|item| *item == Item::Close(1000)).expect("a close frame");
    assert_eq!(stops, [close - 1], "{rest:?}");
    let Item::Event(stop) = &rest[close - 1] else { panic!("{rest:?}") };
    assert_eq!((stop.get("ended_by"), stop.get("cause")), ("hangup_command".into(), "16".into()));
    assert_eq!(
        (stop.get("played_ms"), stop.get("queued_ms"), stop.get("frames_in")),
        ("2000".into(), "0".into(), "100".into())
    );
    let duration: u128 = stop.get("duration_ms").parse().expect("milliseconds");
    assert!(duration >= lost.as_millis(), "{stop:?}");
    assert_eq!(line.call.ending().cause, 16);
}

/// There is no MEDIA_STOP when the connection is lost, or when a call without one is hung up.
fn no_media_stop(t: &Context, role: Role) {
    let (line, app) = Line::up(t, role, false, "c(ulaw)f(json)");
    subscribe(&app, r#""MEDIA_STOP""#, "");
    line.go_away();
    app.close(1012);
    let rest = app.rest();
    let is_stop = |item: &Item| matches!(item, Item::Event(event) if event.name == "MEDIA_STOP");
    assert!(!rest.iter().any(is_stop), "{rest:?}");
    line.wait_figure("state", "lost");
    line.call.hangup();
    line.call.ending();
}

/// The media that a flush has kept is paused, survives a loss, and is faded to its end on the new connection, which
/// gets the marks in it. Each mark is answered once.
fn fade(t: &Context, role: Role) {
    const FRAMES: usize = 400;
    let (phone, line, app) = bridged(t, role);
    app.command("START_MEDIA_BUFFERING");
    for number in 1..=FRAMES / 10 {
        app.send_media(&[0x10; 160 * 10]);
        app.command(&format!("MARK_MEDIA {number}"));
    }
    let heard = 50;
    phone.collect_media(&[0x10; 160 * 50]);
    app.send_text(r#"{"command":"FLUSH_MEDIA","correlation_id":"f","fade_ms":500}"#);
    app.command("PAUSE_MEDIA");
    let flushed = app.wait_item(wait::PATIENCE, |item| match item {
        Item::Event(event) if event.name == "MEDIA_FLUSHED" => Some(event.clone()),
        _ => None,
    });
    let flushed = flushed.expect("MEDIA_FLUSHED");
    let kept = usize::try_from(flushed.get("played_ms").parse::<u64>().expect("milliseconds") / 20)
        .expect("few")
        + 25;
    app.send_text(r#"{"command":"GET_STATUS"}"#);
    let paused = |item: &Item| match item {
        Item::Event(event) if event.name == "STATUS" => Some(event.get("media_paused")),
        _ => None,
    };
    assert_eq!(app.wait_item(wait::PATIENCE, paused).as_deref(), Some("true"));
    let before = marks(&told(&app, "MEDIA_FLUSHED", "f"));
    line.lose(app);
    let app = line.connect();
    expect_reconnected(&app);
    app.command("CONTINUE_MEDIA");
    let (mut loud, mut faded) = (heard, Vec::new());
    while loud + faded.len() < kept {
        let packet = phone.receive().expect("the kept part");
        if packet.payload == [0x10; 160] {
            assert!(faded.is_empty(), "louder again");
            loud += 1;
        } else if !(faded.is_empty() && packet.payload == [0xff; 160]) {
            faded.push(packet.payload);
        }
    }
    // In ulaw, a greater byte of this sign is quieter.
    assert!(faded.len() >= 24 && faded.windows(2).all(|pair| pair[0][159] <= pair[1][159]), "{faded:?}");
    wait::until("all is played", || line.figure("played_ms") == (kept * 20).to_string());
    app.command("MARK_MEDIA end");
    let after = marks(&told(&app, "MEDIA_MARK_PROCESSED", "end"));
    let gone: Vec<String> = serde_json::from_str(&flushed.get("marks")).expect("a list");
    let all: Vec<String> = (1..=FRAMES / 10).map(|number| number.to_string()).collect();
    let (played, forgotten) = all.split_at(kept / 10);
    assert_eq!(gone, forgotten);
    assert_eq!([before.as_slice(), &after].concat(), [played, &["end".to_owned()]].concat());
    assert!(after.len() >= 2, "{after:?}");
    hang_up(&line, &app);
}

/// The new connection flushes media that was queued before the loss and has not been played, with its marks.
fn flush(t: &Context, role: Role) {
    let (phone, line, app) = bridged(t, role);
    let media = noise(160 * 1000);
    app.command("START_MEDIA_BUFFERING");
    app.send_media(&media);
    app.command("MARK_MEDIA m");
    app.command("STOP_MEDIA_BUFFERING b");
    phone.collect_media(&media[..160 * 10]);
    line.lose(app);
    let app = line.connect();
    expect_reconnected(&app);
    app.send_text(r#"{"command":"FLUSH_MEDIA","correlation_id":"f"}"#);
    let flushed = app.expect_event("MEDIA_FLUSHED");
    assert_eq!((flushed.get("marks"), flushed.get("bulk")), (r#"["m"]"#.into(), r#"["b"]"#.into()));
    let number = |key: &str| flushed.get(key).parse::<u64>().expect("milliseconds");
    assert_eq!(number("played_ms") + number("flushed_ms"), 20_000, "{flushed:?}");
    hang_up(&line, &app);
}

/// The caller's media, digits and marks of the time without a connection come in their original order.
fn order(t: &Context, role: Role) {
    let (phone, line, app) = bridged(t, role);
    speak(&phone, 1..=5);
    assert_eq!(app.collect_media(5 * 160).len(), 5 * 160, "the bridge is there");
    line.lose(app);
    let number = |name: &str| line.figure(name).parse::<u64>().expect("a number");
    let (frames, events) = (number("frames_out"), number("events"));
    let mut expected = Vec::new();
    for (round, digit) in (0_u8..).zip(["1", "2", "3", "4"]) {
        speak(&phone, 10 + round * 3..=12 + round * 3);
        wait::until("the caller is heard", || number("frames_out") == frames + u64::from(round + 1) * 3);
        let path = format!("channels/{}/dtmf", line.call.id);
        t.ari().post(&path, &[("dtmf", digit), ("duration", "40"), ("between", "0")]).ok();
        wait::until("the digit is queued", || number("events") == events + u64::from(round) + 1);
        expected.extend((10 + round * 3..=12 + round * 3).map(|number| format!("media {number}")));
        expected.push(format!("digit {digit}"));
    }
    let app = line.connect();
    expect_reconnected(&app);
    app.command("MARK_MEDIA end");
    told(&app, "MEDIA_MARK_PROCESSED", "end");
    let came: Vec<String> = app
        .received()
        .into_iter()
        .filter_map(|received| match received.item {
            Item::Event(event) if event.name == "DTMF_END" => Some(format!("digit {}", event.get("digit"))),
            Item::Media(bytes) => Some(format!("media {}", bytes[0])),
            _ => None,
        })
        .collect();
    assert_eq!(came, expected);
    hang_up(&line, &app);
}

/// A queue is so full that the socket is not read. The loss is still detected, and the media that was sent before it is
/// played. The new connection begins with a full queue, and all of its media is played as well.
fn wait_for_room(t: &Context, role: Role) {
    const SENT: usize = 500;
    let (phone, line, app) = bridged(t, role);
    let media = noise(160 * (SENT + 200));
    let (first, second) = media.split_at(160 * SENT);
    app.command("START_MEDIA_BUFFERING");
    // 80,000 bytes for a queue of 65,536; each message is accepted whole.
    for message in first.chunks(160 * 50) {
        app.send_media(message);
    }
    app.expect_event("MEDIA_XOFF");
    let number = |name: &str| line.figure(name).parse::<usize>().unwrap_or(0);
    wait::until("the queue is full", || number("queue_length") >= 380);
    let played = number("played_ms");
    wait::until("more is played", || number("played_ms") >= played + 200);
    let taken = number("queue_length") + number("played_ms") / 20;
    assert!(taken < SENT - 20, "the socket is read: {taken} frames");
    line.lose(app);
    let app = line.connect();
    expect_reconnected(&app);
    for message in second.chunks(160 * 50) {
        app.send_media(message);
    }
    app.command("STOP_MEDIA_BUFFERING all");
    phone.collect_media(&media);
    told(&app, "MEDIA_BUFFERING_COMPLETED", "all");
    assert_eq!(number("played_ms") * 8, media.len());
    hang_up(&line, &app);
}
