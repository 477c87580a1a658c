//! The HTTP proxy that a connection is tunnelled through.

use std::fmt;

use super::uri::{parse_host, parse_port, split_port};
use crate::settings::secrets::Credentials;

/// An HTTP proxy.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    /// Name or address, an IPv6 address without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// User and password for the proxy.
    pub credentials: Option<(String, String)>,
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("credentials", &Credentials(self.credentials.as_ref()))
            .finish()
    }
}

/// The form of a proxy's name, for messages about an invalid one.
pub(crate) const PROXY_HOST: &str = "host:port, or [IPv6 address]:port";

/// `host:port` of a proxy; the port has no default, because proxies do not agree on one.
pub(crate) fn parse_proxy_host(text: &str) -> Option<(String, u16)> {
    let (host, port) = split_port(text).ok()?;
    Some((parse_host(host).ok()?, parse_port(port?).ok()?))
}
