//! Reading one section: its type, and its options one by one.

use super::Section;
use super::config_error::ConfigError;
use super::option::OptionFault;
use crate::settings::per_call::shown_header;
use crate::settings::secrets::{HIDDEN, uri_for_log};

/// Reads one section.
pub(super) struct SectionReader<'a> {
    pub(super) file_name: &'a str,
    pub(super) section: &'a Section,
}

impl<'a> SectionReader<'a> {
    pub(super) fn name(&self) -> &'a str {
        &self.section.name
    }

    /// Its `type`, if it has one.
    pub(super) fn kind(&self) -> Option<&'a str> {
        let mut variables = self.section.variables.iter().rev();
        variables.find(|(option, _)| is_type(option)).map(|(_, value)| value.trim())
    }

    /// Passes every option and its value to `set`; the option in lower case, because Asterisk ignores the case.
    pub(super) fn read(
        &self,
        mut set: impl FnMut(&str, &str) -> Result<(), OptionFault>,
    ) -> Vec<ConfigError> {
        let mut errors = Vec::new();
        for (option, value) in self.section.variables.iter().filter(|(option, _)| !is_type(option)) {
            let fault = match set(&option.to_ascii_lowercase(), value.trim()) {
                Ok(()) => continue,
                Err(fault) => fault,
            };
            let (file, section) = (self.file_name.to_owned(), self.section.name.clone());
            let option = option.clone();
            errors.push(match fault {
                OptionFault::Unknown => ConfigError::UnknownOption { file, section, option },
                OptionFault::Invalid(allowed) => {
                    let value = shown(&option, value);
                    ConfigError::InvalidValue { file, section, option, value, allowed }
                }
            });
        }
        errors
    }
}

/// The part of an option's value that may be shown in the log.
pub(super) fn shown(option: &str, value: &str) -> String {
    match option.to_ascii_lowercase().as_str() {
        "header" => shown_header(value),
        "bearer_token" | "twilio_auth_token" => HIDDEN.to_owned(),
        "uri" => uri_for_log(value).split('?').next().unwrap_or_default().to_owned(),
        _ => value.to_owned(),
    }
}

fn is_type(option: &str) -> bool {
    option.eq_ignore_ascii_case("type")
}
