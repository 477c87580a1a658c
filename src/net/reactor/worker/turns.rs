//! What a reactor does for one connection. A panic in it ends that connection, and the reactor goes on.

use std::cmp::Reverse;
use std::sync::atomic::Ordering;
use std::time::Instant;

use mio::unix::SourceFd;

use super::{Registered, Worker};
use crate::net::connection::{Closed, Connection, Turn};
use crate::net::contain::contained;
use crate::net::reactor::ConnectionKey;

/// What a reactor has to know about a connection after its turn.
struct After {
    turn: Turn,
    deadline: Option<Instant>,
    wants_room: bool,
    commanded: bool,
}

impl After {
    fn turn(connection: &mut Connection, work: impl FnOnce(&mut Connection) -> Turn) -> Self {
        let turn = work(connection);
        Self {
            turn,
            deadline: connection.deadline(),
            wants_room: connection.wants_room(),
            commanded: connection.take_commanded(),
        }
    }
}

impl Worker {
    /// Adds a connection. A panic on the way ends that connection alone.
    pub(super) fn take_in(&mut self, key: ConnectionKey, connection: Box<Connection>) {
        if contained("a new connection", || self.add(key, connection)).is_some() {
            return;
        }
        if self.connections.contains_key(&key) {
            self.give_up(key);
        } else {
            self.shared.connections.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// A turn with one connection. A panic in it ends that connection alone: its call is told, and the application is
    /// sent a close frame, if that still works.
    pub(super) fn turn(&mut self, key: ConnectionKey, work: impl FnOnce(&mut Connection, &mut [u8]) -> Turn) {
        let Some(Registered { connection, .. }) = self.connections.get_mut(&key) else { return };
        let scratch = &mut self.scratch;
        let after = contained("a connection", || After::turn(connection, |it| work(it, scratch)))
            .or_else(|| contained("ending a connection", || After::turn(connection, Connection::on_panic)));
        match after {
            Some(after) => self.follow(key, &after),
            None => self.give_up(key),
        }
    }

    fn follow(&mut self, key: ConnectionKey, after: &After) {
        let Some(entry) = self.connections.get_mut(&key) else { return };
        match after.turn {
            Turn::Done => return self.remove(key),
            Turn::StillReadable if !self.readable.contains(&key) => self.readable.push(key),
            Turn::StillReadable | Turn::Idle => {}
        }
        if let Some(at) = after.deadline
            && entry.deadline.is_none_or(|known| at < known)
        {
            entry.deadline = Some(at);
            self.deadlines.push(Reverse((at, key)));
        }
        let wants_room = after.wants_room && !entry.for_room;
        if after.commanded {
            self.begin_exchange(key);
        }
        if wants_room {
            self.watch_for_room(key);
        }
    }

    /// Ends a connection after a panic, without a message to the application.
    fn give_up(&mut self, key: ConnectionKey) {
        if let Some(entry) = self.connections.get_mut(&key) {
            entry.connection.tell(Closed::Panicked);
        }
        self.remove(key);
    }

    pub(super) fn remove(&mut self, key: ConnectionKey) {
        let Some(entry) = self.connections.remove(&key) else { return };
        self.shared.connections.fetch_sub(1, Ordering::Relaxed);
        contained("letting a connection go", || {
            let fd = entry.connection.as_raw_fd();
            let _ = self.poll_of(entry.watch).registry().deregister(&mut SourceFd(&fd));
            drop(entry);
        });
    }
}
