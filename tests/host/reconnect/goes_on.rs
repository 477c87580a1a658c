//! What the caller hears and the application is told when a connection is lost during speech.

use std::thread;
use std::time::{Duration, Instant};

use super::super::harness::{App, Context, Frame, Item, Suite};
use super::super::life::puppet::{Phase, Puppet};
use super::super::media::noise;
use super::super::protocol::rtp::Phone;
use super::{Line, Role, WHY, WINDOW, expect_reconnected, hang_up, instance};

pub fn tests(suite: &mut Suite) {
    for role in Role::BOTH {
        for way in &WAYS {
            let name = |scheme: &str| format!("reconnect/goes_on/{}/{scheme}/{}", role.name(), way.name);
            suite.ours(name("ws"), WHY, move |t| goes_on(t, role, false, way)).shares("reconnect", instance);
            if way.tls {
                suite
                    .ours(name("wss"), WHY, move |t| goes_on(t, role, true, way))
                    .shares("reconnect", instance);
            }
        }
        suite
            .ours(format!("reconnect/killed/{}", role.name()), WHY, move |t| killed(t, role))
            .shares("reconnect", instance);
    }
    suite.ours("reconnect/plain_text", WHY, plain_text).shares("reconnect", instance);
    suite.ours("reconnect/silent_network", WHY, silent_network).private_with(instance().our_file(
        "chan_websocket.conf",
        &format!(
            "[global]\nincoming_reconnect = {WINDOW}\nenable_pingpongs = yes\npingpong_interval = 1\npingpong_probes = 2\n"
        ),
    ));
}

/// A way to lose the connection.
struct Way {
    name: &'static str,
    /// The loss is in the middle of a message.
    cuts: bool,
    tls: bool,
    lose: fn(App),
}

static WAYS: [Way; 4] = [
    Way { name: "reset", cuts: true, tls: true, lose: App::reset },
    Way {
        name: "end",
        cuts: true,
        tls: false,
        lose: |app| {
            app.disconnect();
            app.rest();
        },
    },
    Way { name: "close_1012", cuts: false, tls: true, lose: |app| close(&app, 1012) },
    Way { name: "close_1001", cuts: false, tls: false, lose: |app| close(&app, 1001) },
];

/// The close frame is answered as usual.
fn close(app: &App, code: u16) {
    app.close(code);
    assert_eq!(app.expect_close(), code);
}

const PTIME: Duration = Duration::from_millis(20);

/// The media that the application sends before the loss: three seconds.
const SENTENCE: usize = 150;

/// The number of a frame from the caller.
pub(super) type Number = u8;

/// The caller sends these frames, each filled with its number.
pub(super) fn speak(phone: &Phone<'_>, frames: std::ops::RangeInclusive<Number>) {
    for number in frames {
        phone.send(0, false, number.into(), u32::from(number) * 160, &[number; 160]);
        thread::sleep(Duration::from_millis(4));
    }
}

/// Everything that came on a connection, in order: events by name and id, media by number.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Came {
    Event(String),
    Media(Number),
}

pub(super) fn event(text: &str) -> Came {
    Came::Event(text.to_owned())
}

/// The media and events that came up to the frame `last`, without MEDIA_START.
pub(super) fn came(app: &App, last: Number) -> Vec<Came> {
    app.wait_item(super::wait::PATIENCE, |item| (*item == Item::Media(vec![last; 160])).then_some(()))
        .unwrap_or_else(|| panic!("frame {last} has not come: {:?}", app.received()));
    let items = app.received().into_iter().filter_map(|received| match received.item {
        Item::Event(event) if event.name == "MEDIA_START" => None,
        Item::Event(event) => Some(Came::Event(format!("{} {}", event.name, event.get("correlation_id")))),
        Item::Media(bytes) => {
            assert_eq!(bytes, [bytes[0]; 160], "a frame whole");
            Some(Came::Media(bytes[0]))
        }
        _ => None,
    });
    items.collect()
}

/// An RTP phone is bridged to the call. It hears the queued media to its end, nothing of the message that the loss cut
/// off, and then the media of the new connection, no frame twice. The application hears the last two seconds of the
/// phone, and gets the events of the meantime, in order.
fn goes_on(t: &Context, role: Role, tls: bool, way: &Way) {
    let ami = t.ami("calls");
    let phone = Phone::new(t);
    let (line, app) = Line::up(t, role, tls, "c(ulaw)f(json)");
    t.ari().bridge(&[&phone.call.id, &line.call.id]);
    speak(&phone, 1..=5);
    assert_eq!(app.collect_media(5 * 160).len(), 5 * 160, "the bridge is there");

    let sentence = noise(SENTENCE * 160);
    app.command("START_MEDIA_BUFFERING");
    app.send_media(&sentence);
    app.command("STOP_MEDIA_BUFFERING sentence");
    app.command("MARK_MEDIA end");
    if way.cuts {
        let message = app.encode(&Frame::binary([0x11; 1600]));
        app.send_raw(&message[..800]);
    }
    phone.collect_media(&sentence[..10 * 160]);

    line.go_away();
    let before = Instant::now();
    (way.lose)(app);
    line.wait_figure("state", "lost");
    let known = Instant::now();
    let lost = ami.event("WebSocketLost", &line.call.id);
    assert!(lost.number("WaitMs") > 100_000.0, "{lost:?}");
    let (frames_out, events) = (line.figure("frames_out"), line.figure("events"));
    speak(&phone, 11..=40);
    line.wait_figure("frames_out", &(frames_out.parse::<u64>().expect("a number") + 30).to_string());
    assert_eq!(line.figure("events"), events, "the sentence still lasts");

    phone.collect_media(&sentence[10 * 160..]);
    line.wait_figure("events", &(events.parse::<u64>().expect("a number") + 2).to_string());
    speak(&phone, 41..=120);
    line.wait_figure("frames_out", &(frames_out.parse::<u64>().expect("a number") + 110).to_string());
    assert_eq!(line.figure("state"), "lost");

    let shortest = known.elapsed();
    let app = line.connect();
    let lost_for = expect_reconnected(&app);
    assert!(lost_for >= shortest && lost_for <= before.elapsed(), "{lost_for:?}, at least {shortest:?}");
    speak(&phone, 121..=125);
    let mut expected: Vec<Came> = (21..=40).map(Came::Media).collect();
    expected.extend([event("MEDIA_BUFFERING_COMPLETED sentence"), event("MEDIA_MARK_PROCESSED end")]);
    expected.extend((41..=125).map(Came::Media));
    assert_eq!(came(&app, 125), expected);

    let answer = noise(SENTENCE * 160 + 50 * 160).split_off(SENTENCE * 160);
    app.command("START_MEDIA_BUFFERING");
    app.send_media(&answer);
    phone.collect_media(&answer);
    let back = ami.event("WebSocketReconnected", &line.call.id);
    assert_eq!((back.get("Reconnects"), back.get("LostMs")), ("1", &*lost_for.as_millis().to_string()));
    assert_eq!(back.get("FramesDroppedOut"), "10");
    assert_eq!((line.figure("reconnects"), line.figure("state")), ("1".into(), "buffering".into()));
    assert_eq!(line.figure("lost_ms"), lost_for.as_millis().to_string());
    hang_up(&line, &app);
    let end = ami.event("WebSocketDisconnected", &line.call.id);
    assert_eq!((end.get("Reconnects"), end.get("EndedBy")), ("1", "hangup_command"));
    assert_eq!(
        ami.own_events(&line.call.id),
        ["WebSocketConnected", "WebSocketLost", "WebSocketReconnected", "WebSocketDisconnected"]
    );
}

/// The application's process is killed (SIGKILL) while it sends, and started again.
fn killed(t: &Context, role: Role) {
    super::allow_loss(t);
    let (client, target, puppet) = match role {
        Role::Incoming => (None, "INCOMING".to_owned(), None),
        Role::Outgoing => {
            let (puppet, port) = Puppet::listen(0, Phase::Media);
            let client = t.unique("client");
            let uri = format!("ws://127.0.0.1:{port}/media");
            t.asterisk.add_client(&client, &[("uri", &uri), ("protocols", "media"), super::INTERVAL]);
            t.asterisk.add_connection(&client, &[("reconnect", WINDOW)]);
            (Some(port), client, Some(puppet))
        }
    };
    let call = t.call(&format!("WebSocket/{target}/c(ulaw)")).extension("echo").originate();
    let connect = || {
        let path = t.asterisk.path(&format!("media/{}", call.connection_id()));
        Puppet::connect(t.asterisk.http, &path, Phase::Media)
    };
    let mut puppet = puppet.unwrap_or_else(connect);
    let figure = |name: &str| call.variable(&format!("CHANNEL(websocket,{name})")).unwrap_or_default();
    for round in 1..=3 {
        puppet.wait_reached();
        puppet.kill();
        super::wait::until("the module knows", || figure("state") == "lost");
        puppet = match client {
            Some(port) => Puppet::listen(port, Phase::Media).0,
            None => connect(),
        };
        super::wait::until("it is connected again", || figure("reconnects") == round.to_string());
    }
    puppet.wait_reached();
    call.hangup();
    assert_eq!(call.ending().cause, 16);
}

fn plain_text(t: &Context) {
    let (line, app) = Line::up(t, Role::Incoming, false, "c(ulaw)");
    let first = app.received();
    let Item::Event(start) = &first[0].item else { panic!("{first:?}") };
    assert!(!start.raw.contains("reconnected") && start.raw.ends_with(" unbuffered:false"), "{start:?}");
    line.lose(app);
    let app = line.connect();
    let start = app.expect_media_start();
    let (head, lost) = start.raw.rsplit_once(" lost_ms:").expect("last");
    assert!(head.ends_with(" unbuffered:false reconnected:true"), "{start:?}");
    assert!(lost.parse::<u64>().is_ok(), "{start:?}");
    hang_up(&line, &app);
}

/// The network fails without an error, and pings detect it. Until then no other application gets the call.
fn silent_network(t: &Context) {
    let phone = Phone::new(t);
    let (line, app) = Line::up(t, Role::Incoming, false, "c(ulaw)f(json)");
    t.ari().bridge(&[&phone.call.id, &line.call.id]);
    speak(&phone, 1..=5);
    assert_eq!(app.collect_media(5 * 160).len(), 5 * 160);
    app.stop_reading();
    let id = line.call.connection_id();
    t.allow_log("Websocket already connected");
    assert_eq!(t.send(&t.upgrade(&id)).status, 409);
    line.wait_figure("state", "lost");
    thread::sleep(PTIME);
    speak(&phone, 6..=10);
    let next = line.connect();
    expect_reconnected(&next);
    assert_eq!(came(&next, 10), (6..=10).map(Came::Media).collect::<Vec<_>>());
    hang_up(&line, &next);
}
