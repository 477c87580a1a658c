//! `CLOCK_MONOTONIC`: the time, and a timer descriptor that becomes readable at a point in time, when a channel's next
//! frame is due or at a busy reactor's next sweep.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime,
    timerfd_create, timerfd_settime,
};

use crate::mono_time::MonoTime;

const NANOS_PER_SEC: u64 = 1_000_000_000;

/// Now, on `CLOCK_MONOTONIC`.
pub fn now() -> MonoTime {
    let time = clock_gettime(ClockId::Monotonic);
    let seconds = time.tv_sec.unsigned_abs().saturating_mul(NANOS_PER_SEC);
    MonoTime::from_nanos(seconds.saturating_add(time.tv_nsec.unsigned_abs()))
}

/// The time in the form of the kernel's timers.
pub fn timespec(time: MonoTime) -> Timespec {
    let nanos = time.as_nanos();
    Timespec {
        tv_sec: i64::try_from(nanos / NANOS_PER_SEC).unwrap_or(i64::MAX),
        tv_nsec: i64::try_from(nanos % NANOS_PER_SEC).unwrap_or(0),
    }
}

/// The descriptor. Any thread may set it; setting it makes it unreadable again, so it is never read.
#[derive(Debug)]
pub struct Clock(OwnedFd);

impl Clock {
    /// An unset clock on `CLOCK_MONOTONIC`.
    ///
    /// # Errors
    /// Out of descriptors.
    pub fn new() -> io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        Ok(Self(timerfd_create(TimerfdClockId::Monotonic, flags)?))
    }

    /// Makes the descriptor readable at `deadline` (at once if that has passed), or never.
    pub fn set(&self, deadline: Option<MonoTime>) {
        let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
        // An all-zero time would unset the timer.
        let value = deadline.map_or(zero, |at| timespec(at.max(MonoTime::from_nanos(1))));
        let setting = Itimerspec { it_interval: zero, it_value: value };
        if let Err(error) = timerfd_settime(&self.0, TimerfdTimerFlags::ABSTIME, &setting) {
            log::error!("cannot set a clock: {error}");
        }
    }
}

impl AsRawFd for Clock {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}
