//! What reaches the app: voice unchanged, digits as events, tones that the core plays, and nothing else.

use std::io::Write as _;
use std::net::TcpListener;

use super::super::harness::call::Call;
use super::super::harness::http::Request;
use super::super::harness::stream::Stream;
use super::super::harness::wire::opcode;
use super::super::harness::{App, Context, Format, Frame, InstanceConfig, Item, Suite};
use super::super::media::noise;
use super::rtp::{self, Phone};
use super::{QUIET, status, ulaw};

pub fn tests(suite: &mut Suite) {
    suite.same("out/wire/incoming", wire_incoming);
    suite.same("out/wire/outgoing", wire_outgoing);
    for (name, extension) in TONES {
        suite.same(format!("out/tone/{name}"), move |t| tone(t, extension)).shares("out", instance);
    }
    suite.same("out/tone/dial_with_r", |t| dial_tone(t, "Local/silent@harness", "r")).shares("out", instance);
    suite.same("out/tone/callee_rings", |t| dial_tone(t, "Local/rings@harness", "")).shares("out", instance);
    suite.same("out/tone/ari_ring", ari_ring).shares("out", instance);
    suite.same("out/tone/ari_play", ari_play).shares("out", instance);
    suite.same("out/silence", silence);
    suite.same("out/hold", hold);
    suite.same("out/text", text).shares("out", instance);
    suite.same("out/comfort_noise", comfort_noise).shares("rtp", rtp::instance);
    suite.same("out/phone", phone).shares("rtp", rtp::instance);
    for format in Format::ALL {
        let name = |test: &str| format!("out/dtmf/{}/{test}", format.name());
        suite.same(name("senddtmf"), move |t| senddtmf(t, format)).shares("out", instance);
        suite.same(name("other_leg"), move |t| other_leg(t, format)).shares("out", instance);
        suite.same(name("conference"), move |t| conference(t, format)).shares("out", instance);
    }
    suite.same("out/dtmf/direction_out", dtmf_direction_out);
    suite.same("out/variables", variables);
}

const DIALPLAN: &str = r#"
exten => ringing,1,Ringing()
 same => n,Wait(600)
exten => busy,1,Busy()
exten => congestion,1,Congestion()
exten => tones,1,PlayTones(440/300,0/100)
 same => n,Wait(600)
; Does not answer.
exten => silent,1,Wait(600)
exten => rings,1,Ringing()
 same => n,Wait(600)
exten => text,1,SendText(hello)
 same => n,Stasis(${APP},text,${SENDTEXTSTATUS})
 same => n,Hangup()
; Sends digits when the global variable that GO names is set.
exten => digits_later,1,Answer()
 same => n(again),Wait(0.02)
 same => n,GotoIf($["${${GO}}" != "1"]?again)
 same => n,SendDTMF(${DIGITS},60,60)
 same => n,Wait(600)
exten => dtmf_room,1,ConfBridge(${ROOM},harness_bridge,dtmf_user)
"#;

fn instance() -> InstanceConfig {
    let conference = "[general]\n[harness_bridge]\ntype = bridge\n\
                      [dtmf_user]\ntype = user\nquiet = yes\ndtmf_passthrough = yes\n";
    InstanceConfig::new()
        .module("app_sendtext")
        .module("app_playtones")
        .file("confbridge.conf", conference)
        .dialplan(DIALPLAN)
}

// ---- on the wire

/// Takes voice frames from the wire unchanged.
fn note_wire(t: &Context, stream: &mut Stream, media: &[u8]) -> Vec<Frame> {
    let mut frames = Vec::new();
    let mut received = Vec::new();
    while received.len() < media.len() {
        let frame = Frame::read(stream).expect("a frame");
        if frame.opcode == opcode::BINARY {
            received.extend_from_slice(&frame.payload);
            frames.push(frame);
        }
    }
    assert_eq!(received, media);
    for frame in &frames {
        let Frame { fin, reserved, masked, payload, .. } = frame;
        t.note(format!("fin {fin}, reserved {reserved}, masked {masked}, {} bytes", payload.len()));
    }
    frames
}

/// As a server Asterisk does not mask; each voice frame is one message.
fn wire_incoming(t: &Context) {
    let call = t.incoming("c(ulaw)");
    let mut response = t.send(&t.upgrade(&call.connection_id()));
    assert_eq!(response.status, 101);
    call.wait_up();
    let (_other, talker) = t.bridged_to(&call, "c(ulaw)");
    let media = noise(160 * 3);
    talker.send_media(&media);
    // The bytes after the head are MEDIA_START, or its beginning.
    let mut stream = response.stream.try_clone().unwrap();
    let mut leftover = response.leftover.as_slice();
    while let Ok(frame) = Frame::read(&mut leftover) {
        assert_eq!(frame.opcode, opcode::TEXT);
    }
    note_wire(t, &mut stream, &media);
    response.stream.write_all(&Frame::close(Some(1000), "").encode()).unwrap();
}

/// As a client Asterisk masks.
fn wire_outgoing(t: &Context) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("ws://{}/media", listener.local_addr().unwrap());
    let server = t.server(&[("uri", &uri)]);
    let accept = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut request = Request::read(Stream::accepted(stream).unwrap()).unwrap();
        let answer = request.accepted("Sec-WebSocket-Protocol: media\r\n", b"");
        request.respond(&answer);
        request.stream
    });
    let call = t.call(&format!("WebSocket/{}/c(ulaw)", server.client)).originate();
    let mut stream = accept.join().unwrap();
    let start = Frame::read(&mut stream).unwrap();
    assert!(start.masked && start.payload.starts_with(b"MEDIA_START "));
    call.wait_up();
    let (_other, talker) = t.bridged_to(&call, "c(ulaw)");
    let media = noise(160 * 3);
    talker.send_media(&media);
    note_wire(t, &mut stream, &media);
    stream.write_all(&Frame::close(Some(1000), "").unmasked().encode()).unwrap();
}

// ---- tones

/// Applications of the dialplan that make the core play a tone.
const TONES: [(&str, &str); 4] =
    [("ringing", "ringing"), ("busy", "busy"), ("congestion", "congestion"), ("playtones", "tones")];

/// The same sound arrives, in frames of the same size.
#[track_caller]
fn note_tone(t: &Context, app: &App) {
    let heard = app.collect_media(160 * 30);
    let loud = heard.iter().filter(|byte| (**byte & 0x7f) < 0x60).count();
    assert!(loud > heard.len() / 4, "that is silence");
    t.note(format!("sound {:016x}", fnv(&heard)));
    let size = app.received().iter().find_map(|received| match &received.item {
        Item::Media(bytes) => Some(bytes.len()),
        _ => None,
    });
    t.note(format!("messages of {size:?} bytes"));
}

/// The FNV-1a hash, which is the same on every machine: it is in the kept traces.
fn fnv(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

fn tone(t: &Context, extension: &str) {
    let call = t.call("WebSocket/INCOMING/c(ulaw)").extension(extension).originate();
    let app = call.connect();
    app.expect_media_start();
    note_tone(t, &app);
}

/// The app calls a party who does not answer.
fn dial_tone(t: &Context, callee: &str, options: &str) {
    let call = t.call("WebSocket/INCOMING/c(ulaw)").dials(callee, "20", options).originate();
    let app = call.connect();
    app.expect_media_start();
    note_tone(t, &app);
}

fn ari_ring(t: &Context) {
    let (call, app) = t.incoming_app("c(ulaw)");
    call.wait_stasis();
    t.ari().post(&format!("channels/{}/ring", call.id), &[]).ok();
    note_tone(t, &app);
    t.ari().delete(&format!("channels/{}/ring", call.id), &[]).ok();
    status(&app, "queue_length");
}

fn ari_play(t: &Context) {
    // The hangup at the end interrupts the playback.
    t.allow_log("Playback failed");
    let (call, app) = t.incoming_app("c(ulaw)");
    call.wait_stasis();
    t.ari().post(&format!("channels/{}/play", call.id), &[("media", "tone:busy")]).ok();
    note_tone(t, &app);
}

/// Silence that was requested is media.
fn silence(t: &Context) {
    let (call, app) = t.incoming_app("c(ulaw)");
    call.wait_stasis();
    t.ari().post(&format!("channels/{}/silence", call.id), &[]).ok();
    let heard = app.collect_media(160 * 5);
    t.note(format!("{:?}", &heard[..10]));
    assert!(heard.iter().all(|byte| *byte == heard[0]));
}

/// The core handles the hold: the app gets no event, and media continues afterwards.
fn hold(t: &Context) {
    let [(held, app), (other, talker)] = t.bridged("c(ulaw)", "c(ulaw)");
    for channel in [&held.id, &other.id] {
        t.ari().post(&format!("channels/{channel}/hold"), &[]).ok();
    }
    app.expect_quiet(QUIET);
    for channel in [&held.id, &other.id] {
        t.ari().delete(&format!("channels/{channel}/hold"), &[]).ok();
    }
    let media = noise(160 * 5);
    talker.send_media(&media);
    assert_eq!(app.collect_media(media.len()), media);
    app.send_media(&media);
    assert_eq!(talker.collect_media(media.len()), media);
    status(&app, "queue_length");
}

/// Text does not reach the app, and does not end the call.
fn text(t: &Context) {
    let app_name = &t.ari().app;
    let call = t.call("WebSocket/INCOMING/c(ulaw)").extension("text").variable("APP", app_name).originate();
    let app = call.connect();
    app.expect_media_start();
    let start = t.ari().wait_channel("StasisStart", &call.id);
    t.note(start["args"].to_string());
    status(&app, "queue_length");
}

/// A phone in a bridge with an app.
fn phone_and_app<'t>(t: &'t Context, options: &str) -> (Phone<'t>, Call<'t>, App) {
    let (call, app) = t.incoming_app(options);
    call.wait_up();
    let phone = Phone::new(t);
    t.ari().bridge(&[&call.id, &phone.call.id]);
    (phone, call, app)
}

/// Comfort noise does not reach the app, and does not end the call.
fn comfort_noise(t: &Context) {
    let (phone, _call, app) = phone_and_app(t, "c(ulaw)");
    let media = noise(320);
    phone.send(0, true, 1, 160, &media[..160]);
    assert_eq!(app.expect_media(), media[..160]);
    for number in 0..5 {
        phone.send(13, false, 2 + number, 320, &[60]);
    }
    assert!(app.collect_media_for(1, QUIET).is_empty());
    phone.send(0, true, 7, 1600, &media[160..]);
    assert_eq!(app.expect_media(), media[160..]);
    status(&app, "queue_length");
}

/// Media both ways between an app and a phone.
fn phone(t: &Context) {
    let (phone, _call, app) = phone_and_app(t, "c(ulaw)");
    let media = noise(160 * 10);
    for (number, frame) in (0_u16..).zip(media.chunks(160)) {
        phone.send(0, number == 0, number, u32::from(number) * 160, frame);
    }
    assert_eq!(app.collect_media(media.len()), media);
    app.send_media(&media);
    let heard: Vec<u8> = phone.collect(10).into_iter().flat_map(|packet| packet.payload).collect();
    assert_eq!(heard, media);
}

// ---- digits

#[track_caller]
fn expect_digits(app: &App, digits: &str) {
    for digit in digits.chars() {
        assert_eq!(app.expect_event("DTMF_END").get("digit"), digit.to_string());
    }
    app.expect_quiet(QUIET);
}

const DIGITS: &str = "0*#D9";

/// The dialplan sends them to the channel.
fn senddtmf(t: &Context, format: Format) {
    let call = t
        .call(&format!("WebSocket/INCOMING/{}", ulaw(format)))
        .extension("digits")
        .variable("DIGITS", DIGITS)
        .originate();
    let app = call.connect();
    app.expect_media_start();
    expect_digits(&app, DIGITS);
}

/// A party that sends digits on request.
fn sender<'t>(t: &'t Context, go: &str) -> Call<'t> {
    t.call("Local/digits_later@harness")
        .formats("ulaw")
        .variable("DIGITS", DIGITS)
        .variable("GO", go)
        .variable("ROOM", go)
        .originate()
}

#[track_caller]
fn send(t: &Context, go: &str) {
    t.asterisk.cli(&format!("dialplan set global {go} 1"));
}

fn unique_variable(t: &Context) -> String {
    let name = t.unique("go").replace('-', "_");
    t.name(&name, "go");
    name
}

/// In a bridge: the begin and end of each digit.
fn other_leg(t: &Context, format: Format) {
    let (call, app) = t.incoming_app(&ulaw(format));
    call.wait_up();
    let go = unique_variable(t);
    let party = sender(t, &go);
    party.wait_up();
    t.ari().wait_channel("StasisStart", &party.id);
    t.ari().bridge(&[&call.id, &party.id]);
    send(t, &go);
    expect_digits(&app, DIGITS);
}

/// In a conference that passes digits on.
fn conference(t: &Context, format: Format) {
    let go = unique_variable(t);
    let call = t
        .call(&format!("WebSocket/INCOMING/{}", ulaw(format)))
        .extension("dtmf_room")
        .variable("ROOM", &go)
        .originate();
    let app = call.connect();
    app.expect_media_start();
    call.wait_application("ConfBridge");
    let party = t
        .call("Local/digits_later@harness")
        .formats("ulaw")
        .variable("DIGITS", DIGITS)
        .variable("GO", &go)
        .variable("ROOM", &go)
        .extension("dtmf_room")
        .originate();
    for channel in [&call.id, &party.id] {
        t.ari().wait_channel("ChannelEnteredBridge", channel);
    }
    send(t, &go);
    expect_digits(&app, DIGITS);
}

/// Digits are not media.
fn dtmf_direction_out(t: &Context) {
    let (call, app) = t.incoming_app("c(ulaw)d(out)");
    call.wait_stasis();
    let dtmf = [("dtmf", "7"), ("duration", "40")];
    t.ari().post(&format!("channels/{}/dtmf", call.id), &dtmf).ok();
    expect_digits(&app, "7");
}

/// Names and values in the core's order, with their whole content.
fn variables(t: &Context) {
    let call = t
        .call("WebSocket/INCOMING/c(ulaw)f(json)")
        .variable("B", "2 \"quoted\" \\ / \u{1f600}")
        .variable("A", "")
        .variable("__INHERITED", "yes")
        .variable("_ONCE", "{\"json\":[1]}")
        .variable("LINES", "a\nb\tc")
        .create();
    call.dial();
    t.ari().set_variable(&call.id, "B", "another");
    let start = call.connect().expect_media_start();
    assert_eq!(start.value("channel_variables")["B"], "another");
}
