//! The request.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use tungstenite::handshake::derive_accept_key;

use super::response::ResponseParser;
use crate::settings::per_call::FilledHeader;

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
    /// For `Authorization: Bearer`, instead of them.
    pub bearer: Option<&'a str>,
    /// More headers.
    pub headers: &'a [FilledHeader],
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
pub enum UpgradeRequestError {
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
    /// See [`UpgradeRequestError`].
    pub fn start(&self) -> Result<(Vec<u8>, ResponseParser), UpgradeRequestError> {
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce).map_err(|err| UpgradeRequestError::Random(err.to_string()))?;
        self.start_with(&BASE64.encode(nonce))
    }

    /// As [`UpgradeRequest::start`], with this `Sec-WebSocket-Key`.
    pub(crate) fn start_with(&self, key: &str) -> Result<(Vec<u8>, ResponseParser), UpgradeRequestError> {
        self.check()?;
        let protocols = self.protocols.map(str::trim).filter(|p| !p.is_empty());
        let mut bytes = Vec::with_capacity(self.max_len(key));
        let mut add = |parts: &[&[u8]]| parts.iter().for_each(|part| bytes.extend_from_slice(part));
        let authority = authority(self.host, self.port);
        add(&[b"GET ", self.path_and_query.as_bytes(), b" HTTP/1.1\r\nHost: ", authority.as_bytes()]);
        add(&[b"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"]);
        add(&[b"Sec-WebSocket-Key: ", key.as_bytes(), b"\r\n"]);
        if let Some((user, password)) = self.credentials {
            add(&[b"Authorization: ", basic_authorization(user, password).as_bytes(), b"\r\n"]);
        }
        if let Some(token) = self.bearer {
            add(&[b"Authorization: Bearer ", token.as_bytes(), b"\r\n"]);
        }
        if let Some(protocols) = protocols {
            add(&[b"Sec-WebSocket-Protocol: ", protocols.as_bytes(), b"\r\n"]);
        }
        for FilledHeader { name, value } in self.headers {
            add(&[name.as_bytes(), b": ", value, b"\r\n"]);
        }
        add(&[b"\r\n"]);
        let parser = ResponseParser::new(derive_accept_key(key.as_bytes()), protocols.map(str::to_owned));
        Ok((bytes, parser))
    }

    /// The most bytes that the request can have. With room for all of them it is written in one buffer, which its owner
    /// overwrites: a buffer that grew would leave copies of a token in memory.
    pub(super) fn max_len(&self, key: &str) -> usize {
        /// The lines' fixed parts, the port, and the separators around a header's value.
        const FIXED: usize = 512;
        const PER_HEADER: usize = 4;
        // Base64 makes four bytes out of three.
        let credentials = self.credentials.map_or(0, |(user, password)| (user.len() + password.len()) * 2);
        let headers = self.headers.iter().map(|header| header.name.len() + header.value.len() + PER_HEADER);
        let texts = [Some(self.host), Some(self.path_and_query), Some(key), self.bearer, self.protocols];
        let texts: usize = texts.into_iter().flatten().map(str::len).sum();
        FIXED + credentials + texts + headers.sum::<usize>()
    }

    /// Whether the request can be made.
    ///
    /// # Errors
    /// See [`UpgradeRequestError`].
    pub fn check(&self) -> Result<(), UpgradeRequestError> {
        let has_space = |text: &str| text.contains(' ') || is_unprintable(text);
        if has_space(self.host) {
            return Err(UpgradeRequestError::Unprintable("host"));
        }
        if has_space(self.path_and_query) {
            return Err(UpgradeRequestError::Unprintable("path or query of the uri"));
        }
        if self.protocols.is_some_and(is_unprintable) {
            return Err(UpgradeRequestError::Unprintable("list of protocols"));
        }
        if self.bearer.is_some_and(is_unprintable) {
            return Err(UpgradeRequestError::Unprintable("bearer token"));
        }
        if self.headers.iter().any(|header| header.value.iter().any(u8::is_ascii_control)) {
            return Err(UpgradeRequestError::Unprintable("value of a header"));
        }
        Ok(())
    }
}

/// Whether a text would break the line of the request that contains it.
fn is_unprintable(text: &str) -> bool {
    text.chars().any(char::is_control)
}

/// `host:port`; an IPv6 address in brackets and without its zone, which concerns only this machine; always with the
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
