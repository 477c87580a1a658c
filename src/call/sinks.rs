//! Where a call's frames go when they are due. There are two sinks, and each deadline is told to one of them: the
//! channel's own thread, which the clock's descriptor wakes, or a player, while the call is in a direct bridge
//! ([`PlayedBy`] decides which).
//!
//! There is no lock: several threads may tell deadlines at once, see [`ClockSetting::apply`].

use crate::call::played_by::PlayedBy;
use crate::mono_time::MonoTime;
use crate::net::clock::Clock;
use crate::playout::session::ClockSetting;

/// Who takes the frame that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sink {
    /// The channel's thread, woken by the clock's descriptor.
    Thread,
    /// A player.
    Player,
}

/// What wakes the channel's thread.
pub trait Descriptor {
    /// Wakes the thread at `deadline`, or not at all. Any thread; makes the descriptor unreadable until then.
    fn set(&self, deadline: Option<MonoTime>);
}

impl Descriptor for Clock {
    fn set(&self, deadline: Option<MonoTime>) {
        Clock::set(self, deadline);
    }
}

/// The two sinks of a call.
#[derive(Debug)]
pub struct Sinks<D> {
    /// The channel's thread.
    pub descriptor: D,
    /// Whether that thread or a player takes frames, and the player's turn.
    pub played_by: PlayedBy,
}

impl<D: Descriptor> Sinks<D> {
    /// The channel's thread is the sink until a player is.
    pub fn new(descriptor: D) -> Self {
        Self { descriptor, played_by: PlayedBy::default() }
    }

    /// Asks the sink to come at the time of `setting`. `call_player` asks for a player at its time, and `newest`
    /// returns the newest setting; neither may wait.
    pub fn apply(
        &self,
        setting: ClockSetting,
        call_player: impl Fn(MonoTime),
        newest: impl Fn() -> ClockSetting,
    ) {
        setting.apply(|deadline| self.call(deadline, &call_player), newest);
    }

    /// The same after `sink` has taken what was due: the descriptor of a thread that has come stays ready until it is
    /// set.
    pub fn apply_after(
        &self,
        sink: Sink,
        setting: ClockSetting,
        call_player: impl Fn(MonoTime),
        newest: impl Fn() -> ClockSetting,
    ) {
        if sink == Sink::Thread && self.player_of(setting.deadline).is_some() {
            self.descriptor.set(None);
        }
        // Always set: only that makes the descriptor unready.
        self.apply(setting, call_player, newest);
    }

    fn call(&self, deadline: Option<MonoTime>, call_player: impl Fn(MonoTime)) {
        match self.player_of(deadline) {
            Some(at) => {
                self.played_by.call_player(at);
                call_player(at);
            }
            None => self.descriptor.set(deadline),
        }
    }

    /// The deadline, if a player is to come for it.
    fn player_of(&self, deadline: Option<MonoTime>) -> Option<MonoTime> {
        deadline.filter(|at| self.played_by.is_players(*at))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::cell::RefCell;

    use parking_lot::Mutex;

    use super::*;

    /// A descriptor that keeps what it was set to.
    #[derive(Debug, Default)]
    pub(in crate::call) struct Fake(pub(in crate::call) Mutex<Vec<Option<MonoTime>>>);

    impl Descriptor for Fake {
        fn set(&self, deadline: Option<MonoTime>) {
            self.0.lock().push(deadline);
        }
    }

    fn at(ms: u64) -> MonoTime {
        MonoTime::from_nanos(ms * 1_000_000)
    }

    fn setting(deadline: Option<MonoTime>) -> ClockSetting {
        ClockSetting { seq: 1, deadline }
    }

    /// What the descriptor is set to and when a player is called, after `sink` has taken a frame, or after no frame was
    /// taken.
    fn told(
        sinks: &Sinks<Fake>,
        sink: Option<Sink>,
        deadline: Option<MonoTime>,
    ) -> (Vec<Option<MonoTime>>, Vec<MonoTime>) {
        let turns = RefCell::new(Vec::new());
        let call_player = |at| turns.borrow_mut().push(at);
        match sink {
            Some(sink) => sinks.apply_after(sink, setting(deadline), call_player, || setting(deadline)),
            None => sinks.apply(setting(deadline), call_player, || setting(deadline)),
        }
        (std::mem::take(&mut sinks.descriptor.0.lock()), turns.into_inner())
    }

    #[test]
    fn one_sink_is_told_of_each_deadline() {
        let sinks = Sinks::new(Fake::default());
        for sink in [None, Some(Sink::Thread), Some(Sink::Player)] {
            assert_eq!(told(&sinks, sink, Some(at(20))), (vec![Some(at(20))], vec![]), "{sink:?}");
        }
        sinks.played_by.set_direct(true);
        for sink in [None, Some(Sink::Player)] {
            assert_eq!(told(&sinks, sink, Some(at(20))), (vec![], vec![at(20)]), "{sink:?}");
            assert!(sinks.played_by.take_turn(at(20)));
        }
    }

    /// The thread plays one more frame when a direct bridge begins: otherwise its descriptor would stay ready and wake
    /// it for ever.
    #[test]
    fn a_thread_that_hands_over_to_a_player_is_not_woken_again() {
        let sinks = Sinks::new(Fake::default());
        sinks.played_by.set_direct(true);
        assert_eq!(told(&sinks, Some(Sink::Thread), Some(at(20))), (vec![None], vec![at(20)]));
    }

    #[test]
    fn nothing_due_is_the_threads() {
        let sinks = Sinks::new(Fake::default());
        sinks.played_by.set_direct(true);
        assert_eq!(told(&sinks, Some(Sink::Player), None), (vec![None], vec![]));
    }
}
