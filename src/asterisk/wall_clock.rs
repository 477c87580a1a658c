//! The wall clock, relative to the monotonic clock by which frames are stamped.

use rustix::time::{ClockId, Timespec, clock_gettime};

const NANOS_PER_SEC: i64 = 1_000_000_000;

/// Wall-clock time minus monotonic time, ns.
pub(crate) fn wall_offset_ns() -> i64 {
    nanos(clock_gettime(ClockId::Realtime)).saturating_sub(nanos(clock_gettime(ClockId::Monotonic)))
}

fn nanos(time: Timespec) -> i64 {
    time.tv_sec.saturating_mul(NANOS_PER_SEC).saturating_add(time.tv_nsec)
}
