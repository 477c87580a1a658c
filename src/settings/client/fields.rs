//! The fields of a websocket_client, and what chan_websocket.conf adds to them.

use std::time::Duration;

use super::proxy::{PROXY_HOST, Proxy, parse_proxy_host};
use super::{ClientError, ClientSettings};
use crate::settings::config::{
    ConnectionSettings, LivenessOptions, MAX_TCP_PROBES, MAX_TCP_SECONDS, Settings, parse_boolean, text,
};

/// The defaults of res_websocket_client.
const CONNECTION_TIMEOUT: Duration = Duration::from_millis(500);
const RECONNECT_ATTEMPTS: u32 = 4;
const RECONNECT_INTERVAL: Duration = Duration::from_millis(500);

/// AST_DEFAULT_WEBSOCKET_WRITE_TIMEOUT (asterisk/http_websocket.h), ms.
const ASTERISKS_WRITE_TIMEOUT: &str = "100";

/// The allowed values of a field, as the error for another value.
type Allowed = &'static str;

impl ClientSettings {
    /// Settings from the fields of a websocket_client (`ast_sorcery_objectset_create2`, asterisk/sorcery.h), from
    /// `connection`, chan_websocket.conf's section of the same name, and for the rest from `global`.
    ///
    /// `connection` adds what `fields` lack. Newer versions of Asterisk have fields for a proxy, pings and keepalives.
    /// A field that is turned on takes precedence. A field that is turned off may be turned on by `connection`, because
    /// it is also off if websocket_client.conf has no such line. `connection`'s handshake_timeout and write_timeout
    /// always take precedence. Unknown fields, `connection_type` among them, are ignored.
    ///
    /// # Errors
    /// [`ClientError::Field`]. The URI is looked at by [`ClientSettings::target`].
    pub fn new<'a>(
        fields: impl IntoIterator<Item = (&'a str, &'a str)>,
        connection: Option<&ConnectionSettings>,
        global: &Settings,
    ) -> Result<Self, ClientError> {
        let mut client = ClientFields::new(global);
        for (field, value) in fields {
            client.set(field, value).map_err(|allowed| ClientError::Field {
                field: field.to_owned(),
                value: value.to_owned(),
                allowed,
            })?;
        }
        client.finish(connection)
    }
}

/// Whether `fields` leave open if an operator has set their `write_timeout`. Asterisk has that option since 23.6. Its
/// default may be the 100 ms of Asterisk's own WebSockets, which would end every call whose application reads nothing
/// for that time. So only a value from the file counts.
pub fn has_unclear_write_timeout(fields: &[(String, String)]) -> bool {
    fields.iter().any(is_unclear)
}

/// Removes such a `write_timeout` unless `written`, the line of the file, has the same value.
pub fn clear_write_timeout(fields: &mut Vec<(String, String)>, written: Option<&str>) {
    let is_meant = written.is_some_and(|written| written.trim() == ASTERISKS_WRITE_TIMEOUT);
    fields.retain(|field| is_meant || !is_unclear(field));
}

fn is_unclear((name, value): &(String, String)) -> bool {
    name == "write_timeout" && value == ASTERISKS_WRITE_TIMEOUT
}

/// A websocket_client while its fields are read.
struct ClientFields<'a> {
    global: &'a Settings,
    settings: ClientSettings,
    liveness: LivenessOptions,
    proxy_host: Option<String>,
    proxy_username: Option<String>,
    proxy_password: Option<String>,
}

impl<'a> ClientFields<'a> {
    fn new(global: &'a Settings) -> Self {
        let settings = ClientSettings {
            uri: String::new(),
            protocols: String::new(),
            username: String::new(),
            password: String::new(),
            bearer: None,
            headers: Vec::new(),
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
        Self {
            global,
            settings,
            liveness: LivenessOptions::default(),
            proxy_host: None,
            proxy_username: None,
            proxy_password: None,
        }
    }

    fn set(&mut self, field: &str, value: &str) -> Result<(), Allowed> {
        let settings = &mut self.settings;
        let LivenessOptions { pings, tcp_keepalives } = &mut self.liveness;
        match field {
            "uri" => settings.uri = value.trim().to_owned(),
            "protocols" => settings.protocols = value.to_owned(),
            "username" => settings.username = value.to_owned(),
            "password" => settings.password = value.to_owned(),
            "connection_timeout" => {
                settings.connection_timeout = millis(value)?.unwrap_or(CONNECTION_TIMEOUT);
            }
            "reconnect_attempts" => {
                settings.reconnect_attempts = u32::try_from(integer(value)?.max(1)).unwrap_or(u32::MAX);
            }
            "reconnect_interval" => settings.reconnect_interval = millis(value)?.unwrap_or_default(),
            "tls_enabled" => settings.tls_enabled = boolean(value)?,
            "ca_list_file" => settings.ca_list_file = text(value),
            "ca_list_path" => settings.ca_list_path = text(value),
            "cert_file" => settings.cert_file = text(value),
            "priv_key_file" => settings.priv_key_file = text(value),
            "verify_server_cert" => settings.verify_server_cert = boolean(value)?,
            "verify_server_hostname" => settings.verify_server_hostname = boolean(value)?,
            "proxy_host" => self.proxy_host = text(value.trim()),
            "proxy_username" => self.proxy_username = text(value),
            "proxy_password" => self.proxy_password = text(value),
            "enable_pingpongs" => pings.enable = Some(boolean(value)?),
            "pingpong_interval" => pings.interval = seconds(value)?,
            "pingpong_probes" => pings.probes = probes(value)?,
            "enable_tcp_keepalives" => tcp_keepalives.enable = Some(boolean(value)?),
            "tcp_keepalive_time" => tcp_keepalives.time = seconds(value)?,
            "tcp_keepalive_interval" => tcp_keepalives.interval = seconds(value)?,
            "tcp_keepalive_probes" => tcp_keepalives.probes = probes(value)?,
            "write_timeout" => settings.write_timeout = millis(value)?.unwrap_or(self.global.write_timeout),
            _ => {}
        }
        Ok(())
    }

    fn finish(self, connection: Option<&ConnectionSettings>) -> Result<ClientSettings, ClientError> {
        let Self { mut settings, liveness, mut proxy_host, mut proxy_username, mut proxy_password, .. } =
            self;
        settings.pings = liveness.pings.resolve();
        settings.tcp_keepalives = liveness.tcp_keepalives.resolve();
        if let Some(connection) = connection {
            let ours = connection.liveness;
            settings.pings = settings.pings.or_else(|| ours.pings.resolve());
            settings.tcp_keepalives = settings.tcp_keepalives.or_else(|| ours.tcp_keepalives.resolve());
            settings.handshake_timeout = connection.handshake_timeout.unwrap_or(settings.handshake_timeout);
            settings.write_timeout = connection.write_timeout.unwrap_or(settings.write_timeout);
            settings.bearer = connection.bearer.clone();
            if proxy_host.is_none() {
                proxy_host = connection.proxy_host.clone();
                proxy_username = connection.proxy_username.clone();
                proxy_password = connection.proxy_password.clone();
            }
        }
        settings.proxy = proxy_host.map(|host| proxy(host, proxy_username, proxy_password)).transpose()?;
        Ok(settings)
    }
}

fn proxy(host: String, username: Option<String>, password: Option<String>) -> Result<Proxy, ClientError> {
    let Some((name, port)) = parse_proxy_host(&host) else {
        return Err(ClientError::Field { field: "proxy_host".to_owned(), value: host, allowed: PROXY_HOST });
    };
    let credentials = username.map(|username| (username, password.unwrap_or_default()));
    Ok(Proxy { host: name, port, credentials })
}

fn boolean(value: &str) -> Result<bool, Allowed> {
    parse_boolean(value).ok_or("yes or no")
}

fn integer(value: &str) -> Result<i64, Allowed> {
    value.parse().map_err(|_| "a number")
}

/// A number from 1 to `max`. Asterisk stores any number: more than `max` is `max`, and 0 or less is `None`.
fn positive(value: &str, max: u32) -> Result<Option<u32>, Allowed> {
    let number = integer(value)?;
    Ok((number > 0).then(|| u32::try_from(number).unwrap_or(max).min(max)))
}

fn millis(value: &str) -> Result<Option<Duration>, Allowed> {
    Ok(positive(value, 86_400_000)?.map(|number| Duration::from_millis(number.into())))
}

fn seconds(value: &str) -> Result<Option<Duration>, Allowed> {
    Ok(positive(value, MAX_TCP_SECONDS)?.map(|number| Duration::from_secs(number.into())))
}

fn probes(value: &str) -> Result<Option<u32>, Allowed> {
    positive(value, MAX_TCP_PROBES)
}
