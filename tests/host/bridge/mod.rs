//! The bridge technology `websocket`: it is chosen where it should be, and its media is the same as in simple_bridge.

mod hooks;
mod life;
mod monitored;
mod phones;
mod sleeping;

use std::thread;
use std::time::{Duration, Instant};

use super::harness::call::Call;
use super::harness::{App, Context, InstanceConfig, Suite, sip, wait};
use super::life::music;
use super::protocol::rtp::{self, Phone};
use super::whisper::{FRAME, expect_all, numbered, numbers};

/// The row in the list of differences.
const ROW: &str = "50";

pub fn tests(suite: &mut Suite) {
    for kind in ["mixing", "mixing,proxy_media", "mixing,dtmf_events"] {
        suite.differs(format!("bridge/chosen/ari/{kind}"), ROW, move |t| chosen_in_ari(t, kind));
    }
    suite.differs("bridge/chosen/dial", ROW, chosen_in_dial);
    suite.differs("bridge/chosen/phone", ROW, chosen_with_phone).shares("rtp", rtp::instance);
    suite.differs("bridge/chosen/sip", ROW, chosen_with_sip).private_from(|| {
        music::sip(InstanceConfig::new().dialplan("exten => 601,1,Answer()\n same => n,Echo()\n"), "601")
    });
    suite.same("bridge/not_chosen", not_chosen);
    suite
        .same("bridge/without_simple", not_without_simple)
        .private_with(InstanceConfig::new().without("bridge_simple"));
    suite
        .ours("bridge/simple_suspended", "the C module has no bridge technology", simple_suspended)
        .private();
    suite.differs("bridge/third", ROW, third);
    suite.differs("bridge/reload", ROW, reload).private();
    hooks::tests(suite);
    life::tests(suite);
    monitored::tests(suite);
    phones::tests(suite);
    sleeping::tests(suite);
}

/// Some tests of each kind run a second time with `direct_bridge = no`; `make bridgetest` runs all of them.
pub fn without(suite: &mut Suite) {
    suite.without_direct_bridge(&[
        "whisper/snoop/app",
        "life/moved/local/optimised",
        "life/hold/by_the_peer",
        "masquerade/redirect_from_bridge",
        "bridge/hooks/spied_on",
        "bridge/not_chosen",
        "bridge/phones/codecs/srtp",
        "bridge/phones/change_of_codec",
        "bridge/phones/fax",
        "bridge/phones/attended_transfer",
        "bridge/phones/queue",
        "around/pressed/at_the_other_end/framed",
        "around/sip/digits",
        "fault/write_in_bridge",
    ]);
}

/// The technology of the bridge that this channel is in; empty if it is in none.
fn technology(t: &Context, channel: &str) -> String {
    let bridges = t.ari().get("bridges", &[]).ok();
    let all = bridges.as_array().cloned().unwrap_or_default();
    let has = |channels: &serde_json::Value| {
        channels.as_array().is_some_and(|ids| ids.iter().any(|id| id == channel))
    };
    let found = all.iter().find(|bridge| has(&bridge["channels"]));
    found.and_then(|bridge| bridge["technology"].as_str()).unwrap_or_default().to_owned()
}

/// Whether the module under test may be direct at all.
fn is_direct(t: &Context) -> bool {
    t.is_ours() && t.asterisk.has_direct_bridge
}

#[track_caller]
fn expect_technology(t: &Context, channel: &str, ours: &str) {
    let wanted = if is_direct(t) { ours } else { "simple_bridge" };
    wait::until("the technology is chosen", || technology(t, channel) == wanted);
}

/// A figure of a channel.
#[track_caller]
fn figure(call: &Call<'_>, name: &str) -> String {
    call.variable(&format!("CHANNEL(websocket,{name})")).expect("a figure")
}

/// The number of frames to this channel's application that did not pass through its thread.
#[track_caller]
fn direct(call: &Call<'_>) -> usize {
    figure(call, "frames_direct").parse().expect("a number")
}

/// Most of these frames were direct. Now and then the channel's lock is not free.
#[track_caller]
fn expect_direct(t: &Context, call: &Call<'_>, before: usize, frames: usize) {
    if is_direct(t) {
        let (direct, others) = (direct(call) - before, figure(call, "frames_not_direct"));
        assert!(direct > frames * 3 / 4 && direct <= frames, "{direct} of {frames} frames; others: {others}");
    }
}

/// Most of these frames from the application were played by a player.
#[track_caller]
fn expect_played(t: &Context, call: &Call<'_>, frames: usize) {
    if is_direct(t) {
        let played = figure(call, "frames_played_direct").parse::<usize>().expect("a number");
        let others = figure(call, "frames_played_not_direct");
        assert!(played > frames * 3 / 4 && played <= frames, "{played} of {frames} frames; others: {others}");
    }
}

/// What each application sends, the other hears whole and in order, both at the same time.
#[track_caller]
fn expect_all_both_ways(one: &App, other: &App, frames: usize) {
    thread::scope(|scope| {
        let there = scope.spawn(|| expect_all(one, other, frames));
        expect_all(other, one, frames);
        there.join().expect("all frames");
    });
}

fn chosen_in_ari(t: &Context, kind: &str) {
    let (one, app) = t.incoming_app("c(ulaw)");
    let (other, ear) = t.incoming_app("c(ulaw)");
    let bridge = t.ari().post("bridges", &[("type", kind)]).ok();
    let id = bridge["id"].as_str().expect("an id");
    for call in [&one, &other] {
        call.wait_stasis();
        t.ari().post(&format!("bridges/{id}/addChannel"), &[("channel", &call.id)]).ok();
    }
    expect_technology(t, &one.id, "websocket");
    expect_all_both_ways(&app, &ear, 100);
    for call in [&one, &other] {
        expect_direct(t, call, 0, 100);
        expect_played(t, call, 100);
    }
    if t.is_ours() {
        let shown = t.asterisk.cli(&format!("websocket show channel {}", one.name));
        assert!(
            shown.lines().any(|line| line.trim_start().starts_with("bridge  ") && line.contains("direct")),
            "{shown}"
        );
        let stats = t.asterisk.cli("websocket show stats");
        assert!(stats.lines().any(|line| line.starts_with("frames_direct")), "{stats}");
        assert!(stats.contains("reason=audiohook") && stats.contains("reason=locked"), "{stats}");
    }
    t.ari().delete(&format!("bridges/{id}"), &[]).ok();
}

fn chosen_in_dial(t: &Context) {
    let server = t.server(&[]);
    let dial = format!("WebSocket/{}/c(ulaw)", server.client);
    let caller = t.call("WebSocket/INCOMING/c(ulaw)").dials(&dial, "10", "").originate();
    let app = caller.connect();
    app.expect_media_start();
    let ear = server.accept();
    let start = ear.expect_media_start();
    t.ari().wait_channel("ChannelEnteredBridge", &start.get("channel_id"));
    expect_technology(t, &caller.id, "websocket");
    expect_all_both_ways(&app, &ear, 100);
    expect_direct(t, &caller, 0, 100);
    expect_played(t, &caller, 100);
    ear.command("HANGUP");
    ear.expect_close();
    assert_eq!(app.expect_close(), 1000);
}

/// A phone with ulaw, and an application with signed linear at 16 kHz: the translation is on the phone's side.
fn chosen_with_phone(t: &Context) {
    let (call, app) = t.incoming_app("c(slin16)");
    call.wait_up();
    let phone = Phone::new(t);
    t.ari().bridge(&[&call.id, &phone.call.id]);
    expect_technology(t, &call.id, "websocket");
    let before = if is_direct(t) { direct(&call) } else { 0 };
    for number in 0..100_u16 {
        phone.send(0, number == 0, number, u32::from(number) * 160, &[0x55; 160]);
        thread::sleep(Duration::from_millis(20));
    }
    let heard = app.collect_media(90 * 640);
    assert!(heard.chunks(640).skip(10).all(|frame| frame.iter().any(|byte| *byte != 0)), "silence");
    expect_direct(t, &call, before, 100);
    app.send_media(&[0x33; 640 * 50]);
    phone.collect(50);
    expect_played(t, &call, 50);
}

/// A SIP phone, whose channel has numbered streams.
fn chosen_with_sip(t: &Context) {
    sip::allow_log(t);
    let call = t.call("WebSocket/INCOMING/c(ulaw)").dials("PJSIP/self", "10", "").originate();
    let app = call.connect();
    app.expect_media_start();
    expect_technology(t, &call.id, "websocket");
    expect_all(&app, &app, 100);
    expect_direct(t, &call, 0, 100);
    expect_played(t, &call, 100);
    app.command("HANGUP");
    assert_eq!(app.expect_close(), 1000);
}

/// A bridge without a WebSocket uses simple_bridge, and one with three channels softmix, as without our module.
fn not_chosen(t: &Context) {
    let calls = [0, 1].map(|_| t.call("Local/park@harness/n").formats("ulaw").originate());
    t.ari().bridge(&[&calls[0].id, &calls[1].id]);
    t.note(technology(t, &calls[0].id));
}

/// It is not chosen without simple_bridge, to which it leaves the rest.
fn not_without_simple(t: &Context) {
    let [(one, app), (_other, ear)] = t.bridged("c(ulaw)", "c(ulaw)");
    t.note(technology(t, &one.id));
    is_heard(&app, &ear);
}

/// Suspending simple_bridge suspends it, too.
fn simple_suspended(t: &Context) {
    let chosen = || technology(t, &t.bridged("c(ulaw)", "c(ulaw)")[0].0.id);
    assert_eq!(chosen(), "websocket");
    t.asterisk.cli("bridge technology suspend simple_bridge");
    assert_eq!(chosen(), "softmix");
    t.asterisk.cli("bridge technology unsuspend simple_bridge");
    assert_eq!(chosen(), "websocket");
}

/// A third channel joins and leaves again.
fn third(t: &Context) {
    let [(one, app), (_other, ear)] = t.bridged("c(ulaw)", "c(ulaw)");
    let bridge = bridge_of(t, &one.id);
    for _ in 0..3 {
        expect_technology(t, &one.id, "websocket");
        expect_all_both_ways(&app, &ear, 50);
        let (third, _silent) = t.incoming_app("c(ulaw)");
        third.wait_stasis();
        t.ari().post(&format!("bridges/{bridge}/addChannel"), &[("channel", &third.id)]).ok();
        wait::until("softmix", || technology(t, &one.id) == "softmix");
        is_heard(&app, &ear);
        is_heard(&ear, &app);
        third.hangup();
        expect_technology(t, &one.id, "websocket");
        // The media that the mixer still had.
        drain(&app);
        drain(&ear);
    }
    expect_technology(t, &one.id, "websocket");
    expect_all_both_ways(&app, &ear, 50);
}

fn bridge_of(t: &Context, channel: &str) -> String {
    let event = t.ari().wait_channel("ChannelEnteredBridge", channel);
    event["bridge"]["id"].as_str().expect("an id").to_owned()
}

/// Takes media until none comes any more.
#[track_caller]
fn drain(app: &App) {
    wait::until("nothing comes any more", || {
        app.collect_media_for(FRAME, Duration::from_millis(200)).is_empty()
    });
}

/// After a reload the option affects new bridges, and the CLI shows it.
fn reload(t: &Context) {
    let pair = || t.bridged("c(ulaw)", "c(ulaw)");
    let [(before, app), (_peer, ear)] = pair();
    expect_technology(t, &before.id, "websocket");
    t.asterisk.write_config("chan_websocket.conf", "[global]\ndirect_bridge = no\n");
    t.asterisk.reload("chan_websocket.so");
    expect_technology(t, &before.id, "websocket");
    expect_all_both_ways(&app, &ear, 25);
    let [(after, app), (_peer, ear)] = pair();
    expect_technology(t, &after.id, "simple_bridge");
    expect_all_both_ways(&app, &ear, 25);
    if t.is_ours() {
        assert_eq!(direct(&after), 0);
        let settings = t.asterisk.cli("websocket show settings");
        assert!(
            settings.lines().any(|line| line.starts_with("direct_bridge") && line.ends_with("no")),
            "{settings}"
        );
        let shown = t.asterisk.cli(&format!("websocket show channel {}", after.name));
        assert!(shown.contains("not direct: it is the technology simple_bridge's"), "{shown}");
    }
    t.asterisk.write_config("chan_websocket.conf", "[global]\ndirect_bridge = yes\n");
    t.asterisk.reload("chan_websocket.so");
    let [(again, _app), (_peer, _ear)] = pair();
    expect_technology(t, &again.id, "websocket");
}

/// What one application sends reaches the other in some form.
#[track_caller]
fn is_heard(from: &App, to: &App) {
    wait::until("the other hears something", || {
        from.send_media(&numbered(10));
        let heard = to.collect_media_for(10 * FRAME, Duration::from_millis(300));
        heard.iter().any(|byte| *byte & 0x7f != 0x7f)
    });
}

/// The numbers of the frames of [`numbered`] that come until `over` and until no more media comes. Other media in
/// between is left out.
fn hear_until(app: &App, over: impl Fn() -> bool) -> Vec<usize> {
    let mut heard = Vec::new();
    let mut quiet_since = Instant::now();
    while !over() || quiet_since.elapsed() < Duration::from_millis(300) {
        let frame = app.collect_media_for(FRAME, Duration::from_millis(100));
        if frame.len() == FRAME && is_numbered(&frame) {
            quiet_since = Instant::now();
            heard.extend(numbers(&frame));
        }
    }
    heard
}

fn is_numbered(frame: &[u8]) -> bool {
    let is_tone = |half: &[u8]| half.iter().all(|byte| *byte == half[0] && (0x10..0x50).contains(byte));
    frame.chunks(FRAME / 2).all(is_tone)
}

/// No frame comes twice, and none comes before an earlier one.
#[track_caller]
fn expect_in_order(numbers: &[usize]) {
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{numbers:?}");
}
