//! What can be asked about a call's connection, and its loss.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::{Link, State};
use crate::call::ending::{End, HangupCause};
use crate::report::call_stats::Ending;

impl<C, A> Link<C, A> {
    /// The loss was reported to all who have to know it: another connection may come from now on. Until then none is
    /// accepted, so that its arrival is not reported before the loss.
    pub fn loss_told(&self) {
        if let Some(loss) = &mut self.inner.lock().loss {
            loss.is_told = true;
        }
    }

    /// Whether the call waits for another connection, and one may come.
    pub fn waits(&self) -> bool {
        let inner = self.inner.lock();
        matches!(inner.state, State::Connecting | State::Lost)
            && inner.loss.as_ref().is_some_and(|loss| loss.is_told)
    }

    /// Since when the call is without the connection that it lost. `None`: it has one, or has not had one yet.
    pub fn lost_since(&self) -> Option<Instant> {
        self.inner.lock().loss.as_ref().map(|loss| loss.since)
    }

    /// How long a call that has lost its connection waits for another one, if at all.
    pub fn reconnect(&self) -> Option<Duration> {
        self.reconnect
    }

    /// Connections so far.
    pub fn connections(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// The state of the connection.
    pub fn state(&self) -> State {
        self.inner.lock().state
    }

    /// The code for closing a connection that the call no longer wants. `None`: the call wants one.
    pub fn closes_with(&self) -> Option<u16> {
        let inner = self.inner.lock();
        (inner.state == State::Closed).then_some(inner.close_code)
    }

    /// The newest connection, even if it is over.
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
