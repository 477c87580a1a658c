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
        if let Some(token) = self.bearer {
            text.push_str(&format!("Authorization: Bearer {token}\r\n"));
        }
        if let Some(protocols) = protocols {
            text.push_str(&format!("Sec-WebSocket-Protocol: {protocols}\r\n"));
        }
        let mut bytes = text.into_bytes();
        for FilledHeader { name, value } in self.headers {
            bytes.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
        }
        bytes.extend(b"\r\n");
        let parser = ResponseParser::new(derive_accept_key(key.as_bytes()), protocols.map(str::to_owned));
        Ok((bytes, parser))
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
        if self.bearer.is_some_and(is_unprintable) {
            return Err(RequestError::Unprintable("bearer token"));
        }
        if self.headers.iter().any(|header| header.value.iter().any(u8::is_ascii_control)) {
            return Err(RequestError::Unprintable("value of a header"));
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
