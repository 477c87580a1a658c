//! `fallback`: another client's server takes the call when this client's server does not.

use std::net::Shutdown;

use super::super::harness::server::{AppServer, Reply};
use super::super::harness::{Context, Suite, ports};
use super::peer::{Peer, read_request, write};
use super::{Hole, LOCALHOST, ONCE, allow_failure, caller, client, dial_string, instance, tls, unavailable};

const WHY: &str = "the C module knows no fallback";

pub fn tests(suite: &mut Suite) {
    let mut ours = |name: &str, body: fn(&Context)| {
        suite.ours(format!("connect/fallback/{name}"), WHY, body).shares("connect", instance);
    };
    ours("refusing", |t| {
        let uri = format!("ws://127.0.0.1:{}/media", ports::free());
        falls_back(t, &client(t, &[("uri", &uri), ONCE]), &[], "Connection refused");
    });
    ours("no_answer_to_syn", |t| {
        let hole = Hole::at((LOCALHOST, 0)).expect("127.0.0.1");
        let uri = format!("ws://{}/media", hole.address);
        let client = client(t, &[("uri", &uri), ONCE, ("connection_timeout", "300")]);
        falls_back(t, &client, &[], "within 300 ms (connection_timeout)");
    });
    ours("unknown_name", |t| {
        let client = client(t, &[("uri", "ws://nowhere.test/media"), ONCE]);
        falls_back(t, &client, &[], "look-up of the name nowhere.test failed");
    });
    ours("busy", |t| {
        let server = t.server_with(&[ONCE], |_, _| Reply::Refuse(503));
        falls_back(t, &server.client, &[], "the server failed (503 No)");
        assert_eq!(server.requests(), 1);
    });
    ours("forbidden", |t| {
        let server = t.server_with(&[], |_, _| Reply::Refuse(403));
        falls_back(t, &server.client, &[], "the server forbids it (403)");
        assert_eq!(server.requests(), 1);
    });
    ours("silent", |t| {
        let peer = Peer::listen(|_| {});
        let client = client(t, &[("uri", &format!("ws://{}/media", peer.address)), ONCE]);
        falls_back(
            t,
            &client,
            &[("handshake_timeout", "300")],
            "did not come within 300 ms (handshake_timeout)",
        );
        peer.wait_ended();
    });
    ours("bad_tls", |t| {
        let server = tls::server(t, &tls::uri("self_signed"), &[]);
        falls_back(t, &server.client, &[], "is not trusted: self-signed certificate");
    });
    ours("no_tls", |t| {
        let peer = Peer::listen(|stream| {
            write(stream, "HTTP/1.1 400 No\r\n\r\n");
            let _ = stream.shutdown(Shutdown::Write);
        });
        let client = client(t, &[("uri", &format!("wss://{}/media", peer.address)), ONCE]);
        falls_back(t, &client, &[], "TLS failed");
    });
    ours("to_tls_and_proxy", to_tls);
    ours("own_section", own_section);
    ours("all_attempts_first", all_attempts_first);
    ours("all_down", all_down);
    ours("missing", missing);
    ours("hung_up", hung_up);
    ours("not_needed", not_needed);
}

/// A call to `first`, which fails with these words in the log, is taken by another client's server.
fn falls_back(t: &Context, first: &str, section: &[(&str, &str)], words: &str) {
    let spare = t.server(&[]);
    arrives_at(t, first, section, words, &spare);
}

fn arrives_at(t: &Context, first: &str, section: &[(&str, &str)], words: &str, spare: &AppServer) {
    allow_failure(t);
    let fallback = [("fallback", spare.client.as_str())];
    t.asterisk.add_connection(first, &[section, &fallback].concat());
    let call = t.call(&dial_string(first)).originate();
    let app = spare.accept();
    let start = app.expect_media_start();
    assert_eq!((start.get("connection_id"), start.get("channel")), (first.to_owned(), call.name.clone()));
    call.wait_up();
    let read = |figure: &str| call.variable(&format!("CHANNEL(websocket,{figure})"));
    assert_eq!(read("client").as_deref(), Some(spare.client.as_str()));
    assert_eq!(read("connection_id").as_deref(), Some(first));
    assert_eq!(call.variable("MEDIA_WEBSOCKET_CONNECTION_ID").as_deref(), Some(first));
    let line = t.wait_log(&["WARNING", &call.name, &format!("failed to {first}: "), words]);
    assert!(line.contains(&format!("its fallback '{}' is tried, ", spare.client)), "{line}");
    let line =
        t.wait_log(&["NOTICE", &call.name, &format!("connected to the fallback '{}', ", spare.client)]);
    let took = line.rsplit(" ms after").nth(1).and_then(|before| before.rsplit(' ').next());
    let took: u64 = took.and_then(|ms| ms.parse().ok()).unwrap_or_else(|| panic!("no time in {line}"));
    let connect_time: f64 = read("connect_time").and_then(|text| text.parse().ok()).expect("a number");
    assert!(connect_time >= took as f64, "{connect_time} of {took}");
}

fn to_tls(t: &Context) {
    let spare = tls::server(t, &tls::trusted_uri(), &[tls::CA]);
    let uri = format!("ws://127.0.0.1:{}/media", ports::free());
    arrives_at(t, &client(t, &[("uri", &uri), ONCE]), &[], "Connection refused", &spare);
}

/// The fallback does not get the headers and the token of the first client.
fn own_section(t: &Context) {
    let (busy, spare) = (t.server_with(&[ONCE], |_, _| Reply::Refuse(503)), t.server(&[]));
    let section = [("header", "X-Of: spare ${UNIQUEID}"), ("bearer_token", "spares")];
    t.asterisk.add_connection(&spare.client, &section);
    let section = [("header", "X-Of: busy ${UNIQUEID}"), ("bearer_token", "busys")];
    arrives_at(t, &busy.client, &section, "503", &spare);
    let (first, second) = (busy.request(0), spare.request(0));
    let of = |header: Option<&str>| header.and_then(|text| text.split(' ').next().map(str::to_owned));
    assert_eq!(of(first.header("X-Of")).as_deref(), Some("busy"));
    assert_eq!(of(second.header("X-Of")).as_deref(), Some("spare"));
    assert_eq!(first.header("Authorization"), Some("Bearer busys"));
    assert_eq!(second.header("Authorization"), Some("Bearer spares"));
}

fn all_attempts_first(t: &Context) {
    let options = [("reconnect_attempts", "3"), ("reconnect_interval", "20")];
    let busy = t.server_with(&options, |_, _| Reply::Refuse(503));
    falls_back(t, &busy.client, &[], "failed 3 times, at last: ");
    assert_eq!(busy.requests(), 3);
}

/// The cause is that of any failed connection; the log has each failure.
fn all_down(t: &Context) {
    allow_failure(t);
    let servers: Vec<_> = (0..3).map(|_| t.server_with(&[ONCE], |_, _| Reply::Refuse(503))).collect();
    for pair in servers.windows(2) {
        t.asterisk.add_connection(&pair[0].client, &[("fallback", &pair[1].client)]);
    }
    assert_eq!(caller(t, &servers[0].client, "10").dial_result(), unavailable());
    t.wait_log(&[
        "WARNING",
        &format!("failed to {}/", servers[0].client),
        &format!("the last fallback '{}': ", servers[2].client),
    ]);
    assert!(servers.iter().all(|server| server.requests() == 1));
}

/// The first fallback does not exist, the second does.
fn missing(t: &Context) {
    let (busy, spare) = (t.server_with(&[ONCE], |_, _| Reply::Refuse(503)), t.server(&[]));
    let nobody = t.unique("nobody");
    t.asterisk.add_connection(&nobody, &[("fallback", &spare.client)]);
    allow_failure(t);
    t.asterisk.add_connection(&busy.client, &[("fallback", &nobody)]);
    let _call = t.call(&dial_string(&busy.client)).originate();
    spare.accept().expect_media_start();
    t.wait_log(&["WARNING", &format!("websocket_client '{nobody}' does not exist"), &spare.client]);
}

/// A hangup while the first server is waited for: no other server is asked.
fn hung_up(t: &Context) {
    let (silent, spare) = (t.server_with(&[], |_, _| Reply::Silence), t.server(&[]));
    t.asterisk.add_connection(&silent.client, &[("fallback", &spare.client)]);
    let call = t.call(&dial_string(&silent.client)).originate();
    let _stream = silent.silent(0);
    call.hangup();
    call.ending();
    // This call to the same servers comes after everything that the first call may still do.
    let accepts = Peer::listen(|stream| {
        let answer = read_request(stream);
        write(stream, answer);
    });
    let later = client(t, &[("uri", &format!("ws://{}/media", accepts.address))]);
    let call = t.call(&dial_string(&later)).originate();
    accepts.wait_visits(1);
    drop(call);
    assert_eq!(spare.requests(), 0);
}

fn not_needed(t: &Context) {
    let (server, spare) = (t.server(&[]), t.server(&[]));
    t.asterisk.add_connection(&server.client, &[("fallback", &spare.client)]);
    let call = t.call(&dial_string(&server.client)).originate();
    let app = server.accept();
    app.expect_media_start();
    call.wait_up();
    let client = call.variable("CHANNEL(websocket,client)");
    assert_eq!(client.as_deref(), Some(server.client.as_str()));
    assert_eq!(spare.requests(), 0);
}
