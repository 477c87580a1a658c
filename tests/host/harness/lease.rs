//! The instance that a test runs on: a private one, or one that tests share.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;

use parking_lot::Mutex;

use super::asterisk::{Asterisk, Module};
use super::conf::InstanceConfig;
use super::loss::{Loss, Unclean};
use super::suite::{Instance, Test};
use super::wait;

/// How tests of the same [`Instance::Shared`] share it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sharing {
    /// All tests run on one instance at the same time.
    AtOnce,
    /// One test after the other uses an instance. Two INCOMING channels in parallel can deadlock the C module.
    InTurn,
    /// Like `InTurn`, and the log of the instance is not checked.
    InTurnUnwatched,
}

/// An instance, for the duration of one test.
pub(super) struct Lease {
    pub(super) asterisk: Arc<Asterisk>,
    kind: Kind,
}

enum Kind {
    Own,
    AtOnce,
    InTurn(Key),
}

type Key = (Module, &'static str, Sharing);

/// Module, name, whether it is in the surroundings, and whether it has direct bridges.
type AtOnceKey = (Module, &'static str, bool, bool);

type Slot = Arc<Mutex<Option<Arc<Asterisk>>>>;

static AT_ONCE: Mutex<BTreeMap<AtOnceKey, Slot>> = Mutex::new(BTreeMap::new());

/// The instances that no test has at this moment.
static IDLE: Mutex<BTreeMap<Key, Vec<Arc<Asterisk>>>> = Mutex::new(BTreeMap::new());

impl Lease {
    /// Takes an instance for this test. Panics if it does not start.
    pub(super) fn take(test: &Test, module: Module, sharing: Sharing) -> Self {
        match &test.instance {
            Instance::Private(config) => Self::own(module, &test.dressed(config())),
            Instance::Shared(name, config) if sharing == Sharing::AtOnce => Self {
                asterisk: at_once((module, name, test.surrounded, test.direct_bridge), || {
                    test.dressed(config())
                }),
                kind: Kind::AtOnce,
            },
            Instance::Shared(name, config) => {
                let key = (module, *name, sharing);
                let idle = IDLE.lock().get_mut(&key).and_then(Vec::pop);
                let asterisk = idle.filter(|asterisk| asterisk.is_running());
                let asterisk = asterisk.unwrap_or_else(|| Asterisk::start(module, &config()));
                Self { asterisk, kind: Kind::InTurn(key) }
            }
        }
    }

    /// An instance for one test only.
    pub(super) fn own(module: Module, config: &InstanceConfig) -> Self {
        Self { asterisk: Asterisk::start(module, config), kind: Kind::Own }
    }

    /// Ends the instance or leaves it to the next test. The error says what is wrong with it.
    pub(super) fn end(self, log_mark: usize) -> Result<(), Unclean> {
        match self.kind {
            Kind::Own => self.asterisk.stop(),
            Kind::AtOnce => check(&self.asterisk, log_mark),
            Kind::InTurn(key) => {
                let checked = check(&self.asterisk, log_mark);
                leave(self.asterisk, key, log_mark).and(checked)
            }
        }
    }
}

fn at_once(key: AtOnceKey, config: impl FnOnce() -> InstanceConfig) -> Arc<Asterisk> {
    let slot = Arc::clone(AT_ONCE.lock().entry(key).or_default());
    let mut slot = slot.lock();
    // An instance that crashed has failed a test; the others continue on a new one.
    let running = slot.take().filter(|asterisk| asterisk.is_running());
    let asterisk = running.unwrap_or_else(|| Asterisk::start(key.0, &config()));
    *slot = Some(Arc::clone(&asterisk));
    asterisk
}

fn check(asterisk: &Asterisk, log_mark: usize) -> Result<(), Unclean> {
    if let Some(status) = asterisk.exit_status() {
        let report = asterisk.report(log_mark);
        let text = format!("Asterisk, shared with other tests, ended: {status}\n{report}");
        return Err(Unclean { text, lost: Some(Loss::Ended(status)) });
    }
    match asterisk.log.surprises() {
        lines if lines.is_empty() => Ok(()),
        lines => {
            let lines = lines.join("\n");
            let text = format!("unexpected in the log, by this test or one beside it:\n{lines}");
            Err(Unclean { text, lost: None })
        }
    }
}

/// The next test begins without the channels of this one.
fn leave(asterisk: Arc<Asterisk>, key: Key, log_mark: usize) -> Result<(), Unclean> {
    if wait::poll(wait::PATIENCE, || asterisk.try_has_no_channels().ok()?.then_some(())).is_some() {
        IDLE.lock().entry(key).or_default().push(asterisk);
        return Ok(());
    }
    let lost = Loss::of(&asterisk);
    let report = asterisk.report(log_mark);
    asterisk.kill();
    match lost {
        Some(loss) => Err(Unclean { text: format!("afterwards Asterisk {loss}\n{report}"), lost }),
        // Channels that remain are this test's fault, so no other test gets the instance.
        None => Ok(()),
    }
}

/// Stops all shared instances. Returns those with something wrong.
pub(super) fn stop_all() -> Vec<(Module, Unclean)> {
    let at_once = std::mem::take(&mut *AT_ONCE.lock()).into_values().filter_map(|slot| slot.lock().take());
    let idle = std::mem::take(&mut *IDLE.lock())
        .into_iter()
        .flat_map(|(key, idle)| if key.2 == Sharing::InTurnUnwatched { Vec::new() } else { idle });
    let all: Vec<_> = at_once.chain(idle).collect();
    thread::scope(|scope| {
        let stops: Vec<_> =
            all.iter().map(|asterisk| scope.spawn(|| (asterisk.module, asterisk.stop()))).collect();
        let ended = stops.into_iter().map(|stop| stop.join().expect("a thread that stops an instance"));
        ended.filter_map(|(module, stopped)| Some((module, stopped.err()?))).collect()
    })
}
