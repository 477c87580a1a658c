//! A thread of the module is stuck: the log says so, and says when it continues. Silent calls, a stopped process and no
//! calls at all are not reported, and without calls the watchdog does not check.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use super::super::harness::{App, Context, InstanceConfig, Suite, wait};
use super::super::media::noise;

/// How long threads are paused, and how long they may be: `Patience` of src/net/watchdog.rs.
const PAUSE_MS: u64 = 9000;
const LIMIT: Duration = Duration::from_secs(5);

pub fn tests(suite: &mut Suite) {
    const WHY: &str = "the C module has no threads of its own";
    for (thread, point, body) in [
        ("reactor", "command", reactor as fn(&Context)),
        ("jobs", "start", jobs),
        ("connector", "connected", connector),
    ] {
        suite
            .ours(format!("life/watchdog/{thread}"), WHY, body)
            .private_with(InstanceConfig::new().fault(&format!("{point}={PAUSE_MS}")));
    }
    suite.ours("life/watchdog/quiet", WHY, quiet).private();
}

/// The value of `threads_stuck` in `websocket show stats`.
#[track_caller]
pub(super) fn stuck(t: &Context) -> u32 {
    let text = t.asterisk.cli("websocket show stats");
    let line = text.lines().find_map(|line| line.strip_prefix("threads_stuck "));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_else(|| panic!("{text}"))
}

/// From `begin` on this thread is stuck in this work, and continues afterwards: one line for each.
fn expect_standstill(t: &Context, begin: Instant, thread: &str, with: &str) {
    let lines = |what: &str| {
        let log = t.asterisk.log.since(t.log_mark);
        log.lines().filter(|line| line.contains("] ERROR[") && line.contains(what)).count()
    };
    assert_eq!(stuck(t), 0);
    wait::until("the standstill is found", || stuck(t) == 1);
    assert!(begin.elapsed() >= LIMIT, "after {:?}", begin.elapsed());
    let line = t.wait_log(&["ERROR", "has not come round for"]);
    assert!(line.contains(&format!("thread {thread}")) && line.contains(with), "{line}");
    wait::until("the thread goes on", || stuck(t) == 0);
    let line = t.wait_log(&["ERROR", "comes round again after"]);
    assert!(line.contains(&format!("thread {thread}")), "{line}");
    assert_eq!((lines("has not come round"), lines("comes round again")), (1, 1));
}

fn allow(t: &Context) {
    t.allow_log("has not come round for");
    t.allow_log("comes round again after");
}

fn ends(app: &App) {
    app.command("HANGUP");
    assert_eq!(app.expect_close(), 1000);
}

fn reactor(t: &Context) {
    allow(t);
    let (call, app) = t.incoming_echo("c(ulaw)");
    let begin = Instant::now();
    app.command("GET_STATUS");
    expect_standstill(t, begin, "ws-reactor-", "carries 1 connections");
    app.expect_event("STATUS");
    ends(&app);
    assert_eq!(call.ending().cause, 16);
}

fn jobs(t: &Context) {
    allow(t);
    let call = t.incoming("c(ulaw)");
    let begin = Instant::now();
    let app = call.connect();
    expect_standstill(t, begin, "ws-jobs", "carries 1 jobs");
    app.expect_media_start();
    ends(&app);
    assert_eq!(call.ending().cause, 16);
}

fn connector(t: &Context) {
    allow(t);
    let server = t.server(&[]);
    let begin = Instant::now();
    let call = t.call(&format!("WebSocket/{}/c(ulaw)", server.client)).originate();
    let app = server.accept();
    expect_standstill(t, begin, "ws-connector", "carries 0 calls");
    app.expect_media_start();
    ends(&app);
    assert_eq!(call.ending().cause, 16);
}

/// How often the watchdog's thread has gone to sleep.
fn wakes(t: &Context) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{}/task", t.asterisk.pid())).expect("threads");
    let status = tasks
        .flatten()
        .filter_map(|task| fs::read_to_string(task.path().join("status")).ok())
        .find(|status| status.starts_with("Name:\tws-watchdog\n"))
        .expect("the watchdog's thread");
    let count = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    count.and_then(|count| count.trim().parse().ok()).expect("a number")
}

/// A warning or an error from the watchdog would fail this test.
fn quiet(t: &Context) {
    let (pause, short_pause) = (LIMIT + Duration::from_secs(3), Duration::from_secs(3));
    let before = wakes(t);
    thread::sleep(short_pause);
    assert_eq!(wakes(t), before, "without calls it wakes");
    let (call, app) = t.incoming_echo("c(ulaw)");
    let waiting = t.incoming("c(ulaw)");
    let before = wakes(t);
    thread::sleep(pause);
    let looks = wakes(t) - before;
    assert!((5..20).contains(&looks), "with calls it looks once a second, not {looks} times");
    t.asterisk.signal("STOP");
    thread::sleep(pause);
    t.asterisk.signal("CONT");
    thread::sleep(short_pause);
    assert_eq!(stuck(t), 0);
    let media = noise(1600);
    app.send_media(&media);
    assert_eq!(app.collect_media(1600), media);
    ends(&app);
    assert_eq!(call.ending().cause, 16);
    drop((app, waiting));
    t.asterisk.settled();
    // The check that finds nothing left to watch.
    thread::sleep(Duration::from_millis(1500));
    let before = wakes(t);
    thread::sleep(short_pause);
    assert_eq!(wakes(t), before, "without calls it wakes again");
}
