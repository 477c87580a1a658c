//! Faults on demand, for the test that a panic ends one call and nothing else. Only with the feature
//! `fault-injection`, which no installed build has.

#[cfg(feature = "fault-injection")]
mod injected {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicBool, Ordering};

    /// The point to fail at, from the environment variable `CHAN_WEBSOCKET_FAULT`.
    static POINT: LazyLock<Option<String>> = LazyLock::new(|| std::env::var("CHAN_WEBSOCKET_FAULT").ok());
    static DONE: AtomicBool = AtomicBool::new(false);

    #[allow(clippy::panic, reason = "that is what it is for")]
    pub(crate) fn point(name: &str) {
        if POINT.as_deref() == Some(name) && !DONE.swap(true, Ordering::Relaxed) {
            panic!("injected at {name}");
        }
    }
}

#[cfg(feature = "fault-injection")]
pub(crate) use injected::point;

/// A place that a test can make panic, once per process.
#[cfg(not(feature = "fault-injection"))]
#[inline(always)]
pub(crate) fn point(_name: &str) {}
