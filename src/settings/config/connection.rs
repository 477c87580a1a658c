//! A section with `type = connection`, which adds to the websocket_client of its name.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use super::config_error::{ConfigError, Instead};
use super::liveness::{LIVENESS, LivenessOptions};
use super::media_options::{MEDIA, MediaOptions};
use super::option::{ConfigOption, Fault, names, option, put, set};
use super::section::SectionReader;
use super::value::{QUEUE_BYTES, TIMEOUT_MS, millis, size, text};
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
    /// Instead of [`Settings::queue_bytes`](super::Settings::queue_bytes).
    pub queue_bytes: Option<usize>,
    /// Settings of calls' media.
    pub media: MediaOptions,
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
            .field("queue_bytes", &self.queue_bytes)
            .field("media", &self.media)
            .finish()
    }
}

/// The options of such a section alone.
static OPTIONS: [ConfigOption<ConnectionSettings>; 6] = [
    option("proxy_host", |s, v| put(&mut s.proxy_host, proxy_host(v))),
    option("proxy_username", |s, v| put(&mut s.proxy_username, Ok(text(v)))),
    option("proxy_password", |s, v| put(&mut s.proxy_password, Ok(text(v)))),
    option("handshake_timeout", |s, v| put(&mut s.handshake_timeout, millis(v, TIMEOUT_MS).map(Some))),
    option("write_timeout", |s, v| put(&mut s.write_timeout, millis(v, TIMEOUT_MS).map(Some))),
    option("queue_bytes", |s, v| put(&mut s.queue_bytes, size(v, QUEUE_BYTES, "bytes").map(Some))),
];

/// The options of a section with `type = connection`.
pub fn connection_options() -> impl Iterator<Item = &'static str> {
    names(&OPTIONS).chain(names(&MEDIA)).chain(names(&LIVENESS))
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
            Err(Fault::Unknown) => {}
            taken => return taken,
        }
        match set(&MEDIA, &mut self.media, option, value) {
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

    /// What is in force, now that all sections are read; `previous` is what was until now. `queue_bytes_total` bounds what
    /// each may let wait.
    pub(super) fn finish(
        mut self,
        file_name: &str,
        previous: Option<&HashMap<String, ConnectionSettings>>,
        queue_bytes_total: usize,
    ) -> (HashMap<String, ConnectionSettings>, Vec<ConfigError>) {
        let mut errors = self.refuse_more_than(queue_bytes_total, file_name);
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

    /// The total may stand behind the connection's section, so this is checked at the end.
    fn refuse_more_than(&mut self, queue_bytes_total: usize, file_name: &str) -> Vec<ConfigError> {
        let mut errors = Vec::new();
        for (name, settings) in &self.settings {
            let Some(bytes) = settings.queue_bytes.filter(|bytes| *bytes > queue_bytes_total) else {
                continue;
            };
            let (file, section) = (file_name.to_owned(), name.clone());
            errors.push(ConfigError::QueueBytes { file, section, bytes, total: queue_bytes_total });
            if !self.refused.contains(name) {
                self.refused.push(name.clone());
            }
        }
        errors
    }
}
