//! Waiting with a deadline.

use std::time::{Duration, Instant};

/// How long a thing that must happen may take on a busy machine. Nothing waits this long when all is well.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Polls until `ready` gives a value; `None` when `timeout` is over.
pub fn poll<T>(timeout: Duration, mut ready: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + timeout;
    loop {
        if let Some(value) = ready() {
            return Some(value);
        }
        if Instant::now() >= deadline {
            return None;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Polls until `ready` is true, and fails the test when it is not within [`PATIENCE`].
#[track_caller]
pub fn until(what: &str, mut ready: impl FnMut() -> bool) {
    assert!(poll(PATIENCE, || ready().then_some(())).is_some(), "waited in vain: {what}");
}
