//! The settings of one outgoing connection: a websocket_client, what chan_websocket.conf adds to it, and its URI.

use std::fmt;
use std::time::Duration;

use super::config::{ConnectionSettings, Pings, Settings, TcpKeepalives};

/// Everything needed to connect to one app.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientSettings {
    /// As configured; see [`ClientSettings::target`].
    pub uri: String,
    /// Subprotocols to offer, verbatim; empty: none.
    pub protocols: String,
    /// For Basic authentication, with `password`.
    pub username: String,
    /// For Basic authentication, with `username`.
    pub password: String,
    /// For each TCP connect.
    pub connection_timeout: Duration,
    /// How often to try, at least 1.
    pub reconnect_attempts: u32,
    /// Between two attempts.
    pub reconnect_interval: Duration,
    /// TLS also where the URI does not say wss.
    pub tls_enabled: bool,
    /// File of trusted CA certificates.
    pub ca_list_file: Option<String>,
    /// Folder of trusted CA certificates.
    pub ca_list_path: Option<String>,
    /// The client's certificate.
    pub cert_file: Option<String>,
    /// The client's private key.
    pub priv_key_file: Option<String>,
    /// Verify the server's certificate.
    pub verify_server_cert: bool,
    /// Verify that the certificate is for the host of the URI.
    pub verify_server_hostname: bool,
    /// The proxy to tunnel through; `None`: connect directly.
    pub proxy: Option<Proxy>,
    /// WebSocket pings; `None`: none.
    pub pings: Option<Pings>,
    /// TCP keepalives; `None`: the system's.
    pub tcp_keepalives: Option<TcpKeepalives>,
    /// For name look-up, proxy, TLS and upgrade of one attempt together.
    pub handshake_timeout: Duration,
    /// How long the app may take nothing at all from us before it is given up.
    pub write_timeout: Duration,
}

impl fmt::Debug for ClientSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientSettings").finish_non_exhaustive()
    }
}

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
        f.debug_struct("Proxy").field("host", &self.host).field("port", &self.port).finish_non_exhaustive()
    }
}

/// Where to connect, and what to ask for there.
#[derive(Clone, PartialEq, Eq)]
pub struct TargetUri {
    /// Whether to speak TLS.
    pub tls: bool,
    /// User and password of the URI, percent-decoded.
    pub user_info: Option<(String, String)>,
    /// Name or address, an IPv6 address without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// For the request line; begins with `/`.
    pub path_and_query: String,
}

impl fmt::Debug for TargetUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TargetUri")
            .field("host", &self.host)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

/// A client that cannot be called. Displays as one line for the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// There is no URI.
    #[error("uri is missing")]
    NoUri,
}

impl ClientSettings {
    /// Settings from the fields of a websocket_client (`ast_sorcery_objectset_create2`, asterisk/sorcery.h), from
    /// `connection`, chan_websocket.conf's section of the same name, and for the rest from `global`.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn new<'a>(
        fields: impl IntoIterator<Item = (&'a str, &'a str)>,
        _connection: Option<&ConnectionSettings>,
        _global: &Settings,
    ) -> Result<Self, ClientError> {
        let _ = fields.into_iter().count();
        Err(ClientError::NoUri)
    }

    /// Where to connect for one call; `uri_params` is [`super::dial::DialOptions::uri_params`].
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn target(&self, _uri_params: Option<&str>) -> Result<TargetUri, ClientError> {
        Err(ClientError::NoUri)
    }
}
