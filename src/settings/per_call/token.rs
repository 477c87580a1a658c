//! The token of `Authorization: Bearer` (RFC 6750).

use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use rustix::fs::OFlags;
use zeroize::Zeroizing;

use super::Secret;

/// What a token may be, for messages about what is none.
pub(crate) const TOKEN: &str = "a token of RFC 6750: letters, digits, -._~+/, then = (no ${…})";

/// Bytes of the longest token.
const MAX_TOKEN: usize = 16 * 1024;

/// Bytes of a token's file that are looked at.
const MAX_FILE: usize = MAX_TOKEN * 2;

/// Where a client's token comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bearer {
    /// It is configured.
    Token(Secret),
    /// A file has it, alone. It is read for each attempt.
    File(PathBuf),
}

/// A token; `None` if the text is none.
pub fn parse_token(text: &str) -> Option<Secret> {
    let token = text.trim_end_matches('=');
    let fits = !token.is_empty()
        && text.len() <= MAX_TOKEN
        && token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte));
    fits.then(|| Secret(text.to_owned()))
}

/// The token that a file has, with nothing else in it but white space around it. May block.
///
/// # Errors
/// What is wrong with the file, for the log.
pub fn read_token(file: &PathBuf) -> Result<Secret, String> {
    let failed = |why: &dyn std::fmt::Display| format!("bearer_token_file {}: {why}", file.display());
    // A pipe would keep the thread until a writer comes.
    let nonblock = OFlags::NONBLOCK.bits().cast_signed();
    let opened =
        OpenOptions::new().read(true).custom_flags(nonblock).open(file).map_err(|err| failed(&err))?;
    if !opened.metadata().map_err(|err| failed(&err))?.is_file() {
        return Err(failed(&"it is not a regular file"));
    }
    // As large as what is read, so that no copy stays where it grew.
    let mut text = Zeroizing::new(String::with_capacity(MAX_FILE * 2));
    opened.take(MAX_FILE as u64).read_to_string(&mut text).map_err(|err| failed(&err))?;
    parse_token(text.trim()).ok_or_else(|| failed(&format!("it does not have {TOKEN}")))
}
