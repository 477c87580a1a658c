//! A thread with many apps: one epoll, one timer descriptor, and no blocking calls.

mod commands;
mod messages;

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

pub use self::messages::{Command, Event, Who};
use super::app::Timer;
use super::connection::Connection;
use super::speech::Manner;
use super::stats::{Totals, Window};
use crate::Result;
use crate::clock::{self, nanos};

/// The priority of a worker: a late generator would measure itself. A failure to set it is ignored.
const NICE: i32 = -10;

/// Under load the worker checks only this often: a wake-up for each frame would cost more than the frame. It adds at
/// most this much to the times at which frames are sent and seen.
const BUSY_TURN: Duration = Duration::from_micros(250);

const WAKE: u64 = u64::MAX;
const TIMER: u64 = u64::MAX - 1;
const SCRATCH_BYTES: usize = 64 * 1024;
const EVENTS_PER_TURN: usize = 256;

/// The state of the timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Armed {
    /// Set for this time, or not set.
    For(Option<u64>),
    /// It has expired, and stays readable until it is set again.
    Expired,
}

/// The state of the worker's thread.
pub struct Worker {
    epoll: OwnedFd,
    wake: Arc<OwnedFd>,
    timer: OwnedFd,
    armed: Armed,
    /// The time at which this turn began.
    woken: u64,
    commands: Receiver<Command>,
    events: Sender<Event>,
    connections: HashMap<u32, Box<Connection>>,
    timers: BinaryHeap<Reverse<(u64, u32, Timer)>>,
    window: Window,
    /// Counts of connections that have ended.
    past: Totals,
    scratch: Vec<u8>,
    looks_at_once: bool,
}

impl Worker {
    /// A worker, and the descriptor that wakes it after a command.
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
            // Setting the timer for each frame would cost more than everything else together.
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
            // Timers come first: late sending would look like lateness of Asterisk.
            self.run_timers();
            for event in &ready {
                match event.data.u64() {
                    WAKE => {
                        if !self.run_commands()? {
                            return Ok(());
                        }
                    }
                    // The timers have run. Setting the timer again clears its readiness.
                    TIMER => self.armed = Armed::Expired,
                    id => self.on_ready(id as u32, event.flags)?,
                }
            }
            self.window.own_turns.record(clock::now().saturating_sub(self.woken));
        }
    }

    /// Sleeps until the next turn, if so much is due that turns come at a fixed interval. False if not.
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

    /// Sets the timer for the next time at which something is due.
    fn arm(&mut self) -> Result<()> {
        let due = self.timers.peek().map(|Reverse((due, ..))| *due);
        if self.armed == Armed::For(due) {
            return Ok(());
        }
        // Relative, because our clock has another origin. All zero would disarm the timer.
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

    /// Writes, and watches the socket if it does not take everything.
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

    /// Tells epoll what to watch for on the connection.
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
}
