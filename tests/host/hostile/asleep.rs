//! A waiting connection uses no processor time, whatever it waits for.

use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;
use rustix::net::SendFlags;

use super::super::harness::wire::opcode;
use super::super::harness::{Context, Frame, InstanceConfig, Suite};
use super::stalling::fill;
use super::usage::Usage;
use super::{Partner, Way, Wired, beside, figures, long, outcomes, overfill, wired};

pub fn tests(suite: &mut Suite) {
    let all = beside(suite, "hostile/asleep/all", |t| asleep(t, "all", STALLS));
    all.private_with(instance());
    all.spare_oracle("see one by one");
    if long().is_some() {
        for stall in STALLS {
            let (name, one) = (stall.0, std::slice::from_ref(stall));
            beside(suite, format!("hostile/asleep/{name}"), move |t| asleep(t, name, one))
                .private_with(instance());
        }
    }
}

/// With timeouts longer than the test.
fn instance() -> InstanceConfig {
    InstanceConfig::new()
        .our_file("chan_websocket.conf", "[global]\nwrite_timeout = 60000\nclose_timeout = 60000\n")
}

static REQUESTS: Mutex<Vec<TcpStream>> = Mutex::new(Vec::new());

type Stall = fn(&Context, &Wired<'_>);

/// The states in which a connection is left.
const STALLS: &[(&str, Stall)] = &[
    ("idle", |_, _| {}),
    ("half_a_header", |_, wired| wired.app.send_raw(&[0x82])),
    ("half_a_payload", |_, wired| wired.app.send_raw(&wired.app.encode(&Frame::binary([7; 160]))[..80])),
    ("half_a_message", |_, wired| wired.app.send_frames(&[Frame::binary([7; 160]).not_last()])),
    ("half_a_record", |_, wired| {
        wired.relay.only(20);
        wired.app.send_media(&[7; 160]);
    }),
    ("urgent", |_, wired| {
        assert_eq!(rustix::net::send(wired.relay.asterisk(), b"!", SendFlags::OOB), Ok(1));
    }),
    ("paused", |_, wired| {
        wired.app.command("PAUSE_MEDIA");
        wired.app.send_media(&[0x55; 16_000]);
        wired.app.command("REPORT_QUEUE_DRAINED");
    }),
    ("takes_no_answers", |_, wired| flood(wired, &Frame::text("GET_STATUS"))),
    ("takes_no_pongs", |_, wired| flood(wired, &Frame::new(opcode::PING, [1; 125]))),
    ("takes_nothing", |t, wired| takes_nothing(t, wired)),
    ("closing_and_takes_nothing", |t, wired| {
        takes_nothing(t, wired);
        wired.app.send_raw(&wired.app.encode(&Frame::close(Some(1000), "")));
    }),
    ("at_fault_and_takes_nothing", |t, wired| {
        takes_nothing(t, wired);
        wired.app.send_raw(&[0xff; 16]);
    }),
    ("half_closed_and_takes_nothing", |t, wired| {
        takes_nothing(t, wired);
        wired.relay.asterisk().shutdown(Shutdown::Write).expect("shutdown");
    }),
    ("hung_up_and_takes_no_answers", |_, wired| {
        flood(wired, &Frame::text("GET_STATUS"));
        wired.call.hangup();
    }),
    ("hung_up_and_no_close_frame", |_, wired| {
        wired.relay.only(0);
        wired.call.hangup();
    }),
    ("half_a_request", |t, _| {
        let mut stream = TcpStream::connect(t.asterisk.http).expect("HTTP server");
        stream.write_all(b"GET /media/x HTTP/1.1\r\nUpgrade: web").expect("send");
        // Asterisk's own HTTP server has it, and must keep it while the test measures.
        REQUESTS.lock().push(stream);
    }),
];

/// Stops reading, and sends requests until Asterisk stops reading.
fn flood(wired: &Wired<'_>, frame: &Frame) {
    wired.relay.hold_from_asterisk();
    let bytes = wired.app.encode(frame).repeat(2000);
    for _ in 0..50 {
        if !wired.app.send_what_fits(&bytes, Duration::from_millis(300)) {
            return;
        }
    }
}

/// Stops reading, while Asterisk still reads.
fn takes_nothing(t: &Context, wired: &Wired<'_>) {
    let partner = Partner::of(t, &wired.call, "c(ulaw)");
    wired.relay.hold_from_asterisk();
    if t.is_ours() { fill(t, wired, Some(&partner)) } else { overfill(&wired.app) }
}

/// Allows for the idle work of the process itself.
fn asleep(t: &Context, name: &str, stalls: &[(&str, Stall)]) {
    t.allow_log("WebSocket protocol fault");
    t.allow_log("the application reads too slowly");
    // Both roles and both kinds of socket.
    let ways = [Way { outgoing: false, tls: true }, Way { outgoing: true, tls: false }];
    let mut all = Vec::new();
    for (_, stall) in stalls {
        for way in ways {
            let wired = wired(t, way, "c(ulaw)");
            stall(t, &wired);
            all.push(wired);
        }
    }
    thread::sleep(Duration::from_millis(500));
    let before = Usage::of(t);
    thread::sleep(Duration::from_secs(2));
    let spent = Usage::of(t).since(&before);
    figures(t, format!("asleep {name}, {} connections: {spent}", all.len()));
    if t.is_ours() {
        assert!(spent.cores < 0.04, "{name}: {spent}");
    } else {
        t.note(outcomes(t, all.iter().map(|wired| &wired.call)));
    }
}
