//! A section with `type = connection`, which adds to the websocket_client of its name.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use super::config_error::{ConfigError, Instead};
use super::liveness::{LIVENESS, LivenessOptions};
use super::option::{ConfigOption, Fault, names, option, put, set};
use super::section::SectionReader;
use super::value::{TIMEOUT_MS, boolean, contexts, events_per_second, millis, text};
use crate::settings::client::{PROXY_HOST, parse_proxy_host};
use crate::settings::secrets::HIDDEN;

/// A section with `type = connection`: what it says, and `None` for what it does not say.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ConnectionSettings {
    /// The proxy, as `host:port`.
    pub proxy_host: Option<String>,
    /// User for the proxy.
    pub proxy_username: Option<String>,
    /// Password for the proxy.
    pub proxy_password: Option<String>,
    /// WebSocket pings and TCP keepalives.
    pub liveness: LivenessOptions,
    /// Instead of [`Settings::handshake_timeout`](super::Settings::handshake_timeout).
    pub handshake_timeout: Option<Duration>,
    /// Instead of [`Settings::write_timeout`](super::Settings::write_timeout).
    pub write_timeout: Option<Duration>,
    /// Instead of [`Settings::music_on_hold`](super::Settings::music_on_hold).
    pub music_on_hold: Option<bool>,
    /// Instead of [`Settings::app_events`](super::Settings::app_events).
    pub app_events: Option<bool>,
    /// Instead of [`Settings::app_events_per_second`](super::Settings::app_events_per_second).
    pub app_events_per_second: Option<u32>,
    /// Instead of [`Settings::transfer_contexts`](super::Settings::transfer_contexts).
    pub transfer_contexts: Option<Vec<String>>,
}

impl fmt::Debug for ConnectionSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { proxy_host, proxy_username, proxy_password, liveness, .. } = self;
        f.debug_struct("ConnectionSettings")
            .field("proxy_host", proxy_host)
            .field("proxy_username", proxy_username)
            .field("proxy_password", &proxy_password.as_ref().map(|_| HIDDEN))
            .field("liveness", liveness)
            .field("handshake_timeout", &self.handshake_timeout)
            .field("write_timeout", &self.write_timeout)
            .field("music_on_hold", &self.music_on_hold)
            .field("app_events", &self.app_events)
            .field("app_events_per_second", &self.app_events_per_second)
            .field("transfer_contexts", &self.transfer_contexts)
            .finish()
    }
}

/// The options of such a section alone.
static OPTIONS: [ConfigOption<ConnectionSettings>; 9] = [
    option("proxy_host", |s, v| put(&mut s.proxy_host, proxy_host(v))),
    option("proxy_username", |s, v| put(&mut s.proxy_username, Ok(text(v)))),
    option("proxy_password", |s, v| put(&mut s.proxy_password, Ok(text(v)))),
    option("handshake_timeout", |s, v| put(&mut s.handshake_timeout, millis(v, TIMEOUT_MS).map(Some))),
    option("write_timeout", |s, v| put(&mut s.write_timeout, millis(v, TIMEOUT_MS).map(Some))),
    option("music_on_hold", |s, v| put(&mut s.music_on_hold, boolean(v).map(Some))),
    option("app_events", |s, v| put(&mut s.app_events, boolean(v).map(Some))),
    option("app_events_per_second", |s, v| put(&mut s.app_events_per_second, events_per_second(v).map(Some))),
    option("transfer_contexts", |s, v| put(&mut s.transfer_contexts, contexts(v).map(Some))),
];

/// The options of a section with `type = connection`.
pub fn connection_options() -> impl Iterator<Item = &'static str> {
    names(&OPTIONS).chain(names(&LIVENESS))
}

fn proxy_host(value: &str) -> Result<Option<String>, Fault> {
    if !value.is_empty() && parse_proxy_host(value).is_none() {
        return Err(Fault::Invalid(PROXY_HOST.to_owned()));
    }
    Ok(text(value))
}

impl ConnectionSettings {
    fn set(&mut self, option: &str, value: &str) -> Result<(), Fault> {
        match set(&OPTIONS, self, option, value) {
            Err(Fault::Unknown) => set(&LIVENESS, &mut self.liveness, option, value),
            taken => taken,
        }
    }
}

/// The connections' sections while the file is read.
#[derive(Default)]
pub(super) struct Connections {
    settings: HashMap<String, ConnectionSettings>,
    /// Those with an error in them.
    refused: Vec<String>,
}

impl Connections {
    /// Reads one section.
    pub(super) fn read(&mut self, section: &SectionReader<'_>) -> Vec<ConfigError> {
        let name = section.name();
        let settings = self.settings.entry(name.to_owned()).or_default();
        let errors = section.read(|option, value| settings.set(option, value));
        if !errors.is_empty() && !self.refused.iter().any(|refused| refused == name) {
            self.refused.push(name.to_owned());
        }
        errors
    }

    /// What is in force, now that all sections are read; `previous` is what was until now.
    pub(super) fn finish(
        mut self,
        file_name: &str,
        previous: Option<&HashMap<String, ConnectionSettings>>,
    ) -> (HashMap<String, ConnectionSettings>, Vec<ConfigError>) {
        let mut errors = Vec::new();
        for name in self.refused {
            let last_good = previous.and_then(|connections| connections.get(&name));
            let instead = if last_good.is_some() { Instead::LastGood } else { Instead::Nothing };
            match last_good {
                Some(settings) => self.settings.insert(name.clone(), settings.clone()),
                None => self.settings.remove(&name),
            };
            errors.push(ConfigError::Refused { file: file_name.to_owned(), section: name, instead });
        }
        (self.settings, errors)
    }
}
