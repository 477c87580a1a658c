//! A thread that does tasks in order and never waits for a lock. A task whose lock is taken is put aside and tried
//! again a millisecond later, while the other tasks go on.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::contain::contained_round;
use super::heartbeat::Heartbeat;
use super::watchdog::WatchedThread;
use crate::fault;

/// How soon a task that was put aside is tried again.
const RETRY: Duration = Duration::from_millis(1);

/// A thread that is this late was not running.
const STALL: Duration = Duration::from_secs(1);

/// Something to do.
pub trait Task: Send + Sized + 'static {
    /// Does it; returns it if what it needs is busy. Contains its own panics.
    fn attempt(self) -> Option<Self>;

    /// Whether it has to wait as long as `other`, which came before it, is put aside.
    fn follows(&self, other: &Self) -> bool;
}

/// Makes a task when its time has come; `None` if the task is no longer needed.
type MakeTask<T> = Box<dyn FnOnce() -> Option<T> + Send>;

/// When a task is due, and a number that distinguishes tasks of the same time.
pub type TimerKey = (Instant, u64);

struct TaskQueue<T> {
    tasks: VecDeque<T>,
    timers: BTreeMap<TimerKey, MakeTask<T>>,
    stopping: bool,
}

struct TaskThreadState<T> {
    queue: Mutex<TaskQueue<T>>,
    changed: Condvar,
    /// Tasks that the thread has taken and not done yet.
    taken: AtomicUsize,
    heartbeat: Heartbeat,
    carries: &'static str,
}

impl<T: Task> WatchedThread for TaskThreadState<T> {
    fn heartbeat(&self) -> &Heartbeat {
        &self.heartbeat
    }

    fn is_awaited(&self) -> bool {
        self.queue.try_lock().is_none_or(|queue| !queue.tasks.is_empty())
    }

    fn carries(&self) -> (usize, &'static str) {
        let queued = self.queue.try_lock().map_or(0, |queue| queue.tasks.len());
        (queued + self.taken.load(Ordering::Relaxed), self.carries)
    }
}

/// The thread and its queue.
pub struct TaskThread<T: Task> {
    shared: Arc<TaskThreadState<T>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl<T: Task> std::fmt::Debug for TaskThread<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TaskThread").field("name", &self.shared.heartbeat.name()).finish_non_exhaustive()
    }
}

impl<T: Task> TaskThread<T> {
    /// Starts the thread `name`. `carries` names its tasks for people.
    ///
    /// # Errors
    /// Out of threads.
    pub fn start(name: &str, carries: &'static str) -> std::io::Result<Self> {
        let queue = TaskQueue { tasks: VecDeque::new(), timers: BTreeMap::new(), stopping: false };
        let shared = Arc::new(TaskThreadState {
            queue: Mutex::new(queue),
            changed: Condvar::new(),
            taken: AtomicUsize::new(0),
            heartbeat: Heartbeat::new(name),
            carries,
        });
        let own = shared.clone();
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || run(&own))?;
        Ok(Self { shared, thread: Mutex::new(Some(thread)) })
    }

    /// Queues a task; drops it once the thread has been told to stop. Any thread, any lock held; never waits.
    pub fn post(&self, task: T) {
        let late = {
            let mut queue = self.shared.queue.lock();
            if queue.stopping {
                Some(task)
            } else {
                queue.tasks.push_back(task);
                None
            }
        };
        // Without the lock, because dropping a task may end a call.
        drop(late);
        self.shared.changed.notify_one();
    }

    /// Makes and queues a task at this time. Any thread.
    pub fn post_at(&self, key: TimerKey, make: impl FnOnce() -> Option<T> + Send + 'static) {
        {
            let mut queue = self.shared.queue.lock();
            if !queue.stopping {
                queue.timers.insert(key, Box::new(make));
            }
        }
        self.shared.changed.notify_one();
    }

    /// Forgets the task for this time. Any thread.
    pub fn cancel(&self, key: TimerKey) {
        let cancelled = self.shared.queue.lock().timers.remove(&key);
        drop(cancelled);
    }

    /// Tasks that are not done: queued, taken, or for later.
    pub fn waiting(&self) -> usize {
        let queue = self.shared.queue.lock();
        queue.tasks.len() + queue.timers.len() + self.shared.taken.load(Ordering::Relaxed)
    }

    /// For the watchdog.
    pub fn watched(&self) -> Arc<dyn WatchedThread> {
        self.shared.clone()
    }

    /// Stops and joins the thread. What is queued by then is tried once more; what is busy, for later, or queued
    /// afterwards is dropped. A second call does nothing more.
    pub fn stop(&self) {
        self.shared.queue.lock().stopping = true;
        self.shared.changed.notify_one();
        let thread = self.thread.lock().take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            log::error!("the thread {} had panicked", self.shared.heartbeat.name());
        }
    }
}

impl<T: Task> Drop for TaskThread<T> {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Tasks that the thread has taken. Those that a panic leaves here are done in the next round.
struct Taken<T> {
    /// Busy when they were tried, oldest first.
    aside: VecDeque<T>,
    /// Not tried in this round yet.
    to_do: VecDeque<T>,
}

impl<T> Taken<T> {
    fn count(&self) -> usize {
        self.aside.len() + self.to_do.len()
    }
}

fn run<T: Task>(shared: &TaskThreadState<T>) {
    let mut taken = Taken { aside: VecDeque::new(), to_do: VecDeque::new() };
    while contained_round(shared.heartbeat.name(), || round(shared, &mut taken)).unwrap_or(true) {}
}

/// Waits for tasks and tries each; false when the thread has to end.
fn round<T: Task>(shared: &TaskThreadState<T>, taken: &mut Taken<T>) -> bool {
    let (tasks, stopping) = next_tasks(shared, taken.count() > 0);
    taken.to_do = taken.aside.drain(..).chain(taken.to_do.drain(..)).chain(tasks).collect();
    shared.taken.store(taken.count(), Ordering::Relaxed);
    while let Some(next) = taken.to_do.front() {
        shared.heartbeat.works();
        fault::point("task");
        let follows = taken.aside.iter().any(|other| next.follows(other));
        let Some(task) = taken.to_do.pop_front() else { break };
        taken.aside.extend(if follows { Some(task) } else { task.attempt() });
    }
    if stopping {
        taken.aside.clear();
    }
    shared.taken.store(taken.count(), Ordering::Relaxed);
    !stopping
}

/// Waits for tasks. The second is true when they are the last ones.
fn next_tasks<T: Task>(shared: &TaskThreadState<T>, retry: bool) -> (VecDeque<T>, bool) {
    shared.heartbeat.waits();
    let mut queue = shared.queue.lock();
    let retry_at = retry.then(|| Instant::now() + RETRY);
    loop {
        if queue.stopping {
            let timers = std::mem::take(&mut queue.timers);
            let tasks = std::mem::take(&mut queue.tasks);
            drop(queue);
            drop(timers);
            return (tasks, true);
        }
        let now = Instant::now();
        let due = take_due(&mut queue.timers, now);
        if !due.is_empty() {
            // Without the lock, because making a task may end a call.
            let made: Vec<T> =
                MutexGuard::unlocked(&mut queue, || due.into_iter().filter_map(|make| make()).collect());
            queue.tasks.extend(made);
            continue;
        }
        if !queue.tasks.is_empty() || retry_at.is_some_and(|at| now >= at) {
            return (std::mem::take(&mut queue.tasks), false);
        }
        let wake_at = queue.timers.keys().next().map(|(at, _)| *at).into_iter().chain(retry_at).min();
        match wake_at {
            Some(at) => drop(shared.changed.wait_until(&mut queue, at)),
            None => shared.changed.wait(&mut queue),
        }
    }
}

/// Takes what is due. Tasks that are long overdue get a little more time: the process was stopped, and an application
/// that came meanwhile waits in the same queue.
fn take_due<T>(timers: &mut BTreeMap<TimerKey, MakeTask<T>>, now: Instant) -> Vec<MakeTask<T>> {
    let mut due = Vec::new();
    while let Some(first) = timers.first_entry().filter(|first| first.key().0 <= now) {
        let ((at, number), make) = first.remove_entry();
        if now.saturating_duration_since(at) >= STALL {
            timers.insert((now + STALL, number), make);
        } else {
            due.push(make);
        }
    }
    due
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;
    use std::sync::mpsc::{Receiver, Sender, channel};

    const PATIENCE: Duration = Duration::from_secs(30);

    /// A task of one of several calls. It reports when it is done; it cannot be done while its call is busy.
    struct Step {
        call: usize,
        number: u32,
        busy: Arc<[AtomicBool; 2]>,
        done: Sender<(usize, u32)>,
    }

    impl Task for Step {
        fn attempt(self) -> Option<Self> {
            if self.busy[self.call].load(Ordering::SeqCst) {
                return Some(self);
            }
            self.done.send((self.call, self.number)).unwrap();
            None
        }

        fn follows(&self, other: &Self) -> bool {
            self.call == other.call
        }
    }

    struct Calls {
        busy: Arc<[AtomicBool; 2]>,
        send: Sender<(usize, u32)>,
        done: Receiver<(usize, u32)>,
        thread: TaskThread<Step>,
    }

    impl Calls {
        fn new() -> Self {
            let (send, done) = channel();
            Self { busy: Arc::default(), send, done, thread: TaskThread::start("steps", "steps").unwrap() }
        }

        fn step(&self, call: usize, number: u32) -> Step {
            Step { call, number, busy: self.busy.clone(), done: self.send.clone() }
        }

        /// Waits until this many tasks wait. One that is done counts until the thread's round has ended.
        fn wait_for(&self, waiting: usize) {
            let begin = Instant::now();
            while self.thread.waiting() != waiting {
                assert!(begin.elapsed() < PATIENCE, "{} wait", self.thread.waiting());
                std::thread::yield_now();
            }
        }

        fn next(&self) -> (usize, u32) {
            self.done.recv_timeout(PATIENCE).unwrap()
        }
    }

    #[test]
    fn a_busy_call_keeps_its_order_and_holds_up_no_other() {
        let calls = Calls::new();
        calls.busy[0].store(true, Ordering::SeqCst);
        for number in 0..3 {
            calls.thread.post(calls.step(0, number));
            calls.thread.post(calls.step(1, number));
        }
        assert_eq!([calls.next(), calls.next(), calls.next()], [(1, 0), (1, 1), (1, 2)]);
        calls.wait_for(3);
        calls.busy[0].store(false, Ordering::SeqCst);
        assert_eq!([calls.next(), calls.next(), calls.next()], [(0, 0), (0, 1), (0, 2)]);
    }

    #[test]
    fn timers_come_in_their_order_unless_they_are_cancelled() {
        let calls = Calls::new();
        let begin = Instant::now();
        for number in [3, 1, 2] {
            let step = calls.step(0, number);
            let at = begin + Duration::from_millis(20 * u64::from(number));
            calls.thread.post_at((at, 0), move || Some(step));
        }
        calls.thread.post_at((begin, 7), || None);
        calls.thread.cancel((begin + Duration::from_millis(40), 0));
        // A second time, and something that was never there.
        calls.thread.cancel((begin + Duration::from_millis(40), 0));
        assert_eq!([calls.next(), calls.next()], [(0, 1), (0, 3)]);
        assert!(begin.elapsed() >= Duration::from_millis(60));
        calls.wait_for(0);
    }

    /// Tasks hold calls, and calls hold the object that holds the thread: nothing may stay in a queue that no thread
    /// reads.
    #[test]
    fn stopping_does_what_can_be_done_and_keeps_nothing() {
        let calls = Calls::new();
        calls.busy[0].store(true, Ordering::SeqCst);
        calls.thread.post(calls.step(0, 0));
        calls.thread.post(calls.step(1, 0));
        let step = calls.step(1, 1);
        calls.thread.post_at((Instant::now() + PATIENCE, 0), move || Some(step));
        calls.thread.stop();
        assert_eq!(calls.next(), (1, 0));
        calls.thread.post(calls.step(1, 2));
        let step = calls.step(1, 3);
        calls.thread.post_at((Instant::now(), 0), move || Some(step));
        assert_eq!(calls.thread.waiting(), 0);
        assert_eq!(Arc::strong_count(&calls.busy), 1, "every task is gone");
        calls.thread.stop();
        assert!(calls.done.try_recv().is_err());
    }
}
