//! chan_websocket.conf: its options, their units, ranges and defaults.
//!
//! The host reads the file, at load and on reload. All settings apply to calls made after a reload,
//! except [`Settings::reactor_threads`] and [`Settings::coalesce_reads`], which are read at load only, and
//! [`Settings::direct_bridge`], which applies to bridges that are made or change after the reload. Called from the
//! thread that loads or reloads the module.

mod config_error;
mod connection;
mod connections;
mod global;
mod listing;
mod liveness;
mod media_options;
mod option;
mod section;
mod settings;
mod value;

#[cfg(test)]
mod tests;

use std::collections::HashMap;

pub use self::config_error::{ConfigError, Instead};
pub use self::connection::{ConnectionSettings, connection_options};
pub use self::global::{allows_untested_version, global_options};
pub use self::liveness::{LivenessOptions, PingOptions, Pings, TcpKeepaliveOptions, TcpKeepalives};
pub use self::media_options::{MediaOptionError, MediaOptions, QueueOverflow};
pub use self::settings::{AclRule, AclSense, Settings};

pub(crate) use self::liveness::{MAX_TCP_PROBES, MAX_TCP_SECONDS};
pub(crate) use self::value::{parse_boolean, text};

use self::config_error::may_be_rule;
use self::connections::Connections;
use self::global::Global;
use self::section::SectionReader;

/// A configuration file as the host has read it (`ast_config_load2`, asterisk/config.h).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConfigFile {
    /// In the order of the file.
    pub sections: Vec<Section>,
}

/// One section of a configuration file; templates are already applied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Section {
    /// The text between the brackets.
    pub name: String,
    /// Names and values in the order of the file.
    pub variables: Vec<(String, String)>,
}

/// The contents of chan_websocket.conf, with defaults for options that it does not set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    /// `[global]`.
    pub settings: Settings,
    /// The sections with `type = connection`, by the name of the websocket_client that they add to.
    pub connections: HashMap<String, ConnectionSettings>,
    /// Why the clients of these names cannot be called: their section has an error, and there is no previous good one.
    pub refused: HashMap<String, String>,
}

impl Config {
    /// The websocket_client of this name and its fallbacks, in the order in which they are tried; each once.
    pub fn with_fallbacks(&self, client: &str) -> Vec<String> {
        let mut clients = vec![client.to_owned()];
        let mut section = self.connections.get(client);
        while let Some(next) = section.and_then(|section| section.fallback.as_ref()) {
            // A last good section and a new one may form a circle that neither file had.
            if clients.contains(next) {
                break;
            }
            clients.push(next.clone());
            section = self.connections.get(next);
        }
        clients
    }

    /// The configuration in force if the file exists but cannot be read: `previous`; at load the defaults, and nobody
    /// may connect. Calls to applications work, without the options that the file adds to a websocket_client, because
    /// these are not known. Also returns the log line.
    pub fn unreadable(file_name: &str, why: String, previous: Option<&Self>) -> (Self, ConfigError) {
        let closed = || {
            let settings = Settings { incoming_closed: true, ..Settings::default() };
            Self { settings, ..Self::default() }
        };
        let config = previous.cloned().unwrap_or_else(closed);
        let instead = if config.settings.incoming_closed { Instead::Closed } else { Instead::LastGoodFile };
        (config, ConfigError::Unreadable { file: file_name.to_owned(), why, instead })
    }
}

const GLOBAL: &str = "global";
const CONNECTION: &str = "connection";

/// Reads `file` and returns its configuration, and the log lines for everything in it that is refused.
///
/// `previous` is the configuration in force until now, `None` at load. An error in `[global]` leaves all previous
/// settings in force. At load it leaves the defaults in force, with the valid `incoming_` checks of the section,
/// because a typing error must not let everybody in. If the error may be in such a check itself, or in its place in the
/// file, everybody is refused ([`Settings::incoming_closed`]). An error in a connection's section leaves that section's
/// previous settings in force; if there are none, its client cannot be called ([`Config::refused`]). If an option is
/// repeated in a section, the last one counts, except for the incoming ACL and the headers, which consist of all their
/// lines in order.
pub fn parse(file_name: &str, file: &ConfigFile, previous: Option<&Config>) -> (Config, Vec<ConfigError>) {
    let mut global = Global::default();
    let mut connections = Connections::default();
    let (mut section_errors, mut hides_rules) = (Vec::new(), false);
    for section in &file.sections {
        let reader = SectionReader { file_name, section };
        match (reader.name(), reader.kind()) {
            (GLOBAL, None | Some(GLOBAL)) => global.read(&reader),
            (_, Some(CONNECTION)) => section_errors.extend(connections.read(&reader)),
            (name, kind) => {
                let (file, kind) = (file_name.to_owned(), kind.map(str::to_owned));
                let error = ConfigError::UnknownSection { file, section: name.to_owned(), kind };
                connections.miss(&reader, &error);
                section_errors.push(error);
                hides_rules |= section.variables.iter().any(|(option, _)| may_be_rule(option));
            }
        }
    }
    if hides_rules || section_errors.iter().any(ConfigError::hides_rule) {
        global.miss_rules(section_errors.drain(..));
    }
    let (settings, mut errors) = global.finish(file_name, previous.map(|config| &config.settings));
    let previous = previous.map(|config| &config.connections);
    let finished = connections.finish(file_name, previous, settings.queue_bytes_total);
    errors.extend(section_errors);
    errors.extend(finished.errors);
    (Config { settings, connections: finished.settings, refused: finished.refused }, errors)
}
