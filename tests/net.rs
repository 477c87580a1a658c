//! The I/O engine over real sockets: reactors, connections and the out-queue, without Asterisk.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use chan_websocket::net::connection::{Closed, Connection, ConnectionConfig, Handler, Wants};
use chan_websocket::net::outbound::{Dropped, Outbound};
use chan_websocket::net::reactor::{Reactors, Slot};
use chan_websocket::net::transport::{PlainTransport, Transport};
use chan_websocket::settings::config::Pings;
use parking_lot::Mutex;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::protocol::{CloseFrame, Role, WebSocket};
use tungstenite::{Error, Message};

#[path = "net/busy.rs"]
mod busy;
#[path = "net/ends.rs"]
mod ends;
#[path = "net/holding.rs"]
mod holding;
#[path = "net/hostile.rs"]
mod hostile;
#[path = "net/last_message.rs"]
mod last_message;
#[path = "net/messages.rs"]
mod messages;
#[path = "net/panics.rs"]
mod panics;
#[path = "net/slow.rs"]
mod slow;
#[path = "net/watchdog.rs"]
mod watchdog;

const PATIENCE: Duration = Duration::from_secs(10);

/// Messages from the connection to its call.
#[derive(Debug, PartialEq)]
enum Told {
    Text(String),
    Binary(Bytes),
    Dropped(u64),
    Ping { missed: bool },
    Pong,
    CalledBack,
    Closed(Closed),
}

/// Stalls that the connection has reported.
#[derive(Debug, PartialEq)]
enum Stall {
    Begins,
    /// The number of media messages that were dropped.
    Ends(u64),
}

/// A call that echoes binary messages, passes everything to the test, and panics or stops its reactor on request.
struct Call {
    told: Mutex<Sender<Told>>,
    stalls: Arc<Mutex<Vec<Stall>>>,
    out: OnceLock<Arc<Outbound>>,
    last_words: OnceLock<String>,
}

impl Handler for Call {
    fn on_text(&self, text: &str) -> Wants {
        assert!(text != "panic", "as the test asked for");
        self.told.lock().send(Told::Text(text.into())).unwrap();
        if text == "sleep" {
            std::thread::sleep(Duration::from_millis(300));
        }
        if let Some(words) = text.strip_prefix("keep ") {
            let _ = self.last_words.set(words.into());
        }
        if let Some(reply) = text.strip_prefix("reply ") {
            self.out.get().unwrap().send_text(reply);
        }
        if text == "thread" {
            let thread = rustix::thread::gettid().as_raw_nonzero().get();
            self.out.get().unwrap().send_text(&thread.to_string());
        }
        if let Some(time_ms) = text.strip_prefix("sleep ") {
            std::thread::sleep(Duration::from_millis(time_ms.parse().unwrap()));
        }
        Wants::default()
    }
    fn on_binary(&self, message: Bytes) -> Wants {
        let wants = Wants {
            no_more: message.starts_with(b"enough"),
            call_back: message.starts_with(b"call back").then_some(Duration::from_millis(50)),
            was_media: true,
        };
        self.out.get().unwrap().send_media(&message, Duration::from_millis(20));
        self.told.lock().send(Told::Binary(message)).unwrap();
        wants
    }
    fn on_media_dropped(&self, dropped: Dropped) -> Wants {
        self.told.lock().send(Told::Dropped(dropped.messages)).unwrap();
        Wants::default()
    }
    fn on_call_back(&self) -> Wants {
        self.told.lock().send(Told::CalledBack).unwrap();
        Wants::default()
    }
    fn on_stalled(&self) {
        self.stalls.lock().push(Stall::Begins);
    }
    fn on_resumed(&self, _: Duration, dropped: Dropped) {
        self.stalls.lock().push(Stall::Ends(dropped.messages));
    }
    fn on_ping(&self, missed: bool) {
        let _ = self.told.lock().send(Told::Ping { missed });
    }
    fn on_pong(&self, _: Duration) {
        let _ = self.told.lock().send(Told::Pong);
    }
    fn last_message(&self, _: &Closed) -> Option<String> {
        self.last_words.get().cloned()
    }
    fn on_closed(&self, closed: Closed) {
        let _ = self.told.lock().send(Told::Closed(closed));
    }
}

/// A connection of ours in a reactor, and the application's end.
struct Pair {
    app: WebSocket<TcpStream>,
    told: Receiver<Told>,
    stalls: Arc<Mutex<Vec<Stall>>>,
    out: Arc<Outbound>,
    slot: Slot,
}

fn config() -> ConnectionConfig {
    ConnectionConfig {
        max_message_size: 100_000,
        write_timeout: PATIENCE,
        close_timeout: Duration::from_secs(2),
        pings: None,
        prompt: false,
    }
}

/// The out-queue keeps ten of these, which is more than the kernel's buffers can grow by.
const LARGE_FRAME: usize = 400_000;

fn pair(reactors: &Reactors, role: Role, config: ConnectionConfig, leftover: Vec<u8>) -> Pair {
    pair_over(reactors, role, config, leftover, |ours| Arc::new(PlainTransport::new(ours).unwrap()))
}

fn pair_over(
    reactors: &Reactors,
    role: Role,
    config: ConnectionConfig,
    leftover: Vec<u8>,
    transport: impl FnOnce(TcpStream) -> Arc<dyn Transport>,
) -> Pair {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    // The size to which it grows on a busy connection: more than a reactor reads in one turn.
    rustix::net::sockopt::set_socket_recv_buffer_size(&listener, 400_000).unwrap();
    let app = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (ours, _) = listener.accept().unwrap();
    app.set_read_timeout(Some(PATIENCE)).unwrap();
    app.set_nodelay(true).unwrap();
    let transport = transport(ours);
    let slot = reactors.slot().unwrap();
    let out =
        Arc::new(Outbound::new(transport.clone(), role, Duration::from_millis(200), Box::new(slot.clone())));
    let (sender, told) = channel();
    let stalls = Arc::<Mutex<Vec<Stall>>>::default();
    let call = Arc::new(Call {
        told: Mutex::new(sender),
        stalls: stalls.clone(),
        out: OnceLock::new(),
        last_words: OnceLock::new(),
    });
    assert!(call.out.set(out.clone()).is_ok());
    slot.add(Connection::new(transport, out.clone(), call, role, leftover, config));
    let app_role = if role == Role::Server { Role::Client } else { Role::Server };
    Pair { app: WebSocket::from_raw_socket(app, app_role, None), told, stalls, out, slot }
}

impl Pair {
    fn expect(&self, told: &Told) {
        assert_eq!(&self.told.recv_timeout(PATIENCE).expect("nothing told"), told);
    }

    /// The neighbour of a connection in trouble is still answered.
    fn still_works(&mut self) {
        self.app.send(Message::text("reply still here")).unwrap();
        assert_eq!(self.app.read().unwrap(), Message::text("still here"));
    }

    /// Reads until the connection ends. Returns the close frame's code, and whether TCP ended in order.
    fn read_to_end(&mut self) -> (Option<u16>, bool) {
        let mut code = None;
        loop {
            match self.app.read() {
                Ok(Message::Close(frame)) => code = frame.map(|frame| u16::from(frame.code)),
                Ok(_) => {}
                Err(Error::ConnectionClosed) => return (code, true),
                Err(_) => return (code, false),
            }
        }
    }
}
