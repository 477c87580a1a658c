//! The client's side: the request, and what the server makes of it.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use tungstenite::handshake::derive_accept_key;

use super::head::{Fed, HeadError, HeadReader, ResponseHead, for_log};

/// Interim answers (RFC 9110 section 15.2: 100, 103) that are skipped before the real one.
const MAX_INTERIM_ANSWERS: usize = 8;

/// What to ask a server for.
#[derive(Clone, Copy)]
pub struct UpgradeRequest<'a> {
    /// Name or address, an IPv6 address without brackets.
    pub host: &'a str,
    /// TCP port.
    pub port: u16,
    /// Begins with `/`.
    pub path_and_query: &'a str,
    /// User and password for Basic authentication.
    pub credentials: Option<(&'a str, &'a str)>,
    /// Subprotocols to offer, verbatim; `None` or blank: none.
    pub protocols: Option<&'a str>,
}

impl fmt::Debug for UpgradeRequest<'_> {
    /// Without credentials; the path may hold some, too.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpgradeRequest")
            .field("host", &self.host)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

/// A request that cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// A control character, or a space in the host or path, would break the request's lines.
    #[error("the {0} has a character that cannot stand in a request")]
    Unprintable(&'static str),
    /// The system gives no randomness.
    #[error("no random key: {0}")]
    Random(String),
}

impl UpgradeRequest<'_> {
    /// The request with a fresh random key, and the parser of the answer to it.
    ///
    /// # Errors
    /// See [`RequestError`].
    pub fn start(&self) -> Result<(Vec<u8>, ResponseParser), RequestError> {
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce).map_err(|err| RequestError::Random(err.to_string()))?;
        self.start_with(&BASE64.encode(nonce))
    }

    /// As [`UpgradeRequest::start`], with this `Sec-WebSocket-Key`.
    pub(crate) fn start_with(&self, key: &str) -> Result<(Vec<u8>, ResponseParser), RequestError> {
        self.check()?;
        let protocols = self.protocols.map(str::trim).filter(|p| !p.is_empty());
        let mut text = format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n",
            self.path_and_query,
            authority(self.host, self.port)
        );
        if let Some((user, password)) = self.credentials {
            text.push_str(&format!("Authorization: {}\r\n", basic_authorization(user, password)));
        }
        if let Some(protocols) = protocols {
            text.push_str(&format!("Sec-WebSocket-Protocol: {protocols}\r\n"));
        }
        text.push_str("\r\n");
        let parser = ResponseParser {
            reader: HeadReader::default(),
            interim: 0,
            expected_key: derive_accept_key(key.as_bytes()),
            offered: protocols.map(str::to_owned),
        };
        Ok((text.into_bytes(), parser))
    }

    /// Whether the request can be made.
    ///
    /// # Errors
    /// See [`RequestError`].
    pub fn check(&self) -> Result<(), RequestError> {
        let has_space = |text: &str| text.contains(' ') || is_unprintable(text);
        if has_space(self.host) {
            return Err(RequestError::Unprintable("host"));
        }
        if has_space(self.path_and_query) {
            return Err(RequestError::Unprintable("path or query of the uri"));
        }
        if self.protocols.is_some_and(is_unprintable) {
            return Err(RequestError::Unprintable("list of protocols"));
        }
        Ok(())
    }
}

/// Whether a text would break the line of a request that it stands in.
fn is_unprintable(text: &str) -> bool {
    text.chars().any(char::is_control)
}

/// `host:port`, an IPv6 address in brackets and without its zone, which is a matter of this machine; always with the
/// port, as res_http_websocket writes it.
pub(crate) fn authority(host: &str, port: u16) -> String {
    if host.contains(':') {
        format!("[{}]:{port}", host.split('%').next().unwrap_or_default())
    } else {
        format!("{host}:{port}")
    }
}

/// The value of an Authorization or Proxy-Authorization header, RFC 7617.
pub(crate) fn basic_authorization(user: &str, password: &str) -> String {
    format!("Basic {}", BASE64.encode(format!("{user}:{password}")))
}

/// Why the server's answer makes no WebSocket. Displays without naming the server: "the server …"; text from the
/// server is cut short and without control characters or credentials.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UpgradeError {
    /// Not HTTP, malformed or endless.
    #[error("the server's answer {0}")]
    Head(#[from] HeadError),
    /// It closed the connection; `received` bytes of an answer had come.
    #[error("{}", closed_text(*.received))]
    Closed {
        /// Bytes of the unfinished answer.
        received: usize,
    },
    /// 401: the server wants credentials, or others.
    #[error("the server does not accept the credentials (401)")]
    Unauthorized,
    /// 403: the server refuses this client or path.
    #[error("the server forbids it (403)")]
    Forbidden,
    /// 404: the server does not know the path.
    #[error("the server does not know the path of the uri (404)")]
    NotFound,
    /// 3xx; redirects are not followed.
    #[error("the server redirects to {} ({status_line}), which is not followed", location.as_deref().unwrap_or("nowhere"))]
    Redirect {
        /// Status and reason.
        status_line: String,
        /// Where to, without user info and query.
        location: Option<String>,
    },
    /// 5xx.
    #[error("the server failed ({0})")]
    ServerError(String),
    /// 2xx: a page instead of a WebSocket.
    #[error("the server answered with a page instead of a WebSocket ({0})")]
    NotUpgraded(String),
    /// Any other status.
    #[error("the server refused ({0})")]
    Refused(String),
    /// A 101 that is not HTTP/1.1.
    #[error("the server's 101 is not HTTP/1.1")]
    OldHttp,
    /// A 101 whose Upgrade header is missing (`None`) or another.
    #[error("{}", header_text("Upgrade", "websocket", .0.as_deref()))]
    Upgrade(Option<String>),
    /// A 101 whose Connection header is missing (`None`) or does not name Upgrade.
    #[error("{}", header_text("Connection", "Upgrade", .0.as_deref()))]
    Connection(Option<String>),
    /// A 101 without Sec-WebSocket-Accept.
    #[error("the server's 101 has no Sec-WebSocket-Accept header")]
    NoAcceptKey,
    /// A 101 whose Sec-WebSocket-Accept does not belong to our key.
    #[error("the server's 101 has a wrong Sec-WebSocket-Accept header")]
    WrongAcceptKey,
    /// A subprotocol that was not offered.
    #[error("the server chose the subprotocol \"{0}\", which was not offered")]
    Subprotocol(String),
    /// An extension; none was offered.
    #[error("the server chose the extension \"{0}\", which was not offered")]
    Extension(String),
}

impl UpgradeError {
    /// Whether trying again is of no use: 401, 403 and 404.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Unauthorized | Self::Forbidden | Self::NotFound)
    }

    /// Whether a web server spoke, so that it is its verdict on this request; else it may be another service, or none.
    pub fn is_verdict(&self) -> bool {
        !matches!(self, Self::Head(_) | Self::Closed { .. })
    }
}

fn closed_text(received: usize) -> String {
    match received {
        0 => "the server closed the connection without an answer".to_owned(),
        n => format!("the server closed the connection in the middle of its answer (after {n} bytes)"),
    }
}

fn header_text(name: &str, wanted: &str, value: Option<&str>) -> String {
    match value {
        None => format!("the server's 101 has no {name} header"),
        Some(value) => format!("the server's 101 has the {name} header \"{value}\" instead of \"{wanted}\""),
    }
}

/// What [`ResponseParser::feed`] made of some bytes.
#[derive(Debug, PartialEq, Eq)]
pub enum Progress {
    /// The answer goes on.
    NeedMore,
    /// The connection is a WebSocket.
    Done {
        /// What came behind the 101: the first bytes of the WebSocket.
        leftover: Vec<u8>,
        /// What the server chose; `None` if it chose none, which is accepted.
        subprotocol: Option<String>,
    },
}

/// Reads the answer to one [`UpgradeRequest`] in whatever pieces it comes, within limits of size.
#[derive(Debug)]
pub struct ResponseParser {
    reader: HeadReader,
    interim: usize,
    expected_key: String,
    offered: Option<String>,
}

impl ResponseParser {
    /// Takes the next bytes from the server. Not to be called again after `Done` or an error.
    ///
    /// # Errors
    /// See [`UpgradeError`].
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Progress, UpgradeError> {
        let mut rest = bytes;
        loop {
            let Fed::Head { head, used } = self.reader.feed(rest)? else { return Ok(Progress::NeedMore) };
            rest = rest.get(used..).unwrap_or_default();
            if !is_interim(head.status) {
                let subprotocol = judge(&head, &self.expected_key, self.offered.as_deref())?;
                return Ok(Progress::Done { leftover: rest.to_vec(), subprotocol });
            }
            self.next_answer()?;
        }
    }

    /// What it means that the connection has ended here.
    pub fn end_of_stream(&self) -> UpgradeError {
        UpgradeError::Closed { received: self.reader.len() }
    }

    fn next_answer(&mut self) -> Result<(), HeadError> {
        self.interim = self.interim.saturating_add(1);
        if self.interim > MAX_INTERIM_ANSWERS {
            return Err(HeadError::Endless);
        }
        self.reader = HeadReader::default();
        Ok(())
    }
}

fn is_interim(status: u16) -> bool {
    (100..200).contains(&status) && status != 101
}

/// RFC 6455 section 4.1, "the client MUST validate the server's response": the chosen subprotocol, or the fault.
fn judge(
    head: &ResponseHead,
    expected_key: &str,
    offered: Option<&str>,
) -> Result<Option<String>, UpgradeError> {
    check_status(head)?;
    if !head.has_token("Upgrade", "websocket") {
        return Err(UpgradeError::Upgrade(logged(head, "Upgrade")));
    }
    // DIVERGES: a list (`keep-alive, Upgrade`) is accepted; res_http_websocket wants `Upgrade` alone.
    if !head.has_token("Connection", "Upgrade") {
        return Err(UpgradeError::Connection(logged(head, "Connection")));
    }
    match head.joined("Sec-WebSocket-Accept") {
        Some(key) if key == expected_key => {}
        Some(_) => return Err(UpgradeError::WrongAcceptKey),
        None => return Err(UpgradeError::NoAcceptKey),
    }
    if let Some(extension) = logged(head, "Sec-WebSocket-Extensions") {
        return Err(UpgradeError::Extension(extension));
    }
    chosen_subprotocol(head, offered)
}

fn check_status(head: &ResponseHead) -> Result<(), UpgradeError> {
    let line = || head.status_line.clone();
    match head.status {
        101 if head.is_http_1_1 => Ok(()),
        101 => Err(UpgradeError::OldHttp),
        401 => Err(UpgradeError::Unauthorized),
        403 => Err(UpgradeError::Forbidden),
        404 => Err(UpgradeError::NotFound),
        200..=299 => Err(UpgradeError::NotUpgraded(line())),
        300..=399 => Err(UpgradeError::Redirect { status_line: line(), location: location(head) }),
        500..=599 => Err(UpgradeError::ServerError(line())),
        _ => Err(UpgradeError::Refused(line())),
    }
}

/// DIVERGES: the subprotocol has to be one of those offered, not merely a part of the text that offered them.
fn chosen_subprotocol(head: &ResponseHead, offered: Option<&str>) -> Result<Option<String>, UpgradeError> {
    let Some(chosen) = head.joined("Sec-WebSocket-Protocol") else { return Ok(None) };
    if offered.unwrap_or_default().split(',').any(|protocol| protocol.trim() == chosen) {
        return Ok(Some(chosen));
    }
    Err(UpgradeError::Subprotocol(for_log(&chosen)))
}

fn logged(head: &ResponseHead, name: &str) -> Option<String> {
    head.joined(name).map(|value| for_log(&value))
}

/// The Location header for the log: a server may send our own credentials back in its user info or query.
fn location(head: &ResponseHead) -> Option<String> {
    let value = head.joined("Location")?;
    let end = value.find(['?', '#']).unwrap_or(value.len());
    let (path, rest) = value.split_at(end);
    let (scheme, hierarchy) = match path.find("//") {
        Some(at) => path.split_at(at.saturating_add(2)),
        None => ("", path),
    };
    let host_end = hierarchy.find('/').unwrap_or(hierarchy.len());
    let host_start = hierarchy.get(..host_end)?.rfind('@').map_or(0, |at| at.saturating_add(1));
    let cut = if rest.is_empty() { "" } else { "?…" };
    Some(for_log(&format!("{scheme}{}{cut}", hierarchy.get(host_start..)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
    const ACCEPT: &str = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";

    const REQUEST: UpgradeRequest<'_> = UpgradeRequest {
        host: "app.example.com",
        port: 8080,
        path_and_query: "/media?a=1",
        credentials: None,
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
    fn every_request_has_a_key_of_its_own() {
        let key_of = || {
            let text = String::from_utf8(REQUEST.start().unwrap().0).unwrap();
            let key =
                text.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap().to_owned();
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
            assert!(matches!(request.start(), Err(RequestError::Unprintable(_))), "{request:?}");
        }
    }

    #[test]
    fn answers_that_make_a_websocket() {
        let rows: &[(&str, String, Option<&str>)] = &[
            ("plain", good(""), None),
            ("a subprotocol", good("Sec-WebSocket-Protocol: media\r\n"), Some("media")),
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
    fn each_fault_has_its_own_words() {
        let rows: Vec<(String, &str)> = vec![
            ("SSH-2.0-OpenSSH_9.2\r\n".into(), "the server's answer is not HTTP"),
            (
                "HTTP/1.1 hello\r\n\r\n".into(),
                "the server's answer is malformed HTTP (invalid response status)",
            ),
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
            (
                "HTTP/1.1 304 N\r\n\r\n".into(),
                "the server redirects to nowhere (304 N), which is not followed",
            ),
            (
                "HTTP/1.1 503 Service Unavailable\r\n\r\n".into(),
                "the server failed (503 Service Unavailable)",
            ),
            ("HTTP/1.1 500\r\n\r\n".into(), "the server failed (500)"),
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
            assert_eq!(err.is_final(), ["401", "403", "404"].iter().any(|s| words.contains(s)), "{words}");
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
}
