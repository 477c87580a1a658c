//! What is known of a call that has lost its connection and may get another.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::{Inner, Link, State};
use crate::call::ending::End;

/// The loss of a connection.
#[derive(Debug)]
pub(super) struct Loss {
    pub(super) since: Instant,
    /// The end of the call, if no other comes.
    pub(super) end: End,
    /// See [`Link::loss_told`].
    pub(super) is_told: bool,
}

impl<C, A> Link<C, A> {
    /// Whoever has to know of the loss knows: another connection may come from now on. Until then none does, lest its coming
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
}

impl<C, A> Inner<C, A> {
    /// See [`Link::loss_told`].
    pub(super) fn has_untold_loss(&self) -> bool {
        self.loss.as_ref().is_some_and(|loss| !loss.is_told)
    }
}
