//! Recordings, spies, mutes and music come and go while frames pass. Each frame is checked anew, so that none is lost,
//! doubled or overtaken.

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::super::harness::call::Call;
use super::super::harness::{App, Context, InstanceConfig, Suite, wait};
use super::super::whisper::{FRAME, expect_all, numbered, play};
use super::{
    ROW, bridge_of, direct, drain, expect_all_both_ways, expect_in_order, expect_technology, figure,
    hear_until, is_direct, technology,
};

/// Frames in each direction, 6 s of them.
const FRAMES: usize = 300;
const PTIME: Duration = Duration::from_millis(20);

pub fn tests(suite: &mut Suite) {
    let mut keeps_all = |name: &str, toggle: Toggle| {
        suite
            .differs(format!("bridge/hooks/{name}"), ROW, move |t| keeps_all(t, toggle))
            .shares("hooks", instance);
    };
    keeps_all("spied_on", |t, channel, on| snoop(t, channel, on, ("spy", "both")));
    keeps_all("whispered_to", |t, channel, on| snoop(t, channel, on, ("whisper", "out")));
    keeps_all("recorded", mixmonitor);
    keeps_all("talk_detect", |t, channel, on| {
        t.ari().set_variable(
            &channel.call.id,
            if on { "TALK_DETECT(set)" } else { "TALK_DETECT(remove)" },
            "",
        );
    });
    let mut keeps_order = |name: &str, toggle: Toggle| {
        suite
            .differs(format!("bridge/hooks/{name}"), ROW, move |t| keeps_order(t, toggle))
            .shares("hooks", instance);
    };
    keeps_order("music", |t, channel, on| switch(t, on, &format!("channels/{}/moh", channel.call.id), &[]));
    keeps_order("muted_out", |t, channel, on| mute(t, channel.call, on, "out"));
    keeps_order("muted_in", |t, channel, on| mute(t, channel.call, on, "in"));
    keeps_order("held", |t, channel, on| switch(t, on, &format!("channels/{}/hold", channel.call.id), &[]));
    keeps_order("third", third);
    suite.differs("bridge/mute", ROW, silent).shares("hooks", instance);
    suite.differs("bridge/recording", ROW, recording).shares("hooks", instance);
    suite.differs("bridge/why_not", ROW, why_not).shares("hooks", instance);
    suite
        .differs("bridge/concealed", ROW, concealed)
        .shares("plc", || InstanceConfig::new().file("codecs.conf", "[plc]\ngenericplc = true\n"));
}

/// Attaches something to a channel, or removes it.
type Toggle = fn(&Context, &Channel<'_>, bool);

/// A channel and its application. The application has to send, because the core removes a spy only when a frame passes.
struct Channel<'a> {
    call: &'a Call<'a>,
    app: &'a App,
}

impl Channel<'_> {
    fn is_silent(&self) {
        self.app.send_media(&[0xff; FRAME]);
    }
}

pub(super) fn instance() -> InstanceConfig {
    ["app_mixmonitor", "func_talkdetect", "codec_gsm", "res_musiconhold"]
        .into_iter()
        .fold(InstanceConfig::new(), InstanceConfig::module)
        .file(
            "musiconhold.conf",
            "[general]\n[default]\nmode = custom\napplication = /usr/bin/yes\nformat = ulaw\n",
        )
}

fn switch(t: &Context, on: bool, path: &str, parameters: &[(&str, &str)]) {
    let method = if on { "POST" } else { "DELETE" };
    let answer = t.ari().request(method, path, parameters, &serde_json::Value::Null);
    assert!(answer.status < 300, "{method} {path}: {} {}", answer.status, answer.body);
    let (channel, _) = path.rsplit_once('/').expect("of a channel");
    t.ari().settled(channel);
}

fn mute(t: &Context, call: &Call<'_>, on: bool, direction: &str) {
    switch(t, on, &format!("channels/{}/mute", call.id), &[("direction", direction)]);
}

/// A spy in the test's Stasis application.
fn snoop(t: &Context, channel: &Channel<'_>, on: bool, what: (&str, &str)) {
    let call = channel.call;
    let marker = format!("spies on {}", call.id);
    if on {
        let parameters = [("app", &*t.ari().app), ("appArgs", &*marker), what];
        let spy = t.ari().post(&format!("channels/{}/snoop", call.id), &parameters).ok();
        t.ari().wait_channel("StasisStart", spy["id"].as_str().expect("an id"));
        return;
    }
    let events = t.ari().events();
    let mut spies =
        events.iter().filter(|event| event["type"] == "StasisStart" && event["args"][0] == *marker);
    let id = spies.next_back().and_then(|event| event["channel"]["id"].as_str()).expect("a spy");
    t.ari().hangup(id);
    wait::until("the spy is gone", || {
        channel.is_silent();
        t.ari().get(&format!("channels/{id}"), &[]).status == 404
    });
}

fn mixmonitor(t: &Context, channel: &Channel<'_>, on: bool) {
    let call = channel.call;
    static FILES: AtomicU32 = AtomicU32::new(0);
    let command = if on {
        format!("mixmonitor start {} hook-{}.ulaw", call.name, FILES.fetch_add(1, Ordering::Relaxed))
    } else {
        format!("mixmonitor stop {}", call.name)
    };
    t.asterisk.cli(&command);
}

/// A third channel joins and leaves: the bridge is softmix for a while.
fn third(t: &Context, channel: &Channel<'_>, on: bool) {
    if !on {
        return;
    }
    let bridge = bridge_of(t, &channel.call.id);
    let (third, _app) = t.incoming_app("c(ulaw)");
    third.wait_stasis();
    t.ari().post(&format!("bridges/{bridge}/addChannel"), &[("channel", &third.id)]).ok();
    wait::until("softmix", || technology(t, &channel.call.id) == "softmix");
    third.hangup();
    expect_technology(t, &channel.call.id, "websocket");
}

/// Runs `work` while something is attached and removed in turn, a tenth of a second each. It is removed in the end.
fn while_toggled(t: &Context, channel: &Channel<'_>, toggle: Toggle, work: impl FnOnce()) {
    struct Over<'a>(&'a AtomicBool);
    impl Drop for Over<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                for on in [true, false] {
                    toggle(t, channel, on);
                    thread::sleep(Duration::from_millis(100));
                }
            }
        });
        let _over = Over(&over);
        work();
    });
}

/// With something that only listens, everything arrives in both directions.
fn keeps_all(t: &Context, toggle: Toggle) {
    let [(one, app), (_other, ear)] = t.bridged("c(ulaw)", "c(ulaw)");
    while_toggled(t, &Channel { call: &one, app: &app }, toggle, || expect_all_both_ways(&app, &ear, FRAMES));
    if is_direct(t) {
        let others = figure(&one, "frames_not_direct");
        assert!(direct(&one) > 0 && direct(&one) < FRAMES, "{} direct; others: {others}", direct(&one));
    }
    // Afterwards the bridge is direct again.
    let before = if is_direct(t) { direct(&one) } else { 0 };
    expect_all_both_ways(&app, &ear, 50);
    super::expect_direct(t, &one, before, 50);
}

/// With something that removes frames, the others arrive in order, and everything arrives afterwards.
fn keeps_order(t: &Context, toggle: Toggle) {
    let [(one, app), (_other, ear)] = t.bridged("c(ulaw)", "c(ulaw)");
    let (begin, media) = (Instant::now(), numbered(FRAMES));
    let over = || begin.elapsed() > PTIME * FRAMES as u32;
    while_toggled(t, &Channel { call: &one, app: &app }, toggle, || {
        play(&app, &media);
        play(&ear, &media);
        thread::scope(|scope| {
            let there = scope.spawn(|| hear_until(&ear, over));
            let back = hear_until(&app, over);
            for numbers in [there.join().expect("numbers"), back] {
                assert!(!numbers.is_empty(), "nothing was heard");
                expect_in_order(&numbers);
            }
        });
    });
    drain(&app);
    drain(&ear);
    let before = if is_direct(t) { direct(&one) } else { 0 };
    expect_all_both_ways(&app, &ear, 50);
    super::expect_direct(t, &one, before, 50);
}

/// No media is heard from or by a channel that ARI has muted.
fn silent(t: &Context) {
    let [(one, app), (_other, ear)] = t.bridged("c(ulaw)", "c(ulaw)");
    expect_all_both_ways(&app, &ear, 25);
    for (direction, from, to) in [("out", &ear, &app), ("in", &app, &ear), ("out", &ear, &app)] {
        mute(t, &one, true, direction);
        let (begin, frames) = (Instant::now(), 25);
        play(from, &numbered(frames));
        let heard = hear_until(to, || begin.elapsed() > PTIME * frames as u32);
        assert!(heard.is_empty(), "muted {direction}, {heard:?} were heard");
        mute(t, &one, false, direction);
        drain(to);
        expect_all(from, to, 25);
    }
}

/// A recording in a bridge contains everything that both sides said, and both heard everything. The core's recorder
/// discards what it has when the two sides get out of step, which happens on a busy machine: then the next recording
/// counts.
fn recording(t: &Context) {
    let [(one, app), (_other, ear)] = t.bridged("c(ulaw)", "c(ulaw)");
    let is_whole = (0..5).any(|_| {
        let file = t.unique("whole");
        let files = format!("{file}-mix.ulaw,r({file}-rx.ulaw)t({file}-tx.ulaw)");
        t.asterisk.cli(&format!("mixmonitor start {} {files}", one.name));
        expect_all_both_ways(&app, &ear, 100);
        t.asterisk.cli(&format!("mixmonitor stop {}", one.name));
        ["rx", "tx"].iter().all(|direction| has_all(t, &format!("{file}-{direction}.ulaw")))
    });
    assert!(is_whole, "no recording is whole");
}

/// Whether this file comes to contain all of the hundred frames but the first and the last one, which the recorder
/// misses with either module.
pub(super) fn has_all(t: &Context, file: &str) -> bool {
    let media = numbered(100);
    let wanted = &media[FRAME..media.len() - FRAME];
    let path = t.asterisk.folder().join("spool/monitor").join(file);
    let recorded = || fs::read(&path).unwrap_or_default();
    wait::poll(Duration::from_secs(5), || {
        recorded().windows(wanted.len()).any(|part| part == wanted).then_some(())
    })
    .is_some()
}

/// The row of the CLI about the newest frame to this channel.
#[track_caller]
fn bridge_row(t: &Context, call: &Call<'_>) -> String {
    let shown = t.asterisk.cli(&format!("websocket show channel {}", call.name));
    let row = shown.lines().find_map(|line| line.trim_start().strip_prefix("bridge "));
    row.unwrap_or_else(|| panic!("{shown}")).trim().to_owned()
}

/// Waits until the CLI shows `wanted` for the frames to `call`, while `from` talks.
#[track_caller]
fn expect_row(t: &Context, call: &Call<'_>, from: &App, media: &[u8], wanted: &str) {
    if t.is_ours() {
        let before = bridge_row(t, call);
        wait::until(&format!("{wanted} after {before}"), || {
            from.send_media(media);
            bridge_row(t, call) == wanted
        });
    }
}

/// The CLI shows why the newest frame was not direct.
fn why_not(t: &Context) {
    let [(one, app), (_other, ear)] = t.bridged("c(ulaw)", "c(ulaw)");
    let expect = |wanted: &str| expect_row(t, &one, &ear, &numbered(1), wanted);
    let channel = Channel { call: &one, app: &app };
    expect("direct");
    snoop(t, &channel, true, ("spy", "both"));
    expect("direct, but for the newest frame: audiohook");
    snoop(t, &channel, false, ("spy", "both"));
    expect("direct");
    switch(t, true, &format!("channels/{}/moh", one.id), &[]);
    expect("direct, but for the newest frame: generator");
    switch(t, false, &format!("channels/{}/moh", one.id), &[]);
    expect("direct");
    // This one is last, because the core does not remove it any more (`channel_set_debug` in main/cli.c).
    t.asterisk.cli(&format!("core set debug channel {}", one.name));
    expect("direct, but for the newest frame: debug");
    if t.is_ours() {
        let others = figure(&one, "frames_not_direct");
        assert!(["audiohook ", "generator ", "debug "].iter().all(|word| others.contains(word)), "{others}");
    }
}

/// Where the core conceals loss it gets every frame in signed linear at 8 kHz, and no other frames.
fn concealed(t: &Context) {
    for (options, frame, wanted) in [
        ("c(slin)", 320, "direct, but for the newest frame: plc"),
        ("c(slin16)", 640, "direct"),
        ("c(ulaw)", 160, "direct"),
    ] {
        let [(one, _app), (_other, ear)] = t.bridged(options, options);
        expect_row(t, &one, &ear, &vec![0x11; frame], wanted);
    }
}
