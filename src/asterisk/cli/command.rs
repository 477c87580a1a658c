//! What a CLI command is.

use std::ffi::CStr;

use crate::asterisk::driver::Driver;

/// One command: its name, and what it prints.
pub(super) struct CliCommand {
    /// As the core matches it: `{a|b}` is one of these words, which it completes itself.
    pub(super) command: &'static CStr,
    pub(super) summary: &'static CStr,
    pub(super) usage: &'static CStr,
    /// Words before the arguments.
    pub(super) words: usize,
    pub(super) run: fn(&Driver, &[String]) -> Outcome,
    /// Candidates for the word after these arguments; the third parameter is the part of it that is there. The caller
    /// filters.
    pub(super) complete: fn(&Driver, &[String], &str) -> Vec<String>,
}

/// The result of a command.
pub(super) enum Outcome {
    Text(String),
    /// Printed, too.
    Failure(String),
    /// The arguments do not fit the command.
    Usage,
}
