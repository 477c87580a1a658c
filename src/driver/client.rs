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
    #[error("'{0}' is not a host name, an IPv4 address or an [IPv6 address]")]
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

/// A dial string as it may stand in the log: what `v()` adds to the URI may be a token.
pub fn dialled_for_log(dialled: &str) -> String {
    let Some((client, options)) = dialled.split_once('/') else { return dialled.to_owned() };
    format!("{client}/{}", options_for_log(options))
}

/// A dial string's options, the same way.
pub(crate) fn options_for_log(options: &str) -> String {
    let mut shown = String::new();
    let mut rest = options;
    // Wherever a v( stands: what counts as an option is not worth a slip here.
    while let Some((before, argument)) = rest.split_once("v(") {
        let (argument, after) = argument.split_once(')').unwrap_or((argument, ""));
        shown.push_str(&format!("{before}v({})", if argument.is_empty() { "" } else { HIDDEN }));
        rest = after;
    }
    shown + rest
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What Asterisk 22.10 gives for an object that says nothing but its URI.
    const FIELDS: [(&str, &str); 16] = [
        ("connection_type", "per_call_config"),
        ("uri", "ws://app.example:8765/media"),
        ("protocols", "media"),
        ("username", ""),
        ("password", ""),
        ("ca_list_file", ""),
        ("ca_list_path", ""),
        ("cert_file", ""),
        ("priv_key_file", ""),
        ("connection_timeout", "500"),
        ("reconnect_attempts", "4"),
        ("reconnect_interval", "500"),
        ("tls_enabled", "no"),
        ("verify_server_cert", "yes"),
        ("verify_server_hostname", "yes"),
        ("type", ""),
    ];

    /// What newer versions of Asterisk add, all switched off.
    const NEWER_FIELDS: [(&str, &str); 10] = [
        ("proxy_host", ""),
        ("proxy_username", ""),
        ("proxy_password", ""),
        ("enable_tcp_keepalives", "no"),
        ("tcp_keepalive_time", "20"),
        ("tcp_keepalive_interval", "20"),
        ("tcp_keepalive_probes", "3"),
        ("enable_pingpongs", "no"),
        ("pingpong_interval", "20"),
        ("pingpong_probes", "3"),
    ];

    /// `FIELDS` with `changes`, which come last.
    fn settings(changes: &[(&str, &str)]) -> ClientSettings {
        let fields = FIELDS.iter().chain(changes).copied();
        ClientSettings::new(fields, None, &Settings::default()).unwrap()
    }

    fn target(uri: &str) -> Result<TargetUri, ClientError> {
        settings(&[("uri", uri)]).target(None)
    }

    fn connection() -> ConnectionSettings {
        ConnectionSettings {
            proxy_host: Some("ours.example:3128".into()),
            proxy_username: Some("joe".into()),
            proxy_password: Some("secret".into()),
            pings: PingOptions { enable: Some(true), interval: Some(Duration::from_secs(5)), probes: None },
            tcp_keepalives: TcpKeepaliveOptions { enable: Some(true), ..TcpKeepaliveOptions::default() },
            handshake_timeout: Some(Duration::from_millis(900)),
            write_timeout: Some(Duration::from_millis(800)),
        }
    }

    #[test]
    fn defaults_are_res_websocket_clients() {
        let bare = ClientSettings::new(
            [("uri", "ws://app.example:8765/media"), ("protocols", "media")],
            None,
            &Settings::default(),
        );
        let bare = bare.unwrap();
        assert_eq!(bare, settings(&[]));
        assert_eq!(bare.connection_timeout, Duration::from_millis(500));
        assert_eq!((bare.reconnect_attempts, bare.reconnect_interval), (4, Duration::from_millis(500)));
        assert!(!bare.tls_enabled && bare.verify_server_cert && bare.verify_server_hostname);
        assert_eq!(
            (&bare.ca_list_file, &bare.proxy, bare.pings, bare.tcp_keepalives),
            (&None, &None, None, None)
        );
        assert_eq!(
            (bare.handshake_timeout, bare.write_timeout),
            (Duration::from_secs(10), Duration::from_secs(30))
        );
        assert_eq!(bare, settings(&NEWER_FIELDS));
    }

    #[test]
    fn every_field_is_taken() {
        type Expect = fn(&mut ClientSettings);
        let rows: Vec<(&[(&str, &str)], Expect)> = vec![
            (&[("protocols", "media, ari")], |s| s.protocols = "media, ari".into()),
            (&[("username", "u"), ("password", "p")], |s| {
                s.username = "u".into();
                s.password = "p".into();
            }),
            (&[("connection_timeout", "1500")], |s| s.connection_timeout = Duration::from_millis(1500)),
            (&[("connection_timeout", "0")], |s| s.connection_timeout = Duration::from_millis(500)),
            (&[("connection_timeout", "-1")], |s| s.connection_timeout = Duration::from_millis(500)),
            (&[("connection_timeout", "9223372036854775807")], |s| {
                s.connection_timeout = Duration::from_secs(86_400);
            }),
            (&[("reconnect_attempts", "0")], |s| s.reconnect_attempts = 1),
            (&[("reconnect_attempts", "-2147483648")], |s| s.reconnect_attempts = 1),
            (&[("reconnect_attempts", "2147483647")], |s| s.reconnect_attempts = 2_147_483_647),
            (&[("reconnect_interval", "0")], |s| s.reconnect_interval = Duration::ZERO),
            (&[("reconnect_interval", "70")], |s| s.reconnect_interval = Duration::from_millis(70)),
            (&[("tls_enabled", "true")], |s| s.tls_enabled = true),
            (&[("ca_list_file", "/f")], |s| s.ca_list_file = Some("/f".into())),
            (&[("ca_list_path", "/p")], |s| s.ca_list_path = Some("/p".into())),
            (&[("cert_file", "/c")], |s| s.cert_file = Some("/c".into())),
            (&[("priv_key_file", "/k")], |s| s.priv_key_file = Some("/k".into())),
            (&[("verify_server_cert", "no")], |s| s.verify_server_cert = false),
            (&[("verify_server_hostname", "false")], |s| s.verify_server_hostname = false),
            (&[("proxy_host", "proxy.example:3128")], |s| {
                s.proxy = Some(Proxy { host: "proxy.example".into(), port: 3128, credentials: None });
            }),
            (&[("proxy_host", "[::1]:80"), ("proxy_username", "u"), ("proxy_password", "p")], |s| {
                let credentials = Some(("u".into(), "p".into()));
                s.proxy = Some(Proxy { host: "::1".into(), port: 80, credentials });
            }),
            (&[("proxy_username", "u")], |_| {}),
            (&[("enable_pingpongs", "yes"), ("pingpong_interval", "5"), ("pingpong_probes", "0")], |s| {
                s.pings = Some(Pings { interval: Duration::from_secs(5), probes: 3 });
            }),
            (
                &[
                    ("enable_tcp_keepalives", "yes"),
                    ("tcp_keepalive_time", "1"),
                    ("tcp_keepalive_interval", "99999"),
                    ("tcp_keepalive_probes", "4"),
                ],
                |s| {
                    let (time, interval) = (Duration::from_secs(1), Duration::from_secs(32_767));
                    s.tcp_keepalives = Some(TcpKeepalives { time, interval, probes: 4 });
                },
            ),
            (&[("write_timeout", "70")], |s| s.write_timeout = Duration::from_millis(70)),
            (&[("write_timeout", "0")], |_| {}),
            (&[("some_day", "x")], |_| {}),
        ];
        for (changes, expect) in rows {
            let mut expected = settings(&[]);
            expect(&mut expected);
            assert_eq!(settings(changes), expected, "{changes:?}");
        }
    }

    #[test]
    fn fields_that_do_not_fit_are_refused_by_name() {
        let rows = [
            ("connection_timeout", "soon", "Invalid value 'soon' for connection_timeout. Must be a number"),
            ("reconnect_attempts", "", "Invalid value '' for reconnect_attempts. Must be a number"),
            ("tls_enabled", "maybe", "Invalid value 'maybe' for tls_enabled. Must be yes or no"),
            (
                "proxy_host",
                "proxy.example",
                "Invalid value 'proxy.example' for proxy_host. Must be host:port, or [IPv6 address]:port",
            ),
        ];
        for (field, value, text) in rows {
            let error = ClientSettings::new([(field, value)], None, &Settings::default());
            assert_eq!(error.expect_err(field).to_string(), text);
        }
    }

    #[test]
    fn our_section_adds_what_is_not_switched_on() {
        let ours = connection();
        let global = Settings::default();
        for newer in [&[][..], &NEWER_FIELDS[..]] {
            let fields = FIELDS.iter().chain(newer).copied();
            let settings = ClientSettings::new(fields, Some(&ours), &global).unwrap();
            let credentials = Some(("joe".into(), "secret".into()));
            assert_eq!(settings.proxy, Some(Proxy { host: "ours.example".into(), port: 3128, credentials }));
            assert_eq!(settings.pings, Some(Pings { interval: Duration::from_secs(5), probes: 3 }));
            assert_eq!(settings.tcp_keepalives.unwrap().time, Duration::from_secs(20));
            assert_eq!(settings.handshake_timeout, Duration::from_millis(900));
            assert_eq!(settings.write_timeout, Duration::from_millis(800));
        }
    }

    #[test]
    fn what_asterisk_switches_on_counts() {
        let theirs = [
            ("proxy_host", "theirs.example:8080"),
            ("enable_pingpongs", "yes"),
            ("pingpong_interval", "30"),
            ("enable_tcp_keepalives", "yes"),
            ("tcp_keepalive_time", "40"),
            ("write_timeout", "70"),
        ];
        let fields = FIELDS.iter().chain(&theirs).copied();
        let settings =
            ClientSettings::new(fields.clone(), Some(&connection()), &Settings::default()).unwrap();
        let proxy = Proxy { host: "theirs.example".into(), port: 8080, credentials: None };
        assert_eq!(settings.proxy, Some(proxy), "no password of ours for a proxy of theirs");
        assert_eq!(settings.pings, Some(Pings { interval: Duration::from_secs(30), probes: 3 }));
        assert_eq!(settings.tcp_keepalives.unwrap().time, Duration::from_secs(40));
        assert_eq!(settings.write_timeout, Duration::from_millis(800), "written in our file");
        let settings = ClientSettings::new(fields, None, &Settings::default()).unwrap();
        assert_eq!(
            settings.write_timeout,
            Duration::from_millis(70),
            "of the client rather than of [global]"
        );
    }

    /// A row of a table: the URI, TLS, user and password, host, port, path and query.
    type Row = (&'static str, bool, Option<(&'static str, &'static str)>, &'static str, u16, &'static str);

    #[test]
    fn uris_that_lead_somewhere() {
        let rows: [Row; 32] = [
            ("ws://app.example", false, None, "app.example", 80, "/"),
            ("wss://app.example", true, None, "app.example", 443, "/"),
            ("WSS://App.Example", true, None, "App.Example", 443, "/"),
            ("ws://app.example/", false, None, "app.example", 80, "/"),
            ("ws://app.example:8765/media", false, None, "app.example", 8765, "/media"),
            ("ws://app.example:/media", false, None, "app.example", 80, "/media"),
            ("ws://app.example:65535", false, None, "app.example", 65_535, "/"),
            ("ws://app.example?a=1", false, None, "app.example", 80, "/?a=1"),
            ("ws://app.example/a/b?c=d&e=f?g", false, None, "app.example", 80, "/a/b?c=d&e=f?g"),
            ("ws://app.example/a%20b", false, None, "app.example", 80, "/a%20b"),
            ("ws://app.example/#part", false, None, "app.example", 80, "/"),
            ("ws://app.example#part", false, None, "app.example", 80, "/"),
            ("ws://app.example/a?b#c?d", false, None, "app.example", 80, "/a?b"),
            ("app.example", false, None, "app.example", 80, "/"),
            ("app.example:8765/media", false, None, "app.example", 8765, "/media"),
            ("localhost:8765", false, None, "localhost", 8765, "/"),
            ("wsserver.example/media", false, None, "wsserver.example", 80, "/media"),
            ("app.example/?to=http://x/", false, None, "app.example", 80, "/?to=http://x/"),
            ("ws://10.0.0.1:8765", false, None, "10.0.0.1", 8765, "/"),
            ("ws://my_container:8765", false, None, "my_container", 8765, "/"),
            ("ws://[::1]", false, None, "::1", 80, "/"),
            ("wss://[2001:db8::1]:8443/x", true, None, "2001:db8::1", 8443, "/x"),
            ("ws://[::ffff:10.0.0.1]:1/x", false, None, "::ffff:10.0.0.1", 1, "/x"),
            ("ws://[fe80::1%25eth0]:1/x", false, None, "fe80::1%eth0", 1, "/x"),
            ("[::1]:8765/x", false, None, "::1", 8765, "/x"),
            ("ws://u:p@app.example:1/x", false, Some(("u", "p")), "app.example", 1, "/x"),
            ("ws://u@app.example", false, Some(("u", "")), "app.example", 80, "/"),
            ("ws://u:@app.example", false, Some(("u", "")), "app.example", 80, "/"),
            ("ws://u:p:q@app.example", false, Some(("u", "p:q")), "app.example", 80, "/"),
            ("ws://u:p@q@app.example", false, Some(("u", "p@q")), "app.example", 80, "/"),
            ("ws://u:p%40q@[::1]:1", false, Some(("u", "p%40q")), "::1", 1, "/"),
            ("u:p@app.example:1", false, Some(("u", "p")), "app.example", 1, "/"),
        ];
        for (uri, tls, user_info, host, port, path_and_query) in rows {
            let expected = TargetUri {
                tls,
                user_info: user_info.map(|(user, password)| (user.to_owned(), password.to_owned())),
                host: host.into(),
                port,
                path_and_query: path_and_query.into(),
            };
            assert_eq!(target(uri).expect(uri), expected, "{uri}");
        }
    }

    #[test]
    fn uris_that_lead_nowhere() {
        let rows = [
            ("", "it is empty"),
            ("  ", "it is empty"),
            ("http://app.example", "scheme 'http' is not ws or wss"),
            ("://app.example", "scheme '' is not ws or wss"),
            ("ws://", "'' is not a host name, an IPv4 address or an [IPv6 address]"),
            ("ws:///media", "'' is not a host name, an IPv4 address or an [IPv6 address]"),
            ("ws://:8765", "'' is not a host name, an IPv4 address or an [IPv6 address]"),
            ("ws://u:p@", "'' is not a host name, an IPv4 address or an [IPv6 address]"),
            ("ws://app,example", "'app,example' is not a host name, an IPv4 address or an [IPv6 address]"),
            (
                "ws://app%2eexample",
                "'app%2eexample' is not a host name, an IPv4 address or an [IPv6 address]",
            ),
            ("ws://::1/", "'::1' is not a host name, an IPv4 address or an [IPv6 address]"),
            ("ws://[::1", "'[::1' is not a host name, an IPv4 address or an [IPv6 address]"),
            ("ws://[::1:8765", "'[::1:8765' is not a host name, an IPv4 address or an [IPv6 address]"),
            ("ws://[]", "'[]' is not a host name, an IPv4 address or an [IPv6 address]"),
            (
                "ws://[app.example]",
                "'[app.example]' is not a host name, an IPv4 address or an [IPv6 address]",
            ),
            ("ws://[::1%25]", "'[::1%25]' is not a host name, an IPv4 address or an [IPv6 address]"),
            ("ws://[::1%eth0]", "'[::1%eth0]' is not a host name, an IPv4 address or an [IPv6 address]"),
            ("ws://[::1]x", "'x' is not a port"),
            ("ws://app.example:0", "'0' is not a port"),
            ("ws://app.example:65536", "'65536' is not a port"),
            ("ws://app.example:+1", "'+1' is not a port"),
            ("ws://app.example:http", "'http' is not a port"),
            ("ws://app.example:1:2", "'1:2' is not a port"),
            ("ws://app.example/a b", "character ' ' must be URI-encoded"),
            ("ws://app.example/a\r\nX: y", r"character '\r' must be URI-encoded"),
            ("ws://app.example/é", "character 'é' must be URI-encoded"),
            ("ws://app.example/\0", r"character '\0' must be URI-encoded"),
        ];
        for (uri, text) in rows {
            assert_eq!(target(uri).expect_err(uri).to_string(), format!("Invalid uri: {text}"), "{uri}");
        }
    }

    #[test]
    fn parameters_belong_to_one_call() {
        let rows = [
            ("ws://app.example", Some("a=1&b=2"), "/?a=1&b=2"),
            ("ws://app.example/x", Some("a=1"), "/x?a=1"),
            ("ws://app.example/x?y=z", Some("a=1"), "/x?y=z&a=1"),
            ("ws://app.example/x#y", Some("a=1"), "/x?a=1"),
            ("ws://app.example/x", Some(""), "/x"),
            ("ws://app.example/x", None, "/x"),
        ];
        for (uri, params, path_and_query) in rows {
            let settings = settings(&[("uri", uri)]);
            assert_eq!(settings.target(params).unwrap().path_and_query, path_and_query, "{uri} {params:?}");
            assert_eq!(settings.uri, uri);
        }
        let error = settings(&[]).target(Some("a=\r\n")).unwrap_err();
        assert_eq!(error, ClientError::Uri(UriError::Character('\r')));
    }

    #[test]
    fn tls_is_what_either_says() {
        for (uri, tls_enabled, tls, port) in [
            ("ws://a", "no", false, 80),
            ("ws://a", "yes", true, 80),
            ("wss://a", "no", true, 443),
            ("a", "yes", true, 80),
        ] {
            let target = settings(&[("uri", uri), ("tls_enabled", tls_enabled)]).target(None).unwrap();
            assert_eq!((target.tls, target.port), (tls, port), "{uri} {tls_enabled}");
        }
    }

    #[test]
    fn credentials_of_the_uri_come_first() {
        let rows = [
            ("ws://a", "", "", None),
            ("ws://a", "u", "", None),
            ("ws://a", "", "p", None),
            ("ws://a", "u", "p", Some(("u", "p"))),
            ("ws://x:y@a", "u", "p", Some(("x", "y"))),
            ("ws://x@a", "u", "p", Some(("x", ""))),
        ];
        for (uri, username, password, credentials) in rows {
            let settings = settings(&[("uri", uri), ("username", username), ("password", password)]);
            let target = settings.target(None).unwrap();
            assert_eq!(settings.credentials(&target), credentials, "{uri} {username} {password}");
        }
    }

    #[test]
    fn the_authority_has_brackets_and_always_a_port() {
        let rows = [
            ("ws://app.example", "app.example:80"),
            ("wss://app.example:1", "app.example:1"),
            ("ws://[::1]", "[::1]:80"),
            ("ws://[fe80::1%25eth0]:1", "[fe80::1]:1"),
        ];
        for (uri, authority) in rows {
            assert_eq!(target(uri).unwrap().authority(), authority);
        }
    }

    #[test]
    fn passwords_are_not_shown() {
        let uris = [
            "ws://u:hush@app.example/x",
            "u:hush@app.example/x",
            "ws://u:hush@x@app.example/x",
            "http://u:hush@app.example/x",
            "ws://u:hush@",
        ];
        for uri in uris {
            let changes =
                [("uri", uri), ("password", "hush"), ("proxy_host", "p:1"), ("proxy_username", "u")];
            let mut settings = settings(&changes);
            settings.proxy.as_mut().unwrap().credentials = Some(("u".into(), "hush".into()));
            let target = settings.target(None);
            if let Err(error) = &target {
                assert!(!error.to_string().contains("hush"), "{error}");
            }
            let shown = format!("{settings:?} {target:?} {}", settings.uri_for_log());
            assert!(!shown.contains("hush"), "{shown}");
        }
        assert_eq!(settings(&[("uri", uris[0])]).uri_for_log(), "ws://app.example/x");
        assert_eq!(settings(&[("uri", "ws://a/b?c@d")]).uri_for_log(), "ws://a/b?c@d");
    }

    #[test]
    fn parameters_of_a_dial_string_are_not_shown() {
        let rows = [
            ("app", "app"),
            ("app/", "app/"),
            ("app/c(ulaw)n", "app/c(ulaw)n"),
            ("app/c(ulaw)v(token=hush,a=b)nf(json)", "app/c(ulaw)v(***)nf(json)"),
            ("app/v()", "app/v()"),
            ("app/nv(hush", "app/nv(***)"),
            ("app/f(json)(xv(hush)", "app/f(json)(xv(***)"),
            ("v(x/y", "v(x/y"),
        ];
        for (dialled, shown) in rows {
            assert_eq!(dialled_for_log(dialled), shown);
        }
    }

    proptest! {
        #[test]
        fn any_uri_gets_an_answer(uri in any::<String>(), params in proptest::option::of(any::<String>())) {
            let settings = settings(&[("uri", &uri)]);
            let _ = settings.uri_for_log();
            if let Ok(target) = settings.target(params.as_deref()) {
                prop_assert!(target.path_and_query.starts_with('/'));
                prop_assert!(target.path_and_query.chars().all(|c| c.is_ascii_graphic()));
                prop_assert!(!target.host.is_empty() && target.port != 0);
            }
        }

        #[test]
        fn any_text_like_a_uri_gets_an_answer(uri in r"(wss?://)?[a@:\[\]]{0,6}(:[0-9]{0,6})?[/?#a%]{0,6}") {
            let settings = settings(&[("uri", &uri)]);
            let _ = settings.uri_for_log();
            if let Ok(target) = settings.target(Some("x=1")) {
                prop_assert!(target.path_and_query.ends_with("x=1") && !target.path_and_query.contains('#'));
            }
        }

        #[test]
        fn a_uri_comes_apart_as_it_was_put_together(
            tls in any::<bool>(),
            user_info in proptest::option::of(("[a-z]{1,5}", "[a-z:@%0-9]{0,5}")),
            host in "[a-z][a-z0-9._-]{0,10}",
            port in 1..=u16::MAX,
            path_and_query in r"/[a-z/]{0,5}(\?[a-z=&?/:@]{0,9})?",
        ) {
            let scheme = if tls { "wss" } else { "ws" };
            let info = user_info.as_ref().map(|(user, password)| format!("{user}:{password}@")).unwrap_or_default();
            let uri = format!("{scheme}://{info}{host}:{port}{path_and_query}");
            prop_assert_eq!(target(&uri).unwrap(), TargetUri { tls, user_info, host, port, path_and_query });
        }

        #[test]
        fn any_fields_get_an_answer(fields in proptest::collection::vec(
            (proptest::sample::select(FIELDS.iter().chain(&NEWER_FIELDS).map(|(field, _)| *field).collect::<Vec<_>>()), any::<String>()),
            0..8,
        )) {
            let fields = fields.iter().map(|(field, value)| (*field, value.as_str()));
            let _ = ClientSettings::new(fields, Some(&connection()), &Settings::default());
        }
    }
}
