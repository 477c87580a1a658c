//! One reactor's thread.
//!
//! It sleeps on a `front` epoll: its waker, its tick, the sockets of connections in an exchange, and, while it is not
//! busy, the epoll that contains all other sockets. [`turns`] has what it does for one connection.

mod turns;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::io;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};

use super::inbox::ReactorCommand;
use super::readable_rate::ReadableRate;
use super::{ConnectionKey, Shared};
use crate::mono_time::MonoTime;
use crate::net::clock::{self, Clock};
use crate::net::coalescing;
use crate::net::connection::Connection;
use crate::net::contain::contained_round;

/// What one turn of one connection may read, and the buffer it reads into.
const SCRATCH_BYTES: usize = 64 * 1024;
const EVENTS_PER_POLL: usize = 256;
/// One sweep takes events at most this often; what is left follows at once.
const POLLS_PER_SWEEP: usize = 8;

const WAKE: Token = Token(0);
const SWEEP: Token = Token(1);
const SOCKETS: Token = Token(2);
/// Tokens of connections are their keys.
pub(super) const FIRST_CONNECTION: usize = 3;

/// How long a flush may wait for others, so that a busy reactor is not woken for each of many.
const FLUSH_DELAY: Duration = Duration::from_micros(250);

/// How long a connection is watched closely after a command.
const EXCHANGE: Duration = Duration::from_secs(2);

/// The poll that a reactor sleeps on, and its waker.
pub(super) fn poll_with_waker() -> io::Result<(Poll, mio::Waker)> {
    let poll = Poll::new()?;
    let waker = mio::Waker::new(poll.registry(), WAKE)?;
    Ok((poll, waker))
}

/// Where a connection's socket is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Watching {
    /// With all others, at each sweep.
    Together,
    /// In front: its messages wake the reactor.
    Closely,
}

struct Registered {
    connection: Box<Connection>,
    /// The earliest entry in `deadlines` for this connection.
    deadline: Option<Instant>,
    watch: Watching,
    /// The time of its last command, while it is in an exchange.
    exchange_since: Option<MonoTime>,
    /// Its socket is also watched for room to write. Only after room was missed, because a socket has room from the
    /// start, and reporting that would wake the reactor for each new connection.
    for_room: bool,
}

impl Registered {
    fn interest(&self) -> Interest {
        let interest = Interest::READABLE | Interest::PRIORITY;
        if self.for_room { interest | Interest::WRITABLE } else { interest }
    }
}

/// Why a reactor was woken.
struct Woken {
    /// All sockets are to be swept.
    sweep: bool,
    /// Something has been posted.
    inbox: bool,
}

/// The data of the reactor's thread.
pub(super) struct Worker {
    front: Poll,
    sockets: Poll,
    shared: Arc<Shared>,
    connections: HashMap<ConnectionKey, Registered>,
    deadlines: BinaryHeap<Reverse<(Instant, ConnectionKey)>>,
    readable: Vec<ConnectionKey>,
    /// Connections in an exchange, and when they were last checked.
    exchanges: Vec<ConnectionKey>,
    exchanges_seen: MonoTime,
    scratch: Vec<u8>,
    /// Fires at the next sweep while busy.
    clock: Clock,
    busy: bool,
    /// It should no longer be busy, but its poll is refused.
    cannot_rest: bool,
    /// Whether it may ever be busy.
    coalesce: bool,
    /// Sweep again at once: there are more events than one sweep takes, or something was left to a sweep.
    more: bool,
    commands: Vec<ReactorCommand>,
}

impl Worker {
    /// # Errors
    /// Out of descriptors.
    pub(super) fn new(front: Poll, shared: Arc<Shared>, coalesce: bool) -> io::Result<Self> {
        let sockets = Poll::new()?;
        let clock = Clock::new()?;
        let registry = front.registry();
        registry.register(&mut SourceFd(&clock.as_raw_fd()), SWEEP, Interest::READABLE)?;
        registry.register(&mut SourceFd(&sockets.as_raw_fd()), SOCKETS, Interest::READABLE)?;
        Ok(Self {
            front,
            sockets,
            shared,
            connections: HashMap::new(),
            deadlines: BinaryHeap::new(),
            readable: Vec::new(),
            exchanges: Vec::new(),
            exchanges_seen: MonoTime::default(),
            scratch: vec![0; SCRATCH_BYTES],
            clock,
            busy: false,
            cannot_rest: false,
            coalesce,
            more: false,
            commands: Vec::new(),
        })
    }

    pub(super) fn run(mut self) {
        let mut events = Events::with_capacity(EVENTS_PER_POLL);
        let mut rate = ReadableRate::new(clock::now());
        loop {
            match contained_round("a reactor thread", || self.round(&mut events, &mut rate)) {
                Some(true) => {}
                Some(false) => break,
                None => self.look_at_all(),
            }
        }
        for key in self.connections.keys().copied().collect::<Vec<_>>() {
            self.remove(key);
        }
    }

    /// Waits once and does what there is to do; false when the thread has to stop.
    fn round(&mut self, events: &mut Events, rate: &mut ReadableRate) -> bool {
        self.shared.heartbeat.waits();
        let timeout = self.timeout();
        let polled = self.front.poll(events, timeout);
        self.shared.heartbeat.works();
        match polled {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return true,
            Err(error) => {
                log::error!("a reactor thread cannot poll: {error}");
                std::thread::sleep(Duration::from_millis(100));
            }
        }
        let woken = self.take_front(events);
        let readable = if woken.sweep { self.sweep(events) } else { 0 };
        if !self.answer_inbox(&woken) {
            return false;
        }
        self.run_deadlines();
        self.run_readable();
        let now = clock::now();
        self.end_exchanges(now);
        self.set_busy(self.coalesce && rate.count(readable, now));
        if self.busy && woken.sweep {
            self.clock.set(Some(coalescing::next_sweep(now)));
        }
        true
    }

    /// Gives every connection a turn: a round that was not finished may have lost what poll had reported about them.
    fn look_at_all(&mut self) {
        self.readable = self.connections.keys().copied().collect();
        self.more = true;
    }

    /// Takes turns with the sockets that are watched closely, and returns what else the reactor was woken for.
    fn take_front(&mut self, events: &Events) -> Woken {
        let mut woken = Woken { sweep: std::mem::take(&mut self.more), inbox: false };
        for event in events {
            match event.token() {
                WAKE => woken.inbox = true,
                SWEEP | SOCKETS => woken.sweep = true,
                _ => self.on_event(event),
            }
        }
        woken
    }

    /// Runs the inbox, or leaves it to a sweep that comes soon; false when the thread has to stop.
    fn answer_inbox(&mut self, woken: &Woken) -> bool {
        if woken.sweep || !self.busy || !self.shared.inbox.can_wait() {
            return self.run_inbox();
        }
        if woken.inbox {
            let now = clock::now();
            self.clock.set(Some((now + FLUSH_DELAY).min(coalescing::next_sweep(now))));
        }
        true
    }

    fn timeout(&mut self) -> Option<Duration> {
        if !self.readable.is_empty() || self.more {
            return Some(Duration::ZERO);
        }
        self.next_deadline().map(|at| at.saturating_duration_since(Instant::now()))
    }

    /// The next deadline. Those of closed connections wake no thread.
    fn next_deadline(&mut self) -> Option<Instant> {
        while let Some(Reverse((at, key))) = self.deadlines.peek() {
            if self.connections.get(key).is_some_and(|entry| entry.deadline == Some(*at)) {
                return Some(*at);
            }
            self.deadlines.pop();
        }
        None
    }

    /// Takes turns with all sockets that have something. Returns how many were readable.
    fn sweep(&mut self, events: &mut Events) -> usize {
        let mut readable = 0;
        for _ in 0..POLLS_PER_SWEEP {
            if let Err(error) = self.sockets.poll(events, Some(Duration::ZERO)) {
                if error.kind() == io::ErrorKind::Interrupted {
                    continue;
                }
                log::error!("a reactor thread cannot poll its sockets: {error}");
                return readable;
            }
            let mut got = 0;
            for event in &*events {
                got += 1;
                readable += usize::from(event.is_readable());
                self.on_event(event);
            }
            if got < EVENTS_PER_POLL {
                return readable;
            }
        }
        // An edge-triggered poll in a poll does not report them again.
        self.more = true;
        readable
    }

    /// Begins or ends sweeping only after ticks.
    fn set_busy(&mut self, busy: bool) {
        if self.busy == busy {
            return;
        }
        self.busy = busy;
        let registry = self.front.registry();
        let fd = self.sockets.as_raw_fd();
        let mut source = SourceFd(&fd);
        let result = if busy {
            registry.deregister(&mut source)
        } else {
            // What has arrived meanwhile gives an event now.
            registry.register(&mut source, SOCKETS, Interest::READABLE)
        };
        match result {
            Ok(()) => self.cannot_rest = false,
            // Without reports about its sockets it goes on sweeping them, and tries again.
            Err(error) => {
                self.busy = true;
                if !std::mem::replace(&mut self.cannot_rest, true) {
                    log::error!("a reactor thread cannot change what it polls: {error}");
                }
            }
        }
        self.clock.set(self.busy.then(|| coalescing::next_sweep(clock::now())));
        // A flush may have been left to a sweep that the clock would have started.
        self.more |= !self.busy;
        for key in self.exchanges.clone() {
            self.watch_exchange(key);
        }
    }

    fn on_event(&mut self, event: &mio::event::Event) {
        let key = ConnectionKey(event.token().0);
        let ended = event.is_read_closed() || event.is_error();
        let short_reads = ended || event.is_priority();
        if event.is_readable() || short_reads {
            self.turn(key, |connection, scratch| {
                if ended {
                    connection.on_end_seen();
                }
                connection.on_readable(scratch, short_reads)
            });
        } else if event.is_writable() {
            self.turn(key, Connection::on_room);
        }
    }

    /// Runs the inbox; false when the thread has to stop.
    fn run_inbox(&mut self) -> bool {
        let mut commands = std::mem::take(&mut self.commands);
        self.shared.inbox.take(&mut commands);
        let mut go_on = true;
        for command in commands.drain(..) {
            match command {
                ReactorCommand::Add(key, connection) => self.take_in(key, connection),
                ReactorCommand::Flush(key) => self.turn(key, |connection, _| connection.on_writable()),
                ReactorCommand::Close(key, code) => self.turn(key, |connection, _| connection.close(code)),
                ReactorCommand::ReadOn(key) => self.turn(key, |connection, _| connection.read_on()),
                ReactorCommand::Stop => go_on = false,
            }
        }
        self.commands = commands;
        go_on
    }

    fn add(&mut self, key: ConnectionKey, connection: Box<Connection>) {
        let watch = if connection.is_prompt() { Watching::Closely } else { Watching::Together };
        let for_room = connection.wants_room();
        let entry = Registered { connection, deadline: None, watch, exchange_since: None, for_room };
        let watched = watch_entry(self.poll_of(watch), key, &entry);
        self.connections.insert(key, entry);
        if let Err(error) = watched {
            log::error!("cannot poll a connection: {error}");
            return self.turn(key, |connection, _| connection.on_unpollable(&error));
        }
        // What arrived with the handshake, or before the registration, gives no event.
        self.turn(key, |connection, scratch| connection.on_readable(scratch, false));
    }

    fn poll_of(&self, watch: Watching) -> &Poll {
        match watch {
            Watching::Together => &self.sockets,
            Watching::Closely => &self.front,
        }
    }

    /// Each connection gets one turn at most, whatever deadline it has next, so that none can keep the reactor from the
    /// others.
    fn run_deadlines(&mut self) {
        let Some(first) = self.next_deadline() else { return };
        let now = Instant::now();
        if first > now {
            return;
        }
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
            self.turn(key, |connection, scratch| connection.on_deadline(now, scratch));
        }
    }

    /// A turn for each connection that had more to read than its last turn allowed.
    fn run_readable(&mut self) {
        for key in std::mem::take(&mut self.readable) {
            self.turn(key, |connection, scratch| connection.on_readable(scratch, false));
        }
    }

    /// Begins an exchange: an application that has just sent a command is likely to send more, and to wait for answers.
    fn begin_exchange(&mut self, key: ConnectionKey) {
        let Some(entry) = self.connections.get_mut(&key) else { return };
        let is_new = entry.exchange_since.is_none() && entry.watch == Watching::Together;
        if is_new || entry.exchange_since.is_some() {
            entry.exchange_since = Some(clock::now());
        }
        if is_new {
            self.exchanges.push(key);
            self.watch_exchange(key);
        }
    }

    /// Watches the connection closely if the reactor is busy: one that is not wakes for all messages anyway.
    fn watch_exchange(&mut self, key: ConnectionKey) {
        let watch = self.connections.get(&key).map(|entry| entry.watch);
        if self.busy && watch == Some(Watching::Together) {
            self.watch(key, Watching::Closely);
        }
    }

    fn end_exchanges(&mut self, now: MonoTime) {
        if self.exchanges.is_empty() || now.since(self.exchanges_seen) < EXCHANGE / 4 {
            return;
        }
        self.exchanges_seen = now;
        for key in std::mem::take(&mut self.exchanges) {
            let Some(entry) = self.connections.get_mut(&key) else { continue };
            if entry.exchange_since.is_some_and(|since| now.since(since) < EXCHANGE) {
                self.exchanges.push(key);
            } else {
                entry.exchange_since = None;
                if entry.watch == Watching::Closely {
                    self.watch(key, Watching::Together);
                }
            }
        }
    }

    /// Watches a connection in the other place. If that is refused, it stays where it was; if that is refused, too, it
    /// ends, because nothing would report on it any more.
    fn watch(&mut self, key: ConnectionKey, watch: Watching) {
        let Some(entry) = self.connections.get(&key) else { return };
        let before = entry.watch;
        let fd = entry.connection.as_raw_fd();
        let _ = self.poll_of(before).registry().deregister(&mut SourceFd(&fd));
        let moved = watch_entry(self.poll_of(watch), key, entry);
        let watched = match &moved {
            Ok(()) => Ok(watch),
            Err(_) => watch_entry(self.poll_of(before), key, entry).map(|()| before),
        };
        if let Err(error) = moved {
            log::warn!("a connection stays polled as it was: {error}");
        }
        match watched {
            Ok(watched) => {
                if let Some(entry) = self.connections.get_mut(&key) {
                    entry.watch = watched;
                }
            }
            Err(error) => self.turn(key, |connection, _| connection.on_unpollable(&error)),
        }
    }

    /// Also watches the connection's socket for room to write, including room that there is already.
    fn watch_for_room(&mut self, key: ConnectionKey) {
        let Some(entry) = self.connections.get_mut(&key) else { return };
        entry.for_room = true;
        let (fd, interest, watch) = (entry.connection.as_raw_fd(), entry.interest(), entry.watch);
        let registry = self.poll_of(watch).registry();
        if let Err(error) = registry.reregister(&mut SourceFd(&fd), Token(key.0), interest) {
            self.turn(key, |connection, _| connection.on_unpollable(&error));
        }
    }
}

fn watch_entry(poll: &Poll, key: ConnectionKey, entry: &Registered) -> io::Result<()> {
    let fd = entry.connection.as_raw_fd();
    poll.registry().register(&mut SourceFd(&fd), Token(key.0), entry.interest())
}
