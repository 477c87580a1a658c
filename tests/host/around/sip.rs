//! The rest of the call with a telephone at the other end: chan_pjsip, and a peer that SIPp plays.

use std::time::{Duration, Instant};

use serde_json::json;

use super::super::harness::call::Call;
use super::super::harness::sip::{self, EVENTS, NAME, NUMBER, Peer, Step};
use super::super::harness::{App, Context, InstanceConfig, Suite, wait};
use super::super::media::noise;
use super::super::protocol::rtp::{Media, Packet};
use super::{ONLY_OURS, call, command, expect_state, expect_unbridged, goes_on, subscribe};

pub fn tests(suite: &mut Suite) {
    let mut ours = |name: &str, body: fn(&Context)| {
        suite.ours(format!("around/sip/{name}"), ONLY_OURS, body).shares("around_sip", instance);
    };
    ours("states", states);
    ours("busy", busy);
    ours("line", line);
    ours("transfer", transfer);
    ours("referred", referred);
    ours("digits", digits);
    ours("digits_and_speech", digits_and_speech);
}

/// Dial(), and Busy() where the test needs it: Dial() itself does not indicate busy.
const DIALPLAN: &str = "\
[phones]
exten => phone,1,Dial(${DIAL},30,g)
 same => n,GotoIf($[\"${DIALSTATUS}\" = \"BUSY\"]?busy)
 same => n,Stasis(${APP},dialled,${DIALSTATUS})
 same => n(busy),Busy(2)
";

pub(super) fn instance() -> InstanceConfig {
    sip::with_peers(super::instance().dialplan(DIALPLAN), "")
}

/// The application's channel dials the peer.
fn dials(t: &Context, call: &Call<'_>, peer: &Peer) {
    for (name, value) in [("DIAL", &*peer.dial()), ("APP", &t.ari().app)] {
        t.ari().set_variable(&call.id, name, value);
    }
    let parameters = [("context", "phones"), ("extension", "phone"), ("priority", "1")];
    t.ari().post(&format!("channels/{}/continue", call.id), &parameters).ok();
}

/// An application in a bridge with a telephone that answers at once; and the telephone's media.
fn with_phone<'t>(t: &'t Context, options: &str) -> (Call<'t>, App, Peer, Media) {
    sip::allow_log(t);
    let media = Media::bind();
    let peer = Peer::start(&[Step::Answer(media.address().port()), Step::ExpectBye]);
    let (call, app) = t.incoming_app(options);
    call.wait_up();
    call.wait_stasis();
    dials(t, &call, &peer);
    phone_of(t, &call);
    (call, app, peer, media)
}

/// The channel of the telephone that is in the call's bridge.
#[track_caller]
fn phone_of(t: &Context, call: &Call<'_>) -> String {
    let peer = || call.variable("BRIDGEPEER").filter(|name| name.starts_with("PJSIP/peer-"));
    let name = wait::poll(wait::PATIENCE, peer).expect("a telephone in the bridge");
    let channels = t.ari().get("channels", &[]).ok();
    let phone = channels.as_array().and_then(|all| all.iter().find(|channel| channel["name"] == *name));
    phone.and_then(|channel| channel["id"].as_str()).expect("the telephone's channel").to_owned()
}

/// The telephone rings, answers, holds by a re-INVITE, resumes, and is hung up.
fn states(t: &Context) {
    sip::allow_log(t);
    let media = Media::bind();
    let port = media.address().port();
    let mut peer = Peer::start(&[
        Step::Ring,
        Step::Wait(300),
        Step::Answer(port),
        Step::Wait(300),
        Step::Direction("sendonly", port),
        Step::Wait(300),
        Step::Direction("sendrecv", port),
        Step::ExpectBye,
    ]);
    let (call, app) = call(t);
    subscribe(&app, &["CALL_STATE"]);
    expect_state(&app, "answered");
    dials(t, &call, &peer);
    expect_state(&app, "ringing");
    let bridged = expect_state(&app, "bridged");
    assert!(bridged.get("peer").starts_with("PJSIP/peer-"), "{}", bridged.raw);
    expect_state(&app, "hold");
    expect_state(&app, "unhold");
    goes_on(&app);
    t.ari().hangup(&phone_of(t, &call));
    expect_unbridged(&app, &bridged.get("bridge_id"));
    peer.end();
    goes_on(&app);
}

/// The telephone is busy, and the dialplan indicates it.
fn busy(t: &Context) {
    sip::allow_log(t);
    let mut peer = Peer::start(&[Step::Ring, Step::Wait(200), Step::Refuse(486, "Busy Here")]);
    let (call, app) = call(t);
    subscribe(&app, &["CALL_STATE"]);
    expect_state(&app, "answered");
    dials(t, &call, &peer);
    expect_state(&app, "ringing");
    expect_state(&app, "busy");
    peer.end();
    assert_eq!(app.expect_close(), 1000);
}

/// The telephone identifies itself when it answers.
fn line(t: &Context) {
    sip::allow_log(t);
    let peer = Peer::start(&[Step::Ring, Step::Wait(100), Step::Answer(Media::bind().address().port())]);
    let (call, app) = call(t);
    subscribe(&app, &["CONNECTED_LINE"]);
    dials(t, &call, &peer);
    let mut lines = Vec::new();
    while lines.last() != Some(&(NAME.to_owned(), NUMBER.to_owned())) {
        let line = app.expect_event("CONNECTED_LINE");
        lines.push((line.get("name"), line.get("number")));
    }
    assert!(lines.windows(2).all(|two| two[0] != two[1]), "{lines:?}");
    app.command("HANGUP");
    assert_eq!(app.expect_close(), 1000);
}

/// The telephone is transferred.
fn transfer(t: &Context) {
    let (call, app, mut peer, _media) = with_phone(t, "c(ulaw)f(json)");
    let phone = phone_of(t, &call);
    command(&app, "TRANSFER", json!({"exten": "200", "context": "agents", "correlation_id": "t"}));
    assert_eq!(app.expect_event("TRANSFERRED").get("result"), "success");
    assert_eq!(app.expect_close(), 1000);
    super::transfer::arrives(t, &phone, "200");
    t.ari().hangup(&phone);
    peer.end();
}

/// The telephone transfers the application.
fn referred(t: &Context) {
    sip::allow_log(t);
    let port = Media::bind().address().port();
    let steps = [Step::Answer(port), Step::Wait(300), Step::Refer("603"), Step::Bye];
    let mut peer = Peer::start(&steps);
    let (call, app) = call(t);
    subscribe(&app, &["CALL_STATE"]);
    expect_state(&app, "answered");
    dials(t, &call, &peer);
    let bridged = expect_state(&app, "bridged");
    expect_unbridged(&app, &bridged.get("bridge_id"));
    peer.end();
    call.wait_application("Echo");
    let media = noise(1600);
    app.send_media(&media);
    assert_eq!(app.collect_media(1600), media);
    goes_on(&app);
}

/// An event of RFC 4733, as its packets describe it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Sent {
    digit: char,
    /// Its duration in the last packet, in ms.
    duration_ms: u32,
    /// The number of packets with the end bit.
    ends: usize,
    /// Whether the first packet has the marker bit and no other packet has it.
    is_marked: bool,
    timestamp: u32,
    begun: Instant,
    ended: Instant,
}

/// The next `count` events. Packets of ulaw are added to `speech`.
#[track_caller]
fn events(media: &Media, count: usize, speech: &mut Vec<Packet>) -> Vec<Sent> {
    const DIGITS: &[u8] = b"0123456789*#ABCD";
    let mut sent: Vec<Sent> = Vec::new();
    while sent.len() < count || sent.last().is_some_and(|last| last.ends < 3) {
        let packet =
            media.packet().unwrap_or_else(|| panic!("{} of {count} events came: {sent:?}", sent.len()));
        if packet.kind != EVENTS {
            speech.push(packet);
            continue;
        }
        let [event, flags, high, low] = packet.payload[..] else { panic!("{packet:?}") };
        let (digit, ends) = (char::from(DIGITS[usize::from(event)]), flags & 0x80 != 0);
        let duration_ms = u32::from(u16::from_be_bytes([high, low])) / 8;
        match sent.last_mut().filter(|last| last.timestamp == packet.timestamp) {
            Some(last) => {
                assert_eq!(last.digit, digit, "one event at one time");
                assert!(ends || last.ends == 0, "nothing comes after the end");
                if last.ends == 0 {
                    last.ended = packet.at;
                }
                last.ends += usize::from(ends);
                last.is_marked &= !packet.marker;
                last.duration_ms = duration_ms;
            }
            None => sent.push(Sent {
                digit,
                duration_ms,
                ends: 0,
                is_marked: packet.marker,
                timestamp: packet.timestamp,
                begun: packet.at,
                ended: packet.at,
            }),
        }
    }
    sent
}

/// Event, duration, end bit, order and pause in the RTP packets.
fn digits(t: &Context) {
    let (_call, app, mut peer, media) = with_phone(t, "c(ulaw)f(json)");
    for (digits, duration, pause) in [("159#", 120, 90), ("*0D", 300, 60)] {
        let measure = || {
            let fields =
                json!({"digits": digits, "duration": duration, "pause": pause, "correlation_id": "d"});
            command(&app, "SEND_DTMF", fields);
            let sent = events(&media, digits.len(), &mut Vec::new());
            app.expect_event("DTMF_SENT");
            expect_events(&sent, digits, duration);
            times(&sent)
        };
        // Packets may be read late on a busy machine.
        let near = |time: Duration, ms: u32| {
            let wanted = Duration::from_millis(ms.into());
            time + Duration::from_millis(8) > wanted && time < wanted + Duration::from_millis(40)
        };
        wait::until_fits("lengths and pauses are as asked", measure, |(lengths, pauses)| {
            lengths.iter().all(|time| near(*time, duration)) && pauses.iter().all(|time| near(*time, pause))
        });
    }
    app.command("HANGUP");
    assert_eq!(app.expect_close(), 1000);
    peer.end();
}

/// The content of the packets, whatever the time at which they come.
#[track_caller]
fn expect_events(sent: &[Sent], digits: &str, duration: u32) {
    assert_eq!(sent.iter().map(|event| event.digit).collect::<String>(), digits, "{sent:?}");
    for event in sent {
        assert_eq!((event.duration_ms, event.ends, event.is_marked), (duration, 3, true), "{event:?}");
    }
    for pair in sent.windows(2) {
        let step = pair[1].timestamp.wrapping_sub(pair[0].timestamp) / 8;
        assert!(step >= duration, "the next event is behind this one: {pair:?}");
    }
}

/// The times from each event's first packet to its end, and from there to the next event.
fn times(sent: &[Sent]) -> (Vec<Duration>, Vec<Duration>) {
    let lengths = sent.iter().map(|event| event.ended - event.begun).collect();
    (lengths, sent.windows(2).map(|pair| pair[1].begun - pair[0].ended).collect())
}

/// During speech: no packet of speech comes within an event, and none is lost.
fn digits_and_speech(t: &Context) {
    let (_call, app, _peer, media) = with_phone(t, "c(ulaw)f(json)");
    let said = noise(100 * 160);
    app.command("START_MEDIA_BUFFERING");
    app.send_media(&said);
    app.command("STOP_MEDIA_BUFFERING b");
    let mut speech = vec![media.receive().expect("speech")];
    command(&app, "SEND_DTMF", json!({"digits": "12", "duration": 200, "correlation_id": "d"}));
    let sent = events(&media, 2, &mut speech);
    while speech.len() < 100 {
        speech.push(media.receive().unwrap_or_else(|| panic!("{} of 100 packets came", speech.len())));
    }
    let heard: Vec<u8> = speech.iter().flat_map(|packet| packet.payload.clone()).collect();
    assert_eq!(heard, said);
    for event in &sent {
        let within =
            speech.iter().filter(|packet| packet.at > event.begun && packet.at < event.ended).count();
        assert!(within <= 1, "{within} packets of speech in {event:?}");
    }
    assert!(speech.windows(2).all(|two| two[1].timestamp.wrapping_sub(two[0].timestamp) < 8 * 1000));
    app.expect_event("DTMF_SENT");
    app.expect_event("MEDIA_BUFFERING_COMPLETED");
}
