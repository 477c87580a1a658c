//! How other threads tell a reactor what to do.

use std::io;
use std::sync::atomic::Ordering;

use super::ConnectionKey;
use crate::net::connection::Connection;
use crate::net::sync::{AtomicBool, Mutex};

/// The commands for a reactor.
pub(super) enum ReactorCommand {
    Add(ConnectionKey, Box<Connection>),
    Flush(ConnectionKey),
    Close(ConnectionKey, u16),
    ReadOn(ConnectionKey),
    Stop,
}

/// Wakes a reactor from its poll.
pub(super) trait Bell {
    /// Makes the poll that is under way, or else the next one, return at once.
    fn ring(&self) -> io::Result<()>;
}

impl Bell for mio::Waker {
    fn ring(&self) -> io::Result<()> {
        self.wake()
    }
}

/// The queue of commands, and the bell that wakes the reactor for them.
pub(super) struct Inbox<B = mio::Waker> {
    bell: B,
    commands: Mutex<Vec<ReactorCommand>>,
    /// The reactor has been woken and has not taken the commands yet.
    woken: AtomicBool,
}

impl<B: Bell> Inbox<B> {
    pub(super) fn new(bell: B) -> Self {
        Self { bell, commands: Mutex::default(), woken: AtomicBool::new(false) }
    }

    /// Wakes the reactor for `command`. Any thread.
    pub(super) fn post(&self, command: ReactorCommand) {
        self.commands.lock().push(command);
        if !self.woken.swap(true, Ordering::AcqRel)
            && let Err(error) = self.bell.ring()
        {
            log::error!("cannot wake a reactor thread: {error}");
        }
    }

    /// Takes all commands into `taken`, which is empty. Called by the reactor.
    pub(super) fn take(&self, taken: &mut Vec<ReactorCommand>) {
        // Cleared before the queue is taken: what is posted later wakes the thread again.
        if self.woken.swap(false, Ordering::AcqRel) {
            std::mem::swap(&mut *self.commands.lock(), taken);
        }
    }

    /// Whether the reactor has been woken and has not taken the commands yet. Any thread.
    pub(super) fn has_woken(&self) -> bool {
        self.woken.load(Ordering::Relaxed)
    }

    /// Whether everything that is queued, if anything, may wait a little for more. Called by the reactor.
    pub(super) fn can_wait(&self) -> bool {
        self.commands
            .lock()
            .iter()
            .all(|command| matches!(command, ReactorCommand::Flush(_) | ReactorCommand::ReadOn(_)))
    }
}
