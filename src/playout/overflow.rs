//! The limits of a queue that drops nothing (`queue_overflow = wait`), and when its application has to wait.
//!
//! Memory counts as it is kept: the media, and the overhead of each message or mark. All such queues share one exact
//! sum: a queue subtracts what it has added when it shrinks, and when it is dropped, even in a panic.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What happens to media that finds the queue full.
#[derive(Debug, Clone, Default)]
pub enum Overflow {
    /// It is dropped.
    #[default]
    Drop,
    /// The queue grows up to these limits. Then the application must not be read.
    Wait(WaitLimits),
}

/// How far queues may grow.
#[derive(Debug, Clone)]
pub struct WaitLimits {
    /// Memory of this queue, bytes.
    pub queue_bytes: usize,
    /// Memory of all queues that count into `total`, bytes.
    pub queue_bytes_total: usize,
    /// The sum of all these queues.
    pub total: Arc<QueuedBytes>,
}

/// The memory of all queues that share this sum.
#[derive(Debug, Default)]
pub struct QueuedBytes(AtomicUsize);

impl QueuedBytes {
    /// The sum now, bytes. Any thread.
    pub fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// One queue's part of the sum, and whether its application waits.
#[derive(Debug)]
pub(super) struct Share {
    limits: WaitLimits,
    counted: usize,
    holds: bool,
}

impl Share {
    /// The share of an empty queue; `None` for a queue that drops.
    pub(super) fn of(overflow: Overflow) -> Option<Self> {
        match overflow {
            Overflow::Drop => None,
            Overflow::Wait(limits) => Some(Self { limits, counted: 0, holds: false }),
        }
    }

    /// Sets the memory that the queue takes from now on.
    pub(super) fn set(&mut self, bytes: usize) {
        let sum = &self.limits.total.0;
        if bytes > self.counted {
            sum.fetch_add(bytes - self.counted, Ordering::Relaxed);
        } else if bytes < self.counted {
            sum.fetch_sub(self.counted - bytes, Ordering::Relaxed);
        }
        self.counted = bytes;
    }

    /// Memory that this queue may take, bytes.
    pub(super) fn queue_bytes(&self) -> usize {
        self.limits.queue_bytes
    }

    /// Whether the application must not be read now.
    pub(super) fn holds(&self) -> bool {
        self.holds
    }

    /// Makes the application wait if the queue is full: by its own limit, or, unless it is under XON, by the common
    /// limit.
    pub(super) fn hold_if_full(&mut self, is_under_xon: bool) {
        let exceeds = self.limits.total.get() >= self.limits.queue_bytes_total;
        self.holds |= self.is_full() || exceeds && !is_under_xon;
    }

    /// Ends the application's wait if there is room again. True if that ended a wait.
    pub(super) fn release_if_room(&mut self, is_under_xon: bool) -> bool {
        self.holds && is_under_xon && !self.is_full() && std::mem::take(&mut self.holds)
    }

    fn is_full(&self) -> bool {
        self.counted >= self.limits.queue_bytes
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(queue_bytes: usize, queue_bytes_total: usize, total: &Arc<QueuedBytes>) -> Overflow {
        Overflow::Wait(WaitLimits { queue_bytes, queue_bytes_total, total: total.clone() })
    }

    #[test]
    fn a_queue_that_drops_counts_nothing() {
        assert!(Share::of(Overflow::Drop).is_none());
    }

    #[test]
    fn the_total_follows_each_queue() {
        let total = Arc::new(QueuedBytes::default());
        let mut one = Share::of(limits(100, 1000, &total)).unwrap();
        let mut other = Share::of(limits(100, 1000, &total)).unwrap();
        for (first, second, sum) in [(10, 0, 10), (10, 70, 80), (5, 70, 75), (0, 1, 1), (99, 1, 100)] {
            one.set(first);
            other.set(second);
            assert_eq!(total.get(), sum);
        }
        drop(one);
        assert_eq!(total.get(), 1);
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
            other.set(50);
            panic!("while it holds something");
        }));
        assert_eq!(total.get(), 0);
    }

    #[test]
    fn when_the_application_waits() {
        let total = Arc::new(QueuedBytes::default());
        let mut neighbour = Share::of(limits(1000, 1000, &total)).unwrap();
        for (name, others, own, is_under_xon, holds) in [
            ("little", 0, 99, false, false),
            ("its own limit", 0, 100, false, true),
            ("its own limit in few frames", 0, 100, true, true),
            ("one below the common limit", 149, 50, false, false),
            ("the common limit", 150, 50, false, true),
            ("the common limit, under XON", 150, 50, true, false),
            ("far beyond the common limit, under XON", 900, 99, true, false),
        ] {
            neighbour.set(others);
            let mut share = Share::of(limits(100, 200, &total)).unwrap();
            share.set(own);
            share.hold_if_full(is_under_xon);
            assert_eq!(share.holds(), holds, "{name}");
            assert!(!share.release_if_room(false), "{name}");
            assert_eq!(share.holds(), holds, "{name}");
            share.set(99);
            assert_eq!(share.release_if_room(true), holds, "{name}");
            assert!(!share.holds() && !share.release_if_room(true), "{name}");
        }
    }
}
