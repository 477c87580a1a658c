//! The opening handshake, from both sides.

use super::input::{Input, text};
use crate::net::upgrade::{
    Progress, ResponseParser, UpgradeError, UpgradeRequest, check_request, offered_as,
};

/// The key in the example of RFC 6455 section 1.3.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// A request to us: the first line is GET or another method, the others are headers as Asterisk's HTTP server has read
/// them.
pub fn upgrade_request(bytes: &[u8]) {
    let request = text(bytes);
    let mut lines = request.split(['\r', '\n']);
    let is_get = lines.next() == Some("GET");
    let headers: Vec<(&str, &str)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim(), value.trim()))
        .collect();
    let expected = expected_status(is_get, &headers);
    let answer = match check_request(is_get, &headers, "media") {
        Ok(accept) => {
            assert_eq!(expected, 101, "{request:?}");
            accept.response()
        }
        Err(refusal) => {
            assert_eq!(expected, refusal.status, "{request:?}");
            assert!(!refusal.message.contains(['\r', '\n']), "{refusal:?}");
            refusal.response()
        }
    };
    check_answer(&answer, expected);
}

/// The status, checked in the order of res_http_websocket.
fn expected_status(is_get: bool, headers: &[(&str, &str)]) -> u16 {
    let header = |name: &str| {
        let mut values =
            headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| *value);
        values.next_back().filter(|value| !value.is_empty())
    };
    let protocols = header("Sec-WebSocket-Protocol").unwrap_or("media");
    // The number at its beginning, as sscanf reads it.
    let version = header("Sec-WebSocket-Version").unwrap_or_default();
    let digits = &version[..version.bytes().take_while(u8::is_ascii_digit).count()];
    let number = digits.trim_start_matches('0');
    let good = protocols.split(',').any(|p| p.trim().eq_ignore_ascii_case("media"))
        && !(header("Sec-WebSocket-Key1").is_some() && header("Sec-WebSocket-Key2").is_some())
        && ["7", "8", "13"].contains(&number)
        && header("Sec-WebSocket-Key").is_some_and(|key| key.len() < 8192 - 36);
    match header("Upgrade") {
        _ if !is_get => 501,
        Some(upgrade) if upgrade.eq_ignore_ascii_case("websocket") && good => 101,
        Some(upgrade) if upgrade.eq_ignore_ascii_case("websocket") => 400,
        _ => 426,
    }
}

/// The answer is one HTTP response, whatever the request contained.
fn check_answer(answer: &[u8], status: u16) {
    let mut fields = [httparse::EMPTY_HEADER; 8];
    let mut response = httparse::Response::new(&mut fields);
    let httparse::Status::Complete(head) = response.parse(answer).expect("HTTP") else {
        panic!("half an answer: {answer:02x?}")
    };
    assert_eq!(response.code, Some(status));
    let mut body = 0;
    for field in response.headers.iter() {
        let name = field.name.to_ascii_lowercase();
        let known = "upgrade connection sec-websocket-accept sec-websocket-protocol sec-websocket-version \
                     content-type content-length";
        assert!(known.split(' ').any(|known| known == name), "a header of the peer's: {name}");
        if name == "content-length" {
            body = std::str::from_utf8(field.value).unwrap().parse().unwrap();
        }
    }
    assert_eq!(answer.len(), head + body);
}

/// A server's answer to our request: lengths of pieces, a zero, and the answer.
pub fn upgrade_response(bytes: &[u8]) {
    let (all, pieces) = Input::new(bytes).pieces();
    let whole = read(&[all]);
    let split = read(&pieces);
    assert_eq!(whole, split, "in one piece and in pieces: {:?}", text(all));
    match whole {
        Ok(Progress::Done { leftover, subprotocol }) => {
            assert!(all.ends_with(&leftover));
            let head = text(&all[..all.len() - leftover.len()]);
            assert!(head.contains(ACCEPT) && head.contains(" 101"), "{head:?}");
            assert!(subprotocol.is_none_or(|chosen| offered_as("media, chat", &chosen).is_some()));
        }
        Ok(Progress::NeedMore) => assert!(all.len() < 9 * 16 * 1024),
        Err(error) => {
            let line = error.to_string();
            assert!(!line.contains(char::is_control) && line.chars().count() < 600, "{line:?}");
        }
    }
}

fn read(pieces: &[&[u8]]) -> Result<Progress, UpgradeError> {
    let mut parser = parser();
    for (number, piece) in pieces.iter().enumerate() {
        if let Progress::Done { mut leftover, subprotocol } = parser.feed(piece)? {
            leftover.extend(pieces[number + 1..].concat());
            return Ok(Progress::Done { leftover, subprotocol });
        }
    }
    Ok(Progress::NeedMore)
}

fn parser() -> ResponseParser {
    let request = UpgradeRequest {
        host: "app.example.com",
        port: 80,
        path_and_query: "/",
        credentials: None,
        bearer: None,
        headers: &[],
        protocols: Some("media, chat"),
    };
    request.start_with(KEY).unwrap().1
}
