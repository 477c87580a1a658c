//! A URI with `${…}` in it. A value cannot leave its part of the URI: it stays a piece of the host, a piece of a
//! segment of the path, or a piece of the query.

use std::fmt;

use super::hosts::{Host, Hosts};
use super::template::{Part, Template};
use super::{Evaluate, FillError, Secret};
use crate::settings::client::{parse_uri, split_port};

/// The allowed form of such a URI, for messages about an invalid one.
pub(crate) const URI: &str = "ws://host/… or wss://host/…, with ${…} in the host, the path and the query alone, and each ${ with its }";

/// Replaces a `${…}` while the URI is split. A file cannot contain this character.
const PLACE: char = '\0';

/// Bytes of a host that are shown: the longest name.
const MAX_SHOWN: usize = 253;

/// A URI for each call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UriTemplate {
    /// Scheme, `://`, and user info if there is any.
    before_host: Secret,
    host: Template,
    /// With its colon; empty if there is none.
    port: String,
    /// Path and query.
    rest: Template,
}

impl UriTemplate {
    /// Parses `text`; `None` if no values could make it a URI.
    pub fn parse(text: &str) -> Option<Self> {
        let (skeleton, expressions) = take_out(Template::parse(text)?);
        let (scheme, rest) = skeleton.split_once("://")?;
        let (authority, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let (user_info, host) =
            authority.rsplit_once('@').map_or(("", authority), |(info, host)| (info, host));
        let before_host = skeleton.get(..skeleton.len() - rest.len() - host.len())?;
        let (host, port) = split_port(host).ok()?;
        let is_literal = |text: &str| !text.contains(PLACE);
        let port = port.map_or_else(String::new, |port| format!(":{port}"));
        if !(is_literal(scheme) && is_literal(user_info) && is_literal(&port)) || host.is_empty() {
            return None;
        }
        // It must be a URI with a value that is allowed in every part.
        parse_uri(&skeleton.replace(PLACE, "a")).ok()?;
        let mut expressions = expressions.into_iter();
        let (host, rest) = (put_back(host, &mut expressions), put_back(rest, &mut expressions));
        Some(Self { before_host: Secret(before_host.to_owned()), host, port, rest })
    }

    /// Whether the host has a `${…}`.
    pub fn has_expressions_in_host(&self) -> bool {
        self.host.has_expressions()
    }

    /// Whether there is anything to evaluate.
    pub fn has_expressions(&self) -> bool {
        self.host.has_expressions() || self.rest.has_expressions()
    }

    /// The URI of one call. If there are `hosts`, it leads to one of them.
    ///
    /// # Errors
    /// The value that is not allowed.
    pub fn fill(&self, hosts: Option<&Hosts>, evaluate: Evaluate<'_>) -> Result<Secret, FillError> {
        let host = self.fill_host(hosts, evaluate)?;
        let rest = fill_rest(&self.rest, evaluate)?;
        let uri = format!("{}{host}{}{rest}", self.before_host.0, self.port);
        // The connector parses the URI again, and that must not give another host.
        let bare = host.trim_matches(['[', ']']);
        if !parse_uri(&uri).is_ok_and(|target| target.host == bare) {
            return Err(FillError::Host(shown(&host)));
        }
        Ok(Secret(uri))
    }

    fn fill_host(&self, hosts: Option<&Hosts>, evaluate: Evaluate<'_>) -> Result<String, FillError> {
        let is_whole = self.host.parts().len() == 1;
        let mut text = String::new();
        let mut fits = true;
        for part in self.host.parts() {
            match part {
                Part::Literal(literal) => text.push_str(literal),
                Part::Expression(expression) => {
                    let value = evaluate(expression);
                    fits &= may_be_in_host(&value, is_whole);
                    text.push_str(&String::from_utf8_lossy(&value));
                }
            }
        }
        if !self.has_expressions_in_host() && hosts.is_none() {
            return Ok(text);
        }
        let host = Host::parse(&text).filter(|_| fits).ok_or_else(|| FillError::Host(shown(&text)))?;
        match hosts {
            Some(hosts) if !hosts.permits(&host) => {
                Err(FillError::ForeignHost { host: host.to_string(), permitted: hosts.to_string() })
            }
            _ => Ok(host.to_string()),
        }
    }
}

impl fmt::Display for UriTemplate {
    /// As it is configured.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{}{}", self.before_host.0, self.host.text(), self.port, self.rest.text())
    }
}

/// Letters, digits, `-`, `.`; or, if a value is the whole host, an IPv6 address in brackets.
fn may_be_in_host(value: &[u8], is_whole: bool) -> bool {
    let inside = value.strip_prefix(b"[").and_then(|value| value.strip_suffix(b"]"));
    match inside {
        Some(address) => {
            is_whole && address.iter().all(|byte| byte.is_ascii_hexdigit() || b":.".contains(byte))
        }
        None => value.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(byte)),
    }
}

/// Path and query, each value percent-encoded.
fn fill_rest(template: &Template, evaluate: Evaluate<'_>) -> Result<String, FillError> {
    let (mut rest, mut places) = (String::new(), Vec::new());
    for part in template.parts() {
        match part {
            Part::Literal(literal) => rest.push_str(literal),
            Part::Expression(expression) => {
                places.push(rest.len());
                encode(&evaluate(expression), &mut rest);
            }
        }
    }
    let path = rest.split(['?', '#']).next().unwrap_or_default();
    let segment_at = |place: usize| {
        let (before, after) = path.split_at_checked(place)?;
        let before = before.rsplit('/').next().unwrap_or_default();
        Some(format!("{before}{}", after.split('/').next().unwrap_or_default()))
    };
    for segment in places.into_iter().filter_map(segment_at) {
        // A server treats an encoded dot as a dot.
        match segment.to_ascii_lowercase().replace("%2e", ".").as_str() {
            "." => return Err(FillError::Path(".")),
            ".." => return Err(FillError::Path("..")),
            _ => {}
        }
    }
    Ok(rest)
}

/// Writes everything but RFC 3986's unreserved characters as `%XX`.
fn encode(value: &[u8], to: &mut String) {
    for byte in value {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) {
            to.push(char::from(*byte));
        } else {
            to.push_str(&format!("%{byte:02X}"));
        }
    }
}

fn shown(host: &str) -> String {
    host.chars().take(MAX_SHOWN).collect()
}

/// The text with a [`PLACE`] for each expression, and the expressions.
fn take_out(template: Template) -> (String, Vec<String>) {
    let (mut skeleton, mut expressions) = (String::new(), Vec::new());
    for part in template.into_parts() {
        match part {
            Part::Literal(literal) => skeleton.push_str(&literal),
            Part::Expression(expression) => {
                skeleton.push(PLACE);
                expressions.push(expression);
            }
        }
    }
    (skeleton, expressions)
}

/// Puts the expressions back into a piece of the text.
fn put_back(skeleton: &str, expressions: &mut impl Iterator<Item = String>) -> Template {
    let mut parts = Vec::new();
    for (number, literal) in skeleton.split(PLACE).enumerate() {
        if number > 0 {
            parts.extend(expressions.next().map(Part::Expression));
        }
        if !literal.is_empty() {
            parts.push(Part::Literal(literal.to_owned()));
        }
    }
    Template::from_parts(parts)
}
