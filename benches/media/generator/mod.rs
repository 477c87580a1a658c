//! The load generator: many apps in a few threads, which check every frame and measure their own lateness.

pub mod app;
pub mod bulk;
mod connection;
mod framing;
mod handshake;
pub mod pattern;
pub mod speech;
pub mod stats;
mod twilio;
pub mod worker;

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use self::app::{App, Life};
use self::connection::{Connection, Role};
use self::stats::{Point, Totals, Window};
use self::worker::{Command, Event, Worker};
use crate::Result;
use crate::harness::secure::{Stream, Tls};

/// The prefix of the names of the workers' threads.
pub const WORKER_NAME: &str = "generator";

/// How long a worker may take to answer.
const ANSWER: Duration = Duration::from_secs(10);

/// A worker, as other threads see it.
#[derive(Debug)]
struct Handle {
    commands: Sender<Command>,
    wake: Arc<OwnedFd>,
}

impl Handle {
    fn tell(&self, command: Command) {
        // A worker that has ended has reported why; the code that waits for it will notice.
        let _ = self.commands.send(command);
        let _ = rustix::io::write(&self.wake, &1_u64.to_ne_bytes());
    }
}

/// The state that threads which make connections share.
#[derive(Debug)]
struct Shared {
    workers: Vec<Handle>,
    next: AtomicU32,
    life: Mutex<Life>,
    ending: AtomicBool,
    tls: Tls,
    /// The reasons of failed handshakes.
    refused: Mutex<Vec<String>>,
}

impl Shared {
    /// Passes a connection to a worker.
    fn adopt(&self, stream: Stream, role: Role, leftover: Vec<u8>) -> Result<()> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let life = *self.life.lock();
        let connection = Connection::new(stream, role, leftover, App::new(id, life))?;
        let worker = self.workers.get(id as usize % self.workers.len()).ok_or("no worker")?;
        worker.tell(Command::Add(Box::new(connection)));
        Ok(())
    }
}

/// Connects apps to Asterisk, from any thread.
#[derive(Debug, Clone)]
pub struct Connector(Arc<Shared>);

impl Connector {
    /// Connects one app. Blocks until that is done.
    pub fn connect(&self, address: SocketAddr, encrypted: bool, target: &str) -> Result<()> {
        let socket = TcpStream::connect(address)?;
        let tls = &self.0.tls.client;
        let mut stream = if encrypted { Stream::tls_client(socket, tls) } else { Stream::plain(socket) }?;
        let leftover = handshake::ask(&mut stream, target)?;
        self.0.adopt(stream, Role::Client, leftover)
    }
}

/// The generator. Its threads end when it is dropped.
#[derive(Debug)]
pub struct Generator {
    /// The address that Asterisk connects to without TLS.
    pub address: SocketAddr,
    /// The address that Asterisk connects to with TLS.
    pub tls_address: SocketAddr,
    shared: Arc<Shared>,
    events: Receiver<Event>,
    threads: Vec<JoinHandle<Result<()>>>,
}

impl Generator {
    /// Starts this many workers and the listeners.
    pub fn start(workers: usize) -> Result<Self> {
        let (sender, events) = channel();
        let mut handles = Vec::new();
        let mut threads = Vec::new();
        for number in 0..workers {
            let (commands, inbox) = channel();
            let (worker, wake) = Worker::new(inbox, sender.clone())?;
            let name = format!("{WORKER_NAME}-{number}");
            threads.push(thread::Builder::new().name(name).spawn(move || worker.run())?);
            handles.push(Handle { commands, wake });
        }
        let shared = Arc::new(Shared {
            workers: handles,
            next: AtomicU32::new(0),
            life: Mutex::new(Life::Long),
            ending: AtomicBool::new(false),
            tls: Tls::new(),
            refused: Mutex::default(),
        });
        let plain = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let tls = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let (address, tls_address) = (plain.local_addr()?, tls.local_addr()?);
        for (listener, encrypted) in [(plain, false), (tls, true)] {
            let shared = Arc::clone(&shared);
            let accept = move || accept(&listener, encrypted, &shared);
            threads.push(thread::Builder::new().name("acceptor".into()).spawn(accept)?);
        }
        Ok(Self { address, tls_address, shared, events, threads })
    }

    /// From now on, apps of new connections do this.
    pub fn set_life(&self, life: Life) {
        *self.shared.life.lock() = life;
    }

    /// Makes a [`Connector`], which connects to Asterisk.
    pub fn connector(&self) -> Connector {
        Connector(Arc::clone(&self.shared))
    }

    /// Sends a command to all workers.
    pub fn tell(&self, command: impl Fn() -> Command) {
        self.shared.workers.iter().for_each(|worker| worker.tell(command()));
    }

    /// Sends a request to all workers, and waits for their answers.
    fn ask<T>(&self, command: impl Fn(Sender<T>) -> Command) -> Result<Vec<T>> {
        let (sender, answers) = channel();
        self.tell(|| command(sender.clone()));
        let answer = || Ok(answers.recv_timeout(ANSWER).map_err(|_| "the generator does not answer")?);
        self.shared.workers.iter().map(|_| answer()).collect()
    }

    /// Begins to measure.
    pub fn open_window(&self) {
        self.tell(|| Command::OpenWindow);
    }

    /// Returns what was measured since then.
    pub fn close_window(&self) -> Result<Window> {
        let mut all = Window::default();
        self.ask(Command::CloseWindow)?.iter().for_each(|window| all.merge(window));
        Ok(all)
    }

    /// Counts since the start.
    pub fn totals(&self) -> Result<Totals> {
        let mut all = Totals::default();
        self.ask(Command::Totals)?.into_iter().for_each(|totals| all.merge(totals));
        Ok(all)
    }

    /// The frames and latencies since [`Command::Trace`], by app.
    pub fn take_traces(&self) -> Result<Vec<(u32, Vec<Point>)>> {
        Ok(self.ask(Command::TakeTraces)?.concat())
    }

    /// How long media still came after [`Command::Flush`], in ns, for each app that was told to flush.
    pub fn silences(&self) -> Result<Vec<u64>> {
        Ok(self.ask(Command::Silences)?.concat())
    }

    /// The next event; waits until `deadline` at most.
    pub fn event(&self, deadline: Instant) -> Option<Event> {
        self.events.recv_timeout(deadline.saturating_duration_since(Instant::now())).ok()
    }

    /// The reasons of failed handshakes.
    pub fn refused(&self) -> Vec<String> {
        std::mem::take(&mut *self.shared.refused.lock())
    }
}

impl Drop for Generator {
    fn drop(&mut self) {
        self.shared.ending.store(true, Ordering::SeqCst);
        self.tell(|| Command::Stop);
        for address in [self.address, self.tls_address] {
            // Wakes the accepting thread.
            let _ = TcpStream::connect(address);
        }
        for thread in self.threads.drain(..) {
            match thread.join() {
                Ok(Ok(())) => {}
                Ok(Err(error)) => eprintln!("a thread of the generator ended: {error}"),
                Err(_) => eprintln!("a thread of the generator panicked"),
            }
        }
    }
}

fn accept(listener: &TcpListener, encrypted: bool, shared: &Shared) -> Result<()> {
    loop {
        let (socket, _) = listener.accept()?;
        if shared.ending.load(Ordering::SeqCst) {
            return Ok(());
        }
        let welcome = || {
            let mut stream = if encrypted {
                Stream::tls_server(socket, &shared.tls.server)
            } else {
                Stream::plain(socket)
            }?;
            let leftover = handshake::answer(&mut stream)?;
            shared.adopt(stream, Role::Server, leftover)
        };
        if let Err(error) = welcome() {
            shared.refused.lock().push(error.to_string());
        }
    }
}
