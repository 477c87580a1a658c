//! One WebSocket connection of an app after the handshake.

use std::io::{self, Read, Write};

use rustix::event::epoll::EventFlags;

use super::app::{App, Timer};
use super::framing::{self, Frame, Next, opcode};
use super::stats::Window;
use super::worker::Event;
use crate::harness::secure::Stream;

/// Outgoing messages.
#[derive(Debug)]
pub struct Output {
    bytes: Vec<u8>,
    written: usize,
    /// The next masking key, if the role requires masking.
    key: Option<u32>,
}

impl Output {
    /// Appends a message.
    pub fn message(&mut self, opcode: u8, payload: &[u8]) {
        let key = self.key.as_mut().map(|key| {
            *key = key.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            key.to_be_bytes()
        });
        framing::encode(&mut self.bytes, opcode, payload, key);
    }

    /// Appends a command.
    pub fn text(&mut self, text: &str) {
        self.message(opcode::TEXT, text.as_bytes());
    }
}

/// Our role in the handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// We connected to Asterisk, and mask our frames.
    Client,
    /// Asterisk connected to us.
    Server,
}

/// A connection and its app.
#[derive(Debug)]
pub struct Connection {
    /// The socket.
    pub stream: Stream,
    /// The app on it.
    pub app: App,
    input: Vec<u8>,
    output: Output,
    reads: bool,
    /// Whether epoll was last told to watch for writing.
    watched: bool,
}

impl Connection {
    /// A connection after its handshake; `leftover` are the bytes that came after it.
    pub fn new(stream: Stream, role: Role, leftover: Vec<u8>, app: App) -> io::Result<Self> {
        stream.stop_waiting()?;
        let key = (role == Role::Client).then_some(app.id());
        let output = Output { bytes: Vec::new(), written: 0, key };
        Ok(Self { stream, app, input: leftover, output, reads: true, watched: false })
    }

    /// Whether it has bytes that the socket has not taken yet.
    pub fn is_behind(&self) -> bool {
        self.output.written < self.output.bytes.len() || self.stream.is_behind()
    }

    /// Whether epoll watches for writing.
    pub fn is_watched(&self) -> bool {
        self.watched
    }

    /// The events that epoll has to watch for, from now on.
    pub fn interest(&mut self) -> EventFlags {
        self.watched = self.is_behind();
        let mut flags = EventFlags::empty();
        flags.set(EventFlags::IN, self.reads);
        flags.set(EventFlags::OUT, self.watched);
        flags
    }

    /// Stops reading.
    pub fn stop_reading(&mut self) {
        self.reads = false;
    }

    /// Reads what has arrived. Sends important events to `events`. False when the connection is over.
    pub fn on_readable(
        &mut self,
        scratch: &mut [u8],
        window: &mut Window,
        events: &mut dyn FnMut(Event),
    ) -> bool {
        if !self.input.is_empty() && !self.handle_input(window, events) {
            return false;
        }
        loop {
            let read = match self.stream.read(scratch) {
                Ok(0) => return self.ended(events, "without a close frame"),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return self.ended(events, &error.to_string()),
            };
            self.input.extend_from_slice(scratch.get(..read).unwrap_or_default());
            if !self.handle_input(window, events) {
                return false;
            }
            // TLS may hold more data, which poll does not report; a plain socket reports it.
            if matches!(self.stream, Stream::Plain(_)) {
                return true;
            }
        }
    }

    /// Handles the messages that have been read. False when the connection is over.
    pub fn handle_input(&mut self, window: &mut Window, events: &mut dyn FnMut(Event)) -> bool {
        let now = crate::clock::now();
        let mut start = 0;
        let mut open = true;
        while open {
            match framing::decode(self.input.get_mut(start..).unwrap_or_default()) {
                Next::Incomplete => break,
                Next::Fault(what) => {
                    events(Event::Fault { what: what.into() });
                    open = false;
                }
                Next::Frame(frame, length) => {
                    start += length;
                    open = handle(&mut self.app, &mut self.output, &frame, now, window, events);
                }
            }
        }
        self.input.drain(..start);
        self.flush(events) && open
    }

    /// Lets the app do what is due. Returns the time at which it is due again.
    pub fn on_timer(&mut self, timer: Timer, now: u64, window: &mut Window) -> Option<u64> {
        self.app.on_timer(timer, now, &mut self.output, window)
    }

    /// Lets the app do something. Its messages are sent by the next [`Connection::flush`].
    pub fn act<T>(&mut self, act: impl FnOnce(&mut App, &mut Output) -> T) -> T {
        act(&mut self.app, &mut self.output)
    }

    /// Writes what the socket takes. False when the connection is over.
    pub fn flush(&mut self, events: &mut dyn FnMut(Event)) -> bool {
        match self.try_flush() {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => true,
            Err(error) => self.ended(events, &error.to_string()),
        }
    }

    fn try_flush(&mut self) -> io::Result<()> {
        let output = &mut self.output;
        while let Some(rest) = output.bytes.get(output.written..).filter(|rest| !rest.is_empty()) {
            output.written += self.stream.write(rest)?;
        }
        output.bytes.clear();
        output.written = 0;
        self.stream.flush()
    }

    fn ended(&self, events: &mut dyn FnMut(Event), why: &str) -> bool {
        events(Event::Ended { id: self.app.id(), how: Err(why.into()) });
        false
    }
}

fn handle(
    app: &mut App,
    output: &mut Output,
    frame: &Frame<'_>,
    now: u64,
    window: &mut Window,
    events: &mut dyn FnMut(Event),
) -> bool {
    match frame.opcode {
        opcode::BINARY => app.on_media(frame.payload, now, output, window, events),
        opcode::TEXT => app.on_event(&String::from_utf8_lossy(frame.payload), now, output, window, events),
        opcode::PING => output.message(opcode::PONG, frame.payload),
        opcode::CLOSE => {
            if !app.is_closing() {
                output.message(opcode::CLOSE, frame.payload);
            }
            let code = frame.payload.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code));
            events(Event::Ended { id: app.id(), how: Ok(code) });
            return false;
        }
        _ => {}
    }
    true
}
