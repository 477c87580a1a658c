//! How other threads tell a reactor what to do.

use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use super::ConnectionKey;
use crate::net::connection::Connection;

/// What a reactor can be told.
pub(super) enum Command {
    Add(ConnectionKey, Box<Connection>),
    Flush(ConnectionKey),
    Close(ConnectionKey, u16),
    Stop,
}

/// The queue of commands, and what wakes the reactor for them.
pub(super) struct Inbox {
    waker: mio::Waker,
    commands: Mutex<Vec<Command>>,
    /// The reactor has been woken and has not taken the commands yet.
    woken: AtomicBool,
}

impl Inbox {
    pub(super) fn new(waker: mio::Waker) -> Self {
        Self { waker, commands: Mutex::default(), woken: AtomicBool::new(false) }
    }

    /// Wakes the reactor for `command`. Any thread.
    pub(super) fn post(&self, command: Command) {
        self.commands.lock().push(command);
        if !self.woken.swap(true, Ordering::AcqRel)
            && let Err(error) = self.waker.wake()
        {
            log::error!("cannot wake a reactor thread: {error}");
        }
    }

    /// Takes all commands into `taken`, which is empty. The reactor.
    pub(super) fn take(&self, taken: &mut Vec<Command>) {
        // Cleared before the queue is taken: what is posted later wakes the thread again.
        if self.woken.swap(false, Ordering::AcqRel) {
            std::mem::swap(&mut *self.commands.lock(), taken);
        }
    }

    /// Whether the reactor has been woken and has not taken the commands yet. Any thread.
    pub(super) fn has_woken(&self) -> bool {
        self.woken.load(Ordering::Relaxed)
    }

    /// Whether there are only flushes, if anything. They may wait a little for more of them. The reactor.
    pub(super) fn can_wait(&self) -> bool {
        self.commands.lock().iter().all(|command| matches!(command, Command::Flush(_)))
    }
}
