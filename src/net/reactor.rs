//! Reactor threads: epoll over many connections, without ever waiting for one of them.
//!
//! There are a few, not one per call. A reactor owns its [`Connection`]s; other threads reach them through its inbox.
//! With little to do it wakes for every message. With much to do it sweeps all its sockets after each
//! [tick](super::coalescing) and is woken in between only for what cannot wait: a new connection, a close, a connection
//! that is in the middle of an exchange.

mod inbox;
#[cfg(all(test, loom))]
mod models;
mod readable_rate;
mod worker;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use parking_lot::Mutex;

use self::inbox::{Inbox, ReactorCommand};
use self::worker::Worker;
use super::connection::Connection;
use super::heartbeat::Heartbeat;
use super::outbound::Wake;
use super::watchdog::WatchedThread;

/// A reactor with this many connections counts as full: about a fifth of a core if all of them talk.
const CONNECTIONS_PER_REACTOR: usize = 200;

/// A connection's number: unique in the process, never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionKey(usize);

impl ConnectionKey {
    fn next() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(worker::FIRST_CONNECTION);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

struct Shared {
    inbox: Inbox,
    connections: AtomicUsize,
    heartbeat: Heartbeat,
}

impl WatchedThread for Shared {
    fn heartbeat(&self) -> &Heartbeat {
        &self.heartbeat
    }

    fn is_awaited(&self) -> bool {
        self.inbox.has_woken()
    }

    fn carries(&self) -> (usize, &'static str) {
        (self.connections.load(Ordering::Relaxed), "connections")
    }
}

/// One reactor as others see it. Cheap to clone, usable from any thread.
#[derive(Clone)]
pub struct ReactorHandle(Arc<Shared>);

impl std::fmt::Debug for ReactorHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReactorHandle").field("connections", &self.connections()).finish()
    }
}

impl ReactorHandle {
    /// Connections it has now.
    pub fn connections(&self) -> usize {
        self.0.connections.load(Ordering::Relaxed)
    }
}

/// A place for a connection that is still to be built: its number and its reactor.
#[derive(Debug, Clone)]
pub struct Slot {
    key: ConnectionKey,
    reactor: ReactorHandle,
}

impl Slot {
    /// Hands the connection over; from now on its reactor reads it.
    pub fn add(&self, connection: Connection) {
        self.reactor.0.connections.fetch_add(1, Ordering::Relaxed);
        self.reactor.0.inbox.post(ReactorCommand::Add(self.key, Box::new(connection)));
    }

    /// Starts the close handshake with `code`. Nothing happens if the connection is gone.
    pub fn close(&self, code: u16) {
        self.reactor.0.inbox.post(ReactorCommand::Close(self.key, code));
    }

    /// Resumes reading a connection whose call had wanted no more messages.
    pub fn read_on(&self) {
        self.reactor.0.inbox.post(ReactorCommand::ReadOn(self.key));
    }
}

impl Wake for Slot {
    fn wake(&self) {
        self.reactor.0.inbox.post(ReactorCommand::Flush(self.key));
    }
}

/// The reactor threads. Dropping it stops them.
#[derive(Debug)]
pub struct Reactors {
    handles: Vec<ReactorHandle>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Reactors {
    /// Starts `count` threads. Unless they may `coalesce` reads, they wake for every message, however many come.
    ///
    /// # Errors
    /// Out of descriptors or threads.
    pub fn start(count: usize, coalesce: bool) -> io::Result<Self> {
        // If a later thread cannot be started, dropping this stops those that were.
        let mut reactors = Self { handles: Vec::with_capacity(count), threads: Mutex::default() };
        for number in 0..count.max(1) {
            let (poll, waker) = worker::poll_with_waker()?;
            let name = format!("ws-reactor-{number}");
            let (inbox, connections) = (Inbox::new(waker), AtomicUsize::new(0));
            let shared = Arc::new(Shared { inbox, connections, heartbeat: Heartbeat::new(name.clone()) });
            let worker = Worker::new(poll, shared.clone(), coalesce)?;
            let thread = std::thread::Builder::new().name(name).spawn(move || worker.run())?;
            reactors.threads.lock().push(thread);
            reactors.handles.push(ReactorHandle(shared));
        }
        Ok(reactors)
    }

    /// A slot on the first reactor that has few connections, else on the one with the fewest: connections that share
    /// a reactor share its wake-ups.
    pub fn slot(&self) -> Option<Slot> {
        let with_room = self.handles.iter().find(|handle| handle.connections() < CONNECTIONS_PER_REACTOR);
        let fewest = || self.handles.iter().min_by_key(|handle| handle.connections());
        let reactor = with_room.or_else(fewest)?.clone();
        Some(Slot { key: ConnectionKey::next(), reactor })
    }

    /// Connections per reactor.
    pub fn connections(&self) -> Vec<usize> {
        self.handles.iter().map(ReactorHandle::connections).collect()
    }

    /// For the watchdog.
    pub fn watched(&self) -> impl Iterator<Item = Arc<dyn WatchedThread>> {
        self.handles.iter().map(|handle| handle.0.clone() as Arc<dyn WatchedThread>)
    }

    /// Ends every connection at once and joins the threads. Not to be called from a reactor thread. A second call does
    /// nothing more.
    pub fn stop(&self) {
        let threads = std::mem::take(&mut *self.threads.lock());
        if threads.is_empty() {
            return;
        }
        for handle in &self.handles {
            handle.0.inbox.post(ReactorCommand::Stop);
        }
        for thread in threads {
            if thread.join().is_err() {
                log::error!("a reactor thread had panicked");
            }
        }
    }
}

impl Drop for Reactors {
    fn drop(&mut self) {
        self.stop();
    }
}
