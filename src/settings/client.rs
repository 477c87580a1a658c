//! The settings of one outgoing connection: a websocket_client, what chan_websocket.conf adds to it, and its URI.
//!
//! `net::connector` connects. Called from the thread that calls the channel.

mod fields;
mod proxy;
#[cfg(test)]
mod tests;
mod uri;

use std::fmt;
use std::time::Duration;

use super::config::{Pings, TcpKeepalives};
use super::per_call::{Bearer, Filled, FilledHeader, Secret};
use super::secrets::{HIDDEN, uri_for_log};

pub use self::fields::{clear_write_timeout, has_unclear_write_timeout};
pub use self::proxy::Proxy;
pub use self::uri::{TargetUri, UriError};

pub(crate) use self::proxy::{PROXY_HOST, parse_proxy_host};
pub(crate) use self::uri::{parse as parse_uri, split_port};

/// Everything needed to connect to one app. A call keeps the settings that it was made with.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientSettings {
    /// As configured; it may hold a password. See [`ClientSettings::target`] and [`ClientSettings::uri_for_log`].
    pub uri: String,
    /// Subprotocols to offer, verbatim; empty: none.
    pub protocols: String,
    /// User for Basic authentication, with `password`; see [`ClientSettings::credentials`].
    pub username: String,
    /// Password for Basic authentication, with `username`.
    pub password: String,
    /// Token for `Authorization: Bearer`; not allowed together with username and password.
    pub bearer: Option<Bearer>,
    /// More headers of the upgrade request.
    pub headers: Vec<FilledHeader>,
    /// The limit of each TCP connect.
    pub connection_timeout: Duration,
    /// The number of attempts, at least 1.
    pub reconnect_attempts: u32,
    /// Time between two attempts.
    pub reconnect_interval: Duration,
    /// Use TLS even if the URI does not say wss.
    pub tls_enabled: bool,
    /// File of trusted CA certificates.
    pub ca_list_file: Option<String>,
    /// Folder of trusted CA certificates.
    pub ca_list_path: Option<String>,
    /// The client's certificate.
    pub cert_file: Option<String>,
    /// The client's private key.
    pub priv_key_file: Option<String>,
    /// Verify the server's certificate. If not, its name is not verified either.
    pub verify_server_cert: bool,
    /// Verify that the certificate is for the host of the URI.
    pub verify_server_hostname: bool,
    /// The proxy to tunnel through; `None`: connect directly.
    pub proxy: Option<Proxy>,
    /// WebSocket pings; `None`: none.
    pub pings: Option<Pings>,
    /// TCP keepalives; `None`: none of ours.
    pub tcp_keepalives: Option<TcpKeepalives>,
    /// The limit of one attempt: name look-up, proxy, TLS and upgrade together.
    pub handshake_timeout: Duration,
    /// How long the app may read nothing at all before its call ends.
    pub write_timeout: Duration,
}

impl fmt::Debug for ClientSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientSettings")
            .field("uri", &self.uri_for_log())
            .field("protocols", &self.protocols)
            .field("username", &self.username)
            .field("password", &(!self.password.is_empty()).then_some(HIDDEN))
            .field("bearer", &self.bearer)
            .field("headers", &self.headers)
            .field("connection_timeout", &self.connection_timeout)
            .field("reconnect_attempts", &self.reconnect_attempts)
            .field("reconnect_interval", &self.reconnect_interval)
            .field("tls_enabled", &self.tls_enabled)
            .field("ca_list_file", &self.ca_list_file)
            .field("ca_list_path", &self.ca_list_path)
            .field("cert_file", &self.cert_file)
            .field("priv_key_file", &self.priv_key_file)
            .field("verify_server_cert", &self.verify_server_cert)
            .field("verify_server_hostname", &self.verify_server_hostname)
            .field("proxy", &self.proxy)
            .field("pings", &self.pings)
            .field("tcp_keepalives", &self.tcp_keepalives)
            .field("handshake_timeout", &self.handshake_timeout)
            .field("write_timeout", &self.write_timeout)
            .finish()
    }
}

/// A client that cannot be called. Displays as one line for the log, without secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// A field of the websocket_client has an invalid value.
    #[error("Invalid value '{value}' for {field}. Must be {allowed}")]
    Field {
        /// The field's name.
        field: String,
        /// Its value.
        value: String,
        /// The allowed values.
        allowed: &'static str,
    },
    /// Username or user info of the URI, and a token of chan_websocket.conf: both need the one header Authorization.
    #[error("a username (or user info in the uri) and a bearer_token exclude each other")]
    TwoCredentials,
    /// The URI cannot be used.
    #[error("Invalid uri: {0}")]
    Uri(#[from] UriError),
}

impl ClientSettings {
    /// Where to connect for one call; `uri_params` is [`super::dial_string::DialOptions::uri_params`], which belongs to
    /// this call alone.
    ///
    /// DIVERGES: wss means TLS, IPv6 literals work, and so does a host whose name begins with "ws". The C module
    /// looks only at `tls_enabled`, and writes the parameters into the configuration, where later calls find them.
    ///
    /// # Errors
    /// [`ClientError::Uri`], [`ClientError::TwoCredentials`].
    pub fn target(&self, uri_params: Option<&str>) -> Result<TargetUri, ClientError> {
        let mut target = uri::parse(&self.uri)?;
        if self.bearer.is_some() && (!self.username.is_empty() || target.user_info.is_some()) {
            return Err(ClientError::TwoCredentials);
        }
        target.tls |= self.tls_enabled;
        if let Some(params) = uri_params.filter(|params| !params.is_empty()) {
            uri::check_characters(params)?;
            target.path_and_query.push(if target.path_and_query.contains('?') { '&' } else { '?' });
            target.path_and_query.push_str(params);
        }
        Ok(target)
    }

    /// User and password for Basic authentication: the URI's, else `username` and `password`, if both are set.
    pub fn credentials<'a>(&'a self, target: &'a TargetUri) -> Option<(&'a str, &'a str)> {
        let configured = (self.username.as_str(), self.password.as_str());
        target
            .user_info
            .as_ref()
            .map(|(user, password)| (user.as_str(), password.as_str()))
            .or_else(|| Some(configured).filter(|(user, password)| !user.is_empty() && !password.is_empty()))
    }

    /// Puts in the headers and the URI that the section's `${…}` gave for one call.
    pub fn fill(&mut self, mut filled: Filled) {
        self.headers = filled.headers;
        if let Some(Secret(uri)) = &mut filled.uri {
            self.uri = std::mem::take(uri);
        }
    }

    /// The URI as it is dialled: with its scheme, and without a fragment, which is not sent.
    pub fn dialled_uri(&self) -> String {
        let uri = self.uri.split('#').next().unwrap_or_default();
        match uri.split_once("://") {
            // A :// after the first / or ? belongs to the path or the query.
            Some((scheme, _)) if !scheme.contains(['/', '?']) => uri.to_owned(),
            _ => format!("{}://{uri}", if self.tls_enabled { "wss" } else { "ws" }),
        }
    }

    /// The URI without user and password.
    pub fn uri_for_log(&self) -> String {
        uri_for_log(&self.uri)
    }
}
