//! An app that listens for connections from Asterisk.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use tungstenite::protocol::Role;

use super::app::App;
use super::http::{Headers, Request, header};
use super::stream::Stream;
use super::trace::Recorder;
use super::wait;

/// What a server does with a request to upgrade.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// 101, with the first subprotocol that was offered.
    Accept,
    /// 101 with these header lines (each with its CRLF), followed by these bytes in the same write.
    AcceptWith(String, Vec<u8>),
    /// Another status, without a body.
    Refuse(u16),
    /// These bytes, after which the connection ends.
    Raw(Vec<u8>),
    /// Nothing, and the connection stays open.
    Silence,
}

/// The head of a request.
#[derive(Debug, Clone)]
pub struct Head {
    /// The time when it had been read.
    pub at: Instant,
    /// The method, `GET` if all is well.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Its headers.
    pub headers: Headers,
}

impl Head {
    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }
}

#[derive(Debug, Default)]
struct State {
    heads: Vec<Head>,
    apps: Vec<Option<App>>,
    taken: usize,
    silent: Vec<Stream>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    arrival: Condvar,
    closed: AtomicBool,
}

/// A listening socket, and the name under which Asterisk knows it. A thread answers requests as they arrive: the C
/// module holds locks that the whole of Asterisk needs until it has its answer.
#[derive(Debug)]
pub struct AppServer {
    /// The name of the object in websocket_client.conf, which is the connection id in a dial string.
    pub client: String,
    /// The address that it listens on.
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

impl AppServer {
    /// Listens on a new port. `reply` gives the answer to the request of this number (from 0).
    pub(super) fn listen(
        client: String,
        recorder: Recorder,
        reply: impl Fn(&Head, usize) -> Reply + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("listen");
        let address = listener.local_addr().expect("address");
        let shared = Arc::<Shared>::default();
        let inner = Arc::clone(&shared);
        let serve = move || {
            for (number, stream) in listener.incoming().flatten().enumerate() {
                if inner.closed.load(Ordering::SeqCst) {
                    return;
                }
                inner.serve(stream, number, &recorder, &reply);
            }
        };
        thread::Builder::new().name("server".into()).spawn(serve).expect("a thread for the server");
        Self { client, address, shared }
    }

    /// Waits until Asterisk has connected and been accepted.
    #[track_caller]
    pub fn accept(&self) -> App {
        self.try_accept(wait::PATIENCE)
            .unwrap_or_else(|| panic!("Asterisk did not connect to {}", self.client))
    }

    /// Like [`AppServer::accept`], but waits no longer than this.
    pub fn try_accept(&self, timeout: Duration) -> Option<App> {
        self.shared.wait(timeout, |state| {
            let app = state.apps.get_mut(state.taken)?.take();
            state.taken += 1;
            app
        })
    }

    /// Waits for the request of this number (from 0), whatever its answer is.
    #[track_caller]
    pub fn request(&self, number: usize) -> Head {
        let head = self.shared.wait(wait::PATIENCE, |state| state.heads.get(number).cloned());
        head.unwrap_or_else(|| panic!("no request of number {number} came to {}", self.client))
    }

    /// The connection of the request of this number (from 0) among those that got [`Reply::Silence`].
    #[track_caller]
    pub fn silent(&self, number: usize) -> Stream {
        let stream = self.shared.wait(wait::PATIENCE, |state| state.silent.get(number)?.try_clone().ok());
        stream.unwrap_or_else(|| panic!("no request of number {number} came to {}", self.client))
    }

    /// How many requests have come.
    pub fn requests(&self) -> usize {
        self.shared.state.lock().heads.len()
    }
}

impl Drop for AppServer {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::SeqCst);
        // Wakes the thread, which then ends.
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn wait<T>(&self, timeout: Duration, mut ready: impl FnMut(&mut State) -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + wait::at_most(timeout);
        let mut state = self.state.lock();
        loop {
            if let Some(value) = ready(&mut state) {
                return Some(value);
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            self.arrival.wait_for(&mut state, left);
        }
    }

    fn serve(
        &self,
        stream: TcpStream,
        number: usize,
        recorder: &Recorder,
        reply: &impl Fn(&Head, usize) -> Reply,
    ) {
        let Ok(mut request) = Stream::accepted(stream).and_then(Request::read) else { return };
        let head = Head {
            at: Instant::now(),
            method: request.method.clone(),
            target: request.target.clone(),
            headers: request.headers.clone(),
        };
        let reply = reply(&head, number);
        // Before the answer, so that a test that has seen the answer also finds the request.
        self.state.lock().heads.push(head.clone());
        self.arrival.notify_all();
        let app = match reply {
            Reply::Accept => {
                let protocol = head.header("Sec-WebSocket-Protocol").map(|offer| {
                    let first = offer.split(',').next().unwrap_or_default().trim();
                    format!("Sec-WebSocket-Protocol: {first}\r\n")
                });
                Some((protocol.unwrap_or_default(), Vec::new()))
            }
            Reply::AcceptWith(headers, trailing) => Some((headers, trailing)),
            Reply::Refuse(status) => {
                request.respond(
                    format!("HTTP/1.1 {status} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                        .as_bytes(),
                );
                None
            }
            Reply::Raw(bytes) => {
                request.respond(&bytes);
                None
            }
            Reply::Silence => {
                self.state.lock().silent.push(request.stream);
                self.arrival.notify_all();
                return;
            }
        };
        let app = app.map(|(headers, trailing)| {
            request.respond(&request.accepted(&headers, &trailing));
            App::new(request.stream, request.leftover, Role::Server, recorder.section())
        });
        self.state.lock().apps.extend(app.map(Some));
        self.arrival.notify_all();
    }
}
