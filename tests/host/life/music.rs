//! `music_on_hold`: what an application hears when its peer puts it on hold.

use std::time::Duration;

use super::super::harness::call::Call;
use super::super::harness::{App, Context, InstanceConfig, Suite, ports, sip, wait};
use super::transfers::{self, Bridged, answers, echoes, expect_close, expect_gone, hangs_up};

/// The row in the list of differences.
const ROW: &str = "39";

/// Music of the default class and of another one.
const DEFAULT: &[u8; 4] = b"y\ny\n";
const OTHER: &[u8; 4] = b"n\nn\n";

/// Music in signed linear, as ulaw: the same sample repeatedly.
const LINEAR: &[u8; 4] = &[0xba; 4];

pub fn tests(suite: &mut Suite) {
    suite.same("life/music/not_asked_for", not_asked_for).shares("moved", transfers::instance);
    let mut on = |name: &str, body: fn(&Context)| {
        suite.differs(format!("life/music/{name}"), ROW, body).shares("music", instance);
    };
    on("held", held);
    on("attended_transfer", attended_transfer);
    on("class_of_the_channel", class_of_the_channel);
    on("unknown_class", unknown_class);
    on("hangup", hangup);
    on("moved", moved);
    on("tones", tones);
    suite.differs("life/music/held_by_sip", ROW, held_by_sip).private_from(with_sip);
    let mut ours = |name: &str, body: fn(&Context)| {
        suite
            .ours(format!("life/music/{name}"), "the C module has no music_on_hold (39)", body)
            .shares("music", instance);
    };
    ours("direction", direction);
    ours("direction_out_from_the_start", direction_out_from_the_start);
    ours("music_of_others", music_of_others);
    ours("of_a_client", of_a_client);
    ours("of_a_dial_string", of_a_dial_string);
    ours("settings", settings);
    suite.ours("life/music/reload", "the C module has no music_on_hold (39)", reload).private_with(musical());
}

/// An instance with music of three classes.
fn musical() -> InstanceConfig {
    transfers::instance()
        .file(
            "musiconhold.conf",
            "[general]\n[default]\nmode = custom\napplication = /usr/bin/yes\nformat = ulaw\n\
             [other]\nmode = custom\napplication = /usr/bin/yes n\nformat = ulaw\n\
             [linear]\nmode = custom\napplication = /usr/bin/yes\nformat = slin\n",
        )
        .dialplan(
            "exten => sip,1,Dial(PJSIP/self)\n\
             exten => hears,1,Set(CHANNEL(musicclass)=${CLASS})\n\
             \x20same => n,Stasis(${APP})\n",
        )
}

fn instance() -> InstanceConfig {
    musical().our_file("chan_websocket.conf", "[global]\nmusic_on_hold = yes\n")
}

/// With SIP besides, for a telephone that is held.
fn with_sip() -> InstanceConfig {
    sip(instance(), "held")
}

/// With SIP: Asterisk calls itself at this extension, and each side suggests the music when it holds the other side.
pub fn sip(config: InstanceConfig, extension: &str) -> InstanceConfig {
    let port = ports::free();
    let endpoint = format!(
        "[udp]\ntype = transport\nprotocol = udp\nbind = 127.0.0.1:{port}\n\
         [self]\ntype = endpoint\naors = self\ncontext = harness\ndisallow = all\nallow = ulaw\n\
         moh_passthrough = yes\nmoh_suggest = other\n\
         [self]\ntype = aor\ncontact = sip:{extension}@127.0.0.1:{port}\n\
         [self]\ntype = identify\nendpoint = self\nmatch = 127.0.0.1\n"
    );
    sip::configured(config, &endpoint)
}

/// A WebSocket in a bridge with a Local channel that passes holds on, and the channel behind it.
struct Held<'t> {
    t: &'t Context,
    call: Call<'t>,
    app: App,
    _peer: Call<'t>,
    /// The channel that sends HOLD.
    holder: String,
}

impl<'t> Held<'t> {
    fn new(t: &'t Context, options: &str) -> Self {
        Self::with(t, t.incoming(options))
    }

    fn with(t: &'t Context, call: Call<'t>) -> Self {
        let app = call.connect();
        Self::of(t, call, app)
    }

    fn of(t: &'t Context, call: Call<'t>, app: App) -> Self {
        app.expect_media_start();
        call.wait_up();
        let peer = t.call("Local/held@harness/nm").variable("APP", &t.ari().app).formats("ulaw").originate();
        let name = peer.name.replace(";1", ";2");
        let holder = stasis_channel(t, |channel| channel == name);
        t.ari().bridge(&[&call.id, &peer.id]);
        Self { t, call, app, _peer: peer, holder }
    }

    fn hold(&self) {
        self.t.ari().post(&format!("channels/{}/hold", self.holder), &[]).ok();
    }

    fn unhold(&self) {
        self.t.ari().delete(&format!("channels/{}/hold", self.holder), &[]).ok();
    }
}

/// The id of the channel in the test's Stasis application whose name `wanted` accepts.
fn stasis_channel(t: &Context, wanted: impl Fn(&str) -> bool) -> String {
    let start =
        t.ari().wait("StasisStart", |event| wanted(event["channel"]["name"].as_str().unwrap_or_default()));
    start["channel"]["id"].as_str().expect("an id").to_owned()
}

#[track_caller]
fn hears_music(app: &App, music: &[u8; 4]) {
    wait::until("the app hears the music", || {
        let heard = app.collect_media_for(160, Duration::from_secs(1));
        heard.windows(4).any(|window| window == music)
    });
}

/// After some time nothing is heard any more. Each try takes all that has arrived: on a busy machine, that is a lot.
#[track_caller]
fn hears_nothing(app: &App) {
    let heard = || app.collect_media_for(usize::MAX, Duration::from_millis(300));
    wait::until("the app hears nothing", || heard().is_empty());
}

/// Our module's app hears the music, the C module's hears nothing.
#[track_caller]
fn hears_as_its_module(t: &Context, app: &App, music: &[u8; 4]) {
    if t.is_ours() { hears_music(app, music) } else { hears_nothing(app) }
}

/// Without the option both modules leave the application in silence. Music that others play is heard.
fn not_asked_for(t: &Context) {
    let call = Held::new(t, "c(ulaw)");
    call.hold();
    answers(t, &call.app, &call.call.name);
    hears_nothing(&call.app);
    call.unhold();
    hears_nothing(&call.app);
    hangs_up(t, &call.app, &call.call.name);
}

/// Several holds, also with a second HOLD during the first.
fn held(t: &Context) {
    let call = Held::new(t, "c(ulaw)");
    for holds in [1, 2, 1] {
        hears_nothing(&call.app);
        (0..holds).for_each(|_| call.hold());
        hears_as_its_module(t, &call.app, DEFAULT);
        answers(t, &call.app, &call.call.name);
        call.unhold();
        hears_nothing(&call.app);
    }
    answers(t, &call.app, &call.call.name);
    hangs_up(t, &call.app, &call.call.name);
}

/// The peer calls a third party by a feature of the bridge, and connects the two: until then the application is on
/// hold.
fn attended_transfer(t: &Context) {
    let call = Bridged::new(t, "park", "tT");
    transfers::transfer(t, "Atxfer", &call.caller.name, "603");
    hears_as_its_module(t, &call.app, DEFAULT);
    wait::until("the transferer talks to the target", || {
        let channels = t.asterisk.cli("core show channels concise");
        channels.lines().any(|line| line.starts_with("Local/603@") && line.contains("!Echo!"))
    });
    answers(t, &call.app, &call.name);
    call.caller.hangup();
    call.caller.ending();
    echoes(&call.app);
    hears_nothing(&call.app);
    answers(t, &call.app, &call.name);
    hangs_up(t, &call.app, &call.name);
}

/// A telephone puts its call on hold by SIP, and its HOLD names a class.
fn held_by_sip(t: &Context) {
    sip::allow_log(t);
    let call = t.incoming("c(ulaw)");
    let app = call.connect();
    app.expect_media_start();
    call.wait_up();
    t.asterisk.cli(&format!("dialplan set global APP {}", t.ari().app));
    let peer = t.call("Local/sip@harness/nm").formats("ulaw").originate();
    let holder = stasis_channel(t, |channel| channel.starts_with("PJSIP/"));
    t.ari().bridge(&[&call.id, &peer.id]);
    t.ari().post(&format!("channels/{holder}/hold"), &[]).ok();
    hears_as_its_module(t, &app, OTHER);
    t.ari().delete(&format!("channels/{holder}/hold"), &[]).ok();
    hears_nothing(&app);
    answers(t, &app, &call.name);
    hangs_up(t, &app, &call.name);
}

/// A WebSocket whose class of music was set in the dialplan.
fn with_class<'t>(t: &'t Context, options: &str, class: &str) -> Held<'t> {
    let call = t
        .call(&format!("WebSocket/INCOMING/{options}"))
        .extension("hears")
        .variable("CLASS", class)
        .variable("APP", &t.ari().app)
        .originate();
    Held::with(t, call)
}

/// A hold without a class uses the channel's own class.
fn class_of_the_channel(t: &Context) {
    let call = with_class(t, "c(ulaw)", "other");
    call.hold();
    hears_as_its_module(t, &call.app, OTHER);
    call.unhold();
    hears_nothing(&call.app);
}

/// A hold with an unknown class uses the default class.
fn unknown_class(t: &Context) {
    t.allow_log("Music on Hold class 'nonesuch' not found");
    let call = with_class(t, "c(ulaw)", "nonesuch");
    call.hold();
    hears_as_its_module(t, &call.app, DEFAULT);
    call.unhold();
    hears_nothing(&call.app);
}

/// The call ends while it is on hold, by either side.
fn hangup(t: &Context) {
    let call = Held::new(t, "c(ulaw)");
    call.hold();
    hears_as_its_module(t, &call.app, DEFAULT);
    hangs_up(t, &call.app, &call.call.name);
    let call = Held::new(t, "c(ulaw)");
    call.hold();
    hears_as_its_module(t, &call.app, DEFAULT);
    call.call.hangup();
    expect_close(t, &call.app);
    expect_gone(t, &call.call.name);
}

/// The channel is removed from the bridge in which it was held: the hold and the music end.
fn moved(t: &Context) {
    let call = Held::new(t, "c(ulaw)");
    call.hold();
    hears_as_its_module(t, &call.app, DEFAULT);
    let answer = t.asterisk.cli(&format!("channel redirect {} harness,echo,1", call.call.name));
    assert!(answer.contains("successfully redirected"), "{answer}");
    call.call.wait_application("Echo");
    echoes(&call.app);
    hears_nothing(&call.app);
    if t.is_ours() {
        answers(t, &call.app, &call.call.name);
        hangs_up(t, &call.app, &call.call.name);
    }
}

/// The core handles other indications: its ringing tone is heard.
fn tones(t: &Context) {
    let call = Held::new(t, "c(ulaw)");
    t.ari().post(&format!("channels/{}/ring", call.call.id), &[]).ok();
    let tone = call.app.collect_media_for(1600, wait::PATIENCE);
    assert!(tone.len() == 1600 && tone.iter().any(|byte| *byte & 0x7f != 0x7f), "{} bytes", tone.len());
    t.ari().delete(&format!("channels/{}/ring", call.call.id), &[]).ok();
    hears_nothing(&call.app);
}

/// A change of direction during the hold turns music off and on.
fn direction(t: &Context) {
    let call = with_class(t, "c(ulaw)f(json)", "linear");
    call.hold();
    hears_music(&call.app, LINEAR);
    assert!(has_linear_music(&call));
    for _ in 0..2 {
        call.app.command("SET_MEDIA_DIRECTION out");
        hears_nothing(&call.app);
        assert!(!has_linear_music(&call), "the core plays music that is not heard");
        call.app.command("SET_MEDIA_DIRECTION in");
        hears_music(&call.app, LINEAR);
    }
    call.app.command("SET_MEDIA_DIRECTION out");
    hears_nothing(&call.app);
    call.unhold();
    call.app.command("SET_MEDIA_DIRECTION both");
    hears_nothing(&call.app);
    answers_json(&call.app);
}

/// An application whose direction excludes receiving gets no music; it gets music once the direction includes
/// receiving.
fn direction_out_from_the_start(t: &Context) {
    let call = with_class(t, "c(ulaw)f(json)d(out)", "linear");
    call.hold();
    hears_nothing(&call.app);
    assert!(!has_linear_music(&call), "the core plays music that is not heard");
    call.app.command("SET_MEDIA_DIRECTION both");
    hears_music(&call.app, LINEAR);
    call.unhold();
    hears_nothing(&call.app);
}

/// Whether the core plays such music to the channel: then it translates what it writes.
fn has_linear_music(call: &Held<'_>) -> bool {
    let shown = call.t.asterisk.cli(&format!("core show channel {}", call.call.name));
    let line = shown.lines().find(|line| line.contains("WriteTranscode:"));
    line.unwrap_or_else(|| panic!("no WriteTranscode in {shown}")).contains("Yes")
}

fn answers_json(app: &App) {
    app.command("GET_STATUS");
    app.expect_event("STATUS");
}

/// UNHOLD does not end the music that ARI plays to a channel that is not on hold.
fn music_of_others(t: &Context) {
    let call = Held::new(t, "c(ulaw)");
    t.ari().post(&format!("channels/{}/moh", call.call.id), &[("mohClass", "other")]).ok();
    hears_music(&call.app, OTHER);
    t.ari().delete(&format!("channels/{}/hold", call.call.id), &[]).ok();
    answers(t, &call.app, &call.call.name);
    let later = call.app.collect_media_for(8000, wait::PATIENCE);
    assert!(later.len() == 8000 && later.ends_with(&OTHER[..2]), "the music has ended");
    t.ari().delete(&format!("channels/{}/moh", call.call.id), &[]).ok();
    hears_nothing(&call.app);
}

/// A client's section overrides `[global]`.
fn of_a_client(t: &Context) {
    for (own, hears) in [("no", false), ("yes", true)] {
        let server = t.server(&[]);
        t.asterisk.add_connection(&server.client, &[("music_on_hold", own)]);
        let call = t.call(&format!("WebSocket/{}/c(ulaw)", server.client)).originate();
        let call = Held::of(t, call, server.accept());
        call.hold();
        if hears {
            hears_music(&call.app, DEFAULT)
        } else {
            hears_nothing(&call.app)
        }
        call.unhold();
        hears_nothing(&call.app);
    }
}

/// The dial string overrides the client's section, as that overrides `[global]`.
fn of_a_dial_string(t: &Context) {
    for (own, dialled, hears) in [("no", "yes", true), ("yes", "no", false)] {
        let server = t.server(&[]);
        t.asterisk.add_connection(&server.client, &[("music_on_hold", own)]);
        let dial = format!("WebSocket/{}/c(ulaw)X(max_latency=0,music_on_hold={dialled})", server.client);
        let call = Held::of(t, t.call(&dial).originate(), server.accept());
        call.hold();
        if hears { hears_music(&call.app, DEFAULT) } else { hears_nothing(&call.app) }
    }
    let call = Held::new(t, "c(ulaw)X(music_on_hold=no)");
    call.hold();
    hears_nothing(&call.app);
}

fn settings(t: &Context) {
    let line = |text: &str| {
        let line = text.lines().find(|line| line.trim_start().starts_with("music_on_hold"));
        line.unwrap_or_else(|| panic!("no music_on_hold in {text}")).to_owned()
    };
    let text = t.asterisk.cli("websocket show settings");
    assert!(line(&text).trim_end().ends_with("yes"), "{text}");
    let call = t.incoming("c(ulaw)");
    let text = t.asterisk.cli(&format!("websocket show channel {}", call.name));
    assert!(line(&text).trim_end().ends_with("yes"), "{text}");
}

/// A reload does not change existing calls.
fn reload(t: &Context) {
    let before = Held::new(t, "c(ulaw)");
    t.asterisk.write_config("chan_websocket.conf", "[global]\nmusic_on_hold = yes\n");
    t.asterisk.driver("reload");
    before.hold();
    hears_nothing(&before.app);
    let after = Held::new(t, "c(ulaw)");
    after.hold();
    hears_music(&after.app, DEFAULT);
    t.asterisk.write_config("chan_websocket.conf", "[global]\nmusic_on_hold = no\n");
    t.asterisk.driver("reload");
    after.unhold();
    hears_nothing(&after.app);
    after.hold();
    hears_music(&after.app, DEFAULT);
    t.allow_log("chan_websocket.conf: ");
    t.asterisk.write_config("chan_websocket.conf", "[global]\nmusic_on_hold = default\n");
    t.asterisk.driver("reload");
    t.wait_log(&["ERROR", "Invalid value 'default' for music_on_hold in [global]. Must be yes or no"]);
}
