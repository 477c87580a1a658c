//! One deadline per job, any number of jobs.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::time::{Duration, Instant};

use super::scheduler::JobId;

/// The jobs' deadlines. Arming a job again replaces its deadline.
#[derive(Debug, Default)]
pub(super) struct Timers {
    heap: BinaryHeap<Reverse<(Instant, u64, JobId)>>,
    /// Which of a job's entries in the heap counts; the others are skipped.
    current: HashMap<JobId, (Instant, u64)>,
    armed: u64,
}

impl Timers {
    /// Sets the only deadline of `job`. Setting the same one again costs nothing: a server that sends single bytes
    /// causes it once per byte.
    pub(super) fn arm(&mut self, job: JobId, at: Instant) {
        if self.current.get(&job).is_some_and(|(current, _)| *current == at) {
            return;
        }
        self.armed = self.armed.wrapping_add(1);
        self.current.insert(job, (at, self.armed));
        self.heap.push(Reverse((at, self.armed, job)));
    }

    /// Removes the deadline of `job`.
    pub(super) fn disarm(&mut self, job: JobId) {
        self.current.remove(&job);
    }

    /// A job whose deadline has come; it is not armed any more.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<JobId> {
        self.drop_stale();
        let Reverse((at, _, job)) = *self.heap.peek()?;
        if at > now {
            return None;
        }
        self.heap.pop();
        self.current.remove(&job);
        Some(job)
    }

    /// Moves every deadline by `by`.
    pub(super) fn postpone(&mut self, by: Duration) {
        let later = |at: &mut Instant| *at += by;
        self.current.values_mut().for_each(|(at, _)| later(at));
        let heap = std::mem::take(&mut self.heap).into_iter();
        self.heap = heap.map(|Reverse((at, armed, job))| Reverse((at + by, armed, job))).collect();
    }

    /// How long until the next deadline; `None` if there is none.
    pub(super) fn next_in(&mut self, now: Instant) -> Option<Duration> {
        self.drop_stale();
        self.heap.peek().map(|Reverse((at, _, _))| at.saturating_duration_since(now))
    }

    fn drop_stale(&mut self) {
        while let Some(Reverse((at, armed, job))) = self.heap.peek() {
            if self.current.get(job) == Some(&(*at, *armed)) {
                return;
            }
            self.heap.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postponed_deadlines_keep_their_order() {
        let now = Instant::now();
        let after = |ms| now + Duration::from_millis(ms);
        let [a, b] = [JobId(1), JobId(2)];
        let mut timers = Timers::default();
        timers.arm(a, after(10));
        timers.arm(b, after(20));
        timers.postpone(Duration::from_millis(100));
        assert_eq!(timers.pop_due(after(109)), None);
        assert_eq!(timers.pop_due(after(110)), Some(a));
        timers.arm(b, after(120));
        assert_eq!(timers.heap.len(), 1, "the same deadline again");
        assert_eq!(timers.pop_due(after(120)), Some(b));
    }

    #[test]
    fn deadlines_come_in_order_and_only_the_last_one_of_a_job_counts() {
        let now = Instant::now();
        let after = |ms| now + Duration::from_millis(ms);
        let [a, b, c] = [JobId(1), JobId(2), JobId(3)];
        let mut timers = Timers::default();
        assert_eq!(timers.next_in(now), None);
        timers.arm(a, after(10));
        timers.arm(b, after(20));
        timers.arm(c, after(30));
        timers.arm(a, after(40));
        timers.arm(a, after(40));
        assert_eq!(timers.heap.len(), 4, "the same deadline again");
        timers.disarm(c);
        assert_eq!(timers.next_in(now), Some(Duration::from_millis(20)));
        assert_eq!(timers.pop_due(after(19)), None);
        assert_eq!(timers.pop_due(after(50)), Some(b));
        assert_eq!(timers.pop_due(after(50)), Some(a));
        assert_eq!(timers.pop_due(after(50)), None);
        assert_eq!(timers.next_in(now), None);
    }
}
