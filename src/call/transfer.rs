//! A call's transfer: what is under way, and the connection's close that waits for its result.
//!
//! Three threads meet here: the transfer's own, which has the result; the one that hangs the channel up, which often does so before
//! that; and the job thread, whose clock ends the wait. Whatever their order, the result is told once or not at all, and a close
//! that was laid aside is handed out once.

#[cfg(all(test, loom))]
mod models;
#[cfg(test)]
mod tests;

use crate::net::sync::Mutex;

/// The transfer of a call. `T`: what is to be done about its connection when the core has hung up.
#[derive(Debug)]
pub struct Transferring<T>(Mutex<TransferProgress<T>>);

impl<T> Default for Transferring<T> {
    fn default() -> Self {
        Self(Mutex::new(TransferProgress::None))
    }
}

#[derive(Debug)]
enum TransferProgress<T> {
    /// There is none.
    None,
    /// It is under way.
    Running { correlation_id: Option<String>, close: Option<T> },
    /// Its result is being told.
    Telling { close: Option<T> },
    /// The connection has been closed without its result.
    Abandoned,
}

/// A transfer whose result nobody waits for any more.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub struct Abandoned<T> {
    /// What the application has asked for it with.
    pub correlation_id: Option<String>,
    /// To be done now, if it has waited.
    pub close: Option<T>,
}

impl<T> Transferring<T> {
    /// A transfer begins. False: there is one.
    #[must_use]
    pub fn begin(&self, correlation_id: Option<String>) -> bool {
        let mut progress = self.0.lock();
        let is_free = matches!(*progress, TransferProgress::None);
        if is_free {
            *progress = TransferProgress::Running { correlation_id, close: None };
        }
        is_free
    }

    /// It is over. Gives what the application has asked for it with: it is to be told, and then [`told`](Self::told) says what
    /// is to be done. `None`: nobody is there who could be told.
    pub fn over(&self) -> Option<Option<String>> {
        let mut progress = self.0.lock();
        match std::mem::replace(&mut *progress, TransferProgress::None) {
            TransferProgress::Running { correlation_id, close } => {
                *progress = TransferProgress::Telling { close };
                Some(correlation_id)
            }
            _ => None,
        }
    }

    /// The result has been told. Gives the close that has waited for that.
    pub fn told(&self) -> Option<T> {
        match std::mem::replace(&mut *self.0.lock(), TransferProgress::None) {
            TransferProgress::Telling { close } => close,
            _ => None,
        }
    }

    /// The core has hung up. Lays `close` aside until the result has been told.
    ///
    /// # Errors
    /// It is to be done now: nothing is under way.
    pub fn lay_aside(&self, to_do: T) -> Result<(), T> {
        match &mut *self.0.lock() {
            TransferProgress::Running { close, .. } | TransferProgress::Telling { close } => {
                *close = Some(to_do);
                Ok(())
            }
            TransferProgress::None | TransferProgress::Abandoned => Err(to_do),
        }
    }

    /// The wait is over. `None`: there is no transfer, or its result is known.
    pub fn abandon(&self) -> Option<Abandoned<T>> {
        let mut progress = self.0.lock();
        match std::mem::replace(&mut *progress, TransferProgress::Abandoned) {
            TransferProgress::Running { correlation_id, close } => Some(Abandoned { correlation_id, close }),
            other => {
                *progress = other;
                None
            }
        }
    }
}
