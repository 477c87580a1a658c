//! Headers that an operator adds to the upgrade request.

use std::fmt;

use super::template::Template;
use super::{Evaluate, FillError, Secret};
use crate::settings::secrets::HIDDEN;

/// The allowed form of a header, for messages about an invalid one.
pub(crate) const HEADER: &str = "Name: value, with a name of RFC 9110 that the handshake does not use itself \
                                 (not Host, Upgrade, Connection, Sec-…, Authorization: for that bearer_token), the \
                                 value without control characters and each ${ with its }";

/// Headers that the handshake, the connection or the proxy uses itself. Those that begin with `Sec-` are reserved too.
const RESERVED: [&str; 13] = [
    "Authorization",
    "Connection",
    "Content-Length",
    "Expect",
    "Host",
    "Keep-Alive",
    "Proxy-Authorization",
    "Proxy-Connection",
    "TE",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
    "HTTP2-Settings",
];

/// A header of the upgrade request, as it is configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderTemplate {
    name: String,
    value: Template,
}

/// A header as one call sends it.
#[derive(Clone, PartialEq, Eq)]
pub struct FilledHeader {
    /// A token.
    pub name: String,
    /// Without control characters; bytes above 127 are not checked.
    pub value: Vec<u8>,
}

impl fmt::Debug for FilledHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {HIDDEN}", self.name)
    }
}

impl HeaderTemplate {
    /// `Name: value`; `None` if it cannot be sent.
    pub fn parse(text: &str) -> Option<Self> {
        let (name, value) = text.split_once(':')?;
        let is_token = !name.is_empty() && name.bytes().all(is_token_byte);
        let is_ours = RESERVED.iter().any(|reserved| name.eq_ignore_ascii_case(reserved))
            || name.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("sec-"));
        let value = value.trim_matches([' ', '\t']);
        // U+FFFD replaces bytes of the file that are not UTF-8.
        let fits = is_token && !is_ours && !has_control(value.as_bytes()) && !value.contains('\u{fffd}');
        fits.then(|| Template::parse(value)).flatten().map(|value| Self { name: name.to_owned(), value })
    }

    /// Whether its value has a `${…}`.
    pub fn has_expressions(&self) -> bool {
        self.value.has_expressions()
    }

    /// The header of one call.
    ///
    /// # Errors
    /// The value has a control character.
    pub fn fill(&self, evaluate: Evaluate<'_>) -> Result<FilledHeader, FillError> {
        let value = self.value.fill(evaluate);
        if has_control(&value) {
            return Err(FillError::HeaderTemplate(self.name.clone()));
        }
        Ok(FilledHeader { name: self.name.clone(), value })
    }
}

/// The part of a `header` line that may be shown: its name, if it has one.
pub(crate) fn shown_header(text: &str) -> String {
    match text.split_once(':') {
        Some((name, _)) if name.bytes().all(is_token_byte) => format!("{name}: {HIDDEN}"),
        _ => format!("{:?}", Secret(String::new())),
    }
}

/// A byte of a token (RFC 9110 section 5.6.2).
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn has_control(value: &[u8]) -> bool {
    value.iter().any(u8::is_ascii_control)
}
