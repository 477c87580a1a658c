//! A call's playout: its session, which decides what is due and when, and the [sinks](Sinks) that frames go to. Any
//! thread.
//!
//! The session's lock is in here. Events to the application are queued under it, by the caller's `queue_events`, so
//! that they leave in the order in which they happened, whichever thread found them. The sinks are told of deadlines
//! after it is released.

use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{Mutex, MutexGuard};

use crate::call::sinks::{Descriptor, Sink, Sinks};
use crate::mono_time::MonoTime;
use crate::net::clock::{self, Clock};
use crate::playout::digits::DigitFrame;
use crate::playout::session::{Action, ClockSetting, MediaFrame, Session};

/// What a sink takes.
#[derive(Debug)]
pub enum Due {
    /// Media.
    Media(MediaFrame),
    /// A digit's begin or end.
    Digit(DigitFrame),
}

/// The application presses digits: what the core does with a digit, it does where the channel's thread reads one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pressing;

/// The result of a sink's visit. `E`: the events that were queued.
#[derive(Debug)]
pub struct TakenDue<E> {
    /// What was due, if anything was.
    pub due: Option<Due>,
    /// Events to be sent.
    pub events: E,
    /// The application had to wait, and reading from it is to go on.
    pub reads_on: bool,
}

/// The results of work on the session, in the order in which the caller has to process them, with no lock held.
#[derive(Debug)]
#[must_use]
pub struct Changed<E> {
    /// Events to be sent.
    pub events: E,
    /// The application has started or stopped receiving media.
    pub receiving_changed: bool,
    /// All actions that the session asks for, including its events.
    pub actions: Vec<Action>,
    /// The clock's setting, if it has changed: to be [told](Playout::tell) to the sinks.
    pub clock: Option<ClockSetting>,
}

/// See the module.
pub struct Playout<D = Clock> {
    session: Mutex<Session>,
    /// Mirrors [`Session::sends_media`], to see it without the lock.
    sends_media: AtomicBool,
    /// Where frames go.
    pub sinks: Sinks<D>,
}

impl<D> std::fmt::Debug for Playout<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Playout").field("sends_media", &self.sends_media).finish_non_exhaustive()
    }
}

impl<D: Descriptor> Playout<D> {
    /// A playout whose frames the channel's thread takes, woken by `descriptor`.
    pub fn new(session: Session, descriptor: D) -> Self {
        Self {
            sends_media: AtomicBool::new(session.sends_media()),
            session: Mutex::new(session),
            sinks: Sinks::new(descriptor),
        }
    }

    /// The session, to look at it or to queue an event under its lock.
    pub fn session(&self) -> MutexGuard<'_, Session> {
        self.session.lock()
    }

    /// Whether the application receives media. One atomic load.
    pub fn sends_media(&self) -> bool {
        self.sends_media.load(Ordering::Relaxed)
    }

    /// Takes what is due, for `sink`. It keeps the other sink from coming until it is done with it. `call_player`: see
    /// [`Sinks::apply`].
    ///
    /// # Errors
    /// A player has come, and the application presses digits: the channel's thread has to take them.
    pub fn take_due<E>(
        &self,
        sink: Sink,
        queue_events: impl FnOnce(&[Action]) -> E,
        call_player: impl Fn(MonoTime),
    ) -> Result<TakenDue<E>, Pressing> {
        let mut actions = Vec::new();
        let (due, clock, events) = {
            let mut session = self.session.lock();
            if sink == Sink::Player && session.presses_digits() {
                return Err(Pressing);
            }
            let now = clock::now();
            let due = match session.read_digit(now, &mut actions) {
                Some(digit) => Some(Due::Digit(digit)),
                None => session.read(now, &mut actions).map(Due::Media),
            };
            (due, session.clock(), queue_events(&actions))
        };
        self.sinks.apply_after(sink, clock, call_player, || self.newest());
        Ok(TakenDue { due, events, reads_on: actions.contains(&Action::ReadOn) })
    }

    /// Runs `work` on the session.
    pub fn change<E>(
        &self,
        work: impl FnOnce(&mut Session, &mut Vec<Action>),
        queue_events: impl FnOnce(&[Action]) -> E,
    ) -> Changed<E> {
        let mut actions = Vec::new();
        let mut session = self.session.lock();
        let before = session.clock().seq;
        work(&mut session, &mut actions);
        let sends_media = session.sends_media();
        let receiving_changed = sends_media != self.sends_media();
        if receiving_changed {
            self.sends_media.store(sends_media, Ordering::Relaxed);
        }
        let clock = session.clock();
        let events = queue_events(&actions);
        drop(session);
        Changed { events, receiving_changed, actions, clock: (clock.seq != before).then_some(clock) }
    }

    /// Asks a sink to come at the time of `setting`. `call_player`: see [`Sinks::apply`]. No lock of ours is held.
    pub fn tell(&self, setting: ClockSetting, call_player: impl Fn(MonoTime)) {
        self.sinks.apply(setting, call_player, || self.newest());
    }

    /// Another sink is to come from now on. No lock of ours is held.
    pub fn tell_anew(&self, call_player: impl Fn(MonoTime)) {
        self.tell(self.newest(), call_player);
    }

    fn newest(&self) -> ClockSetting {
        self.session.lock().clock()
    }
}

#[cfg(test)]
mod tests;
