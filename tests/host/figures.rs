//! A call's figures in the dialplan, in ARI and in CDRs.

use std::fs;
use std::time::Instant;

use serde_json::Value;

use super::harness::{App, Context, Frame, InstanceConfig, Suite, wait};

const WHY: &str = "the C module has no figures";

pub fn tests(suite: &mut Suite) {
    suite.ours("figures/ari", WHY, ari).shares("figures", instance);
    suite.ours("figures/connection", WHY, connection).private_from(|| InstanceConfig::new().ami());
    suite.ours("figures/unknown", WHY, unknown).shares("figures", instance);
    suite.ours("figures/on_one_line", WHY, on_one_line).shares("figures", instance);
    suite.ours("figures/variables", WHY, variables).shares("figures", instance);
    suite.ours("figures/h", WHY, h_extension).shares("figures", instance);
    suite.ours("figures/cdr", WHY, cdr).shares("figures", instance);
    suite.ours("figures/caller", WHY, caller).shares("figures", instance);
}

/// Extensions of docs/operation.md, and CDRs in the format of cdr_custom.
fn instance() -> InstanceConfig {
    InstanceConfig::new()
        .module("func_cdr")
        .module("res_cdrel_custom")
        .module("cdr_custom")
        .file("cdr.conf", "[general]\nenable = yes\nendbeforehexten = no\n")
        .file(
            "cdr_custom.conf",
            "[mappings]\nfigures.csv => ${CDR(channel)},${CDR(ws_frames)},${CDR(ws_ended)}\n",
        )
        .dialplan(
            r"
; For Dial()'s option b: the dialled channel leaves its figures when it is hung up.
exten => watched,1,Set(CHANNEL(hangup_handler_push)=harness,leave,1)
 same => n,Return()
exten => leave,1,Set(MASTER_CHANNEL(WS_FRAMES)=${CHANNEL(websocket,frames_in)})
 same => n,Return()
exten => figures,1,Verbose(0,dialplan of ${CHANNEL}: ${CHANNEL(websocket,format)} ${CHANNEL(websocket,state)})
 same => n,Echo()
exten => h,1,GotoIf($[${CHANNEL(channeltype)} = WebSocket]?ours)
 same => n,Hangup()
 same => n(ours),Set(CDR(ws_frames)=${CHANNEL(websocket,frames_in)})
 same => n,Set(CDR(ws_ended)=${CHANNEL(websocket,ended_by)})
 same => n,Verbose(0,h of ${CHANNEL}: ${WEBSOCKET_ENDED_BY} ${WEBSOCKET_FRAMES_IN} / ${CHANNEL(websocket,ended_by)} ${CHANNEL(websocket,frames_in)})
 same => n,Verbose(0,reason of ${CHANNEL}: '${CHANNEL(websocket,close_reason)}')
",
        )
}

/// In ARI, and in the dialplan.
fn ari(t: &Context) {
    let call = t.call("WebSocket/INCOMING/c(ulaw)").extension("figures").originate();
    let read = |name: &str| call.variable(&format!("CHANNEL(websocket,{name})"));
    assert_eq!(read("state").as_deref(), Some("waiting"));
    assert_eq!(read("peer").as_deref(), Some(""), "there is none yet");
    let app = call.connect();
    app.expect_media_start();
    call.wait_application("Echo");
    t.wait_log(&["dialplan of", &call.name, "ulaw connected"]);
    app.send_media(&[0x55; 400]);
    assert_eq!(app.collect_media(320).len(), 320);
    app.command("PAUSE_MEDIA");
    app.send_media(&[0x55; 1600]);
    app.command("GET_STATUS");
    app.expect_event("STATUS");
    let peer = app.local_address().to_string();
    for (name, value) in [
        ("state", "paused"),
        ("queue_length", "10"),
        ("queue_time", "200"),
        ("Frames_In", "12"),
        ("frames_played", "2"),
        ("bytes_cut_off", "80"),
        ("frames_out", "2"),
        ("ptime", "20"),
        ("paused", "yes"),
        ("last_command", "GET_STATUS"),
        ("peer", &peer),
        ("tls", "none"),
        ("ping_rtt_ms", ""),
        ("ended_by", ""),
    ] {
        assert_eq!(read(name).as_deref(), Some(value), "{name}");
    }
    assert_eq!(call.variable("CHANNEL(WebSocket, role)").as_deref(), Some("incoming"));
    let stall: f64 = read("longest_stall").and_then(|text| text.parse().ok()).expect("a number");
    assert!(stall < 1000.0, "{stall}");
}

/// Which client is connected, when it first sent media, and its round-trip time: in CHANNEL(), AMI and the CLI.
fn connection(t: &Context) {
    let server = t.server(&[]);
    let pings = [("enable_pingpongs", "yes"), ("pingpong_interval", "1")];
    t.asterisk.add_connection(&server.client, &pings);
    let call = t.call(&format!("WebSocket/{}/c(ulaw)", server.client)).originate();
    let app = server.accept();
    app.expect_media_start();
    call.wait_up();
    let read = |name: &str| call.variable(&format!("CHANNEL(websocket,{name})")).expect("a figure");
    assert_eq!((read("client"), read("first_media_ms")), (server.client.clone(), String::new()));
    let silent_since = Instant::now();
    wait::until("a ping is answered", || !read("ping_rtt_ms").is_empty());
    let silence = silent_since.elapsed();
    app.send_media(&[0x55; 160]);
    wait::until("media comes", || !read("first_media_ms").is_empty());
    let first = read("first_media_ms");
    app.send_media(&[0x55; 160]);
    wait::until("more comes", || read("messages_in") == "2");
    // The value of the first message does not change.
    assert_eq!(read("first_media_ms"), first);
    let first_ms: f64 = first.parse().expect("a number");
    assert!(first_ms >= silence.as_secs_f64() * 1000.0, "{first_ms} after {silence:?}");
    let number = |name: &str| read(name).parse::<f64>().expect("a number");
    assert!(0.0 < number("ping_rtt_ms") && number("ping_rtt_ms") <= number("longest_ping_rtt_ms"));
    let ami = t.ami("all");
    let (_, channels, _) = ami.list("WebSocketShowChannels", &[]);
    assert_eq!((channels[0].get("Client"), channels[0].get("FirstMediaMs")), (&*server.client, &*first));
    assert!(channels[0].number("LongestPingRttMs") > 0.0 && channels[0].number("PingRttMs") > 0.0);
    let shown = t.asterisk.cli(&format!("websocket show channel {}", call.name));
    for words in [vec!["client", &server.client], vec!["first_media_ms", &first, "ms"]] {
        let is_shown = shown.lines().any(|line| line.split_whitespace().eq(words.iter().copied()));
        assert!(is_shown, "no {words:?} in\n{shown}");
    }
    call.hangup();
    let event = ami.event("WebSocketDisconnected", &call.id);
    assert_eq!(event.get("FirstMediaMs"), first);
    let (incoming, _app) = t.incoming_app("c(ulaw)");
    assert_eq!(incoming.variable("CHANNEL(websocket,client)").as_deref(), Some(""));
}

/// The warning lists the figures; other items belong to the core.
fn unknown(t: &Context) {
    let (call, _app) = t.incoming_app("c(ulaw)");
    t.allow_log("CHANNEL(websocket,nonsense) is not known");
    t.allow_log("Unknown or unavailable item requested");
    assert_eq!(call.variable("CHANNEL(websocket,nonsense)").unwrap_or_default(), "");
    let line = t.wait_log(&["WARNING", &call.name, "CHANNEL(websocket,nonsense) is not known"]);
    for line_of in t.asterisk.cli("websocket show figures").lines().skip(1) {
        let name = line_of.split_whitespace().next().expect("a name");
        assert!(line.contains(name), "{name} is missing in: {line}");
    }
    assert_eq!(call.variable("CHANNEL(rtp,dest)").unwrap_or_default(), "");
    assert_eq!(call.variable("CHANNEL(channeltype)").as_deref(), Some("WebSocket"));
}

/// Text that the application controls reaches the dialplan, ARI and the console complete and on one line.
fn on_one_line(t: &Context) {
    let (call, app) = t.incoming_echo("c(ulaw)");
    app.command("BAD\r\nForged:yes\u{1b}[2J\0\u{85}!");
    app.expect_error();
    let written = r"Unknown command 'BAD\r\nForged:yes\u{1b}[2J\u{0}\u{85}!'";
    assert_eq!(call.variable("CHANNEL(websocket,last_error)").as_deref(), Some(written));
    let shown = t.asterisk.cli(&format!("websocket show channel {}", call.name));
    assert!(shown.contains(written), "{shown}");
    app.send_frames(&[Frame::close(Some(4000), "bye\r\nForged: yes\u{1b}[2J\0\u{85}!")]);
    t.wait_log(&["reason of", &call.name, r"'bye\r\nForged: yes\u{1b}[2J\u{0}\u{85}!'"]);
}

/// The values of the variables that a channel had when it ended.
fn left(t: &Context, id: &str) -> Vec<(String, String)> {
    t.ari().wait_channel("ChannelDestroyed", id);
    let events = t.ari().events();
    let gone = events.iter().position(|e| e["type"] == "ChannelDestroyed" && e["channel"]["id"] == *id);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    events[..gone.expect("it is gone")]
        .iter()
        .filter(|event| event["type"] == "ChannelVarset" && event["channel"]["id"] == *id)
        .map(|event| (text(&event["variable"]), text(&event["value"])))
        .filter(|(name, _)| name.starts_with("WEBSOCKET_"))
        .collect()
}

/// Ends the call with this id and application.
type End = fn(&Context, &str, &App);

/// Whichever side ends the call, the totals are set once, before the channel is destroyed.
fn variables(t: &Context) {
    let ends: [(&str, End, &str, &str); 4] = [
        ("core", |t, id, _| t.ari().hangup(id), "core", "1000"),
        ("close", |_, _, app| app.close(4001), "application", "4001"),
        ("command", |_, _, app| app.command("HANGUP"), "hangup_command", "1000"),
        ("lost", |_, _, app| app.disconnect(), "lost", "1006"),
    ];
    for (name, end, by, code) in ends {
        let (call, app) = t.incoming_echo("c(ulaw)");
        app.send_media(&[0x55; 320]);
        assert_eq!(app.collect_media(320).len(), 320);
        end(t, &call.id, &app);
        let left = left(t, &call.id);
        for (variable, value) in [
            ("WEBSOCKET_ENDED_BY", by),
            ("WEBSOCKET_CLOSE_CODE", code),
            ("WEBSOCKET_FRAMES_IN", "2"),
            ("WEBSOCKET_FRAMES_PLAYED", "2"),
            ("WEBSOCKET_FRAMES_OUT", "2"),
            ("WEBSOCKET_FRAMES_DROPPED_IN", "0"),
            ("WEBSOCKET_FRAMES_DROPPED_OUT", "0"),
        ] {
            let values: Vec<_> = left.iter().filter(|(name, _)| name == variable).collect();
            assert!(values.len() == 1 && values[0].1 == value, "{name}: {variable} in {left:?}");
        }
        assert_eq!(left.len(), 9, "{left:?}");
    }
}

/// A WebSocket channel that runs the dialplan itself: its `h` has the variables if the connection ended the call.
/// CHANNEL() always works there.
fn h_extension(t: &Context) {
    let (call, app) = t.incoming_echo("c(ulaw)");
    app.send_media(&[0x55; 320]);
    assert_eq!(app.collect_media(320).len(), 320);
    app.close(1000);
    t.wait_log(&[&format!("h of {}: application 2 / application 2", call.name)]);
    let (call, app) = t.incoming_echo("c(ulaw)");
    app.send_media(&[0x55; 320]);
    assert_eq!(app.collect_media(320).len(), 320);
    call.hangup();
    t.wait_log(&[&format!("h of {}:   /  2", call.name)]);
}

/// A WebSocket channel that runs the dialplan itself puts its figures into its CDR, with cdr.conf's `endbeforehexten =
/// no`, whichever side ends the call.
fn cdr(t: &Context) {
    let file = t.asterisk.log.path().with_file_name("cdr-custom").join("figures.csv");
    let (closed, app) = t.incoming_echo("c(ulaw)");
    app.send_media(&[0x55; 480]);
    assert_eq!(app.collect_media(480).len(), 480);
    app.close(1000);
    let (hung_up, app) = t.incoming_echo("c(ulaw)");
    app.send_media(&[0x55; 320]);
    assert_eq!(app.collect_media(320).len(), 320);
    hung_up.hangup();
    wait::until("the CDRs", || {
        let text = fs::read_to_string(&file).unwrap_or_default();
        let has = |line: &str| text.lines().any(|other| other == line);
        has(&format!("{},3,application", closed.name)) && has(&format!("{},2,", hung_up.name))
    });
}

/// A dialled WebSocket channel: a hangup handler gives its figures to the caller. It runs at the same time as the
/// caller's dialplan, which may be faster, so the caller waits for them.
fn caller(t: &Context) {
    let server = t.server(&[]);
    let dial = format!("WebSocket/{}/c(ulaw)", server.client);
    let caller = t.call("Local/park@harness").formats("ulaw").dials(&dial, "10", "gb(watched^1)").originate();
    let app = server.accept();
    app.expect_media_start();
    app.send_media(&[0x55; 480]);
    wait::until("the frames", || {
        let text = t.asterisk.cli("websocket show channels");
        let line = text.lines().find(|line| line.contains(&server.client)).map(str::to_owned);
        line.is_some_and(|line| line.split_whitespace().rev().nth(2) == Some("3"))
    });
    app.close(1000);
    caller.dial_result();
    wait::until("the figures", || caller.variable("WS_FRAMES").as_deref() == Some("3"));
}
