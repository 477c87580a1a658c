//! A websocket_client's URI: where to connect, and what to ask for there.

use std::fmt;
use std::net::Ipv6Addr;

use crate::settings::secrets::Credentials;

/// Where to connect, and what to ask for there.
#[derive(Clone, PartialEq, Eq)]
pub struct TargetUri {
    /// Whether to use TLS: the URI says wss, or `tls_enabled` is set.
    pub tls: bool,
    /// User and password as they are written in the URI.
    pub user_info: Option<(String, String)>,
    /// Name or address, an IPv6 address without brackets.
    pub host: String,
    /// TCP port; not 0.
    pub port: u16,
    /// For the request line: begins with `/`, has no white space and no fragment, and holds the call's parameters.
    pub path_and_query: String,
}

impl fmt::Debug for TargetUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TargetUri")
            .field("tls", &self.tls)
            .field("user_info", &Credentials(self.user_info.as_ref()))
            .field("host", &self.host)
            .field("port", &self.port)
            .field("path_and_query", &self.path_and_query)
            .finish()
    }
}

/// What is wrong with a URI.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UriError {
    /// The URI is empty.
    #[error("it is empty")]
    Empty,
    /// The scheme is neither ws nor wss.
    #[error("scheme '{0}' is not ws or wss")]
    Scheme(String),
    /// It holds white space, a control character, or one that is not ASCII.
    #[error("character {0:?} must be URI-encoded")]
    Character(char),
    /// There is no host, or it is not valid.
    #[error("'{0}' is not a host name, an IPv4 address or an [IPv6 address]")]
    Host(String),
    /// What follows the host is not a port.
    #[error("'{0}' is not a port")]
    Port(String),
}

/// Splits a URI into its parts.
///
/// # Errors
/// The first fault of the URI.
pub(crate) fn parse(uri: &str) -> Result<TargetUri, UriError> {
    if uri.is_empty() {
        return Err(UriError::Empty);
    }
    check_characters(uri)?;
    let (scheme, rest) = match uri.split_once("://") {
        // A :// after the first / or ? belongs to the path or the query.
        Some((scheme, rest)) if !scheme.contains(['/', '?', '#']) => (scheme, rest),
        _ => ("ws", uri),
    };
    let (tls, default_port) = match scheme.to_ascii_lowercase().as_str() {
        "ws" => (false, 80),
        "wss" => (true, 443),
        _ => return Err(UriError::Scheme(scheme.to_owned())),
    };
    let rest = rest.split('#').next().unwrap_or_default();
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let (user_info, host) = match authority.rsplit_once('@') {
        Some((user_info, host)) => (Some(user_info), host),
        None => (None, authority),
    };
    let user_info = user_info.map(|info| {
        let (user, password) = info.split_once(':').unwrap_or((info, ""));
        (user.to_owned(), password.to_owned())
    });
    let (host, port) = split_port(host)?;
    let port = match port {
        None | Some("") => default_port,
        Some(port) => parse_port(port)?,
    };
    let mut path_and_query = path.to_owned();
    if !path_and_query.starts_with('/') {
        path_and_query.insert(0, '/');
    }
    Ok(TargetUri { tls, user_info, host: parse_host(host)?, port, path_and_query })
}

/// A line feed or a space would end the request line.
pub(super) fn check_characters(uri: &str) -> Result<(), UriError> {
    match uri.chars().find(|c| !c.is_ascii_graphic()) {
        Some(c) => Err(UriError::Character(c)),
        None => Ok(()),
    }
}

/// Takes what follows the host's colon off; an IPv6 address keeps its brackets.
pub(crate) fn split_port(host: &str) -> Result<(&str, Option<&str>), UriError> {
    let address_len = match host.strip_prefix('[') {
        Some(address) => address.find(']').ok_or_else(|| UriError::Host(host.to_owned()))? + 2,
        None if host.parse::<Ipv6Addr>().is_ok() => return Err(UriError::Host(host.to_owned())),
        None => host.find(':').unwrap_or(host.len()),
    };
    let (host, port) = host.split_at(address_len);
    match port.strip_prefix(':') {
        Some(port) => Ok((host, Some(port))),
        None if port.is_empty() => Ok((host, None)),
        None => Err(UriError::Port(port.to_owned())),
    }
}

pub(super) fn parse_port(port: &str) -> Result<u16, UriError> {
    let digits = port.bytes().all(|b| b.is_ascii_digit());
    let number = digits.then(|| port.parse().ok()).flatten().filter(|port| *port != 0);
    number.ok_or_else(|| UriError::Port(port.to_owned()))
}

/// The host as the resolver takes it.
pub(super) fn parse_host(host: &str) -> Result<String, UriError> {
    if let Some(address) = host.strip_prefix('[').and_then(|address| address.strip_suffix(']')) {
        // RFC 6874: a zone is written after %25.
        let (address, zone) = match address.split_once("%25") {
            Some((address, zone)) => (address, Some(zone)),
            None => (address, None),
        };
        let zone_is_sane = zone.is_none_or(|zone| !zone.is_empty() && zone.bytes().all(is_host_byte));
        if address.parse::<Ipv6Addr>().is_err() || !zone_is_sane {
            return Err(UriError::Host(host.to_owned()));
        }
        return Ok(zone.map_or_else(|| address.to_owned(), |zone| format!("{address}%{zone}")));
    }
    if host.is_empty() || !host.bytes().all(is_host_byte) {
        return Err(UriError::Host(host.to_owned()));
    }
    Ok(host.to_owned())
}

/// Underscores are not allowed in a host name, but containers use them.
fn is_host_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_')
}
