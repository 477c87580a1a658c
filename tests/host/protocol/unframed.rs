//! Media that is not cut: passthrough, which is paced by the duration of each message, and unbuffered, which is not
//! paced.

use std::time::{Duration, Instant};

use super::super::harness::{App, Context, Item, Suite, wait};
use super::super::media::noise;
use super::{QUIET, in_order, slope_ms, status};

pub fn tests(suite: &mut Suite) {
    for &(name, codec, message, ms) in LENGTHS {
        suite.differs(format!("passthrough/lasts/{name}"), "18", move |t| lasts(t, codec, message, ms));
    }
    suite.same("passthrough/lasts/ulaw_20_ms", |t| lasts(t, "ulaw", || noise(160), 20.0));
    suite.same("passthrough/lasts/opus_20_ms", |t| lasts(t, "opus", || opus(31, 0, 1), 20.0));
    suite.differs("passthrough/mark", "28", mark);
    suite.differs("passthrough/empty_message", "33", empty_message);
    suite.same("passthrough/fragments", fragments);
    let newer = "it came with a later Asterisk (28)";
    suite.ours("unbuffered/as_it_comes", newer, as_it_comes);
    suite.ours("unbuffered/bulk", newer, bulk);
    suite.ours("unbuffered/between_bulks", newer, between_bulks);
    suite.ours("unbuffered/commands", newer, commands);
    suite.ours("unbuffered/direction", newer, direction);
    suite.ours("unbuffered/opus", newer, unbuffered_opus);
}

/// A packet: configuration and frame count code of RFC 6716 section 3.1, and for code 3 the number of frames.
fn opus(configuration: u8, code: u8, frames: u8) -> Vec<u8> {
    let mut packet = vec![configuration << 3 | code];
    if code == 3 {
        packet.push(frames);
    }
    // Frames of equal length.
    packet.extend_from_slice(&noise(usize::from(frames) * 30));
    packet
}

type Length = (&'static str, &'static str, fn() -> Vec<u8>, f64);

/// Messages, and their duration in ms; the C module plays one every 20 ms.
const LENGTHS: &[Length] = &[
    ("ulaw_10_ms", "ulaw", || noise(80), 10.0),
    ("ulaw_60_ms", "ulaw", || noise(480), 60.0),
    ("slin16_40_ms", "slin16", || noise(1280), 40.0),
    ("g729_40_ms", "g729", || noise(40), 40.0),
    // Sub-mode 3, in 20 bytes.
    ("speex_2_times_20_ms", "speex", || [&[0x18][..], &noise(19)].concat().repeat(2), 40.0),
    ("opus_60_ms", "opus", || opus(3, 0, 1), 60.0),
    ("opus_10_ms", "opus", || opus(30, 0, 1), 10.0),
    ("opus_2_times_20_ms", "opus", || opus(31, 1, 2), 40.0),
    ("opus_6_times_20_ms", "opus", || opus(31, 3, 6), 120.0),
];

fn lasts(t: &Context, codec: &str, message: fn() -> Vec<u8>, ms: f64) {
    const MESSAGES: usize = 20;
    let options = format!("c({codec})p");
    let [(_a, talker), (_b, listener)] = t.bridged(&options, &options);
    let message = message();
    let expected = t.either(20.0, ms);
    let range = expected * 0.75..expected * 1.35;
    let message_took = || {
        let before = media_times(&listener).len();
        for _ in 0..MESSAGES {
            talker.send_media(&message);
        }
        for _ in 0..MESSAGES {
            assert_eq!(listener.expect_media(), message);
        }
        slope_ms(&media_times(&listener)[before..])
    };
    wait::until_fits(&format!("a message takes {expected} ms"), message_took, |slope| range.contains(slope));
}

fn media_times(app: &App) -> Vec<Instant> {
    let media = |item: &Item| matches!(item, Item::Media(_));
    app.received().iter().filter(|received| media(&received.item)).map(|received| received.at).collect()
}

/// Marks are answered in order with the messages around them.
fn mark(t: &Context) {
    let (_call, app) = t.incoming_echo("c(ulaw)p");
    let media = noise(1000);
    app.send_media(&media[..300]);
    app.command("MARK_MEDIA a");
    app.send_media(&media[300..]);
    if !t.is_ours() {
        app.expect_error();
        return;
    }
    assert_eq!(app.expect_event("MEDIA_MARK_PROCESSED").get("correlation_id"), "a");
    assert_eq!(app.collect_media(1000), media);
    assert_eq!(in_order(&app)[1..], ["300 bytes", "MEDIA_MARK_PROCESSED a", "700 bytes"]);
}

/// The C module passes an empty frame to the core; ours passes none.
fn empty_message(t: &Context) {
    let (_call, app) = t.incoming_echo("c(ulaw)p");
    app.send_media(&[]);
    if !t.is_ours() {
        assert!(app.expect_media().is_empty());
    }
    let media = noise(100);
    app.send_media(&media);
    assert_eq!(app.expect_media(), media);
    status(&app, "queue_length");
}

/// A message is a frame, whatever the number of its fragments.
fn fragments(t: &Context) {
    let (_call, app) = t.incoming_echo("c(ulaw)p");
    let media = noise(500);
    app.send_fragmented(&media, &[200, 100]);
    assert_eq!(app.expect_media(), media);
}

// ---- unbuffered

/// Media is neither cut nor delayed.
fn as_it_comes(t: &Context) {
    let (_call, app) = t.incoming_echo("c(ulaw)u");
    let sizes = [160, 80, 240, 1, 1000].iter().cycle().take(50);
    let messages: Vec<Vec<u8>> = sizes.map(|size| noise(*size)).collect();
    for message in &messages {
        app.send_media(message);
    }
    for message in &messages {
        assert_eq!(app.expect_media(), *message);
    }
    // With pacing, 50 frames would take a second.
    let took = media_times(&app)[49] - media_times(&app)[0];
    assert!(took < Duration::from_millis(600), "it took {took:?}");
}

/// Bulk media is cut and paced, and its end is reported.
fn bulk(t: &Context) {
    const FRAMES: usize = 100;
    let (_call, app) = t.incoming_echo("c(ulaw)u");
    // Long enough that a moment without processor time has little effect.
    let media = noise(160 * FRAMES + 40);
    app.command("START_MEDIA_BUFFERING");
    assert_eq!(status(&app, "bulk_media"), "true");
    for message in media.chunks(333) {
        app.send_media(message);
    }
    app.command("STOP_MEDIA_BUFFERING all");
    assert_eq!(app.expect_event("MEDIA_BUFFERING_COMPLETED").get("correlation_id"), "all");
    let heard = app.collect_media(160 * (FRAMES + 1));
    assert_eq!(heard[..media.len()], media);
    assert!(heard[media.len()..].iter().all(|byte| *byte == 0xff));
    let measured = slope_ms(&media_times(&app));
    assert!((15.0..27.0).contains(&measured), "{measured:.1} ms a frame");
}

/// Order is kept between the two kinds of media.
fn between_bulks(t: &Context) {
    let (_call, app) = t.incoming_echo("c(ulaw)u");
    let media = noise(160 * 12);
    let mut parts = media.chunks(160 * 3);
    for bulk in [true, false, true, false] {
        let part = parts.next().unwrap();
        if bulk {
            app.command("START_MEDIA_BUFFERING");
        }
        app.send_media(part);
        if bulk {
            app.command("STOP_MEDIA_BUFFERING");
        }
        app.command("MARK_MEDIA");
    }
    for _ in 0..2 {
        app.expect_event("MEDIA_BUFFERING_COMPLETED");
        app.expect_event("MEDIA_MARK_PROCESSED");
        app.expect_event("MEDIA_MARK_PROCESSED");
    }
    assert_eq!(app.collect_media(media.len()), media);
}

/// Commands work as in the normal mode.
fn commands(t: &Context) {
    let (_call, app) = t.incoming_echo("c(ulaw)u");
    let media = noise(480);
    app.command("PAUSE_MEDIA");
    app.send_media(&media);
    assert_eq!(status(&app, "queue_length"), "1");
    assert!(app.collect_media_for(1, QUIET).is_empty());
    app.command("CONTINUE_MEDIA");
    assert_eq!(app.expect_media(), media);
    app.command("PAUSE_MEDIA");
    app.send_media(&media);
    app.command("MARK_MEDIA a");
    app.command("FLUSH_MEDIA");
    assert_eq!(status(&app, "media_paused"), "false");
    app.command("REPORT_QUEUE_DRAINED");
    app.expect_event("QUEUE_DRAINED");
    app.send_media(&media);
    app.command("MARK_MEDIA b");
    assert_eq!(app.expect_event("MEDIA_MARK_PROCESSED").get("correlation_id"), "b");
    assert_eq!(app.expect_media(), media);
}

fn direction(t: &Context) {
    let (_call, app) = t.incoming_echo("c(ulaw)uf(json)");
    app.command("SET_MEDIA_DIRECTION in");
    app.send_media(&noise(99));
    app.command("SET_MEDIA_DIRECTION both");
    let media = noise(77);
    app.send_media(&media);
    assert_eq!(app.expect_media(), media);
}

/// Media of a codec that cannot be cut is not paced either for an app that paces itself.
fn unbuffered_opus(t: &Context) {
    let [(_a, talker), (_b, listener)] = t.bridged("c(opus)u", "c(opus)");
    let packet = opus(31, 0, 1);
    for _ in 0..50 {
        talker.send_media(&packet);
    }
    for _ in 0..50 {
        assert_eq!(listener.expect_media(), packet);
    }
    let took = media_times(&listener)[49] - media_times(&listener)[0];
    assert!(took < Duration::from_millis(600), "it took {took:?}");
}
