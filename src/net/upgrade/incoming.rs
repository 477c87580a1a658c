//! The server's side: whether a request may become a WebSocket, and the answer to it.

use tungstenite::handshake::derive_accept_key;

/// The versions that are supported; 7 and 8 are drafts with the same framing.
const VERSIONS: [u32; 3] = [7, 8, 13];
const VERSIONS_TEXT: &str = "7, 8, 13";

/// Longest `Sec-WebSocket-Key`: res_http_websocket takes key, GUID (36) and NUL up to 8192 bytes.
const MAX_KEY_BYTES: usize = 8192 - 36 - 1;

/// A request that may become a WebSocket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accept {
    upgrade: String,
    accept_key: String,
    subprotocol: Option<String>,
}

impl Accept {
    /// The 101 to send, RFC 6455 section 4.2.2. It has the subprotocol only if the client asked for it.
    pub fn response(&self) -> Vec<u8> {
        let mut text = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: {}\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {}\r\n",
            self.upgrade, self.accept_key
        );
        if let Some(subprotocol) = &self.subprotocol {
            text.push_str(&format!("Sec-WebSocket-Protocol: {subprotocol}\r\n"));
        }
        text.push_str("\r\n");
        text.into_bytes()
    }

    /// The subprotocol in the client's spelling; `None` if it asked for none.
    pub fn subprotocol(&self) -> Option<&str> {
        self.subprotocol.as_deref()
    }
}

/// A request that is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpgradeRefusal {
    /// HTTP status.
    pub status: u16,
    /// Its reason phrase.
    pub reason: &'static str,
    /// What is wrong, for the log and for the body of the answer; on one line.
    pub message: String,
}

impl UpgradeRefusal {
    fn not_implemented() -> Self {
        let message = "Only GET can become a WebSocket".to_owned();
        Self { status: 501, reason: "Not Implemented", message }
    }

    fn upgrade_required() -> Self {
        let message = "The Upgrade header has to be \"websocket\"".to_owned();
        Self { status: 426, reason: "Upgrade Required", message }
    }

    fn bad_request(message: impl Into<String>) -> Self {
        Self { status: 400, reason: "Bad Request", message: message.into() }
    }

    /// The whole answer; the connection closes after it. A 400 lists the supported versions and, as in
    /// res_http_websocket, has no body.
    pub fn response(&self) -> Vec<u8> {
        let (header, body) = match self.status {
            400 => (format!("Sec-WebSocket-Version: {VERSIONS_TEXT}\r\n"), String::new()),
            426 => ("Upgrade: websocket\r\n".to_owned(), format!("{}\r\n", self.message)),
            _ => (String::new(), format!("{}\r\n", self.message)),
        };
        let kind = if body.is_empty() { "" } else { "Content-Type: text/plain\r\n" };
        format!(
            "HTTP/1.1 {} {}\r\n{header}{kind}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.status,
            self.reason,
            body.len()
        )
        .into_bytes()
    }
}

/// Checks a request for a WebSocket with the subprotocol `our_protocol`. If a header occurs twice, the last one counts;
/// an empty one counts as missing. Extensions are ignored, and Connection, Host, Origin and the HTTP version are not
/// checked, as in res_http_websocket.
///
/// # Errors
/// The first fault in the order in which res_http_websocket looks for them.
pub fn check_request<N: AsRef<str>, V: AsRef<str>>(
    method_is_get: bool,
    headers: &[(N, V)],
    our_protocol: &str,
) -> Result<Accept, UpgradeRefusal> {
    let header = |name| last_value(headers, name);
    if !method_is_get {
        return Err(UpgradeRefusal::not_implemented());
    }
    let upgrade = header("Upgrade")
        .filter(|value| value.eq_ignore_ascii_case("websocket"))
        .ok_or_else(UpgradeRefusal::upgrade_required)?;
    let asked = header("Sec-WebSocket-Protocol");
    if header("Sec-WebSocket-Key1").is_some() && header("Sec-WebSocket-Key2").is_some() {
        return Err(UpgradeRefusal::bad_request("The hixie-76 version of the protocol is not spoken"));
    }
    let subprotocol = asked.map(|list| common_subprotocol(list, our_protocol)).transpose()?;
    check_version(header("Sec-WebSocket-Version"))?;
    let key = header("Sec-WebSocket-Key")
        .filter(|key| key.len() <= MAX_KEY_BYTES)
        .ok_or_else(|| UpgradeRefusal::bad_request("Sec-WebSocket-Key is missing or too long"))?;
    Ok(Accept {
        upgrade: upgrade.to_owned(),
        accept_key: derive_accept_key(key.as_bytes()),
        subprotocol: subprotocol.map(str::to_owned),
    })
}

fn last_value<'a, N: AsRef<str>, V: AsRef<str>>(headers: &'a [(N, V)], name: &str) -> Option<&'a str> {
    let mut values = headers.iter().filter(|(n, _)| n.as_ref().eq_ignore_ascii_case(name));
    values.next_back().map(|(_, value)| value.as_ref().trim()).filter(|value| !value.is_empty())
}

fn common_subprotocol<'a>(list: &'a str, ours: &str) -> Result<&'a str, UpgradeRefusal> {
    let refusal = || UpgradeRefusal::bad_request(format!("None of the subprotocols asked for is \"{ours}\""));
    list.split(',').map(str::trim).find(|asked| asked.eq_ignore_ascii_case(ours)).ok_or_else(refusal)
}

fn check_version(value: Option<&str>) -> Result<(), UpgradeRefusal> {
    let version = value.and_then(leading_number);
    if version.is_some_and(|v| VERSIONS.contains(&v)) {
        return Ok(());
    }
    Err(UpgradeRefusal::bad_request(format!("Sec-WebSocket-Version has to be one of {VERSIONS_TEXT}")))
}

/// The number at the beginning of a text, as sscanf's `%d` finds it in res_http_websocket.
fn leading_number(text: &str) -> Option<u32> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text.get(..digits)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Headers<'a> = &'a [(&'a str, &'a str)];

    /// A good request, the one of RFC 6455 section 1.3.
    const GOOD: Headers<'_> = &[
        ("Host", "server.example.com"),
        ("Upgrade", "WebSocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("Sec-WebSocket-Version", "13"),
    ];

    fn with(changes: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
        GOOD.iter().chain(changes).copied().collect()
    }

    #[test]
    fn the_101_of_the_rfc() {
        let accept =
            check_request(true, &with(&[("Sec-WebSocket-Protocol", "chat, Media")]), "media").unwrap();
        assert_eq!(accept.subprotocol(), Some("Media"));
        assert_eq!(
            String::from_utf8(accept.response()).unwrap(),
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: Media\r\n\r\n"
        );
        let accept = check_request(true, GOOD, "media").unwrap();
        assert_eq!(accept.subprotocol(), None);
        let response = String::from_utf8(accept.response()).unwrap();
        assert!(!response.contains("Protocol:") && response.ends_with("=\r\n\r\n"), "{response}");
    }

    #[test]
    fn what_is_accepted() {
        let long_key = "k".repeat(MAX_KEY_BYTES);
        let rows: &[(&str, Headers<'_>)] = &[
            ("version 7", &[("Sec-WebSocket-Version", "7")]),
            ("version 8", &[("sec-websocket-version", "8")]),
            ("version with a tail, as sscanf reads it", &[("Sec-WebSocket-Version", " 13, 8")]),
            ("extensions are ignored", &[("Sec-WebSocket-Extensions", "permessage-deflate")]),
            ("an empty protocol header is none", &[("Sec-WebSocket-Protocol", "")]),
            ("any case, spaces", &[("Sec-WebSocket-Protocol", "a ,  MEDIA ,b")]),
            ("Key1 alone", &[("Sec-WebSocket-Key1", "x")]),
            ("the last of two counts", &[("Sec-WebSocket-Version", "99"), ("Sec-WebSocket-Version", "13")]),
            ("the longest key", &[("Sec-WebSocket-Key", &long_key)]),
        ];
        for (name, changes) in rows {
            let headers: Vec<_> = GOOD.iter().chain(*changes).copied().collect();
            assert!(check_request(true, &headers, "media").is_ok(), "{name}");
        }
    }

    #[test]
    fn what_is_refused() {
        let long_key = "k".repeat(MAX_KEY_BYTES + 1);
        let rows: &[(&str, bool, Headers<'_>, u16)] = &[
            ("not GET", false, &[], 501),
            ("not GET comes before a wrong Upgrade", false, &[("Upgrade", "h2c")], 501),
            ("no Upgrade", true, &[("Upgrade", "")], 426),
            ("Upgrade as a list", true, &[("Upgrade", "websocket, h2c")], 426),
            (
                "Upgrade comes before the version",
                true,
                &[("Upgrade", "h2c"), ("Sec-WebSocket-Version", "1")],
                426,
            ),
            ("hixie-76", true, &[("Sec-WebSocket-Key1", "x"), ("Sec-WebSocket-Key2", "y")], 400),
            ("no common subprotocol", true, &[("Sec-WebSocket-Protocol", "chat, mediation")], 400),
            ("version 12", true, &[("Sec-WebSocket-Version", "12")], 400),
            ("version of another length", true, &[("Sec-WebSocket-Version", "130")], 400),
            ("no number", true, &[("Sec-WebSocket-Version", "x13")], 400),
            ("a number beyond all", true, &[("Sec-WebSocket-Version", "99999999999999999999")], 400),
            ("no version", true, &[("Sec-WebSocket-Version", "")], 400),
            ("no key", true, &[("Sec-WebSocket-Key", "")], 400),
            ("a key that is too long", true, &[("Sec-WebSocket-Key", &long_key)], 400),
            ("the last of two counts", true, &[("Sec-WebSocket-Version", "99")], 400),
        ];
        for (name, get, changes, status) in rows {
            let headers: Vec<_> = GOOD.iter().chain(*changes).copied().collect();
            let refusal = check_request(*get, &headers, "media").unwrap_err();
            assert_eq!(refusal.status, *status, "{name}");
            let response = String::from_utf8(refusal.response()).unwrap();
            assert!(
                response.starts_with(&format!("HTTP/1.1 {status} {}\r\n", refusal.reason)),
                "{name}: {response}"
            );
            let versions = response.contains("\r\nSec-WebSocket-Version: 7, 8, 13\r\n");
            assert_eq!(versions, *status == 400, "{name}: {response}");
            assert_eq!(response.ends_with("\r\n\r\n"), *status == 400, "{name}: a 400 has no body");
        }
    }

    #[test]
    fn each_400_says_its_own_reason() {
        let faults: &[Headers<'_>] = &[
            &[("Sec-WebSocket-Key1", "x"), ("Sec-WebSocket-Key2", "y")],
            &[("Sec-WebSocket-Protocol", "chat")],
            &[("Sec-WebSocket-Version", "1")],
            &[("Sec-WebSocket-Key", "")],
        ];
        let messages: std::collections::HashSet<String> = faults
            .iter()
            .map(|changes| GOOD.iter().chain(*changes).copied().collect::<Vec<_>>())
            .map(|headers| check_request(true, &headers, "media").unwrap_err().message)
            .collect();
        assert_eq!(messages.len(), faults.len());
    }
}
