//! How a call gets its connection: the connection id's claim, attempts, and a connection that comes up.

use std::sync::Arc;
use std::time::Duration;

use super::Call;
use crate::asterisk::log::call_debug;
use crate::call::connection::{CallConnection, Established};
use crate::call::link::{ClaimRefused, Happening};
use crate::net::connector::ConnectHandle;
use crate::net::outbound::Outbound;
use crate::net::reactor::Slot;

impl Call {
    /// Claims the connection id for an application, which gets a 101.
    ///
    /// # Errors
    /// Another application has it, or the call is over.
    pub(crate) fn claim(&self) -> Result<(), ClaimRefused> {
        self.link.claim()?;
        self.driver.jobs.unwatch_incoming(self);
        Ok(())
    }

    /// An attempt to connect is about to be made. False: the call is over, so there is nothing to connect.
    pub(crate) fn begin_connecting(&self) -> bool {
        !self.link.happen(Happening::ConnectStarted).refused
    }

    /// Remembers how to cancel the attempt. The attempt or the call may be over by now.
    pub(crate) fn keep_attempt(&self, attempt: ConnectHandle) {
        if let Some(unwanted) = self.link.keep_attempt(attempt) {
            unwanted.cancel();
        }
    }

    /// The connection is up and MEDIA_START is out: events and media may follow. Returns the connection's number;
    /// `None` if the call has ended meanwhile. `lost`: how long the call was without a connection, if it had lost one.
    pub(crate) fn open_link(
        &self,
        out: Arc<Outbound>,
        slot: Slot,
        link: &Established,
        lost: Option<Duration>,
    ) -> Option<usize> {
        let connection = CallConnection::of(link, out, slot);
        let todo = self.link.happen(Happening::Established(Arc::new(connection)));
        if todo.refused {
            return None;
        }
        call_debug!(self, 1, "WebSocket connection with {} established", link.peer);
        match lost {
            Some(lost) => self.reconnected(lost),
            None => {
                self.stats.connected();
                self.driver.books.count_connected(self.role);
                self.notify_connected();
            }
        }
        Some(todo.connection)
    }
}
