//! The settings of one outgoing connection: a websocket_client, what chan_websocket.conf adds to it, and its URI.
//!
//! Connecting is `net::connector`'s business. Called from the thread that calls the channel.

use std::fmt;
use std::net::Ipv6Addr;
use std::time::Duration;

use super::config::{
    ConnectionSettings, MAX_TCP_PROBES, MAX_TCP_SECONDS, PingOptions, Pings, Settings, TcpKeepaliveOptions,
    TcpKeepalives, parse_boolean,
};

/// What stands for a secret where it would be shown.
pub(crate) const HIDDEN: &str = "***";

/// Everything needed to connect to one app. A call keeps the settings that it was made with.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientSettings {
    /// As configured; it may hold a password. See [`ClientSettings::target`] and [`ClientSettings::uri_for_log`].
    pub uri: String,
    /// Subprotocols to offer, verbatim; empty: none.
    pub protocols: String,
    /// For Basic authentication, with `password`; see [`ClientSettings::credentials`].
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
    /// Verify the server's certificate. If not, its name does not count either.
    pub verify_server_cert: bool,
    /// Verify that the certificate is for the host of the URI.
    pub verify_server_hostname: bool,
    /// The proxy to tunnel through; `None`: connect directly.
    pub proxy: Option<Proxy>,
    /// WebSocket pings; `None`: none.
    pub pings: Option<Pings>,
    /// TCP keepalives; `None`: none of ours.
    pub tcp_keepalives: Option<TcpKeepalives>,
    /// For name look-up, proxy, TLS and upgrade of one attempt together.
    pub handshake_timeout: Duration,
    /// How long the app may take nothing at all from us before it is given up.
    pub write_timeout: Duration,
}

impl fmt::Debug for ClientSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientSettings")
            .field("uri", &self.uri_for_log())
            .field("protocols", &self.protocols)
            .field("username", &self.username)
            .field("password", &(!self.password.is_empty()).then_some(HIDDEN))
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

/// Where to connect, and what to ask for there.
#[derive(Clone, PartialEq, Eq)]
pub struct TargetUri {
    /// Whether to speak TLS: the URI says wss, or `tls_enabled` is set.
    pub tls: bool,
    /// User and password of the URI, as they are written there.
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

/// A user with a hidden password.
struct Credentials<'a>(Option<&'a (String, String)>);

impl fmt::Debug for Credentials<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map(|(user, _)| (user, HIDDEN)).fmt(f)
    }
}

/// A client that cannot be called. Displays as one line for the log, without secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// A field of the websocket_client does not hold what it should.
    #[error("Invalid value '{value}' for {field}. Must be {allowed}")]
    Field {
        /// The field's name.
        field: &'static str,
        /// What it holds.
        value: String,
        /// What it may hold.
        allowed: &'static str,
    },
    /// The URI cannot be used.
    #[error("Invalid uri: {0}")]
    Uri(#[from] UriError),
}

/// What is wrong with a URI.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UriError {
    /// There is none.
    #[error("it is empty")]
    Empty,
    /// The scheme is neither ws nor wss.
    #[error("scheme '{0}' is not ws or wss")]
    Scheme(String),
    /// It holds white space, a control character, or one that is not ASCII.
    #[error("character {0:?} must be URI-encoded")]
    Character(char),
    /// There is no host, or it cannot be one.
    #[error("'{0}' is not a host name or address")]
    Host(String),
    /// What follows the host is not a port.
    #[error("'{0}' is not a port")]
    Port(String),
}

impl ClientSettings {
    /// Settings from the fields of a websocket_client (`ast_sorcery_objectset_create2`, asterisk/sorcery.h), from
    /// `connection`, chan_websocket.conf's section of the same name, and for the rest from `global`.
    ///
    /// `connection` adds what `fields` lack. Newer versions of Asterisk have fields for a proxy, pings and keepalives:
    /// what is switched on there counts; what is switched off there, which is also what they say when
    /// websocket_client.conf says nothing, may be switched on by `connection`. `connection`'s handshake_timeout and
    /// write_timeout always count. Fields that are not known, `connection_type` among them, do not matter.
    ///
    /// # Errors
    /// [`ClientError::Field`]. The URI is looked at by [`ClientSettings::target`].
    pub fn new<'a>(
        fields: impl IntoIterator<Item = (&'a str, &'a str)>,
        connection: Option<&ConnectionSettings>,
        global: &Settings,
    ) -> Result<Self, ClientError> {
        let mut settings = Self {
            uri: String::new(),
            protocols: String::new(),
            username: String::new(),
            password: String::new(),
            connection_timeout: CONNECTION_TIMEOUT,
            reconnect_attempts: RECONNECT_ATTEMPTS,
            reconnect_interval: RECONNECT_INTERVAL,
            tls_enabled: false,
            ca_list_file: None,
            ca_list_path: None,
            cert_file: None,
            priv_key_file: None,
            verify_server_cert: true,
            verify_server_hostname: true,
            proxy: None,
            pings: None,
            tcp_keepalives: None,
            handshake_timeout: global.handshake_timeout,
            write_timeout: global.write_timeout,
        };
        let mut pings = PingOptions::default();
        let mut tcp_keepalives = TcpKeepaliveOptions::default();
        let (mut proxy_host, mut proxy_username, mut proxy_password) = (None, None, None);
        for (field, value) in fields {
            match field {
                "uri" => settings.uri = value.trim().to_owned(),
                "protocols" => settings.protocols = value.to_owned(),
                "username" => settings.username = value.to_owned(),
                "password" => settings.password = value.to_owned(),
                "connection_timeout" => {
                    settings.connection_timeout =
                        millis("connection_timeout", value)?.unwrap_or(CONNECTION_TIMEOUT);
                }
                "reconnect_attempts" => {
                    let attempts = integer("reconnect_attempts", value)?.max(1);
                    settings.reconnect_attempts = u32::try_from(attempts).unwrap_or(u32::MAX);
                }
                "reconnect_interval" => {
                    settings.reconnect_interval = millis("reconnect_interval", value)?.unwrap_or_default();
                }
                "tls_enabled" => settings.tls_enabled = boolean("tls_enabled", value)?,
                "ca_list_file" => settings.ca_list_file = text(value),
                "ca_list_path" => settings.ca_list_path = text(value),
                "cert_file" => settings.cert_file = text(value),
                "priv_key_file" => settings.priv_key_file = text(value),
                "verify_server_cert" => settings.verify_server_cert = boolean("verify_server_cert", value)?,
                "verify_server_hostname" => {
                    settings.verify_server_hostname = boolean("verify_server_hostname", value)?;
                }
                "proxy_host" => proxy_host = text(value.trim()),
                "proxy_username" => proxy_username = text(value),
                "proxy_password" => proxy_password = text(value),
                "enable_pingpongs" => pings.enable = Some(boolean("enable_pingpongs", value)?),
                "pingpong_interval" => pings.interval = seconds("pingpong_interval", value)?,
                "pingpong_probes" => pings.probes = probes("pingpong_probes", value)?,
                "enable_tcp_keepalives" => {
                    tcp_keepalives.enable = Some(boolean("enable_tcp_keepalives", value)?);
                }
                "tcp_keepalive_time" => tcp_keepalives.time = seconds("tcp_keepalive_time", value)?,
                "tcp_keepalive_interval" => {
                    tcp_keepalives.interval = seconds("tcp_keepalive_interval", value)?;
                }
                "tcp_keepalive_probes" => tcp_keepalives.probes = probes("tcp_keepalive_probes", value)?,
                "write_timeout" => {
                    settings.write_timeout = millis("write_timeout", value)?.unwrap_or(global.write_timeout);
                }
                _ => {}
            }
        }
        settings.pings = pings.resolve();
        settings.tcp_keepalives = tcp_keepalives.resolve();
        if let Some(connection) = connection {
            settings.pings = settings.pings.or_else(|| connection.pings.resolve());
            settings.tcp_keepalives = settings.tcp_keepalives.or_else(|| connection.tcp_keepalives.resolve());
            settings.handshake_timeout = connection.handshake_timeout.unwrap_or(settings.handshake_timeout);
            settings.write_timeout = connection.write_timeout.unwrap_or(settings.write_timeout);
            if proxy_host.is_none() {
                proxy_host = connection.proxy_host.clone();
                proxy_username = connection.proxy_username.clone();
                proxy_password = connection.proxy_password.clone();
            }
        }
        settings.proxy = proxy_host.map(|host| proxy(host, proxy_username, proxy_password)).transpose()?;
        Ok(settings)
    }

    /// Where to connect for one call; `uri_params` is [`super::dial::DialOptions::uri_params`], which belongs to this
    /// call alone.
    ///
    /// DIVERGES: wss means TLS, IPv6 literals work, and so does a host whose name begins with "ws". The C module
    /// minds `tls_enabled` alone, and writes the parameters into the configuration, where later calls find them.
    ///
    /// # Errors
    /// [`ClientError::Uri`].
    pub fn target(&self, uri_params: Option<&str>) -> Result<TargetUri, ClientError> {
        let mut target = parse_uri(&self.uri)?;
        target.tls |= self.tls_enabled;
        if let Some(params) = uri_params.filter(|params| !params.is_empty()) {
            check_characters(params)?;
            target.path_and_query.push(if target.path_and_query.contains('?') { '&' } else { '?' });
            target.path_and_query.push_str(params);
        }
        Ok(target)
    }

    /// User and password for Basic authentication: the URI's, else username and password, if both are there.
    pub fn credentials<'a>(&'a self, target: &'a TargetUri) -> Option<(&'a str, &'a str)> {
        let configured = (self.username.as_str(), self.password.as_str());
        target
            .user_info
            .as_ref()
            .map(|(user, password)| (user.as_str(), password.as_str()))
            .or_else(|| Some(configured).filter(|(user, password)| !user.is_empty() && !password.is_empty()))
    }

    /// The URI without user and password.
    pub fn uri_for_log(&self) -> String {
        let (scheme, rest) = self.uri.split_once("://").unwrap_or_default();
        let rest = if scheme.is_empty() { &self.uri } else { rest };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        // Whatever stands before an @ may be a password, in a URI that cannot be used too.
        let hidden = authority.rsplit_once('@').map_or(0, |(user_info, _)| user_info.len() + 1);
        let shown = rest.get(hidden..).unwrap_or_default();
        if scheme.is_empty() { shown.to_owned() } else { format!("{scheme}://{shown}") }
    }
}

/// The defaults of res_websocket_client.
const CONNECTION_TIMEOUT: Duration = Duration::from_millis(500);
const RECONNECT_ATTEMPTS: u32 = 4;
const RECONNECT_INTERVAL: Duration = Duration::from_millis(500);

impl TargetUri {
    /// `host:port` for the Host header and for a proxy, with an IPv6 address in brackets; the port is always there, as
    /// in the C module.
    pub fn authority(&self) -> String {
        let Self { host, port, .. } = self;
        if host.contains(':') {
            // The zone is a matter of this machine.
            let address = host.split('%').next().unwrap_or_default();
            format!("[{address}]:{port}")
        } else {
            format!("{host}:{port}")
        }
    }
}

fn parse_uri(uri: &str) -> Result<TargetUri, UriError> {
    if uri.is_empty() {
        return Err(UriError::Empty);
    }
    check_characters(uri)?;
    let (scheme, rest) = match uri.split_once("://") {
        // A :// behind the first / or ? belongs to the path or the query.
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
fn check_characters(uri: &str) -> Result<(), UriError> {
    match uri.chars().find(|c| !c.is_ascii_graphic()) {
        Some(c) => Err(UriError::Character(c)),
        None => Ok(()),
    }
}

/// Takes what follows the host's colon off; an IPv6 address keeps its brackets.
fn split_port(host: &str) -> Result<(&str, Option<&str>), UriError> {
    let address_len = match host.strip_prefix('[') {
        Some(address) => address.find(']').ok_or_else(|| UriError::Host(host.to_owned()))? + 2,
        None => host.find(':').unwrap_or(host.len()),
    };
    let (host, port) = host.split_at(address_len);
    match port.strip_prefix(':') {
        Some(port) => Ok((host, Some(port))),
        None if port.is_empty() => Ok((host, None)),
        None => Err(UriError::Port(port.to_owned())),
    }
}

fn parse_port(port: &str) -> Result<u16, UriError> {
    let digits = port.bytes().all(|b| b.is_ascii_digit());
    let number = digits.then(|| port.parse().ok()).flatten().filter(|port| *port != 0);
    number.ok_or_else(|| UriError::Port(port.to_owned()))
}

/// The host as the resolver takes it.
fn parse_host(host: &str) -> Result<String, UriError> {
    if let Some(address) = host.strip_prefix('[').and_then(|address| address.strip_suffix(']')) {
        // RFC 6874: a zone is written behind %25.
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

/// Underscores are no part of a host name, but of many a container's.
fn is_host_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_')
}

/// `host:port` of a proxy; the port has no default, because proxies do not agree on one.
pub(crate) fn parse_proxy_host(text: &str) -> Option<(String, u16)> {
    let (host, port) = split_port(text).ok()?;
    Some((parse_host(host).ok()?, parse_port(port?).ok()?))
}

fn proxy(host: String, username: Option<String>, password: Option<String>) -> Result<Proxy, ClientError> {
    let Some((name, port)) = parse_proxy_host(&host) else {
        let allowed = "host:port, or [IPv6 address]:port";
        return Err(ClientError::Field { field: "proxy_host", value: host, allowed });
    };
    let credentials = username.map(|username| (username, password.unwrap_or_default()));
    Ok(Proxy { host: name, port, credentials })
}

fn text(value: &str) -> Option<String> {
    Some(value.to_owned()).filter(|value| !value.is_empty())
}

fn boolean(field: &'static str, value: &str) -> Result<bool, ClientError> {
    let allowed = "yes or no";
    parse_boolean(value).ok_or_else(|| ClientError::Field { field, value: value.to_owned(), allowed })
}

fn integer(field: &'static str, value: &str) -> Result<i64, ClientError> {
    let allowed = "a number";
    value.parse().map_err(|_| ClientError::Field { field, value: value.to_owned(), allowed })
}

/// A number from 1 to `max`. Asterisk stores what it is told: more than `max` is `max`, and 0 or less is `None`.
fn positive(field: &'static str, value: &str, max: u32) -> Result<Option<u32>, ClientError> {
    let number = integer(field, value)?;
    Ok((number > 0).then(|| u32::try_from(number).unwrap_or(max).min(max)))
}

fn millis(field: &'static str, value: &str) -> Result<Option<Duration>, ClientError> {
    Ok(positive(field, value, 86_400_000)?.map(|number| Duration::from_millis(number.into())))
}

fn seconds(field: &'static str, value: &str) -> Result<Option<Duration>, ClientError> {
    Ok(positive(field, value, MAX_TCP_SECONDS)?.map(|number| Duration::from_secs(number.into())))
}

fn probes(field: &'static str, value: &str) -> Result<Option<u32>, ClientError> {
    positive(field, value, MAX_TCP_PROBES)
}
