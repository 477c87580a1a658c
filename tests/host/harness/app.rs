//! The application at the other end of the WebSocket.

use std::io::{self, Write};
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};
use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Message, WebSocket};

use super::conformity::Conformity;
use super::event::{Event, Format};
use super::stream::Stream;
use super::trace::Trace;
use super::wait;
use super::wire::{Frame, opcode};

/// What the app received.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// An event.
    Event(Event),
    /// Media: one message.
    Media(Vec<u8>),
    /// A ping's payload. It has been answered.
    Ping(Vec<u8>),
    /// A pong's payload.
    Pong(Vec<u8>),
    /// A close frame with its code, 1005 if it had none. It has been answered.
    Close(u16),
    /// The end of the stream, and the error that it ended with, if any.
    End(Option<String>),
}

/// Something received, and when.
#[derive(Debug, Clone)]
pub struct Received {
    /// When it was read from the socket.
    pub at: Instant,
    /// What it was.
    pub item: Item,
}

#[derive(Debug)]
struct Shared {
    inbox: Mutex<Vec<Received>>,
    arrival: Condvar,
    writer: Mutex<Stream>,
    /// We have sent a close frame. tungstenite does not know of it and must not send another one.
    closing: AtomicBool,
    /// The connection is to end with a reset, so it must not be shut down before.
    resetting: AtomicBool,
    paused: Mutex<bool>,
    resume: Condvar,
    conformity: Conformity,
}

/// A connected app. A thread reads all the time, with tungstenite, which is strict about what Asterisk sends. Events
/// and media are taken from what it has read, each in their own order. Dropping the app closes the connection.
#[derive(Debug)]
pub struct App {
    shared: Arc<Shared>,
    trace: Trace,
    masked: bool,
    format: Mutex<Format>,
    /// Next item to take as an event or an end.
    next_event: Mutex<usize>,
    /// Next item to take as media, and how many of its bytes are taken.
    next_media: Mutex<(usize, usize)>,
}

/// Reads from the connection, unless the app has stopped reading; writes what tungstenite answers by itself.
struct Link {
    stream: Stream,
    shared: Arc<Shared>,
}

impl io::Read for Link {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.shared.resume.wait_while(&mut self.shared.paused.lock(), |paused| *paused);
        self.stream.read(buffer)
    }
}

impl io::Write for Link {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let is_close = buffer.first().is_some_and(|first| first & 0x0f == opcode::CLOSE);
        if !(is_close && self.shared.closing.load(Ordering::SeqCst)) {
            self.shared.writer.lock().write_all(buffer)?;
        }
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl App {
    /// Takes over a connection that has been upgraded. `role` is ours; `leftover` are the bytes that came after the
    /// handshake.
    pub fn new(stream: Stream, leftover: Vec<u8>, role: Role, trace: Trace) -> Self {
        stream.set_timeout(None).expect("timeout");
        let shared = Arc::new(Shared {
            inbox: Mutex::default(),
            arrival: Condvar::new(),
            writer: Mutex::new(stream.try_clone().expect("stream")),
            closing: AtomicBool::new(false),
            resetting: AtomicBool::new(false),
            paused: Mutex::new(false),
            resume: Condvar::new(),
            conformity: Conformity::default(),
        });
        let link = Link { stream, shared: Arc::clone(&shared) };
        let config = WebSocketConfig::default().read_buffer_size(4096).write_buffer_size(0);
        let mut socket = WebSocket::from_partially_read(link, leftover, role, Some(config));
        let inbox = Arc::clone(&shared);
        thread::Builder::new()
            .name("app".into())
            .spawn(move || {
                while let Some(item) = read_item(&mut socket) {
                    if let Item::Event(event) = &item {
                        inbox.conformity.received(event);
                    }
                    let end = matches!(item, Item::End(_));
                    inbox.inbox.lock().push(Received { at: Instant::now(), item });
                    inbox.arrival.notify_all();
                    if end {
                        return;
                    }
                }
            })
            .expect("a thread for reading");
        Self {
            shared,
            trace,
            masked: role == Role::Client,
            format: Mutex::default(),
            next_event: Mutex::new(0),
            next_media: Mutex::new((0, 0)),
        }
    }

    /// The address of the app as Asterisk sees it. Plain connections only.
    #[track_caller]
    pub fn local_address(&self) -> SocketAddr {
        self.shared.writer.lock().local_address().expect("a plain connection")
    }

    // ---- sending

    /// Sends bytes as they are.
    pub fn send_raw(&self, bytes: &[u8]) {
        self.try_send_raw(bytes).expect("send");
    }

    /// Sends bytes as they are, unless the connection is gone.
    pub fn try_send_raw(&self, bytes: &[u8]) -> io::Result<()> {
        self.shared.conformity.sent_raw();
        self.write(bytes)
    }

    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        self.shared.writer.lock().write_all(bytes)
    }

    /// Sends bytes as they are, as many as the connection takes within this time. Returns whether it took all of them.
    /// Nothing can be sent afterwards, because the last frame may be incomplete.
    pub fn send_what_fits(&self, bytes: &[u8], time: Duration) -> bool {
        self.shared.conformity.sent_raw();
        let mut writer = self.shared.writer.lock();
        writer.set_write_timeout(Some(time)).expect("timeout");
        let all = writer.write_all(bytes).is_ok();
        writer.set_write_timeout(None).expect("timeout");
        all
    }

    /// A frame as our role sends it.
    pub fn encode(&self, frame: &Frame) -> Vec<u8> {
        Frame { masked: self.masked, ..frame.clone() }.encode()
    }

    /// Sends frames in one write, masked as our role asks.
    pub fn send_frames(&self, frames: &[Frame]) {
        for frame in frames.iter().filter(|frame| frame.opcode == opcode::TEXT) {
            match frame.whole_text() {
                Some(text) => self.shared.conformity.sent(text, false),
                None => self.shared.conformity.sent_raw(),
            }
        }
        self.write_frames(frames);
    }

    fn write_frames(&self, frames: &[Frame]) {
        if frames.iter().any(|frame| frame.opcode == opcode::CLOSE) {
            self.shared.closing.store(true, Ordering::SeqCst);
        }
        let frames =
            frames.iter().map(|frame| if self.masked { frame.clone() } else { frame.clone().unmasked() });
        let bytes: Vec<u8> = frames.flat_map(|frame| frame.encode()).collect();
        self.write(&bytes).expect("send");
    }

    /// Sends a text message as it is.
    pub fn send_text(&self, text: &str) {
        self.send_frames(&[Frame::text(text)]);
    }

    /// Sends a command that fits no schema of docs/schema but is accepted.
    pub fn send_tolerated(&self, text: &str) {
        self.shared.conformity.sent(text, true);
        self.write_frames(&[Frame::text(text)]);
    }

    /// Sends a command, which is given in plain text, in the format of the call.
    pub fn command(&self, command: &str) {
        let format = *self.format.lock();
        self.send_text(&format.command(command));
    }

    /// Sends media as one message.
    pub fn send_media(&self, bytes: &[u8]) {
        self.send_frames(&[Frame::binary(bytes)]);
    }

    /// Sends media as one message, unless the connection is gone.
    pub fn try_send_media(&self, bytes: &[u8]) -> io::Result<()> {
        self.write(&self.encode(&Frame::binary(bytes)))
    }

    /// Sends media as one message in fragments of these sizes; the last one has the rest.
    pub fn send_fragmented(&self, bytes: &[u8], sizes: &[usize]) {
        let mut rest = bytes;
        let mut frames = Vec::new();
        for size in sizes {
            let (head, tail) = rest.split_at(*size);
            frames.push(Frame::new(opcode::CONTINUATION, head).not_last());
            rest = tail;
        }
        frames.push(Frame::new(opcode::CONTINUATION, rest));
        frames[0].opcode = opcode::BINARY;
        self.send_frames(&frames);
    }

    /// Sends a close frame. Wait for Asterisk's answer with [`App::expect_close`].
    pub fn close(&self, code: impl Into<Option<u16>>) {
        self.send_frames(&[Frame::close(code.into(), "")]);
    }

    /// Drops the connection with a TCP reset.
    pub fn reset(self) {
        self.shared.resetting.store(true, Ordering::SeqCst);
        self.shared.writer.lock().reset_on_close();
        // The reader has another handle to the connection, which stays open until the reader ends.
        self.shared.writer.lock().shutdown(Shutdown::Read);
        self.wait_item(wait::PATIENCE, |item| matches!(item, Item::End(_)).then_some(()));
    }

    /// Ends the connection without a close frame.
    pub fn disconnect(&self) {
        self.shared.writer.lock().shutdown(Shutdown::Both);
    }

    /// Stops reading from the socket: what Asterisk sends piles up.
    pub fn stop_reading(&self) {
        *self.shared.paused.lock() = true;
    }

    /// Reads again.
    pub fn resume_reading(&self) {
        *self.shared.paused.lock() = false;
        self.shared.resume.notify_all();
    }

    // ---- receiving

    /// Takes the next event, which must be this one.
    #[track_caller]
    pub fn expect_event(&self, name: &str) -> Event {
        match self.next_event(wait::PATIENCE) {
            Some(Item::Event(event)) if event.name == name => event,
            other => panic!("expected {name}, received {other:?}"),
        }
    }

    /// Takes the next event, which must be an ERROR, and returns its text.
    #[track_caller]
    pub fn expect_error(&self) -> String {
        self.expect_event("ERROR").get("error_text")
    }

    /// Takes the first event of a call. From now on, commands are written in its format.
    #[track_caller]
    pub fn expect_media_start(&self) -> Event {
        let event = self.expect_event("MEDIA_START");
        *self.format.lock() = event.format();
        for key in ["connection_id", "channel", "channel_id"] {
            self.trace.name(&event.get(key), key);
        }
        event
    }

    /// Takes the next event, which must be a close frame, and returns its code.
    #[track_caller]
    pub fn expect_close(&self) -> u16 {
        match self.next_event(wait::PATIENCE) {
            Some(Item::Close(code)) => code,
            other => panic!("expected a close frame, received {other:?}"),
        }
    }

    /// Takes the next event, which must be the end of the connection without a close frame.
    #[track_caller]
    pub fn expect_end(&self) {
        match self.next_event(wait::PATIENCE) {
            Some(Item::End(_)) => {}
            other => panic!("expected the end, received {other:?}"),
        }
    }

    /// Fails the test when an event comes within this time.
    #[track_caller]
    pub fn expect_quiet(&self, time: Duration) {
        if let Some(item) = self.next_event(time) {
            panic!("expected no event for {time:?}, received {item:?}");
        }
    }

    /// Takes all events up to the end of the connection.
    pub fn rest(&self) -> Vec<Item> {
        let mut items = Vec::new();
        while let Some(item) = self.next_event(wait::PATIENCE) {
            let end = matches!(item, Item::End(_));
            items.push(item);
            if end {
                break;
            }
        }
        items
    }

    /// The next event, close frame or end. Skips media, pings and pongs. The item goes into the trace.
    pub fn next_event(&self, timeout: Duration) -> Option<Item> {
        let mut next = self.next_event.lock();
        let deadline = Instant::now() + wait::at_most(timeout);
        let mut inbox = self.inbox();
        loop {
            while let Some(received) = inbox.get(*next) {
                *next += 1;
                if matches!(received.item, Item::Event(_) | Item::Close(_) | Item::End(_)) {
                    self.trace.received(&received.item);
                    return Some(received.item.clone());
                }
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            self.shared.arrival.wait_for(&mut inbox, left);
        }
    }

    /// Takes the next `count` bytes of media, whatever messages they came in.
    #[track_caller]
    pub fn collect_media(&self, count: usize) -> Vec<u8> {
        let media = self.collect_media_for(count, wait::PATIENCE);
        assert!(media.len() == count, "only {} of {count} bytes of media came", media.len());
        media
    }

    /// Takes up to `count` bytes of media that come within this time.
    pub fn collect_media_for(&self, count: usize, timeout: Duration) -> Vec<u8> {
        let mut next = self.next_media.lock();
        let deadline = Instant::now() + wait::at_most(timeout);
        let mut media = Vec::new();
        let mut inbox = self.inbox();
        loop {
            while let Some(received) = inbox.get(next.0) {
                if let Item::Media(bytes) = &received.item {
                    let wanted = (count - media.len()).min(bytes.len() - next.1);
                    media.extend_from_slice(&bytes[next.1..next.1 + wanted]);
                    next.1 += wanted;
                    if next.1 < bytes.len() {
                        return media;
                    }
                }
                *next = (next.0 + 1, 0);
                if media.len() == count {
                    return media;
                }
            }
            let Some(left) = deadline.checked_duration_since(Instant::now()) else { return media };
            self.shared.arrival.wait_for(&mut inbox, left);
        }
    }

    /// Takes the next media message.
    #[track_caller]
    pub fn expect_media(&self) -> Vec<u8> {
        let mut next = self.next_media.lock();
        let from = next.0;
        let found = self.wait_from(from, wait::PATIENCE, |item| match item {
            Item::Media(bytes) => Some(bytes.clone()),
            _ => None,
        });
        match found {
            Some((index, bytes)) => {
                *next = (index + 1, 0);
                bytes
            }
            None => panic!("no media came"),
        }
    }

    /// All that has been received so far.
    pub fn received(&self) -> Vec<Received> {
        self.inbox().clone()
    }

    /// Waits until `wanted` accepts one of the items received since the beginning.
    pub fn wait_item<T>(&self, timeout: Duration, wanted: impl Fn(&Item) -> Option<T>) -> Option<T> {
        self.wait_from(0, timeout, wanted).map(|(_, found)| found)
    }

    fn wait_from<T>(
        &self,
        start: usize,
        timeout: Duration,
        wanted: impl Fn(&Item) -> Option<T>,
    ) -> Option<(usize, T)> {
        let deadline = Instant::now() + wait::at_most(timeout);
        let mut inbox = self.inbox();
        let mut index = start;
        loop {
            while let Some(received) = inbox.get(index) {
                if let Some(found) = wanted(&received.item) {
                    return Some((index, found));
                }
                index += 1;
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            self.shared.arrival.wait_for(&mut inbox, left);
        }
    }

    fn inbox(&self) -> MutexGuard<'_, Vec<Received>> {
        self.shared.inbox.lock()
    }
}

impl App {
    /// Tells the trace what did not fit docs/schema. Waits a while for the errors that refuse unfit commands.
    fn end_conformity(&self) {
        if !self.trace.minds_schemas() {
            return;
        }
        let is_up = !self.shared.closing.load(Ordering::SeqCst) && !thread::panicking();
        let deadline = Instant::now() + wait::PATIENCE;
        let mut inbox = self.inbox();
        let is_over = loop {
            let has_ended =
                inbox.iter().rev().any(|received| matches!(received.item, Item::Close(_) | Item::End(_)));
            if !is_up || has_ended {
                break false;
            }
            let left = deadline.checked_duration_since(Instant::now());
            let (true, Some(left)) = (self.shared.conformity.waits(), left) else { break true };
            self.shared.arrival.wait_for(&mut inbox, left);
        };
        drop(inbox);
        self.trace.unfit(self.shared.conformity.faults(is_over));
    }
}

impl Drop for App {
    fn drop(&mut self) {
        self.resume_reading();
        self.end_conformity();
        if !self.shared.resetting.load(Ordering::SeqCst) {
            if !self.shared.closing.load(Ordering::SeqCst) {
                let frame = Frame { masked: self.masked, ..Frame::close(Some(1000), "") };
                // Asterisk may not read any more.
                let _ = self.shared.writer.lock().set_write_timeout(Some(Duration::from_secs(1)));
                let _ = self.try_send_raw(&frame.encode());
            }
            self.disconnect();
        }
    }
}

/// The next item that the app receives; `None` after the end.
fn read_item(socket: &mut WebSocket<Link>) -> Option<Item> {
    Some(match socket.read() {
        Ok(Message::Text(text)) => Item::Event(Event::parse(text.as_str())),
        Ok(Message::Binary(bytes)) => Item::Media(bytes.to_vec()),
        Ok(Message::Ping(bytes)) => Item::Ping(bytes.to_vec()),
        Ok(Message::Pong(bytes)) => Item::Pong(bytes.to_vec()),
        Ok(Message::Close(frame)) => Item::Close(frame.map_or(1005, |frame| frame.code.into())),
        Ok(_) => return None,
        Err(tungstenite::Error::ConnectionClosed) => Item::End(None),
        Err(err) => Item::End(Some(err.to_string())),
    })
}
