//! The process runs out of a resource, is stopped for a while, or its clock is changed.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::super::harness::call::Call;
use super::super::harness::conf::DRIVER;
use super::super::harness::http::Response;
use super::super::harness::server::AppServer;
use super::super::harness::{App, Context, Frame, InstanceConfig, Reply, Suite, wait};
use super::super::media::noise;
use super::beside;
use super::shim::{Control, Field};

pub fn tests(suite: &mut Suite) {
    const WHY: &str = "the C module starts no threads";
    beside(suite, "life/resources/descriptors", descriptors).private();
    beside(suite, "life/resources/file_size", file_size).private();
    suite
        .ours(
            "life/resources/incoming_timeout_holds_nothing",
            "the C module has no such timeout",
            holds_nothing,
        )
        .private_with(
            InstanceConfig::new().our_file("chan_websocket.conf", "[global]\nincoming_timeout = 60\n"),
        );
    suite
        .ours("life/resources/threads_at_load", WHY, threads)
        .private_from(|| Control::preload(InstanceConfig::new().without(DRIVER)));
    suite.ours("life/resources/threads_of_calls", WHY, threads_of_calls).private_from(preloaded);
    beside(suite, "life/resources/memory", memory).private_from(preloaded);
    beside(suite, "life/resources/clock_jumps", clock_jumps).private_from(preloaded);
    suite
        .ours("life/resources/polls", "the C module polls each call by itself", polls)
        .private_from(|| preloaded().our_file("chan_websocket.conf", "[global]\nreactor_threads = 1\n"));
    // The C module has none of these timeouts.
    beside(suite, "life/resources/stopped", stopped).private_with(InstanceConfig::new().our_file(
        "chan_websocket.conf",
        "[global]\nwrite_timeout = 3000\nhandshake_timeout = 3000\nincoming_timeout = 5\n\
             enable_pingpongs = yes\npingpong_interval = 2\npingpong_probes = 1\n",
    ));
}

fn preloaded() -> InstanceConfig {
    Control::preload(InstanceConfig::new())
}

/// The kernel refuses to poll more descriptors (fs.epoll.max_user_watches): new calls end with a line in the log. A
/// busy reactor changes how it polls the socket of a call that sends commands. If that is refused, the socket is polled
/// as before, and the call ends only if that is refused, too.
fn polls(t: &Context) {
    t.allow_log("cannot poll a connection");
    t.allow_log("stays polled as it was");
    let control = Control::of(t);
    let ending = |call: &Call<'_>| {
        let ending = call.ending();
        assert_eq!((ending.cause, ending.tech_cause), (38, 1006));
    };
    let (up, app) = t.incoming_echo("c(ulaw)");
    control.set(Field::PollsDenied, 1);
    let call = t.incoming("c(ulaw)");
    let refused = call.connect();
    ending(&call);
    refused.expect_media_start();
    refused.expect_end();
    t.wait_log(&["ERROR", "cannot poll a connection"]);
    control.set(Field::PollsDenied, 1);
    let server = t.server(&[]);
    let call = t.call(&format!("WebSocket/{}/c(ulaw)", server.client)).originate();
    let refused = server.accept();
    ending(&call);
    refused.expect_media_start();
    refused.expect_end();
    assert_eq!(control.get(Field::PollsDenied), 0);

    // A call that is up and has sent nothing yet.
    while_busy(t, || {
        control.set(Field::PollsDenied, 1);
        talks(&app);
        t.wait_log(&["WARNING", "stays polled as it was"]);
        assert_eq!(control.get(Field::PollsDenied), 0);
        talks(&app);
        let (last, app) = t.incoming_echo("c(ulaw)");
        control.set(Field::PollsDenied, 2);
        app.command("GET_STATUS");
        ending(&last);
    });
    assert_eq!(up.state().as_deref(), Some("Up"));
    next_call(t);
}

/// Runs `work` beside calls with so many small messages that their reactor checks its sockets only after ticks. It
/// keeps doing so even if it can check only every 40 ms.
fn while_busy(t: &Context, work: impl FnOnce()) {
    let calls: Vec<_> = (0..8).map(|_| t.incoming_echo("c(ulaw)")).collect();
    let talks = AtomicBool::new(true);
    thread::scope(|scope| {
        scope.spawn(|| {
            while talks.load(Ordering::Relaxed) {
                calls.iter().for_each(|(_, app)| app.send_media(&[0x7f; 8]));
                thread::sleep(Duration::from_millis(3));
            }
        });
        thread::sleep(Duration::from_millis(300));
        let result = catch_unwind(AssertUnwindSafe(work));
        talks.store(false, Ordering::Relaxed);
        result.unwrap_or_else(|panic| resume_unwind(panic));
    });
    for (call, app) in calls {
        app.command("HANGUP");
        app.rest();
        call.ending();
    }
}

#[track_caller]
fn talks(app: &App) {
    let media = noise(1600);
    app.send_media(&media);
    assert_eq!(app.collect_media(1600), media);
    app.command("GET_STATUS");
    app.expect_event("STATUS");
}

/// A new call works as usual.
#[track_caller]
pub(super) fn next_call(t: &Context) {
    let (call, app) = t.incoming_echo("c(ulaw)");
    talks(&app);
    app.command("HANGUP");
    assert_eq!(app.expect_close(), 1000);
    assert_eq!(call.ending().cause, 16);
    let server = t.server(&[]);
    let call = t.call(&format!("WebSocket/{}/c(ulaw)", server.client)).extension("echo").originate();
    let app = server.accept();
    app.expect_media_start();
    app.command("HANGUP");
    assert_eq!(app.expect_close(), 1000);
    assert_eq!(call.ending().cause, 16);
}

fn limit(t: &Context, what: &str, value: usize) {
    let pid = t.asterisk.pid().to_string();
    let limit = format!("--{what}={value}:");
    let status = Command::new("prlimit").args(["--pid", &pid, &limit]).status();
    assert!(status.is_ok_and(|status| status.success()), "prlimit {limit}");
}

/// The processor time of the module's own threads, in clock ticks (of 10 ms).
fn own_ticks(t: &Context) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{}/task", t.asterisk.pid())).expect("threads");
    let ticks = |task: fs::DirEntry| {
        let stat = fs::read_to_string(task.path().join("stat")).ok()?;
        let (name, rest) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let used: u64 = fields[11].parse::<u64>().ok()? + fields[12].parse::<u64>().ok()?;
        name.contains("(ws-").then_some(used)
    };
    tasks.flatten().filter_map(ticks).sum()
}

/// With no descriptor left, with one left and so on: new calls fail or work, existing calls continue, and everything
/// works again afterwards.
fn descriptors(t: &Context) {
    t.allow_log("");
    let (call, app) = t.incoming_echo("c(ulaw)");
    let server = t.server(&[("reconnect_attempts", "1")]);
    next_call(t);
    talks(&app);
    let before = t.asterisk.resources();
    let mut failed = 0;
    // The operator's command itself needs three.
    for number in 6..30 {
        let (spare, dial) = (number / 2, if number % 2 == 0 { "INCOMING" } else { &server.client });
        limit(t, "nofile", before.files.len() + spare);
        let (ticks, mark) = (own_ticks(t), t.asterisk.log.len());
        let command = format!("channel originate WebSocket/{dial}/c(ulaw) extension echo@harness");
        let _ = t.asterisk.try_cli(&command);
        talks(&app);
        let log = t.asterisk.log.since(mark);
        failed += usize::from(log.contains("cannot make a clock") || log.contains("allocate channel"));
        let used = own_ticks(t) - ticks;
        assert!(used < 20, "with {spare} to spare the module's threads took {used} ticks");
        limit(t, "nofile", 4096);
        wait::until("the other calls are gone", || {
            let channels = t.asterisk.cli("core show channels concise");
            let names = channels.lines().filter_map(|line| line.split('!').next());
            let others: Vec<&str> = names.filter(|name| name.contains('/') && *name != call.name).collect();
            for name in &others {
                t.asterisk.cli(&format!("channel request hangup {name}"));
            }
            others.is_empty()
        });
    }
    assert!(failed > 2, "{failed} calls met it");
    no_socket(t);
    talks(&app);
    app.command("HANGUP");
    assert_eq!(app.expect_close(), 1000);
    assert_eq!(call.ending().cause, 16);
    next_call(t);
    t.asterisk.expect_no_more_than(&before);
}

/// The second attempt of an outgoing call finds no free descriptor.
fn no_socket(t: &Context) {
    let gone = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("listen").local_addr().expect("address");
    let (client, uri) = (t.unique("gone"), format!("ws://{gone}/media"));
    let options = [("uri", &*uri), ("reconnect_attempts", "2"), ("reconnect_interval", "2000")];
    t.asterisk.add_client(&client, &options);
    let call = t.call(&format!("WebSocket/{client}/c(ulaw)")).originate();
    // After the first attempt.
    thread::sleep(Duration::from_millis(300));
    // The kernel limits the numbers of descriptors, not their count.
    limit(t, "nofile", 4);
    assert_eq!(call.ending().cause, 3);
    t.wait_log(&["WARNING", "connection failed", &client, "os error 24"]);
    let ticks = own_ticks(t);
    thread::sleep(Duration::from_millis(500));
    let used = own_ticks(t) - ticks;
    assert!(used < 10, "without descriptors the module's threads took {used} ticks");
    limit(t, "nofile", 4096);
}

/// No file can be written any more: neither the log nor the database.
fn file_size(t: &Context) {
    let (call, app) = t.incoming_echo("c(ulaw)");
    talks(&app);
    limit(t, "fsize", 1);
    // Causes something to be logged each time.
    for _ in 0..20 {
        let _ = t.send(&t.upgrade("nobody"));
    }
    t.allow_log("WebSocket instance not found");
    app.command("HANGUP");
    assert_eq!(app.expect_close(), 1000);
    assert_eq!(call.ending().cause, 16);
    next_call(t);
    limit(t, "fsize", 1 << 30);
    next_call(t);
}

/// Calls that ended before their incoming_timeout keep neither memory nor a descriptor until it expires.
fn holds_nothing(t: &Context) {
    next_call(t);
    let before = t.asterisk.settled();
    for _ in 0..30 {
        t.incoming("c(ulaw)").hangup();
    }
    t.asterisk.expect_no_more_than(&before);
}

/// Loading with too few threads is declined and leaves nothing behind; with enough threads it works.
fn threads(t: &Context) {
    t.allow_log("declines to load");
    t.allow_log("loader.c");
    let control = Control::of(t);
    let before = t.asterisk.settled();
    control.set(Field::ThreadsDenied, 1);
    let mut declined = 0;
    for left in 0..16 {
        control.set(Field::ThreadsLeft, left);
        let mark = t.asterisk.log.len();
        if t.asterisk.driver("load").contains("Loaded") {
            break;
        }
        declined += 1;
        t.asterisk.log.wait_since(mark, &["ERROR", "declines to load", "cannot start its threads"]);
        t.asterisk.expect_no_more_than(&before);
    }
    // The module needs at least a reactor, the connector and the job thread.
    assert!((3..16).contains(&declined), "declined {declined} times");
    control.set(Field::ThreadsDenied, 0);
    next_call(t);
}

/// There is no thread to resolve the name for an outgoing call: the call fails, with its cause.
fn threads_of_calls(t: &Context) {
    let control = Control::of(t);
    let server = t.server(&[("uri", "ws://localhost:{port}/media")]);
    t.allow_log("connection failed");
    control.set(Field::ThreadsDenied, 1);
    let call = t.call(&format!("WebSocket/{}/c(ulaw)", server.client)).originate();
    assert_eq!(call.ending().cause, 3);
    t.wait_log(&["WARNING", "connection failed", "no thread can be started"]);
    // A call that needs no thread is not affected.
    let (call, app) = t.incoming_echo("c(ulaw)");
    talks(&app);
    call.hangup();
    control.set(Field::ThreadsDenied, 0);
    next_call(t);
}

/// One after the other, each allocation that the core makes for the module fails, from the request to the end of a call
/// in either role. (The module's own allocations are Rust's, which end the process when they fail.)
fn memory(t: &Context) {
    t.allow_log("");
    let control = Control::of(t);
    let server = t.server(&[("reconnect_attempts", "1")]);
    next_call(t);
    for (role, endpoint) in [
        ("incoming", "INCOMING/c(ulaw)f(json)".to_owned()),
        ("outgoing", format!("{}/c(ulaw)", server.client)),
    ] {
        let (mut number, mut met, mut ended) = (0, 0, 0);
        loop {
            number += 1;
            control.set(Field::Seen, 0);
            control.set(Field::Failed, 0);
            control.set(Field::FailAt, number);
            let whole = try_call(t, &endpoint, role == "outgoing", &server);
            control.set(Field::FailAt, 0);
            assert!(t.asterisk.is_running(), "{role}: Asterisk ended at allocation {number}");
            if control.get(Field::Failed) == 0 {
                assert!(whole, "{role}: nothing failed, and yet the call did");
                break;
            }
            met += 1;
            ended += usize::from(!whole);
        }
        println!("memory: {role}: {met} allocations failed, {ended} of the calls with them");
        assert!(met > 10, "{role}: only {met} allocations");
        next_call(t);
    }
    assert_eq!(t.asterisk.driver_status().map(|status| status.use_count), Some(0));
}

/// Makes a call that may fail anywhere. Returns whether it succeeded.
fn try_call(t: &Context, endpoint: &str, outgoing: bool, server: &AppServer) -> bool {
    let answer = t.call(&format!("WebSocket/{endpoint}")).extension("echo").try_originate();
    let Some(id) = (answer.status == 200).then(|| answer.body["id"].as_str().unwrap_or_default().to_owned())
    else {
        return false;
    };
    let app = if outgoing {
        server.try_accept(Duration::from_secs(2))
    } else {
        let connection_id = t.ari().variable(&id, "MEDIA_WEBSOCKET_CONNECTION_ID");
        let response = connection_id.and_then(|id| t.upgrade(&id).send(t.http()).ok());
        response.filter(|response| response.status == 101).map(|response| t.app(response))
    };
    let mut whole = false;
    if let Some(app) = &app {
        // The call may end at any time.
        let send = |frame: Frame| app.try_send_raw(&Frame { masked: !outgoing, ..frame }.encode());
        let started = app.next_event(Duration::from_secs(2)).is_some();
        let _ = send(Frame::binary([0x55; 160]));
        let heard = app.collect_media_for(160, Duration::from_millis(500)).len();
        let _ = send(Frame::text("HANGUP"));
        whole = started && heard == 160;
    }
    let _ = t.ari().delete(&format!("channels/{id}"), &[]);
    // Not by ARI: Asterisk does not take a channel out of ARI's cache if it has no memory for the last snapshot, which our job
    // thread causes when its reference is the last one.
    let gone = wait::poll(Duration::from_secs(5), || t.asterisk.try_has_no_channels().ok()?.then_some(()));
    assert!(gone.is_some(), "the channel stays");
    whole
}

/// The wall clock jumps an hour ahead and two hours back: media keeps its pace, and timeouts their length.
fn clock_jumps(t: &Context) {
    let control = Control::of(t);
    let (call, app) = t.incoming_echo("c(ulaw)");
    talks(&app);
    for offset_s in [0, 3600, -3600] {
        control.set(Field::WallOffset, offset_s);
        let media = noise(160 * 50);
        let start = Instant::now();
        app.send_media(&media);
        assert_eq!(app.collect_media(media.len()), media);
        let took = start.elapsed();
        assert!(
            took >= Duration::from_millis(970) && took < Duration::from_secs(5),
            "{offset_s} s: {took:?}"
        );
        app.command("GET_STATUS");
        app.expect_event("STATUS");
        next_call(t);
    }
    app.command("HANGUP");
    assert_eq!(app.expect_close(), 1000);
    assert_eq!(call.ending().cause, 16);
}

/// The process is stopped for longer than any timeout. No call is ended because of what happened, or did not happen,
/// meanwhile.
fn stopped(t: &Context) {
    let up = t.incoming_echo("c(ulaw)");
    let (asked, requests) = std::sync::mpsc::channel();
    let server =
        t.server_with(&[("reconnect_attempts", "1"), ("connection_timeout", "3000")], move |_, _| {
            let _ = asked.send(());
            // While Asterisk does not run.
            thread::sleep(Duration::from_secs(4));
            Reply::Accept
        });
    let playing = t.incoming_echo("c(ulaw)");
    playing.1.command("START_MEDIA_BUFFERING");
    playing.1.send_media(&noise(160 * 200));
    playing.1.command("STOP_MEDIA_BUFFERING done");
    let connecting = t.call(&format!("WebSocket/{}/c(ulaw)", server.client)).extension("echo").originate();
    let waiting = t.incoming("c(ulaw)");
    let request = t.upgrade(&waiting.connection_id());
    requests.recv_timeout(wait::PATIENCE).expect("Asterisk asks for the upgrade");
    t.asterisk.signal("STOP");
    let late = thread::scope(|scope| {
        let late = scope.spawn(|| {
            thread::sleep(Duration::from_secs(2));
            let mut stream = t.http();
            stream.set_timeout(Some(Duration::from_secs(30))).expect("timeout");
            std::io::Write::write_all(&mut stream, &request.encode()).expect("into the backlog");
            Response::read(stream).expect("an answer once it runs again")
        });
        thread::sleep(Duration::from_secs(11));
        t.asterisk.signal("CONT");
        late.join().expect("the app that came meanwhile")
    });
    let app = t.app(late);
    app.expect_media_start();
    let outgoing = server.accept();
    outgoing.expect_media_start();
    for app in [&up.1, &app, &outgoing] {
        app.command("GET_STATUS");
        app.expect_event("STATUS");
    }
    talks(&up.1);
    // Queued media is played from where it stopped.
    playing.1.expect_event("MEDIA_BUFFERING_COMPLETED");
    assert_eq!(playing.1.collect_media(160 * 200), noise(160 * 200));
    // Again longer than all timeouts.
    thread::sleep(Duration::from_secs(5));
    for (app, call) in [(&up.1, &up.0), (&app, &waiting), (&outgoing, &connecting), (&playing.1, &playing.0)]
    {
        app.command("HANGUP");
        assert_eq!(app.expect_close(), 1000);
        assert_eq!(call.ending().cause, 16);
    }
}
