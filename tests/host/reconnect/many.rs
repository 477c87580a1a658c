//! Many losses of one call, and of many calls at once: nothing remains, and other calls are not affected.

use std::time::{Duration, Instant};

use super::super::connect::bystander;
use super::super::harness::asterisk::Resources;
use super::super::harness::call::Call;
use super::super::harness::{App, Context, InstanceConfig, Suite, wait};
use super::{Line, Role, Server, WHY, WINDOW, expect_reconnected, hang_up, instance};

pub fn tests(suite: &mut Suite) {
    for (role, cycles) in [(Role::Incoming, 1000), (Role::Outgoing, 200)] {
        suite
            .ours(format!("reconnect/cycles/{}", role.name()), WHY, move |t| repeatedly(t, role, cycles))
            .private_with(without_events());
    }
    suite.ours("reconnect/many", WHY, many).private_with(instance());
}

/// AMI keeps events for some seconds, which would be most of the measured memory.
fn without_events() -> InstanceConfig {
    let global = format!("[global]\nincoming_reconnect = {WINDOW}\nmanager_events = none\n");
    instance().our_file("chan_websocket.conf", &global)
}

/// Threads and descriptors of an Asterisk that has had a call.
fn settled(t: &Context) -> Resources {
    let (line, app) = Line::up(t, Role::Outgoing, false, "c(ulaw)f(json)");
    hang_up(&line, &app);
    drop((line, app));
    t.asterisk.settled()
}

/// The variation in resident memory: each request to the HTTP server has a separate thread, whose heap is whichever is
/// free. (A connection that remained would also keep a descriptor.)
const MEMORY_NOISE_KIB: usize = 4 * 1024;

/// Resident memory after the allocator has returned free memory.
fn memory_kib(t: &Context) -> usize {
    t.asterisk.cli("malloc trim");
    let status = std::fs::read_to_string(format!("/proc/{}/status", t.asterisk.pid())).expect("status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    line.split_whitespace().next().and_then(|number| number.parse().ok()).expect("a number")
}

/// One call loses its connection and gets another one repeatedly, with media each time.
fn repeatedly(t: &Context, role: Role, cycles: u32) {
    let before = settled(t);
    let server = (role == Role::Outgoing).then(|| Server::new(t, false, WINDOW));
    let (line, mut app) = Line::with(t, server, false, "c(ulaw)f(json)");
    let connect = || {
        if role == Role::Incoming {
            // A request before the loss is known would be refused.
            line.wait_figure("state", "lost");
        }
        line.connect()
    };
    let (up, mut memory) = (t.asterisk.resources(), 0);
    for cycle in 0..cycles {
        app.send_media(&[0x55; 160]);
        app.command("MARK_MEDIA m");
        app.reset();
        app = connect();
        expect_reconnected(&app);
        if cycle == cycles / 5 {
            memory = memory_kib(t);
        }
    }
    assert_eq!(line.figure("reconnects"), cycles.to_string());
    let now = memory_kib(t);
    println!("{}: {cycles} cycles, resident {memory} -> {now} KiB", role.name());
    assert!(now < memory + MEMORY_NOISE_KIB, "{memory} -> {now} KiB");
    let settled = wait::poll(wait::PATIENCE, || {
        let now = t.asterisk.resources();
        (now.files.len() <= up.files.len() && now.threads.len() <= up.threads.len()).then_some(())
    });
    assert!(settled.is_some(), "there were {up:#?}\nand there are {:#?}", t.asterisk.resources());
    let stats = t.asterisk.cli("websocket show stats");
    let waiting = stats.lines().find(|line| line.contains("jobs_waiting")).expect("a figure");
    assert!(waiting.split_whitespace().any(|word| word == "0"), "no timer is left: {waiting}");
    hang_up(&line, &app);
    drop((line, app));
    t.asterisk.expect_no_more_than(&before);
}

/// The number of calls: HOST_LOST_CALLS.
fn number_of_calls() -> usize {
    std::env::var("HOST_LOST_CALLS").map_or(200, |number| number.parse().expect("HOST_LOST_CALLS: a number"))
}

/// A server with two hundred calls ends and starts again: each call continues, and the media of other calls has no gap.
fn many(t: &Context) {
    // The core logs this when ARI has many events to process at once.
    t.allow_log("queue reached 500 scheduled tasks");
    let (before, calls_at_once) = (settled(t), number_of_calls());
    let server = Server::new(t, false, WINDOW);
    let dial = format!("WebSocket/{}/c(ulaw)f(json)", server.app.client);
    let calls: Vec<Call<'_>> = (0..calls_at_once).map(|_| t.call(&dial).originate()).collect();
    let apps: Vec<App> = calls.iter().map(|_| server.app.accept()).collect();
    apps.iter().for_each(|app| drop(app.expect_media_start()));
    calls.iter().for_each(Call::wait_up);
    let (apps, others) = bystander::during(t, || {
        server.answer(503);
        apps.into_iter().for_each(App::reset);
        let lost = || t.asterisk.cli("websocket show channels").matches(" lost ").count();
        wait::until("all are lost", || lost() == calls_at_once);
        // Every attempt has been refused by now, or will be soon.
        wait::until("all have tried", || server.app.requests() >= 2 * calls_at_once);
        server.answer(101);
        let back = Instant::now();
        let apps: Vec<App> = calls.iter().map(|_| server.app.accept()).collect();
        for app in &apps {
            expect_reconnected(app);
        }
        println!("{calls_at_once} calls are back after {} ms", back.elapsed().as_millis());
        // The attempts are spread over one to two intervals of 200 ms, whatever the load of the machine.
        let first = server.app.request(2 * calls_at_once).at;
        let last = server.app.request(server.app.requests() - 1).at;
        assert!(last - first >= Duration::from_millis(50), "{:?}", last - first);
        apps
    });
    println!("{others}");
    others.expect_undisturbed();
    assert!(calls.iter().all(|call| call.state().as_deref() == Some("Up")));
    apps.iter().for_each(|app| app.command("HANGUP"));
    apps.iter().for_each(|app| assert_eq!(app.expect_close(), 1000));
    drop((calls, apps));
    t.asterisk.expect_no_more_than(&before);
}
