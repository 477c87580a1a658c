//! The purpose of the technology: the thread of the WebSocket channel sleeps while its peer talks.

use std::collections::BTreeMap;
use std::fs;
use std::thread;
use std::time::Duration;

use super::super::harness::conf::InstanceConfig;
use super::super::harness::{Context, Suite};
use super::super::protocol::rtp::{self, Phone};
use super::{ROW, expect_technology};

pub fn tests(suite: &mut Suite) {
    suite.differs("bridge/sleeping/voice", ROW, voice).private_from(rtp::instance);
    suite.differs("bridge/sleeping/comfort_noise", ROW, comfort_noise).private_from(rtp::instance);
    suite
        .ours("bridge/sleeping/without", "the C module has no bridge technology", without)
        .private_from(|| queued(rtp::instance()));
}

fn queued(config: InstanceConfig) -> InstanceConfig {
    config.our_file("chan_websocket.conf", "[global]\ndirect_bridge = no\n")
}

/// The packets of one run.
const PACKETS: u16 = 100;

/// How often each thread that serves channels has waited so far, by thread id.
fn waits(t: &Context) -> BTreeMap<String, u64> {
    let tasks = fs::read_dir(format!("/proc/{}/task", t.asterisk.pid())).expect("tasks");
    let of_task = |task: std::io::Result<fs::DirEntry>| {
        let path = task.ok()?.path();
        let status = fs::read_to_string(path.join("status")).ok()?;
        let count = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
        // Other threads have names: ours, and the timer thread of pjproject, which RTP uses.
        let is_unnamed = fs::read_to_string(path.join("comm")).ok()?.trim() == "asterisk";
        is_unnamed.then_some(())?;
        Some((path.file_name()?.to_string_lossy().into_owned(), count.trim().parse().ok()?))
    };
    tasks.filter_map(of_task).collect()
}

/// A phone sends packets of this kind every 20 ms to an application that sends nothing. Returns how many threads woke
/// for most of them.
fn awake(t: &Context, technology: &str, kind: u8, payload: &[u8]) -> usize {
    let (call, app) = t.incoming_app("c(ulaw)");
    call.wait_up();
    let phone = Phone::new(t);
    t.ari().bridge(&[&call.id, &phone.call.id]);
    expect_technology(t, &call.id, technology);
    phone.send(0, true, 0, 0, &[0x55; 160]);
    app.collect_media(160);
    let before = waits(t);
    for number in 1..=PACKETS {
        phone.send(kind, false, number, u32::from(number) * 160, payload);
        thread::sleep(Duration::from_millis(20));
    }
    if kind == 0 {
        app.collect_media(usize::from(PACKETS) * 160);
    }
    let after = waits(t);
    let woke = |(thread, count): (&String, &u64)| count - before.get(thread).unwrap_or(count);
    after.iter().map(woke).filter(|waits| *waits > u64::from(PACKETS) * 3 / 5).count()
}

/// The phone's thread wakes; the application's thread does not.
fn voice(t: &Context) {
    let awake = awake(t, "websocket", 0, &[0x55; 160]);
    assert_eq!(awake, t.either(2, 1));
}

/// The driver does not use comfort noise.
fn comfort_noise(t: &Context) {
    let awake = awake(t, "websocket", 13, &[0x40]);
    assert_eq!(awake, t.either(2, 1));
}

/// Without the option both threads wake.
fn without(t: &Context) {
    assert_eq!(awake(t, "simple_bridge", 0, &[0x55; 160]), 2);
}
