//! The request byte by byte, and every possible answer to it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::*;
use crate::settings::per_call::FilledHeader;

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";

const REQUEST: UpgradeRequest<'_> = UpgradeRequest {
    host: "app.example.com",
    port: 8080,
    path_and_query: "/media?a=1",
    credentials: None,
    bearer: None,
    headers: &[],
    protocols: Some("media, chat"),
};

fn answer(bytes: &[u8]) -> Result<Progress, UpgradeError> {
    REQUEST.start_with(KEY).unwrap().1.feed(bytes)
}

fn good(extra: &str) -> String {
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{ACCEPT}{extra}\r\n"
    )
}

#[test]
fn the_request() {
    let text = String::from_utf8(REQUEST.start_with(KEY).unwrap().0).unwrap();
    assert_eq!(
        text,
        "GET /media?a=1 HTTP/1.1\r\nHost: app.example.com:8080\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Protocol: media, chat\r\n\r\n"
    );
    let request = UpgradeRequest {
        host: "2001:db8::1",
        port: 80,
        credentials: Some(("Aladdin", "open sesame")),
        protocols: Some(" "),
        ..REQUEST
    };
    let text = String::from_utf8(request.start_with(KEY).unwrap().0).unwrap();
    assert!(text.contains("\r\nHost: [2001:db8::1]:80\r\n"), "{text}");
    assert!(text.contains("\r\nAuthorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n"), "{text}");
    assert!(!text.contains("Protocol"), "{text}");
    assert!(!format!("{request:?}").contains("sesame"));
}

#[test]
fn headers_and_a_token_come_last_and_as_they_are() {
    let header = |name: &str, value: &[u8]| FilledHeader { name: name.into(), value: value.into() };
    let headers = [header("X-Empty", b""), header("X-Caller", b"Gr\xfc\xdfe, \"x\"")];
    let request = UpgradeRequest { bearer: Some("hush"), headers: &headers, ..REQUEST };
    let (bytes, _) = request.start_with(KEY).unwrap();
    let end = b"Authorization: Bearer hush\r\nSec-WebSocket-Protocol: media, chat\r\nX-Empty: \r\nX-Caller: Gr\xfc\xdfe, \"x\"\r\n\r\n";
    assert!(bytes.ends_with(end), "{}", String::from_utf8_lossy(&bytes));
    assert!(String::from_utf8_lossy(&bytes).contains("\r\nAuthorization: Bearer hush\r\n"));
    assert!(!format!("{request:?}").contains("hush"));
    for value in [&b"a\r\nb"[..], b"\0", b"\x7f"] {
        let headers = [header("X", value)];
        let request = UpgradeRequest { headers: &headers, ..REQUEST };
        assert_eq!(request.check(), Err(UpgradeRequestError::Unprintable("value of a header")));
    }
    let request = UpgradeRequest { bearer: Some("a\r\nb"), ..REQUEST };
    assert_eq!(request.check(), Err(UpgradeRequestError::Unprintable("bearer token")));
}

#[test]
fn every_request_has_a_key_of_its_own() {
    let key_of = || {
        let text = String::from_utf8(REQUEST.start().unwrap().0).unwrap();
        let key = text.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap().to_owned();
        assert_eq!(BASE64.decode(&key).unwrap().len(), 16);
        key
    };
    assert_ne!(key_of(), key_of());
}

#[test]
fn nothing_can_add_a_line_to_the_request() {
    for request in [
        UpgradeRequest { host: "a\r\nb", ..REQUEST },
        UpgradeRequest { path_and_query: "/a b", ..REQUEST },
        UpgradeRequest { path_and_query: "/a\nb", ..REQUEST },
        UpgradeRequest { protocols: Some("a\r\nX: y"), ..REQUEST },
    ] {
        assert!(matches!(request.start(), Err(UpgradeRequestError::Unprintable(_))), "{request:?}");
    }
}

#[test]
fn answers_that_make_a_websocket() {
    let rows: &[(&str, String, Option<&str>)] = &[
        ("plain", good(""), None),
        ("a subprotocol", good("Sec-WebSocket-Protocol: media\r\n"), Some("media")),
        ("another case", good("Sec-WebSocket-Protocol: MEDIA\r\n"), Some("MEDIA")),
        ("the other one", good("Sec-WebSocket-Protocol: chat\r\n"), Some("chat")),
        ("an empty subprotocol", good("Sec-WebSocket-Protocol:\r\n"), None),
        ("an empty extension", good("Sec-WebSocket-Extensions: \r\n"), None),
        ("lists", good("").replace("Connection: U", "Connection: keep-alive, U"), None),
        ("any case", good("").replace("websocket", "WebSocket").replace(": Up", ": up"), None),
        ("two Connection headers", good("Connection: keep-alive\r\n"), None),
        ("interim answers", format!("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n{}", good("")), None),
    ];
    for (name, text, chosen) in rows {
        let Ok(Progress::Done { leftover, subprotocol }) = answer(text.as_bytes()) else {
            panic!("{name}: {:?}", answer(text.as_bytes()))
        };
        assert_eq!((leftover.len(), subprotocol.as_deref()), (0, *chosen), "{name}");
    }
}

#[test]
fn bytes_behind_the_101_are_kept_however_it_is_cut() {
    let mut bytes = good("").into_bytes();
    let head = bytes.len();
    bytes.extend(b"\x81\x05hello\r\n\r\n");
    for cut in 0..bytes.len() {
        let (_, mut parser) = REQUEST.start_with(KEY).unwrap();
        let (first, second) = bytes.split_at(cut);
        let leftover = match parser.feed(first).unwrap() {
            Progress::Done { leftover, .. } => leftover,
            Progress::NeedMore => match parser.feed(second).unwrap() {
                Progress::Done { leftover, .. } => leftover,
                Progress::NeedMore => panic!("not done with the cut at {cut}"),
            },
        };
        let expected = if cut < head { &bytes[head..] } else { &bytes[head..cut] };
        assert_eq!(leftover, expected, "cut at {cut}");
    }
}

#[test]
fn each_fault_has_its_own_message() {
    let rows: Vec<(String, &str)> = vec![
        ("SSH-2.0-OpenSSH_9.2\r\n".into(), "the server's answer is not HTTP"),
        ("HTTP/1.1 hello\r\n\r\n".into(), "the server's answer is malformed HTTP (invalid response status)"),
        (
            format!("HTTP/1.1 200 OK\r\n{}", "A: b\r\n".repeat(3000)),
            "the server's answer has an endless header (over 16384 bytes or 64 fields)",
        ),
        (
            "HTTP/1.1 100 C\r\n\r\n".repeat(9),
            "the server's answer has an endless header (over 16384 bytes or 64 fields)",
        ),
        ("HTTP/1.1 401 No\r\n\r\n".into(), "the server does not accept the credentials (401)"),
        ("HTTP/1.1 403 No\r\n\r\n".into(), "the server forbids it (403)"),
        ("HTTP/1.0 404 Not Found\r\n\r\n".into(), "the server does not know the path of the uri (404)"),
        (
            "HTTP/1.1 302 Found\r\nLocation: https://u:secret@x.example/a/b?token=secret\r\n\r\n".into(),
            "the server redirects to https://x.example/a/b?… (302 Found), which is not followed",
        ),
        (
            "HTTP/1.1 307 T\r\nLocation: /login\r\n\r\n".into(),
            "the server redirects to /login (307 T), which is not followed",
        ),
        ("HTTP/1.1 304 N\r\n\r\n".into(), "the server redirects to nowhere (304 N), which is not followed"),
        ("HTTP/1.1 503 Service Unavailable\r\n\r\n".into(), "the server failed (503 Service Unavailable)"),
        ("HTTP/1.1 500\r\n\r\n".into(), "the server failed (500)"),
        ("HTTP/1.1 600 What\r\n\r\n".into(), "the server failed (600 What)"),
        ("HTTP/1.1 408 T\r\n\r\n".into(), "the server cannot serve the request now (408 T)"),
        ("HTTP/1.1 425 T\r\n\r\n".into(), "the server cannot serve the request now (425 T)"),
        ("HTTP/1.1 429 T\r\n\r\n".into(), "the server cannot serve the request now (429 T)"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello".into(),
            "the server answered with a page instead of a WebSocket (200 OK)",
        ),
        ("HTTP/1.1 400 Bad Request\r\n\r\n".into(), "the server refused (400 Bad Request)"),
        (good("").replace("HTTP/1.1", "HTTP/1.0"), "the server's 101 is not HTTP/1.1"),
        (good("").replace("Upgrade: websocket\r\n", ""), "the server's 101 has no Upgrade header"),
        (
            good("").replace("websocket", "h2c"),
            "the server's 101 has the Upgrade header \"h2c\" instead of \"websocket\"",
        ),
        (good("").replace("Connection: Upgrade\r\n", ""), "the server's 101 has no Connection header"),
        (
            good("").replace("Connection: Upgrade", "Connection: close"),
            "the server's 101 has the Connection header \"close\" instead of \"Upgrade\"",
        ),
        (good("").replace(ACCEPT, ""), "the server's 101 has no Sec-WebSocket-Accept header"),
        (good("").replace("s3pP", "S3pP"), "the server's 101 has a wrong Sec-WebSocket-Accept header"),
        (
            good("Sec-WebSocket-Protocol: med\r\n"),
            "the server chose the subprotocol \"med\", which was not offered",
        ),
        (
            good("Sec-WebSocket-Protocol: media, chat\r\n"),
            "the server chose the subprotocol \"media, chat\", which was not offered",
        ),
        (
            good("Sec-WebSocket-Extensions: permessage-deflate\r\n"),
            "the server chose the extension \"permessage-deflate\", which was not offered",
        ),
    ];
    for (text, words) in rows {
        let err = answer(text.as_bytes()).expect_err(words);
        assert_eq!(err.to_string(), words);
        let is_final = ["401", "403", "302", "307", "304", "refused"].iter().any(|s| words.contains(s));
        assert_eq!(err.is_final(), is_final, "{words}");
    }
}

#[test]
fn an_offered_subprotocol_is_found_in_its_own_case_first() {
    for (offered, chosen, found) in [
        ("media, chat", "chat", Some("chat")),
        ("Media,MEDIA", "MEDIA", Some("MEDIA")),
        ("Media,MEDIA", "media", Some("Media")),
        ("media", "med", None),
        ("media", "media, chat", None),
        ("", "media", None),
    ] {
        assert_eq!(offered_as(offered, chosen), found, "'{chosen}' of '{offered}'");
    }
}

#[test]
fn retry_after_is_the_final_answers() {
    let rows = [
        ("HTTP/1.1 503 B\r\nretry-after:  7 \r\n\r\n", Some("7")),
        ("HTTP/1.1 503 B\r\nRetry-After: 1\r\nRetry-After: 2\r\n\r\n", Some("1")),
        ("HTTP/1.1 503 B\r\nRetry-After:\r\n\r\n", None),
        ("HTTP/1.1 103 E\r\nRetry-After: 5\r\n\r\nHTTP/1.1 503 B\r\n\r\n", None),
    ];
    for (text, value) in rows {
        let (_, mut parser) = REQUEST.start_with(KEY).unwrap();
        parser.feed(text.as_bytes()).unwrap_err();
        assert_eq!(parser.retry_after(), value, "{text}");
    }
}

#[test]
fn the_authority_has_brackets_and_no_zone() {
    for (host, text) in
        [("app.example", "app.example:1"), ("::1", "[::1]:1"), ("fe80::1%eth0", "[fe80::1]:1")]
    {
        assert_eq!(authority(host, 1), text);
    }
}

#[test]
fn a_subprotocol_where_none_was_offered() {
    let (_, mut parser) = UpgradeRequest { protocols: None, ..REQUEST }.start_with(KEY).unwrap();
    let result = parser.feed(good("Sec-WebSocket-Protocol: media\r\n").as_bytes());
    assert_eq!(result, Err(UpgradeError::Subprotocol("media".into())));
}

#[test]
fn a_connection_that_ends_early() {
    let (_, mut parser) = REQUEST.start_with(KEY).unwrap();
    assert_eq!(parser.end_of_stream().to_string(), "the server closed the connection without an answer");
    assert_eq!(parser.feed(b"HTTP/1.1 101"), Ok(Progress::NeedMore));
    let words = "the server closed the connection in the middle of its answer (after 12 bytes)";
    assert_eq!(parser.end_of_stream().to_string(), words);
}

#[test]
fn a_request_is_written_in_one_place() {
    let header = |name: &str, value: &[u8]| FilledHeader { name: name.into(), value: value.into() };
    let headers: Vec<_> = (0..100).map(|_| header("X", &[b'v'; 300])).collect();
    let (long, longer) = ("l".repeat(2000), "m".repeat(5000));
    let full = UpgradeRequest {
        host: &long,
        path_and_query: &longer,
        bearer: Some(&longer),
        headers: &headers,
        protocols: Some(&long),
        ..REQUEST
    };
    let basic = UpgradeRequest { credentials: Some((&long, &longer)), bearer: None, ..full };
    let none = UpgradeRequest { host: "2001:db8::1", path_and_query: "/", protocols: None, ..REQUEST };
    for request in [full, basic, none, UpgradeRequest { credentials: Some(("", "")), ..none }] {
        let (bytes, _) = request.start_with(KEY).unwrap();
        assert!(bytes.len() <= request.max_len(KEY), "{} of {}", bytes.len(), request.max_len(KEY));
    }
}
