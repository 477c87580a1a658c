//! A thread with many apps: one epoll, one timer descriptor, nothing that waits.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::event::{EventfdFlags, eventfd};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};

use super::app::Timer;
use super::bulk::Bulk;
use super::connection::Connection;
use super::speech::{Manner, Speech, spread};
use super::stats::{Point, Totals, Window};
use crate::Result;
use crate::clock::{self, nanos};

/// What a worker is told.
#[derive(Debug)]
pub enum Command {
    /// Take a connection over.
    Add(Box<Connection>),
    /// Begin to speak.
    Speak(Who, Manner),
    /// End all that goes by time.
    Hush(Who),
    /// Ask for STATUS every so often.
    AskStatus(Who, Duration),
    /// Send bulks this often, to be dropped.
    SendBulks(Who, Duration),
    /// Send one bulk, to be played.
    SendBulk(Who),
    /// Drop what is queued.
    Flush(Who),
    /// Read no more.
    StopReading(Who),
    /// Break connections off.
    Drop(Who),
    /// Begin to keep the course of things.
    Trace,
    /// Send close frames.
    Close(Who),
    /// Begin to measure.
    OpenWindow,
    /// Give what was measured.
    CloseWindow(Sender<Window>),
    /// Give the counts since the beginning.
    Totals(Sender<Totals>),
    /// Give the courses, by app.
    TakeTraces(Sender<Vec<(u32, Vec<Point>)>>),
    /// Give how long media still came after FLUSH_MEDIA, ns.
    Silences(Sender<Vec<u64>>),
    /// From now on look at once whenever something comes: what is measured is short.
    LookAtOnce,
    /// End.
    Stop,
}

/// Which apps.
#[derive(Debug, Clone)]
pub enum Who {
    /// All.
    All,
    /// These.
    These(Arc<[u32]>),
}

impl Who {
    fn includes(&self, id: u32) -> bool {
        match self {
            Self::All => true,
            Self::These(ids) => ids.contains(&id),
        }
    }
}

/// What a worker tells.
#[derive(Debug, Clone)]
pub enum Event {
    /// MEDIA_START has come.
    Started {
        /// The app.
        id: u32,
        /// The channel's unique id.
        channel: String,
        /// The app now begins to speak by itself.
        speaks: bool,
    },
    /// An app with the life of one frame has heard it.
    Heard {
        /// The app.
        id: u32,
        /// When.
        at: u64,
    },
    /// A connection is over: the code of Asterisk's close frame, or why there was none.
    Ended {
        /// The app.
        id: u32,
        /// How.
        how: std::result::Result<u16, String>,
    },
    /// Something that should not be.
    Fault {
        /// What.
        what: String,
    },
}

/// A worker's priority: a late generator measures itself. Asked for, not insisted on.
const NICE: i32 = -10;

/// When a lot happens, the worker looks this often and no more: a wake-up for each frame would cost more than the frame.
/// Frames are sent and seen late by so much at most.
const BUSY_TURN: Duration = Duration::from_micros(250);

const WAKE: u64 = u64::MAX;
const TIMER: u64 = u64::MAX - 1;
const SCRATCH_BYTES: usize = 64 * 1024;
const EVENTS_PER_TURN: usize = 256;

/// What the timer is set for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Armed {
    /// This time, or none.
    For(Option<u64>),
    /// It has expired, and stays readable until it is set again.
    Expired,
}

/// The thread's own side.
pub struct Worker {
    epoll: OwnedFd,
    wake: Arc<OwnedFd>,
    timer: OwnedFd,
    armed: Armed,
    /// When this turn began.
    woken: u64,
    commands: Receiver<Command>,
    events: Sender<Event>,
    connections: HashMap<u32, Box<Connection>>,
    timers: BinaryHeap<Reverse<(u64, u32, Timer)>>,
    window: Window,
    /// Counts of connections that are gone.
    past: Totals,
    scratch: Vec<u8>,
    looks_at_once: bool,
}

impl Worker {
    /// A worker, and the descriptor that wakes it when it has been told something.
    pub fn new(commands: Receiver<Command>, events: Sender<Event>) -> Result<(Self, Arc<OwnedFd>)> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let wake = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        epoll::add(&epoll, &wake, EventData::new_u64(WAKE), EventFlags::IN)?;
        epoll::add(&epoll, &timer, EventData::new_u64(TIMER), EventFlags::IN)?;
        let worker = Self {
            epoll,
            wake: Arc::clone(&wake),
            timer,
            armed: Armed::For(None),
            woken: 0,
            commands,
            events,
            connections: HashMap::new(),
            timers: BinaryHeap::new(),
            window: Window::default(),
            past: Totals::default(),
            scratch: vec![0; SCRATCH_BYTES],
            looks_at_once: false,
        };
        Ok((worker, wake))
    }

    /// Works until told to stop.
    pub fn run(mut self) -> Result<()> {
        let _ = rustix::process::setpriority_process(None, NICE);
        let mut ready = Vec::with_capacity(EVENTS_PER_TURN);
        loop {
            // The timer costs more than all else together when it has to be set for each frame.
            let nothing = Timespec { tv_sec: 0, tv_nsec: 0 };
            let timeout = if self.rest() { Some(&nothing) } else { None };
            if timeout.is_none() {
                self.arm()?;
            }
            ready.clear();
            match epoll::wait(&self.epoll, spare_capacity(&mut ready), timeout) {
                Ok(_) => {}
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            }
            self.woken = clock::now();
            // What is due first: being late with sending would look like Asterisk's lateness.
            self.run_timers();
            for event in &ready {
                match event.data.u64() {
                    WAKE => {
                        if !self.run_commands()? {
                            return Ok(());
                        }
                    }
                    // Run already. Setting it anew takes its readiness back.
                    TIMER => self.armed = Armed::Expired,
                    id => self.on_ready(id as u32, event.flags)?,
                }
            }
            self.window.own_turns.record(clock::now().saturating_sub(self.woken));
        }
    }

    /// Rests until the next turn, if there is so much to do that turns come by the clock. False if not.
    fn rest(&self) -> bool {
        let now = clock::now();
        let is_near = |due: u64| due.saturating_sub(now) < 4 * nanos(BUSY_TURN);
        let busy = self.timers.peek().is_some_and(|Reverse((due, ..))| is_near(*due));
        if !busy || self.looks_at_once {
            return false;
        }
        let rest = (self.woken + nanos(BUSY_TURN)).saturating_sub(now);
        std::thread::sleep(Duration::from_nanos(rest));
        true
    }

    /// Sets the timer for what is due next.
    fn arm(&mut self) -> Result<()> {
        let due = self.timers.peek().map(|Reverse((due, ..))| *due);
        if self.armed == Armed::For(due) {
            return Ok(());
        }
        // Relative, for our clock has an origin of its own. All zero would unset it.
        let delay = due.map(|due| Duration::from_nanos(due.saturating_sub(clock::now()).max(1)));
        let delay = delay.unwrap_or_default();
        let value = Timespec { tv_sec: delay.as_secs() as i64, tv_nsec: i64::from(delay.subsec_nanos()) };
        let never = Timespec { tv_sec: 0, tv_nsec: 0 };
        let setting = Itimerspec { it_interval: never, it_value: value };
        timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &setting)?;
        self.armed = Armed::For(due);
        Ok(())
    }

    fn run_timers(&mut self) {
        let now = clock::now();
        while let Some(Reverse((due, id, timer))) = self.timers.peek().copied().filter(|next| next.0.0 <= now)
        {
            self.timers.pop();
            let Some(connection) = self.connections.get_mut(&id) else { continue };
            let next = connection.on_timer(timer, now, &mut self.window);
            debug_assert!(next.is_none_or(|next| next > due));
            if let Some(next) = next {
                self.timers.push(Reverse((next, id, timer)));
            }
            self.flush(id);
        }
    }

    fn on_ready(&mut self, id: u32, flags: EventFlags) -> Result<()> {
        let Some(connection) = self.connections.get_mut(&id) else { return Ok(()) };
        let mut started = Vec::new();
        let events = &self.events;
        let mut tell = |event: Event| {
            if let Event::Started { speaks: true, .. } = event {
                started.push(id);
            }
            let _ = events.send(event);
        };
        let mut open = true;
        if flags.intersects(EventFlags::IN | EventFlags::HUP | EventFlags::ERR) {
            open = connection.on_readable(&mut self.scratch, &mut self.window, &mut tell);
        }
        for id in started {
            self.speak(id, Manner::STEADY);
        }
        if !open {
            self.remove(id);
            return Ok(());
        }
        self.flush(id);
        Ok(())
    }

    /// Writes, and watches the socket if it does not take all.
    fn flush(&mut self, id: u32) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let was_behind = connection.is_watched();
        let events = &self.events;
        if !connection.flush(&mut |event| drop(events.send(event))) {
            self.remove(id);
            return;
        }
        if connection.is_behind() != was_behind {
            self.watch(id);
        }
    }

    /// Tells epoll what the connection waits for.
    fn watch(&mut self, id: u32) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let flags = connection.interest();
        let _ = epoll::modify(&self.epoll, &connection.stream, EventData::new_u64(u64::from(id)), flags);
    }

    fn remove(&mut self, id: u32) {
        if let Some(connection) = self.connections.remove(&id) {
            self.past.merge(connection.app.totals);
        }
    }

    // ---- what it is told

    /// False when told to stop.
    fn run_commands(&mut self) -> Result<bool> {
        let mut count = [0; 8];
        let _ = rustix::io::read(&self.wake, &mut count);
        while let Ok(command) = self.commands.try_recv() {
            if matches!(command, Command::Stop) {
                return Ok(false);
            }
            self.run_command(command)?;
        }
        Ok(true)
    }

    fn run_command(&mut self, command: Command) -> Result<()> {
        match command {
            Command::Add(connection) => self.add(connection)?,
            Command::Speak(who, manner) => self.each(&who, |worker, id| worker.speak(id, manner)),
            Command::Hush(who) => self.each_app(&who, |app, _| app.hush()),
            Command::AskStatus(who, period) => self.each(&who, |worker, id| {
                let (period, now) = (nanos(period), clock::now());
                let due = now + spread(id, period);
                worker.with(id, |connection| connection.app.ask_status(due, period));
                worker.timers.push(Reverse((due, id, Timer::Status)));
            }),
            Command::SendBulks(who, period) => self.each(&who, |worker, id| {
                worker.send_bulks(id, clock::now() + spread(id, nanos(period)), Bulk::every(period));
            }),
            Command::SendBulk(who) => self.each(&who, |worker, id| {
                // Spread over a second: they are many apps, not one.
                worker.send_bulks(id, clock::now() + spread(id, 1_000_000_000), Bulk::ONCE);
            }),
            Command::Flush(who) => self.each_app(&who, |app, output| app.flush_media(output)),
            Command::Close(who) => self.each_app(&who, |app, output| app.close(output)),
            Command::StopReading(who) => self.each(&who, |worker, id| {
                worker.with(id, Connection::stop_reading);
                worker.watch(id);
            }),
            Command::Drop(who) => self.each(&who, |worker, id| {
                // Its counts go with it.
                worker.connections.remove(&id);
                let _ = worker.events.send(Event::Ended { id, how: Ok(1000) });
            }),
            Command::Trace => self.each_app(&Who::All, |app, _| app.trace = Some(Vec::new())),
            Command::OpenWindow => self.window = Window::default(),
            Command::CloseWindow(reply) => drop(reply.send(std::mem::take(&mut self.window))),
            Command::Totals(reply) => {
                let mut totals = self.past;
                self.connections.values().for_each(|connection| totals.merge(connection.app.totals));
                let _ = reply.send(totals);
            }
            Command::TakeTraces(reply) => {
                let connections = self.connections.iter_mut();
                let traces =
                    connections.filter_map(|(id, connection)| Some((*id, connection.app.trace.take()?)));
                let _ = reply.send(traces.collect());
            }
            Command::Silences(reply) => {
                let apps = self.connections.values().map(|connection| &connection.app);
                let _ = reply.send(apps.filter_map(|app| app.silence_after_flush()).collect());
            }
            Command::LookAtOnce => self.looks_at_once = true,
            Command::Stop => {}
        }
        Ok(())
    }

    fn add(&mut self, mut connection: Box<Connection>) -> Result<()> {
        let id = connection.app.id();
        let data = EventData::new_u64(u64::from(id));
        let flags = connection.interest();
        epoll::add(&self.epoll, &connection.stream, data, flags)?;
        self.connections.insert(id, connection);
        // What came with the handshake gives no event of its own; nor does what TLS has read already.
        self.on_ready(id, EventFlags::IN)
    }

    fn speak(&mut self, id: u32, manner: Manner) {
        let speech = Speech::new(manner, id, clock::now());
        let due = self.with(id, |connection| connection.app.speak(speech));
        self.timers.extend(due.map(|due| Reverse((due, id, Timer::Speak))));
    }

    fn send_bulks(&mut self, id: u32, due: u64, bulk: Bulk) {
        self.with(id, |connection| connection.app.send_bulks(due, bulk));
        self.timers.push(Reverse((due, id, Timer::Bulk)));
    }

    fn with<T>(&mut self, id: u32, act: impl FnOnce(&mut Connection) -> T) -> Option<T> {
        self.connections.get_mut(&id).map(|connection| act(connection))
    }

    fn each(&mut self, who: &Who, mut act: impl FnMut(&mut Self, u32)) {
        let mut ids: Vec<u32> = self.connections.keys().copied().filter(|id| who.includes(*id)).collect();
        ids.sort_unstable();
        for id in ids {
            act(self, id);
        }
    }

    fn each_app(&mut self, who: &Who, act: impl Fn(&mut super::app::App, &mut super::connection::Output)) {
        self.each(who, |worker, id| {
            worker.with(id, |connection| connection.act(&act));
            worker.flush(id);
        });
    }
}
