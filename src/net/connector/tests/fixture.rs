//! Servers, settings and a fake TLS for the connector's tests.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::net::{AddressFamily, SocketType};
use tungstenite::handshake::derive_accept_key;

use crate::net::connector::*;
use crate::net::upgrade::authority;
use crate::settings::config::Settings;

/// Far more than any test needs: only a fault lasts so long.
pub(super) const LONG: Duration = Duration::from_secs(10);

pub(super) type Outcome = Result<Connected, ConnectError>;

pub(super) fn connector() -> Connector {
    Connector::start("ws-connector").unwrap()
}

/// One attempt, patient deadlines, no authentication, no TLS.
pub(super) fn destination(host: &str, port: u16) -> Destination {
    let client = ClientSettings {
        uri: format!("ws://{}/media?call=1", authority(host, port)),
        protocols: "media".to_owned(),
        connection_timeout: LONG,
        reconnect_attempts: 1,
        reconnect_interval: Duration::from_millis(1),
        handshake_timeout: LONG,
        write_timeout: LONG,
        ..ClientSettings::new([], None, &Settings::default()).unwrap()
    };
    let target = TargetUri {
        tls: false,
        user_info: None,
        host: host.to_owned(),
        port,
        path_and_query: "/media?call=1".to_owned(),
    };
    Destination { client, target }
}

pub(super) fn to(addr: SocketAddr) -> Destination {
    destination(&addr.ip().to_string(), addr.port())
}

/// A job whose result comes through the channel; the channel ends when `on_done` is gone.
pub(super) fn job(destination: Destination) -> (ConnectJob, Receiver<Outcome>) {
    let (done, outcome) = mpsc::channel();
    let job = ConnectJob {
        client: "test".to_owned(),
        fallbacks: Vec::new(),
        settings: ConnectSettings::Known(Ok(Box::new(destination))),
        tls: Arc::new(XorTls),
        on_done: Box::new(move |result| done.send(result).unwrap()),
        label: "WebSocket/test/0x1".to_owned(),
        again: false,
        on_step: None,
    };
    (job, outcome)
}

/// Settings that a helper has to read.
pub(super) fn reading(
    read: impl FnOnce() -> Result<Destination, String> + Send + 'static,
) -> ConnectSettings {
    ConnectSettings::Read(Box::new(read))
}

/// Connects and waits for the result.
pub(super) fn connect(connector: &Connector, destination: Destination) -> Outcome {
    let (job, outcome) = job(destination);
    let _handle = connector.connect(job);
    outcome.recv_timeout(LONG).expect("no result")
}

/// A listener on the loopback and a thread that gives each connection to a function.
pub(super) struct Server {
    pub(super) addr: SocketAddr,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// `serve` is called for one connection at a time, with its number from 0.
    pub(super) fn start(mut serve: impl FnMut(usize, TcpStream) + Send + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let addr = listener.local_addr().unwrap();
        let ends = Arc::<AtomicBool>::default();
        let end = ends.clone();
        let thread = thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                if end.load(Ordering::SeqCst) {
                    return;
                }
                let stream = stream.unwrap();
                stream.set_nodelay(true).unwrap();
                stream.set_read_timeout(Some(LONG)).unwrap();
                serve(number, stream);
            }
        });
        Self { addr, ends, thread: Some(thread) }
    }

    /// Reads each request and answers with `answer`.
    pub(super) fn answering(answer: impl Into<Vec<u8>>) -> Self {
        let answer = answer.into();
        Self::start(move |_, mut stream| {
            read_head(&mut stream);
            let _ = stream.write_all(&answer);
            linger(stream);
        })
    }

    /// Accepts and keeps quiet; each connection comes through the channel.
    pub(super) fn silent() -> (Self, Receiver<TcpStream>) {
        let (accepted, streams) = mpsc::channel();
        let server = Self::start(move |_, stream| {
            let _ = accepted.send(stream);
        });
        (server, streams)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.addr);
        let result = self.thread.take().unwrap().join();
        if !thread::panicking() {
            result.expect("the server's thread panicked");
        }
    }
}

/// A request or answer up to its empty line.
pub(super) fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.extend(byte);
    }
    String::from_utf8(head).unwrap()
}

/// Closes without a reset, which could overtake what was sent; without holding the next connection up.
pub(super) fn linger(mut stream: TcpStream) {
    let _ = stream.shutdown(Shutdown::Write);
    thread::spawn(move || io::copy(&mut stream, &mut io::sink()));
}

pub(super) fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut fields = head.lines().filter_map(|line| line.split_once(": "));
    fields.find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// The right answer to a request, with these additional header lines.
pub(super) fn switching(request: &str, more: &str) -> String {
    let accept = derive_accept_key(header(request, "Sec-WebSocket-Key").expect("no key").as_bytes());
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n{more}\r\n"
    )
}

/// Answers as asked and sends `hello` right after.
pub(super) fn welcome(mut stream: TcpStream) {
    let request = read_head(&mut stream);
    stream.write_all((switching(&request, "") + "hello").as_bytes()).unwrap();
    linger(stream);
}

/// A port without a listener that no other process can get while the descriptor lives.
pub(super) fn refusing() -> (SocketAddr, OwnedFd) {
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    rustix::net::bind(&socket, &SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    (local_addr(&socket), socket)
}

/// A port that does not even answer: its queue is full, so the kernel drops what comes.
pub(super) fn black_hole() -> (SocketAddr, (OwnedFd, Vec<mio::net::TcpStream>)) {
    let (addr, socket) = refusing();
    rustix::net::listen(&socket, 0).unwrap();
    let fill = (0..4).map(|_| mio::net::TcpStream::connect(addr).unwrap()).collect();
    thread::sleep(Duration::from_millis(20));
    (addr, (socket, fill))
}

fn local_addr(socket: &OwnedFd) -> SocketAddr {
    SocketAddr::try_from(rustix::net::getsockname(socket).unwrap()).unwrap()
}

/// Everything a peer sends until it closes.
pub(super) fn read_to_end(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut all = Vec::new();
    stream.read_to_end(&mut all).map(|_| all)
}

/// Reads from a transport until there is `len`.
pub(super) fn recv_exact(transport: &dyn Transport, len: usize) -> Vec<u8> {
    let mut all = Vec::new();
    while all.len() < len {
        let mut buf = vec![0; len - all.len()];
        match transport.recv(&mut buf) {
            Ok(0) => panic!("closed after {all:?}"),
            Ok(got) => all.extend(&buf[..got]),
            Err(err) if err.kind() == io::ErrorKind::WouldBlock => thread::sleep(Duration::from_millis(1)),
            Err(err) => panic!("{err}"),
        }
    }
    all
}

/// The key of the fake TLS.
const XOR: u8 = 0x5a;

/// What the fake TLS client says first, and what it wants to hear.
pub(super) const CLIENT_HELLO: &[u8] = b"CH";
pub(super) const SERVER_HELLO: &[u8] = b"SH";

pub(super) fn xor(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().map(|byte| byte ^ XOR).collect()
}

/// A TLS that hides the bytes that it carries and does nothing else. Certificates named `missing` cannot be loaded, no
/// session can be started with `unstartable.example`; a server that says `!!` makes it panic, one that says nonsense is
/// refused.
pub(super) struct XorTls;

impl TlsConnector for XorTls {
    fn prepare(&self, settings: &ClientSettings) -> Result<Arc<dyn TlsContext>, String> {
        match settings.ca_list_file.as_deref() {
            Some("missing") => Err("ca_list_file missing: no such file".to_owned()),
            _ => Ok(Arc::new(XorTls)),
        }
    }
}

impl TlsContext for XorTls {
    fn start(&self, host: &str, socket: TcpStream) -> Result<Box<dyn TlsHandshake>, String> {
        if host == "unstartable.example" {
            return Err(format!("no session for {host}"));
        }
        Ok(Box::new(XorHandshake { transport: XorTransport(socket), said: false, heard: Vec::new() }))
    }
}

struct XorHandshake {
    transport: XorTransport,
    said: bool,
    heard: Vec<u8>,
}

impl TlsHandshake for XorHandshake {
    fn advance(mut self: Box<Self>) -> TlsProgress {
        if !self.said {
            assert_eq!(self.transport.send(CLIENT_HELLO).unwrap(), CLIENT_HELLO.len());
            self.said = true;
        }
        while self.heard.len() < SERVER_HELLO.len() {
            let mut byte = [0];
            match self.transport.recv(&mut byte) {
                Ok(0) => return TlsProgress::Failed("unexpected end of file".to_owned()),
                Ok(_) => self.heard.extend(byte),
                Err(err) if err.kind() == io::ErrorKind::WouldBlock => return TlsProgress::Pending(self),
                Err(err) => return TlsProgress::Failed(err.to_string()),
            }
        }
        match self.heard.as_slice() {
            SERVER_HELLO => TlsProgress::Done(Arc::new(self.transport)),
            b"!!" => panic!("on purpose"),
            _ => TlsProgress::Failed("certificate verify failed".to_owned()),
        }
    }
}

#[derive(Debug)]
struct XorTransport(TcpStream);

impl Transport for XorTransport {
    fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        let len = (&self.0).read(buf)?;
        buf[..len].iter_mut().for_each(|byte| *byte ^= XOR);
        Ok(len)
    }

    /// Takes a few bytes at a time.
    fn send(&self, buf: &[u8]) -> io::Result<usize> {
        (&self.0).write(&xor(&buf[..buf.len().min(7)]))
    }

    fn shutdown(&self) {
        let _ = self.0.shutdown(Shutdown::Write);
    }

    fn close(&self) {
        let _ = self.0.shutdown(Shutdown::Both);
    }

    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    fn concurrent(&self) -> bool {
        false
    }

    fn tls_description(&self) -> Option<String> {
        Some("XOR".to_owned())
    }
}

/// The server's side of the fake TLS: the request, decoded.
pub(super) fn xor_read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.extend(xor(&byte));
    }
    String::from_utf8(head).unwrap()
}

/// The server's side of the fake TLS: says hello (unless that has been said), then answers as asked.
pub(super) fn xor_welcome(mut stream: TcpStream, says_hello: bool) {
    let mut hello = [0; CLIENT_HELLO.len()];
    stream.read_exact(&mut hello).unwrap();
    assert_eq!(xor(&hello), CLIENT_HELLO);
    if says_hello {
        stream.write_all(&xor(SERVER_HELLO)).unwrap();
    }
    let request = xor_read_head(&mut stream);
    stream.write_all(&xor((switching(&request, "") + "hello").as_bytes())).unwrap();
    linger(stream);
}

/// A resolver with a table, counting what it is asked. `hangs.example` does not return before `hanging` is dropped,
/// `panics.example` panics.
pub(super) struct TestResolver {
    pub(super) table: Vec<(&'static str, Vec<SocketAddr>)>,
    pub(super) hanging: parking_lot::Mutex<Option<Receiver<()>>>,
    pub(super) asked: parking_lot::Mutex<Vec<String>>,
}

impl TestResolver {
    /// Also returns a sender; `hangs.example` goes on when it is dropped.
    pub(super) fn new(table: Vec<(&'static str, Vec<SocketAddr>)>) -> (Arc<Self>, mpsc::Sender<()>) {
        let (release, hanging) = mpsc::channel();
        let (hanging, asked) = (parking_lot::Mutex::new(Some(hanging)), parking_lot::Mutex::default());
        (Arc::new(Self { table, hanging, asked }), release)
    }
}

impl Resolve for TestResolver {
    fn resolve(&self, host: &str, _port: u16) -> io::Result<Vec<SocketAddr>> {
        self.asked.lock().push(host.to_owned());
        assert!(host != "panics.example", "on purpose");
        if host == "hangs.example" {
            let hanging = self.hanging.lock().take();
            let _ = hanging.map(|hanging| hanging.recv());
        }
        let row = self.table.iter().find(|(name, _)| *name == host);
        row.map(|(_, addresses)| addresses.clone())
            .ok_or_else(|| io::Error::other("Name or service not known"))
    }
}

/// A job that looks up a name, and is not answered until `release` is dropped.
pub(super) struct HangingLookUp {
    pub(super) connector: Connector,
    pub(super) resolver: Arc<TestResolver>,
    pub(super) release: mpsc::Sender<()>,
    pub(super) handle: ConnectHandle,
    pub(super) outcome: Receiver<Outcome>,
}

impl HangingLookUp {
    pub(super) fn start() -> Self {
        let (resolver, release) = TestResolver::new(vec![]);
        let connector = Connector::start_with("ws-connector", resolver.clone(), SETTINGS_TIMEOUT).unwrap();
        let (job, outcome) = job(destination("hangs.example", 1));
        let handle = connector.connect(job);
        while resolver.asked.lock().is_empty() {
            std::thread::sleep(Duration::from_millis(1));
        }
        Self { connector, resolver, release, handle, outcome }
    }
}
