//! Errors in the file, and which settings are in force instead.

use std::fmt;

use super::{CONNECTION, GLOBAL};

/// An error in the file. Displays as the whole log line, without a line feed; its level is error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The option exists, but the value is not allowed.
    #[error("{file}: Invalid value '{value}' for {option} in [{section}]. Must be {allowed}")]
    InvalidValue {
        /// The file's name.
        file: String,
        /// The section's name.
        section: String,
        /// The option as it is written.
        option: String,
        /// The value in the file.
        value: String,
        /// The allowed values, with their unit.
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
    /// The limit of one call exceeds the limit of all calls.
    #[error(
        "{file}: Invalid queue_bytes {bytes} in [{section}]. Must be at most queue_bytes_total, which is {total} (bytes)"
    )]
    QueueBytes {
        /// The file's name.
        file: String,
        /// The section's name.
        section: String,
        /// Bytes.
        bytes: usize,
        /// Bytes.
        total: usize,
    },
    /// A section that is neither `[global]` nor a connection.
    #[error(
        "{file}: Section [{section}] {}. Must be [{GLOBAL}], or have type = {CONNECTION}; ignored",
        kind_text(.kind.as_deref())
    )]
    UnknownSection {
        /// The file's name.
        file: String,
        /// The section's name.
        section: String,
        /// Its `type`.
        kind: Option<String>,
    },
    /// The file exists, but could not be read.
    #[error("{file}: cannot be read: {why}; {instead}")]
    Unreadable {
        /// The file's name.
        file: String,
        /// The error of the system or of Asterisk's parser.
        why: String,
        /// What is in force in its place.
        instead: Instead,
    },
    /// The consequence for a section with an error; follows the errors.
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

impl ConfigError {
    /// Whether the refused option may have been meant as a rule on who may connect, perhaps under a misspelled name.
    pub(super) fn hides_rule(&self) -> bool {
        match self {
            Self::UnknownOption { option, .. } | Self::InvalidValue { option, .. } => may_be_rule(option),
            _ => false,
        }
    }
}

/// Whether an option of this name may have been meant as a rule on who may connect.
pub(super) fn may_be_rule(option: &str) -> bool {
    const WORDS: [&str; 8] = ["incom", "acl", "permit", "deny", "allow", "origin", "require", "access"];
    const OTHERS: [&str; 3] = ["incoming_timeout", "incoming_reconnect", "allow_untested_version"];
    let option = option.to_ascii_lowercase();
    !OTHERS.contains(&option.as_str()) && WORDS.iter().any(|word| option.contains(word))
}

/// Which settings are in force instead of a refused section or file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instead {
    /// The section's previous settings.
    LastGood,
    /// The previous configuration, if the whole file is refused.
    LastGoodFile,
    /// The defaults and the rules that were understood, but no client may connect.
    Closed,
    /// The defaults, with the valid access checks of the section.
    Defaults,
    /// Nothing: without the section, calls would go out without their token, or to another server.
    NoCalls,
}

impl fmt::Display for Instead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LastGood => "its last good settings stay",
            Self::LastGoodFile => "the last good configuration stays",
            Self::Closed => {
                "the defaults are in force, and nobody may connect to INCOMING channels, for it is not known who may"
            }
            Self::Defaults => "the defaults are in force, but for its access checks that are valid",
            Self::NoCalls => "its client cannot be called",
        })
    }
}

fn kind_text(kind: Option<&str>) -> String {
    kind.map_or_else(|| "has no type".to_owned(), |kind| format!("has type = {kind}"))
}
