//! The connector's counters.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Totals of a connector since its start, and what it is doing now.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct ConnectorStats {
    /// Jobs under way now.
    pub under_way: usize,
    /// Attempts begun; a job may need several.
    pub attempts: u64,
    /// Addresses to which a TCP connection was begun; an attempt may try several.
    pub addresses: u64,
    /// Attempts that failed.
    pub attempts_failed: u64,
    /// Jobs that ended with an open WebSocket.
    pub connected: u64,
    /// Jobs that ended without one.
    pub failed: u64,
    /// Jobs that their caller cancelled.
    pub cancelled: u64,
    /// Threads that look up names.
    pub resolver_threads: usize,
    /// Threads that read settings.
    pub settings_threads: usize,
}

/// Counted by the connector's thread alone.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) under_way: AtomicUsize,
    pub(super) attempts: AtomicU64,
    pub(super) addresses: AtomicU64,
    pub(super) attempts_failed: AtomicU64,
    pub(super) connected: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) cancelled: AtomicU64,
}

impl Counters {
    pub(super) fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn stats(&self, resolver_threads: usize, settings_threads: usize) -> ConnectorStats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ConnectorStats {
            under_way: self.under_way.load(Ordering::Relaxed),
            attempts: read(&self.attempts),
            addresses: read(&self.addresses),
            attempts_failed: read(&self.attempts_failed),
            connected: read(&self.connected),
            failed: read(&self.failed),
            cancelled: read(&self.cancelled),
            resolver_threads,
            settings_threads,
        }
    }
}
