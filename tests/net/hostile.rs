//! Applications that do something odd or excessive: a reactor either makes progress or sleeps.

use std::fs::File;
use std::io;
use std::net::Shutdown;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::SendFlags;

use super::*;

/// Keeps the one reactor busy, so that it finds everything sent meanwhile at once.
fn hold(reactors: &Reactors) -> Pair {
    let mut holder = pair(reactors, Role::Client, config(), Vec::new());
    holder.app.send(Message::text("sleep 200")).unwrap();
    thread::sleep(Duration::from_millis(50));
    holder
}

#[test]
fn the_end_of_the_stream_behind_more_than_one_turn_reads_is_noticed() {
    let reactors = Reactors::start(1, true).unwrap();
    let mut pair = pair(&reactors, Role::Client, config(), Vec::new());
    let _holder = hold(&reactors);
    for _ in 0..3 {
        pair.app.send(Message::binary(vec![0; 40_000])).unwrap();
    }
    pair.app.get_ref().shutdown(Shutdown::Write).unwrap();
    let end = |told: &Told| matches!(told, Told::Closed(Closed::Lost(_)));
    assert!((0..4).any(|_| end(&pair.told.recv_timeout(PATIENCE).expect("the end"))));
    reactors.stop();
}

#[test]
fn messages_behind_urgent_data_do_not_wait() {
    let reactors = Reactors::start(1, true).unwrap();
    let mut pair = pair(&reactors, Role::Client, config(), Vec::new());
    for _ in 0..2 {
        let _holder = hold(&reactors);
        pair.app.send(Message::text("before")).unwrap();
        // Urgent data is not part of the stream unless the receiver asks for it.
        assert_eq!(rustix::net::send(pair.app.get_ref(), b"!", SendFlags::OOB), Ok(1));
        pair.app.send(Message::text("behind")).unwrap();
        pair.expect(&Told::Text("before".into()));
        pair.expect(&Told::Text("behind".into()));
    }
    reactors.stop();
}

#[test]
fn an_application_that_reads_slowly_is_not_given_up() {
    const STEP_BYTES: usize = 32 * 1024;
    let reactors = Reactors::start(1, true).unwrap();
    let config = ConnectionConfig { write_timeout: Duration::from_millis(400), ..config() };
    let mut pair = pair(&reactors, Role::Server, config, Vec::new());
    // More than both kernels take, but in small portions: the application does not read while one is posted.
    let event = "x".repeat(16_000);
    let mut events = std::iter::repeat_n(&event, 3000);
    let begin = Instant::now();
    let mut buffer = vec![0; STEP_BYTES];
    while begin.elapsed() < Duration::from_secs(4) {
        events.by_ref().take(100).for_each(|event| pair.out.send_text(event));
        pair.app.get_mut().read_exact(&mut buffer).unwrap();
        thread::sleep(Duration::from_millis(50));
        if let Ok(told) = pair.told.try_recv() {
            panic!("{told:?} after {:?}", begin.elapsed());
        }
    }
    reactors.stop();
}

#[test]
fn many_small_messages_do_not_delay_other_connections() {
    let reactors = Reactors::start(1, true).unwrap();
    let mut flood = pair(&reactors, Role::Client, config(), Vec::new());
    let mut neighbour = pair(&reactors, Role::Client, config(), Vec::new());
    // Half a second of work in one read.
    for _ in 0..500 {
        flood.app.write(Message::text("sleep 1")).unwrap();
    }
    flood.app.flush().unwrap();
    thread::sleep(Duration::from_millis(20));
    let begin = Instant::now();
    neighbour.still_works();
    let took = begin.elapsed();
    assert!(took < Duration::from_millis(250), "the neighbour waited for {took:?}");
    for _ in 0..500 {
        flood.expect(&Told::Text("sleep 1".into()));
    }
    reactors.stop();
}

/// With TLS a read may have to wait until the socket can be written. The data after it has already left the socket,
/// which therefore does not become readable again.
#[derive(Debug)]
struct ReadsWithRoom {
    socket: TcpStream,
    inside: Mutex<Vec<u8>>,
}

impl Transport for ReadsWithRoom {
    fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        let mut inside = self.inside.lock();
        let mut more = [0; 1024];
        while let Ok(count @ 1..) = (&self.socket).read(&mut more) {
            inside.extend_from_slice(&more[..count]);
        }
        let now = rustix::time::Timespec { tv_sec: 0, tv_nsec: 0 };
        let has_room = poll(&mut [PollFd::new(&self.socket, PollFlags::OUT)], Some(&now))? > 0;
        if inside.is_empty() || !has_room {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let count = buf.len().min(inside.len());
        buf[..count].copy_from_slice(&inside[..count]);
        inside.drain(..count);
        Ok(count)
    }
    fn send(&self, buf: &[u8]) -> io::Result<usize> {
        (&self.socket).write(buf)
    }
    fn shutdown(&self) {}
    fn close(&self) {
        let _ = self.socket.shutdown(Shutdown::Both);
    }
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
    fn concurrent(&self) -> bool {
        false
    }
}

#[test]
fn a_read_that_waits_for_room_is_done_when_there_is_some() {
    let reactors = Reactors::start(1, true).unwrap();
    let mut pair = pair_over(&reactors, Role::Server, config(), Vec::new(), |ours| {
        ours.set_nonblocking(true).unwrap();
        Arc::new(ReadsWithRoom { socket: ours, inside: Mutex::default() })
    });
    for _ in 0..1000 {
        pair.out.send_media(&[0; 16_000], Duration::from_millis(1));
        thread::sleep(Duration::from_micros(100));
    }
    // There is no room for writing, so a message from the application is not read. The stall, which is noticed next, is
    // the last reason to look at the connection for a long time.
    pair.app.send(Message::text("reply read")).unwrap();
    assert!(pair.told.recv_timeout(Duration::from_millis(1500)).is_err());
    let begin = Instant::now();
    loop {
        match pair.app.read().unwrap() {
            Message::Text(text) if text.as_str() == "read" => break,
            Message::Binary(_) => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(begin.elapsed() < PATIENCE / 2, "{:?}", begin.elapsed());
    reactors.stop();
}

/// epoll does not accept a regular file.
#[derive(Debug)]
struct Unpollable {
    socket: PlainTransport,
    file: File,
    refused: AtomicBool,
}

impl Transport for Unpollable {
    fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.socket.recv(buf)
    }
    fn send(&self, buf: &[u8]) -> io::Result<usize> {
        self.socket.send(buf)
    }
    fn shutdown(&self) {
        self.socket.shutdown();
    }
    fn close(&self) {
        self.socket.close();
    }
    fn as_raw_fd(&self) -> RawFd {
        if self.refused.load(Ordering::SeqCst) { self.file.as_raw_fd() } else { self.socket.as_raw_fd() }
    }
    fn concurrent(&self) -> bool {
        true
    }
}

/// A pair, and a switch that makes epoll refuse it from then on.
fn unpollable(reactors: &Reactors, refused: bool) -> (Pair, Arc<Unpollable>) {
    let mut made = None;
    let pair = pair_over(reactors, Role::Client, config(), Vec::new(), |ours| {
        let transport = Arc::new(Unpollable {
            socket: PlainTransport::new(ours).unwrap(),
            file: File::open("/proc/self/exe").unwrap(),
            refused: AtomicBool::new(refused),
        });
        made = Some(transport.clone());
        transport
    });
    (pair, made.unwrap())
}

fn expect_unpollable(pair: &mut Pair) {
    match pair.told.recv_timeout(PATIENCE).expect("the end") {
        Told::Closed(Closed::Lost(what)) => assert!(what.contains("cannot be polled"), "{what}"),
        other => panic!("{other:?}"),
    }
    let begin = Instant::now();
    while pair.app.read().is_ok() {}
    assert!(begin.elapsed() < PATIENCE, "the application's end is over, too");
}

#[test]
fn a_connection_that_epoll_refuses_ends_and_its_neighbour_goes_on() {
    let reactors = Reactors::start(1, true).unwrap();
    let mut neighbour = pair(&reactors, Role::Client, config(), Vec::new());
    let (mut refused, _) = unpollable(&reactors, true);
    expect_unpollable(&mut refused);
    neighbour.still_works();
    assert_eq!(reactors.connections(), [1]);
    reactors.stop();
}

/// A busy reactor changes how it polls a connection at its first command.
#[test]
fn a_connection_that_epoll_does_not_take_back_ends() {
    let reactors = Reactors::start(1, true).unwrap();
    let mut talker = pair(&reactors, Role::Client, config(), Vec::new());
    let talks = Arc::new(AtomicBool::new(true));
    let talking = {
        let talks = talks.clone();
        thread::spawn(move || {
            while talks.load(Ordering::SeqCst) {
                talker.app.send(Message::binary(vec![0; 160])).unwrap();
                thread::sleep(Duration::from_millis(1));
            }
        })
    };
    thread::sleep(Duration::from_millis(200));
    let (mut pair, transport) = unpollable(&reactors, false);
    pair.app.send(Message::binary("media")).unwrap();
    pair.expect(&Told::Binary("media".into()));
    transport.refused.store(true, Ordering::SeqCst);
    pair.app.send(Message::text("first command")).unwrap();
    pair.expect(&Told::Text("first command".into()));
    assert_eq!(pair.app.read().unwrap(), Message::binary("media"));
    expect_unpollable(&mut pair);
    talks.store(false, Ordering::SeqCst);
    talking.join().unwrap();
    reactors.stop();
}

/// epoll is asked to watch for room in the socket only when a write has found none.
#[test]
fn a_connection_that_epoll_refuses_when_it_waits_for_room_ends() {
    let reactors = Reactors::start(1, true).unwrap();
    let (mut pair, transport) = unpollable(&reactors, false);
    pair.app.send(Message::binary("media")).unwrap();
    pair.expect(&Told::Binary("media".into()));
    transport.refused.store(true, Ordering::SeqCst);
    let frame = vec![0; LARGE_FRAME];
    for _ in 0..100 {
        pair.out.send_media(&frame, Duration::from_millis(20));
    }
    expect_unpollable(&mut pair);
    assert_eq!(reactors.connections(), [0]);
    reactors.stop();
}
