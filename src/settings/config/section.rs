//! Reading one section: its type, and its options one by one.

use super::Section;
use super::config_error::ConfigError;
use super::option::Fault;

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

    /// Hands every option, in lower case as Asterisk does not mind the case, and its value to `set`.
    pub(super) fn read(&self, mut set: impl FnMut(&str, &str) -> Result<(), Fault>) -> Vec<ConfigError> {
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
