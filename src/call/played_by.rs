//! Which thread takes a call's frames out of its queue when they are due: the channel's own thread, which the clock's
//! descriptor wakes, or a player, while the call is in a direct bridge (docs/bridge.md).
//!
//! There is no lock: each thread that sets the clock asks here, and sets either the descriptor or the player's turn.
//! Two threads may do that at once, and one of them may act on an outdated answer. Then a player comes to a call that
//! is not its own, and sets the descriptor; or the descriptor fires in a direct bridge, and the channel's thread plays
//! that frame. In either case a frame that is due is fetched.

#[cfg(all(test, loom))]
mod models;

use std::sync::Weak;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::mono_time::MonoTime;
use crate::net::sync::{AtomicBool, AtomicU8, AtomicU64};

/// A player that is kept from a call by something that lasts, such as a recording, comes back after this time.
const PAUSE: Duration = Duration::from_millis(200);
/// Locks are held only for a moment: a player that found one taken comes back after this time.
const RETRY: Duration = Duration::from_millis(1);
/// It comes back this often; then the channel's thread, which waits for locks, plays that frame.
const RETRIES: u8 = 3;

/// A call `C` that a player is to come to.
#[derive(Debug)]
pub struct PlayerTurn<C> {
    /// The call, if it still exists then.
    pub call: Weak<C>,
    /// When the player is to come.
    pub at: MonoTime,
}

/// See the module.
#[derive(Debug, Default)]
pub struct PlayedBy {
    is_direct: AtomicBool,
    /// Frames that are due before this are played by the channel's thread in any case; in nanoseconds.
    threads_until: AtomicU64,
    /// When the player is to come, in nanoseconds; 0: not at all.
    turn: AtomicU64,
    /// How often in a row it came in vain. Used by the player's thread alone.
    retries: AtomicU8,
}

/// What a player does after it came in vain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InVain {
    /// It comes again at that time.
    Retry(MonoTime),
    /// The channel's thread plays the frame.
    Thread,
}

impl PlayedBy {
    /// Sets whether the call is in a direct bridge. The caller has to set the clock again after that.
    pub fn set_direct(&self, is_direct: bool) {
        self.is_direct.store(is_direct, Ordering::SeqCst);
    }

    /// Whether a player is to take what is due at `at`.
    pub fn is_players(&self, at: MonoTime) -> bool {
        self.is_direct.load(Ordering::SeqCst) && at.as_nanos() >= self.threads_until.load(Ordering::Relaxed)
    }

    /// A player is to come at `at`, and at no other time.
    pub fn call_player(&self, at: MonoTime) {
        self.turn.store(at.as_nanos(), Ordering::SeqCst);
    }

    /// Whether the player that was called for `at` is still to come. It takes the turn.
    pub fn take_turn(&self, at: MonoTime) -> bool {
        self.turn.compare_exchange(at.as_nanos(), 0, Ordering::SeqCst, Ordering::Relaxed).is_ok()
    }

    /// The player has played.
    pub fn played(&self) {
        self.retries.store(0, Ordering::Relaxed);
    }

    /// Another thread held a lock, or the channel's thread had something to do. `due`: when the frame is due.
    pub fn was_busy(&self, now: MonoTime, due: MonoTime) -> InVain {
        let retries = self.retries.load(Ordering::Relaxed);
        if retries < RETRIES {
            self.retries.store(retries + 1, Ordering::Relaxed);
            return InVain::Retry(now + RETRY);
        }
        self.leave_to_thread(due + Duration::from_nanos(1))
    }

    /// The player may not play this call now.
    pub fn was_barred(&self, due: MonoTime) -> InVain {
        self.leave_to_thread(due + PAUSE)
    }

    fn leave_to_thread(&self, until: MonoTime) -> InVain {
        self.retries.store(0, Ordering::Relaxed);
        self.threads_until.store(until.as_nanos(), Ordering::Relaxed);
        InVain::Thread
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> MonoTime {
        MonoTime::from_nanos(ms * 1_000_000)
    }

    #[test]
    fn a_player_takes_the_due_frames_in_a_direct_bridge() {
        let played_by = PlayedBy::default();
        assert!(!played_by.is_players(at(20)));
        played_by.set_direct(true);
        assert!(played_by.is_players(at(20)));
        played_by.set_direct(false);
        assert!(!played_by.is_players(at(20)));
    }

    #[test]
    fn it_comes_once_and_only_at_the_time_that_was_said_last() {
        let played_by = PlayedBy::default();
        assert!(!played_by.take_turn(at(20)));
        played_by.call_player(at(20));
        played_by.call_player(at(40));
        assert!(!played_by.take_turn(at(20)));
        assert!(played_by.take_turn(at(40)));
        assert!(!played_by.take_turn(at(40)));
    }

    #[test]
    fn after_some_tries_the_thread_plays_that_one_frame() {
        let played_by = PlayedBy::default();
        played_by.set_direct(true);
        for due in [20, 40] {
            for _ in 0..RETRIES {
                assert_eq!(played_by.was_busy(at(due + 1), at(due)), InVain::Retry(at(due + 2)));
                assert!(played_by.is_players(at(due)));
            }
            assert_eq!(played_by.was_busy(at(due + 1), at(due)), InVain::Thread);
            assert!(!played_by.is_players(at(due)));
            assert!(played_by.is_players(at(due + 20)));
        }
    }

    #[test]
    fn success_begins_the_count_anew() {
        let played_by = PlayedBy::default();
        for _ in 0..10 {
            assert_eq!(played_by.was_busy(at(21), at(20)), InVain::Retry(at(22)));
            played_by.played();
        }
    }

    #[test]
    fn where_it_may_not_play_it_stays_away_for_a_while() {
        let played_by = PlayedBy::default();
        played_by.set_direct(true);
        assert_eq!(played_by.was_barred(at(20)), InVain::Thread);
        assert!(!played_by.is_players(at(219)));
        assert!(played_by.is_players(at(220)));
    }
}
