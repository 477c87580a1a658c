//! chan_websocket.conf: its options, their units, ranges and defaults.
//!
//! Reading the file is the host's business, at load and on reload. All settings are for calls made after a reload,
//! except [`Settings::reactor_threads`] and [`Settings::coalesce_reads`], which are taken at load only. Called from the thread that loads or reloads the
//! module.

use std::collections::HashMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::client;
use super::command::{CONTROL_MESSAGE_FORMATS, ControlMessageFormat};
use super::notice::{NOTICE_CLASSES, NoticeClasses};

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

/// `[global]`.
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
    /// Frames under which MEDIA_XON is sent; at least 1.
    pub queue_xon: usize,
    /// Media kept for an app that reads slowly.
    pub out_queue: Duration,
    /// After which an INCOMING channel without an app is hung up; `None`: never.
    pub incoming_timeout: Option<Duration>,
    /// Who may connect, in the order of the file, which matters. The host makes an Asterisk ACL of it, and must let
    /// nobody in if it cannot.
    pub incoming_acl: Vec<AclRule>,
    /// Refuse apps that come over plain ws.
    pub incoming_require_tls: bool,
    /// Allowed Origin headers; empty: any.
    pub incoming_origins: Vec<String>,
    /// Pings on incoming connections; `None`: none.
    pub pings: Option<Pings>,
    /// TCP keepalives on incoming connections; `None`: none of ours.
    pub tcp_keepalives: Option<TcpKeepalives>,
    /// Events for AMI.
    pub manager_events: NoticeClasses,
    /// Events for ARI, and for AMI as UserEvent.
    pub user_events: NoticeClasses,
    /// Reactor threads; 0: by the number of cores. Taken at load only.
    pub reactor_threads: usize,
    /// Whether a reactor with much to do reads all sockets at once every few milliseconds. Taken at load only.
    pub coalesce_reads: bool,
}

impl Settings {
    /// Names and values as they are written in the file, for people to read.
    pub fn listing(&self) -> Vec<(&'static str, String)> {
        let ms = |time: Duration| format!("{} ms", time.as_millis());
        let seconds = |time: Duration| format!("{} s", time.as_secs());
        let or = |text: Option<String>, otherwise: &str| text.unwrap_or_else(|| otherwise.to_owned());
        let yes = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
        let pings =
            self.pings.as_ref().map(|p| format!("yes, every {}, {} probes", seconds(p.interval), p.probes));
        let keepalives = self.tcp_keepalives.as_ref().map(|k| {
            format!("yes, after {}, every {}, {} probes", seconds(k.time), seconds(k.interval), k.probes)
        });
        let acl: Vec<String> =
            self.incoming_acl.iter().map(|r| format!("{} {}", r.sense.as_str(), r.value)).collect();
        vec![
            ("control_message_format", self.control_message_format.as_str().to_owned()),
            ("write_timeout", ms(self.write_timeout)),
            ("handshake_timeout", ms(self.handshake_timeout)),
            ("close_timeout", ms(self.close_timeout)),
            ("max_message_size", format!("{} bytes", self.max_message_size)),
            ("max_command_size", format!("{} bytes", self.max_command_size)),
            ("queue_max, queue_xoff, queue_xon", {
                format!("{}, {}, {} frames", self.queue_max, self.queue_xoff, self.queue_xon)
            }),
            ("out_queue", ms(self.out_queue)),
            ("incoming_timeout", or(self.incoming_timeout.map(seconds), "never")),
            (
                "incoming access by address",
                if acl.is_empty() { "everybody".to_owned() } else { acl.join("; ") },
            ),
            ("incoming_require_tls", yes(self.incoming_require_tls)),
            ("incoming_origins", {
                if self.incoming_origins.is_empty() {
                    "any".to_owned()
                } else {
                    self.incoming_origins.join(", ")
                }
            }),
            ("enable_pingpongs", or(pings, "no")),
            ("enable_tcp_keepalives", or(keepalives, "no")),
            ("manager_events", self.manager_events.to_string()),
            ("user_events", self.user_events.to_string()),
            ("reactor_threads", self.reactor_threads.to_string()),
            ("coalesce_reads", yes(self.coalesce_reads)),
        ]
    }

    /// Of [`Self::listing`], what matters to a call that is up.
    pub fn of_calls(&self) -> Vec<(&'static str, String)> {
        let only_new = |name: &str| name.starts_with("incoming") || name == "reactor_threads";
        self.listing().into_iter().filter(|(name, _)| !only_new(name)).collect()
    }

    /// The defaults, with the checks on who may connect of `self`.
    fn access_checks_only(self) -> Self {
        Self {
            incoming_acl: self.incoming_acl,
            incoming_require_tls: self.incoming_require_tls,
            incoming_origins: self.incoming_origins,
            ..Self::default()
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            control_message_format: ControlMessageFormat::default(),
            write_timeout: Duration::from_millis(30_000),
            handshake_timeout: Duration::from_millis(10_000),
            close_timeout: Duration::from_millis(2000),
            max_message_size: 1_048_576,
            max_command_size: 65_536,
            queue_max: 1000,
            queue_xoff: 900,
            queue_xon: 800,
            out_queue: Duration::from_millis(2000),
            incoming_timeout: None,
            incoming_acl: Vec::new(),
            incoming_require_tls: false,
            incoming_origins: Vec::new(),
            pings: None,
            tcp_keepalives: None,
            // Clients of AMI pass over events that they do not know; every version of Asterisk has new ones.
            manager_events: NoticeClasses::ALL,
            user_events: NoticeClasses::NONE,
            reactor_threads: 0,
            coalesce_reads: true,
        }
    }
}

/// One line of `incoming_acl`, `incoming_permit` or `incoming_deny`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AclRule {
    /// Which of the three.
    pub sense: AclSense,
    /// In Asterisk's ACL syntax, which only the host can check; not empty.
    pub value: String,
}

/// What an [`AclRule`] does.
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
    /// The word that `ast_append_acl` (asterisk/acl.h) knows it by.
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

/// TCP keepalives (tcp(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TcpKeepalives {
    /// Silence before the first one (TCP_KEEPIDLE), whole seconds.
    pub time: Duration,
    /// Between two (TCP_KEEPINTVL), whole seconds.
    pub interval: Duration,
    /// After this many without an answer the connection is lost (TCP_KEEPCNT).
    pub probes: u32,
}

/// The options of [`Pings`] as they are written; `None` for what is not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PingOptions {
    /// `enable_pingpongs`.
    pub enable: Option<bool>,
    /// `pingpong_interval`.
    pub interval: Option<Duration>,
    /// `pingpong_probes`.
    pub probes: Option<u32>,
}

impl PingOptions {
    /// With the defaults for what is not written; `None` unless enabled.
    pub fn resolve(self) -> Option<Pings> {
        let Self { enable, interval, probes } = self;
        (enable == Some(true)).then(|| Pings {
            interval: interval.unwrap_or(KEEPALIVE_INTERVAL),
            probes: probes.unwrap_or(PROBES),
        })
    }
}

/// The options of [`TcpKeepalives`] as they are written; `None` for what is not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TcpKeepaliveOptions {
    /// `enable_tcp_keepalives`.
    pub enable: Option<bool>,
    /// `tcp_keepalive_time`.
    pub time: Option<Duration>,
    /// `tcp_keepalive_interval`.
    pub interval: Option<Duration>,
    /// `tcp_keepalive_probes`.
    pub probes: Option<u32>,
}

impl TcpKeepaliveOptions {
    /// With the defaults for what is not written; `None` unless enabled.
    pub fn resolve(self) -> Option<TcpKeepalives> {
        let Self { enable, time, interval, probes } = self;
        (enable == Some(true)).then(|| TcpKeepalives {
            time: time.unwrap_or(KEEPALIVE_INTERVAL),
            interval: interval.unwrap_or(KEEPALIVE_INTERVAL),
            probes: probes.unwrap_or(PROBES),
        })
    }
}

/// The default of all intervals of pings and keepalives, as in newer versions of websocket_client.conf.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);
/// The default number of unanswered pings or keepalives.
const PROBES: u32 = 3;
/// The longest keepalive times that Linux takes (MAX_TCP_KEEPIDLE, MAX_TCP_KEEPINTVL); good for pings too.
pub(crate) const MAX_TCP_SECONDS: u32 = 32_767;
/// The most keepalives that Linux takes (MAX_TCP_KEEPCNT); good for pings too.
pub(crate) const MAX_TCP_PROBES: u32 = 127;

/// A section with `type = connection`: what it says, and `None` for what it does not say.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ConnectionSettings {
    /// The proxy, as `host:port`.
    pub proxy_host: Option<String>,
    /// User for the proxy.
    pub proxy_username: Option<String>,
    /// Password for the proxy.
    pub proxy_password: Option<String>,
    /// WebSocket pings.
    pub pings: PingOptions,
    /// TCP keepalives.
    pub tcp_keepalives: TcpKeepaliveOptions,
    /// Instead of [`Settings::handshake_timeout`].
    pub handshake_timeout: Option<Duration>,
    /// Instead of [`Settings::write_timeout`].
    pub write_timeout: Option<Duration>,
}

impl fmt::Debug for ConnectionSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { proxy_host, proxy_username, proxy_password, pings, tcp_keepalives, .. } = self;
        f.debug_struct("ConnectionSettings")
            .field("proxy_host", proxy_host)
            .field("proxy_username", proxy_username)
            .field("proxy_password", &proxy_password.as_ref().map(|_| client::HIDDEN))
            .field("pings", pings)
            .field("tcp_keepalives", tcp_keepalives)
            .field("handshake_timeout", &self.handshake_timeout)
            .field("write_timeout", &self.write_timeout)
            .finish()
    }
}

/// Something in the file that is refused. Displays as the whole log line, without a line feed; of level error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The option exists, the value does not fit.
    #[error("{file}: Invalid value '{value}' for {option} in [{section}]. Must be {allowed}")]
    InvalidValue {
        /// The file's name.
        file: String,
        /// The section's name.
        section: String,
        /// The option as it is written.
        option: String,
        /// What stands in the file.
        value: String,
        /// What may stand there, with its unit.
        allowed: String,
    },
    /// There is no such option in this kind of section.
    #[error("{file}: Unknown option {option} in [{section}]")]
    UnknownOption {
        /// The file's name.
        file: String,
        /// The section's name.
        section: String,
        /// The option as it is written.
        option: String,
    },
    /// The levels of flow control contradict each other.
    #[error(
        "{file}: Invalid levels in [{GLOBAL}]: queue_xon {xon}, queue_xoff {xoff}, queue_max {max}. Must be \
         queue_xon < queue_xoff <= queue_max"
    )]
    QueueLevels {
        /// The file's name.
        file: String,
        /// Frames.
        xon: usize,
        /// Frames.
        xoff: usize,
        /// Frames.
        max: usize,
    },
    /// A section that is neither `[global]` nor a connection.
    #[error(
        "{file}: Section [{section}] {}. Must be [{GLOBAL}], or have type = {CONNECTION}; ignored",
        kind_text(.kind)
    )]
    UnknownSection {
        /// The file's name.
        file: String,
        /// The section's name.
        section: String,
        /// Its `type`.
        kind: Option<String>,
    },
    /// What becomes of a section with an error in it; follows the errors.
    #[error("{file}: [{section}] is refused because of these errors; {instead}")]
    Refused {
        /// The file's name.
        file: String,
        /// The section's name.
        section: String,
        /// What is in force in its place.
        instead: Instead,
    },
}

/// What is in force in the place of a refused section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instead {
    /// What was in force before.
    LastGood,
    /// Of the options in error the defaults, of the others the values.
    Defaults,
    /// Nothing.
    Nothing,
}

impl fmt::Display for Instead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LastGood => "its last good settings stay",
            Self::Defaults => "the defaults are in force, but for its access checks that are valid",
            Self::Nothing => "the connection is used without it",
        })
    }
}

fn kind_text(kind: &Option<String>) -> String {
    kind.as_ref().map_or_else(|| "has no type".to_owned(), |kind| format!("has type = {kind}"))
}

const GLOBAL: &str = "global";
const CONNECTION: &str = "connection";

/// What `file` says; the log lines for what was refused come with it.
///
/// `previous` is what was in force until now, `None` at load. An error in `[global]` leaves all previous settings in
/// force; at load the defaults are, but for the valid `incoming_` checks of the section, lest a slip of the pen let
/// everybody in. An error in a connection's section
/// leaves that section's previous settings in force, if there are any. In a section the last one of equal options
/// counts, except for the incoming ACL, which is the sequence of its lines.
pub fn parse(file_name: &str, file: &ConfigFile, previous: Option<&Config>) -> (Config, Vec<ConfigError>) {
    let mut errors = Vec::new();
    let mut global = Global::default();
    let mut global_errors = Vec::new();
    let mut connections: HashMap<String, ConnectionSettings> = HashMap::new();
    let mut refused_connections: Vec<String> = Vec::new();
    for section in &file.sections {
        let reader = SectionReader { file_name, section };
        match (section.name.as_str(), reader.kind()) {
            (GLOBAL, None | Some(GLOBAL)) => {
                global_errors.extend(reader.read(|option, value| global.set(option, value)));
            }
            (name, Some(CONNECTION)) => {
                let settings = connections.entry(name.to_owned()).or_default();
                let found = reader.read(|option, value| settings.set(option, value));
                if !found.is_empty() && !refused_connections.contains(&section.name) {
                    refused_connections.push(section.name.clone());
                }
                errors.extend(found);
            }
            (name, kind) => errors.push(ConfigError::UnknownSection {
                file: file_name.to_owned(),
                section: name.to_owned(),
                kind: kind.map(str::to_owned),
            }),
        }
    }
    for name in refused_connections {
        let last_good = previous.and_then(|config| config.connections.get(&name));
        let instead = if last_good.is_some() { Instead::LastGood } else { Instead::Nothing };
        match last_good {
            Some(settings) => connections.insert(name.clone(), settings.clone()),
            None => connections.remove(&name),
        };
        errors.push(ConfigError::Refused { file: file_name.to_owned(), section: name, instead });
    }
    global_errors.extend(global.check_levels(file_name));
    let mut settings = global.resolve();
    if !global_errors.is_empty() {
        let instead = if previous.is_some() { Instead::LastGood } else { Instead::Defaults };
        let section = GLOBAL.to_owned();
        global_errors.push(ConfigError::Refused { file: file_name.to_owned(), section, instead });
        settings = match previous {
            Some(config) => config.settings.clone(),
            None => settings.access_checks_only(),
        };
    }
    errors.splice(0..0, global_errors);
    (Config { settings, connections }, errors)
}

/// Why an option is refused.
enum Fault {
    /// No such option.
    Unknown,
    /// The value does not fit; holds what would.
    Invalid(String),
}

/// Reads one section.
struct SectionReader<'a> {
    file_name: &'a str,
    section: &'a Section,
}

impl<'a> SectionReader<'a> {
    fn kind(&self) -> Option<&'a str> {
        let mut variables = self.section.variables.iter().rev();
        variables.find(|(option, _)| is_type(option)).map(|(_, value)| value.trim())
    }

    /// Hands every option, in lower case as Asterisk does not mind the case, and its value to `set`.
    fn read(&self, mut set: impl FnMut(&str, &str) -> Result<(), Fault>) -> Vec<ConfigError> {
        let mut errors = Vec::new();
        for (option, value) in self.section.variables.iter().filter(|(option, _)| !is_type(option)) {
            let fault = match set(&option.to_ascii_lowercase(), value.trim()) {
                Ok(()) => continue,
                Err(fault) => fault,
            };
            let (file, section) = (self.file_name.to_owned(), self.section.name.clone());
            let option = option.clone();
            errors.push(match fault {
                Fault::Unknown => ConfigError::UnknownOption { file, section, option },
                Fault::Invalid(allowed) => {
                    ConfigError::InvalidValue { file, section, option, value: value.clone(), allowed }
                }
            });
        }
        errors
    }
}

fn is_type(option: &str) -> bool {
    option.eq_ignore_ascii_case("type")
}

/// `[global]` while it is read.
#[derive(Default)]
struct Global {
    settings: Settings,
    pings: PingOptions,
    tcp_keepalives: TcpKeepaliveOptions,
}

/// A time that a call may have to wait, ms.
const TIMEOUT_MS: RangeInclusive<u64> = 1..=3_600_000;
/// A number of frames.
const FRAMES: RangeInclusive<u64> = 1..=100_000;

/// The options of `[global]`; no other is taken. Each has its line in the sample, the README and Asterisk's own help.
pub const GLOBAL_OPTIONS: [&str; 27] = [
    "control_message_format",
    "write_timeout",
    "handshake_timeout",
    "close_timeout",
    "max_message_size",
    "max_command_size",
    "queue_max",
    "queue_xoff",
    "queue_xon",
    "out_queue",
    "incoming_timeout",
    "incoming_acl",
    "incoming_permit",
    "incoming_deny",
    "incoming_require_tls",
    "incoming_origins",
    "enable_pingpongs",
    "pingpong_interval",
    "pingpong_probes",
    "enable_tcp_keepalives",
    "tcp_keepalive_time",
    "tcp_keepalive_interval",
    "tcp_keepalive_probes",
    "manager_events",
    "user_events",
    "reactor_threads",
    "coalesce_reads",
];

/// The options of a section with `type = connection`.
pub const CONNECTION_OPTIONS: [&str; 12] = [
    "proxy_host",
    "proxy_username",
    "proxy_password",
    "handshake_timeout",
    "write_timeout",
    "enable_pingpongs",
    "pingpong_interval",
    "pingpong_probes",
    "enable_tcp_keepalives",
    "tcp_keepalive_time",
    "tcp_keepalive_interval",
    "tcp_keepalive_probes",
];

impl Global {
    fn set(&mut self, option: &str, value: &str) -> Result<(), Fault> {
        known(&GLOBAL_OPTIONS, option)?;
        let settings = &mut self.settings;
        match option {
            "control_message_format" => {
                settings.control_message_format = ControlMessageFormat::parse(value)
                    .ok_or_else(|| Fault::Invalid(CONTROL_MESSAGE_FORMATS.to_owned()))?;
            }
            "write_timeout" => settings.write_timeout = millis(value, TIMEOUT_MS)?,
            "handshake_timeout" => settings.handshake_timeout = millis(value, TIMEOUT_MS)?,
            "close_timeout" => settings.close_timeout = millis(value, 1..=60_000)?,
            "max_message_size" => settings.max_message_size = size(value, 1024..=64 * 1024 * 1024, "bytes")?,
            "max_command_size" => settings.max_command_size = size(value, 128..=1024 * 1024, "bytes")?,
            "queue_max" => settings.queue_max = size(value, FRAMES, "frames")?,
            "queue_xoff" => settings.queue_xoff = size(value, FRAMES, "frames")?,
            "queue_xon" => settings.queue_xon = size(value, FRAMES, "frames")?,
            "out_queue" => settings.out_queue = millis(value, 20..=60_000)?,
            "incoming_timeout" => {
                settings.incoming_timeout = Some(seconds(value, 0..=86_400)?).filter(|time| !time.is_zero());
            }
            "incoming_acl" => settings.incoming_acl.push(acl_rule(AclSense::Acl, value)?),
            "incoming_permit" => settings.incoming_acl.push(acl_rule(AclSense::Permit, value)?),
            "incoming_deny" => settings.incoming_acl.push(acl_rule(AclSense::Deny, value)?),
            "incoming_require_tls" => settings.incoming_require_tls = boolean(value)?,
            "incoming_origins" => {
                let origins = value.split(',').map(str::trim).filter(|origin| !origin.is_empty());
                settings.incoming_origins = origins.map(str::to_owned).collect();
            }
            "manager_events" => settings.manager_events = notice_classes(value)?,
            "user_events" => settings.user_events = notice_classes(value)?,
            "reactor_threads" => settings.reactor_threads = size(value, 0..=64, "threads")?,
            "coalesce_reads" => settings.coalesce_reads = boolean(value)?,
            _ => set_liveness(&mut self.pings, &mut self.tcp_keepalives, option, value)?,
        }
        Ok(())
    }

    /// The levels are checked together at the end, because their order in the file is free. Levels in error become
    /// the defaults.
    fn check_levels(&mut self, file_name: &str) -> Option<ConfigError> {
        let Settings { queue_xon: xon, queue_xoff: xoff, queue_max: max, .. } = self.settings;
        if xon < xoff && xoff <= max {
            return None;
        }
        let defaults = Settings::default();
        self.settings.queue_xon = defaults.queue_xon;
        self.settings.queue_xoff = defaults.queue_xoff;
        self.settings.queue_max = defaults.queue_max;
        Some(ConfigError::QueueLevels { file: file_name.to_owned(), xon, xoff, max })
    }

    fn resolve(self) -> Settings {
        Settings {
            pings: self.pings.resolve(),
            tcp_keepalives: self.tcp_keepalives.resolve(),
            ..self.settings
        }
    }
}

impl ConnectionSettings {
    fn set(&mut self, option: &str, value: &str) -> Result<(), Fault> {
        known(&CONNECTION_OPTIONS, option)?;
        match option {
            "proxy_host" => {
                if !value.is_empty() && client::parse_proxy_host(value).is_none() {
                    return Err(Fault::Invalid("host:port, or [IPv6 address]:port".to_owned()));
                }
                self.proxy_host = text(value);
            }
            "proxy_username" => self.proxy_username = text(value),
            "proxy_password" => self.proxy_password = text(value),
            "handshake_timeout" => self.handshake_timeout = Some(millis(value, TIMEOUT_MS)?),
            "write_timeout" => self.write_timeout = Some(millis(value, TIMEOUT_MS)?),
            _ => set_liveness(&mut self.pings, &mut self.tcp_keepalives, option, value)?,
        }
        Ok(())
    }
}

fn known(options: &[&str], option: &str) -> Result<(), Fault> {
    if options.contains(&option) { Ok(()) } else { Err(Fault::Unknown) }
}

/// The options that `[global]` and connections share.
fn set_liveness(
    pings: &mut PingOptions,
    tcp_keepalives: &mut TcpKeepaliveOptions,
    option: &str,
    value: &str,
) -> Result<(), Fault> {
    const TCP_SECONDS: RangeInclusive<u64> = 1..=MAX_TCP_SECONDS as u64;
    const TCP_PROBES: RangeInclusive<u64> = 1..=MAX_TCP_PROBES as u64;
    match option {
        "enable_pingpongs" => pings.enable = Some(boolean(value)?),
        "pingpong_interval" => pings.interval = Some(seconds(value, TCP_SECONDS)?),
        "pingpong_probes" => pings.probes = Some(count(value, TCP_PROBES)?),
        "enable_tcp_keepalives" => tcp_keepalives.enable = Some(boolean(value)?),
        "tcp_keepalive_time" => tcp_keepalives.time = Some(seconds(value, TCP_SECONDS)?),
        "tcp_keepalive_interval" => tcp_keepalives.interval = Some(seconds(value, TCP_SECONDS)?),
        "tcp_keepalive_probes" => tcp_keepalives.probes = Some(count(value, TCP_PROBES)?),
        _ => return Err(Fault::Unknown),
    }
    Ok(())
}

fn text(value: &str) -> Option<String> {
    Some(value.to_owned()).filter(|value| !value.is_empty())
}

fn acl_rule(sense: AclSense, value: &str) -> Result<AclRule, Fault> {
    let value = text(value).ok_or_else(|| {
        Fault::Invalid(match sense {
            AclSense::Acl => "names of ACLs of acl.conf".to_owned(),
            AclSense::Permit | AclSense::Deny => "addresses, with or without a mask".to_owned(),
        })
    })?;
    Ok(AclRule { sense, value })
}

/// Decimal digits in `range`; nothing else, so that a unit or a slip of the finger does not pass unseen.
fn number(value: &str, range: RangeInclusive<u64>, unit: &str) -> Result<u64, Fault> {
    let digits = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
    let number = digits.then(|| value.parse().ok()).flatten().filter(|number| range.contains(number));
    number
        .ok_or_else(|| Fault::Invalid(format!("a number from {} to {} ({unit})", range.start(), range.end())))
}

fn size(value: &str, range: RangeInclusive<u64>, unit: &str) -> Result<usize, Fault> {
    number(value, range, unit).map(|number| usize::try_from(number).unwrap_or(usize::MAX))
}

fn count(value: &str, range: RangeInclusive<u64>) -> Result<u32, Fault> {
    number(value, range, "probes").map(|number| u32::try_from(number).unwrap_or(u32::MAX))
}

fn millis(value: &str, range: RangeInclusive<u64>) -> Result<Duration, Fault> {
    number(value, range, "milliseconds").map(Duration::from_millis)
}

fn seconds(value: &str, range: RangeInclusive<u64>) -> Result<Duration, Fault> {
    number(value, range, "seconds").map(Duration::from_secs)
}

fn notice_classes(value: &str) -> Result<NoticeClasses, Fault> {
    NoticeClasses::parse(value).ok_or_else(|| Fault::Invalid(NOTICE_CLASSES.to_owned()))
}

fn boolean(value: &str) -> Result<bool, Fault> {
    parse_boolean(value).ok_or_else(|| Fault::Invalid("yes or no".to_owned()))
}

/// A boolean as Asterisk writes it (`ast_true` and `ast_false`, asterisk/utils.h), whatever its case.
pub(crate) fn parse_boolean(value: &str) -> Option<bool> {
    let is = |words: &[&str]| words.iter().any(|word| value.eq_ignore_ascii_case(word));
    if is(&["yes", "true", "y", "t", "1", "on"]) {
        Some(true)
    } else if is(&["no", "false", "n", "f", "0", "off"]) {
        Some(false)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FILE: &str = "chan_websocket.conf";

    fn section(name: &str, variables: &[(&str, &str)]) -> Section {
        let variables = variables.iter().map(|(option, value)| ((*option).into(), (*value).into())).collect();
        Section { name: name.into(), variables }
    }

    fn global(variables: &[(&str, &str)]) -> ConfigFile {
        ConfigFile { sections: vec![section("global", variables)] }
    }

    fn load(file: &ConfigFile) -> (Config, Vec<String>) {
        reload(file, None)
    }

    fn reload(file: &ConfigFile, previous: Option<&Config>) -> (Config, Vec<String>) {
        let (config, errors) = parse(FILE, file, previous);
        (config, errors.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn nothing_is_the_defaults() {
        for file in [ConfigFile::default(), global(&[]), global(&[("type", "global")])] {
            let (config, errors) = load(&file);
            assert_eq!(config, Config::default());
            assert_eq!(errors, [""; 0]);
        }
        let settings = Settings::default();
        assert_eq!(settings.control_message_format, ControlMessageFormat::PlainText);
        assert_eq!(settings.write_timeout, Duration::from_secs(30));
        assert_eq!(settings.handshake_timeout, Duration::from_secs(10));
        assert_eq!(settings.close_timeout, Duration::from_secs(2));
        assert_eq!((settings.max_message_size, settings.max_command_size), (1_048_576, 65_536));
        assert_eq!((settings.queue_max, settings.queue_xoff, settings.queue_xon), (1000, 900, 800));
        assert_eq!(settings.out_queue, Duration::from_secs(2));
        assert_eq!(settings.incoming_timeout, None);
        assert_eq!((settings.pings, settings.tcp_keepalives), (None, None));
    }

    #[test]
    fn every_global_option_is_taken() {
        type Expect = fn(&mut Settings);
        let rows: Vec<(&[(&str, &str)], Expect)> = vec![
            (&[("control_message_format", "JSON")], |s| {
                s.control_message_format = ControlMessageFormat::Json
            }),
            (&[("Control_Message_Format", " json ")], |s| {
                s.control_message_format = ControlMessageFormat::Json
            }),
            (&[("write_timeout", "1500")], |s| s.write_timeout = Duration::from_millis(1500)),
            (&[("handshake_timeout", "1")], |s| s.handshake_timeout = Duration::from_millis(1)),
            (&[("close_timeout", "60000")], |s| s.close_timeout = Duration::from_secs(60)),
            (&[("max_message_size", "1024")], |s| s.max_message_size = 1024),
            (&[("max_command_size", "128")], |s| s.max_command_size = 128),
            (&[("queue_max", "900")], |s| s.queue_max = 900),
            (&[("queue_xoff", "1000")], |s| s.queue_xoff = 1000),
            (&[("queue_xon", "1")], |s| s.queue_xon = 1),
            (&[("queue_xon", "5"), ("queue_max", "6"), ("queue_xoff", "6")], |s| {
                (s.queue_xon, s.queue_xoff, s.queue_max) = (5, 6, 6);
            }),
            (&[("out_queue", "500")], |s| s.out_queue = Duration::from_millis(500)),
            (&[("incoming_timeout", "30")], |s| s.incoming_timeout = Some(Duration::from_secs(30))),
            (&[("incoming_timeout", "30"), ("incoming_timeout", "0")], |s| s.incoming_timeout = None),
            (
                &[
                    ("incoming_deny", "0.0.0.0/0"),
                    ("incoming_acl", "office"),
                    ("incoming_permit", "10.0.0.0/8"),
                ],
                |s| {
                    let rule = |sense, value: &str| AclRule { sense, value: value.into() };
                    s.incoming_acl = vec![
                        rule(AclSense::Deny, "0.0.0.0/0"),
                        rule(AclSense::Acl, "office"),
                        rule(AclSense::Permit, "10.0.0.0/8"),
                    ];
                },
            ),
            (&[("incoming_require_tls", "Yes")], |s| s.incoming_require_tls = true),
            (&[("incoming_require_tls", "on"), ("incoming_require_tls", "off")], |_| {}),
            (&[("incoming_origins", "https://a.example, https://b.example,,")], |s| {
                s.incoming_origins = vec!["https://a.example".into(), "https://b.example".into()];
            }),
            (&[("incoming_origins", "")], |_| {}),
            (&[("enable_pingpongs", "yes")], |s| {
                s.pings = Some(Pings { interval: Duration::from_secs(20), probes: 3 });
            }),
            (&[("pingpong_probes", "5"), ("enable_pingpongs", "t"), ("pingpong_interval", "7")], |s| {
                s.pings = Some(Pings { interval: Duration::from_secs(7), probes: 5 });
            }),
            (&[("pingpong_interval", "7")], |_| {}),
            (&[("enable_pingpongs", "no"), ("pingpong_interval", "7")], |_| {}),
            (&[("manager_events", "Connected, stalled")], |s| {
                s.manager_events = NoticeClasses::parse("connected,stalled").unwrap();
            }),
            (&[("manager_events", "none"), ("user_events", "all")], |s| {
                (s.manager_events, s.user_events) = (NoticeClasses::NONE, NoticeClasses::ALL);
            }),
            (&[("enable_tcp_keepalives", "1")], |s| {
                let interval = Duration::from_secs(20);
                s.tcp_keepalives = Some(TcpKeepalives { time: interval, interval, probes: 3 });
            }),
            (
                &[
                    ("enable_tcp_keepalives", "y"),
                    ("tcp_keepalive_time", "1"),
                    ("tcp_keepalive_interval", "2"),
                    ("tcp_keepalive_probes", "127"),
                ],
                |s| {
                    let (time, interval) = (Duration::from_secs(1), Duration::from_secs(2));
                    s.tcp_keepalives = Some(TcpKeepalives { time, interval, probes: 127 });
                },
            ),
            (&[("reactor_threads", "4")], |s| s.reactor_threads = 4),
            (&[("coalesce_reads", "no")], |s| s.coalesce_reads = false),
            (&[("write_timeout", "1"), ("write_timeout", "2")], |s| {
                s.write_timeout = Duration::from_millis(2)
            }),
        ];
        for (variables, expect) in rows {
            let mut expected = Settings::default();
            expect(&mut expected);
            let (config, errors) = load(&global(variables));
            assert_eq!(errors, [""; 0], "{variables:?}");
            assert_eq!(config.settings, expected, "{variables:?}");
        }
    }

    #[test]
    fn values_that_do_not_fit_are_refused_by_name() {
        let rows = [
            ("control_message_format", "xml", "'plain-text' or 'json'"),
            ("control_message_format", "", "'plain-text' or 'json'"),
            ("write_timeout", "0", "a number from 1 to 3600000 (milliseconds)"),
            ("write_timeout", "3600001", "a number from 1 to 3600000 (milliseconds)"),
            ("write_timeout", "-1", "a number from 1 to 3600000 (milliseconds)"),
            ("write_timeout", "+1", "a number from 1 to 3600000 (milliseconds)"),
            ("write_timeout", "30s", "a number from 1 to 3600000 (milliseconds)"),
            ("write_timeout", "1.5", "a number from 1 to 3600000 (milliseconds)"),
            ("write_timeout", "", "a number from 1 to 3600000 (milliseconds)"),
            ("handshake_timeout", "99999999999999999999999", "a number from 1 to 3600000 (milliseconds)"),
            ("close_timeout", "60001", "a number from 1 to 60000 (milliseconds)"),
            ("max_message_size", "1023", "a number from 1024 to 67108864 (bytes)"),
            ("max_command_size", "127", "a number from 128 to 1048576 (bytes)"),
            ("queue_max", "100001", "a number from 1 to 100000 (frames)"),
            ("queue_xoff", "0", "a number from 1 to 100000 (frames)"),
            ("queue_xon", "0", "a number from 1 to 100000 (frames)"),
            ("out_queue", "19", "a number from 20 to 60000 (milliseconds)"),
            ("incoming_timeout", "86401", "a number from 0 to 86400 (seconds)"),
            ("incoming_acl", "", "names of ACLs of acl.conf"),
            ("incoming_permit", "", "addresses, with or without a mask"),
            ("incoming_require_tls", "maybe", "yes or no"),
            ("coalesce_reads", "5", "yes or no"),
            ("enable_pingpongs", "2", "yes or no"),
            ("pingpong_interval", "0", "a number from 1 to 32767 (seconds)"),
            ("pingpong_probes", "128", "a number from 1 to 127 (probes)"),
            ("enable_tcp_keepalives", "", "yes or no"),
            ("tcp_keepalive_time", "32768", "a number from 1 to 32767 (seconds)"),
            ("tcp_keepalive_interval", "0", "a number from 1 to 32767 (seconds)"),
            ("tcp_keepalive_probes", "0", "a number from 1 to 127 (probes)"),
            ("reactor_threads", "65", "a number from 0 to 64 (threads)"),
            ("manager_events", "yes", "all, none, or some of connected, disconnected, failed, stalled"),
            ("user_events", "", "all, none, or some of connected, disconnected, failed, stalled"),
        ];
        for (option, value, allowed) in rows {
            let expected = [
                format!("chan_websocket.conf: Invalid value '{value}' for {option} in [global]. Must be {allowed}"),
                "chan_websocket.conf: [global] is refused because of these errors; the defaults are in force, but \
                 for its access checks that are valid"
                    .to_owned(),
            ];
            let (config, errors) = load(&global(&[(option, value)]));
            assert_eq!(errors, expected);
            assert_eq!(config.settings, Settings::default(), "{option}");
        }
    }

    #[test]
    fn an_error_in_global_keeps_the_last_good_settings_as_a_whole() {
        let good = global(&[("control_message_format", "json"), ("write_timeout", "5")]);
        let (last_good, _) = load(&good);
        let bad = global(&[("control_message_format", "xml"), ("write_timeout", "6")]);
        let (config, errors) = reload(&bad, Some(&last_good));
        assert_eq!(config, last_good);
        assert_eq!(
            errors,
            [
                "chan_websocket.conf: Invalid value 'xml' for control_message_format in [global]. Must be \
                 'plain-text' or 'json'",
                "chan_websocket.conf: [global] is refused because of these errors; its last good settings stay",
            ]
        );
        let (config, errors) = load(&bad);
        assert_eq!(config, Config::default(), "at load the defaults are in force");
        assert_eq!(errors.len(), 2);
        let (config, errors) = reload(&ConfigFile::default(), Some(&last_good));
        assert_eq!((config, errors.len()), (Config::default(), 0), "an option that is gone has its default");
    }

    #[test]
    fn every_option_of_the_lists_is_taken() {
        for (section_name, options) in [("global", &GLOBAL_OPTIONS[..]), ("client", &CONNECTION_OPTIONS)] {
            for option in options {
                let mut variables = vec![(*option, "5")];
                if section_name != "global" {
                    variables.push(("type", "connection"));
                }
                let (_, errors) = load(&ConfigFile { sections: vec![section(section_name, &variables)] });
                assert!(!errors.iter().any(|error| error.contains("Unknown option")), "{option}: {errors:?}");
            }
        }
    }

    #[test]
    fn an_unknown_option_refuses_its_section() {
        let (config, errors) = load(&global(&[("write_timeout", "6"), ("Write_Timout", "7")]));
        assert_eq!(config, Config::default());
        assert_eq!(errors[0], "chan_websocket.conf: Unknown option Write_Timout in [global]");
        assert_eq!(errors.len(), 2);
        let (last_good, _) = load(&global(&[]));
        assert_eq!(reload(&global(&[("proxy_host", "p:1")]), Some(&last_good)).0, last_good);
    }

    #[test]
    fn a_slip_of_the_pen_lets_nobody_in_who_was_kept_out() {
        let (config, errors) = load(&global(&[
            ("incoming_deny", "0.0.0.0/0"),
            ("incoming_require_tls", "yes"),
            ("incoming_origins", "https://a.example"),
            ("write_timout", "6"),
        ]));
        assert_eq!(config.settings.incoming_acl.len(), 1);
        assert!(config.settings.incoming_require_tls);
        assert_eq!(config.settings.incoming_origins, ["https://a.example"]);
        assert_eq!(errors.len(), 2);
    }

    #[test]
    fn levels_must_fit_together() {
        let rows = [
            ("xon is xoff", "900", "900", "1000"),
            ("xon above xoff", "901", "900", "1000"),
            ("xoff above max", "800", "1001", "1000"),
            ("max alone too low", "800", "900", "899"),
        ];
        for (name, xon, xoff, max) in rows {
            let file = global(&[("queue_xon", xon), ("queue_xoff", xoff), ("queue_max", max)]);
            let (config, errors) = load(&file);
            let expected = format!(
                "chan_websocket.conf: Invalid levels in [global]: queue_xon {xon}, queue_xoff {xoff}, queue_max \
                 {max}. Must be queue_xon < queue_xoff <= queue_max"
            );
            assert_eq!(errors[0], expected, "{name}");
            assert_eq!(config.settings, Settings::default(), "{name}");
        }
    }

    /// A row of a table: what is tried, the section's name, what is in it, the error.
    type SectionRow =
        (&'static str, &'static str, &'static [(&'static str, &'static str)], Option<&'static str>);

    #[test]
    fn which_section_is_what() {
        const JSON: (&str, &str) = ("control_message_format", "json");
        let rows: [SectionRow; 7] = [
            ("global without type", "global", &[JSON], None),
            ("global with type", "global", &[("type", "global"), JSON], None),
            (
                "global of another type",
                "global",
                &[("type", "client"), JSON],
                Some(
                    "Section [global] has type = client. Must be [global], or have type = connection; ignored",
                ),
            ),
            (
                "another name with type global",
                "main",
                &[("type", "global"), JSON],
                Some(
                    "Section [main] has type = global. Must be [global], or have type = connection; ignored",
                ),
            ),
            (
                "another case",
                "Global",
                &[JSON],
                Some("Section [Global] has no type. Must be [global], or have type = connection; ignored"),
            ),
            (
                "no type",
                "conn1",
                &[("proxy_host", "p:1")],
                Some("Section [conn1] has no type. Must be [global], or have type = connection; ignored"),
            ),
            (
                "a websocket_client in the wrong file",
                "conn1",
                &[("type", "websocket_client"), ("uri", "ws://x")],
                Some(
                    "Section [conn1] has type = websocket_client. Must be [global], or have type = connection; \
                      ignored",
                ),
            ),
        ];
        for (name, section_name, variables, error) in rows {
            let (config, errors) = load(&ConfigFile { sections: vec![section(section_name, variables)] });
            let is_json = config.settings.control_message_format == ControlMessageFormat::Json;
            assert_eq!(is_json, error.is_none(), "{name}");
            assert!(config.connections.is_empty(), "{name}");
            let expected: Vec<String> =
                error.iter().map(|error| format!("chan_websocket.conf: {error}")).collect();
            assert_eq!(errors, expected, "{name}");
        }
    }

    #[test]
    fn a_section_in_error_leaves_the_others_alone() {
        let connection = ("type", "connection");
        let file = ConfigFile {
            sections: vec![
                section(
                    "good",
                    &[connection, ("proxy_host", "proxy.example:3128"), ("proxy_username", "joe")],
                ),
                section("bad", &[connection, ("proxy_host", "proxy.example")]),
                section("global", &[("control_message_format", "json")]),
                section("odd", &[]),
            ],
        };
        let (config, errors) = load(&file);
        assert_eq!(config.settings.control_message_format, ControlMessageFormat::Json);
        assert_eq!(config.connections.keys().collect::<Vec<_>>(), ["good"]);
        assert_eq!(
            errors,
            [
                "chan_websocket.conf: Invalid value 'proxy.example' for proxy_host in [bad]. Must be host:port, or \
                 [IPv6 address]:port",
                "chan_websocket.conf: Section [odd] has no type. Must be [global], or have type = connection; ignored",
                "chan_websocket.conf: [bad] is refused because of these errors; the connection is used without it",
            ]
        );
    }

    #[test]
    fn every_connection_option_is_taken() {
        let variables = [
            ("type", "connection"),
            ("proxy_host", "[::1]:3128"),
            ("proxy_username", "joe"),
            ("proxy_password", "secret"),
            ("enable_pingpongs", "yes"),
            ("pingpong_interval", "5"),
            ("pingpong_probes", "2"),
            ("enable_tcp_keepalives", "no"),
            ("tcp_keepalive_time", "6"),
            ("tcp_keepalive_interval", "7"),
            ("tcp_keepalive_probes", "8"),
            ("handshake_timeout", "900"),
            ("write_timeout", "800"),
        ];
        let file = ConfigFile { sections: vec![section("conn1", &variables)] };
        let (config, errors) = load(&file);
        assert_eq!(errors, [""; 0]);
        let expected = ConnectionSettings {
            proxy_host: Some("[::1]:3128".into()),
            proxy_username: Some("joe".into()),
            proxy_password: Some("secret".into()),
            pings: PingOptions {
                enable: Some(true),
                interval: Some(Duration::from_secs(5)),
                probes: Some(2),
            },
            tcp_keepalives: TcpKeepaliveOptions {
                enable: Some(false),
                time: Some(Duration::from_secs(6)),
                interval: Some(Duration::from_secs(7)),
                probes: Some(8),
            },
            handshake_timeout: Some(Duration::from_millis(900)),
            write_timeout: Some(Duration::from_millis(800)),
        };
        assert_eq!(config.connections["conn1"], expected);
        assert!(!format!("{config:?}").contains("secret"));
    }

    #[test]
    fn a_connection_in_error_keeps_its_last_good_settings() {
        let connection = |timeout| ConfigFile {
            sections: vec![section("conn1", &[("type", "connection"), ("write_timeout", timeout)])],
        };
        let (last_good, _) = load(&connection("5"));
        let (config, errors) = reload(&connection("never"), Some(&last_good));
        assert_eq!(config, last_good);
        assert_eq!(
            errors[1],
            "chan_websocket.conf: [conn1] is refused because of these errors; its last good settings stay"
        );
        assert_eq!(reload(&ConfigFile::default(), Some(&last_good)).0, Config::default());
    }

    /// The sample with every option switched on, read as simply as it is written.
    fn sample() -> ConfigFile {
        let mut file = ConfigFile::default();
        for line in include_str!("../../configs/chan_websocket.conf.sample").lines() {
            let line = line.strip_prefix(';').unwrap_or(line);
            if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                file.sections.push(section(name, &[]));
            } else if let (false, Some((option, value))) = (line.starts_with(' '), line.split_once('=')) {
                let variables = &mut file.sections.last_mut().unwrap().variables;
                variables.push((option.trim().to_owned(), value.trim().to_owned()));
            }
        }
        file
    }

    #[test]
    fn the_sample_names_the_options_and_their_defaults() {
        let (config, errors) = load(&sample());
        assert_eq!(errors, [""; 0]);
        assert_eq!(config.settings.incoming_acl.len(), 3);
        let examples = Settings { incoming_acl: Vec::new(), incoming_origins: Vec::new(), ..config.settings };
        assert_eq!(examples, Settings::default());
        let connection = &config.connections["my-voicebot"];
        assert_eq!(connection.proxy_host.as_deref(), Some("proxy.example.com:3128"));
        assert_eq!((connection.pings.resolve(), connection.tcp_keepalives.resolve()), (None, None));
    }

    #[test]
    fn booleans_are_asterisks() {
        for word in ["yes", "true", "y", "t", "1", "on", "YES", "On"] {
            assert_eq!(parse_boolean(word), Some(true), "{word}");
        }
        for word in ["no", "false", "n", "f", "0", "off", "NO", "Off"] {
            assert_eq!(parse_boolean(word), Some(false), "{word}");
        }
        for word in ["", "2", "ja", "yes "] {
            assert_eq!(parse_boolean(word), None, "{word}");
        }
    }

    proptest! {
        #[test]
        fn any_file_gives_settings_that_make_sense(
            file in proptest::collection::vec(
                (
                    prop_oneof![Just("global".to_owned()), any::<String>()],
                    proptest::collection::vec(
                        (
                            proptest::sample::select(vec![
                                "type", "queue_xon", "queue_xoff", "queue_max", "write_timeout", "proxy_host", "x",
                            ]),
                            prop_oneof!["[0-9]{1,5}", "connection|global|yes", "[a-z:]{0,5}[0-9]{0,3}", any::<String>()],
                        ),
                        0..5,
                    ),
                ),
                0..4,
            ),
        ) {
            let section = |(name, variables): (String, Vec<(&str, String)>)| Section {
                name,
                variables: variables.into_iter().map(|(option, value)| (option.to_owned(), value)).collect(),
            };
            let file = ConfigFile { sections: file.into_iter().map(section).collect() };
            let (config, errors) = parse(FILE, &file, None);
            let Settings { queue_xon, queue_xoff, queue_max, write_timeout, .. } = config.settings;
            prop_assert!(0 < queue_xon && queue_xon < queue_xoff && queue_xoff <= queue_max);
            prop_assert!(!write_timeout.is_zero());
            for error in errors {
                prop_assert!(error.to_string().starts_with("chan_websocket.conf: "));
            }
        }
    }
}
