//! What a client's section sets for each call: headers, a token, a URI with values.

mod hosts;
mod nginx;
mod refused;
mod secrets;
mod waiting;

use std::fs;
use std::sync::LazyLock;

use super::super::harness::call::{Call, DialResult};
use super::super::harness::server::{AppServer, Head};
use super::super::harness::{Context, InstanceConfig, Suite};
use super::super::media::noise;
use super::daemon::{Daemon, tinyproxy};
use super::{allow_failure, dial_string, instance, tls};

const WHY: &str = "the C module has no such sections";

pub fn tests(suite: &mut Suite) {
    let mut ours = |name: &str, body: fn(&Context)| {
        suite.ours(format!("connect/per_call/{name}"), WHY, body).shares("per_call", with_functions);
    };
    ours("plain", |t| carries(t, "ws://{address}/media", false));
    ours("tls", |t| carries(t, &tls::trusted_uri(), false));
    ours("proxy", |t| carries(t, "ws://127.0.0.1:{port}/media", true));
    ours("proxy_and_tls", |t| carries(t, &tls::trusted_uri(), true));
    ours("uri", uri);
    ours("uri_tls", uri_by_tls);
    ours("callers_names", callers_names);
    ours("control_characters", control_characters);
    ours("no_utf8", no_utf8);
    ours("nul", nul);
    ours("token_file", token_file);
    ours("token_and_user", token_and_user);
    hosts::tests(suite);
    nginx::tests(suite);
    refused::tests(suite);
    secrets::tests(suite);
    waiting::tests(suite);
}

/// With functions of the caller, and SHELL(); `named` dials as a caller of this name.
fn with_functions() -> InstanceConfig {
    instance().module("func_callerid").module("func_shell").dialplan(
        "exten => named,1,Set(CALLERID(name)=${NAME})\n same => n,Goto(dial,1)\n\
         [globals]\nAPI_KEY = key-4711\n",
    )
}

static PROXY: LazyLock<(Daemon, u16)> = LazyLock::new(|| tinyproxy(""));

/// The dial fails as with Asterisk's own cause 38.
fn unavailable() -> DialResult {
    DialResult { status: "CHANUNAVAIL".into(), cause: "38".into() }
}

/// A party of this name that dials the client.
fn caller<'t>(t: &'t Context, client: &str, name: &str) -> Call<'t> {
    let app = t.ari().app.clone();
    let call = t.call("Local/park@harness").formats("ulaw").extension("named").variable("NAME", name);
    let dial =
        [("DIAL", &*dial_string(client)), ("DIAL_TIMEOUT", "10"), ("DIAL_OPTIONS", "g"), ("APP", &*app)];
    dial.iter().fold(call, |call, (name, value)| call.variable(name, value)).originate()
}

/// All values of a header, in order.
fn values<'h>(head: &'h Head, name: &str) -> Vec<&'h str> {
    let named = head.headers.iter().filter(|(header, _)| header.eq_ignore_ascii_case(name));
    named.map(|(_, value)| value.as_str()).collect()
}

/// Headers and token reach the server, also through a proxy, and the call works as usual.
fn carries(t: &Context, uri: &str, by_proxy: bool) {
    let server = tls::server(t, uri, &[tls::CA]);
    let proxy = format!("127.0.0.1:{}", PROXY.1);
    let mut section = vec![
        ("header", "X-Call: ${UNIQUEID}"),
        ("header", "X-Both: <${FIRST}> and <${SECOND}>"),
        ("header", "X-Key: ${API_KEY}"),
        ("header", "X-Length: ${LEN(${FIRST})}"),
        ("header", "X-Empty: ${NOBODY_SET_THIS}"),
        ("header", "X-Twice: 1"),
        ("header", "X-Twice: 2"),
        ("header", "X-Literal: $[1 + 1] {x} $x"),
        ("bearer_token", "to.ken-4711=="),
    ];
    if by_proxy {
        section.push(("proxy_host", &proxy));
    }
    t.asterisk.add_connection(&server.client, &section);
    let call =
        t.call(&dial_string(&server.client)).variable("FIRST", "one").variable("SECOND", "a: b, \"c\"");
    let call = call.originate();
    let app = server.accept();
    app.expect_media_start();
    call.wait_stasis();
    let head = server.request(0);
    for (name, expected) in [
        ("X-Call", &[call.id.as_str()][..]),
        ("X-Both", &["<one> and <a: b, \"c\">"]),
        ("X-Key", &["key-4711"]),
        ("X-Length", &["3"]),
        ("X-Empty", &[""]),
        ("X-Twice", &["1", "2"]),
        ("X-Literal", &["$[1 + 1] {x} $x"]),
        ("Authorization", &["Bearer to.ken-4711=="]),
    ] {
        assert_eq!(values(&head, name), expected, "{name}");
    }
    app.send_media(&noise(320));
    app.command("HANGUP");
    assert_eq!(app.expect_close(), 1000);
    if by_proxy {
        // The proxy gets only the target.
        let log = PROXY.0.log();
        assert!(log.contains("CONNECT ") && !log.contains("4711"), "{log}");
    }
}

/// The server of the section's URI is used; that of websocket_client.conf is not contacted.
fn uri(t: &Context) {
    let (server, other) = (t.server(&[]), t.server(&[]));
    let uri = format!("ws://127.0.0.1:{}/calls/${{UNIQUEID}}/x?n=${{NAME}}&m=1", other.address.port());
    t.asterisk.add_connection(&server.client, &[("uri", &uri)]);
    let dial = format!("WebSocket/{}/c(ulaw)v(token=1)", server.client);
    let call = t.call(&dial).variable("NAME", "a b&c=d/../e#?%").originate();
    let app = other.accept();
    assert_eq!(app.expect_media_start().get("connection_id"), server.client);
    let target = format!("/calls/{}/x?n=a%20b%26c%3Dd%2F..%2Fe%23%3F%25&m=1&token=1", call.id);
    assert_eq!(other.request(0).target, target);
    assert_eq!(server.requests(), 0);
}

/// The certificate has to match the host that results from the values.
fn uri_by_tls(t: &Context) {
    let server = tls::server(t, "ws://127.0.0.1:1/", &[tls::CA]);
    let trusted = tls::trusted_uri().replace("{address}", &server.address.to_string());
    let uri = trusted.replacen("app.test", "${BOT_HOST}", 1);
    let section = [("uri", uri.as_str()), ("uri_hosts", "app.test, other.test")];
    t.asterisk.add_connection(&server.client, &section);
    let dial = |host: &str| t.call(&dial_string(&server.client)).variable("BOT_HOST", host).originate();
    let call = dial("App.Test.");
    server.accept().expect_media_start();
    drop(call);
    allow_failure(t);
    assert_eq!(dial("other.test").ending().cause, 3);
    t.wait_log(&["connection failed", "certificate is not for 'other.test'"]);
    assert_eq!(server.requests(), 1);
}

/// A caller's name with quotes, 8-bit characters and 4 KB adds no header and no path segment.
fn callers_names(t: &Context) {
    let server = t.server(&[]);
    let uri = format!("ws://{}/calls/${{CONNECTEDLINE(name)}}/media", server.address);
    let section = [("header", "X-Caller: ${CONNECTEDLINE(name)}"), ("uri", &*uri), ("header", "X-Last: 1")];
    t.asterisk.add_connection(&server.client, &section);
    // The limit of Set().
    let long = "x".repeat(4095);
    let names = ["Joe", "\"Joe\" <1>", "Grüße \u{85} 日本", "a/b?c#d", "%0d%0aX-Admin: yes", &long];
    for (number, name) in names.into_iter().enumerate() {
        let call = caller(t, &server.client, name);
        server.accept().expect_media_start();
        let head = server.request(number);
        assert_eq!(values(&head, "X-Caller"), [name]);
        assert_eq!(values(&head, "X-Last"), ["1"]);
        assert_eq!(values(&head, "X-Admin"), [""; 0]);
        let segments: Vec<&str> = head.target.split('/').collect();
        assert_eq!((segments.len(), segments[1], segments[3]), (4, "calls", "media"), "{}", head.target);
        assert!(head.target.bytes().all(|byte| byte.is_ascii_graphic()) && !head.target.contains(['?', '#']));
        drop(call);
    }
}

/// A value with a control character prevents the call; the log names the header but not the value.
fn control_characters(t: &Context) {
    t.allow_log("the call is not made");
    let server = t.server(&[]);
    t.asterisk.add_connection(&server.client, &[("header", "X-Caller: ${CONNECTEDLINE(name)}")]);
    for name in ["a\r\nX-Admin: yes", "hush\nb", "hush\rb", "hush\u{1}b", "hush\tb", "hush\u{7f}b"] {
        let mark = t.asterisk.log.len();
        assert_eq!(caller(t, &server.client, name).dial_result(), unavailable(), "{name:?}");
        let words =
            format!("chan_websocket.conf: [{}]: the value of header X-Caller has a control", server.client);
        let line = t.asterisk.log.wait_since(mark, &["ERROR", "WebSocket/", &words]);
        assert!(!line.contains("hush") && !line.contains("Admin"), "{line}");
    }
    assert_eq!(server.requests(), 0);
    // The next call works as usual.
    let _call = caller(t, &server.client, "Joe");
    server.accept().expect_media_start();
}

/// Bytes that are not UTF-8, as from an old telephone network, are sent unchanged in a header, and percent-encoded in a
/// URI.
fn no_utf8(t: &Context) {
    let server = t.server(&[]);
    let uri = format!("ws://{}/calls/${{SHELL(printf 'Gr\\374\\337e')}}/media", server.address);
    let header = "X-Caller: ${SHELL(printf 'Gr\\374\\337e')}";
    t.asterisk.add_connection(&server.client, &[("header", header), ("uri", &uri)]);
    let _call = t.call(&dial_string(&server.client)).originate();
    server.accept().expect_media_start();
    let head = server.request(0);
    // The test's server shows bytes that are not UTF-8 like this.
    assert_eq!(values(&head, "X-Caller"), ["Gr\u{fffd}\u{fffd}e"]);
    assert_eq!(head.target, "/calls/Gr%FC%DFe/media");
}

/// A NUL ends a value, as everywhere in Asterisk: no byte after it is sent. (ARI does not accept a name with a NUL.)
fn nul(t: &Context) {
    let server = t.server(&[]);
    let uri = format!("ws://{}/calls/${{SHELL(printf 'Joe\\000/..')}}/media", server.address);
    let header = "X-Caller: ${SHELL(printf 'Joe\\000hush')}";
    t.asterisk.add_connection(&server.client, &[("header", header), ("header", "X-Last: 1"), ("uri", &uri)]);
    let _call = t.call(&dial_string(&server.client)).originate();
    server.accept().expect_media_start();
    let head = server.request(0);
    assert_eq!((values(&head, "X-Caller"), values(&head, "X-Last")), (vec!["Joe"], vec!["1"]));
    assert_eq!(head.target, "/calls/Joe/media");
}

/// The token is what the file contains when the call is made. Without the file no attempt is made.
fn token_file(t: &Context) {
    let server = t.server(&[super::ONCE]);
    let file = format!("etc/{}.token", server.client);
    let path = t.asterisk.folder().join(&file);
    let inside = t.asterisk.inside(&file);
    t.asterisk.add_connection(&server.client, &[("bearer_token_file", &inside)]);
    for (number, token) in ["first", "second"].into_iter().enumerate() {
        fs::write(&path, format!("{token}\n")).expect("token");
        let _call = t.call(&dial_string(&server.client)).originate();
        server.accept().expect_media_start();
        assert_eq!(values(&server.request(number), "Authorization"), [format!("Bearer {token}")]);
    }
    allow_failure(t);
    fs::write(&path, "no token\n").expect("token");
    assert_eq!(t.call(&dial_string(&server.client)).originate().ending().cause, 3);
    let line = t.wait_log(&["WARNING", "bearer_token_file", &inside, "it does not have a token of RFC 6750"]);
    assert!(!line.contains("no token"), "{line}");
    fs::remove_file(&path).expect("token");
    assert_eq!(t.call(&dial_string(&server.client)).originate().ending().cause, 3);
    t.wait_log(&["WARNING", "bearer_token_file", &inside, "No such file or directory"]);
    assert_eq!(server.requests(), 2);
}

/// Both need the header Authorization.
fn token_and_user(t: &Context) {
    allow_failure(t);
    let with = |options: &[(&str, &str)]| -> AppServer {
        let server = t.server(options);
        t.asterisk.add_connection(&server.client, &[("bearer_token", "hush")]);
        server
    };
    for server in [with(&[("username", "joe"), ("password", "x")]), with(&[("uri", "ws://joe:x@{address}/")])]
    {
        assert_eq!(t.call(&dial_string(&server.client)).originate().ending().cause, 3);
        t.wait_log(&["WARNING", &server.client, "a bearer_token exclude each other"]);
        assert_eq!(server.requests(), 0);
    }
}
