//! What lives from load to unload: threads, configuration, and the books about all calls. `C` is a call.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::RwLock;

use super::access::Acl;
use super::config_file;
use super::notifier::Notifier;
use crate::call::books::Books;
use crate::call::debug::DebugSettings;
use crate::call::jobs::{HasJobs, JobQueue};
use crate::call::module_report::ModuleReport;
use crate::call::played_by::PlayerTurn;
use crate::call::totals::Refusals;
use crate::mono_time::MonoTime;
use crate::net::connector::Connector;
use crate::net::helpers::Helpers;
use crate::net::players::Players;
use crate::net::reactor::Reactors;
use crate::net::watchdog::{Patience, Watchdog};
use crate::playout::overflow::QueuedBytes;
use crate::report::direct_bridge::NotDirect;
use crate::settings::config::{AclRule, AclSense, Config};
use crate::tls::OpenSslConnector;

/// More reactors than this have nothing to do on the machines that carry calls.
const MAX_DEFAULT_REACTORS: usize = 4;

/// The number of cores per player, and the most players: a turn takes a few microseconds.
const CORES_PER_PLAYER: usize = 2;
const MAX_PLAYERS: usize = 4;

/// How many transfers run at once; more wait. A transfer takes a moment, unless a lock of the core's is stuck.
const MAX_TRANSFERS: usize = 16;
/// How long the end of the module waits for transfers. None run then, because each keeps the module loaded.
const TRANSFERS_END: Duration = Duration::from_secs(1);

/// The name of the threads for transfers.
pub(crate) const TRANSFER_THREAD: &str = "ws-transfer";

/// The running module.
pub(crate) struct Services<C: HasJobs> {
    pub(crate) reactors: Reactors,
    pub(crate) connector: Connector,
    pub(crate) jobs: JobQueue<C>,
    pub(crate) notifier: Notifier,
    /// Threads for transfers, each of which may wait for locks of the core's.
    pub(crate) transfers: Helpers,
    /// The threads that play media in direct bridges.
    pub(crate) players: Players<PlayerTurn<C>>,
    watchdog: Watchdog,
    /// Trust stores and certificates for outgoing calls.
    pub(crate) tls: Arc<OpenSslConnector>,
    config: RwLock<Arc<Config>>,
    acl: RwLock<CurrentAcl>,
    /// How many ACLs were begun.
    acls: AtomicU64,
    /// The calls, and what remains of those that are over.
    pub(crate) books: Books<C>,
    /// Requests to connect that got no 101.
    pub(crate) refusals: Refusals,
    requests_failed: AtomicU64,
    /// The bytes that wait in all calls whose media is not dropped.
    pub(crate) queued_bytes: Arc<QueuedBytes>,
    /// Frames of direct bridges that found their channel locked, so that their call is not known.
    frames_locked: AtomicU64,
    /// The core lets no digit be shorter. It reads asterisk.conf once, when it starts.
    pub(crate) shortest_digit: Duration,
    /// What `websocket set debug` asked for.
    pub(crate) debug: Arc<DebugSettings>,
}

/// The ACL in force.
struct CurrentAcl {
    /// Which ACL this is, in the order in which they were begun.
    number: u64,
    acl: Arc<Acl>,
}

impl<C: HasJobs> Services<C> {
    /// Starts all our threads. Signals are for the core's threads: the caller has blocked them for the threads that
    /// start here. `take_turn` is what a player does when a call's turn has come.
    ///
    /// # Errors
    /// Out of threads or descriptors.
    pub(super) fn start(config: Config, take_turn: fn(PlayerTurn<C>, MonoTime)) -> io::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let reactor_threads = match config.settings.reactor_threads {
            0 => cores.min(MAX_DEFAULT_REACTORS),
            configured => configured,
        };
        let reactors = Reactors::start(reactor_threads, config.settings.coalesce_reads)?;
        let connector = Connector::start("ws-connector")?;
        let jobs = JobQueue::start()?;
        let notifier = Notifier::start()?;
        let players = Players::start(cores.div_ceil(CORES_PER_PLAYER).min(MAX_PLAYERS), || take_turn)?;
        let others = [connector.watched(), jobs.watched(), notifier.watched()];
        let watched = reactors.watched().chain(players.watched()).chain(others).collect();
        Ok(Self {
            watchdog: Watchdog::start(watched, Patience::default())?,
            reactors,
            connector,
            jobs,
            notifier,
            players,
            transfers: Helpers::new(TRANSFER_THREAD, MAX_TRANSFERS),
            tls: Arc::default(),
            acl: RwLock::new(CurrentAcl { number: 0, acl: Arc::new(Acl::new(&config.settings)) }),
            acls: AtomicU64::new(0),
            config: RwLock::new(Arc::new(config)),
            books: Books::default(),
            refusals: Refusals::default(),
            requests_failed: AtomicU64::new(0),
            queued_bytes: Arc::default(),
            frames_locked: AtomicU64::new(0),
            shortest_digit: config_file::shortest_digit(),
            debug: Arc::default(),
        })
    }

    /// Stops everything: no call is up any more, connections in their close handshake are dropped, threads are joined.
    pub(super) fn stop(&self) {
        // Each is stopped after those that give it work.
        self.watchdog.stop();
        self.transfers.close(Instant::now() + TRANSFERS_END);
        self.connector.stop();
        self.reactors.stop();
        self.players.stop();
        self.jobs.stop();
        self.notifier.stop();
    }

    /// The configuration for new calls.
    pub(crate) fn config(&self) -> Arc<Config> {
        self.config.read().clone()
    }

    /// Replaces the configuration; calls that are up keep theirs.
    pub(crate) fn set_config(&self, config: Config) {
        *self.config.write() = Arc::new(config);
        self.renew_acl();
    }

    /// acl.conf has changed.
    pub(crate) fn named_acls_changed(&self) {
        let names_any = |rule: &AclRule| rule.sense == AclSense::Acl;
        if self.config().settings.incoming_acl.iter().any(names_any) {
            log::info!("acl.conf has changed: incoming_acl is read again");
            self.renew_acl();
        }
    }

    /// Makes a new ACL. If several threads do so at the same time, the last to begin wins: it has seen every change
    /// that the others were told of.
    fn renew_acl(&self) {
        let number = self.acls.fetch_add(1, Ordering::AcqRel) + 1;
        let acl = Arc::new(Acl::new(&self.config().settings));
        let mut current = self.acl.write();
        if current.number < number {
            *current = CurrentAcl { number, acl };
        }
    }

    /// The ACL for INCOMING channels.
    pub(crate) fn acl(&self) -> Arc<Acl> {
        self.acl.read().acl.clone()
    }

    /// Counts a request that got no channel.
    pub(crate) fn count_failed_request(&self) {
        self.requests_failed.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a frame of a direct bridge that went through its channel's thread, because the channel was locked.
    pub(crate) fn count_locked_frame(&self) {
        self.frames_locked.fetch_add(1, Ordering::Relaxed);
    }

    /// The module's state now, with totals of all its calls so far.
    pub(crate) fn report(&self) -> ModuleReport {
        let mut calls = self.books.summary();
        let frames_locked = self.frames_locked.load(Ordering::Relaxed);
        calls.totals.traffic.count_not_direct(NotDirect::Locked, frames_locked);
        ModuleReport {
            calls,
            requests_failed: self.requests_failed.load(Ordering::Relaxed),
            refused: self.refusals.all(),
            connector: self.connector.stats(),
            reactors: self.reactors.connections(),
            queued_bytes: self.queued_bytes.get(),
            jobs_waiting: self.jobs.waiting(),
            notifications_dropped: self.notifier.untold(),
            threads_stuck: self.watchdog.stuck(),
        }
    }

    /// Adds a new call to the books.
    pub(crate) fn enter(&self, call: &Arc<C>) {
        // Counted first: a call that ends at once is subtracted again.
        self.watchdog.count_call();
        self.books.enter(call);
        self.jobs.watch_incoming(call);
    }

    /// The call is over: its connection id is unknown from now on.
    pub(crate) fn forget(&self, call: &C) {
        self.jobs.unwatch_incoming(call);
        if self.books.forget(call) {
            self.watchdog.forget_call();
        }
    }
}
