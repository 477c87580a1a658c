//! The connection, as the thread that sends media finds it: without a lock, and without touching a reference count.

use std::cell::UnsafeCell;

use crate::call::connection::CallConnection;
use crate::call::link::{Link, Seen};
use crate::net::connector::ConnectHandle;

/// The connection that the channel's `write` has seen last.
#[derive(Default)]
pub(super) struct MediaOut(UnsafeCell<Seen<CallConnection>>);

// SAFETY: the content is only touched through `connection`, whose caller holds the channel lock.
unsafe impl Send for MediaOut {}
// SAFETY: as above.
unsafe impl Sync for MediaOut {}

impl MediaOut {
    /// The newest connection of `link`: an atomic load, except for the first time after the connection came up.
    ///
    /// # Safety
    /// The caller writes to the channel and holds the channel lock until it is done with what it gets. (A masquerade
    /// holds the locks of both channels when it moves a call from one to the other.)
    pub(super) unsafe fn connection(
        &self,
        link: &Link<CallConnection, ConnectHandle>,
    ) -> Option<&CallConnection> {
        // SAFETY: exclusive by the caller's promise.
        let seen = unsafe { &mut *self.0.get() };
        link.newest(seen).map(|connection| &**connection)
    }
}
