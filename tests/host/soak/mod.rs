//! A soak: calls of all kinds at once, with faults of their apps, reloads and attempts to unload, for a given time; and
//! the conditions that must hold during it and at the end.
//!
//! | variable | meaning |
//! | --- | --- |
//! | `HOST_SOAK_SECONDS` | the duration; 8 unless set |
//! | `HOST_SOAK_WORKERS` | the approximate number of calls at once; 6 unless set |
//! | `HOST_SOAK_SEED` | the seed of the random choices; a new one each time unless set |
//!
//! `make memcheck` runs this, too, with Asterisk under valgrind.

mod anchor;
mod calls;
mod faults;
mod random;
mod watch;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::str::FromStr;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::harness::asterisk::Asterisk;
use super::harness::{Context, InstanceConfig, Suite};
use random::Random;
use watch::Watch;

/// A task of a worker.
pub type Scenario = fn(&Context, &mut Random);

/// All scenarios, with their weights. Those that listen to media are healthy calls, which lose nothing.
const SCENARIOS: &[(&str, u32, Scenario)] = &[
    ("talk", 4, calls::talk),
    ("bulk", 3, calls::bulk),
    ("pair", 2, calls::pair),
    ("idle", 1, calls::idle),
    ("commands", 3, calls::commands),
    ("direction", 1, calls::direction),
    ("passthrough", 1, calls::passthrough),
    ("endings", 4, calls::endings),
    ("reset", 2, faults::reset),
    ("vanish", 2, faults::vanish),
    ("bad bytes", 3, faults::bad_bytes),
    ("stall", 1, faults::stall),
    ("flood", 1, faults::flood),
    ("wrong requests", 2, faults::wrong_requests),
    ("nobody comes", 1, faults::nobody_comes),
    ("server refuses", 1, faults::server_refuses),
    ("server is silent", 1, faults::server_is_silent),
];

pub fn tests(suite: &mut Suite) {
    suite
        .ours("soak/mixed", "the C module is not meant to be held to it", soak)
        .private_with(InstanceConfig::new());
}

fn setting<T: FromStr>(name: &str, otherwise: T) -> T {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(otherwise)
}

fn soak(t: &Context) {
    let length = Duration::from_secs(setting("HOST_SOAK_SECONDS", 8));
    let workers = setting("HOST_SOAK_WORKERS", 6);
    let seed: u64 = setting("HOST_SOAK_SEED", random::anything());
    faults::allow_logs(t);

    // Every scenario once, so that everything that is made only once exists.
    let mut random = Random::new(seed);
    for (_, _, scenario) in SCENARIOS {
        scenario(&Context::new(Arc::clone(&t.asterisk)), &mut random);
    }
    let before = t.asterisk.settled();

    let soak = Soak {
        asterisk: &t.asterisk,
        until: Instant::now() + length,
        done: Mutex::default(),
        failed: Mutex::default(),
    };
    let watch = Watch::new(t.asterisk.pid());
    let heard = thread::scope(|scope| {
        let anchor = scope.spawn(|| soak.guarded("the call that lasts", || anchor::stays(&soak)));
        scope.spawn(|| soak.guarded("the operator", || anchor::operate(&soak, &mut Random::new(seed ^ 1))));
        scope.spawn(|| watch.until(soak.until));
        for number in 0..workers {
            let mut random = Random::new(seed.wrapping_add(1000 + number));
            let soak = &soak;
            scope.spawn(move || soak.work(&mut random));
        }
        anchor.join().ok().flatten()
    });
    let done = soak.done.into_inner();
    let failed = soak.failed.into_inner();
    println!("soak of {} s, seed {seed}: {done:?}", length.as_secs());
    println!("the call that lasted heard {} frames; {}", heard.unwrap_or_default(), watch.report());
    assert!(failed.is_empty(), "seed {seed}: {} failed:\n{}", failed.len(), failed.join("\n"));
    watch.check();

    t.asterisk.wait_no_channels();
    assert_eq!(
        t.asterisk.driver_status().map(|status| status.use_count),
        Some(0),
        "nothing holds the module"
    );
    t.asterisk.expect_no_more_than(&before);
    t.asterisk.unload_driver();
    assert!(t.asterisk.driver("load").contains("Loaded"));
    calls::talk(&Context::new(Arc::clone(&t.asterisk)), &mut random);
}

/// A running soak.
struct Soak<'t> {
    asterisk: &'t Arc<Asterisk>,
    until: Instant,
    done: Mutex<BTreeMap<&'static str, u32>>,
    failed: Mutex<Vec<String>>,
}

impl Soak<'_> {
    /// A context with its own Stasis application.
    fn context(&self) -> Context {
        Context::new(Arc::clone(self.asterisk))
    }

    fn is_over(&self) -> bool {
        Instant::now() >= self.until
    }

    /// Runs one scenario after the other.
    fn work(&self, random: &mut Random) {
        while !self.is_over() {
            let (name, scenario) = random.draw(SCENARIOS);
            if self.guarded(name, || scenario(&self.context(), random)).is_some() {
                *self.done.lock().entry(name).or_default() += 1;
            }
            if !self.asterisk.is_running() {
                return;
            }
        }
    }

    /// Keeps a failure, and lets the soak continue.
    fn guarded<T>(&self, name: &str, work: impl FnOnce() -> T) -> Option<T> {
        let result = catch_unwind(AssertUnwindSafe(work));
        result
            .map_err(|panic| {
                let text = panic.downcast_ref::<String>().cloned();
                let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
                self.failed.lock().push(format!("{name}: {}", text.unwrap_or_default()));
            })
            .ok()
    }
}
