//! An app in a separate process, to be killed: another run of this binary, which stops at the given phase.

use std::io::{self, BufRead as _, BufReader, Cursor, Read, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, ExitCode, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use super::super::harness::http::{Request, UpgradeRequest};
use super::super::harness::stream::Stream;
use super::super::harness::wire::opcode;
use super::super::harness::{Frame, process, wait};

/// Set in the puppet's process: its task.
const VARIABLE: &str = "HOST_PUPPET";

/// How far an app gets before it is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// TCP is connected and nothing has been sent (as a client), or the listener is closed (as a server).
    BeforeConnect,
    /// Half of the upgrade request has been sent, or has been read.
    Handshake,
    /// The 101 has just been read, or sent.
    After101,
    /// ANSWER has just been sent.
    Answering,
    /// Media goes both ways.
    Media,
    /// The queue has reached XOFF.
    FullQueue,
    /// The app has closed and got Asterisk's answer, but has not ended TCP.
    Closing,
    /// Asterisk has closed, and the app has not answered.
    Closed,
}

impl Phase {
    pub const ALL: [Self; 8] = [
        Self::BeforeConnect,
        Self::Handshake,
        Self::After101,
        Self::Answering,
        Self::Media,
        Self::FullQueue,
        Self::Closing,
        Self::Closed,
    ];

    /// The name for tests.
    pub fn name(self) -> &'static str {
        match self {
            Self::BeforeConnect => "before_connect",
            Self::Handshake => "handshake",
            Self::After101 => "after_101",
            Self::Answering => "answering",
            Self::Media => "media",
            Self::FullQueue => "full_queue",
            Self::Closing => "closing",
            Self::Closed => "closed",
        }
    }
}

/// The puppet's process. It is killed (SIGKILL) when this is dropped.
#[derive(Debug)]
pub struct Puppet {
    process: Child,
    lines: Receiver<String>,
}

impl Puppet {
    /// An app that listens for Asterisk on this port (0: any), and the port.
    #[track_caller]
    pub fn listen(port: u16, phase: Phase) -> (Self, u16) {
        let puppet = Self::start(&format!("listen {port} {}", phase.name()));
        let port = puppet.line().parse().expect("a port");
        (puppet, port)
    }

    /// An app that connects to Asterisk.
    #[track_caller]
    pub fn connect(to: SocketAddr, target: &str, phase: Phase) -> Self {
        Self::start(&format!("{to} {target} {}", phase.name()))
    }

    fn start(task: &str) -> Self {
        let this = std::env::current_exe().expect("this program");
        let mut command = process::command(this.to_str().expect("a path in UTF-8"));
        command.env(VARIABLE, task).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut process = process::spawn(command).expect("a puppet");
        let output = BufReader::new(process.stdout.take().expect("piped"));
        let (sender, lines) = channel();
        thread::Builder::new()
            .name("puppet".into())
            .spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)))
            .expect("a thread for reading");
        Self { process, lines }
    }

    #[track_caller]
    fn line(&self) -> String {
        self.lines.recv_timeout(wait::PATIENCE).expect("the puppet says how far it is")
    }

    /// Waits until it has reached its phase.
    #[track_caller]
    pub fn wait_reached(&self) {
        assert_eq!(self.line(), "reached");
    }

    /// Kills it with SIGKILL.
    pub fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for Puppet {
    fn drop(&mut self) {
        self.end();
    }
}

/// In the puppet's process: does what [`main`] must do instead of tests. `None` in any other process.
pub fn task() -> Option<ExitCode> {
    let task = std::env::var(VARIABLE).ok()?;
    let words: Vec<&str> = task.split(' ').collect();
    let [from, to, phase] = words[..] else { panic!("{VARIABLE}={task}") };
    let phase = Phase::ALL.into_iter().find(|known| known.name() == phase).expect("a phase");
    let end =
        if from == "listen" { serve(to.parse().expect("a port"), phase) } else { visit(from, to, phase) };
    if let Err(err) = end {
        eprintln!("puppet {task}: {err}");
    }
    Some(ExitCode::FAILURE)
}

fn reached() -> ! {
    println!("reached");
    loop {
        thread::park();
    }
}

fn serve(port: u16, phase: Phase) -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    println!("{}", listener.local_addr()?.port());
    if phase == Phase::BeforeConnect {
        reached();
    }
    let mut stream = Stream::accepted(listener.accept()?.0)?;
    if phase == Phase::Handshake {
        stream.read_exact(&mut [0; 20])?;
        reached();
    }
    let mut request = Request::read(stream)?;
    let answer = request.accepted("Sec-WebSocket-Protocol: media\r\n", b"");
    request.respond(&answer);
    play(request.stream, request.leftover, false, phase)
}

fn visit(to: &str, target: &str, phase: Phase) -> io::Result<()> {
    let mut stream = Stream::tcp(to.parse().map_err(io::Error::other)?)?;
    if phase == Phase::BeforeConnect {
        reached();
    }
    let request = UpgradeRequest::new(target);
    if phase == Phase::Handshake {
        let bytes = request.encode();
        stream.write_all(&bytes[..bytes.len() / 2])?;
        reached();
    }
    let response = request.send(stream)?;
    assert_eq!(response.status, 101);
    play(response.stream, response.leftover, true, phase)
}

/// Plays its part after the handshake.
fn play(stream: Stream, leftover: Vec<u8>, masked: bool, phase: Phase) -> io::Result<()> {
    if phase == Phase::After101 {
        reached();
    }
    stream.set_timeout(None)?;
    let mut out = stream.try_clone()?;
    let mut input = Cursor::new(leftover).chain(stream);
    let mut send = move |frame: Frame| out.write_all(&Frame { masked, ..frame }.encode());
    let mut wait_for = |wanted: &dyn Fn(&Frame) -> bool| {
        loop {
            let frame = Frame::read(&mut input)?;
            if wanted(&frame) {
                return io::Result::Ok(());
            }
        }
    };
    wait_for(&|frame| frame.opcode == opcode::TEXT)?;
    match phase {
        Phase::BeforeConnect | Phase::Handshake | Phase::After101 => unreachable!("reached before"),
        Phase::Answering => send(Frame::text("ANSWER"))?,
        Phase::Media => {
            thread::spawn(move || -> io::Result<()> {
                loop {
                    send(Frame::binary([0x55; 160]))?;
                    thread::sleep(Duration::from_millis(20));
                }
            });
            wait_for(&|frame| frame.opcode == opcode::BINARY)?;
        }
        Phase::FullQueue => {
            send(Frame::text("START_MEDIA_BUFFERING"))?;
            for _ in 0..110 {
                send(Frame::binary([0x55; 160 * 10]))?;
            }
            wait_for(&|frame| frame.payload == b"MEDIA_XOFF")?;
        }
        Phase::Closing => {
            send(Frame::close(Some(1000), ""))?;
            wait_for(&|frame| frame.opcode == opcode::CLOSE)?;
        }
        Phase::Closed => {
            println!("up");
            wait_for(&|frame| frame.opcode == opcode::CLOSE)?;
        }
    }
    reached()
}

impl Puppet {
    /// In [`Phase::Closed`]: waits until the connection is up.
    #[track_caller]
    pub fn wait_up(&self) {
        assert_eq!(self.line(), "up");
    }
}
