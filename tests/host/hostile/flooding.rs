//! Applications and strangers that send as much as they can: memory stays bounded, nothing else is affected, the log is
//! not filled, and no connection is ended for being fast.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::super::connect::bystander;
use super::super::harness::app::Item;
use super::super::harness::http::UpgradeRequest;
use super::super::harness::wire::opcode;
use super::super::harness::{App, Context, Frame, InstanceConfig, Suite};
use super::usage::Usage;
use super::{beside, figures, lines, long, outcome, undisturbed};

pub fn tests(suite: &mut Suite) {
    for tls in [false, true] {
        for flood in FLOODS.iter().filter(|flood| !tls || flood.tls || long().is_some()) {
            let scheme = if tls { "wss" } else { "ws" };
            beside(suite, format!("hostile/flood/{scheme}/{}", flood.name), move |t| flooded(t, flood, tls))
                .private();
        }
    }
    beside(suite, "hostile/flood/never_reading", never_reading).private();
    beside(suite, "hostile/flood/large_behind_small", large_behind_small).private();
    beside(suite, "hostile/flood/wrong_ids", wrong_ids).private();
    beside(suite, "hostile/flood/right_id_wrong_request", wrong_requests).private();
    beside(suite, "hostile/flood/mute", mute).private();
    let origins = InstanceConfig::new()
        .our_file("chan_websocket.conf", "[global]\nincoming_origins = https://app.example\n");
    let forbidden = beside(suite, "hostile/flood/forbidden", forbidden);
    forbidden.private_with(origins);
    forbidden.spare_oracle("it has no such checks");
}

/// Messages of one kind, sent repeatedly.
struct Flood {
    name: &'static str,
    options: &'static str,
    /// Commands that are sent first.
    before: &'static [&'static str],
    /// A batch is sent every 10 ms.
    batch: fn() -> Vec<Frame>,
    /// Runs over TLS even in the short form.
    tls: bool,
}

/// 10,000 messages a second, if they are small.
fn hundred(frame: Frame) -> Vec<Frame> {
    vec![frame; 100]
}

const FLOODS: &[Flood] = &[
    Flood {
        name: "valid",
        options: "c(ulaw)",
        before: &[],
        batch: || hundred(Frame::text("GET_STATUS")),
        tls: true,
    },
    Flood {
        name: "invalid",
        options: "c(ulaw)",
        before: &[],
        batch: || hundred(Frame::text("NO_SUCH_COMMAND")),
        tls: false,
    },
    Flood {
        name: "not_allowed",
        options: "c(ulaw)d(in)",
        before: &[],
        batch: || hundred(Frame::text("START_MEDIA_BUFFERING")),
        tls: false,
    },
    Flood {
        name: "answer",
        options: "c(ulaw)",
        before: &[],
        batch: || hundred(Frame::text("ANSWER")),
        tls: false,
    },
    Flood {
        name: "nested_json",
        options: "c(ulaw)f(json)",
        before: &[],
        batch: || vec![Frame::text(&"[".repeat(60_000)), Frame::text(&"{\"a\":".repeat(10_000))],
        tls: false,
    },
    Flood {
        name: "large_json",
        options: "c(ulaw)f(json)",
        before: &[],
        batch: || {
            let keys: Vec<String> = (0..5000).map(|number| format!("\"{number}\":{number}")).collect();
            vec![Frame::text(&format!("{{\"command\":\"GET_STATUS\",{}}}", keys.join(",")))]
        },
        tls: false,
    },
    Flood {
        name: "pings",
        options: "c(ulaw)",
        before: &[],
        batch: || hundred(Frame::new(opcode::PING, [7; 16])),
        tls: true,
    },
    Flood {
        name: "one_byte_media",
        options: "c(ulaw)",
        before: &[],
        batch: || hundred(Frame::binary([0x55])),
        tls: false,
    },
    Flood {
        name: "one_byte_bulk",
        options: "c(ulaw)",
        before: &["START_MEDIA_BUFFERING"],
        batch: || hundred(Frame::binary([0x55])),
        tls: false,
    },
    Flood {
        name: "one_byte_unbuffered",
        options: "c(ulaw)u",
        before: &[],
        batch: || hundred(Frame::binary([0x55])),
        tls: false,
    },
    Flood {
        name: "empty",
        options: "c(ulaw)",
        before: &[],
        batch: || [vec![Frame::binary([]); 50], vec![Frame::text(""); 50]].concat(),
        tls: false,
    },
    Flood {
        name: "fragments",
        options: "c(ulaw)",
        before: &[],
        batch: || {
            let empty = Frame::new(opcode::CONTINUATION, []).not_last();
            let one = Frame::new(opcode::CONTINUATION, [0x55]).not_last();
            let first = Frame { opcode: opcode::BINARY, ..one.clone() };
            let last = Frame { fin: true, ..empty.clone() };
            [vec![first], vec![empty; 400], vec![one; 99], vec![last]].concat()
        },
        tls: true,
    },
    Flood {
        name: "marks",
        options: "c(ulaw)",
        before: &["PAUSE_MEDIA"],
        batch: || hundred(Frame::text("MARK_MEDIA one-of-many")),
        tls: false,
    },
];

/// The duration of one flood.
fn time() -> Duration {
    long().map_or(Duration::from_millis(1500), |time| time / 15)
}

/// The memory that the module may use for one such application and its unread answers.
const MEMORY_BYTES: u64 = 48 << 20;

/// Waits for the pong to a new ping: everything before it has been handled.
fn expect_alive(app: &App) {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let ping = format!("still there {}", NUMBER.fetch_add(1, Ordering::Relaxed));
    app.send_frames(&[Frame::new(opcode::PING, &*ping)]);
    let pong = |item: &Item| matches!(item, Item::Pong(payload) if payload == ping.as_bytes()).then_some(());
    assert!(app.wait_item(Duration::from_secs(20), pong).is_some(), "the call does not answer any more");
}

fn flooded(t: &Context, flood: &Flood, tls: bool) {
    undisturbed(t, flood.name, || {
        let call = t.incoming(flood.options);
        let id = call.connection_id();
        let app = if tls { t.connect_tls(&id) } else { t.connect(&id) };
        app.expect_media_start();
        for command in flood.before {
            app.command(command);
        }
        let batch: Vec<u8> = (flood.batch)().iter().flat_map(|frame| app.encode(frame)).collect();
        let before = Usage::of(t);
        let ((sent, spent), others) = bystander::during(t, || {
            let start = Instant::now();
            let mut sent: u32 = 0;
            while start.elapsed() < time() && app.send_what_fits(&batch, Duration::from_secs(5)) {
                sent += 1;
                let next = start + Duration::from_millis(10) * sent;
                thread::sleep(next.saturating_duration_since(Instant::now()));
            }
            if t.is_ours() {
                for _ in flood.before {
                    app.command("CONTINUE_MEDIA");
                }
                expect_alive(&app);
            }
            (sent, Usage::try_of(t).map(|now| now.since(&before)))
        });
        let spent_text = spent.map_or("Asterisk is gone".to_owned(), |spent| spent.to_string());
        figures(
            t,
            format!(
                "flood {:<20} {} {sent} batches in {:?}: {spent_text}, {} lines logged; others: {others}",
                flood.name,
                if tls { "wss" } else { "ws" },
                time(),
                lines(t)
            ),
        );
        if t.is_ours() {
            let spent = spent.expect("Asterisk");
            app.command("HANGUP");
            assert_eq!(call.ending().cause, 16);
            assert!(spent.grown_bytes < MEMORY_BYTES, "{spent}");
            assert!(lines(t) < 100, "{} lines logged", lines(t));
        } else {
            t.note(outcome(t, &call));
        }
        others
    });
}

/// The answers are kept up to a limit. Then Asterisk stops reading from the application until the application reads
/// again.
fn never_reading(t: &Context) {
    let (call, app) = t.incoming_app("c(ulaw)");
    app.stop_reading();
    let before = Usage::of(t);
    // The C module answers only valid commands, and only as many as fit into the kernel's buffers.
    let (command, most) = t.either(("GET_STATUS", 60), ("NO_SUCH_COMMAND", 1000));
    let bytes = app.encode(&Frame::text(command)).repeat(1000);
    let ((batches, spent), others) = bystander::during(t, || {
        let mut batches = 0;
        while batches < most && app.send_what_fits(&bytes, Duration::from_millis(500)) {
            batches += 1;
        }
        (batches, Usage::of(t).since(&before))
    });
    figures(t, format!("flood never_reading: stopped after {batches} batches: {spent}; others: {others}"));
    if !t.is_ours() {
        return t.note(outcome(t, &call));
    }
    others.expect_undisturbed();
    assert!(batches < most, "Asterisk goes on reading");
    assert!(spent.grown_bytes < MEMORY_BYTES, "{spent}");
    assert_eq!(call.state().as_deref(), Some("Up"));
}

/// Small messages that come after large ones do not keep the large ones in memory.
fn large_behind_small(t: &Context) {
    let (call, app) = t.incoming_app("c(ulaw)");
    app.command("PAUSE_MEDIA");
    let batch =
        [app.encode(&Frame::text(&"x".repeat(200_000))), app.encode(&Frame::binary([0x55; 160]))].concat();
    if !t.is_ours() {
        app.send_raw(&batch);
        return t.note(outcome(t, &call));
    }
    // From now on the buffers are allocated.
    (0..20).for_each(|_| app.send_raw(&batch));
    expect_alive(&app);
    let before = Usage::of(t);
    (0..800).for_each(|_| app.send_raw(&batch));
    expect_alive(&app);
    let spent = Usage::of(t).since(&before);
    figures(t, format!("flood large_behind_small: {spent}"));
    let text = t.asterisk.cli("websocket show channels");
    assert!(text.contains(" 16400 "), "the media is not there: {text}");
    assert!(spent.grown_bytes < 32 << 20, "{spent}");
}

/// Sends requests repeatedly from several threads, each on a new connection. Returns the statuses.
fn ask(t: &Context, count: usize, request: &(dyn Fn() -> UpgradeRequest + Sync)) -> Vec<u16> {
    const THREADS: usize = 8;
    let one = || t.send(&request()).status;
    thread::scope(|scope| {
        let work = || (0..count / THREADS).map(|_| one()).collect::<Vec<_>>();
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("thread")).collect()
    })
}

fn wrong_ids(t: &Context) {
    t.allow_log("not found");
    t.allow_log("could not be");
    let count = long().map_or(2000, |_| 5000);
    undisturbed(t, "wrong_ids", || {
        let (before, lines_before) = (Usage::of(t), lines(t));
        let ((statuses, spent), others) = bystander::during(t, || {
            let statuses = ask(t, count, &|| t.upgrade("3fb1f2a4-0000-4000-8000-000000000000"));
            (statuses, Usage::of(t).since(&before))
        });
        assert!(statuses.iter().all(|status| *status == 404));
        let logged = lines(t) - lines_before;
        figures(
            t,
            format!(
                "flood wrong_ids: {} requests, {spent}, {logged} lines logged; others: {others}",
                statuses.len()
            ),
        );
        if t.is_ours() {
            assert!(logged < 60, "{logged} lines");
            assert!(spent.grown_bytes < MEMORY_BYTES, "{spent}");
        }
        others
    });
}

/// With the id of a waiting call, the call keeps waiting whatever is requested. With the id of a connected call, the
/// call continues.
fn wrong_requests(t: &Context) {
    t.allow_log("refused the application's upgrade");
    t.allow_log("already connected");
    t.allow_log("not found");
    let waiting = t.incoming("c(ulaw)");
    let id = waiting.connection_id();
    let statuses = ask(t, 400, &|| t.upgrade(&id).without("Sec-WebSocket-Key"));
    assert!(statuses.iter().all(|status| *status == 400));
    let app = waiting.connect();
    app.expect_media_start();
    let statuses = ask(t, 400, &|| t.upgrade(&id));
    assert!(statuses.iter().all(|status| *status == 409));
    expect_alive(&app);
    figures(t, format!("flood right_id_wrong_request: {} lines logged", lines(t)));
    if t.is_ours() {
        assert!(lines(t) < 60, "{} lines", lines(t));
    }
    // Lines that were not logged are counted.
    app.command("HANGUP");
    waiting.ending();
    assert_eq!(t.send(&t.upgrade(&id)).status, 404);
}

/// The checks are made for every request, and do not use up the id.
fn forbidden(t: &Context) {
    t.allow_log("refused");
    t.allow_log("not found");
    let call = t.incoming("c(ulaw)");
    let id = call.connection_id();
    let statuses = ask(t, 800, &|| t.upgrade(&id).header("Origin", "https://evil.example"));
    assert!(statuses.iter().all(|status| *status == 403));
    assert!(lines(t) < 60, "{} lines", lines(t));
    t.app(t.send(&t.upgrade(&id).header("Origin", "https://app.example"))).expect_media_start();
}

/// Connections that request nothing, or send half of a request, are handled by Asterisk's HTTP server, with a thread
/// each. They use nothing of our module, and a connected call is not affected.
fn mute(t: &Context) {
    let ours = || {
        let names = t.asterisk.resources().threads;
        names.into_iter().filter(|name| name.starts_with("ws-")).collect::<Vec<_>>()
    };
    let (call, app) = t.incoming_app("c(ulaw)");
    let before = ours();
    let (mute, others) = bystander::during(t, || {
        let connect = |number: usize| {
            let mut stream = TcpStream::connect(t.asterisk.http).expect("HTTP server");
            if number.is_multiple_of(2) {
                stream.write_all(&t.upgrade("x").encode()[..60]).expect("send");
            }
            stream
        };
        let mute: Vec<TcpStream> = (0..100).map(connect).collect();
        thread::sleep(Duration::from_millis(500));
        expect_alive(&app);
        mute
    });
    figures(t, format!("flood mute: {} connections; others: {others}", mute.len()));
    others.expect_undisturbed();
    assert_eq!(ours(), before);
    // The connections are unchanged: there was no answer.
    mute[1].set_nonblocking(true).expect("nonblocking");
    assert!((&mute[1]).read(&mut [0; 16]).is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock));
    assert_eq!(call.state().as_deref(), Some("Up"));
}
