//! The sources of a connection's settings: realtime, and sections of chan_websocket.conf.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::LazyLock;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::super::harness::{Context, InstanceConfig, Suite};
use super::peer::Peer;
use super::{allow_failure, caller, client, dial_string, expect_failure, instance, unavailable};

pub fn tests(suite: &mut Suite) {
    suite.same("connect/settings/realtime", realtime).shares("realtime", realtime_instance);
    suite.same("connect/settings/realtime/unknown", realtime_unknown).shares("realtime", realtime_instance);
    suite
        .ours("connect/settings/realtime/read_at_call_time", CALL_TIME, realtime_at_call_time)
        .shares("realtime", realtime_instance);
    suite
        .ours("connect/settings/realtime/gone_at_call_time", CALL_TIME, realtime_gone)
        .shares("realtime", realtime_instance);
    suite
        .ours(
            "connect/settings/realtime/slow",
            "the C module reads it with the channel locked (1)",
            realtime_slow,
        )
        .shares("realtime", realtime_instance);
    suite
        .ours("connect/settings/realtime/slow_and_cancelled", CALL_TIME, realtime_cancelled)
        .shares("realtime", realtime_instance);
    suite.same("connect/settings/encoded_credentials", encoded_credentials);
    suite.ours("connect/settings/section", SECTION, section).shares("connect", instance);
    suite
        .ours("connect/settings/section_with_error", SECTION, section_with_error)
        .shares("connect", instance);
    suite.ours("connect/settings/secrets", "our log lines", secrets).private_from(|| {
        instance().our_file("chan_websocket.conf", "[global]\nhandshake_timeout = 300\n").debug(5)
    });
}

const CALL_TIME: &str = "the C module reads the settings when the channel is requested";
const SECTION: &str = "the C module has no such sections";

/// The content of the database: objects in the format of the curl driver of realtime, with the delay of the answer.
static OBJECTS: Mutex<Vec<(String, String, Duration)>> = Mutex::new(Vec::new());

/// A database: `POST /realtime/single` with `id=<name>`.
static DATABASE: LazyLock<Peer> = LazyLock::new(|| {
    Peer::listen(|stream| {
        let body = read_post(stream);
        let id = body.split('&').find_map(|field| field.strip_prefix("id=")).unwrap_or_default();
        let found = OBJECTS.lock().iter().find(|(name, ..)| name == id).cloned();
        let (_, object, delay) = found.unwrap_or_default();
        thread::sleep(delay);
        let length = object.len();
        let answer =
            format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{object}");
        let _ = stream.write_all(answer.as_bytes());
        let _ = stream.shutdown(std::net::Shutdown::Write);
    })
});

fn read_post(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("Content-Length").then(|| value.trim().parse().ok())?
            });
            if body.len() >= length.unwrap_or(0usize) {
                return body.to_owned();
            }
        }
        match stream.read(&mut buffer) {
            Ok(count) if count > 0 => bytes.extend_from_slice(&buffer[..count]),
            _ => return String::new(),
        }
    }
}

fn realtime_instance() -> InstanceConfig {
    let mut config = InstanceConfig::new().without("res_websocket_client").without("chan_websocket");
    for module in ["res_curl", "func_curl", "res_config_curl", "res_sorcery_realtime", "res_websocket_client"]
    {
        config = config.module(module);
    }
    let database = DATABASE.address;
    config
        .module("chan_websocket")
        .file("extconfig.conf", &format!("[settings]\nwebsocket_client => curl,http://{database}/realtime\n"))
        .file("sorcery.conf", "[res_websocket_client]\nwebsocket_client = realtime,websocket_client\n")
}

/// Puts a client into the database, and replaces one of the same name.
fn store(client: &str, uri: &str, delay: Duration) {
    let fields =
        [("id", client), ("connection_type", "per_call_config"), ("protocols", "media"), ("uri", uri)];
    let encoded =
        fields.map(|(name, value)| format!("{name}={}", value.replace(':', "%3A").replace('/', "%2F")));
    remove(client);
    OBJECTS.lock().push((client.to_owned(), format!("{}&reconnect_attempts=1\n", encoded.join("&")), delay));
}

fn remove(client: &str) {
    OBJECTS.lock().retain(|(name, ..)| name != client);
}

fn realtime(t: &Context) {
    let server = t.server(&[]);
    let client = t.unique("stored");
    t.name(&client, "stored");
    store(&client, &format!("ws://{}/stored?x=1", server.address), Duration::ZERO);
    let call = t.call(&dial_string(&client)).originate();
    let app = server.accept();
    assert_eq!(app.expect_media_start().get("connection_id"), client);
    call.wait_up();
    t.note(server.request(0).target);
    t.note(server.request(0).header("Sec-WebSocket-Protocol").unwrap_or_default());
}

fn realtime_unknown(t: &Context) {
    t.allow_log("not found");
    t.allow_log("Failed to allocate WebSocket channel pvt");
    let client = t.unique("stored");
    let answer = t.call(&dial_string(&client)).try_originate();
    assert_eq!(answer.status, 500);
}

/// The channel exists before the database returns the URI.
fn realtime_at_call_time(t: &Context) {
    let (before, after) = (t.server(&[]), t.server(&[]));
    let client = t.unique("stored");
    store(&client, &format!("ws://{}/media", before.address), Duration::ZERO);
    let call = t.call(&dial_string(&client)).create();
    store(&client, &format!("ws://{}/media", after.address), Duration::ZERO);
    call.dial();
    after.accept().expect_media_start();
    assert_eq!(before.requests(), 0);
}

fn realtime_gone(t: &Context) {
    allow_failure(t);
    let client = t.unique("stored");
    store(&client, "ws://127.0.0.1:9/media", Duration::ZERO);
    let call = t.call(&dial_string(&client)).create();
    remove(&client);
    call.dial();
    assert_eq!(call.ending().cause, 3);
    t.wait_log(&[
        "WARNING",
        "connection failed",
        &format!("websocket_client '{client}' does not exist any more"),
    ]);
}

/// A slow database delays only its own calls.
fn realtime_slow(t: &Context) {
    let (slow, quick) = (t.server(&[]), t.server(&[]));
    let [slow_client, quick_client] = [&slow, &quick].map(|server| {
        let client = t.unique("stored");
        store(&client, &format!("ws://{}/media", server.address), Duration::ZERO);
        client
    });
    let call = t.call(&dial_string(&slow_client)).create();
    store(&slow_client, &format!("ws://{}/media", slow.address), Duration::from_millis(3000));
    let start = Instant::now();
    call.dial();
    assert!(call.variable("MEDIA_WEBSOCKET_CONNECTION_ID").is_some());
    let other = t.call(&dial_string(&quick_client)).originate();
    quick.accept().expect_media_start();
    assert_eq!(slow.requests(), 0);
    drop(other);
    slow.accept().expect_media_start();
    assert!(start.elapsed() >= Duration::from_millis(3000), "{:?}", start.elapsed());
}

/// A hangup does not wait for the database, and a later answer is ignored.
fn realtime_cancelled(t: &Context) {
    let server = t.server(&[]);
    let client = t.unique("stored");
    let uri = format!("ws://{}/media", server.address);
    store(&client, &uri, Duration::ZERO);
    let call = t.call(&dial_string(&client)).create();
    store(&client, &uri, Duration::from_millis(2000));
    let start = Instant::now();
    call.dial();
    thread::sleep(Duration::from_millis(200));
    call.hangup();
    call.ending();
    assert!(start.elapsed() < Duration::from_millis(2000), "{:?}", start.elapsed());
    thread::sleep(Duration::from_millis(2200));
    assert_eq!(server.requests(), 0);
}

/// The user info of the URI is sent as it is written, URI-encoded or not.
fn encoded_credentials(t: &Context) {
    let server = t.server(&[("uri", "ws://jo%40e:s%3Acret@{address}/media")]);
    let _call = t.call(&dial_string(&server.client)).originate();
    let app = server.accept();
    app.expect_media_start();
    t.note(server.request(0).header("Authorization").unwrap_or_default());
}

/// A section applies to the client of its name, and to calls made after the reload.
fn section(t: &Context) {
    let peer = Peer::listen(|_| {});
    let uri = format!("ws://{}/media", peer.address);
    let [with, without] = [(); 2].map(|()| client(t, &[("uri", &uri), super::ONCE]));
    allow_failure(t);
    let before = caller(t, &with, "10");
    peer.wait_visits(1);
    t.asterisk.add_connection(&with, &[("handshake_timeout", "400")]);
    expect_failure(t, &with, &["within 400 ms"]);
    // The settings of [global], for a client without a section.
    let other = caller(t, &without, "10");
    assert_eq!((before.dial_result(), other.dial_result()), (unavailable(), unavailable()));
    super::expect_failure_logged(t, &without, &["within 3000 ms"]);
}

/// A section with an error is refused as a whole, with an error in the log. Its client cannot be called then.
fn section_with_error(t: &Context) {
    for expected in ["chan_websocket.conf: ", "Failed to allocate WebSocket channel pvt"] {
        t.allow_log(expected);
    }
    let server = t.server(&[]);
    let client = &server.client;
    t.asterisk.add_connection(
        client,
        &[("handshake_timeout", "soon"), ("proxy_host", "127.0.0.1:9"), ("shape", "round")],
    );
    for words in [
        format!("chan_websocket.conf: Invalid value 'soon' for handshake_timeout in [{client}]. Must be"),
        format!("chan_websocket.conf: Unknown option shape in [{client}]"),
        format!(
            "chan_websocket.conf: [{client}] is refused because of these errors; its client cannot be called"
        ),
    ] {
        t.wait_log(&["ERROR", &words]);
    }
    assert_eq!(t.call(&dial_string(client)).try_originate().status, 500);
    assert_eq!(server.requests(), 0);
}

/// The log never contains a password, at any level and whatever happens.
fn secrets(t: &Context) {
    allow_failure(t);
    // All debug messages, but only of our module: those of all of Asterisk would overload its logger.
    t.asterisk.cli("core set debug 0");
    t.asterisk.cli("core set debug 5 chan_websocket");
    t.asterisk.cli("core set verbose 0");
    let mark = t.asterisk.log.len();
    let server = t.server(&[
        ("uri", "ws://jim:hush@{address}/media?token=hush"),
        ("username", "joe"),
        ("password", "hush"),
    ]);
    let call = t.call(&dial_string(&server.client)).originate();
    server.accept().expect_media_start();
    drop(call);
    let sent = server.request(0).header("Authorization").map(str::to_owned);
    assert_eq!(sent.as_deref(), Some("Basic amltOmh1c2g="));
    let redirect = "HTTP/1.1 302 Found\r\nLocation: wss://a:hush@app.test/?password=hush\r\n\r\n";
    let answers = ["HTTP/1.1 401 hush\r\n\r\n".replace("hush", "No"), redirect.to_owned(), String::new()];
    for answer in answers {
        let peer = Peer::listen(move |stream| {
            super::peer::read_request(stream);
            super::peer::write(stream, &answer);
            let _ = stream.shutdown(std::net::Shutdown::Write);
        });
        for scheme in ["ws", "wss"] {
            let uri = format!("{scheme}://jim:hush@{}/media?token=hush", peer.address);
            let client =
                client(t, &[("uri", &uri), ("reconnect_attempts", "2"), ("reconnect_interval", "10")]);
            expect_failure(t, &client, &[]);
            let proxy = peer.address.to_string();
            t.asterisk.add_connection(
                &client,
                &[("proxy_host", &proxy), ("proxy_username", "jim"), ("proxy_password", "hush")],
            );
            assert_eq!(caller(t, &client, "10").dial_result(), unavailable());
        }
    }
    for uri in [
        "http://jim:hush@app.test/",
        "ws://jim:hush@app.test:0/",
        "ws://jim:hush@/",
        "ws://jim:hu sh@app.test/",
    ] {
        let client = client(t, &[("uri", uri)]);
        expect_failure(t, &client, &["Invalid uri"]);
    }
    let client = client(t, &[("uri", "ws://127.0.0.1:9/media"), super::ONCE]);
    let call = t.call(&format!("WebSocket/{client}/v(token=hush)c(ulaw)")).originate();
    call.ending();
    t.wait_log(&["WARNING", "connection failed to", &format!("{client}/v(***)c(ulaw)")]);
    let log = t.asterisk.log.since(mark);
    assert!(log.contains("DEBUG") && log.contains("attempt 1 of 2"), "no debug messages:\n{log}");
    let secrets = ["hush", "hu sh", "aHVza", "h1c2g"];
    // The core's own verbose messages contain the dial string.
    let leak = log
        .lines()
        .filter(|line| !line.contains("] VERBOSE["))
        .find(|line| secrets.iter().any(|secret| line.contains(secret)));
    assert!(leak.is_none(), "{leak:?}");
}
