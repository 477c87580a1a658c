//! Many threads at once where the module passes data between threads: the inboxes of the reactors, and the out-queue
//! with the shortcut past it. `scripts/sanitize thread` runs this under ThreadSanitizer.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier, OnceLock};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use chan_websocket::net::connection::{Closed, Connection, ConnectionConfig, Handler, Wants};
use chan_websocket::net::outbound::{Dropped, Outbound};
use chan_websocket::net::reactor::{Reactors, Slot};
use chan_websocket::net::transport::{PlainTransport, Transport};
use parking_lot::Mutex;
use tungstenite::Message;
use tungstenite::protocol::{Role, WebSocket};

/// A call that answers commands on the reactor's thread, and records its end.
#[derive(Default)]
struct Call {
    out: OnceLock<Arc<Outbound>>,
    commands: AtomicU64,
    closed: Mutex<Vec<Closed>>,
}

impl Handler for Call {
    fn on_text(&self, text: &str) -> Wants {
        self.commands.fetch_add(1, Ordering::Relaxed);
        self.out.get().unwrap().send_text(text);
        Wants::default()
    }
    fn on_binary(&self, _: Bytes) -> Wants {
        Wants::default()
    }
    fn on_media_dropped(&self, dropped: Dropped) -> Wants {
        panic!("the application reads: {dropped:?}");
    }
    fn on_ping(&self, _: bool) {}
    fn on_pong(&self, _: Duration) {}
    fn on_closed(&self, closed: Closed) {
        self.closed.lock().push(closed);
    }
}

struct Line {
    app: WebSocket<TcpStream>,
    out: Arc<Outbound>,
    slot: Slot,
    call: Arc<Call>,
}

fn line(reactors: &Reactors, role: Role) -> Line {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let app = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (ours, _) = listener.accept().unwrap();
    app.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let transport: Arc<dyn Transport> = Arc::new(PlainTransport::new(ours).unwrap());
    let slot = reactors.slot().unwrap();
    let limit = Duration::from_secs(3600);
    let out = Arc::new(Outbound::new(transport.clone(), role, limit, Box::new(slot.clone())));
    let call = Arc::new(Call::default());
    assert!(call.out.set(out.clone()).is_ok());
    let config = ConnectionConfig {
        max_message_size: 100_000,
        write_timeout: Duration::from_secs(30),
        close_timeout: Duration::from_secs(5),
        pings: None,
        prompt: false,
    };
    slot.add(Connection::new(transport, out.clone(), call.clone(), role, Vec::new(), config));
    let app_role = if role == Role::Server { Role::Client } else { Role::Server };
    Line { app: WebSocket::from_raw_socket(app, app_role, None), out, slot, call }
}

const SENDERS: u64 = 4;
const MESSAGES: u64 = 2000;

/// Four threads send (like the channel's thread and the job thread), and the reactor answers commands, all over one
/// connection whose application reads irregularly, so that the shortcut and the queue alternate. Each thread's messages
/// arrive complete, once and in order.
#[test]
fn messages_of_many_threads_arrive_once_and_in_order() {
    for role in [Role::Server, Role::Client] {
        let reactors = Reactors::start(1, true).unwrap();
        let Line { mut app, out, slot, call } = line(&reactors, role);
        let start = Barrier::new(usize::try_from(SENDERS).unwrap());
        thread::scope(|scope| {
            for sender in 0..SENDERS {
                let (out, start) = (&out, &start);
                scope.spawn(move || {
                    start.wait();
                    for number in 0..MESSAGES {
                        let mut message = vec![0; 16 + usize::try_from(number % 700).unwrap()];
                        message[..8].copy_from_slice(&sender.to_be_bytes());
                        message[8..16].copy_from_slice(&number.to_be_bytes());
                        if sender % 2 == 0 {
                            out.send_media(&message, Duration::from_millis(1));
                        } else {
                            let text: String =
                                message[..16].iter().map(|byte| format!("{byte:02x}")).collect();
                            out.send_text(&text);
                        }
                    }
                });
            }
            let mut next = vec![0; usize::try_from(SENDERS).unwrap()];
            let (mut asked, mut answered) = (0_u64, 0_u64);
            while next.iter().sum::<u64>() < SENDERS * MESSAGES || answered < asked {
                let head = match app.read().unwrap() {
                    Message::Binary(bytes) => bytes.to_vec(),
                    Message::Text(text) if text.starts_with("answer ") => {
                        assert_eq!(text.as_str(), format!("answer {answered}"));
                        answered += 1;
                        continue;
                    }
                    Message::Text(text) => unhex(&text),
                    other => panic!("{other:?}"),
                };
                let sender = usize::try_from(u64::from_be_bytes(head[..8].try_into().unwrap())).unwrap();
                assert_eq!(u64::from_be_bytes(head[8..16].try_into().unwrap()), next[sender], "of {sender}");
                next[sender] += 1;
                let all: u64 = next.iter().sum();
                if all.is_multiple_of(100) {
                    app.send(Message::text(format!("answer {asked}"))).unwrap();
                    asked += 1;
                }
                if all.is_multiple_of(1000) {
                    thread::sleep(Duration::from_millis(20));
                }
            }
            assert_eq!(call.commands.load(Ordering::Relaxed), asked);
        });
        slot.close(1000);
        while app.read().is_ok() {}
        reactors.stop();
        assert_eq!(*call.closed.lock(), [Closed::ByUs(1000)]);
    }
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len() / 2).map(|n| u8::from_str_radix(&text[2 * n..2 * n + 2], 16).unwrap()).collect()
}

/// Connections are opened and closed on reactors to which other threads post: none is forgotten, and each end is
/// reported once.
#[test]
fn no_post_to_a_reactor_is_lost() {
    let reactors = Reactors::start(2, true).unwrap();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        // Posts for connections that do not exist are normal for a reactor.
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                reactors.slot().unwrap().close(1000);
                thread::yield_now();
            }
        });
        let workers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    for number in 0..50 {
                        let Line { mut app, out, slot, call } = line(&reactors, Role::Server);
                        let talker = thread::spawn(move || {
                            for _ in 0..20 {
                                out.send_text("an event");
                            }
                        });
                        if number % 2 == 0 {
                            slot.close(1000);
                        } else {
                            app.close(None).unwrap();
                        }
                        while app.read().is_ok() {}
                        talker.join().unwrap();
                        drop(app);
                        let ended = || (!call.closed.lock().is_empty()).then_some(());
                        let begin = std::time::Instant::now();
                        while ended().is_none() {
                            assert!(begin.elapsed() < Duration::from_secs(30), "an end was not told");
                            thread::yield_now();
                        }
                    }
                })
            })
            .collect();
        for worker in workers {
            worker.join().unwrap();
        }
        done.store(true, Ordering::Relaxed);
    });
    let begin = std::time::Instant::now();
    while reactors.connections().iter().sum::<usize>() > 0 {
        assert!(begin.elapsed() < Duration::from_secs(30), "{:?} are left", reactors.connections());
        thread::sleep(Duration::from_millis(10));
    }
    reactors.stop();
}
