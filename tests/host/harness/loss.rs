//! Checks whether an instance of Asterisk still serves: it may hang or end.

use std::fmt;
use std::io;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::ari::{USER, agent, encoded};
use super::asterisk::Asterisk;
use super::wait;

/// Why an instance does not serve any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// The process is running, but it does not answer.
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
    /// All that helps to find the cause.
    pub text: String,
    /// It did not stop, or it crashed before or while it did.
    pub lost: Option<Loss>,
}

impl fmt::Display for Unclean {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// How long an instance may take for an answer. If it is only slow, its test loses one run.
const ANSWER: Duration = Duration::from_secs(10);

/// How long a process whose servers have stopped may take to end.
const END: Duration = Duration::from_secs(2);

impl Loss {
    /// Asks an instance whether it still serves: it has to run a CLI command, make an INCOMING channel and hang that
    /// up. Each of the three may take [`ANSWER`].
    pub fn of(asterisk: &Asterisk) -> Option<Self> {
        match asterisk.try_cli_within(ANSWER, "core show channels count") {
            Ok(answer) if answer.contains("active channel") => match probe(asterisk) {
                Probe::Answered => None,
                // Without its HTTP server it may still be all right.
                Probe::Refused => wait::poll(END, || asterisk.exit_status()).map(Self::Ended),
                Probe::Silent => Some(Self::Hung),
            },
            Err(err) if matches!(err.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                Some(Self::Hung)
            }
            Ok(_) | Err(_) => {
                Some(wait::poll(END, || asterisk.exit_status()).map_or(Self::Hung, Self::Ended))
            }
        }
    }
}

/// The result of the requests of [`Loss::of`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Probe {
    /// Every request was answered, with whatever status.
    Answered,
    /// No connection, or it ended.
    Refused,
    /// No answer in time.
    Silent,
}

/// Makes an INCOMING channel and hangs it up, with separate requests.
fn probe(asterisk: &Asterisk) -> Probe {
    static PROBES: AtomicU32 = AtomicU32::new(0);
    let agent = agent(ANSWER);
    let root = format!("http://{}{}/channels", asterisk.http, asterisk.path("ari"));
    let id = format!("probe-{}", PROBES.fetch_add(1, Ordering::Relaxed));
    let endpoint = encoded("WebSocket/INCOMING/c(ulaw)");
    let target = format!("channelId={id}&endpoint={endpoint}&context=harness&extension=wait");
    let made = agent.post(format!("{root}?api_key={USER}:{USER}&{target}")).send_empty();
    let ended = made.and_then(|_| agent.delete(format!("{root}/{id}?api_key={USER}:{USER}")).call());
    match ended {
        Ok(_) => Probe::Answered,
        Err(ureq::Error::Timeout(_)) => Probe::Silent,
        Err(_) => Probe::Refused,
    }
}
