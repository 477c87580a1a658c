//! Slow and stalled connections: the call stays up within its limits, the direction that still works keeps working, and
//! when a limit is passed the call ends with its cause and a line in the log.

use std::net::Shutdown;
use std::thread;
use std::time::{Duration, Instant};

use rustix::net::SendFlags;

use super::super::connect::bystander;
use super::super::harness::app::Item;
use super::super::harness::stream::Stream;
use super::super::harness::{Context, Frame, InstanceConfig, Suite, wait};
use super::relay::{Caller, Relay};
use super::usage::Usage;
use super::{
    Partner, Way, Wired, beside, figures, gap, long, outcome, overfill, undisturbed, wired, wired_with,
};

pub fn tests(suite: &mut Suite) {
    for way in Way::ALL {
        let mut add = |name: &str, body: fn(&Context, Way)| {
            let name = format!("hostile/{name}/{}", way.name());
            beside(suite, name, move |t| body(t, way)).shares("hostile", instance);
        };
        add("never_reads", never_reads);
        add("stale_media", stale_media);
        add("byte_by_byte", byte_by_byte);
        add("halves", halves);
        add("reset", reset);
        add("half_close", half_close);
        add("urgent", urgent);
        add("urgent_in_handshake", urgent_in_handshake);
    }
    beside(suite, "hostile/urgent_behind_handshake", urgent_behind_handshake).shares("hostile", instance);
    if long().is_some() {
        for (format, frame_bytes) in [("ulaw", 160), ("slin48", 1920)] {
            let name = format!("hostile/long/never_reads/{format}");
            beside(suite, name, move |t| never_reads_for_minutes(t, format, frame_bytes)).private();
        }
    }
}

pub(super) fn instance() -> InstanceConfig {
    InstanceConfig::new().our_file(
        "chan_websocket.conf",
        "[global]\nwrite_timeout = 4000\nout_queue = 100\nclose_timeout = 1000\n",
    )
}

/// The playing time of the media that is queued for the application, and the number of its dropped frames.
fn waiting(t: &Context, channel: &str) -> (u64, u64) {
    let text = t.asterisk.cli(&format!("websocket show channel {channel}"));
    let figure = |name: &str| {
        let line = text.lines().find(|line| line.trim_start().starts_with(name)).unwrap_or_default();
        let digits = |word: &str| word.trim_matches(|c: char| !c.is_ascii_digit()).parse().ok();
        line.split_whitespace().skip(1).find_map(digits).unwrap_or(0)
    };
    (figure("out_queue_time"), figure("frames_dropped_out"))
}

/// Fills the buffers of both kernels with answers until nothing more is sent, in smaller steps than would make Asterisk
/// stop reading.
pub(super) fn fill(t: &Context, wired: &Wired<'_>, partner: Option<&Partner<'_>>) {
    let commands = vec![Frame::text("GET_STATUS"); 1000];
    // Over TLS everything goes through the queue, and something may wait there for a moment.
    let mut looks = 0;
    wait::until("nothing more goes out", || {
        if looks == 0 {
            wired.app.send_frames(&commands);
        }
        for _ in 0..3 {
            if let Some(partner) = partner {
                partner.app.send_media(&[0x2a; 160]);
            }
            thread::sleep(Duration::from_millis(10));
        }
        looks = if waiting(t, &wired.call.name).0 == 0 { 0 } else { looks + 1 };
        looks == 10
    });
}

/// An application that reads nothing is still heard, until write_timeout ends the call.
fn never_reads(t: &Context, way: Way) {
    t.allow_log("WebSocket connection given up: the application took nothing for 4000 ms");
    t.allow_log("the application reads too slowly");
    if !t.is_ours() {
        return never_reads_c(t, way);
    }
    undisturbed(t, &format!("never_reads {}", way.name()), || {
        let wired = wired(t, way, "c(ulaw)");
        let partner = Partner::of(t, &wired.call, "c(ulaw)");
        partner.talk(&wired, 160, Duration::from_millis(100));
        let (heard, others) = bystander::during(t, || {
            wired.relay.hold_from_asterisk();
            fill(t, &wired, Some(&partner));
            let heard = partner.talk(&wired, 160, Duration::from_millis(1500));
            assert_eq!(wired.call.state().as_deref(), Some("Up"));
            let ending = wired.call.ending();
            assert_eq!((ending.cause, ending.tech_cause), (38, 1001));
            heard
        });
        figures(t, format!("never_reads {}: the longest gap in its own audio {heard:?}", way.name()));
        assert!(heard < Duration::from_millis(400) + others.machine * 3, "heard nothing for {heard:?}");
        t.wait_log(&["WARNING", &wired.call.name, "the application took nothing for 4000 ms"]);
        others
    });
}

/// The C module has no limits to test.
fn never_reads_c(t: &Context, way: Way) {
    let wired = wired(t, way, "c(ulaw)");
    let partner = Partner::of(t, &wired.call, "c(ulaw)");
    wired.relay.hold_from_asterisk();
    overfill(&wired.app);
    let heard = partner.talk(&wired, 160, Duration::from_secs(3));
    t.note(format!("the longest gap in its own audio {heard:?}, {}", outcome(t, &wired.call)));
}

/// Asterisk drops media that an application has not read in time, instead of leaving it in the kernel's buffers: when
/// the application reads again, it gets little old media.
fn stale_media(t: &Context, way: Way) {
    const STALL: Duration = Duration::from_secs(3);
    const FRAME_BYTES: usize = 7680;
    t.allow_log("the application reads too slowly");
    let wired = wired(t, way, "c(slin192)");
    let partner = Partner::of(t, &wired.call, "c(slin192)");
    let start = Instant::now();
    let mut number = 0;
    let mut talk = |until: Duration| {
        while start.elapsed() < until {
            let mut frame = [0; FRAME_BYTES];
            let spoken_ms = u64::try_from(start.elapsed().as_millis()).expect("a short test");
            frame[..8].copy_from_slice(&spoken_ms.to_ne_bytes());
            partner.app.send_media(&frame);
            number += 1;
            thread::sleep((Duration::from_millis(20) * number).saturating_sub(start.elapsed()));
        }
    };
    wired.relay.hold_from_asterisk();
    talk(STALL);
    let released = Instant::now();
    wired.relay.release_from_asterisk();
    talk(STALL + Duration::from_secs(1));
    // Media that was sent while it did not read, and that it got afterwards.
    let stale = |item: &Item| match item {
        Item::Media(frame) => {
            let spoken = u64::from_ne_bytes(frame[..8].try_into().expect("a frame"));
            Duration::from_millis(spoken) < STALL
        }
        _ => false,
    };
    let received = wired.app.received();
    let stale = received.iter().filter(|one| one.at >= released && stale(&one.item)).count();
    let of = STALL.as_millis() / 20;
    figures(t, format!("stale_media {}: {stale} of {of} frames came late", way.name()));
    if t.is_ours() {
        // What the other end's kernel has accepted, and in Asterisk 16 KiB in the kernel and 100 ms in the queue.
        assert!(stale < 60, "{stale} of {of} frames of {FRAME_BYTES} bytes came late");
        let (_, dropped) = waiting(t, &wired.call.name);
        assert!(dropped > 60, "{dropped} frames were dropped");
    }
}

/// A TLS record may also come slowly. None of it is lost.
fn byte_by_byte(t: &Context, way: Way) {
    let wired = wired(t, way, "c(ulaw)");
    let partner = Partner::of(t, &wired.call, "c(ulaw)");
    wired.relay.trickle(Duration::from_millis(1));
    for number in 1..=3 {
        wired.app.send_media(&[number; 160]);
        wired.app.command("GET_STATUS");
    }
    for _ in 0..3 {
        wired.app.expect_event("STATUS");
    }
    assert_eq!(partner.app.collect_media(480), [[1; 160], [2; 160], [3; 160]].concat());
    wired.app.command("HANGUP");
    assert_eq!(wired.call.ending().cause, 16);
}

/// Half of a unit, then nothing for a while: the application still gets media. The call continues when the rest comes.
fn halves(t: &Context, way: Way) {
    let wired = wired(t, way, "c(ulaw)");
    let partner = Partner::of(t, &wired.call, "c(ulaw)");
    let frame = wired.app.encode(&Frame::binary([7; 160]));
    let quiet = |what: &str| {
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(500) {
            partner.app.send_media(&[0x2a; 160]);
            thread::sleep(Duration::from_millis(20));
        }
        let heard = gap(&wired.app, start, Instant::now());
        if !t.is_ours() {
            return t.note(format!("with {what} it heard nothing for {heard:?}"));
        }
        assert!(heard < Duration::from_millis(450), "with {what}, it heard nothing for {heard:?}");
    };
    wired.app.send_raw(&frame[..1]);
    quiet("half a header");
    wired.app.send_raw(&frame[1..80]);
    quiet("half a payload");
    wired.relay.only(20);
    wired.app.send_raw(&frame[80..]);
    quiet("half a TLS record");
    wired.relay.release();
    assert_eq!(partner.app.collect_media(160), [7; 160]);
    wired.app.command("HANGUP");
    assert_eq!(wired.app.expect_close(), 1000);
    assert_eq!(wired.call.ending().cause, 16);
}

fn expect_lost(t: &Context, wired: &Wired<'_>) {
    let start = Instant::now();
    if !t.is_ours() {
        return t.note(outcome(t, &wired.call));
    }
    let ending = wired.call.ending();
    assert_eq!((ending.cause, ending.tech_cause), (38, 1006));
    assert!(start.elapsed() < Duration::from_secs(5), "it took {:?}", start.elapsed());
}

fn reset(t: &Context, way: Way) {
    let wired = wired(t, way, "c(ulaw)");
    let _partner = Partner::of(t, &wired.call, "c(ulaw)");
    wired.relay.reset();
    expect_lost(t, &wired);
}

/// An application that ends its direction of TCP without a close frame is considered gone, whether it still reads or
/// not; also if it had sent much before, and if nothing is ever sent to it.
fn half_close(t: &Context, way: Way) {
    for options in ["c(ulaw)", "c(ulaw)d(out)"] {
        let wired = wired(t, way, options);
        for _ in 0..5 {
            wired.app.send_media(&[0x55; 40_000]);
        }
        wait::until("all is on its way", || wired.relay.passed() > 200_000);
        wired.relay.asterisk().shutdown(Shutdown::Write).expect("shutdown");
        expect_lost(t, &wired);
        let end = |item: &Item| matches!(item, Item::End(_)).then_some(());
        assert!(wired.app.wait_item(wait::PATIENCE, end).is_some(), "Asterisk did not end the connection");
    }
}

/// Urgent data is not part of the stream. The bytes after it are read without delay.
fn urgent(t: &Context, way: Way) {
    let wired = wired(t, way, "c(ulaw)");
    let send_urgent = |relay: &Relay| {
        let sent = rustix::net::send(relay.asterisk(), b"!", SendFlags::OOB);
        assert_eq!(sent, Ok(1));
    };
    let send = |bytes_sent: &dyn Fn()| {
        let before = wired.relay.passed();
        bytes_sent();
        wait::until("the relay passes it on", || wired.relay.passed() > before);
    };
    for _ in 0..5 {
        send(&|| wired.app.command("GET_STATUS"));
        send_urgent(&wired.relay);
        send(&|| wired.app.command("GET_STATUS"));
        wired.app.expect_event("STATUS");
        wired.app.expect_event("STATUS");
    }
    send_urgent(&wired.relay);
    wired.app.command("HANGUP");
    assert_eq!(wired.app.expect_close(), 1000);
    assert_eq!(wired.call.ending().cause, 16);
}

/// It is not part of the stream during the TLS or WebSocket handshake either; the kernel stops a read at its mark.
fn urgent_in_handshake(t: &Context, way: Way) {
    for bytes in [1, 50, 150] {
        let wired = wired_with(t, way, "c(ulaw)", |relay| relay.urgent_after(bytes));
        wired.app.command("GET_STATUS");
        wired.app.expect_event("STATUS");
        wired.app.command("HANGUP");
        assert_eq!(wired.app.expect_close(), 1000);
        assert_eq!(wired.call.ending().cause, t.either(0, 16));
    }
}

/// Urgent data between the handshake and a message that comes with it.
fn urgent_behind_handshake(t: &Context) {
    let call = t.incoming("c(ulaw)");
    let command = Frame::text("GET_STATUS").encode();
    let request = t.upgrade(&call.connection_id()).trailing(&command);
    let relay = Relay::to(t.asterisk.http, Caller::App, false);
    relay.urgent_after(request.encode().len() - command.len());
    let app = t.app(request.send(Stream::tcp(relay.address).expect("relay")).expect("an answer"));
    app.expect_media_start();
    app.expect_event("STATUS");
}

/// With the default limits: the time after which an application that does not read is given up, and that it is heard
/// until then.
fn never_reads_for_minutes(t: &Context, format: &str, frame_bytes: usize) {
    t.allow_log("WebSocket connection given up: the application took nothing for 30000 ms");
    t.allow_log("the application reads too slowly");
    let options = format!("c({format})");
    let wired = wired(t, Way::ALL[0], &options);
    let partner = Partner::of(t, &wired.call, &options);
    partner.talk(&wired, frame_bytes, Duration::from_millis(100));
    let before = Usage::of(t);
    let ((heard, lasted, most), others) = bystander::during(t, || {
        wired.relay.hold_from_asterisk();
        let start = Instant::now();
        let mut most = before;
        let mut heard = Duration::ZERO;
        while start.elapsed() < long().unwrap_or_default() && wired.call.state().is_some() {
            let gap = partner.talk(&wired, frame_bytes, Duration::from_secs(1));
            // Nothing is heard after the end.
            if wired.call.state().is_some() {
                heard = heard.max(gap);
            }
            most = Usage::of(t);
        }
        (heard, start.elapsed(), most)
    });
    figures(
        t,
        format!(
            "long/never_reads {format}: {lasted:?}, still up: {}, longest gap in its own audio {heard:?}, waiting and dropped \
         {:?}, {}; others: {others}",
            wired.call.state().is_some(),
            waiting(t, &wired.call.name),
            most.since(&before),
        ),
    );
    if !t.is_ours() {
        return t.note(outcome(t, &wired.call));
    }
    others.expect_undisturbed();
    if wired.call.state().is_none() {
        let ending = wired.call.ending();
        assert_eq!((ending.cause, ending.tech_cause), (38, 1001));
    }
}
