//! The I/O engine over real sockets: reactors, connections and the out-queue, without Asterisk.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use chan_websocket::driver::config::Pings;
use chan_websocket::net::connection::{Closed, Connection, ConnectionConfig, Handler};
use chan_websocket::net::outbound::{Dropped, Outbound};
use chan_websocket::net::reactor::{Reactors, Slot};
use chan_websocket::net::transport::{PlainTransport, Transport};
use parking_lot::Mutex;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::protocol::{CloseFrame, Role, WebSocket};
use tungstenite::{Error, Message};

#[path = "net/hostile.rs"]
mod hostile;
#[path = "net/watchdog.rs"]
mod watchdog;

const PATIENCE: Duration = Duration::from_secs(10);

/// What the connection told its call.
#[derive(Debug, PartialEq)]
enum Told {
    Text(String),
    Binary(Bytes),
    Dropped(u64),
    Ping { missed: bool },
    Pong,
    Closed(Closed),
}

/// What it told of stalls.
#[derive(Debug, PartialEq)]
enum Stall {
    Begins,
    /// With so much media dropped.
    Ends(u64),
}

/// A call that echoes binary messages, tells the test everything, and panics or stops its reactor when told to.
struct Call {
    told: Mutex<Sender<Told>>,
    stalls: Arc<Mutex<Vec<Stall>>>,
    out: OnceLock<Arc<Outbound>>,
}

impl Handler for Call {
    fn on_text(&self, text: &str) {
        assert!(text != "panic", "as the test asked for");
        self.told.lock().send(Told::Text(text.into())).unwrap();
        if text == "sleep" {
            std::thread::sleep(Duration::from_millis(300));
        }
        if let Some(reply) = text.strip_prefix("reply ") {
            self.out.get().unwrap().send_text(reply);
        }
        if let Some(time_ms) = text.strip_prefix("sleep ") {
            std::thread::sleep(Duration::from_millis(time_ms.parse().unwrap()));
        }
    }
    fn on_binary(&self, message: Bytes) {
        self.out.get().unwrap().send_media(&message, Duration::from_millis(20));
        self.told.lock().send(Told::Binary(message)).unwrap();
    }
    fn on_media_dropped(&self, dropped: Dropped) {
        self.told.lock().send(Told::Dropped(dropped.messages)).unwrap();
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
    fn on_closed(&self, closed: Closed) {
        let _ = self.told.lock().send(Told::Closed(closed));
    }
}

/// A connection of ours in a reactor, and the application's end of it.
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
    // As it has grown on a connection that has been busy: more than a reactor reads in one turn.
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
    let call = Arc::new(Call { told: Mutex::new(sender), stalls: stalls.clone(), out: OnceLock::new() });
    assert!(call.out.set(out.clone()).is_ok());
    slot.add(Connection::new(transport, out.clone(), call, role, leftover, config));
    let app_role = if role == Role::Server { Role::Client } else { Role::Server };
    Pair { app: WebSocket::from_raw_socket(app, app_role, None), told, stalls, out, slot }
}

impl Pair {
    fn expect(&self, told: &Told) {
        assert_eq!(&self.told.recv_timeout(PATIENCE).expect("nothing told"), told);
    }

    /// Reads until the connection ends; the close frame's code, and whether TCP ended in order.
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

#[test]
fn messages_go_both_ways_in_both_roles() {
    let reactors = Reactors::start(2, true).unwrap();
    for role in [Role::Server, Role::Client] {
        let mut pair = pair(&reactors, role, config(), Vec::new());
        for len in [1usize, 125, 126, 160, 65_535, 65_536, 100_000] {
            let payload: Vec<u8> = (0..len).map(|i| (i * 31) as u8).collect();
            pair.app.send(Message::binary(payload.clone())).unwrap();
            assert_eq!(pair.app.read().unwrap(), Message::binary(payload.clone()), "{role:?}, {len} bytes");
            pair.expect(&Told::Binary(payload.into()));
        }
    }
    reactors.stop();
}

#[test]
fn what_arrived_with_the_handshake_is_handled_first() {
    let reactors = Reactors::start(1, true).unwrap();
    // "hi", from a server to us as a client, so unmasked.
    let pair = pair(&reactors, Role::Client, config(), vec![0x81, 2, b'h', b'i']);
    pair.expect(&Told::Text("hi".into()));
    reactors.stop();
}

#[test]
fn a_message_in_any_pieces_is_one_message() {
    let reactors = Reactors::start(1, true).unwrap();
    let mut pair = pair(&reactors, Role::Client, config(), Vec::new());
    for byte in [0x81u8, 5, b'h', b'e', b'l', b'l', b'o'] {
        pair.app.get_mut().write_all(&[byte]).unwrap();
        std::thread::sleep(Duration::from_millis(1));
    }
    pair.expect(&Told::Text("hello".into()));
    reactors.stop();
}

#[test]
fn the_applications_close_code_comes_back() {
    let reactors = Reactors::start(1, true).unwrap();
    for role in [Role::Server, Role::Client] {
        for code in [1000u16, 1001, 4001] {
            let mut pair = pair(&reactors, role, config(), Vec::new());
            pair.app.close(Some(CloseFrame { code: code.into(), reason: "bye".into() })).unwrap();
            pair.expect(&Told::Closed(Closed::ByPeer { code, reason: "bye".into() }));
            assert_eq!(pair.read_to_end(), (Some(code), true), "{role:?}");
        }
    }
    let mut pair = pair(&reactors, Role::Server, config(), Vec::new());
    pair.app.close(None).unwrap();
    pair.expect(&Told::Closed(Closed::ByPeer { code: 1005, reason: String::new() }));
    assert_eq!(pair.read_to_end(), (None, true));
    reactors.stop();
}

#[test]
fn our_close_goes_out_behind_what_is_queued() {
    let reactors = Reactors::start(1, true).unwrap();
    let mut pair = pair(&reactors, Role::Server, config(), Vec::new());
    pair.out.send_text("last words");
    pair.slot.close(1000);
    assert_eq!(pair.app.read().unwrap(), Message::text("last words"));
    assert_eq!(pair.read_to_end(), (Some(1000), true));
    reactors.stop();
}

#[test]
fn an_application_that_never_answers_a_close_is_dropped() {
    let reactors = Reactors::start(1, true).unwrap();
    let config = ConnectionConfig { close_timeout: Duration::from_millis(100), ..config() };
    let mut pair = pair(&reactors, Role::Server, config, Vec::new());
    pair.slot.close(1000);
    let begin = Instant::now();
    let mut rest = Vec::new();
    pair.app.get_mut().read_to_end(&mut rest).unwrap();
    assert_eq!(rest, [0x88, 2, 0x03, 0xe8]);
    assert!(begin.elapsed() < PATIENCE);
    reactors.stop();
}

#[test]
fn faults_end_the_connection_with_their_code() {
    let reactors = Reactors::start(1, true).unwrap();
    let cases: &[(&str, &[u8], u16)] = &[
        ("reserved bit", &[0xc1, 0], 1002),
        ("reserved opcode", &[0x83, 0], 1002),
        ("reserved control opcode", &[0x8b, 0], 1002),
        ("masked by a server", &[0x81, 0x81, 0, 0, 0, 0, b'x'], 1002),
        ("fragmented ping", &[0x09, 0], 1002),
        ("ping of 126 bytes", &[0x89, 126, 0, 126], 1002),
        ("continuation of nothing", &[0x80, 0], 1002),
        ("bad UTF-8", &[0x81, 1, 0xff], 1007),
        ("close code 1005 on the wire", &[0x88, 2, 0x03, 0xed], 1002),
        ("close of one byte", &[0x88, 1, 3], 1002),
        ("too long", &[0x82, 127, 0, 0, 0, 0, 0, 2, 0, 0], 1009),
        ("absurdly long", &[0x82, 127, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], 1009),
    ];
    for (name, bytes, code) in cases {
        let mut pair = pair(&reactors, Role::Client, config(), Vec::new());
        let mut frame = bytes.to_vec();
        // The payload of the long ping; more bytes behind the fault must not hurt.
        frame.extend_from_slice(&[0; 126]);
        pair.app.get_mut().write_all(&frame).unwrap();
        let told = pair.told.recv_timeout(PATIENCE).expect(name);
        assert!(
            matches!(&told, Told::Closed(Closed::Fault { code: sent, .. }) if sent == code),
            "{name}: {told:?}"
        );
        assert_eq!(pair.read_to_end().0, Some(*code), "{name}");
    }
    reactors.stop();
}

/// More pings at once than pongs are kept for: the close frame behind them is not lost for that.
#[test]
fn a_close_frame_goes_out_behind_any_number_of_pongs() {
    let reactors = Reactors::start(1, true).unwrap();
    let ping = [&[0x89, 125][..], &[7; 125]].concat();
    let cases: [(&[u8], u16); 2] = [(&[0x83, 0], 1002), (&[0x88, 2, 0x03, 0xe8], 1000)];
    for (end, code) in cases {
        let mut pair = pair(&reactors, Role::Client, config(), Vec::new());
        pair.app.get_mut().write_all(&[&ping.repeat(100)[..], end].concat()).unwrap();
        assert_eq!(pair.read_to_end().0, Some(code));
    }
    reactors.stop();
}

#[test]
fn a_lost_connection_is_told() {
    let reactors = Reactors::start(1, true).unwrap();
    let pair = pair(&reactors, Role::Server, config(), Vec::new());
    drop(pair.app);
    let told = pair.told.recv_timeout(PATIENCE).unwrap();
    assert!(matches!(told, Told::Closed(Closed::Lost(_))), "{told:?}");
    reactors.stop();
}

/// More than one turn reads, and the end of TCP behind it: poll says that only once.
#[test]
fn an_end_behind_much_media_is_seen() {
    let reactors = Reactors::start(1, true).unwrap();
    let mut neighbour = pair(&reactors, Role::Server, config(), Vec::new());
    let mut pair = pair(&reactors, Role::Server, config(), Vec::new());
    let text = "x".repeat(90_000);
    // The window grows.
    for _ in 0..30 {
        pair.app.send(Message::text(text.clone())).unwrap();
        pair.expect(&Told::Text(text.clone()));
    }
    // The reactor looks away until all of it is there.
    neighbour.app.send(Message::text("sleep")).unwrap();
    neighbour.expect(&Told::Text("sleep".into()));
    pair.app.send(Message::text(text.clone())).unwrap();
    pair.app.get_mut().shutdown(std::net::Shutdown::Write).unwrap();
    pair.expect(&Told::Text(text));
    let told = pair.told.recv_timeout(PATIENCE).expect("the end of TCP was not seen");
    assert!(matches!(told, Told::Closed(Closed::Lost(_))), "{told:?}");
    reactors.stop();
}

#[test]
fn a_panic_ends_its_own_connection_and_no_other() {
    let reactors = Reactors::start(1, true).unwrap();
    let mut neighbour = pair(&reactors, Role::Server, config(), Vec::new());
    let mut pair = pair(&reactors, Role::Server, config(), Vec::new());
    pair.app.send(Message::text("panic")).unwrap();
    pair.expect(&Told::Closed(Closed::Panicked));
    assert_eq!(pair.read_to_end().0, Some(u16::from(CloseCode::Error)));
    neighbour.app.send(Message::text("reply still here")).unwrap();
    assert_eq!(neighbour.app.read().unwrap(), Message::text("still here"));
    reactors.stop();
}

#[test]
fn media_for_an_application_that_does_not_read_is_dropped_and_told_once() {
    let reactors = Reactors::start(1, true).unwrap();
    let mut pair = pair(&reactors, Role::Server, config(), Vec::new());
    // Far more than the socket takes.
    for number in 0..3000u32 {
        let mut frame = vec![0u8; 16_000];
        frame[..4].copy_from_slice(&number.to_be_bytes());
        pair.out.send_media(&frame, Duration::from_millis(20));
    }
    pair.out.send_text("an event is never dropped");
    let stalled_by = Instant::now() + PATIENCE;
    while pair.stalls.lock().is_empty() && Instant::now() < stalled_by {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(pair.stalls.lock().first(), Some(&Stall::Begins), "not told while it lasts");
    let mut numbers = Vec::new();
    let event = loop {
        match pair.app.read().unwrap() {
            Message::Binary(frame) => numbers.push(u32::from_be_bytes(frame[..4].try_into().unwrap())),
            Message::Text(text) => break text,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(event.as_str(), "an event is never dropped");
    assert!(numbers.is_sorted() && numbers.first() == Some(&0) && numbers.last() == Some(&2999));
    // More than one episode, if the kernel's buffers grew meanwhile; each frame is told of once.
    let lost = 3000 - numbers.len() as u64;
    let mut told = 0;
    while told < lost {
        match pair.told.recv_timeout(PATIENCE).unwrap() {
            Told::Dropped(messages) => told += messages,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(told, lost);
    reactors.stop();
    let stalls = pair.stalls.lock();
    assert!(matches!(stalls[1], Stall::Ends(dropped) if dropped > 0 && dropped <= lost), "{stalls:?}");
    let begins = |stall: &Stall| matches!(stall, Stall::Begins);
    assert!(stalls.iter().enumerate().all(|(n, stall)| begins(stall) == n.is_multiple_of(2)), "{stalls:?}");
}

/// Without anything dropped it is a stall after a second; one that takes all of it in time has not stalled.
#[test]
fn a_stall_begins_when_nothing_is_taken_for_a_second() {
    let reactors = Reactors::start(1, true).unwrap();
    let mut pair = pair(&reactors, Role::Server, config(), Vec::new());
    let begun = Instant::now();
    let event = "x".repeat(1 << 20);
    (0..30).for_each(|_| pair.out.send_text(&event));
    while pair.stalls.lock().is_empty() && begun.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(begun.elapsed() >= Duration::from_secs(1), "{:?}", begun.elapsed());
    (0..30).for_each(|_| assert_eq!(pair.app.read().unwrap().len(), 1 << 20));
    // What comes after it finds a connection that flows again.
    pair.app.send(Message::text("reply ok")).unwrap();
    assert_eq!(pair.app.read().unwrap(), Message::text("ok"));
    assert_eq!(*pair.stalls.lock(), [Stall::Begins, Stall::Ends(0)]);
    reactors.stop();
}

#[test]
fn an_application_that_takes_nothing_is_given_up() {
    let reactors = Reactors::start(1, true).unwrap();
    let config = ConnectionConfig { write_timeout: Duration::from_millis(300), ..config() };
    let pair = pair(&reactors, Role::Server, config, Vec::new());
    let mut neighbour = self::pair(&reactors, Role::Server, self::config(), Vec::new());
    for _ in 0..1000 {
        pair.out.send_media(&[0; 16_000], Duration::from_millis(20));
    }
    let begin = Instant::now();
    let told = loop {
        // As a call would: what the kernel has taken is not known to be read or not.
        pair.out.send_media(&[0; 16_000], Duration::from_millis(20));
        match pair.told.recv_timeout(Duration::from_millis(5)) {
            Ok(Told::Dropped(_)) | Err(_) => assert!(begin.elapsed() < PATIENCE),
            Ok(told) => break told,
        }
    };
    assert!(matches!(told, Told::Closed(Closed::Unresponsive(_))), "{told:?}");
    // While its end is waited for, the reactor is there for the others.
    neighbour.app.send(Message::text("reply still here")).unwrap();
    assert_eq!(neighbour.app.read().unwrap(), Message::text("still here"));
    reactors.stop();
}

#[test]
fn commands_of_an_application_that_does_not_read_its_answers_wait() {
    let reactors = Reactors::start(1, true).unwrap();
    let mut pair = pair(&reactors, Role::Server, config(), Vec::new());
    let answer = "x".repeat(60_000);
    let command = Message::text(format!("reply {answer}"));
    pair.app.get_ref().set_nonblocking(true).unwrap();
    let begin = Instant::now();
    let mut sent = 0;
    // Until neither side's buffers take any more: the reactor has stopped reading.
    while begin.elapsed() < Duration::from_millis(500) {
        match pair.app.send(command.clone()) {
            Ok(()) => sent += 1,
            Err(Error::Io(error)) if error.kind() == std::io::ErrorKind::WouldBlock => {
                sent += 1;
                break;
            }
            Err(error) => panic!("{error}"),
        }
    }
    // The application reads again, and what it could not send goes out as there is room.
    let mut answers = 0;
    while answers < sent {
        assert!(begin.elapsed() < PATIENCE, "{answers} answers to {sent} commands");
        match pair.app.read() {
            Ok(message) => {
                assert_eq!(message.into_text().unwrap().len(), answer.len());
                answers += 1;
            }
            Err(Error::Io(error)) if error.kind() == std::io::ErrorKind::WouldBlock => {
                let _ = pair.app.flush();
                std::thread::sleep(Duration::from_millis(1));
            }
            Err(error) => panic!("{error}"),
        }
    }
    reactors.stop();
}

#[test]
fn pings_are_sent_answered_and_counted() {
    let reactors = Reactors::start(1, true).unwrap();
    let pings = Some(Pings { interval: Duration::from_millis(100), probes: 2 });
    let config = ConnectionConfig { pings, ..config() };
    let mut alive = pair(&reactors, Role::Server, config, Vec::new());
    let mute = pair(&reactors, Role::Server, config, Vec::new());
    for _ in 0..3 {
        assert!(matches!(alive.app.read().unwrap(), Message::Ping(_)));
        alive.app.flush().unwrap();
        while alive.told.recv_timeout(PATIENCE).unwrap() != Told::Pong {}
    }
    mute.expect(&Told::Ping { missed: false });
    mute.expect(&Told::Ping { missed: true });
    let told = mute.told.recv_timeout(PATIENCE).unwrap();
    assert!(matches!(told, Told::Closed(Closed::Unresponsive(_))), "{told:?}");
    alive.app.send(Message::Ping(Bytes::from_static(b"and back"))).unwrap();
    loop {
        match alive.app.read().unwrap() {
            Message::Pong(payload) => break assert_eq!(payload, &b"and back"[..]),
            Message::Ping(_) => {}
            other => panic!("{other:?}"),
        }
    }
    reactors.stop();
}

/// A pong that came while the reactor did not run counts, however late its deadline is looked at.
#[test]
fn a_reactor_that_was_stopped_reads_before_it_gives_up() {
    let reactors = Reactors::start(1, true).unwrap();
    let pings = Some(Pings { interval: Duration::from_millis(200), probes: 1 });
    let mut alive = pair(&reactors, Role::Server, ConnectionConfig { pings, ..config() }, Vec::new());
    let mut other = pair(&reactors, Role::Server, config(), Vec::new());
    assert!(matches!(alive.app.read().unwrap(), Message::Ping(_)));
    other.app.send(Message::text("sleep 500")).unwrap();
    other.expect(&Told::Text("sleep 500".into()));
    // Also behind more media than one turn reads.
    for _ in 0..20 {
        alive.app.write(Message::binary(vec![0; 10_000])).unwrap();
    }
    alive.app.flush().unwrap();
    loop {
        match alive.told.recv_timeout(PATIENCE).unwrap() {
            Told::Pong => break,
            Told::Binary(_) | Told::Dropped(_) | Told::Ping { missed: false } => {}
            told => panic!("{told:?}"),
        }
    }
    reactors.stop();
}

#[test]
fn stopping_ends_the_threads_and_the_connections() {
    let reactors = Reactors::start(3, true).unwrap();
    let mut pairs: Vec<Pair> = (0..10).map(|_| pair(&reactors, Role::Server, config(), Vec::new())).collect();
    assert_eq!(reactors.connections().iter().sum::<usize>(), 10);
    reactors.stop();
    for pair in &mut pairs {
        let mut rest = Vec::new();
        assert_eq!(pair.app.get_mut().read_to_end(&mut rest).unwrap(), 0);
    }
}

/// Many connections that talk make a reactor look at all sockets together. Nothing is lost, nobody waits for long, and
/// it wakes for single messages again afterwards.
#[test]
fn a_busy_reactor_loses_nothing_and_comes_to_rest() {
    for coalesce in [true, false] {
        let reactors = Reactors::start(1, coalesce).unwrap();
        // More than one poll takes.
        let mut pairs: Vec<Pair> =
            (0..300).map(|_| pair(&reactors, Role::Server, config(), Vec::new())).collect();
        for round in 0..10u8 {
            for pair in &mut pairs {
                pair.app.send(Message::binary(vec![round; 160])).unwrap();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        for pair in &mut pairs {
            for round in 0..10u8 {
                pair.expect(&Told::Binary(vec![round; 160].into()));
                assert_eq!(pair.app.read().unwrap(), Message::binary(vec![round; 160]));
            }
        }
        // While the others talk, one is added, has a dialogue and is closed.
        let mut late = pair(&reactors, Role::Server, config(), Vec::new());
        for round in 0..20 {
            for pair in &mut pairs[..100] {
                pair.app.send(Message::binary(vec![1; 160])).unwrap();
            }
            late.app.send(Message::text(format!("reply {round}"))).unwrap();
            assert_eq!(late.app.read().unwrap(), Message::text(round.to_string()));
        }
        late.slot.close(1000);
        assert_eq!(late.read_to_end().0, Some(1000));
        // Quiet again.
        std::thread::sleep(Duration::from_millis(300));
        let Pair { app, told, .. } = &mut pairs[200];
        app.send(Message::binary("one more")).unwrap();
        assert_eq!(told.recv_timeout(PATIENCE).unwrap(), Told::Binary("one more".into()));
        reactors.stop();
    }
}

/// Only the reactor may write to it, as with TLS.
#[derive(Debug)]
struct ReactorOnly(PlainTransport);

impl Transport for ReactorOnly {
    fn recv(&self, buf: &mut [u8]) -> std::io::Result<usize> {
        self.0.recv(buf)
    }
    fn send(&self, buf: &[u8]) -> std::io::Result<usize> {
        self.0.send(buf)
    }
    fn shutdown(&self) {
        self.0.shutdown();
    }
    fn close(&self) {
        self.0.close();
    }
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.0.as_raw_fd()
    }
    fn concurrent(&self) -> bool {
        false
    }
}

/// A flush that a busy reactor has put off is not forgotten when the others fall silent.
#[test]
fn a_flush_that_waits_is_done_when_a_reactor_comes_to_rest() {
    let reactors = Reactors::start(1, true).unwrap();
    let mut others: Vec<Pair> =
        (0..20).map(|_| pair(&reactors, Role::Server, config(), Vec::new())).collect();
    let mut listener = pair_over(&reactors, Role::Server, config(), Vec::new(), |ours| {
        Arc::new(ReactorOnly(PlainTransport::new(ours).unwrap()))
    });
    for round in 0..5u8 {
        for _ in 0..10 {
            for pair in &mut others {
                pair.app.send(Message::binary(vec![round; 160])).unwrap();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        // They are silent now, and the reactor comes to rest while this goes on.
        for number in 0..60u8 {
            listener.out.send_media(&[round, number], Duration::from_millis(1));
            std::thread::sleep(Duration::from_millis(1));
        }
        for number in 0..60u8 {
            assert_eq!(listener.app.read().unwrap(), Message::binary(vec![round, number]));
        }
    }
    reactors.stop();
}
