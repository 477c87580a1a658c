//! Reactor threads: epoll over many connections, none of them ever waited for.
//!
//! There are a few, not one per call. A reactor owns its [`Connection`]s; other threads reach them through its inbox.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use parking_lot::Mutex;
use rustix::time::{ClockId, clock_gettime};

use super::connection::{Connection, Turn};
use super::outbound::Wake;

/// What one turn of one connection may read, and the buffer it reads into.
const SCRATCH_BYTES: usize = 64 * 1024;
const EVENTS_PER_POLL: usize = 256;

/// A reactor has its fill of connections with this many: about a fifth of a core if all of them talk.
const CONNECTIONS_PER_REACTOR: usize = 200;

/// A busy reactor wakes at multiples of this and finds what has come meanwhile, instead of once per message.
const COALESCE: Duration = Duration::from_micros(500);
/// Busy is who had at least `BUSY_EVENTS` in the last `BUSY_WINDOW`: more than one per `COALESCE`.
const BUSY_WINDOW: Duration = Duration::from_millis(20);
const BUSY_EVENTS: usize = 40;

const WAKE_TOKEN: Token = Token(0);

/// A connection's number: unique in the process, never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionKey(usize);

impl ConnectionKey {
    fn next() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

enum Command {
    Add(ConnectionKey, Box<Connection>),
    Flush(ConnectionKey),
    Close(ConnectionKey, u16),
    Stop,
}

struct Shared {
    waker: mio::Waker,
    inbox: Mutex<Vec<Command>>,
    woken: AtomicBool,
    connections: AtomicUsize,
}

impl Shared {
    fn post(&self, command: Command) {
        self.inbox.lock().push(command);
        if !self.woken.swap(true, Ordering::AcqRel)
            && let Err(error) = self.waker.wake()
        {
            log::error!("cannot wake a reactor thread: {error}");
        }
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
        self.reactor.0.post(Command::Add(self.key, Box::new(connection)));
    }

    /// Starts the close handshake with `code`. Nothing happens if the connection is gone.
    pub fn close(&self, code: u16) {
        self.reactor.0.post(Command::Close(self.key, code));
    }
}

impl Wake for Slot {
    fn wake(&self) {
        self.reactor.0.post(Command::Flush(self.key));
    }
}

impl ReactorHandle {
    /// Connections it has now.
    pub fn connections(&self) -> usize {
        self.0.connections.load(Ordering::Relaxed)
    }
}

/// The reactor threads. Dropping it without [`stop`](Self::stop) leaves them running.
#[derive(Debug)]
pub struct Reactors {
    handles: Vec<ReactorHandle>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Reactors {
    /// Starts `count` threads.
    ///
    /// # Errors
    /// Out of descriptors or threads.
    pub fn start(count: usize) -> io::Result<Self> {
        let mut handles = Vec::with_capacity(count);
        let mut threads = Vec::with_capacity(count);
        for number in 0..count.max(1) {
            let poll = Poll::new()?;
            let waker = mio::Waker::new(poll.registry(), WAKE_TOKEN)?;
            let shared = Arc::new(Shared {
                waker,
                inbox: Mutex::default(),
                woken: AtomicBool::new(false),
                connections: AtomicUsize::new(0),
            });
            let reactor = Reactor::new(poll, shared.clone());
            threads.push(
                std::thread::Builder::new()
                    .name(format!("ws-reactor-{number}"))
                    .spawn(move || reactor.run())?,
            );
            handles.push(ReactorHandle(shared));
        }
        Ok(Self { handles, threads: Mutex::new(threads) })
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

    /// Ends every connection at once and joins the threads. Not to be called from a reactor thread.
    pub fn stop(&self) {
        for handle in &self.handles {
            handle.0.post(Command::Stop);
        }
        for thread in self.threads.lock().drain(..) {
            if thread.join().is_err() {
                log::error!("a reactor thread had panicked");
            }
        }
    }
}

/// One thread's own side.
struct Reactor {
    poll: Poll,
    shared: Arc<Shared>,
    connections: HashMap<ConnectionKey, Entry>,
    deadlines: BinaryHeap<Reverse<(Instant, ConnectionKey)>>,
    readable: Vec<ConnectionKey>,
    scratch: Vec<u8>,
}

/// How many events a reactor has had lately.
struct Load {
    since: Instant,
    events: usize,
    busy: bool,
}

impl Load {
    fn new() -> Self {
        Self { since: Instant::now(), events: 0, busy: false }
    }

    fn count(&mut self, events: usize) {
        self.events += events;
        if self.since.elapsed() >= BUSY_WINDOW {
            // A window that was slept through in silence is longer, and its events are fewer per time.
            let windows = self.since.elapsed().as_secs_f64() / BUSY_WINDOW.as_secs_f64();
            self.busy = self.events as f64 >= BUSY_EVENTS as f64 * windows;
            (self.since, self.events) = (Instant::now(), 0);
        }
    }

    fn is_busy(&self) -> bool {
        self.busy
    }
}

/// Sleeps to the next multiple of `step` on the monotonic clock, which the channels' clocks tick on too.
fn sleep_to_multiple(step: Duration) {
    let now = clock_gettime(ClockId::Monotonic);
    let step_ns = u64::from(step.subsec_nanos()).max(1);
    let over = now.tv_nsec.unsigned_abs() % step_ns;
    std::thread::sleep(Duration::from_nanos(step_ns - over));
}

struct Entry {
    connection: Box<Connection>,
    /// The earliest entry in `deadlines` that stands for this connection.
    deadline: Option<Instant>,
}

impl Reactor {
    fn new(poll: Poll, shared: Arc<Shared>) -> Self {
        Self {
            poll,
            shared,
            connections: HashMap::new(),
            deadlines: BinaryHeap::new(),
            readable: Vec::new(),
            scratch: vec![0; SCRATCH_BYTES],
        }
    }

    fn run(mut self) {
        let mut events = Events::with_capacity(EVENTS_PER_POLL);
        let mut load = Load::new();
        loop {
            match self.poll.poll(&mut events, self.timeout()) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    log::error!("a reactor thread cannot poll: {error}");
                    std::thread::sleep(Duration::from_millis(100));
                }
            }
            load.count(events.iter().count());
            for event in &events {
                if event.token() != WAKE_TOKEN {
                    self.on_event(event);
                }
            }
            if !self.run_inbox() {
                break;
            }
            self.run_deadlines();
            self.run_readable();
            if load.is_busy() && self.readable.is_empty() {
                sleep_to_multiple(COALESCE);
            }
        }
    }

    fn timeout(&self) -> Option<Duration> {
        if !self.readable.is_empty() {
            return Some(Duration::ZERO);
        }
        self.deadlines.peek().map(|Reverse((at, _))| at.saturating_duration_since(Instant::now()))
    }

    fn on_event(&mut self, event: &mio::event::Event) {
        let key = ConnectionKey(event.token().0);
        let short_reads = event.is_read_closed() || event.is_error() || event.is_priority();
        if event.is_readable() || short_reads {
            self.turn(key, |connection, scratch| connection.on_readable(scratch, short_reads));
        } else if event.is_writable() {
            self.turn(key, Connection::on_room);
        }
    }

    /// Runs the inbox; false when told to stop.
    fn run_inbox(&mut self) -> bool {
        // Cleared before the inbox is taken: what is posted later wakes the thread again.
        if !self.shared.woken.swap(false, Ordering::AcqRel) {
            return true;
        }
        let commands = std::mem::take(&mut *self.shared.inbox.lock());
        for command in commands {
            match command {
                Command::Add(key, connection) => self.add(key, connection),
                Command::Flush(key) => self.turn(key, |connection, _| connection.on_writable()),
                Command::Close(key, code) => self.turn(key, |connection, _| connection.close(code)),
                Command::Stop => return false,
            }
        }
        true
    }

    fn add(&mut self, key: ConnectionKey, connection: Box<Connection>) {
        let fd = connection.as_raw_fd();
        let interest = Interest::READABLE | Interest::WRITABLE | Interest::PRIORITY;
        if let Err(error) = self.poll.registry().register(&mut SourceFd(&fd), Token(key.0), interest) {
            log::error!("cannot poll a connection: {error}");
        }
        self.connections.insert(key, Entry { connection, deadline: None });
        // What arrived with the handshake, or before the registration, gives no event of its own.
        self.turn(key, |connection, scratch| connection.on_readable(scratch, false));
    }

    /// Each connection gets one turn at most, whatever deadline it has next: none can keep the reactor from the others.
    fn run_deadlines(&mut self) {
        let now = Instant::now();
        let mut due = Vec::new();
        while let Some(Reverse((at, key))) = self.deadlines.peek().copied() {
            if at > now {
                break;
            }
            self.deadlines.pop();
            if let Some(entry) = self.connections.get_mut(&key)
                && entry.deadline == Some(at)
            {
                entry.deadline = None;
                due.push(key);
            }
        }
        for key in due {
            self.turn(key, |connection, _| connection.on_deadline(now));
        }
    }

    /// A turn for each connection that had more to read than its last turn allowed.
    fn run_readable(&mut self) {
        for key in std::mem::take(&mut self.readable) {
            self.turn(key, |connection, scratch| connection.on_readable(scratch, false));
        }
    }

    fn turn(&mut self, key: ConnectionKey, work: impl FnOnce(&mut Connection, &mut [u8]) -> Turn) {
        let Some(entry) = self.connections.get_mut(&key) else { return };
        let turn = work(&mut entry.connection, &mut self.scratch);
        match turn {
            Turn::Done => return self.remove(key),
            Turn::StillReadable if !self.readable.contains(&key) => self.readable.push(key),
            Turn::StillReadable | Turn::Idle => {}
        }
        let deadline = entry.connection.deadline();
        if let Some(at) = deadline
            && entry.deadline.is_none_or(|known| at < known)
        {
            entry.deadline = Some(at);
            self.deadlines.push(Reverse((at, key)));
        }
    }

    fn remove(&mut self, key: ConnectionKey) {
        if let Some(entry) = self.connections.remove(&key) {
            let _ = self.poll.registry().deregister(&mut SourceFd(&entry.connection.as_raw_fd()));
            self.shared.connections.fetch_sub(1, Ordering::Relaxed);
        }
    }
}
