//! Calls in bridges end, move and are disturbed while frames pass.

use std::env;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::super::harness::{App, Context, InstanceConfig, Suite, wait};
use super::super::life::shim::{Control, Field};
use super::super::masquerade::move_to_echo;
use super::super::whisper::{FRAME, expect_all, numbered, play};
use super::{ROW, expect_all_both_ways, expect_in_order, expect_technology, hear_until, technology};

const FAULT: &str = "no fault can be put into the C module";
const NO_TECHNOLOGY: &str = "the C module has no bridge technology";

pub fn tests(suite: &mut Suite) {
    suite.ours("bridge/hangups", NO_TECHNOLOGY, hangups).private();
    suite.ours("bridge/suspended", NO_TECHNOLOGY, suspended).private();
    suite.ours("bridge/unloaded", NO_TECHNOLOGY, unloaded).private();
    suite.ours("bridge/busy", NO_TECHNOLOGY, busy).private_from(|| Control::preload(InstanceConfig::new()));
    suite
        .ours("bridge/locked", FAULT, locked)
        .private_with(InstanceConfig::new().fault(&format!("hold={LOCKED_MS}")));
    suite.differs("bridge/moved", ROW, moved);
    suite.differs("bridge/optimised", ROW, optimised).shares("optimised", || {
        InstanceConfig::new().dialplan(
            "exten => via,1,Dial(Local/leg@harness)\nexten => leg,1,Dial(WebSocket/${CLIENT}/c(ulaw))\n",
        )
    });
}

/// Either side hangs up within 50 ms of the bridge, or the app disconnects, while both talk. No channel remains, and
/// the module can be unloaded.
fn hangups(t: &Context) {
    let calls: usize = env::var("HOST_BRIDGE_CALLS").map_or(60, |number| number.parse().expect("a number"));
    let next = AtomicUsize::new(0);
    // The harness is subscribed to all channels.
    t.allow_log("scheduled tasks");
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let server = t.server(&[]);
                let dial = format!("WebSocket/{}/c(ulaw)", server.client);
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= calls {
                        return;
                    }
                    let caller = t.call("WebSocket/INCOMING/c(ulaw)").dials(&dial, "10", "").originate();
                    let app = caller.connect();
                    let ear = server.accept();
                    ear.expect_media_start();
                    let media = numbered(50);
                    let _ = (app.try_send_media(&media), ear.try_send_media(&media));
                    thread::sleep(Duration::from_millis(number as u64 % 51));
                    match number % 5 {
                        0 => app.command("HANGUP"),
                        1 => ear.command("HANGUP"),
                        2 => caller.hangup(),
                        3 => app.disconnect(),
                        _ => ear.close(1000),
                    }
                    drop((app, ear, caller));
                }
            });
        }
    });
    t.asterisk.wait_no_channels();
    t.asterisk.unload_driver();
}

/// An operator suspends the technology and resumes it while frames pass. A spy that is added or removed makes the core
/// choose again.
fn suspended(t: &Context) {
    let [(one, app), (_other, ear)] = t.bridged("c(ulaw)", "c(ulaw)");
    expect_technology(t, &one.id, "websocket");
    thread::scope(|scope| {
        let media = scope.spawn(|| expect_all_both_ways(&app, &ear, 400));
        let mut seen = Vec::new();
        while !media.is_finished() {
            for verb in ["suspend", "unsuspend"] {
                t.asterisk.cli(&format!("bridge technology {verb} websocket"));
                let id = t.unique("spy");
                let parameters = [("app", &*t.ari().app), ("snoopId", &*id), ("spy", "both")];
                t.ari().post(&format!("channels/{}/snoop", one.id), &parameters).ok();
                t.ari().wait_channel("StasisStart", &id);
                wait::until("the core chooses anew", || {
                    technology(t, &one.id) == if verb == "suspend" { "simple_bridge" } else { "websocket" }
                });
                seen.push(verb);
                t.ari().hangup(&id);
                wait::until("the spy is gone", || {
                    // The core removes it only when a frame passes.
                    app.send_media(&[0xff; FRAME]);
                    t.ari().get(&format!("channels/{id}"), &[]).status == 404
                });
            }
        }
        media.join().expect("all frames");
        assert!(seen.len() >= 4, "{seen:?}");
    });
}

/// Bridges hold a reference to this module and to simple_bridge, and release both.
fn unloaded(t: &Context) {
    t.allow_log("Soft unload failed");
    let uses = |module: &str| {
        let shown = t.asterisk.cli(&format!("module show like {module}"));
        let line = shown.lines().find(|line| line.starts_with(module)).map(str::to_owned);
        let words: Vec<String> =
            line.unwrap_or_else(|| panic!("{shown}")).split_whitespace().map(str::to_owned).collect();
        let at = words.iter().position(|word| word == "Running").expect("running");
        words[at - 1].parse::<u32>().expect("a use count")
    };
    let simple_before = uses("bridge_simple.so");
    for _ in 0..2 {
        let pair = t.bridged("c(ulaw)", "c(ulaw)");
        expect_technology(t, &pair[0].0.id, "websocket");
        // Two channels and the bridge.
        assert_eq!(uses("chan_websocket.so"), 3);
        let refused = t.asterisk.driver("unload");
        assert!(refused.contains("Unable to unload"), "{refused}");
        for (call, app) in pair {
            app.command("HANGUP");
            app.expect_close();
            call.ending();
        }
        let bridges = t.ari().get("bridges", &[]).ok();
        for bridge in bridges.as_array().into_iter().flatten() {
            t.ari().delete(&format!("bridges/{}", bridge["id"].as_str().expect("an id")), &[]).ok();
        }
        t.asterisk.unload_driver();
        let technologies = t.asterisk.cli("bridge technology show");
        assert!(!technologies.contains("websocket"), "{technologies}");
        wait::until("simple_bridge is free", || uses("bridge_simple.so") == simple_before);
        t.asterisk.driver("load");
        let technologies = t.asterisk.cli("bridge technology show");
        assert!(technologies.contains("websocket"), "{technologies}");
    }
}

/// The locks that the module tries are busy: the frame then goes through the channel's thread, and no lock is released
/// that was not acquired.
fn busy(t: &Context) {
    let control = Control::of(t);
    let [(one, app), (_other, ear)] = t.bridged("c(ulaw)", "c(ulaw)");
    expect_all(&ear, &app, 10);
    for _ in 0..5 {
        // The four attempts of a player, and those of the thread to which it then leaves the frame.
        control.set(Field::LocksBusyElsewhere, 6);
        ear.send_media(&[0xff; FRAME]);
        wait::until("locks were tried", || control.get(Field::LocksBusyElsewhere) <= 0);
    }
    assert_eq!(control.get(Field::LocksForeign), 0, "a lock was released that was not held");
    expect_all_both_ways(&app, &ear, 25);
    let stats = t.asterisk.cli("websocket show stats");
    for row in ["frames_not_direct", "frames_played_not_direct"] {
        let mut rows = stats.lines().filter(|line| line.starts_with(row) && line.contains("reason=locked"));
        let locked = rows.next().expect("a row");
        let count = locked.split_whitespace().nth(2).and_then(|word| word.parse::<u64>().ok());
        assert!(count > Some(0), "{locked}");
    }
    assert!(super::direct(&one) > 0);
}

/// How long the lock of a channel is held.
const LOCKED_MS: u64 = 5000;

/// A channel's lock is held for seconds while its peer talks to it. Other bridges are not affected, and the call
/// continues afterwards.
fn locked(t: &Context) {
    let [(one, app), (_other, ear)] = t.bridged("c(ulaw)", "c(ulaw)");
    let [(_beside, talks), (_peer, listens)] = t.bridged("c(ulaw)", "c(ulaw)");
    // Its thread stops while it holds the channel's lock.
    t.ari().post(&format!("channels/{}/hold", one.id), &[]).ok();
    thread::sleep(Duration::from_millis(200));
    app.send_media(&numbered(1));
    play(&ear, &numbered(20));
    let begin = Instant::now();
    expect_all_both_ways(&talks, &listens, 50);
    let heard = ear.collect_media_for(1, Duration::from_millis(1));
    assert!(heard.is_empty(), "the lock was free after {:?} already", begin.elapsed());
    assert_eq!(ear.collect_media(160), numbered(1));
    expect_all(&app, &ear, 25);
}

/// A channel is moved out of the bridge (masquerade) during a frame, and its application continues elsewhere.
fn moved(t: &Context) {
    for _ in 0..3 {
        let [(one, app), (_other, ear)] = t.bridged("c(ulaw)", "c(ulaw)");
        let media = numbered(100);
        play(&app, &media);
        play(&ear, &media);
        let begin = Instant::now();
        let over = || begin.elapsed() > Duration::from_secs(1);
        thread::scope(|scope| {
            let heard = scope.spawn(|| hear_until(&ear, over));
            thread::sleep(Duration::from_millis(300));
            move_to_echo(t, &one);
            expect_in_order(&heard.join().expect("numbers"));
        });
        super::drain(&app);
        expect_all(&app, &app, 50);
    }
}

/// A Local channel between two WebSockets is optimised away while both talk. What arrives is in order, and afterwards
/// everything arrives.
fn optimised(t: &Context) {
    let server = t.server(&[]);
    let first = t
        .call("WebSocket/INCOMING/c(ulaw)")
        .extension("via")
        .variable("__CLIENT", &server.client)
        .originate();
    let app = first.connect();
    app.expect_media_start();
    let ear = server.accept();
    ear.expect_media_start();
    let is_local = |line: &str| line.starts_with("Local/leg@");
    wait::until("the Local channel is gone", || {
        both_talk(&app, &ear);
        !t.asterisk.cli("core show channels concise").lines().any(is_local)
    });
    expect_technology(t, &first.id, "websocket");
    expect_all_both_ways(&app, &ear, 50);
    app.command("HANGUP");
    assert_eq!(app.expect_close(), 1000);
}

/// Two applications talk for two seconds and hear each other in order. The second begins half a frame later: Asterisk
/// optimises a Local channel away at a frame that does not meet one from the other side, and two clocks that begin at
/// the same time may meet at every frame.
fn both_talk(one: &App, other: &App) {
    let media = numbered(100);
    play(one, &media);
    thread::sleep(Duration::from_millis(10));
    play(other, &media);
    let begin = Instant::now();
    let over = || begin.elapsed() > Duration::from_secs(2);
    thread::scope(|scope| {
        let there = scope.spawn(|| hear_until(other, over));
        expect_in_order(&hear_until(one, over));
        expect_in_order(&there.join().expect("numbers"));
    });
}
