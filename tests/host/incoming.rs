//! The app connects to Asterisk's HTTP server.

use std::sync::Barrier;
use std::thread;

use super::harness::http::{ACCEPT, Response, UpgradeRequest};
use super::harness::{Context, Format, Frame, InstanceConfig, Suite};
use super::media::noise;

pub fn tests(suite: &mut Suite) {
    suite.same("incoming/connects", connects);
    suite.same("incoming/connects_tls", connects_tls);
    suite.same("incoming/external_media", external_media);
    suite.same("incoming/create_and_dial", create_and_dial);
    suite.same("incoming/dialplan", dialplan);
    for &(name, spoil) in REFUSED {
        suite.same(format!("incoming/refused/{name}"), move |t| refused(t, spoil));
    }
    for &(name, spoil) in ACCEPTED {
        suite.same(format!("incoming/accepted/{name}"), move |t| accepted(t, spoil));
    }
    suite.same("incoming/refused/unknown_id", unknown_id);
    suite.same("incoming/refused/no_id", no_id);
    suite.same("incoming/refused/connected_already", connected_already);
    suite.same("incoming/refused/hung_up", hung_up);
    suite.same("incoming/order_of_refusals", order_of_refusals);
    suite.same("incoming/prefix", prefix).private_with(InstanceConfig::new().http_prefix("pbx"));
    suite.differs("incoming/id_in_query", "26", id_in_query);
    suite.differs("incoming/name_of_client", "15", name_of_client);
    suite.ours("incoming/race", "the C module may answer 101 to both (9)", race);
    suite.ours("incoming/behind_handshake", "the C module may leave them unread (3)", |t| {
        behind_handshake(t, false);
    });
    suite.ours("incoming/behind_handshake_tls", "the C module may leave them unread (3)", |t| {
        behind_handshake(t, true);
    });
    suite.ours("incoming/newer_fields", "they came with a later Asterisk", newer_fields);
    suite.ours("incoming/two_hundred", "the C module can deadlock for good (22)", two_hundred).private();
}

// Logged when an app makes a request that is refused.
const NOT_FOUND: &str = "WebSocket instance not found";
const CONNECTED: &str = "Websocket already connected";

fn connects(t: &Context) {
    let call = t.incoming("c(ulaw)");
    let app = call.connect();
    let start = app.expect_media_start();
    assert_eq!(start.get("connection_id"), call.connection_id());
    assert_eq!(start.get("channel"), call.name);
    assert_eq!(start.get("channel_id"), call.id);
    t.note(start.keys()[..6].join(" "));
    call.wait_up();
    app.command("HANGUP");
    assert_eq!(app.expect_close(), 1000);
    call.ending();
}

fn connects_tls(t: &Context) {
    let call = t.incoming("c(ulaw)f(json)");
    let app = t.connect_tls(&call.connection_id());
    app.expect_media_start();
    call.wait_up();
    app.command("GET_STATUS");
    app.expect_event("STATUS");
    app.command("HANGUP");
    assert_eq!(app.expect_close(), 1000);
}

fn external_media(t: &Context) {
    let incoming = [("external_host", "INCOMING"), ("connection_type", "server"), ("format", "ulaw")];
    let call = t.external_media_call(&[&incoming[..], &[("transport_data", "f(json)n")]].concat());
    let app = call.connect();
    assert_eq!(app.expect_media_start().format(), Format::Json);
    app.command("ANSWER");
    call.wait_up();
    call.hangup();
    assert_eq!(app.expect_close(), 1000);
}

fn create_and_dial(t: &Context) {
    let call = t.call("WebSocket/INCOMING/c(slin16)").create();
    t.note(format!("{:?}", call.state()));
    call.dial();
    let app = call.connect();
    app.expect_media_start();
    call.wait_up();
    call.hangup();
    assert_eq!(app.expect_close(), 1000);
}

/// The dialplan publishes the id before it dials, and Dial() answers when the app has connected.
fn dialplan(t: &Context) {
    let caller = t.call("Local/park@harness").dials("WebSocket/INCOMING/c(ulaw)", "10", "g").originate();
    let ari = t.ari();
    let dialled = ari.wait("Dial", |event| {
        event["caller"]["id"] == *caller.id && event["peer"]["name"].as_str().is_some_and(is_incoming)
    });
    let id = dialled["peer"]["id"].as_str().unwrap();
    let id = ari.variable(id, "MEDIA_WEBSOCKET_CONNECTION_ID").unwrap();
    let app = t.connect(&id);
    app.expect_media_start();
    ari.wait("Dial", |event| event["caller"]["id"] == *caller.id && event["dialstatus"] == "ANSWER");
    app.command("HANGUP");
    assert_eq!(app.expect_close(), 1000);
    t.note(format!("{:?}", caller.dial_result()));
}

fn is_incoming(name: &str) -> bool {
    name.starts_with("WebSocket/INCOMING/")
}

type Spoil = fn(UpgradeRequest) -> UpgradeRequest;

const REFUSED: &[(&str, Spoil)] = &[
    ("post", |request| request.method("POST").header("Content-Length", "0")),
    ("no_upgrade", |request| request.without("Upgrade")),
    ("upgrade_to_something_else", |request| request.header("Upgrade", "h2c")),
    ("no_key", |request| request.without("Sec-WebSocket-Key")),
    ("no_version", |request| request.without("Sec-WebSocket-Version")),
    ("version_12", |request| request.header("Sec-WebSocket-Version", "12")),
    ("other_subprotocol", |request| request.header("Sec-WebSocket-Protocol", "chat")),
];

/// Logged for a request that is not an upgrade to WebSocket: by the C module, by ours.
fn allow_refusal(t: &Context) {
    t.allow_log(t.either("could not be accepted", "refused the application's upgrade"));
}

/// A request is refused with the same answer as the C module's; an app can still connect to the call.
fn refused(t: &Context, spoil: Spoil) {
    allow_refusal(t);
    let call = t.incoming("c(ulaw)");
    let id = call.connection_id();
    let response = t.send(&spoil(t.upgrade(&id)));
    assert_ne!(response.status, 101);
    note_head(t, &response);
    t.connect(&id).expect_media_start();
}

const ACCEPTED: &[(&str, Spoil)] = &[
    ("as_it_should_be", |request| request),
    ("no_subprotocol", |request| request.without("Sec-WebSocket-Protocol")),
    ("several_subprotocols", |request| request.header("Sec-WebSocket-Protocol", "chat, media, other")),
    ("version_8", |request| request.header("Sec-WebSocket-Version", "8")),
    ("version_7", |request| request.header("Sec-WebSocket-Version", "7")),
    ("upgrade_in_capitals", |request| request.header("Upgrade", "WebSocket")),
    ("connection_list", |request| request.header("Connection", "keep-alive, Upgrade")),
    ("deflate_offered", |request| {
        request.header("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits")
    }),
];

fn accepted(t: &Context, spoil: Spoil) {
    let call = t.incoming("c(ulaw)");
    let response = t.send(&spoil(t.upgrade(&call.connection_id())));
    assert_eq!(response.header("Connection"), Some("Upgrade"));
    assert_eq!(response.header("Sec-WebSocket-Accept"), Some(ACCEPT));
    assert_eq!(response.header("Sec-WebSocket-Extensions"), None);
    note_head(t, &response);
    let app = t.app(response);
    app.expect_media_start();
    call.wait_up();
}

/// The status and the headers that an app uses.
fn note_head(t: &Context, response: &Response) {
    t.note(response.status.to_string());
    for name in ["Upgrade", "Sec-WebSocket-Protocol", "Sec-WebSocket-Version"] {
        if let Some(value) = response.header(name) {
            t.note(format!("{name}: {value}"));
        }
    }
}

fn unknown_id(t: &Context) {
    t.allow_log(NOT_FOUND);
    for id in ["00000000-0000-0000-0000-000000000000", "INCOMING", "a/b", "%41"] {
        assert_eq!(t.send(&t.upgrade(id)).status, 404, "{id}");
    }
}

fn no_id(t: &Context) {
    t.allow_log(NOT_FOUND);
    t.note(t.send(&t.upgrade("")).status.to_string());
    t.note(t.send(&UpgradeRequest::new(&t.asterisk.path("media"))).status.to_string());
}

fn connected_already(t: &Context) {
    t.allow_log(CONNECTED);
    let (call, app) = t.incoming_app("c(ulaw)");
    assert_eq!(t.send(&t.upgrade(&call.connection_id())).status, 409);
    // The first app is not affected.
    app.command("GET_STATUS");
    app.expect_event("STATUS");
}

fn hung_up(t: &Context) {
    t.allow_log(NOT_FOUND);
    let (call, app) = t.incoming_app("c(ulaw)");
    let id = call.connection_id();
    call.hangup();
    app.expect_close();
    call.ending();
    assert_eq!(t.send(&t.upgrade(&id)).status, 404);

    let call = t.incoming("c(ulaw)");
    let id = call.connection_id();
    call.hangup();
    call.ending();
    assert_eq!(t.send(&t.upgrade(&id)).status, 404);
}

/// If several things are wrong, the first in this order is answered: id, connected, method, Upgrade.
fn order_of_refusals(t: &Context) {
    allow_refusal(t);
    t.allow_log(CONNECTED);
    t.allow_log(NOT_FOUND);
    let bad = |id: &str| t.upgrade(id).method("POST").without("Upgrade").without("Sec-WebSocket-Key");
    t.note(t.send(&bad("nobody")).status.to_string());
    let (call, _app) = t.incoming_app("c(ulaw)");
    t.note(t.send(&bad(&call.connection_id())).status.to_string());
    let call = t.incoming("c(ulaw)");
    t.note(t.send(&bad(&call.connection_id())).status.to_string());
    t.note(t.send(&bad(&call.connection_id()).method("GET")).status.to_string());
}

fn prefix(t: &Context) {
    t.allow_log(NOT_FOUND);
    let call = t.incoming("c(ulaw)");
    call.connect().expect_media_start();
    let without = UpgradeRequest::new(&format!("/media/{}", t.incoming("c(ulaw)").connection_id()));
    assert_eq!(t.send(&without).status, 404);
}

/// A parameter in the query must not give access to a call.
fn id_in_query(t: &Context) {
    let (call, other) = (t.incoming("c(ulaw)"), t.incoming("c(ulaw)"));
    let target = format!("{}?CONNECTION_ID={}", call.connection_id(), other.connection_id());
    let start = t.connect(&target).expect_media_start();
    assert_eq!(start.get("channel_id"), t.either(&other.id, &call.id).clone());
}

/// The connection id of an outgoing call is its client's name: no app can connect with it.
fn name_of_client(t: &Context) {
    t.allow_log(NOT_FOUND);
    let server = t.server(&[]);
    let _call = t.call(&format!("WebSocket/{}/c(ulaw)", server.client)).create();
    assert_eq!(t.send(&t.upgrade(&server.client)).status, t.either(101, 404));
}

/// Of several apps that connect at the same time with one id, exactly one gets the call.
fn race(t: &Context) {
    t.allow_log(CONNECTED);
    const APPS: usize = 4;
    for _ in 0..20 {
        let call = t.incoming("c(ulaw)");
        let request = t.upgrade(&call.connection_id());
        let streams: Vec<_> = (0..APPS).map(|_| t.http()).collect();
        let start = Barrier::new(APPS);
        let responses: Vec<Response> = thread::scope(|scope| {
            let send = |stream| {
                let (request, start) = (&request, &start);
                scope.spawn(move || {
                    start.wait();
                    request.send(stream).unwrap()
                })
            };
            let running: Vec<_> = streams.into_iter().map(send).collect();
            running.into_iter().map(|handle| handle.join().unwrap()).collect()
        });
        let mut statuses: Vec<u16> = responses.iter().map(|response| response.status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [101, 409, 409, 409]);
        let winner = responses.into_iter().find(|response| response.status == 101).unwrap();
        t.app(winner).expect_media_start();
    }
}

/// What the app sends in the same packet as its request is neither lost nor delayed until more data comes.
fn behind_handshake(t: &Context, tls: bool) {
    let call = t.call("WebSocket/INCOMING/c(ulaw)").extension("echo").originate();
    let media = noise(1600);
    let frames = [Frame::text("PAUSE_MEDIA"), Frame::binary(&*media), Frame::text("GET_STATUS")];
    let bytes: Vec<u8> = frames.iter().flat_map(Frame::encode).collect();
    let request = t.upgrade(&call.connection_id()).trailing(&bytes);
    let stream = if tls { t.https() } else { t.http() };
    let app = t.app(request.send(stream).unwrap());
    app.expect_media_start();
    assert_eq!(app.expect_event("STATUS").get("queue_length"), "10");
    call.wait_application("Echo");
    app.command("CONTINUE_MEDIA");
    assert_eq!(app.collect_media(media.len()), media);
}

/// MEDIA_START ends with the fields about how media is treated, in both formats.
fn newer_fields(t: &Context) {
    for format in Format::ALL {
        for (option, passthrough, unbuffered) in
            [("", "false", "false"), ("p", "true", "false"), ("u", "false", "true")]
        {
            let call = t.incoming(&format!("c(ulaw)f({}){option}", format.name()));
            let start = call.connect().expect_media_start();
            assert_eq!(start.format(), format);
            assert_eq!(start.get("passthrough"), passthrough, "{}", start.raw);
            assert_eq!(start.get("unbuffered"), unbuffered, "{}", start.raw);
            let keys = start.keys();
            assert_eq!(keys[keys.len() - 2..], ["passthrough", "unbuffered"]);
        }
    }
}

/// Many channels are created and connected to at once, and each app gets events of its own call.
fn two_hundred(t: &Context) {
    const WORKERS: usize = 16;
    const CALLS: usize = 200;
    // So many events at once overload the test's Stasis application.
    t.allow_log("taskprocessor.c");
    t.ari();
    let apps: Vec<_> = thread::scope(|scope| {
        let work = |worker: usize| {
            let calls = (worker..CALLS).step_by(WORKERS);
            calls
                .map(|_| {
                    let call =
                        t.call("WebSocket/INCOMING/c(ulaw)").extension("wait").timeout(120).originate();
                    let app = call.connect();
                    assert_eq!(app.expect_media_start().get("channel_id"), call.id);
                    (call, app)
                })
                .collect::<Vec<_>>()
        };
        let workers: Vec<_> = (0..WORKERS).map(|worker| scope.spawn(move || work(worker))).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    assert_eq!(apps.len(), CALLS);
    for (_, app) in &apps {
        app.command("HANGUP");
    }
    for (_, app) in &apps {
        assert_eq!(app.expect_close(), 1000);
    }
    t.asterisk.wait_no_channels();
}
