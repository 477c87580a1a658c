//! How a worker carries out commands.

use std::cmp::Reverse;

use rustix::event::epoll::{self, EventData, EventFlags};

use super::super::app::{App, Timer};
use super::super::bulk::Bulk;
use super::super::connection::{Connection, Output};
use super::super::speech::{Manner, Speech, spread};
use super::super::stats::Window;
use super::{Command, Event, Who, Worker};
use crate::Result;
use crate::clock::{self, nanos};

impl Worker {
    /// Runs the waiting commands. False after [`Command::Stop`].
    pub(super) fn run_commands(&mut self) -> Result<bool> {
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
                // Spread over a second, because the apps are independent.
                worker.send_bulks(id, clock::now() + spread(id, 1_000_000_000), Bulk::ONCE);
            }),
            Command::Flush(who) => self.each_app(&who, |app, output| app.flush_media(output)),
            Command::Close(who) => self.each_app(&who, |app, output| app.close(output)),
            Command::StopReading(who) => self.each(&who, |worker, id| {
                worker.with(id, Connection::stop_reading);
                worker.watch(id);
            }),
            Command::Drop(who) => self.each(&who, |worker, id| {
                // Its counts are removed with it.
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
        // Data that came with the handshake causes no event, nor does data that TLS has already read.
        self.on_ready(id, EventFlags::IN)
    }

    pub(super) fn speak(&mut self, id: u32, manner: Manner) {
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

    fn each_app(&mut self, who: &Who, act: impl Fn(&mut App, &mut Output)) {
        self.each(who, |worker, id| {
            worker.with(id, |connection| connection.act(&act));
            worker.flush(id);
        });
    }
}
