//! Asterisk connects to the app.

use std::io::Read as _;
use std::time::{Duration, Instant};

use super::harness::call::{Call, DialResult};
use super::harness::server::{AppServer, Head};
use super::harness::{Context, Frame, Reply, Suite, ports, wait};
use super::media::noise;

pub fn tests(suite: &mut Suite) {
    suite.same("outgoing/connects", connects);
    suite.same("outgoing/dialplan", dialplan);
    suite.same("outgoing/external_media", external_media);
    suite.same("outgoing/request/plain", |t| request(t, &[], ""));
    suite.same("outgoing/request/path_and_query", |t| {
        request(t, &[("uri", "ws://{address}/a/b%20c?x=1&y=2")], "");
    });
    suite.same("outgoing/request/no_path", |t| request(t, &[("uri", "ws://{address}")], ""));
    suite.same("outgoing/request/protocols", |t| request(t, &[("protocols", "media, chat")], ""));
    suite.same("outgoing/request/credentials", |t| {
        request(t, &[("username", "joe"), ("password", "s3cret:!")], "");
    });
    suite.same("outgoing/request/username_only", |t| request(t, &[("username", "joe")], ""));
    suite.same("outgoing/request/credentials_in_uri", |t| {
        request(t, &[("uri", "ws://joe:secret@{address}/media")], "");
    });
    suite.same("outgoing/request/parameters", |t| request(t, &[], "v(a=1,b=two)"));
    suite.same("outgoing/request/parameters_behind_query", |t| {
        request(t, &[("uri", "ws://{address}/media?x=1")], "v(a=1,b=%20)");
    });
    suite.same("outgoing/request/empty_parameters", |t| request(t, &[], "v()"));
    suite.differs("outgoing/parameters_of_one_call", "11", parameters_of_one_call).private();
    for (name, reply) in FAILING {
        suite.same(format!("outgoing/fails/{name}"), move |t| fails(t, reply));
    }
    suite.same("outgoing/fails/refused", connection_refused);
    suite.same("outgoing/fails/originate", originate_fails);
    suite.same("outgoing/attempts", attempts);
    suite.same("outgoing/second_attempt", second_attempt);
    for status in [302, 400, 401, 403, 410] {
        suite.differs(format!("outgoing/final/{status}"), "20", move |t| is_final(t, status));
    }
    for status in [404, 408, 425, 429, 500, 502, 503, 504] {
        suite.same(format!("outgoing/tried_again/{status}"), move |t| is_tried_again(t, status));
    }
    suite.differs("outgoing/retry_after/seconds", "44", |t| retry_after(t, "1"));
    suite.differs("outgoing/retry_after/clamped", "44", |t| retry_after(t, "99999999999999999999"));
    suite.differs("outgoing/retry_after/date", "44", |t| retry_after(t, "Fri, 31 Dec 9999 23:59:59 GMT"));
    suite.same("outgoing/retry_after/unreadable", retry_after_unreadable);
    suite.same("outgoing/accepted/no_subprotocol", |t| {
        accepted(t, |_, _| Reply::AcceptWith(String::new(), Vec::new()));
    });
    suite.same("outgoing/accepted/subprotocol_in_capitals", subprotocol_in_capitals);
    suite.ours("outgoing/accepted/connection_list", "the C module refuses it (20)", |t| {
        accepted(t, |_, _| Reply::AcceptWith("Connection: keep-alive, Upgrade\r\n".into(), Vec::new()));
    });
    suite.ours("outgoing/behind_handshake", "the C module may leave them unread (3)", behind_handshake);
    suite.ours("outgoing/ipv6", "the C module cannot do it (13)", ipv6);
    suite.ours("outgoing/silent/dial_timeout", SILENT, silent_dial_timeout);
    suite.ours("outgoing/silent/caller_hangs_up", SILENT, silent_caller_hangs_up);
    suite.ours("outgoing/silent/others_go_on", SILENT, silent_others_go_on);
}

const SILENT: &str = "the C module waits for ever, with locks held (1)";

fn dial(server: &AppServer, options: &str) -> String {
    format!("WebSocket/{}/c(ulaw){options}", server.client)
}

fn connects(t: &Context) {
    let server = t.server(&[]);
    let call = t.call(&dial(&server, "")).originate();
    let app = server.accept();
    let start = app.expect_media_start();
    assert_eq!(start.get("connection_id"), server.client);
    assert_eq!(start.get("channel"), call.name);
    assert_eq!(start.get("channel_id"), call.id);
    call.wait_up();
    app.command("HANGUP");
    assert_eq!(app.expect_close(), 1000);
    call.ending();
}

fn caller<'t>(t: &'t Context, server: &AppServer, timeout: &str) -> Call<'t> {
    t.call("Local/park@harness").formats("ulaw").dials(&dial(server, ""), timeout, "g").originate()
}

fn dialplan(t: &Context) {
    let server = t.server(&[]);
    let caller = caller(t, &server, "10");
    let app = server.accept();
    app.expect_media_start();
    t.ari().wait("Dial", |event| event["caller"]["id"] == *caller.id && event["dialstatus"] == "ANSWER");
    app.command("HANGUP");
    assert_eq!(app.expect_close(), 1000);
    t.note(format!("{:?}", caller.dial_result()));
}

fn external_media(t: &Context) {
    let server = t.server(&[]);
    let call = t.external_media_call(&[("external_host", &server.client), ("format", "ulaw")]);
    let app = server.accept();
    assert_eq!(app.expect_media_start().get("channel_id"), call.id);
    call.wait_up();
    call.hangup();
    assert_eq!(app.expect_close(), 1000);
}

/// The request that Asterisk sends to the app's server.
fn request(t: &Context, client: &[(&str, &str)], options: &str) {
    let server = t.server(client);
    let _call = t.call(&dial(&server, options)).originate();
    server.accept().expect_media_start();
    let head = server.request(0);
    t.name(&server.address.to_string(), "address");
    t.note(format!("{} {}", head.method, head.target));
    for name in HEADERS {
        if let Some(value) = head.header(name) {
            t.note(format!("{name}: {value}"));
        }
    }
    assert_eq!(head.header("Sec-WebSocket-Key").map(str::len), Some(24));
}

const HEADERS: &[&str] =
    &["Host", "Upgrade", "Connection", "Sec-WebSocket-Version", "Sec-WebSocket-Protocol", "Authorization"];

/// The values of `v()` apply to this call only; the next call of the same client has other values or none.
fn parameters_of_one_call(t: &Context) {
    let server = t.server(&[]);
    for options in ["v(a=1)", "", "v(b=2)"] {
        let _call = t.call(&dial(&server, options)).originate();
        server.accept().expect_media_start();
    }
    let targets: Vec<String> = (0..3).map(|number| server.request(number).target).collect();
    if t.is_ours() {
        assert_eq!(targets, ["/media?a=1", "/media", "/media?b=2"]);
    } else {
        assert_eq!(targets[..2], ["/media?a=1", "/media?a=1"]);
    }
}

type Answer = fn(&Head, usize) -> Reply;

/// Answers that do not accept the connection.
const FAILING: [(&str, Answer); 9] = [
    ("status_500", |_, _| Reply::Refuse(500)),
    ("status_200", |_, _| Reply::Refuse(200)),
    ("redirect", |_, _| Reply::Raw(b"HTTP/1.1 302 Found\r\nLocation: /other\r\n\r\n".to_vec())),
    ("no_answer", |_, _| Reply::Raw(Vec::new())),
    ("no_http", |_, _| Reply::Raw(b"SSH-2.0-OpenSSH_9.9\r\n\r\n".to_vec())),
    ("no_accept", |_, _| {
        Reply::Raw(b"HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n".to_vec())
    }),
    ("wrong_accept", |_, _| {
        let head = "HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
        Reply::Raw(head.into())
    }),
    ("other_subprotocol", |_, _| Reply::AcceptWith("Sec-WebSocket-Protocol: chat\r\n".into(), Vec::new())),
    ("extension", |_, _| {
        Reply::AcceptWith("Sec-WebSocket-Extensions: permessage-deflate\r\n".into(), Vec::new())
    }),
];

/// Allows what is logged when a connection fails: for the C module, the lines of what it uses to connect.
fn allow_failure(t: &Context) {
    for text in ["connection failed", "res_websocket_client.c", "res_http_websocket.c", "http.c: "] {
        t.allow_log(text);
    }
}

const ONCE: (&str, &str) = ("reconnect_attempts", "1");

/// The dial fails, and the log names the client.
fn fails(t: &Context, reply: Answer) {
    allow_failure(t);
    let server = t.server_with(&[ONCE], reply);
    let caller = caller(t, &server, "10");
    let result = caller.dial_result();
    t.note(format!("{result:?}"));
    assert_eq!(result, unavailable());
    t.wait_log(&["WARNING", &server.client, "connection failed"]);
}

fn unavailable() -> DialResult {
    DialResult { status: "CHANUNAVAIL".into(), cause: "3".into() }
}

/// The port has no listener.
fn connection_refused(t: &Context) {
    allow_failure(t);
    let uri = format!("ws://127.0.0.1:{}/media", ports::free());
    let server = t.server(&[("uri", &uri), ONCE]);
    let caller = caller(t, &server, "10");
    assert_eq!(caller.dial_result(), unavailable());
    t.wait_log(&["WARNING", &server.client, "connection failed"]);
}

/// The same for a call made by ARI.
fn originate_fails(t: &Context) {
    allow_failure(t);
    let server = t.server_with(&[ONCE], |_, _| Reply::Refuse(500));
    let call = t.call(&dial(&server, "")).originate();
    t.note(format!("{:?}", call.ending()));
}

fn attempts(t: &Context) {
    allow_failure(t);
    let server = t.server_with(&[("reconnect_attempts", "3"), ("reconnect_interval", "200")], |_, _| {
        Reply::Refuse(503)
    });
    assert_eq!(caller(t, &server, "10").dial_result(), unavailable());
    assert_eq!(server.requests(), 3);
    for number in 1..3 {
        let pause = server.request(number).at - server.request(number - 1).at;
        assert!(pause > Duration::from_millis(150), "{pause:?} between attempts");
    }
}

fn second_attempt(t: &Context) {
    allow_failure(t);
    let server = t.server_with(&[("reconnect_attempts", "3"), ("reconnect_interval", "50")], |_, number| {
        if number == 0 { Reply::Refuse(503) } else { Reply::Accept }
    });
    let call = t.call(&dial(&server, "")).originate();
    let app = server.accept();
    app.expect_media_start();
    call.wait_up();
    assert_eq!(server.requests(), 2);
}

/// Asterisk does not try again, because it would not help.
fn is_final(t: &Context, status: u16) {
    allow_failure(t);
    let server = t.server_with(&[("reconnect_attempts", "3"), ("reconnect_interval", "50")], move |_, _| {
        Reply::Refuse(status)
    });
    assert_eq!(caller(t, &server, "10").dial_result(), unavailable());
    assert_eq!(server.requests(), t.either(3, 1));
}

/// Asterisk tries again: a load balancer answers like this while a server behind it is replaced.
fn is_tried_again(t: &Context, status: u16) {
    allow_failure(t);
    let server =
        t.server_with(&[("reconnect_attempts", "3"), ("reconnect_interval", "50")], move |_, number| {
            if number < 2 { Reply::Refuse(status) } else { Reply::Accept }
        });
    let call = t.call(&dial(&server, "")).originate();
    let app = server.accept();
    app.expect_media_start();
    call.wait_up();
    assert_eq!(server.requests(), 3);
}

/// Our module waits as long as the server asks for, up to ten times reconnect_interval: here a second in each case.
fn retry_after(t: &Context, value: &'static str) {
    let pause = pause_after(t, value);
    let asked = Duration::from_secs(1);
    assert!(if t.is_ours() { pause >= asked } else { pause < asked }, "{pause:?} between attempts");
}

fn retry_after_unreadable(t: &Context) {
    let pause = pause_after(t, "soon");
    assert!(pause < Duration::from_secs(1), "{pause:?} between attempts");
}

/// The time between a 503 with this `Retry-After` and the next attempt, with a reconnect_interval of 100 ms.
fn pause_after(t: &Context, value: &'static str) -> Duration {
    allow_failure(t);
    let busy = format!("HTTP/1.1 503 Busy\r\nRetry-After: {value}\r\nContent-Length: 0\r\n\r\n");
    let server =
        t.server_with(&[("reconnect_attempts", "2"), ("reconnect_interval", "100")], move |_, number| {
            if number == 0 { Reply::Raw(busy.clone().into_bytes()) } else { Reply::Accept }
        });
    let call = t.call(&dial(&server, "")).originate();
    let app = server.accept();
    app.expect_media_start();
    call.wait_up();
    server.request(1).at - server.request(0).at
}

/// RFC 6455 does not allow this, but such servers exist.
fn subprotocol_in_capitals(t: &Context) {
    t.allow_log("chose the subprotocol");
    accepted(t, |_, _| Reply::AcceptWith("Sec-WebSocket-Protocol: MEDIA\r\n".into(), Vec::new()));
    if t.is_ours() {
        t.wait_log(&["WARNING", "the server chose the subprotocol \"MEDIA\" where \"media\" was offered"]);
    }
}

fn accepted(t: &Context, reply: Answer) {
    let server = t.server_with(&[ONCE], reply);
    let call = t.call(&dial(&server, "")).originate();
    let app = server.accept();
    app.expect_media_start();
    call.wait_up();
}

/// What the app sends with its 101 is neither lost nor delayed until more data comes.
fn behind_handshake(t: &Context) {
    let media = noise(800);
    let frames = [Frame::text("PAUSE_MEDIA"), Frame::binary(&*media), Frame::text("GET_STATUS")];
    let bytes: Vec<u8> = frames.into_iter().flat_map(|frame| frame.unmasked().encode()).collect();
    let server = t.server_with(&[], move |_, _| Reply::AcceptWith(String::new(), bytes.clone()));
    let call = t.call(&dial(&server, "")).extension("echo").originate();
    let app = server.accept();
    app.expect_media_start();
    assert_eq!(app.expect_event("STATUS").get("queue_length"), "5");
    call.wait_application("Echo");
    app.command("CONTINUE_MEDIA");
    assert_eq!(app.collect_media(media.len()), media);
}

fn ipv6(t: &Context) {
    let Ok(listener) = std::net::TcpListener::bind("[::1]:0") else {
        eprintln!("outgoing/ipv6: this machine has no IPv6, nothing tested");
        return;
    };
    let uri = format!("ws://{}/media", listener.local_addr().unwrap());
    let server = t.server(&[("uri", &uri)]);
    let _call = t.call(&dial(&server, "")).originate();
    let (mut stream, _) = listener.accept().unwrap();
    let mut start = [0; 10];
    stream.read_exact(&mut start).unwrap();
    assert_eq!(&start, b"GET /media");
}

/// A server that accepts the connection and does not answer, and the first connection to it.
fn silent_server(t: &Context) -> AppServer {
    allow_failure(t);
    t.server_with(&[], |_, _| Reply::Silence)
}

fn silent_dial_timeout(t: &Context) {
    let server = silent_server(t);
    let start = Instant::now();
    let caller = caller(t, &server, "1");
    let result = caller.dial_result();
    let took = start.elapsed();
    assert_eq!(result.status, "NOANSWER");
    assert!((1..3).contains(&took.as_secs()), "it took {took:?}");
    assert_closed(&server);
}

fn silent_caller_hangs_up(t: &Context) {
    let server = silent_server(t);
    let caller = caller(t, &server, "60");
    server.request(0);
    let start = Instant::now();
    caller.hangup();
    caller.ending();
    assert!(start.elapsed() < Duration::from_secs(1), "it took {:?}", start.elapsed());
    // The server may answer its request within a second: then it gets a close frame.
    assert_closed(&server);
    assert!(start.elapsed() < Duration::from_secs(3), "it took {:?}", start.elapsed());
}

/// Asterisk ends the connection instead of abandoning it.
fn assert_closed(server: &AppServer) {
    let mut stream = server.silent(0);
    stream.set_timeout(Some(wait::PATIENCE)).unwrap();
    assert_eq!(stream.read(&mut [0; 16]).unwrap_or(0), 0);
}

/// While some calls wait for silent servers, other calls are set up as usual.
fn silent_others_go_on(t: &Context) {
    let server = silent_server(t);
    let waiting: Vec<_> = (0..10).map(|_| t.call(&dial(&server, "")).originate()).collect();
    server.request(9);
    let start = Instant::now();
    let (call, _app) = t.incoming_app("c(ulaw)");
    call.wait_up();
    assert!(start.elapsed() < Duration::from_secs(1), "it took {:?}", start.elapsed());
    drop(waiting);
}
