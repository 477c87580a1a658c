//! A call is transferred, picked up, parked, spied on, recorded or put into a conference: the WebSocket leg survives,
//! media flows both ways, and commands, events and causes stay right.

use std::fs;
use std::time::{Duration, Instant};

use super::super::harness::call::Call;
use super::super::harness::server::AppServer;
use super::super::harness::{App, Context, InstanceConfig, Item, Suite, ports, wait};
use super::super::media::noise;
use super::beside;

pub fn tests(suite: &mut Suite) {
    // The C module keeps using the channel that is gone (16).
    let mut ours = |name: &str, body: fn(&Context)| {
        beside(suite, format!("life/moved/{name}"), body).shares("moved", instance);
    };
    ours("blind_transfer/transferred", |t| blind_transfer(t, false));
    ours("blind_transfer/transferring", |t| blind_transfer(t, true));
    ours("attended_transfer/transferred", attended_transfer);
    ours("attended_transfer/target", attended_transfer_to);
    ours("pickup/picked_up", pickup);
    ours("parking", parking);
    let mut both = |name: &str, body: fn(&Context)| {
        suite.same(format!("life/moved/{name}"), body).shares("moved", instance);
    };
    both("local/optimised", |t| local(t, ""));
    both("local/not_optimised", |t| local(t, "/n"));
    both("chanspy", chanspy);
    both("mixmonitor", mixmonitor);
    both("conference", conference);
}

pub(super) fn instance() -> InstanceConfig {
    let mut config = InstanceConfig::new();
    for module in [
        "bridge_builtin_features",
        "app_chanspy",
        "app_directed_pickup",
        "app_mixmonitor",
        "codec_gsm",
        "res_musiconhold",
        "res_parking",
    ] {
        config = config.module(module);
    }
    config
        .file(
            "manager.conf",
            &format!(
                "[general]\nenabled = yes\nwebenabled = yes\nbindaddr = 127.0.0.1\nport = {}\n\
             [harness]\nsecret = harness\nread = all\nwrite = all\n",
                ports::free()
            ),
        )
        .file("features.conf", "[general]\n[featuremap]\natxfer = *2\n[applicationmap]\n")
        .file(
            "res_parking.conf",
            "[general]\n[default]\nparkext = 700\nparkpos = 701-720\ncontext = parked\n",
        )
        .file(
            "musiconhold.conf",
            "[general]\n[default]\nmode = custom\napplication = /usr/bin/yes\nformat = ulaw\n",
        )
        .dialplan(
            "exten => parkme,1,Park(default)\n\
             exten => retrieve,1,ParkedCall(default,${SPACE})\n\
             exten => pickup,1,PickupChan(${TARGET})\n\
             exten => spy,1,ChanSpy(${TARGET},qE)\n\
             exten => recorded,1,MixMonitor(${FILE}-mix.ulaw,r(${FILE}-rx.ulaw)t(${FILE}-tx.ulaw))\n\
             \x20same => n,Echo()\n\
             exten => 601,1,Answer()\n\
             \x20same => n,Echo()\n\
             exten => 603,1,Answer()\n\
             \x20same => n,Echo()\n\
             exten => held,1,Answer()
             \x20same => n,Stasis(${APP})
             exten => 602,1,Dial(WebSocket/${CLIENT}/c(ulaw))\n\
             exten => via,1,Dial(Local/leg@harness${HOW})\n\
             exten => leg,1,Dial(WebSocket/${CLIENT}/c(ulaw))\n",
        )
}

/// AMI by HTTP: one action in a new session.
fn manager(t: &Context, action: &str, parameters: &[(&str, &str)]) -> String {
    let agent: ureq::Agent =
        ureq::Agent::config_builder().timeout_global(Some(wait::PATIENCE)).build().into();
    let root = format!("http://{}{}", t.asterisk.http, t.asterisk.path("rawman"));
    let mut login = agent
        .get(&format!("{root}?action=login&username=harness&secret=harness"))
        .call()
        .expect("AMI's login");
    let cookie = login.headers().get("Set-Cookie").and_then(|cookie| cookie.to_str().ok());
    let cookie = cookie.and_then(|cookie| cookie.split(';').next()).unwrap_or_default().to_owned();
    let answer = login.body_mut().read_to_string().expect("text");
    assert!(answer.contains("Success"), "{answer}");
    let query: String = parameters.iter().map(|(name, value)| format!("&{name}={value}")).collect();
    let request = agent.get(&format!("{root}?action={action}{query}")).header("Cookie", &cookie);
    request.call().expect("AMI").body_mut().read_to_string().expect("text")
}

#[track_caller]
pub(super) fn transfer(t: &Context, action: &str, channel: &str, exten: &str) {
    let channel = channel.replace('#', "%23").replace(';', "%3B");
    let answer = manager(t, action, &[("channel", &channel), ("context", "harness"), ("exten", exten)]);
    assert!(answer.contains("Success"), "{action}: {answer}");
}

/// What the app sends comes back, byte for byte, after whatever else it hears.
#[track_caller]
pub fn echoes(app: &App) {
    hears(app, app);
}

/// What one app sends the other hears, byte for byte, after whatever else it hears.
#[track_caller]
pub fn hears(from: &App, to: &App) {
    let deadline = Instant::now() + wait::PATIENCE;
    let media = noise(1600);
    let mut heard = Vec::new();
    while Instant::now() < deadline {
        from.send_media(&media);
        heard.extend(to.collect_media_for(3200, Duration::from_millis(600)));
        if heard.windows(media.len()).any(|window| window == media) {
            return;
        }
    }
    panic!("not heard again; {} bytes were", heard.len());
}

/// Commands are answered for the channel that the app knows, and the CLI shows the channel under its name.
#[track_caller]
pub(super) fn answers(t: &Context, app: &App, name: &str) {
    app.command("MARK_MEDIA here");
    let marked = app.wait_item(wait::PATIENCE, |item| match item {
        Item::Event(event) if event.name == "MEDIA_MARK_PROCESSED" => Some(()),
        _ => None,
    });
    assert!(marked.is_some(), "no MEDIA_MARK_PROCESSED");
    app.command("GET_STATUS");
    let status = app.wait_item(wait::PATIENCE, |item| match item {
        Item::Event(event) if event.name == "STATUS" => Some(()),
        _ => None,
    });
    assert!(status.is_some(), "no STATUS");
    if t.is_ours() {
        let shown = t.asterisk.cli("websocket show channels");
        let line = shown.lines().find(|line| line.starts_with(name));
        assert!(line.is_some_and(|line| line.contains("connected")), "{name} is not shown:\n{shown}");
        let channels = t.asterisk.cli("core show channels concise");
        assert!(channels.lines().any(|line| line.starts_with(&format!("{name}!"))), "{name}:\n{channels}");
    }
}

/// HANGUP ends the call: checks the close code, and that no channel of that name remains.
#[track_caller]
pub(super) fn hangs_up(t: &Context, app: &App, name: &str) {
    app.command("HANGUP");
    expect_close(t, app);
    expect_gone(t, name);
}

#[track_caller]
pub(super) fn expect_close(t: &Context, app: &App) {
    let close = app.wait_item(wait::PATIENCE, |item| match item {
        Item::Close(code) => Some(*code),
        _ => None,
    });
    assert!(close == Some(1000) || (!t.is_ours() && close.is_some()), "closed with {close:?}");
}

#[track_caller]
pub(super) fn expect_gone(t: &Context, name: &str) {
    wait::until("the channel is gone", || {
        let channels = t.asterisk.cli("core show channels concise");
        let shown = if t.is_ours() { t.asterisk.cli("websocket show channels") } else { String::new() };
        !channels.contains(&format!("{name}!")) && !shown.contains(name)
    });
}

/// A caller in Echo() or in Wait(), and the WebSocket that it has dialled and is bridged with.
pub(super) struct Bridged<'t> {
    pub(super) caller: Call<'t>,
    _server: AppServer,
    pub(super) app: App,
    /// The name of the WebSocket channel.
    pub(super) name: String,
}

impl<'t> Bridged<'t> {
    /// The party at the other end of the caller's Local channel is at `extension`.
    pub(super) fn new(t: &'t Context, extension: &str, dial_options: &str) -> Self {
        let server = t.server(&[]);
        let dial = format!("WebSocket/{}/c(ulaw)", server.client);
        let caller = t
            .call(&format!("Local/{extension}@harness/n"))
            .formats("ulaw")
            .dials(&dial, "10", dial_options)
            .originate();
        let app = server.accept();
        let start = app.expect_media_start();
        t.ari().wait_channel("ChannelEnteredBridge", &start.get("channel_id"));
        Self { caller, _server: server, app, name: start.get("channel") }
    }
}

/// The WebSocket's peer sends it to Echo(), or the WebSocket transfers the caller and leaves.
fn blind_transfer(t: &Context, transferring: bool) {
    let call = Bridged::new(t, "601", "");
    echoes(&call.app);
    if transferring {
        transfer(t, "BlindTransfer", &call.name, "park");
        expect_close(t, &call.app);
        expect_gone(t, &call.name);
        call.caller.wait_application("Wait");
        return;
    }
    transfer(t, "BlindTransfer", &call.caller.name, "echo");
    call.caller.ending();
    echoes(&call.app);
    answers(t, &call.app, &call.name);
    hangs_up(t, &call.app, &call.name);
}

/// The WebSocket's peer calls a third party, and connects the two.
fn attended_transfer(t: &Context) {
    let call = Bridged::new(t, "park", "tT");
    transfer(t, "Atxfer", &call.caller.name, "603");
    // The app is on hold meanwhile and hears the music.
    answers(t, &call.app, &call.name);
    wait::until("the transferer talks to the target", || {
        let channels = t.asterisk.cli("core show channels concise");
        channels.lines().any(|line| line.starts_with("Local/603@") && line.contains("!Echo!"))
    });
    std::thread::sleep(Duration::from_millis(300));
    call.caller.hangup();
    call.caller.ending();
    echoes(&call.app);
    answers(t, &call.app, &call.name);
    hangs_up(t, &call.app, &call.name);
}

/// A caller is transferred to the WebSocket.
fn attended_transfer_to(t: &Context) {
    let call = Bridged::new(t, "park", "tT");
    let second = t.server(&[]);
    t.asterisk.cli(&format!("dialplan set chanvar {} __CLIENT {}", call.caller.name, second.client));
    transfer(t, "Atxfer", &call.caller.name, "602");
    let app = second.accept();
    let start = app.expect_media_start();
    t.ari().wait_channel("ChannelEnteredBridge", &start.get("channel_id"));
    std::thread::sleep(Duration::from_millis(300));
    call.caller.hangup();
    call.caller.ending();
    hears(&call.app, &app);
    hears(&app, &call.app);
    answers(t, &app, &start.get("channel"));
    answers(t, &call.app, &call.name);
    hangs_up(t, &app, &start.get("channel"));
    expect_close(t, &call.app);
    expect_gone(t, &call.name);
}

/// A ringing WebSocket call is picked up by another WebSocket, which replaces it.
fn pickup(t: &Context) {
    let ringing = t.server(&[]);
    let dial = format!("WebSocket/{}/c(ulaw)n", ringing.client);
    let caller = t.call("Local/601@harness/n").formats("ulaw").dials(&dial, "30", "").originate();
    let rings = ringing.accept();
    let start = rings.expect_media_start();
    let picker = t
        .call("WebSocket/INCOMING/c(ulaw)")
        .extension("pickup")
        .variable("TARGET", &start.get("channel"))
        .originate();
    let app = picker.connect();
    let picker_start = app.expect_media_start();
    expect_close(t, &rings);
    echoes(&app);
    answers(t, &app, &picker_start.get("channel"));
    hangs_up(t, &app, &picker_start.get("channel"));
    caller.ending();
    expect_gone(t, &start.get("channel"));
}

/// The WebSocket is parked, and a caller retrieves it.
fn parking(t: &Context) {
    let call = t.call("WebSocket/INCOMING/c(ulaw)").extension("parkme").originate();
    let app = call.connect();
    let start = app.expect_media_start();
    let name = start.get("channel");
    let space = wait::poll(wait::PATIENCE, || {
        let lots = t.asterisk.cli("parking show default");
        let mut space: Option<String> = None;
        for line in lots.lines() {
            let line = line.trim();
            if let Some(rest) = line.strip_prefix("Space") {
                space = Some(rest.chars().filter(char::is_ascii_digit).collect());
            } else if line.contains(&name) {
                return space;
            }
        }
        None
    });
    let space = space.unwrap_or_else(|| panic!("not parked: {}", t.asterisk.cli("parking show default")));
    answers(t, &app, &name);
    let _caller = t
        .call("Local/601@harness/n")
        .formats("ulaw")
        .extension("retrieve")
        .variable("SPACE", &space)
        .originate();
    echoes(&app);
    answers(t, &app, &name);
    hangs_up(t, &app, &name);
}

/// Two WebSockets with a Local channel between them, which is optimised away or not.
fn local(t: &Context, how: &str) {
    let server = t.server(&[]);
    let first = t
        .call("WebSocket/INCOMING/c(ulaw)")
        .extension("via")
        .variable("HOW", how)
        .variable("__CLIENT", &server.client)
        .originate();
    let app = first.connect();
    let start = app.expect_media_start();
    let second = server.accept();
    let second_start = second.expect_media_start();
    hears(&app, &second);
    hears(&second, &app);
    let local =
        || t.asterisk.cli("core show channels concise").lines().any(|line| line.starts_with("Local/leg@"));
    if how.is_empty() {
        // It is optimised away while media passes.
        wait::until("the Local channel is gone", || {
            hears(&app, &second);
            !local()
        });
    } else {
        assert!(local(), "the Local channel stays");
    }
    hears(&app, &second);
    hears(&second, &app);
    answers(t, &app, &start.get("channel"));
    answers(t, &second, &second_start.get("channel"));
    hangs_up(t, &second, &second_start.get("channel"));
    expect_close(t, &app);
}

/// A second WebSocket listens to what the first one says and hears.
fn chanspy(t: &Context) {
    let (call, app) = t.incoming_echo("c(ulaw)");
    let spy =
        t.call("WebSocket/INCOMING/c(ulaw)").extension("spy").variable("TARGET", &call.name).originate();
    let ear = spy.connect();
    let start = ear.expect_media_start();
    spy.wait_application("ChanSpy");
    echoes(&app);
    wait::until("the spy hears something", || {
        app.send_media(&noise(1600));
        ear.collect_media_for(1600, Duration::from_millis(300)).iter().any(|byte| *byte & 0x7f != 0x7f)
    });
    answers(t, &app, &call.name);
    answers(t, &ear, &start.get("channel"));
    hangs_up(t, &app, &call.name);
    expect_close(t, &ear);
}

/// The recording has what the application sent and what it heard.
fn mixmonitor(t: &Context) {
    let file = t.unique("recorded");
    let call = t.call("WebSocket/INCOMING/c(ulaw)").extension("recorded").variable("FILE", &file).originate();
    let app = call.connect();
    app.expect_media_start();
    call.wait_application("Echo");
    let media = noise(160 * 50);
    app.send_media(&media);
    assert_eq!(app.collect_media(media.len()), media);
    answers(t, &app, &call.name);
    hangs_up(t, &app, &call.name);
    // Signed linear in between has only one zero.
    let one_zero =
        |bytes: &[u8]| bytes.iter().map(|b| if *b == 0x7f { 0xff } else { *b }).collect::<Vec<u8>>();
    // The core's recorder misses the first and the last frame between silences, with either module.
    let wanted = one_zero(&media[160..media.len() - 160]);
    for direction in ["rx", "tx"] {
        let path = t.asterisk.folder().join(format!("spool/monitor/{file}-{direction}.ulaw"));
        let mut recorded = Vec::new();
        let whole = wait::poll(wait::PATIENCE, || {
            recorded = one_zero(&fs::read(&path).unwrap_or_default());
            recorded.windows(wanted.len()).any(|window| window == wanted).then_some(())
        });
        let frames = recorded.chunks(160).map(|frame| wanted.chunks(160).position(|f| f == frame));
        assert!(whole.is_some(), "{direction}: {:?}", frames.collect::<Vec<_>>());
    }
}

/// Two WebSockets in a conference hear each other.
fn conference(t: &Context) {
    let room = t.unique("room");
    let join = || {
        let call =
            t.call("WebSocket/INCOMING/c(ulaw)").extension("conference").variable("ROOM", &room).originate();
        let app = call.connect();
        let start = app.expect_media_start();
        call.wait_application("ConfBridge");
        (call, app, start.get("channel"))
    };
    let ends = [join(), join()];
    for (from, to) in [(0, 1), (1, 0)] {
        wait::until("the other hears something", || {
            ends[from].1.send_media(&noise(1600));
            let heard = ends[to].1.collect_media_for(1600, Duration::from_millis(300));
            heard.iter().any(|byte| *byte & 0x7f != 0x7f)
        });
    }
    for (_, app, name) in &ends {
        answers(t, app, name);
        hangs_up(t, app, name);
    }
}
