//! The token of `Authorization: Bearer` (RFC 6750).

use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use rustix::fs::OFlags;
use zeroize::Zeroizing;

use super::Secret;

/// The allowed form of a token, for messages about an invalid one.
pub(crate) const TOKEN: &str = "a token of RFC 6750: letters, digits, -._~+/, then = (no ${…})";

/// Bytes of the longest token.
const MAX_TOKEN: usize = 16 * 1024;

/// Bytes of a token's file that are read.
const MAX_FILE: usize = MAX_TOKEN * 2;

/// Where a client's token comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bearer {
    /// It is configured.
    Token(Secret),
    /// A file contains the token and nothing else. It is read for each attempt.
    File(PathBuf),
}

/// The text as a token; `None` if it is not one.
pub fn parse_token(text: &str) -> Option<Secret> {
    let token = text.trim_end_matches('=');
    let fits = !token.is_empty()
        && text.len() <= MAX_TOKEN
        && token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte));
    fits.then(|| Secret(text.to_owned()))
}

/// Reads the token from a file, which may contain nothing else but white space around it. May block.
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
    // Larger than what is read: if the buffer had to grow, a copy of the token would stay in memory.
    let mut text = Zeroizing::new(String::with_capacity(MAX_FILE * 2));
    opened.take(MAX_FILE as u64).read_to_string(&mut text).map_err(|err| failed(&err))?;
    parse_token(text.trim()).ok_or_else(|| failed(&format!("it does not have {TOKEN}")))
}
