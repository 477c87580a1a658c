//! What other threads can see of a thread: whether it waits or works, and whether it makes progress.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts a thread's turns: even while it waits for something to do, odd while it does it. Written by that thread
/// alone.
#[derive(Debug)]
pub struct Heartbeat {
    name: String,
    turns: AtomicU64,
}

impl Heartbeat {
    /// The heartbeat of the thread with this name, which waits.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), turns: AtomicU64::new(0) }
    }

    /// The thread's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The thread is about to wait for something to do.
    pub fn waits(&self) {
        self.turns.store(self.turns().wrapping_add(2) & !1, Ordering::Relaxed);
    }

    /// The thread begins to do something, or something else.
    pub fn works(&self) {
        self.turns.store(self.turns().wrapping_add(1) | 1, Ordering::Relaxed);
    }

    /// The count of turns.
    pub(super) fn turns(&self) -> u64 {
        self.turns.load(Ordering::Relaxed)
    }

    /// Whether a thread with this count works.
    pub(super) fn is_work(turns: u64) -> bool {
        turns % 2 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_changes_the_count_and_says_what_is_done() {
        let heartbeat = Heartbeat::new("a thread");
        let mut before = heartbeat.turns();
        assert!(!Heartbeat::is_work(before));
        for works in [true, true, false, false, true, false] {
            if works {
                heartbeat.works();
            } else {
                heartbeat.waits();
            }
            let now = heartbeat.turns();
            assert!(now > before && Heartbeat::is_work(now) == works, "{before} {now}");
            before = now;
        }
    }
}
