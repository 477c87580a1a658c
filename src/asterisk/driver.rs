//! What lives from load to unload: threads, configuration, and the calls that wait for their application.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, RwLock};

use super::access::Acl;
use super::call::{Call, CallRole, TRANSFER_THREAD};
use super::debug::DebugSettings;
use super::jobs::JobQueue;
use super::notifier::Notifier;
use super::totals::{ModuleReport, PerRole, Refusals, Totals, Traffic};
use crate::net::connector::Connector;
use crate::net::helpers::Helpers;
use crate::net::reactor::Reactors;
use crate::net::watchdog::{Patience, Watchdog};
use crate::playout::overflow::QueuedBytes;
use crate::report::direct_bridge::NotDirect;
use crate::settings::config::{AclRule, AclSense, Config};
use crate::tls::OpenSslConnector;

/// More reactors than this have nothing to do on the machines that carry calls.
const MAX_DEFAULT_REACTORS: usize = 4;

/// So many transfers run at once; more wait. One takes a moment, unless a lock of the core's is stuck.
const MAX_TRANSFERS: usize = 16;
/// How long the end of the module waits for them. There are none then, for each keeps the module loaded.
const TRANSFERS_END: Duration = Duration::from_secs(1);

static DRIVER: RwLock<Option<Arc<Driver>>> = RwLock::new(None);

/// The running module.
pub(crate) struct Driver {
    pub(crate) reactors: Reactors,
    pub(crate) connector: Connector,
    pub(crate) jobs: JobQueue,
    pub(crate) notifier: Notifier,
    /// Threads for transfers, each of which may wait for locks of the core's.
    pub(crate) transfers: Helpers,
    watchdog: Watchdog,
    /// Trust stores and certificates for outgoing calls.
    pub(crate) tls: Arc<OpenSslConnector>,
    config: RwLock<Arc<Config>>,
    acl: RwLock<CurrentAcl>,
    /// How often an ACL was begun to be made.
    acls: AtomicU64,
    books: Mutex<Books>,
    /// INCOMING calls by connection id.
    incoming: Mutex<HashMap<String, Arc<Call>>>,
    /// Requests to connect that got no 101.
    pub(crate) refusals: Refusals,
    requests_failed: AtomicU64,
    /// What waits on all calls whose media is not dropped.
    pub(crate) queued_bytes: Arc<QueuedBytes>,
    /// Frames of direct bridges that met a channel's lock, so that it is not known whose they were.
    frames_locked: AtomicU64,
    /// What `websocket set debug` asked for.
    pub(crate) debug: DebugSettings,
}

/// The ACL in force.
struct CurrentAcl {
    /// Counts the making of ACLs.
    number: u64,
    acl: Arc<Acl>,
}

/// The calls, and what remains of those that are over. One lock, so that each call's metrics count once.
#[derive(Default)]
struct Books {
    /// Every call that has a channel, in the order of their channels' numbers.
    calls: BTreeMap<u64, Arc<Call>>,
    totals: Totals,
}

impl Driver {
    /// Starts every thread of ours. Signals are the core's: the caller has blocked them for threads to come.
    ///
    /// # Errors
    /// Out of threads or descriptors.
    pub(crate) fn start(config: Config) -> io::Result<Arc<Self>> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let reactor_threads = match config.settings.reactor_threads {
            0 => cores.min(MAX_DEFAULT_REACTORS),
            configured => configured,
        };
        let reactors = Reactors::start(reactor_threads, config.settings.coalesce_reads)?;
        let connector = Connector::start("ws-connector")?;
        let jobs = JobQueue::start()?;
        let notifier = Notifier::start()?;
        let others = [connector.watched(), jobs.watched(), notifier.watched()];
        let watched = reactors.watched().chain(others).collect();
        let driver = Arc::new(Self {
            watchdog: Watchdog::start(watched, Patience::default())?,
            reactors,
            connector,
            jobs,
            notifier,
            transfers: Helpers::new(TRANSFER_THREAD, MAX_TRANSFERS),
            tls: Arc::default(),
            acl: RwLock::new(CurrentAcl { number: 0, acl: Arc::new(Acl::new(&config.settings)) }),
            acls: AtomicU64::new(0),
            config: RwLock::new(Arc::new(config)),
            books: Mutex::default(),
            incoming: Mutex::default(),
            refusals: Refusals::default(),
            requests_failed: AtomicU64::new(0),
            queued_bytes: Arc::default(),
            frames_locked: AtomicU64::new(0),
            debug: DebugSettings::default(),
        });
        *DRIVER.write() = Some(driver.clone());
        Ok(driver)
    }

    /// The driver, between load and unload.
    pub(crate) fn current() -> Option<Arc<Self>> {
        DRIVER.read().clone()
    }

    /// Ends the driver: no call is up any more, connections in their close handshake are dropped, threads joined.
    pub(crate) fn stop() {
        let driver = DRIVER.write().take();
        if let Some(driver) = driver {
            // Each after those that give it something to do.
            driver.watchdog.stop();
            driver.transfers.close(Instant::now() + TRANSFERS_END);
            driver.connector.stop();
            driver.reactors.stop();
            driver.jobs.stop();
            driver.notifier.stop();
        }
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

    /// acl.conf says something else from now on.
    pub(crate) fn named_acls_changed(&self) {
        let names_any = |rule: &AclRule| rule.sense == AclSense::Acl;
        if self.config().settings.incoming_acl.iter().any(names_any) {
            log::info!("acl.conf has changed: incoming_acl is read again");
            self.renew_acl();
        }
    }

    /// Makes the ACL anew. Of several threads that do at the same time the last to begin wins: it has seen all that the
    /// others have been told of.
    fn renew_acl(&self) {
        let number = self.acls.fetch_add(1, Ordering::AcqRel) + 1;
        let acl = Arc::new(Acl::new(&self.config().settings));
        let mut current = self.acl.write();
        if current.number < number {
            *current = CurrentAcl { number, acl };
        }
    }

    /// Who may connect to INCOMING channels.
    pub(crate) fn acl(&self) -> Arc<Acl> {
        self.acl.read().acl.clone()
    }

    /// The calls that are up or coming up.
    pub(crate) fn calls(&self) -> Vec<Arc<Call>> {
        self.books.lock().calls.values().cloned().collect()
    }

    /// The call whose channel has this name or unique id, whatever its case.
    pub(crate) fn call_by_name(&self, name: &str) -> Option<Arc<Call>> {
        let calls = self.calls();
        let by_name = calls.iter().find(|call| call.name().eq_ignore_ascii_case(name));
        by_name.or_else(|| calls.iter().find(|call| call.uniqueid() == name)).cloned()
    }

    /// A dial string got no channel.
    pub(crate) fn count_failed_request(&self) {
        self.requests_failed.fetch_add(1, Ordering::Relaxed);
    }

    /// A frame of a direct bridge went by way of its channel's thread, for the channel was locked.
    pub(crate) fn count_locked_frame(&self) {
        self.frames_locked.fetch_add(1, Ordering::Relaxed);
    }

    /// A call's WebSocket has come up.
    pub(crate) fn count_connected(&self, role: CallRole) {
        self.books.lock().totals.connected.count(role);
    }

    /// The module as it is now, its totals those of all calls there ever were.
    pub(crate) fn report(&self) -> ModuleReport {
        let (calls, mut totals) = {
            let books = self.books.lock();
            (books.calls.values().cloned().collect::<Vec<_>>(), books.totals.clone())
        };
        totals.traffic.count_not_direct(NotDirect::Locked, self.frames_locked.load(Ordering::Relaxed));
        let (mut up, mut up_connected) = (PerRole::default(), PerRole::default());
        for call in calls {
            let view = call.report();
            totals.traffic += Traffic::of(&view);
            up.count(call.role);
            if view.is_connected() {
                up_connected.count(call.role);
            }
        }
        ModuleReport {
            totals,
            up,
            up_connected,
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

    /// Takes a new call into the books, and lets an application find an INCOMING one by its connection id.
    pub(crate) fn enter(&self, call: &Arc<Call>) {
        {
            let Books { calls, totals } = &mut *self.books.lock();
            calls.insert(call.number, call.clone());
            totals.calls.count(call.role);
            totals.calls_high_water = totals.calls_high_water.max(calls.len() as u64);
        }
        self.watchdog.count_call();
        if call.role == CallRole::Incoming {
            self.incoming.lock().insert(call.connection_id.clone(), call.clone());
        }
    }

    /// The INCOMING call with this connection id.
    pub(crate) fn find(&self, connection_id: &str) -> Option<Arc<Call>> {
        self.incoming.lock().get(connection_id).cloned()
    }

    /// The call is over: its connection id is unknown from now on.
    pub(crate) fn forget(&self, call: &Call) {
        self.jobs.unwatch_incoming(call);
        let traffic = Traffic::of(&call.report());
        let forgotten = {
            let Books { calls, totals } = &mut *self.books.lock();
            totals.end(call.link.ending(), traffic);
            calls.remove(&call.number)
        };
        if forgotten.is_some() {
            self.watchdog.forget_call();
        }
        drop(forgotten);
        if call.role == CallRole::Incoming {
            let forgotten = self.incoming.lock().remove(&call.connection_id);
            drop(forgotten);
        }
    }
}
