//! A channel's clock: a timer descriptor that becomes readable when the next frame is due.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime,
    timerfd_create, timerfd_settime,
};

use crate::driver::clock::MonoTime;
pub(crate) use crate::net::tick::now;
use crate::net::tick::timespec;

const NANOS_PER_SEC: u64 = 1_000_000_000;

/// The descriptor. Set from any thread; setting it takes its readiness back, so nobody ever reads it.
#[derive(Debug)]
pub(crate) struct Clock(OwnedFd);

impl Clock {
    /// An unset clock on `CLOCK_MONOTONIC`.
    ///
    /// # Errors
    /// Out of descriptors.
    pub(crate) fn new() -> io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        Ok(Self(timerfd_create(TimerfdClockId::Monotonic, flags)?))
    }

    /// Makes the descriptor readable at `deadline` (at once if that has passed), or never.
    pub(crate) fn set(&self, deadline: Option<MonoTime>) {
        let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
        // An all-zero time would unset the timer.
        let value = deadline.map_or(zero, |at| timespec(at.max(MonoTime::from_nanos(1))));
        let setting = Itimerspec { it_interval: zero, it_value: value };
        if let Err(error) = timerfd_settime(&self.0, TimerfdTimerFlags::ABSTIME, &setting) {
            log::error!("cannot set a channel's clock: {error}");
        }
    }
}

impl AsRawFd for Clock {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// Wall-clock time minus monotonic time, ns.
pub(crate) fn wall_offset_ns() -> i64 {
    nanos(clock_gettime(ClockId::Realtime)).saturating_sub(nanos(clock_gettime(ClockId::Monotonic)))
}

fn nanos(time: Timespec) -> i64 {
    time.tv_sec.saturating_mul(NANOS_PER_SEC as i64).saturating_add(time.tv_nsec)
}
