//! A caller's right to a result: kept once, whatever happens to its job.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::connect_error::{ConnectError, Failure};
use super::{Connected, OnDone};
use crate::net::contain::contained;

/// Whether the end of a job is decided. The first party sets it: the connector to report, or the caller to cancel.
#[derive(Debug, Default)]
pub(super) struct Settled(AtomicBool);

impl Settled {
    /// `true` for the first caller.
    pub(super) fn claim(&self) -> bool {
        !self.0.swap(true, Ordering::AcqRel)
    }
}

/// What a caller was promised. If it is dropped before it is kept, as in a panic, it reports that; but nothing if the
/// caller has cancelled.
pub(super) struct Promise {
    on_done: Option<OnDone>,
    settled: Arc<Settled>,
}

impl Promise {
    pub(super) fn new(on_done: OnDone, settled: Arc<Settled>) -> Self {
        Self { on_done: Some(on_done), settled }
    }

    /// Tells the caller how the job ended. Returns the connection if the caller has cancelled.
    pub(super) fn keep(mut self, result: Result<Connected, ConnectError>) -> Option<Connected> {
        self.report(result)
    }

    fn report(&mut self, result: Result<Connected, ConnectError>) -> Option<Connected> {
        let on_done = self.on_done.take()?;
        if self.settled.claim() {
            contained("Taking over a connection", || on_done(result));
            return None;
        }
        contained("Dropping a cancelled call", || drop(on_done));
        result.ok()
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        let lost = Failure::Internal("the call was lost in another fault".to_owned());
        self.report(Err(ConnectError::before_any_attempt(lost)));
    }
}
