//! Media both ways: what one end sends the other end hears, byte for byte.

use std::time::Duration;

use super::harness::app::Received;
use super::harness::wire::opcode;
use super::harness::{Context, Frame, Item, Suite, wait};

pub fn tests(suite: &mut Suite) {
    suite.same("media/echo", |t| echo(t, "c(ulaw)", 4000));
    suite.same("media/echo_tls", echo_tls);
    suite.same("media/echo_slin16", |t| echo(t, "c(slin16)", 640 * 10));
    suite.same("media/echo_gsm", |t| echo(t, "c(gsm)", 33 * 10));
    suite.same("media/bridge", bridge);
    suite.same("media/caller_hears", caller_hears);
    suite.same("media/pacing", pacing);
    suite.same("media/rest_is_dropped", rest_is_dropped);
    suite.same("media/buffered/odd_splits", odd_splits);
    suite.same("media/buffered/fragments", fragments);
    suite.same("media/buffered/several_messages_in_one_write", several_messages_in_one_write);
    suite.differs("media/buffered/last_frame", "4", last_frame);
    suite.ours("media/buffered/large_fragments", "the C module loses them (14)", large_fragments);
    suite.ours("media/large_message", "the C module ends the call (6)", large_message);
    suite.ours("media/burst_tls", "the C module stops playing (3)", burst_tls);
    suite.same("media/passthrough/sizes_are_kept", sizes_are_kept);
    suite.same("media/passthrough/opus", opus);
    suite.same("media/empty_message", empty_message);
    suite.same("media/ping", ping);
    suite.ours("media/before_connecting", "the C module hangs up (24)", before_connecting);
    suite.ours("media/start_comes_first", "the C module may send media first (2)", start_comes_first);
}

/// Bytes in which any loss or swap is noticed.
pub fn noise(count: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_u32;
    let next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 11) as u8
    };
    std::iter::repeat_with(next).take(count).collect()
}

fn echo(t: &Context, options: &str, count: usize) {
    let (_call, app) = t.incoming_echo(options);
    let media = noise(count);
    app.send_media(&media);
    assert_eq!(app.collect_media(count), media);
    // Every message was one frame.
    let size = app.received().iter().find_map(|received| match &received.item {
        Item::Media(bytes) => Some(bytes.len()),
        _ => None,
    });
    t.note(format!("messages of {size:?} bytes"));
}

fn echo_tls(t: &Context) {
    let call = t.call("WebSocket/INCOMING/c(ulaw)").extension("echo").originate();
    let app = t.connect_tls(&call.connection_id());
    app.expect_media_start();
    call.wait_application("Echo");
    let media = noise(3200);
    app.send_media(&media);
    assert_eq!(app.collect_media(3200), media);
}

fn bridge(t: &Context) {
    let [(_a, left), (_b, right)] = t.bridged("c(ulaw)", "c(ulaw)f(json)");
    let (from_left, from_right) = (noise(3200), noise(4800)[1600..].to_vec());
    left.send_media(&from_left);
    right.send_media(&from_right);
    assert_eq!(right.collect_media(3200), from_left);
    assert_eq!(left.collect_media(3200), from_right);
}

/// A caller who is an app dials an app.
fn caller_hears(t: &Context) {
    let server = t.server(&[]);
    let dial = format!("WebSocket/{}", server.client);
    let call = t.call("WebSocket/INCOMING/c(ulaw)").dials(&dial, "10", "").originate();
    let caller = call.connect();
    caller.expect_media_start();
    let callee = server.accept();
    assert_eq!(callee.expect_media_start().get("format"), "ulaw");
    t.ari().wait("ChannelEnteredBridge", |event| event["channel"]["id"] == *call.id);
    let media = noise(6400);
    let (from_callee, from_caller) = media.split_at(3200);
    callee.send_media(from_callee);
    caller.send_media(from_caller);
    assert_eq!(caller.collect_media(3200), from_callee);
    assert_eq!(callee.collect_media(3200), from_caller);
    callee.command("HANGUP");
    assert_eq!(callee.expect_close(), 1000);
    assert_eq!(caller.expect_close(), 1000);
}

/// However fast the app sends, a frame takes 20 ms.
fn pacing(t: &Context) {
    let (_call, app) = t.incoming_echo("c(ulaw)");
    const FRAMES: u32 = 50;
    let frame_took = || {
        let before = app.received().len();
        app.send_media(&noise(FRAMES as usize * 160));
        app.collect_media(FRAMES as usize * 160);
        let received = app.received().split_off(before);
        let is_media = |received: &&Received| matches!(received.item, Item::Media(_));
        let times: Vec<_> = received.iter().filter(is_media).map(|received| received.at).collect();
        (times[times.len() - 1] - times[0]) / (FRAMES - 1)
    };
    wait::until_fits("a frame takes 20 ms", frame_took, |frame| (19..24).contains(&frame.as_millis()));
}

/// Without buffering each message is cut into frames separately.
fn rest_is_dropped(t: &Context) {
    let (_call, app) = t.incoming_echo("c(ulaw)");
    let media = noise(1000);
    app.send_media(&media[..250]);
    app.send_media(&media[250..350]);
    app.send_media(&media[350..670]);
    assert_eq!(app.collect_media(480), [&media[..160], &media[350..670]].concat());
    assert!(app.collect_media_for(1, Duration::from_millis(150)).is_empty());
}

fn odd_splits(t: &Context) {
    let (_call, app) = t.incoming_echo("c(ulaw)");
    let media = noise(160 * 20);
    app.command("START_MEDIA_BUFFERING");
    let mut rest = &media[..];
    for size in [1, 159, 161, 7, 500, 320, 3, 0, 800].into_iter().cycle() {
        let (head, tail) = rest.split_at(size.min(rest.len()));
        app.send_media(head);
        rest = tail;
        if rest.is_empty() {
            break;
        }
    }
    app.command("STOP_MEDIA_BUFFERING all");
    assert_eq!(app.collect_media(media.len()), media);
    assert_eq!(app.expect_event("MEDIA_BUFFERING_COMPLETED").get("correlation_id"), "all");
}

/// Like Asterisk's own tests: messages of 1000 bytes in two fragments.
fn fragments(t: &Context) {
    let (_call, app) = t.incoming_echo("c(ulaw)");
    let media = noise(4000);
    app.command("START_MEDIA_BUFFERING");
    for message in media.chunks(1000) {
        app.send_fragmented(message, &[500]);
    }
    app.command("STOP_MEDIA_BUFFERING");
    assert_eq!(app.collect_media(media.len()), media);
    app.expect_event("MEDIA_BUFFERING_COMPLETED");
}

fn several_messages_in_one_write(t: &Context) {
    let (_call, app) = t.incoming_echo("c(ulaw)");
    let media = noise(1600);
    let mut frames = vec![Frame::text("START_MEDIA_BUFFERING")];
    frames.extend(media.chunks(100).map(Frame::binary));
    frames.push(Frame::text("STOP_MEDIA_BUFFERING"));
    app.send_frames(&frames);
    assert_eq!(app.collect_media(media.len()), media);
    app.expect_event("MEDIA_BUFFERING_COMPLETED");
}

/// The remainder at the end of buffering becomes a frame: a short one with the C module; with ours a whole one, padded
/// with silence.
fn last_frame(t: &Context) {
    let (_call, app) = t.incoming_echo("c(ulaw)");
    let media = noise(200);
    app.command("START_MEDIA_BUFFERING");
    app.send_media(&media);
    app.command("STOP_MEDIA_BUFFERING");
    app.expect_event("MEDIA_BUFFERING_COMPLETED");
    assert_eq!(app.expect_media(), media[..160]);
    let last = app.expect_media();
    assert_eq!(last[..40], media[160..]);
    let silence = t.either(0, 120);
    assert_eq!(last[40..], vec![0xff; silence]);
}

fn large_fragments(t: &Context) {
    let (_call, app) = t.incoming_echo("c(ulaw)");
    let media = noise(160 * 50);
    app.command("START_MEDIA_BUFFERING");
    app.send_fragmented(&media, &[1023, 1, 1024, 2048, 1, 0, 3000]);
    app.command("STOP_MEDIA_BUFFERING");
    assert_eq!(app.collect_media(media.len()), media);
}

fn large_message(t: &Context) {
    let (_call, app) = t.incoming_echo("c(ulaw)");
    let media = noise(160 * 700);
    app.send_media(&media);
    assert_eq!(app.collect_media(160 * 10), media[..1600]);
    app.command("GET_STATUS");
    let length: usize = app.expect_event("STATUS").get("queue_length").parse().unwrap();
    assert!((600..=690).contains(&length), "{length} frames are queued");
}

/// Many messages in one TLS record.
fn burst_tls(t: &Context) {
    let call = t.call("WebSocket/INCOMING/c(ulaw)").extension("echo").originate();
    let app = t.connect_tls(&call.connection_id());
    app.expect_media_start();
    call.wait_application("Echo");
    let media = noise(160 * 50);
    app.send_frames(&media.chunks(160).map(Frame::binary).collect::<Vec<_>>());
    assert_eq!(app.collect_media(media.len()), media);
}

fn sizes_are_kept(t: &Context) {
    let (_call, app) = t.incoming_echo("c(ulaw)p");
    let media = noise(1000);
    let mut rest = &media[..];
    for size in [160, 80, 240, 100, 1] {
        let (head, tail) = rest.split_at(size);
        app.send_media(head);
        assert_eq!(app.expect_media(), head);
        rest = tail;
    }
}

/// Media of a codec that cannot be cut is passed on as it comes.
fn opus(t: &Context) {
    let ends = t.bridged("c(opus)", "c(opus)");
    // CELT, full band, 20 ms, one frame.
    let packets: Vec<Vec<u8>> =
        [40, 3, 120].iter().map(|size| [&[31 << 3], &noise(*size)[..]].concat()).collect();
    for packet in &packets {
        ends[0].1.send_media(packet);
        assert_eq!(ends[1].1.expect_media(), *packet);
    }
}

fn empty_message(t: &Context) {
    let (_call, app) = t.incoming_echo("c(ulaw)");
    app.send_media(&[]);
    let media = noise(160);
    app.send_media(&media);
    assert_eq!(app.expect_media(), media);
}

fn ping(t: &Context) {
    let (_call, app) = t.incoming_app("c(ulaw)");
    app.send_frames(&[Frame::new(opcode::PING, "how are you")]);
    let pong = app.wait_item(Duration::from_secs(5), |item| match item {
        Item::Pong(payload) => Some(payload.clone()),
        _ => None,
    });
    assert_eq!(pong.as_deref(), Some(&b"how are you"[..]));
}

/// Frames that a bridge sends before the app has connected do not reach the app, and do not end the call.
fn before_connecting(t: &Context) {
    let (talker, talking) = t.incoming_app("c(ulaw)");
    talker.wait_up();
    let call = t.call("WebSocket/INCOMING/c(ulaw)").create();
    call.dial();
    t.ari().bridge(&[&talker.id, &call.id]);
    talking.send_media(&noise(1600));
    std::thread::sleep(Duration::from_millis(300));
    let app = call.connect();
    app.expect_media_start();
    let media = noise(3200);
    talking.send_media(&media[1600..]);
    assert_eq!(app.collect_media(1600), media[1600..]);
}

/// MEDIA_START comes first, even if the core constantly has media for the app.
fn start_comes_first(t: &Context) {
    let (talker, talking) = t.incoming_app("c(ulaw)");
    talker.wait_up();
    let bridge = t.ari().bridge(&[&talker.id]);
    talking.send_media(&noise(160 * 500));
    for _ in 0..5 {
        let call = t.call("WebSocket/INCOMING/c(ulaw)").create();
        call.dial();
        t.ari().post(&format!("bridges/{bridge}/addChannel"), &[("channel", &call.id)]).ok();
        let app = call.connect();
        app.expect_media_start();
        app.expect_media();
        assert!(matches!(app.received()[0].item, Item::Event(_)), "media came first");
    }
}
