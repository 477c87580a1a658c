//! Threads for work that may block: they start when there is work, up to a number, and end when there is none.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::net::contain::contained;

/// How long a thread waits for more work before it ends.
const IDLE: Duration = Duration::from_secs(5);

/// Something that may block. It owns all that it touches, because it may be abandoned.
pub(crate) type Task = Box<dyn FnOnce() + Send>;

/// Identifies one task for [`Helpers::forget`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Ticket(u64);

/// A pool of threads. Clones share it.
#[derive(Clone)]
pub(crate) struct Helpers(Arc<Pool>);

struct Pool {
    thread_name: &'static str,
    max_threads: usize,
    state: Mutex<PoolState>,
    work: Condvar,
    ended: Condvar,
}

#[derive(Default)]
struct PoolState {
    queue: VecDeque<(Ticket, Task)>,
    tickets: u64,
    idle: usize,
    live: usize,
    closed: bool,
    threads: Vec<JoinHandle<()>>,
}

impl Helpers {
    pub(crate) fn new(thread_name: &'static str, max_threads: usize) -> Self {
        let (state, work, ended) = (Mutex::default(), Condvar::new(), Condvar::new());
        Self(Arc::new(Pool { thread_name, max_threads, state, work, ended }))
    }

    /// Runs `task` on one of the threads, as soon as one is free.
    ///
    /// # Errors
    /// There is no thread and none can be started, or the pool is closed.
    pub(crate) fn run(&self, task: Task) -> io::Result<Ticket> {
        let mut state = self.0.state.lock();
        if state.closed {
            return Err(io::Error::other("the thread pool is closed"));
        }
        state.tickets = state.tickets.wrapping_add(1);
        let ticket = Ticket(state.tickets);
        state.queue.push_back((ticket, task));
        let wants_thread = state.idle < state.queue.len() && state.live < self.0.max_threads;
        if wants_thread
            && let Err(err) = self.spawn(&mut state)
            && state.live == 0
        {
            let task = state.queue.pop_back();
            drop(state); // a task's own drop must not run under the lock
            drop(task);
            return Err(err);
        }
        self.0.work.notify_one();
        Ok(ticket)
    }

    fn spawn(&self, state: &mut PoolState) -> io::Result<()> {
        for thread in state.threads.extract_if(.., |thread| thread.is_finished()) {
            let _ = thread.join();
        }
        let inner = self.0.clone();
        let name = self.0.thread_name.to_owned();
        state.threads.push(thread::Builder::new().name(name).spawn(move || inner.work())?);
        state.live = state.live.saturating_add(1);
        Ok(())
    }

    /// How many threads there are now.
    pub(crate) fn live(&self) -> usize {
        self.0.state.lock().live
    }

    /// Drops a task that no thread has begun yet. `false`: it has begun, or is done.
    pub(crate) fn forget(&self, ticket: Ticket) -> bool {
        let mut state = self.0.state.lock();
        let at = state.queue.iter().position(|(queued, _)| *queued == ticket);
        let task = at.and_then(|at| state.queue.remove(at));
        drop(state); // as in `run`
        task.is_some()
    }

    /// Drops the tasks that have not begun, and joins the threads. Those still at work at `deadline` are left alone and
    /// counted: they end by themselves after their task.
    pub(crate) fn close(&self, deadline: Instant) -> usize {
        let mut state = self.0.state.lock();
        state.closed = true;
        let dropped = std::mem::take(&mut state.queue);
        self.0.work.notify_all();
        while state.live > 0 && !self.0.ended.wait_until(&mut state, deadline).timed_out() {}
        let abandoned = state.live;
        let mut threads = std::mem::take(&mut state.threads);
        drop(state);
        drop(dropped);
        // A thread that is not abandoned has reported its end; now wait until it has ended.
        while threads.len() > abandoned {
            for thread in threads.extract_if(.., |thread| thread.is_finished()) {
                let _ = thread.join();
            }
            thread::yield_now();
        }
        abandoned
    }
}

impl Pool {
    fn work(&self) {
        while let Some(task) = self.next_task() {
            contained(self.thread_name, task);
        }
    }

    /// Waits for work. `None`: the thread is no longer counted and has to end.
    fn next_task(&self) -> Option<Task> {
        let mut state = self.state.lock();
        let mut timed_out = false;
        loop {
            if let Some((_, task)) = state.queue.pop_front() {
                return Some(task);
            }
            if state.closed || timed_out {
                state.live = state.live.saturating_sub(1);
                self.ended.notify_all();
                return None;
            }
            state.idle = state.idle.saturating_add(1);
            timed_out = self.work.wait_for(&mut state, IDLE).timed_out();
            state.idle = state.idle.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(5)
    }

    #[test]
    fn no_more_threads_than_allowed_and_all_work_is_done() {
        let helpers = Helpers::new("test-helper", 2);
        let (done, results) = mpsc::channel();
        let gate = Arc::new(Mutex::new(()));
        let held = gate.lock();
        for i in 0..10 {
            let (done, gate) = (done.clone(), gate.clone());
            helpers
                .run(Box::new(move || {
                    drop(gate.lock());
                    done.send(i).unwrap();
                }))
                .unwrap();
        }
        assert_eq!(helpers.0.state.lock().live, 2);
        drop(held);
        let mut got: Vec<i32> =
            (0..10).map(|_| results.recv_timeout(Duration::from_secs(5)).unwrap()).collect();
        got.sort_unstable();
        assert_eq!(got, (0..10).collect::<Vec<_>>());
        assert_eq!(helpers.close(soon()), 0);
    }

    #[test]
    fn a_panic_leaves_the_thread_at_work() {
        let helpers = Helpers::new("test-helper", 1);
        let (done, results) = mpsc::channel();
        helpers.run(Box::new(|| panic!("on purpose"))).unwrap();
        helpers.run(Box::new(move || done.send(()).unwrap())).unwrap();
        results.recv_timeout(Duration::from_secs(5)).unwrap();
        assert_eq!(helpers.close(soon()), 0);
    }

    #[test]
    fn running_work_is_abandoned_and_waiting_work_is_dropped() {
        let helpers = Helpers::new("test-helper", 1);
        let (release, hang) = mpsc::channel::<()>();
        let (began, beginning) = mpsc::channel();
        let hanging = helpers
            .run(Box::new(move || {
                began.send(()).unwrap();
                let _ = hang.recv();
            }))
            .unwrap();
        beginning.recv_timeout(Duration::from_secs(5)).unwrap();
        let (waits, dropped) = mpsc::channel::<()>();
        let waiting = helpers.run(Box::new(move || waits.send(()).unwrap())).unwrap();
        assert!(!helpers.forget(hanging));
        assert!(helpers.forget(waiting));
        assert_eq!(dropped.try_recv(), Err(mpsc::TryRecvError::Disconnected));

        assert_eq!(helpers.close(Instant::now() + Duration::from_millis(20)), 1);
        drop(release);
        assert_eq!(helpers.close(soon()), 0);
    }
}
