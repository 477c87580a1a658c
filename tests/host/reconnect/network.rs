//! The network between Asterisk and the application drops every packet, and passes them again later.

use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use super::super::harness::elsewhere::Elsewhere;
use super::super::harness::http::Request;
use super::super::harness::stream::Stream;
use super::super::harness::{App, Context, InstanceConfig, Item, Suite, wait};
use super::super::media::noise;
use super::super::protocol::rtp::Phone;
use super::goes_on::{Came, Number, came, event, speak};
use super::{INTERVAL, Line, Role, WHY, WINDOW, expect_reconnected, hang_up, instance};

pub fn tests(suite: &mut Suite) {
    for role in Role::BOTH {
        for way in &WAYS {
            suite
                .ours(format!("reconnect/network/{}/{}", role.name(), way.name), WHY, move |t| {
                    gone(t, role, way);
                })
                .private_with(everywhere(way));
        }
    }
}

/// How the loss of the network is detected.
struct Way {
    name: &'static str,
    options: &'static [(&'static str, &'static str)],
    /// The number of additional frames of zeros from the caller: more than the kernel accepts.
    zeros: u16,
}

static WAYS: [Way; 3] = [
    Way {
        name: "pings",
        options: &[("enable_pingpongs", "yes"), ("pingpong_interval", "1"), ("pingpong_probes", "2")],
        zeros: 0,
    },
    Way {
        name: "keepalives",
        options: &[
            ("enable_tcp_keepalives", "yes"),
            ("tcp_keepalive_time", "1"),
            ("tcp_keepalive_interval", "1"),
            ("tcp_keepalive_probes", "2"),
        ],
        zeros: 0,
    },
    Way { name: "write_timeout", options: &[("write_timeout", "1000")], zeros: 600 },
];

/// The number of the caller's first frame after the loss is known.
const FIRST_AFTER: Number = 201;

/// The caller sends frames of zeros, which do not count.
fn speak_zeros(phone: &Phone<'_>, count: u16) {
    for number in 1000..1000 + count {
        phone.send(0, false, number, u32::from(number) * 160, &[0; 160]);
        thread::sleep(Duration::from_millis(2));
    }
}

fn everywhere(way: &Way) -> InstanceConfig {
    let options: String = way.options.iter().map(|(name, value)| format!("{name} = {value}\n")).collect();
    let global = format!("[global]\nincoming_reconnect = {WINDOW}\n{options}");
    instance().http_everywhere().our_file("chan_websocket.conf", &global)
}

/// The location of the application, and how it gets the connection of a call.
struct Place<'t> {
    t: &'t Context,
    elsewhere: &'t Elsewhere,
    /// The address that Asterisk connects to.
    listener: Option<(TcpListener, String)>,
}

impl<'t> Place<'t> {
    fn new(t: &'t Context, elsewhere: &'t Elsewhere, role: Role, way: &Way) -> Self {
        let listener = (role == Role::Outgoing).then(|| {
            let listener = elsewhere.inside(|| TcpListener::bind((elsewhere.there, 0))).expect("listen");
            let uri = format!("ws://{}/media", listener.local_addr().expect("address"));
            let client = t.unique("client");
            t.asterisk.add_client(&client, &[("uri", &uri), ("protocols", "media"), INTERVAL]);
            t.asterisk.add_connection(&client, &[&[("reconnect", WINDOW)], way.options].concat());
            (listener, client)
        });
        Self { t, elsewhere, listener }
    }

    fn call(&self) -> (Line<'t>, App) {
        super::allow_loss(self.t);
        let client = self.listener.as_ref().map_or("INCOMING", |(_, client)| client);
        let call = self.t.call(&format!("WebSocket/{client}/c(ulaw)f(json)")).originate();
        let app = self.connect(&call.connection_id());
        app.expect_media_start();
        call.wait_up();
        call.wait_stasis();
        (Line { t: self.t, call, tls: false, server: None }, app)
    }

    fn connect(&self, id: &str) -> App {
        let Some((listener, _)) = &self.listener else {
            let server = SocketAddr::new(IpAddr::V4(self.elsewhere.here), self.t.asterisk.http.port());
            let stream = self.elsewhere.inside(|| TcpStream::connect(server)).expect("HTTP server");
            let stream = Stream::accepted(stream).expect("stream");
            return self.t.app(self.t.upgrade(id).send(stream).expect("an answer"));
        };
        loop {
            // An abandoned attempt may have arrived.
            let stream = Stream::accepted(listener.accept().expect("Asterisk").0).expect("stream");
            if let Ok(request) = Request::read(stream) {
                return self.t.accept(request);
            }
        }
    }
}

/// The numbers of the caller's frames that an application got.
fn media(app: &App) -> Vec<Number> {
    let number = |item| match item {
        Item::Media(bytes) => Some(bytes[0]).filter(|number| *number != 0),
        _ => None,
    };
    app.received().into_iter().filter_map(|received| number(received.item)).collect()
}

/// An RTP phone is bridged to the call. It hears the queued media to its end, and then the media of the new connection.
/// The caller's frames come in order, none of them twice, with all frames from after the loss was known.
fn gone(t: &Context, role: Role, way: &Way) {
    let elsewhere = match Elsewhere::new() {
        Ok(elsewhere) => elsewhere,
        Err(why) => {
            eprintln!("reconnect/network: no network namespace here, nothing tested: {why}");
            return;
        }
    };
    let phone = Phone::new(t);
    let place = Place::new(t, &elsewhere, role, way);
    let (line, old) = place.call();
    t.ari().bridge(&[&phone.call.id, &line.call.id]);
    speak(&phone, 1..=5);
    assert_eq!(old.collect_media(5 * 160).len(), 5 * 160, "the bridge is there");

    let sentence = noise(300 * 160);
    old.command("START_MEDIA_BUFFERING");
    old.send_media(&sentence);
    old.command("STOP_MEDIA_BUFFERING sentence");
    old.command("MARK_MEDIA end");
    phone.collect_media(&sentence[..10 * 160]);
    let events = || line.figure("events").parse::<u64>().expect("a number");
    let before = events();
    elsewhere.drop_packets();
    speak(&phone, 6..=20);
    speak_zeros(&phone, way.zeros);
    line.wait_figure("state", "lost");
    // An event that the kernel had accepted by then is not sent again.
    let told = events() - before;
    speak(&phone, FIRST_AFTER..=220);
    phone.collect_media(&sentence[10 * 160..]);
    wait::until("the sentence is over", || events() == before + 2);
    speak(&phone, 221..=225);

    elsewhere.pass_packets();
    let new = place.connect(&line.call.connection_id());
    let lost_for = expect_reconnected(&new);
    assert_eq!(line.figure("lost_ms"), lost_for.as_millis().to_string());
    speak(&phone, 226..=230);
    let came = came(&new, 230);
    // Frames that the kernel had accepted for the lost connection are not sent again.
    assert_eq!(media(&new), (FIRST_AFTER..=230).collect::<Vec<_>>());
    let at = |wanted: Came| came.iter().position(|one| *one == wanted);
    if told == 0 {
        let positions = [
            at(Came::Media(220)),
            at(event("MEDIA_BUFFERING_COMPLETED sentence")),
            at(event("MEDIA_MARK_PROCESSED end")),
            at(Came::Media(221)),
        ];
        assert!(positions.is_sorted() && positions[0].is_some(), "{came:?}");
    }

    let answer = noise(350 * 160).split_off(300 * 160);
    new.command("START_MEDIA_BUFFERING");
    new.send_media(&answer);
    phone.collect_media(&answer);
    assert_eq!(line.figure("reconnects"), "1");
    hang_up(&line, &new);
    let all = [media(&old), media(&new)].concat();
    assert!(all.is_sorted_by(|one, next| one < next), "a frame came twice: {all:?}");
}
