//! A call's transfer: its progress, and the close of the connection, which waits for the result.
//!
//! Three threads meet here: the transfer's own, which has the result; the thread that hangs up the channel, often
//! before that; and the job thread, whose timer ends the wait. Whatever their order, the result is told once or not at
//! all, and a close that was put aside is returned once.

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
    /// There is no transfer.
    None,
    /// A transfer is under way.
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
    /// The id in the application's command.
    pub correlation_id: Option<String>,
    /// What is to be done now, if it has waited.
    pub close: Option<T>,
}

impl<T> Transferring<T> {
    /// A transfer begins. False: one is under way already.
    #[must_use]
    pub fn begin(&self, correlation_id: Option<String>) -> bool {
        let mut progress = self.0.lock();
        let is_free = matches!(*progress, TransferProgress::None);
        if is_free {
            *progress = TransferProgress::Running { correlation_id, close: None };
        }
        is_free
    }

    /// The transfer is over. Returns the id in the application's command: the caller tells the application the result,
    /// and then asks [`told`](Self::told) what is to be done. `None`: there is nobody to tell.
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

    /// The result has been told. Returns the close that has waited for that.
    pub fn told(&self) -> Option<T> {
        match std::mem::replace(&mut *self.0.lock(), TransferProgress::None) {
            TransferProgress::Telling { close } => close,
            _ => None,
        }
    }

    /// The core has hung up. Puts `to_do` aside until the result has been told.
    ///
    /// # Errors
    /// `to_do` is to be done now: no transfer is under way.
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
