//! Which events about a call operators get: each once, in pairs, and no more than a manager can read. Any thread.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Instant;

use parking_lot::Mutex;

use crate::mono_time::MonoTime;
use crate::report::log_limit::LogLimit;

/// The state of a call's events. `Ch` is its channel.
#[derive(Debug)]
pub struct ToldEvents<Ch> {
    overflowing: Mutex<Option<Overflowing>>,
    /// Limits for stalls and full queues, which an application can cause as often as it likes.
    limit_in: LogLimit,
    limit_out: LogLimit,
    /// The current stall was reported.
    stall_told: AtomicBool,
    /// The cause with which the core has hung up.
    cause: AtomicU32,
    departed: Mutex<Departed<Ch>>,
}

/// A time in which messages of the application find the queue full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overflowing {
    /// When it began.
    pub since: Instant,
    /// How many frames had been dropped before.
    pub frames_dropped_before: u64,
    /// Its beginning was reported, so its end is too.
    pub told: bool,
}

/// The channel of a call that the core has hung up, for the event that its connection has ended.
#[derive(Debug)]
enum Departed<Ch> {
    /// It has not been hung up.
    NotYet,
    /// It has been hung up, and waits for the event.
    Waiting(Ch),
    /// The event has been sent.
    Past,
}

/// The channel for the event that a connection has ended.
#[derive(Debug, PartialEq, Eq)]
pub enum EndOf<Ch> {
    /// The call's current channel.
    CurrentChannel,
    /// A channel that the core has hung up.
    HungUp(Ch),
}

impl<Ch> Default for ToldEvents<Ch> {
    fn default() -> Self {
        Self {
            overflowing: Mutex::default(),
            limit_in: LogLimit::new(),
            limit_out: LogLimit::new(),
            stall_told: AtomicBool::new(false),
            cause: AtomicU32::new(0),
            departed: Mutex::new(Departed::NotYet),
        }
    }
}

impl<Ch> ToldEvents<Ch> {
    /// The core has hung the channel up, with this cause. `channel`: given if the end of a connection has still to be
    /// reported.
    pub fn hung_up(&self, cause: u32, channel: Option<Ch>) {
        self.cause.store(cause, Ordering::Relaxed);
        let mut departed = self.departed.lock();
        if let (Departed::NotYet, Some(channel)) = (&*departed, channel) {
            *departed = Departed::Waiting(channel);
        }
    }

    /// The cause with which the core has hung the channel up; 0 before that.
    pub fn core_cause(&self) -> u32 {
        self.cause.load(Ordering::Relaxed)
    }

    /// The connection has ended. `None`: that was reported already.
    pub fn disconnected(&self) -> Option<EndOf<Ch>> {
        match std::mem::replace(&mut *self.departed.lock(), Departed::Past) {
            Departed::NotYet => Some(EndOf::CurrentChannel),
            Departed::Waiting(channel) => Some(EndOf::HungUp(channel)),
            Departed::Past => None,
        }
    }

    /// The application does not read what is sent to it. Returns whether to report that.
    pub fn stalled(&self, now: MonoTime) -> bool {
        let told = self.limit_out.admit(now).is_some();
        self.stall_told.store(told, Ordering::Relaxed);
        told
    }

    /// The application reads again. Returns whether to report that.
    pub fn resumed(&self) -> bool {
        self.stall_told.load(Ordering::Relaxed)
    }

    /// The queue is full when media of the application arrives. `frames_dropped_before`: how many frames had been
    /// dropped earlier. Returns whether to report that. On the connection's reactor.
    pub fn overflowing(&self, now: MonoTime, frames_dropped_before: u64) -> bool {
        let told = self.limit_in.admit(now).is_some();
        *self.overflowing.lock() = Some(Overflowing { since: Instant::now(), frames_dropped_before, told });
        told
    }

    /// The queue has room again. `None`: it was not full.
    pub fn flowing(&self) -> Option<Overflowing> {
        self.overflowing.lock().take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: MonoTime = MonoTime::from_nanos(1_000_000_000);

    #[test]
    fn the_end_of_a_connection_is_told_once_with_the_channel_that_it_had() {
        let told = ToldEvents::<&str>::default();
        assert_eq!(told.disconnected(), Some(EndOf::CurrentChannel));
        assert_eq!(told.disconnected(), None);
        let told = ToldEvents::default();
        told.hung_up(16, Some("channel"));
        assert_eq!(told.core_cause(), 16);
        assert_eq!(told.disconnected(), Some(EndOf::HungUp("channel")));
        assert_eq!(told.disconnected(), None);
    }

    #[test]
    fn a_channel_that_is_hung_up_after_that_event_is_not_kept() {
        let told = ToldEvents::default();
        let channel = std::sync::Arc::new(());
        let _ = told.disconnected();
        told.hung_up(16, Some(channel.clone()));
        assert_eq!((told.disconnected(), std::sync::Arc::strong_count(&channel)), (None, 1));
    }

    #[test]
    fn a_stall_that_is_told_has_its_end_told_and_no_other() {
        let told = ToldEvents::<()>::default();
        let mut stalls = (0..1000).map(|_| (told.stalled(NOW), told.resumed()));
        assert_eq!(stalls.next(), Some((true, true)));
        assert_eq!(stalls.last(), Some((false, false)), "one of many at the same time");
    }

    #[test]
    fn so_has_a_full_queue() {
        let told = ToldEvents::<()>::default();
        assert_eq!(told.flowing(), None);
        let all = (0..1000).map(|frames| (told.overflowing(NOW, frames), told.flowing())).collect::<Vec<_>>();
        for (frames, (told, flowing)) in (0..).zip(all) {
            let flowing = flowing.expect("it was overflowing");
            assert_eq!((flowing.told, flowing.frames_dropped_before), (told, frames));
            assert!(!told || frames <= 500, "one of many at the same time");
        }
    }
}
