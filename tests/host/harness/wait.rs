//! Waiting with a deadline.

use std::fmt::Debug;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// How long a thing that must happen may take on a busy machine. Nothing waits this long when all is well.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// HOST_PATIENCE: how many times longer than that, for an Asterisk that is slowed down on purpose.
static FACTOR: LazyLock<u32> =
    LazyLock::new(|| std::env::var("HOST_PATIENCE").ok().and_then(|factor| factor.parse().ok()).unwrap_or(1));

/// A time to wait at most, as HOST_PATIENCE stretches it.
pub fn at_most(timeout: Duration) -> Duration {
    timeout * *FACTOR
}

/// Polls until `ready` gives a value; `None` when `timeout` is over.
pub fn poll<T>(timeout: Duration, mut ready: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + at_most(timeout);
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

/// How often a time is measured on a machine that others use too.
const MEASUREMENTS: usize = 10;

/// Measures until a result `fits`, and returns it. A busy machine spoils single measurements; a defect spoils all of
/// them. Fails the test with all results when none fits.
#[track_caller]
pub fn until_fits<T: Debug>(what: &str, mut measure: impl FnMut() -> T, fits: impl Fn(&T) -> bool) -> T {
    let mut measured = Vec::new();
    while measured.len() < MEASUREMENTS {
        let time = measure();
        if fits(&time) {
            return time;
        }
        measured.push(time);
    }
    panic!("{what}: none of {measured:?}")
}
