//! The answers of a server to Asterisk's request, and the bytes after them.

use std::time::{Duration, Instant};

use super::super::super::harness::wire::opcode;
use super::super::super::harness::{Context, Frame, Suite, wait};
use super::super::link::{Arrival, Link};
use super::super::peer::{Borrowed, accepting, instance};

pub fn tests(suite: &mut Suite, tls: bool) {
    let scheme = if tls { "wss" } else { "ws" };
    for (name, changes, refusal) in ROWS {
        for octets in [false, true] {
            if octets && !IN_OCTETS.contains(name) {
                continue;
            }
            let cut = if octets { "/octets" } else { "" };
            let name = format!("rfc6455/handshake/client/{scheme}/{name}{cut}");
            let body = move |t: &Context| answer(t, tls, octets, changes, *refusal);
            suite.beside(name, body).shares("rfc6455", instance);
        }
    }
    for (name, bytes, refusal) in LARGE {
        let header = format!("{PROTOCOL}X-Large: {}\r\n", "x".repeat(*bytes)).leak();
        let changes: &'static [(&str, &str)] = vec![(PROTOCOL, &*header)].leak();
        let name = format!("rfc6455/handshake/client/{scheme}/{name}");
        let body = move |t: &Context| answer(t, tls, false, changes, *refusal);
        suite.beside(name, body).shares("rfc6455", instance);
    }
    for (name, frames, comes) in BEHIND {
        for octets in [false, true] {
            let cut = if octets { "/octets" } else { "" };
            let name = format!("rfc6455/handshake/client/{scheme}/behind/{name}{cut}");
            let test = suite.beside(name, move |t| behind(t, tls, octets, frames(), comes));
            test.shares("rfc6455", instance);
            test.spare_oracle("it may leave unread what came with the handshake");
        }
    }
}

/// Name; replacements in a valid answer; why ours refuses it, if it does.
type Row = (&'static str, &'static [(&'static str, &'static str)], Option<&'static str>);

const LINE: &str = "HTTP/1.1 101 Switching Protocols\r\n";
const PROTOCOL: &str = "Sec-WebSocket-Protocol: media\r\n";
const UPGRADE: &str = "Upgrade: websocket\r\n";
const CONNECTION: &str = "Connection: Upgrade\r\n";
const ACCEPT: &str = "Sec-WebSocket-Accept: ";

/// These are also sent byte by byte.
const IN_OCTETS: [&str; 4] = ["as_it_should_be", "interim/100", "accept/wrong", "headers/no_colon"];

/// Name, bytes in one header, and why ours refuses it.
const LARGE: &[(&str, usize, Option<&str>)] =
    &[("headers/large", 12_000, None), ("headers/huge", 100_000, Some("endless header"))];

const ROWS: &[Row] = &[
    ("as_it_should_be", &[], None),
    ("status/no_reason", &[(LINE, "HTTP/1.1 101\r\n")], None),
    ("status/empty_reason", &[(LINE, "HTTP/1.1 101 \r\n")], None),
    ("status/other_reason", &[(LINE, "HTTP/1.1 101 Web Socket Protocol Handshake\r\n")], None),
    ("status/http_1_0", &[(LINE, "HTTP/1.0 101 Switching Protocols\r\n")], Some("101 is not HTTP/1.1")),
    ("status/http_2", &[(LINE, "HTTP/2 101 Switching Protocols\r\n")], Some("malformed HTTP")),
    ("status/small_letters", &[(LINE, "http/1.1 101 Switching Protocols\r\n")], Some("is not HTTP")),
    ("status/four_digits", &[(LINE, "HTTP/1.1 1010 Switching Protocols\r\n")], Some("malformed HTTP")),
    ("status/two_digits", &[(LINE, "HTTP/1.1 10 Switching Protocols\r\n")], Some("malformed HTTP")),
    ("status/102_alone", &[(LINE, "HTTP/1.1 102 Processing\r\n")], Some("closed the connection")),
    ("status/200", &[(LINE, "HTTP/1.1 200 OK\r\n")], Some("answered with a page")),
    ("status/line_before", &[(LINE, "\r\nHTTP/1.1 101 Switching Protocols\r\n")], Some("is not HTTP")),
    ("interim/100", &[(LINE, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 101 Switching Protocols\r\n")], None),
    (
        "interim/103",
        &[(LINE, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 101 Switching Protocols\r\n")],
        None,
    ),
    ("accept/none", &[(ACCEPT, "X-Accept: ")], Some("no Sec-WebSocket-Accept")),
    ("accept/wrong", &[(ACCEPT, "Sec-WebSocket-Accept: A")], Some("wrong Sec-WebSocket-Accept")),
    ("accept/small_letters", &[(ACCEPT, "sec-websocket-accept: ")], None),
    (
        "accept/twice",
        &[(ACCEPT, "Sec-WebSocket-Accept: AAAA\r\nSec-WebSocket-Accept: ")],
        Some("wrong Sec-WebSocket-Accept"),
    ),
    ("accept/with_spaces", &[(ACCEPT, "Sec-WebSocket-Accept:  \t ")], None),
    ("upgrade/none", &[(UPGRADE, "")], Some("no Upgrade header")),
    ("upgrade/capitals", &[(UPGRADE, "UPGRADE: WebSocket\r\n")], None),
    ("upgrade/other", &[(UPGRADE, "Upgrade: websocket2\r\n")], Some("Upgrade header \"websocket2\"")),
    ("connection/none", &[(CONNECTION, "")], Some("no Connection header")),
    ("connection/list", &[(CONNECTION, "Connection: keep-alive, upgrade\r\n")], None),
    ("connection/two_headers", &[(CONNECTION, "Connection: keep-alive\r\nConnection: Upgrade\r\n")], None),
    ("connection/close", &[(CONNECTION, "Connection: close\r\n")], Some("Connection header \"close\"")),
    ("subprotocol/none", &[(PROTOCOL, "")], None),
    ("subprotocol/empty", &[(PROTOCOL, "Sec-WebSocket-Protocol: \r\n")], None),
    ("subprotocol/capitals", &[(PROTOCOL, "Sec-WebSocket-Protocol: MEDIA\r\n")], None),
    ("subprotocol/other", &[(PROTOCOL, "Sec-WebSocket-Protocol: chat\r\n")], Some("subprotocol \"chat\"")),
    ("subprotocol/part", &[(PROTOCOL, "Sec-WebSocket-Protocol: med\r\n")], Some("subprotocol \"med\"")),
    (
        "subprotocol/two",
        &[(PROTOCOL, "Sec-WebSocket-Protocol: media, chat\r\n")],
        Some("subprotocol \"media, chat\""),
    ),
    (
        "extensions/deflate",
        &[(PROTOCOL, "Sec-WebSocket-Extensions: permessage-deflate\r\n")],
        Some("extension \"permessage-deflate\""),
    ),
    (
        "extensions/unknown",
        &[(PROTOCOL, "Sec-WebSocket-Extensions: x-foo; a=1\r\n")],
        Some("extension \"x-foo; a=1\""),
    ),
    ("extensions/empty", &[(PROTOCOL, "Sec-WebSocket-Extensions:\r\n")], None),
    ("headers/folded", &[(PROTOCOL, "X-Long: one\r\n two\r\n")], Some("malformed HTTP")),
    ("headers/space_before_colon", &[(UPGRADE, "Upgrade : websocket\r\n")], Some("malformed HTTP")),
    ("headers/no_colon", &[(PROTOCOL, "what is this\r\n")], Some("malformed HTTP")),
    ("headers/nul", &[(PROTOCOL, "X-Nul: a\0b\r\n")], Some("malformed HTTP")),
    ("headers/no_spaces", &[(": ", ":")], None),
    ("headers/bare_line_feeds", &[("\r\n", "\n")], None),
    ("headers/utf8", &[(PROTOCOL, "X-Name: größer\r\n")], None),
    ("headers/content_length", &[(PROTOCOL, "Content-Length: 0\r\n")], None),
];

/// Sends the answer, and checks whether the upgrade is accepted.
fn answer(t: &Context, tls: bool, octets: bool, changes: &[(&str, &str)], refusal: Option<&str>) {
    t.share_ari();
    let place = Borrowed::new(tls);
    t.allow_log(&format!("/{}/", place.client()));
    t.allow_log(&format!(" {}/", place.client()));
    let dialled = format!("WebSocket/{}/c(ulaw)", place.client());
    let call = t.call(&dialled).extension("wait").originate();
    let mut link = place.accept();
    let head = link.head(PATIENCE).expect("a request");
    let text = changes.iter().fold(accepting(&head), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    });
    // Asterisk may have seen enough before the end.
    let sent = if octets {
        link.trickle(text.as_bytes(), Duration::from_micros(50))
    } else {
        link.send(text.as_bytes())
    };
    assert!(sent.is_ok() || refusal.is_some(), "{sent:?}");
    if refusal.is_some() {
        // The server sends no more than that.
        link.finish();
    }
    let patience = if t.is_ours() { PATIENCE } else { Duration::from_secs(1) };
    let arrival = link.next(Instant::now() + patience);
    let connected = matches!(&arrival, Arrival::Frame(frame) if is_media_start(frame));
    t.note(if connected { "connected" } else { "refused" });
    if !t.is_ours() {
        return;
    }
    assert_eq!(connected, refusal.is_none(), "{arrival:?}");
    if let Some(words) = refusal {
        assert_eq!(call.ending().cause, 3);
        t.wait_log(&["WARNING", "connection failed to", &call.name, words]);
    }
}

const PATIENCE: Duration = wait::PATIENCE;

fn is_media_start(frame: &Frame) -> bool {
    frame.opcode == opcode::TEXT && frame.payload.starts_with(b"MEDIA_START ")
}

/// Name; frames in the same segment as the 101; what comes after MEDIA_START: opcode and beginning.
type Behind = (&'static str, fn() -> Vec<Frame>, &'static [(u8, &'static [u8])]);

const BEHIND: &[Behind] = &[
    ("command", || vec![Frame::text("MARK_MEDIA a")], &[(opcode::TEXT, b"MEDIA_MARK_PROCESSED a")]),
    ("ping", || vec![Frame::new(opcode::PING, "p")], &[(opcode::PONG, b"p")]),
    ("close", || vec![Frame::close(Some(4000), "no")], &[(opcode::CLOSE, b"\x0f\xa0no")]),
    (
        "fragments",
        || vec![Frame::text("MARK_M").not_last(), Frame::new(opcode::CONTINUATION, "EDIA a")],
        &[(opcode::TEXT, b"MEDIA_MARK_PROCESSED a")],
    ),
    ("fault", || vec![Frame::new(3, "")], &[(opcode::CLOSE, b"\x03\xea")]),
    (
        "fault_behind_ping",
        || vec![Frame::new(opcode::PING, "p"), Frame::new(11, "")],
        &[(opcode::PONG, b"p"), (opcode::CLOSE, b"\x03\xea")],
    ),
    ("bad_utf8", || vec![Frame::new(opcode::TEXT, b"\xff".as_slice())], &[(opcode::CLOSE, b"\x03\xef")]),
];

/// Frames that come with the handshake are handled like later ones.
fn behind(t: &Context, tls: bool, octets: bool, frames: Vec<Frame>, comes: &[(u8, &[u8])]) {
    t.share_ari();
    let place = Borrowed::new(tls);
    t.allow_log(&format!("/{}/", place.client()));
    let call = t.call(&format!("WebSocket/{}/c(ulaw)", place.client())).extension("wait").originate();
    let mut link: Link = place.accept();
    let head = link.head(PATIENCE).expect("a request");
    let mut bytes = accepting(&head).into_bytes();
    bytes.extend(frames.into_iter().flat_map(|frame| frame.unmasked().encode()));
    if octets {
        link.trickle(&bytes, Duration::from_micros(50)).expect("answer");
    } else {
        link.send(&bytes).expect("answer");
    }
    // The answer to a command is sent after MEDIA_START; the answer to a ping or a close need not wait for it.
    let mut came = Vec::new();
    while came.len() < comes.len() {
        match link.next(Instant::now() + PATIENCE) {
            Arrival::Frame(frame) if is_media_start(&frame) => {}
            Arrival::Frame(frame) => came.push((frame.opcode, frame.payload)),
            other => panic!("{other:?} behind {came:?}"),
        }
    }
    let comes: Vec<(u8, Vec<u8>)> =
        comes.iter().map(|(opcode, payload)| (*opcode, payload.to_vec())).collect();
    assert_eq!(came, comes);
    t.note("answered");
    drop(call);
}
