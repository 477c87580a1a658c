//! What can be asked about a call's connection, and its loss.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::{Link, State};
use crate::call::ending::{End, HangupCause};
use crate::report::call_stats::Ending;

impl<C, A> Link<C, A> {
    /// All who have to know of the loss know: another connection may come from now on. Until then none does, lest its coming
    /// be told of before the loss.
    pub fn loss_told(&self) {
        if let Some(loss) = &mut self.inner.lock().loss {
            loss.is_told = true;
        }
    }

    /// Whether the call waits for another connection, and that may come.
    pub fn waits(&self) -> bool {
        let inner = self.inner.lock();
        matches!(inner.state, State::Connecting | State::Lost)
            && inner.loss.as_ref().is_some_and(|loss| loss.is_told)
    }

    /// Since when the call is without the connection that it has lost. `None`: it has one, or has had none yet.
    pub fn lost_since(&self) -> Option<Instant> {
        self.inner.lock().loss.as_ref().map(|loss| loss.since)
    }

    /// How long the call waits for another connection when it has lost one, if at all.
    pub fn reconnect(&self) -> Option<Duration> {
        self.reconnect
    }

    /// Connections so far.
    pub fn connections(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// What the connection is at.
    pub fn state(&self) -> State {
        self.inner.lock().state
    }

    /// The code that a connection is to be closed with that the call does not want any more. `None`: it wants one.
    pub fn closes_with(&self) -> Option<u16> {
        let inner = self.inner.lock();
        (inner.state == State::Closed).then_some(inner.close_code)
    }

    /// The newest connection, also when it is over.
    pub fn connection(&self) -> Option<Arc<C>> {
        self.inner.lock().connection.clone()
    }

    /// How the call ends, once that is known: the first end counts.
    pub fn end(&self) -> Option<&End> {
        self.ended.get()
    }

    /// How the channel is to be hung up; `None` if the call has no end yet, or the core has hung up.
    pub fn hangup(&self) -> Option<HangupCause> {
        self.end()?.hangup
    }

    /// How the call ended, for people.
    pub fn ending(&self) -> Option<&Ending> {
        self.settled.get().and_then(Option::as_ref).or_else(|| Some(&self.ended.get()?.ending))
    }
}
