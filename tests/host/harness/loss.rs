//! Whether an instance of Asterisk still serves: it may hang or end.

use std::fmt;
use std::io;
use std::process::ExitStatus;

use super::ari;
use super::asterisk::Asterisk;

/// Why an instance serves no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// The process is there, but it does not answer.
    Hung,
    /// The process has ended.
    Ended(ExitStatus),
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hung => f.write_str("hung"),
            Self::Ended(status) => write!(f, "ended by itself ({status})"),
        }
    }
}

/// What was wrong with an instance when it was stopped.
#[derive(Debug)]
pub struct Unclean {
    /// All that helps to understand it.
    pub text: String,
    /// It did not stop, or it crashed before or while it did.
    pub lost: Option<Loss>,
}

impl fmt::Display for Unclean {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Loss {
    /// Asks an instance whether it still serves: it makes an INCOMING channel, hangs it up and runs a CLI command. Each of
    /// the three may take [`PATIENCE`].
    pub fn of(asterisk: &Asterisk) -> Option<Self> {
        if let Some(status) = asterisk.exit_status() {
            return Some(Self::Ended(status));
        }
        if ari::is_answering(asterisk) && is_cli_answering(asterisk) {
            return None;
        }
        Some(asterisk.exit_status().map_or(Self::Hung, Self::Ended))
    }
}

fn is_cli_answering(asterisk: &Asterisk) -> bool {
    let timed_out =
        |err: &io::Error| matches!(err.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut);
    !asterisk.try_cli("core show channels count").is_err_and(|err| timed_out(&err))
}
