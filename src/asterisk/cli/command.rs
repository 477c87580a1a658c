//! What a CLI command is.

use std::ffi::CStr;

use crate::asterisk::driver::Driver;

/// One command: what it is called, what it prints.
pub(super) struct CliCommand {
    /// As the core matches it: `{a|b}` is one of these words, which it completes itself.
    pub(super) command: &'static CStr,
    pub(super) summary: &'static CStr,
    pub(super) usage: &'static CStr,
    /// Words before the arguments.
    pub(super) words: usize,
    pub(super) run: fn(&Driver, &[String]) -> Outcome,
    /// What the word behind these arguments may be; the third is what is there of it. The caller filters.
    pub(super) complete: fn(&Driver, &[String], &str) -> Vec<String>,
}

/// What came of a command.
pub(super) enum Outcome {
    Text(String),
    /// Printed, too.
    Failure(String),
    /// The arguments are none of this command's.
    Usage,
}
