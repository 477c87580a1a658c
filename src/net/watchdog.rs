//! Finds threads of ours that stand still: in a callback, in a lock, in a system call, or because they are not woken
//! for what waits.
//!
//! The threads only count their turns ([`Heartbeat`]). A separate thread checks the counts once in a while, as long as
//! there are calls. It takes no lock of theirs that it would have to wait for.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use parking_lot::Mutex;

use super::clock;
use super::contain::{contained, contained_round};
use super::heartbeat::Heartbeat;
use crate::mono_time::MonoTime;

/// A thread as the watchdog sees it. None of these functions may wait.
pub trait WatchedThread: Send + Sync {
    /// Its turns.
    fn heartbeat(&self) -> &Heartbeat;
    /// Whether something was posted that the thread has not taken yet.
    fn is_awaited(&self) -> bool;
    /// What stands still when it does: how many, and of what.
    fn carries(&self) -> (usize, &'static str);
}

/// The watchdog's times.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// The time between two checks.
    pub period: Duration,
    /// A check that comes this long after the previous one is ignored: the process was stopped, or the machine is so
    /// busy that no thread finishes a turn in time.
    pub late: Duration,
    /// A thread that finishes no turn for longer than this stands still.
    pub limit: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { period: seconds(1), late: seconds(2), limit: seconds(5) }
    }
}

struct WatchdogState {
    threads: Vec<Arc<dyn WatchedThread>>,
    calls: AtomicUsize,
    stuck: AtomicUsize,
    stopping: AtomicBool,
}

/// The watchdog's thread. Dropping it stops it.
pub struct Watchdog {
    shared: Arc<WatchdogState>,
    sleeper: thread::Thread,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl fmt::Debug for Watchdog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watchdog").field("stuck", &self.stuck()).finish_non_exhaustive()
    }
}

impl Watchdog {
    /// Starts to watch these threads.
    ///
    /// # Errors
    /// Out of threads.
    pub fn start(threads: Vec<Arc<dyn WatchedThread>>, patience: Patience) -> io::Result<Self> {
        let (calls, stuck, stopping) = Default::default();
        let shared = Arc::new(WatchdogState { threads, calls, stuck, stopping });
        let own = shared.clone();
        let thread = thread::Builder::new().name("ws-watchdog".into()).spawn(move || run(&own, patience))?;
        Ok(Self { shared, sleeper: thread.thread().clone(), thread: Mutex::new(Some(thread)) })
    }

    /// Counts a new call. Any thread; never waits.
    pub fn count_call(&self) {
        if self.shared.calls.fetch_add(1, Ordering::Relaxed) == 0 {
            self.sleeper.unpark();
        }
    }

    /// A call is over.
    pub fn forget_call(&self) {
        self.shared.calls.fetch_sub(1, Ordering::Relaxed);
    }

    /// How many threads stand still now, as far as is known.
    pub fn stuck(&self) -> usize {
        self.shared.stuck.load(Ordering::Relaxed)
    }

    /// Stops watching, and joins the thread. A second call does nothing more.
    pub fn stop(&self) {
        self.shared.stopping.store(true, Ordering::Relaxed);
        self.sleeper.unpark();
        let thread = self.thread.lock().take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            log::error!("the watchdog had panicked");
        }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.stop();
    }
}

impl WatchdogState {
    /// Whether anything could stand still. Without calls, that is what is left of earlier ones.
    fn is_needed(&self) -> bool {
        self.calls.load(Ordering::Relaxed) > 0
            || self.stuck.load(Ordering::Relaxed) > 0
            || self
                .threads
                .iter()
                .any(|thread| has_work(&**thread, thread.heartbeat().turns()) || thread.carries().0 > 0)
    }
}

fn run(shared: &WatchdogState, patience: Patience) {
    let mut watches = vec![ThreadState::default(); shared.threads.len()];
    let mut last = clock::now();
    while !shared.stopping.load(Ordering::Relaxed) {
        contained_round("the watchdog", || round(shared, patience, &mut watches, &mut last));
    }
}

/// Sleeps, then checks each thread. If one check panics, the others are still done.
fn round(shared: &WatchdogState, patience: Patience, watches: &mut [ThreadState], last: &mut MonoTime) {
    if shared.is_needed() {
        thread::park_timeout(patience.period);
    } else {
        thread::park();
    }
    let now = clock::now();
    let passed = now.since(std::mem::replace(last, now));
    let pairs = watches.iter_mut().zip(&shared.threads);
    let inspect = |(watch, thread): (&mut ThreadState, &Arc<dyn WatchedThread>)| {
        contained("the watchdog", || watch.inspect(&**thread, passed, patience))
    };
    let found: Vec<_> = pairs.map(inspect).collect();
    shared.stuck.store(watches.iter().filter(|watch| watch.is_told).count(), Ordering::Relaxed);
    for (thread, found) in shared.threads.iter().zip(found) {
        contained("the watchdog", || report(&**thread, found.unwrap_or(Found::Nothing)));
    }
}

/// Whether a thread with this count has something to do, taken or not.
fn has_work(thread: &dyn WatchedThread, turns: u64) -> bool {
    Heartbeat::is_work(turns) || thread.is_awaited()
}

/// What a check of a thread found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    /// Nothing new.
    Nothing,
    /// The thread has stood still for this long.
    StandsStill(Duration),
    /// The thread had stood still for about this long, and works again.
    ComesRound(Duration),
}

/// What is known about a thread from the checks so far.
#[derive(Debug, Clone, Default)]
struct ThreadState {
    turns: u64,
    /// How long it has been seen standing still.
    stood: Duration,
    is_told: bool,
}

impl ThreadState {
    /// `passed` is the time since the last check.
    fn inspect(&mut self, thread: &dyn WatchedThread, passed: Duration, patience: Patience) -> Found {
        let turns = thread.heartbeat().turns();
        if turns != self.turns || !has_work(thread, turns) {
            let stood = std::mem::take(&mut self.stood);
            self.turns = turns;
            let was_told = std::mem::take(&mut self.is_told);
            return if was_told { Found::ComesRound(stood + passed) } else { Found::Nothing };
        }
        if passed < patience.late {
            self.stood += passed;
        }
        if self.is_told || self.stood <= patience.limit {
            return Found::Nothing;
        }
        self.is_told = true;
        Found::StandsStill(self.stood)
    }
}

fn report(thread: &dyn WatchedThread, found: Found) {
    let (name, (count, what)) = (thread.heartbeat().name(), thread.carries());
    match found {
        Found::Nothing => {}
        Found::StandsStill(time) => {
            log::error!(
                "thread {name} has not come round for {} s; it carries {count} {what}",
                time.as_secs()
            );
        }
        Found::ComesRound(time) => {
            log::error!(
                "thread {name} comes round again after {} s; it carries {count} {what}",
                time.as_secs()
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::Found::{ComesRound, Nothing, StandsStill};
    use super::*;

    struct Fake {
        heartbeat: Heartbeat,
        is_awaited: AtomicBool,
    }

    impl WatchedThread for Fake {
        fn heartbeat(&self) -> &Heartbeat {
            &self.heartbeat
        }
        fn is_awaited(&self) -> bool {
            self.is_awaited.load(Ordering::Relaxed)
        }
        fn carries(&self) -> (usize, &'static str) {
            (1, "calls")
        }
    }

    fn fake() -> Fake {
        Fake { heartbeat: Heartbeat::new("fake"), is_awaited: AtomicBool::new(false) }
    }

    const SECOND: Duration = Duration::from_secs(1);

    /// Checks once a second, and returns what it finds.
    fn inspect(watch: &mut ThreadState, thread: &Fake, times: usize) -> Vec<Found> {
        let inspect = |_| watch.inspect(thread, SECOND, Patience::default());
        (0..times).map(inspect).filter(|found| *found != Nothing).collect()
    }

    #[test]
    fn a_thread_with_one_long_task_stalls() {
        let (mut watch, thread) = (ThreadState::default(), fake());
        thread.heartbeat.works();
        assert_eq!(inspect(&mut watch, &thread, 6), []);
        assert_eq!(inspect(&mut watch, &thread, 1), [StandsStill(6 * SECOND)]);
        assert_eq!(inspect(&mut watch, &thread, 3), []);
        thread.heartbeat.waits();
        assert_eq!(inspect(&mut watch, &thread, 10), [ComesRound(10 * SECOND)]);
    }

    #[test]
    fn a_sleeping_thread_stalls_only_if_work_waits_for_it() {
        let (mut watch, thread) = (ThreadState::default(), fake());
        thread.heartbeat.waits();
        assert_eq!(inspect(&mut watch, &thread, 60), []);
        thread.is_awaited.store(true, Ordering::Relaxed);
        assert_eq!(inspect(&mut watch, &thread, 6), [StandsStill(6 * SECOND)]);
        thread.is_awaited.store(false, Ordering::Relaxed);
        assert_eq!(inspect(&mut watch, &thread, 60), [ComesRound(7 * SECOND)]);
    }

    #[test]
    fn a_thread_with_short_tasks_does_not_stall() {
        let (mut watch, thread) = (ThreadState::default(), fake());
        for _ in 0..20 {
            thread.heartbeat.works();
            assert_eq!(inspect(&mut watch, &thread, 5), []);
        }
    }

    #[test]
    fn a_stopped_process_counts_for_nothing() {
        let (mut watch, thread) = (ThreadState::default(), fake());
        thread.heartbeat.works();
        assert_eq!(inspect(&mut watch, &thread, 4), []);
        let hour = 3600 * SECOND;
        for passed in [11 * SECOND, 2 * SECOND, hour] {
            assert_eq!(watch.inspect(&thread, passed, Patience::default()), Nothing);
        }
        assert_eq!(inspect(&mut watch, &thread, 2), []);
        assert_eq!(inspect(&mut watch, &thread, 1), [StandsStill(6 * SECOND)]);
    }

    /// A thread that stands still and panics when it is asked about that.
    struct Unaskable(Heartbeat);

    impl WatchedThread for Unaskable {
        fn heartbeat(&self) -> &Heartbeat {
            &self.0
        }
        fn is_awaited(&self) -> bool {
            panic!("on purpose")
        }
        fn carries(&self) -> (usize, &'static str) {
            panic!("on purpose")
        }
    }

    #[test]
    fn a_panic_in_a_look_leaves_the_watchdog_at_work() {
        let period = Duration::from_millis(5);
        let patience = Patience { period, late: SECOND, limit: 10 * period };
        let standing = Arc::new(fake());
        standing.heartbeat.works();
        let unaskable = Arc::new(Unaskable(Heartbeat::new("unaskable")));
        let watchdog = Watchdog::start(vec![unaskable, standing.clone()], patience).unwrap();
        watchdog.count_call();
        let begin = std::time::Instant::now();
        while watchdog.stuck() != 1 {
            assert!(begin.elapsed() < 10 * SECOND, "{} stand still", watchdog.stuck());
            thread::sleep(period);
        }
        watchdog.stop();
    }
}
