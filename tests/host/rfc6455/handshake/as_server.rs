//! Requests from apps, as people and libraries write them.

use std::time::{Duration, Instant};

use tungstenite::handshake::derive_accept_key;

use super::super::super::harness::wire::opcode;
use super::super::super::harness::{Context, Frame, Suite, wait};
use super::super::link::{Arrival, Link};
use super::super::peer::instance;

pub fn tests(suite: &mut Suite, tls: bool) {
    let scheme = if tls { "wss" } else { "ws" };
    for row in ROWS {
        for octets in [false, true] {
            if octets && !IN_OCTETS.contains(&row.0) {
                continue;
            }
            let name =
                format!("rfc6455/handshake/server/{scheme}/{}{}", row.0, if octets { "/octets" } else { "" });
            suite.beside(name, move |t| request(t, tls, octets, row)).shares("rfc6455", instance);
        }
    }
    for (name, bytes, status) in LARGE {
        let changes: &'static [(&str, &str)] = vec![(HOST, large(*bytes))].leak();
        let row: &'static Row = Box::leak(Box::new((*name, changes, *status, MEDIA)));
        let name = format!("rfc6455/handshake/server/{scheme}/{name}");
        suite.beside(name, move |t| request(t, tls, false, row)).shares("rfc6455", instance);
    }
}

/// These are also sent byte by byte.
const IN_OCTETS: [&str; 4] = ["as_it_should_be", "key/none", "upgrade/none", "headers/many_more"];

/// Name, bytes in one header, status: Asterisk's HTTP server itself refuses more than 4 KiB.
const LARGE: &[(&str, usize, u16)] =
    &[("headers/large", 3000, 101), ("headers/too_large", 5000, 400), ("headers/huge", 100_000, 400)];

fn large(bytes: usize) -> &'static str {
    format!("Host: localhost\r\nX-Large: {}\r\n", "x".repeat(bytes)).leak()
}

/// Name; replacements in a valid request; the status with ours, and the subprotocol if it is 101.
type Row = (&'static str, &'static [(&'static str, &'static str)], u16, Option<&'static str>);

const MEDIA: Option<&str> = Some("media");

const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
const VERSION: &str = "Sec-WebSocket-Version: 13\r\n";
const PROTOCOL: &str = "Sec-WebSocket-Protocol: media\r\n";
const UPGRADE: &str = "Upgrade: websocket\r\n";
const CONNECTION: &str = "Connection: Upgrade\r\n";
const HOST: &str = "Host: localhost\r\n";

const ROWS: &[Row] = &[
    ("as_it_should_be", &[], 101, MEDIA),
    // The key. The C module only checks that it is there.
    ("key/none", &[(KEY, "")], 400, None),
    ("key/empty", &[(KEY, "Sec-WebSocket-Key: \r\n")], 400, None),
    (
        "key/twice",
        &[(KEY, "Sec-WebSocket-Key: eHh4\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")],
        101,
        MEDIA,
    ),
    ("key/with_spaces", &[(KEY, "Sec-WebSocket-Key:    dGhlIHNhbXBsZSBub25jZQ==   \r\n")], 101, MEDIA),
    ("key/short", &[(KEY, "Sec-WebSocket-Key: AAAA\r\n")], 101, MEDIA),
    ("key/no_base64", &[(KEY, "Sec-WebSocket-Key: what is this?\r\n")], 101, MEDIA),
    ("key/hixie", &[(KEY, "Sec-WebSocket-Key1: 1 2\r\nSec-WebSocket-Key2: 3 4\r\n")], 400, None),
    ("version/none", &[(VERSION, "")], 400, None),
    ("version/0", &[("Version: 13", "Version: 0")], 400, None),
    ("version/6", &[("Version: 13", "Version: 6")], 400, None),
    ("version/7", &[("Version: 13", "Version: 7")], 101, MEDIA),
    ("version/8", &[("Version: 13", "Version: 8")], 101, MEDIA),
    ("version/9", &[("Version: 13", "Version: 9")], 400, None),
    ("version/12", &[("Version: 13", "Version: 12")], 400, None),
    ("version/14", &[("Version: 13", "Version: 14")], 400, None),
    ("version/130", &[("Version: 13", "Version: 130")], 400, None),
    ("version/negative", &[("Version: 13", "Version: -13")], 400, None),
    ("version/word", &[("Version: 13", "Version: thirteen")], 400, None),
    ("upgrade/none", &[(UPGRADE, "")], 426, None),
    ("upgrade/capitals", &[(UPGRADE, "UPGRADE: WEBSOCKET\r\n")], 101, MEDIA),
    ("upgrade/h2c", &[(UPGRADE, "Upgrade: h2c\r\n")], 426, None),
    ("upgrade/empty", &[(UPGRADE, "Upgrade:\r\n")], 426, None),
    ("connection/small_letters", &[(CONNECTION, "connection: upgrade\r\n")], 101, MEDIA),
    ("connection/list", &[(CONNECTION, "Connection: keep-alive, Upgrade\r\n")], 101, MEDIA),
    ("connection/list_without_spaces", &[(CONNECTION, "Connection: Upgrade,keep-alive\r\n")], 101, MEDIA),
    ("connection/none", &[(CONNECTION, "")], 101, MEDIA),
    ("subprotocol/none", &[(PROTOCOL, "")], 101, None),
    ("subprotocol/empty", &[(PROTOCOL, "Sec-WebSocket-Protocol: \r\n")], 101, None),
    ("subprotocol/first", &[("Protocol: media", "Protocol: media, chat")], 101, MEDIA),
    ("subprotocol/last", &[("Protocol: media", "Protocol: chat,other , media")], 101, MEDIA),
    ("subprotocol/other", &[("Protocol: media", "Protocol: chat")], 400, None),
    ("subprotocol/part_of_another", &[("Protocol: media", "Protocol: mediation, multimedia")], 400, None),
    (
        "extensions/deflate",
        &[(
            VERSION,
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n",
        )],
        101,
        MEDIA,
    ),
    (
        "extensions/unknown",
        &[(VERSION, "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Extensions: x-anything; a=\"b, c\", y\r\n")],
        101,
        MEDIA,
    ),
    (
        "extensions/empty",
        &[(VERSION, "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Extensions:\r\n")],
        101,
        MEDIA,
    ),
    ("host/none", &[(HOST, "")], 101, MEDIA),
    ("host/with_port", &[(HOST, "Host: pbx.example.com:8088\r\n")], 101, MEDIA),
    ("origin/any", &[(HOST, "Host: localhost\r\nOrigin: https://elsewhere.example\r\n")], 101, MEDIA),
    ("http/1_0", &[(" HTTP/1.1", " HTTP/1.0")], 101, MEDIA),
    ("http/2_0", &[(" HTTP/1.1", " HTTP/2.0")], 101, MEDIA),
    ("http/none", &[(" HTTP/1.1", "")], 101, MEDIA),
    ("method/post", &[("GET ", "POST ")], 501, None),
    ("method/put", &[("GET ", "PUT ")], 501, None),
    ("target/query", &[(" HTTP/1.1", "?a=b&c HTTP/1.1")], 101, MEDIA),
    ("target/trailing_slash", &[(" HTTP/1.1", "/ HTTP/1.1")], 404, None),
    ("target/double_slash", &[("/media/", "/media//")], 404, None),
    ("target/dots", &[("/media/", "/media/../media/")], 404, None),
    ("headers/no_space_behind_colons", &[(": ", ":")], 101, MEDIA),
    ("headers/tabs_behind_colons", &[(": ", ":\t")], 101, MEDIA),
    ("headers/many_more", &[(HOST, MANY)], 101, MEDIA),
];

/// More headers than a browser sends.
const MANY: &str = "Host: localhost\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n\
    Accept: */*\r\nAccept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br, zstd\r\nDNT: 1\r\n\
    Sec-Fetch-Dest: empty\r\nSec-Fetch-Mode: websocket\r\nSec-Fetch-Site: cross-site\r\nPragma: no-cache\r\n\
    Cache-Control: no-cache\r\nCookie: a=b; c=d\r\nX-Forwarded-For: 192.0.2.1, 198.51.100.2\r\nVia: 1.1 proxy\r\n";

/// Sends the request, and checks the answer. After a refusal an app can still connect to the call.
fn request(t: &Context, tls: bool, octets: bool, (name, changes, status, subprotocol): &Row) {
    t.share_ari();
    for text in [
        "refused the application's upgrade",
        "could not be accepted",
        "WebSocket instance not found",
        "SSL_shutdown() failed",
    ] {
        t.allow_log(text);
    }
    let call = t.call("WebSocket/INCOMING/c(ulaw)").extension("wait").originate();
    let path = t.asterisk.path(&format!("media/{}", call.connection_id()));
    let good = format!("GET {path} HTTP/1.1\r\n{HOST}{UPGRADE}{CONNECTION}{KEY}{VERSION}{PROTOCOL}\r\n");
    let text = changes.iter().fold(good.clone(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    });
    let mut link = connect(t, tls);
    let sent = if octets {
        link.trickle(text.as_bytes(), Duration::from_micros(50))
    } else {
        link.send(text.as_bytes())
    };
    let head = link.head(PATIENCE).unwrap_or_default();
    let answered = head.split(' ').nth(1).unwrap_or("nothing").to_owned();
    // Asterisk's HTTP server does not read a request to the end that is too large; its answer may be lost in the reset.
    let cut_off = name.ends_with("huge") && (sent.is_err() || head.is_empty());
    assert!(sent.is_ok() || cut_off, "{sent:?}");
    t.note(if cut_off { "cut off" } else { &answered });
    if !t.is_ours() {
        return;
    }
    assert!(cut_off || answered == status.to_string(), "{answered} instead of {status}: {head}");
    if *status == 101 {
        expect_101(&head, &text, *subprotocol);
        return expect_media_start(&mut link);
    }
    let by_us = *status == 400 && !name.ends_with("large") && !name.ends_with("huge");
    assert_eq!(head.contains("\r\nSec-WebSocket-Version: 7, 8, 13\r\n"), by_us, "{head}");
    let mut link = connect(t, tls);
    link.send(good.as_bytes()).expect("request");
    expect_101(&link.head(PATIENCE).expect("an answer"), &good, MEDIA);
    expect_media_start(&mut link);
}

const PATIENCE: Duration = wait::PATIENCE;

fn connect(t: &Context, tls: bool) -> Link {
    Link::connect(if tls { t.asterisk.https } else { t.asterisk.http }, tls).expect("the HTTP server")
}

/// The answer contains this and nothing else.
fn expect_101(head: &str, request: &str, subprotocol: Option<&str>) {
    // Of two keys the last one is used.
    let mut keys = request.lines().filter_map(|line| line.strip_prefix("Sec-WebSocket-Key:"));
    let accept = derive_accept_key(keys.next_back().expect("a key").trim().as_bytes());
    let (line, headers) = head.split_once("\r\n").expect("a line");
    assert_eq!(line, "HTTP/1.1 101 Switching Protocols");
    let upgrade = headers.lines().next().unwrap_or_default();
    assert!(upgrade.eq_ignore_ascii_case("Upgrade: websocket"), "{upgrade}");
    let mut expected = format!("{upgrade}\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n");
    if let Some(subprotocol) = subprotocol {
        expected.push_str(&format!("Sec-WebSocket-Protocol: {subprotocol}\r\n"));
    }
    assert_eq!(headers, format!("{expected}\r\n"));
}

fn expect_media_start(link: &mut Link) {
    match link.next(Instant::now() + PATIENCE) {
        Arrival::Frame(Frame { opcode: opcode::TEXT, payload, .. }) => {
            assert!(payload.starts_with(b"MEDIA_START "));
        }
        other => panic!("expected MEDIA_START, received {other:?}"),
    }
}
