//! All sections with `type = connection` together: their dependencies, and the handling of errors.

use std::collections::{BTreeMap, HashMap};

use super::config_error::{ConfigError, Instead};
use super::connection::ConnectionSettings;
use super::section::{SectionReader, shown};

/// The allowed values of `uri`, for a uri with a `${…}` in its host and no uri_hosts.
const HOST_IS_OPEN: &str = "a uri without ${…} in its host, unless uri_hosts says which hosts it may lead to";
const HOSTS_WITHOUT_URI: &str = "left out where there is no uri";
const CIRCLE: &str = "another websocket_client, whose own fallbacks do not lead back here";

/// Options that identify the caller or choose the server. A section that has one of them but no type is probably meant
/// to be a connection's.
const MEANT: [&str; 4] = ["header", "bearer_token", "bearer_token_file", "uri_hosts"];

/// The connections' sections while the file is read.
#[derive(Default)]
pub(super) struct Connections {
    settings: HashMap<String, ConnectionSettings>,
    /// Sections with errors, by name, with their first error.
    refused: BTreeMap<String, ConfigError>,
}

/// The connections, once the file is read.
#[derive(Default)]
pub(super) struct Finished {
    pub(super) settings: HashMap<String, ConnectionSettings>,
    /// Why the clients of these names cannot be called, for the log.
    pub(super) refused: HashMap<String, String>,
    pub(super) errors: Vec<ConfigError>,
}

impl Connections {
    /// Reads one section.
    pub(super) fn read(&mut self, section: &SectionReader<'_>) -> Vec<ConfigError> {
        let name = section.name();
        let settings = self.settings.entry(name.to_owned()).or_default();
        let errors = section.read(|option, value| settings.set(option, value));
        if let Some(first) = errors.first() {
            self.refuse(name, first.clone());
        }
        errors
    }

    /// Records a section without a type, if it may have been meant for a client.
    pub(super) fn miss(&mut self, section: &SectionReader<'_>, error: &ConfigError) {
        let is_meant = |option: &str| MEANT.iter().any(|meant| option.eq_ignore_ascii_case(meant));
        if section.section.variables.iter().any(|(option, _)| is_meant(option)) {
            self.refuse(section.name(), error.clone());
        }
    }

    fn refuse(&mut self, name: &str, error: ConfigError) {
        self.refused.entry(name.to_owned()).or_insert(error);
    }

    /// The connections in force, now that all sections are read; `previous` are those in force until now.
    /// `queue_bytes_total` is the limit of each section's `queue_bytes`.
    pub(super) fn finish(
        mut self,
        file_name: &str,
        previous: Option<&HashMap<String, ConnectionSettings>>,
        queue_bytes_total: usize,
    ) -> Finished {
        let mut errors = self.check(file_name);
        errors.extend(self.more_than(queue_bytes_total, file_name));
        for error in &errors {
            if let ConfigError::InvalidValue { section, .. } | ConfigError::QueueBytes { section, .. } = error
            {
                self.refuse(section, error.clone());
            }
        }
        let mut finished = Finished { errors, ..Finished::default() };
        for (name, error) in std::mem::take(&mut self.refused) {
            let last_good = previous.and_then(|connections| connections.get(&name));
            let instead = if last_good.is_some() { Instead::LastGood } else { Instead::NoCalls };
            match last_good {
                Some(settings) => self.settings.insert(name.clone(), settings.clone()),
                None => {
                    finished.refused.insert(name.clone(), error.to_string());
                    self.settings.remove(&name)
                }
            };
            finished.errors.push(ConfigError::Refused { file: file_name.to_owned(), section: name, instead });
        }
        finished.settings = self.settings;
        finished
    }

    /// Contradictions, in the order of the sections' names.
    fn check(&self, file_name: &str) -> Vec<ConfigError> {
        let sections: BTreeMap<_, _> = self.settings.iter().collect();
        let faults = sections.into_iter().flat_map(|(name, settings)| {
            let faults = [open_host(settings), hosts_alone(settings), self.circle(name, settings)];
            faults.into_iter().flatten().map(move |fault| (name, fault))
        });
        faults
            .map(|(section, (option, value, allowed))| ConfigError::InvalidValue {
                file: file_name.to_owned(),
                section: section.clone(),
                option: option.to_owned(),
                value: shown(option, &value),
                allowed: allowed.to_owned(),
            })
            .collect()
    }

    /// The total may stand after a connection's section, so this is checked at the end.
    fn more_than(&self, queue_bytes_total: usize, file_name: &str) -> Vec<ConfigError> {
        let sections: BTreeMap<_, _> = self.settings.iter().collect();
        let too_much = sections.into_iter().filter_map(|(section, settings)| {
            let bytes = settings.queue_bytes.filter(|bytes| *bytes > queue_bytes_total)?;
            let (file, section) = (file_name.to_owned(), section.clone());
            Some(ConfigError::QueueBytes { file, section, bytes, total: queue_bytes_total })
        });
        too_much.collect()
    }

    fn circle(&self, name: &str, settings: &ConnectionSettings) -> Option<OptionFault> {
        let mut next = settings.fallback.as_ref();
        // A circle that does not include this section is another section's error.
        for _ in 0..=self.settings.len() {
            if next? == name {
                return Some(("fallback", settings.fallback.clone().unwrap_or_default(), CIRCLE));
            }
            next = next.and_then(|next| self.settings.get(next)?.fallback.as_ref());
        }
        None
    }
}

/// An option, its value, and what may be its value.
type OptionFault = (&'static str, String, &'static str);

fn open_host(settings: &ConnectionSettings) -> Option<OptionFault> {
    let uri = settings.uri.as_ref().filter(|uri| uri.has_expressions_in_host())?;
    settings.uri_hosts.is_none().then(|| ("uri", uri.to_string(), HOST_IS_OPEN))
}

fn hosts_alone(settings: &ConnectionSettings) -> Option<OptionFault> {
    let hosts = settings.uri_hosts.as_ref()?;
    settings.uri.is_none().then(|| ("uri_hosts", hosts.to_string(), HOSTS_WITHOUT_URI))
}
