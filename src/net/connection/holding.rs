//! A connection whose call wants no more messages for now: it is not read until the call says so, and the kernel makes
//! the application wait.
//!
//! Meanwhile its silence means nothing: it may be blocked in a write and read nothing either. So nothing that is
//! missing from it counts, and the time begins again when it is read again. The sockets' polls are edge-triggered, so
//! unread data in the kernel wakes no thread.

use std::time::Instant;

use super::closing::CloseState;
use super::{Connection, Turn};

/// Whether the connection is read.
#[derive(Debug, Default)]
pub(super) struct Holding {
    /// The call wants no more for now.
    held: bool,
    /// Since when it has been read again.
    read_since: Option<Instant>,
    /// The application's stream has ended: the rest of it fits into the kernel's buffers, and nothing else would show
    /// that the application is gone.
    ended: bool,
}

impl Holding {
    /// The call wants no more.
    pub(super) fn hold(&mut self) {
        self.held = !self.ended;
    }

    /// Whether nothing is read.
    pub(super) fn is_held(&self) -> bool {
        self.held
    }

    /// The time from which something that waits counts.
    pub(super) fn counts_from(&self, since: Instant) -> Instant {
        self.read_since.map_or(since, |read_since| read_since.max(since))
    }

    /// Reads it again. True if it was not read until now.
    pub(super) fn release(&mut self) -> bool {
        let held = std::mem::take(&mut self.held);
        if held {
            self.read_since = Some(Instant::now());
        }
        held
    }
}

impl Connection {
    /// Its call wants messages again.
    pub fn read_on(&mut self) -> Turn {
        if !self.holding.release() {
            return self.on_writable();
        }
        self.restart_pings();
        match self.on_writable() {
            Turn::Idle => Turn::StillReadable,
            other => other,
        }
    }

    /// Poll has seen the end of the application's stream, or an error.
    pub fn on_end_seen(&mut self) {
        self.holding.ended = true;
        self.holding.release();
    }

    /// A connection that ends is read, whatever its call wanted. True if it was not read until now.
    pub(super) fn release_at_end(&mut self) -> bool {
        self.state != CloseState::Open && self.holding.release()
    }
}
