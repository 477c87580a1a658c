//! `websocket check`: what the CLI reports about a client's server, step by step.

use std::fs;
use std::io::Read as _;
use std::time::{Duration, Instant};

use super::super::harness::server::{AppServer, Reply};
use super::super::harness::{Context, InstanceConfig, Item, Suite, ports, wait};
use super::peer::{self, Peer};
use super::{ONCE, client, instance, pki, proxy, tls};

const WHY: &str = "the C module has no CLI commands";

pub fn tests(suite: &mut Suite) {
    for (name, body) in [
        ("plain", plain as fn(&Context)),
        ("tls", by_tls),
        ("expiry", expiry),
        ("proxy", by_proxy),
        ("section", section),
        ("functions", functions),
        ("name", name),
        ("refusals", refusals),
        ("certificates", certificates),
        ("silent", silent),
        ("unreachable", unreachable),
        ("settings", settings),
        ("unknown", unknown),
        ("completion", completion),
    ] {
        suite.ours(format!("connect/check/{name}"), WHY, body).shares("check", with_globals);
    }
    suite.ours("connect/check/refused_by_asterisk", WHY, refused_by_asterisk).private_from(with_globals);
    suite.ours("connect/check/all", WHY, all).private_from(with_globals);
    // It makes a call, and the tests above expect that there is none.
    suite.ours("connect/check/others_go_on", WHY, others_go_on).private_from(with_globals);
    suite.ours("connect/check/none", WHY, none).private_from(with_globals);
}

/// An instance with a global variable, and with the function SHELL().
fn with_globals() -> InstanceConfig {
    instance().module("func_shell").dialplan("[globals]\nTENANT = t 1\n")
}

fn check(t: &Context, client: &str) -> String {
    t.asterisk.cli(&format!("websocket check {client}"))
}

/// The steps and their results, in order; and the last line.
fn steps(text: &str) -> (Vec<(&str, &str)>, &str) {
    let lines = text.lines().filter_map(|line| line.strip_prefix("  "));
    let rows = lines.filter_map(|line| {
        let mut words = line.split_whitespace();
        Some((words.next()?, words.next()?))
    });
    (rows.collect(), text.lines().last().unwrap_or_default())
}

/// The check succeeds, with these steps in addition to those of every check.
#[track_caller]
fn expect_ok(t: &Context, client: &str, expected: &[&str]) -> String {
    let text = check(t, client);
    let (steps, verdict) = steps(&text);
    let steps: Vec<&str> =
        steps.into_iter().filter(|(_, result)| *result == "ok").map(|(step, _)| step).collect();
    assert_eq!((steps.as_slice(), verdict), (expected, "OK"), "{text}");
    assert!(text.starts_with(client) && text.is_ascii(), "{text}");
    text
}

/// The check fails at this step, and gives the reason there and in its last line.
#[track_caller]
fn expect_failed(t: &Context, client: &str, step: &str, why: &str) -> String {
    let text = check(t, client);
    let (rows, verdict) = steps(&text);
    assert_eq!(rows.last(), Some(&(step, "FAILED")), "{text}");
    assert!(verdict.starts_with(&format!("FAILED: {client}: ")) && verdict.contains(why), "{why} in: {text}");
    assert!(text.lines().filter(|line| line.contains(why)).count() == 2, "{text}");
    text
}

/// There is no call, and there was none.
#[track_caller]
fn expect_no_call(t: &Context) {
    assert!(t.asterisk.cli("websocket show channels").contains("\n0 WebSocket channels\n"));
    assert!(t.asterisk.cli("core show channels count").contains("0 active channels"));
}

/// The server sees a WebSocket that is closed with 1000 before any message.
fn plain(t: &Context) {
    let server = t.server(&[ONCE]);
    let text = expect_ok(t, &server.client, &["settings", "look-up", "TCP", "upgrade"]);
    let app = server.accept();
    assert_eq!(app.expect_close(), 1000);
    let received: Vec<_> =
        app.received().into_iter().filter(|item| !matches!(item.item, Item::End(_))).collect();
    assert!(matches!(received.as_slice(), [only] if matches!(only.item, Item::Close(1000))), "{received:?}");
    for part in [format!("{}: ws://{}\n", server.client, server.address), "subprotocol media\n".to_owned()] {
        assert!(text.contains(&part), "{part} in: {text}");
    }
    assert_eq!((server.request(0).target.as_str(), server.requests()), ("/media", 1));
    expect_no_call(t);
}

fn by_tls(t: &Context) {
    let server = tls::server(t, &tls::trusted_uri(), &[tls::CA]);
    let text = expect_ok(t, &server.client, &["settings", "look-up", "TCP", "TLS", "upgrade"]);
    assert_eq!(server.accept().expect_close(), 1000);
    assert!(text.contains("TLSv1."), "{text}");
    assert!(text.contains("trusted, for app.test, until "), "{text}");
    let open = tls::server(t, &tls::uri("other"), &[tls::CA, ("verify_server_hostname", "no")]);
    let text = expect_ok(t, &open.client, &["settings", "look-up", "TCP", "TLS", "upgrade"]);
    assert!(text.contains("trusted, its name not verified (verify_server_hostname = no), until "), "{text}");
}

/// The date by which the certificate has to be replaced, as openssl gives it.
fn expiry(t: &Context) {
    for (listener, options) in [("plain", &[tls::CA][..]), ("expired", &[("verify_server_cert", "no")])] {
        let server = tls::server(t, &tls::uri(listener), options);
        let text = check(t, &server.client);
        let line =
            text.lines().find(|line| line.trim_start().starts_with("certificate ")).expect("a certificate");
        if listener == "expired" {
            let words = "not verified (verify_server_cert = no), expired since Sat, 01 Feb 2020 00:00:00 GMT";
            assert!(line.ends_with(words), "{text}");
            continue;
        }
        // `2026-12-02 12:00:00Z` against `Wed, 02 Dec 2026 12:00:00 GMT`.
        let written = pki::FILES.openssl("x509 -in plain.crt -noout -enddate -dateopt iso_8601");
        let (date, time) = written
            .trim()
            .trim_start_matches("notAfter=")
            .trim_end_matches('Z')
            .split_once(' ')
            .expect("a date");
        let (year, day) = (&date[..4], &date[8..]);
        assert!(
            line.contains(&format!(", {day} ")) && line.contains(&format!(" {year} {time} GMT")),
            "{written}: {line}"
        );
        assert!(line.contains("(1 days)"), "{line}");
    }
}

fn by_proxy(t: &Context) {
    let server = t.server(&[ONCE]);
    let port = proxy::guarded_port();
    let options = [
        ("proxy_host", format!("127.0.0.1:{port}")),
        ("proxy_username", "jim".into()),
        ("proxy_password", "hushhush".into()),
    ];
    let options: Vec<(&str, &str)> = options.iter().map(|(name, value)| (*name, value.as_str())).collect();
    t.asterisk.add_connection(&server.client, &options);
    let text = expect_ok(t, &server.client, &["settings", "look-up", "TCP", "proxy", "upgrade"]);
    assert!(
        text.contains(&format!("by way of the proxy 127.0.0.1:{port}\n")) && !text.contains("hush"),
        "{text}"
    );
    assert_eq!(server.accept().expect_close(), 1000);
    let wrong = t.server(&[ONCE]);
    t.asterisk.add_connection(&wrong.client, &options[..1]);
    expect_failed(t, &wrong.client, "proxy", "does not accept the credentials (407)");
    assert_eq!(wrong.requests(), 0);
}

/// What chan_websocket.conf adds: headers, a token, a URI. Their values are not shown.
fn section(t: &Context) {
    let token = t.asterisk.folder().join("etc/check_token");
    fs::write(&token, "hush4711").expect("token");
    let file = t.asterisk.inside("etc/check_token");
    let server = t.server(&[ONCE, ("uri", "ws://127.0.0.1:1/")]);
    let uri = format!("ws://{}/${{TENANT}}/x${{UNIQUEID}}?key=hush", server.address);
    let section = [
        ("uri", uri.as_str()),
        ("header", "X-Tenant: ${TENANT}"),
        ("header", "X-Call: <${UNIQUEID}>"),
        ("header", "X-Key: hush"),
        ("bearer_token_file", &file),
    ];
    t.asterisk.add_connection(&server.client, &section);
    let text = expect_ok(t, &server.client, &["settings", "token", "look-up", "TCP", "upgrade"]);
    assert!(text.contains("empty, because a check has no channel: ${UNIQUEID}\n"), "{text}");
    assert!(!text.contains("hush") && !text.contains("4711"), "{text}");
    let head = server.request(0);
    assert_eq!(head.target, "/t%201/x?key=hush");
    for (name, value) in
        [("X-Tenant", "t 1"), ("X-Call", "<>"), ("X-Key", "hush"), ("Authorization", "Bearer hush4711")]
    {
        assert_eq!(head.header(name), Some(value), "{name}");
    }
    fs::remove_file(&token).expect("token");
    let text = expect_failed(t, &server.client, "token", "bearer_token_file");
    assert!(text.contains("No such file or directory"), "{text}");
}

/// A function may have side effects, so it is not called. A host that depends on a channel's variable cannot be
/// checked.
fn functions(t: &Context) {
    let server = t.server(&[ONCE]);
    let made = t.asterisk.inside("etc/made_by_a_check");
    let header = format!("X-Shell: ${{SHELL(touch {made})}}");
    t.asterisk.add_connection(&server.client, &[("header", &header)]);
    let text = expect_ok(t, &server.client, &["settings", "look-up", "TCP", "upgrade"]);
    assert!(text.contains("${SHELL(touch "), "{text}");
    assert_eq!(server.request(0).header("X-Shell"), Some(""));
    assert!(!t.asterisk.folder().join("etc/made_by_a_check").exists());
    let open = t.server(&[ONCE]);
    let section = [("uri", "ws://${BOT_HOST}/"), ("uri_hosts", "*.test")];
    t.asterisk.add_connection(&open.client, &section);
    let text = expect_failed(t, &open.client, "settings", "'' is no host");
    assert!(text.contains("empty, because a check has no channel: ${BOT_HOST}\n"), "{text}");
}

/// All addresses of a name, including those that do not work.
fn name(t: &Context) {
    let server = t.server(&[ONCE, ("uri", "ws://many.test:{port}/media")]);
    let (port, text) = (server.address.port(), check(t, &server.client));
    assert_eq!(steps(&text).1, "OK", "{text}");
    let line = text.lines().find(|line| line.contains("look-up")).expect("look-up");
    for last in 1..=5 {
        assert!(line.contains(&format!("127.0.0.{last}:{port}")), "{text}");
    }
    // These addresses have no listener.
    let server = t.server(&[ONCE, ("uri", "ws://four.test:{port}/media")]);
    let (port, text) = (server.address.port(), check(t, &server.client));
    let (rows, verdict) = steps(&text);
    assert_eq!(
        rows[2..],
        [("TCP", "failed"), ("TCP", "failed"), ("TCP", "failed"), ("TCP", "FAILED")],
        "{text}"
    );
    assert!(verdict.starts_with(&format!("FAILED: {}: TCP connection to 127.0.0.", server.client)), "{text}");
    for last in 2..=5 {
        assert!(text.contains(&format!("TCP connection to 127.0.0.{last}:{port} failed")), "{text}");
    }
    for (name, why) in [
        ("missing.test", "look-up of the name missing.test failed: Name or service not known"),
        ("broken.test", "look-up of the name broken.test failed: Temporary failure in name resolution"),
    ] {
        let uri = format!("ws://{name}:8765/");
        expect_failed(t, &client(t, &[("uri", &uri), ONCE]), "look-up", why);
    }
}

/// The server's answers other than 101. The check asks once, however often a call would ask.
fn refusals(t: &Context) {
    for (status, why) in [
        (401, "the server does not accept the credentials (401)"),
        (403, "the server forbids it (403)"),
        (404, "the server does not know the path of the uri (404)"),
        (503, "the server failed (503"),
    ] {
        let options = [("reconnect_attempts", "5"), ("reconnect_interval", "60000")];
        let server = t.server_with(&options, move |_, _| Reply::Refuse(status));
        expect_failed(t, &server.client, "upgrade", why);
        assert_eq!(server.requests(), 1);
    }
    let server = t.server_with(&[ONCE], |_, _| {
        Reply::AcceptWith("Sec-WebSocket-Protocol: other\r\n".into(), Vec::new())
    });
    expect_failed(t, &server.client, "upgrade", "subprotocol");
    expect_no_call(t);
}

fn certificates(t: &Context) {
    for (listener, options, why) in [
        ("expired", &[tls::CA][..], "is not trusted: certificate has expired"),
        ("self_signed", &[tls::CA], "is not trusted: self-signed certificate"),
        ("other", &[tls::CA], "certificate is not for 'app.test'"),
        ("plain", &[("ca_list_file", "/nowhere.crt")], ""),
    ] {
        let server = tls::server(t, &tls::uri(listener), options);
        if why.is_empty() {
            expect_failed(t, &server.client, "settings", "'/nowhere.crt' cannot be loaded");
        } else {
            expect_failed(t, &server.client, "TLS", why);
        }
        assert_eq!(server.requests(), 0);
    }
    let server = t.server(&[("uri", "wss://127.0.0.1:{port}/"), ONCE]);
    let text = check(t, &server.client);
    assert!(
        text.contains("TLS ") && text.lines().last().is_some_and(|line| line.starts_with("FAILED: ")),
        "{text}"
    );
}

/// A server that accepts and sends nothing: handshake_timeout limits the wait, and the client's section may set it.
fn silent(t: &Context) {
    let server = t.server_with(&[ONCE], |_, _| Reply::Silence);
    t.asterisk.add_connection(&server.client, &[("handshake_timeout", "300")]);
    let began = Instant::now();
    expect_failed(t, &server.client, "upgrade", "did not come within 300 ms (handshake_timeout)");
    assert!(began.elapsed() >= Duration::from_millis(300));
    // The connection ends in order: the end of the stream, and no reset.
    let mut rest = Vec::new();
    server.silent(0).read_to_end(&mut rest).expect("the end of the stream");
    assert_eq!(rest, b"");
}

fn unreachable(t: &Context) {
    let uri = format!("ws://127.0.0.1:{}/", ports::free());
    expect_failed(t, &client(t, &[("uri", &uri), ONCE]), "TCP", "Connection refused");
    let hole = super::Hole::at("127.0.0.1:0").expect("an address");
    let uri = format!("ws://{}/", hole.address);
    let client = client(t, &[("uri", &uri), ONCE, ("connection_timeout", "200")]);
    expect_failed(t, &client, "TCP", "within 200 ms (connection_timeout)");
}

/// Errors that are found before the check connects.
fn settings(t: &Context) {
    expect_failed(
        t,
        &client(t, &[("uri", "http://127.0.0.1/")]),
        "settings",
        "scheme 'http' is not ws or wss",
    );
    let two = client(t, &[("uri", "ws://127.0.0.1:1/"), ("username", "jim"), ("password", "hush")]);
    t.asterisk.add_connection(&two, &[("bearer_token", "hush4711")]);
    let text = expect_failed(t, &two, "settings", "exclude each other");
    assert!(!text.contains("hush"), "{text}");
    let refused = client(t, &[("uri", "ws://127.0.0.1:1/")]);
    t.allow_log("chan_websocket.conf: ");
    t.asterisk.add_connection(&refused, &[("header", "Host: x")]);
    expect_failed(t, &refused, "settings", "header");
}

fn unknown(t: &Context) {
    expect_failed(t, "nobody", "settings", "websocket_client.conf has no section of this name");
    let answer = t.asterisk.cli("websocket check a b");
    assert!(answer.contains("Usage: websocket check [<client>]\n"), "{answer}");
    assert!(answer.lines().all(|line| line.len() <= 80), "{answer}");
}

/// While a check waits, calls come up and media flows.
fn others_go_on(t: &Context) {
    let slow = t.server_with(&[ONCE], |_, _| Reply::Silence);
    let asterisk = t.asterisk.clone();
    let command = format!("websocket check {}", slow.client);
    let checking = std::thread::spawn(move || asterisk.cli(&command));
    slow.silent(0);
    let server = t.server(&[]);
    let call = t.call(&super::dial_string(&server.client)).extension("echo").originate();
    let app = server.accept();
    app.expect_media_start();
    call.wait_application("Echo");
    app.send_media(&[0x55; 320]);
    assert_eq!(app.collect_media(320), [0x55; 320]);
    assert!(!checking.is_finished(), "the check waits for three seconds");
    app.command("HANGUP");
    assert_eq!(app.expect_close(), 1000);
    let text = checking.join().expect("the console");
    assert!(text.contains("within 3000 ms (handshake_timeout)"), "{text}");
}

fn completion(t: &Context) {
    let (first, second) =
        (client(t, &[("uri", "ws://127.0.0.1:1/")]), client(t, &[("uri", "ws://127.0.0.1:1/")]));
    let offered =
        |line: &str, word: &str| t.asterisk.cli(&format!("_command matchesarray \"{line}\" \"{word}\""));
    let words = offered("websocket check ", "");
    assert!(words.contains(&first) && words.contains(&second), "{words}");
    let words = offered(&format!("websocket check {first}"), &first);
    assert!(words.split_whitespace().any(|word| word == first), "{words}");
    assert!(!words.split_whitespace().any(|word| word == second), "{words}");
    assert!(!offered(&format!("websocket check {first} "), "").contains(&second));
}

/// A section that Asterisk has refused, one that it ignores, and one that it has not read yet.
fn refused_by_asterisk(t: &Context) {
    let there = client(t, &[("uri", "ws://127.0.0.1:1/")]);
    t.allow_log("config");
    t.allow_log("sorcery");
    t.allow_log("websocket_client");
    let text = format!(
        "[{there}]\ntype = websocket_client\nconnection_type = per_call_config\nuri = ws://127.0.0.1:1/\n\
         [wrong]\ntype = websocket_client\nconnection_type = now_and_then\nuri = ws://127.0.0.1:1/\n\
         [typeless]\nuri = ws://127.0.0.1:1/\n"
    );
    t.asterisk.write_config("websocket_client.conf", &text);
    t.asterisk.cli("module reload res_websocket_client.so");
    wait::until("the file is read", || check(t, "wrong").contains("FAILED: wrong: "));
    expect_failed(t, "wrong", "settings", "Asterisk has refused its section of websocket_client.conf");
    expect_failed(t, "typeless", "settings", "no type = websocket_client");
    let text = t.asterisk.cli("websocket check");
    assert!(text.lines().last().is_some_and(|line| line.contains("wrong: Asterisk has refused")), "{text}");
}

/// All clients that calls are made to. The servers of Asterisk's other modules are not checked.
fn all(t: &Context) {
    let servers: Vec<AppServer> = (0..20).map(|_| t.server(&[ONCE])).collect();
    let text = t.asterisk.cli("websocket check");
    assert!(text.ends_with("\nOK\n"), "{text}");
    for server in &servers {
        assert!(
            text.contains(&format!("\n{}: ws://{}\n", server.client, server.address))
                || text.starts_with(&server.client),
            "{text}"
        );
        assert_eq!(server.requests(), 1);
        assert_eq!(server.accept().expect_close(), 1000);
    }
    let down = client(t, &[("uri", &format!("ws://127.0.0.1:{}/", ports::free())), ONCE]);
    let ari = Peer::listen(|stream| {
        peer::read_request(stream);
    });
    t.asterisk.add_client(
        "for_ari",
        &[("connection_type", "persistent"), ("uri", &format!("ws://{}/", ari.address))],
    );
    let text = t.asterisk.cli("websocket check");
    let last = text.lines().last().unwrap_or_default();
    assert!(
        last.starts_with(&format!("FAILED: {down}: TCP connection to ")) && !last.contains("; "),
        "{text}"
    );
    assert!(text.contains("for_ari: not checked, its connection_type is persistent\n"), "{text}");
    assert_eq!(ari.visits(), 0);
}

fn none(t: &Context) {
    let text = t.asterisk.cli("websocket check");
    assert_eq!(text, "FAILED: there is no websocket_client with connection_type = per_call_config\n");
}
