//! The cost of calls besides processor time: files, threads, ports and memory, by the formulas of docs/scaling.md.

use std::env;
use std::fs;

use super::super::harness::asterisk::Resources;
use super::super::harness::call::Call;
use super::super::harness::{App, Context, Suite, wait};
use super::{dial_string, instance};

pub fn tests(suite: &mut Suite) {
    suite.ours("connect/scale", "what ours needs is what is asserted", scale).private_from(instance);
}

/// Files and threads for each call whose other leg is an application of the dialplan.
const FILES: usize = 4;
const THREADS: usize = 1;

/// Sessions of the HTTP server, which come and go: a file and a thread each, independent of the number of calls.
const SESSIONS: usize = 8;

/// The most KiB of resident memory for each such call, and for all calls together.
const MEMORY_KIB: usize = 64;
const MEMORY_ONCE_KIB: usize = 4 * 1024;

/// The numbers of calls to check, in rising order: HOST_SCALE, or a number from which the formulas were not derived.
fn points() -> Vec<usize> {
    let points = env::var("HOST_SCALE").unwrap_or_else(|_| "150".to_owned());
    points.split(',').map(|point| point.parse().expect("HOST_SCALE: numbers with commas between")).collect()
}

/// Resources that Asterisk uses.
struct Usage {
    files: usize,
    threads: usize,
    memory_kib: usize,
}

fn usage(t: &Context) -> Usage {
    t.asterisk.cli("malloc trim");
    let status = fs::read_to_string(format!("/proc/{}/status", t.asterisk.pid())).expect("status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    let memory_kib = line.split_whitespace().next().and_then(|number| number.parse().ok()).expect("a number");
    let Resources { files, threads } = t.asterisk.resources();
    Usage { files: files.len(), threads: threads.len(), memory_kib }
}

/// A rising number of calls that carry media both ways.
fn scale(t: &Context) {
    t.allow_log("queue reached 500 scheduled tasks");
    let server = t.server(&[]);
    let dial = dial_string(&server.client);
    let begin = || {
        let call = t.call(&dial).extension("echo").originate();
        let app = server.accept();
        app.expect_media_start();
        (call, app)
    };
    // The first call starts threads that all calls share.
    let mut calls: Vec<(Call<'_>, App)> = vec![begin()];
    let echoes = |app: &App| {
        app.send_media(&[0x55; 320]);
        assert_eq!(app.collect_media(320), [0x55; 320]);
    };
    calls.iter().for_each(|(_, app)| echoes(app));
    let one = usage(t);
    for point in points() {
        calls.extend((calls.len()..point).map(|_| begin()));
        calls.iter().for_each(|(_, app)| echoes(app));
        let more = point - 1;
        let expected = (one.files + FILES * more, one.threads + THREADS * more);
        let fits = |now: &Usage| {
            now.files.abs_diff(expected.0) <= SESSIONS && now.threads.abs_diff(expected.1) <= SESSIONS
        };
        let settled = || Some(usage(t)).filter(fits);
        let now = wait::poll(wait::PATIENCE, settled).unwrap_or_else(|| {
            let now = usage(t);
            panic!(
                "{point} calls: {} files and {} threads, and not about {expected:?}",
                now.files, now.threads
            )
        });
        let memory = now.memory_kib.saturating_sub(one.memory_kib);
        println!(
            "{point} calls: {} files, {} threads, {memory} KiB more than one call ({} KiB)",
            now.files, now.threads, one.memory_kib
        );
        assert!(memory <= MEMORY_ONCE_KIB + MEMORY_KIB * more, "{point} calls: {memory} KiB");
    }
    for (_, app) in &calls {
        app.command("HANGUP");
    }
    for (_, app) in &calls {
        assert_eq!(app.expect_close(), 1000);
    }
}
