//! Waiting with a deadline.

use std::fmt::Debug;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// The longest time that an expected event may take on a busy machine. Normally nothing waits this long.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// HOST_PATIENCE: multiplies this time, for an Asterisk that is slowed down on purpose.
static FACTOR: LazyLock<u32> =
    LazyLock::new(|| std::env::var("HOST_PATIENCE").ok().and_then(|factor| factor.parse().ok()).unwrap_or(1));

/// A maximum time to wait, multiplied by HOST_PATIENCE.
pub fn at_most(timeout: Duration) -> Duration {
    timeout * *FACTOR
}

/// Polls until `ready` gives a value; `None` after `timeout`.
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

/// Polls until `ready` is true. Fails the test if that takes longer than [`PATIENCE`].
#[track_caller]
pub fn until(what: &str, mut ready: impl FnMut() -> bool) {
    assert!(poll(PATIENCE, || ready().then_some(())).is_some(), "waited in vain: {what}");
}

/// How often a time is measured, because other programs use the machine too.
const MEASUREMENTS: usize = 10;

/// Measures until a result `fits`, and returns it. A busy machine spoils some measurements; a defect spoils all of
/// them. If none fits, fails the test with all results.
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
