//! Outgoing calls: from the name of a server to an open WebSocket.
//!
//! One thread connects for all calls (`scheduler`): every socket is non-blocking and every wait is a timer, so that
//! five hundred silent servers cost five hundred timers. What may block runs on helper threads (`helpers`):
//! settings that are read from a database, the files of TLS, and name look-ups (`lookup`). A call's `attempts` try the
//! host's addresses in turn; an `opening` is one of those connections, through TCP, `proxy`, `tls` and the upgrade. A
//! call that is cancelled leaves its server in order, see `cancelled_attempt`.
//!
//! | bounded by | what |
//! | --- | --- |
//! | `connection_timeout` | the TCP connect to each address |
//! | `handshake_timeout` | name look-up, proxy, TLS and upgrade of an attempt together |
//! | [`SETTINGS_TIMEOUT`] | reading the settings |

mod attempts;
mod budget;
mod cancelled_attempt;
mod check_report;
mod connect_error;
mod counters;
mod jitter;
mod lookup;
mod observer;
mod opening;
mod partial_write;
mod promise;
pub(crate) mod proxy;
mod retry_after;
mod scheduler;
mod timers;
mod tls;

#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use self::lookup::Lookups;
use self::promise::Settled;
use self::scheduler::{JobId, Mailbox, News, Scheduler};
use super::transport::Transport;
use super::watchdog::WatchedThread;
use crate::net::helpers::Helpers;
use crate::settings::client::{ClientSettings, TargetUri};

pub use self::check_report::{CheckReport, CheckResult, verdict};
pub use self::connect_error::{ConnectError, Failure, Phase};
pub use self::counters::ConnectorStats;
pub use self::jitter::jitter;
pub use self::lookup::{Resolve, SystemResolver};
pub use self::observer::{ConnectStep, OnStep};
pub use self::opening::set_tcp_keepalives;
pub use self::proxy::ProxyError;
pub use self::tls::{TlsConnector, TlsContext, TlsHandshake, TlsProgress};

/// Reading the settings may take this long: a database that does not answer must not hold a call forever.
pub const SETTINGS_TIMEOUT: Duration = Duration::from_secs(10);

/// Name look-ups at the same time.
const MAX_RESOLVERS: usize = 64;

/// Settings read at the same time. Threads of their own, so that slow name servers do not hold up calls to addresses.
const MAX_SETTINGS_READERS: usize = 16;

/// How long [`Connector::stop`] waits for helper threads that are at work.
const STOP_GRACE: Duration = Duration::from_secs(1);

/// Where a call goes and how, as read at call time.
#[derive(Debug, Clone)]
pub struct Destination {
    /// The client's settings.
    pub client: ClientSettings,
    /// Its URI, with this call's parameters.
    pub target: TargetUri,
}

/// How the connector gets a call's [`Destination`].
pub enum ConnectSettings {
    /// The caller had it in memory, or an error for the log. Needs no helper thread.
    Known(Result<Box<Destination>, String>),
    /// It has to be read first.
    Read(SettingsFn),
}

impl ConnectSettings {
    /// Whether nothing has to be read, neither settings nor the files of TLS.
    pub(super) fn are_at_hand(&self) -> bool {
        match self {
            Self::Known(destination) => !destination.as_ref().is_ok_and(|known| known.target.tls),
            Self::Read(_) => false,
        }
    }

    /// May block, unless they are at hand.
    pub(super) fn read(self) -> Result<Destination, String> {
        match self {
            Self::Known(destination) => destination.map(|known| *known),
            Self::Read(read) => read(),
        }
    }
}

/// Reads the settings of one call. Runs once, on a helper thread, where it may block (realtime databases); must own
/// what it touches.
pub type SettingsFn = Box<dyn FnOnce() -> Result<Destination, String> + Send>;

/// Takes the result of one job. Runs on the connector's thread: must not block, and must not call
/// [`Connector::stop`].
pub type OnDone = Box<dyn FnOnce(Result<Connected, ConnectError>) + Send>;

/// A websocket_client that is tried when those before it have failed.
pub struct Fallback {
    /// Its name.
    pub client: String,
    /// Read when its turn comes.
    pub settings: SettingsFn,
}

/// One call to be connected.
pub struct ConnectJob {
    /// The name of the websocket_client.
    pub client: String,
    /// Where it goes; an error's text goes into the log as it is.
    pub settings: ConnectSettings,
    /// Tried in turn when all attempts before have failed.
    pub fallbacks: Vec<Fallback>,
    /// Makes TLS for `wss`.
    pub tls: Arc<dyn TlsConnector>,
    /// Called once with the result, unless the job is cancelled first: then never.
    pub on_done: OnDone,
    /// The channel's name, for log lines.
    pub label: String,
    /// One of many attempts after a loss: failures are logged at the level debug.
    pub again: bool,
    /// Called with each step. It makes the job a check: a WebSocket that opens is closed with 1000 as soon as `on_done`
    /// has returned, and may not be used; totals do not count it.
    pub on_step: Option<OnStep>,
}

/// An open WebSocket.
pub struct Connected {
    /// The non-blocking stream under it, in no epoll any more. TLS may hold bytes that epoll does not see: read first.
    pub transport: Arc<dyn Transport>,
    /// Bytes that the server sent right after its 101: the first bytes of the WebSocket.
    pub leftover: Vec<u8>,
    /// The subprotocol that the server chose of the offered ones; `None` if it chose none.
    pub subprotocol: Option<String>,
    /// The other end of the TCP connection: the server, or the proxy.
    pub peer: SocketAddr,
    /// The name of the websocket_client: a fallback's, if that one is connected.
    pub client: String,
    /// As read for this call.
    pub settings: ClientSettings,
}

impl fmt::Debug for Connected {
    /// Without the settings and what was received.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connected")
            .field("transport", &self.transport)
            .field("leftover_bytes", &self.leftover.len())
            .field("subprotocol", &self.subprotocol)
            .field("peer", &self.peer)
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}

/// The caller's end of a job. Dropped, it cancels.
#[must_use = "dropped, it cancels the job"]
pub struct ConnectHandle {
    id: JobId,
    mailbox: Arc<Mailbox>,
    settled: Arc<Settled>,
}

impl ConnectHandle {
    /// Ends the job at once, whatever it is doing. The connector's thread closes the connection within a few seconds.
    /// Never blocks.
    ///
    /// `true`: `on_done` has not been called and never will be. `false`: it has been, is being called at this moment,
    /// or the job was cancelled before.
    pub fn cancel(&self) -> bool {
        let cancelled = self.settled.claim();
        if cancelled {
            self.mailbox.post(News::Cancelled(self.id));
        }
        cancelled
    }
}

impl Drop for ConnectHandle {
    fn drop(&mut self) {
        self.cancel();
    }
}

impl fmt::Debug for ConnectHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConnectHandle({})", self.id.0)
    }
}

/// What [`Connector::stop`] left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StopReport {
    /// Helper threads that hang in a name look-up (or in reading settings). They own all that they touch, their
    /// result is dropped, and they end by themselves.
    pub abandoned: usize,
}

/// Connects outgoing calls, on a separate thread.
pub struct Connector {
    mailbox: Arc<Mailbox>,
    next_id: AtomicUsize,
    settings: Helpers,
    resolvers: Helpers,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Connector {
    /// Starts the thread, named `name` (`ws-connector`; at most 15 bytes show). It and all helper threads, which it
    /// starts on demand, have the signal mask of the caller.
    ///
    /// # Errors
    /// No thread, or no descriptors.
    pub fn start(name: &str) -> io::Result<Self> {
        Self::start_with(name, Arc::new(SystemResolver), SETTINGS_TIMEOUT)
    }

    /// As [`Connector::start`], with another resolver and another limit for reading the settings.
    ///
    /// # Errors
    /// No thread, or no descriptors.
    pub fn start_with(
        name: &str,
        resolver: Arc<dyn Resolve>,
        settings_timeout: Duration,
    ) -> io::Result<Self> {
        let settings = Helpers::new("ws-settings", MAX_SETTINGS_READERS);
        let resolvers = Helpers::new("ws-resolver", MAX_RESOLVERS);
        let (poll, mailbox) = Scheduler::mailbox(name)?;
        let lookups = Lookups::new(resolvers.clone(), resolver, mailbox.clone());
        let scheduler = Scheduler::new(poll, mailbox.clone(), settings.clone(), settings_timeout, lookups);
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || scheduler.run())?;
        let (next_id, thread) = (AtomicUsize::new(1), Mutex::new(Some(thread)));
        Ok(Self { mailbox, next_id, settings, resolvers, thread })
    }

    /// Takes on a job. Any thread may call this; it never blocks.
    ///
    /// `on_done` is called exactly once, on the connector's thread, unless [`ConnectHandle::cancel`] comes first or
    /// the connector was stopped before: then never.
    pub fn connect(&self, job: ConnectJob) -> ConnectHandle {
        let id = JobId(self.next_id.fetch_add(1, Ordering::Relaxed));
        let settled = Arc::<Settled>::default();
        let label = job.label.clone();
        if !self.mailbox.post(News::Job(id, job, settled.clone())) {
            log::error!("{label}: not connected: the connector was stopped");
        }
        ConnectHandle { id, mailbox: self.mailbox.clone(), settled }
    }

    /// Totals, and what it is doing now. Any thread.
    pub fn stats(&self) -> ConnectorStats {
        self.mailbox.counters.stats(self.resolvers.live(), self.settings.live())
    }

    /// For the watchdog.
    pub fn watched(&self) -> Arc<dyn WatchedThread> {
        self.mailbox.clone()
    }

    /// Ends all jobs with [`Failure::Stopped`] and joins all threads, except helper threads that still hang after a
    /// second. Not to be called from `on_done`. A second call does nothing more.
    pub fn stop(&self) -> StopReport {
        self.mailbox.post(News::Stop);
        if let Some(thread) = self.thread.lock().take()
            && thread.join().is_err()
        {
            log::error!("The connector's thread panicked");
        }
        let deadline = Instant::now() + STOP_GRACE;
        StopReport { abandoned: self.settings.close(deadline).saturating_add(self.resolvers.close(deadline)) }
    }
}

impl Drop for Connector {
    fn drop(&mut self) {
        self.stop();
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").finish_non_exhaustive()
    }
}
