//! What threads hand to a reactor, in every order that is possible for two of them and the reactor (`scripts/models`).

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::io;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::time::Duration;

use loom::model::Builder;
use loom::sync::Notify;
use loom::thread;
use tungstenite::protocol::Role;

use super::ConnectionKey;
use super::inbox::{Bell, Inbox, ReactorCommand};
use crate::net::outbound::{Flushed, Outbound, Wake};
use crate::net::sync::Mutex;
use crate::net::transport::Transport;

const KEY: ConnectionKey = ConnectionKey(7);
const CLOSE: u16 = 1000;

/// Checks `model` in every order with at most this many switches away from a thread that could go on.
fn check(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(model);
}

/// Stands for the reactor's poll and its eventfd. A thread that waits for it in vain is a deadlock, which loom reports.
type Poll = Arc<Notify>;

impl Bell for Poll {
    fn ring(&self) -> io::Result<()> {
        self.notify();
        Ok(())
    }
}

/// A socket that is full until the reactor makes room.
#[derive(Debug, Default)]
struct Socket(parking_lot::Mutex<(usize, Vec<u8>)>);

impl Socket {
    fn make_room(&self, bytes: usize) {
        self.0.lock().0 += bytes;
    }

    /// The opcodes and payloads that were written to it: short and unmasked.
    fn frames(&self) -> Vec<(u8, String)> {
        let mut bytes = &*self.0.lock().1;
        let mut frames = Vec::new();
        while !bytes.is_empty() {
            let (frame, rest) = bytes.split_at(2 + usize::from(bytes[1]));
            frames.push((frame[0] & 0x0f, String::from_utf8_lossy(&frame[2..]).into_owned()));
            bytes = rest;
        }
        frames
    }
}

impl Transport for Socket {
    fn recv(&self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }
    fn send(&self, buf: &[u8]) -> io::Result<usize> {
        let (room, out) = &mut *self.0.lock();
        let count = buf.len().min(*room);
        if count == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        *room -= count;
        out.extend_from_slice(&buf[..count]);
        Ok(count)
    }
    fn shutdown(&self) {}
    fn close(&self) {}
    fn as_raw_fd(&self) -> RawFd {
        -1
    }
    fn concurrent(&self) -> bool {
        true
    }
}

/// The inbox, as a connection's output uses it.
struct Mail(Arc<Inbox<Poll>>);

impl Wake for Mail {
    fn wake(&self) {
        self.0.post(ReactorCommand::Flush(KEY));
    }
}

/// The reactor of one connection.
struct Reactor {
    poll: Poll,
    inbox: Arc<Inbox<Poll>>,
    socket: Arc<Socket>,
    out: Arc<Outbound>,
}

impl Reactor {
    /// A reactor whose socket has `room`.
    fn new(room: usize) -> Self {
        let poll = Poll::new(Notify::new());
        let inbox = Arc::new(Inbox::new(poll.clone()));
        let socket = Arc::new(Socket::default());
        socket.make_room(room);
        let limit = Duration::from_secs(60);
        let out = Outbound::new(socket.clone(), Role::Server, limit, Box::new(Mail(inbox.clone())));
        Self { poll, inbox, socket, out: Arc::new(out) }
    }

    /// An output over its socket that the call outlives.
    fn out_of_one_that_is_outlived(&self) -> Outbound {
        let limit = Duration::from_secs(60);
        Outbound::new(self.socket.clone(), Role::Server, limit, Box::new(Mail(self.inbox.clone()))).outlived()
    }

    /// Sends these from a separate thread, which then posts a stop. Those that begin with m are media.
    fn send(&self, texts: &'static [&'static str]) {
        let (inbox, out) = (self.inbox.clone(), self.out.clone());
        thread::spawn(move || {
            for text in texts {
                if text.starts_with('m') {
                    out.send_media(text.as_bytes(), Duration::ZERO);
                } else {
                    out.send_text(text);
                }
            }
            inbox.post(ReactorCommand::Stop);
        });
    }

    /// Does what is in the inbox, until this many have posted a stop.
    fn run(&self, mut stops: usize) {
        let mut commands = Vec::new();
        while stops > 0 {
            self.poll.wait();
            self.inbox.take(&mut commands);
            for command in commands.drain(..) {
                match command {
                    ReactorCommand::Flush(KEY) => self.flush(),
                    ReactorCommand::Close(KEY, code) => {
                        self.out.queue_close(None, &code.to_be_bytes());
                        self.flush();
                    }
                    ReactorCommand::Stop => stops -= 1,
                    _ => panic!("not posted"),
                }
            }
        }
    }

    /// Flushes as often as the application takes something.
    fn flush(&self) {
        while let Flushed::Blocked(_) = self.out.flush() {
            self.socket.make_room(100);
        }
    }

    /// The texts that were sent and begin with this.
    fn texts_of(&self, sender: &str) -> Vec<String> {
        let frames = self.socket.frames().into_iter();
        frames.map(|(_, text)| text).filter(|text| text.starts_with(sender)).collect()
    }
}

#[test]
fn no_command_is_left_in_the_inbox() {
    check(3, || {
        let reactor = Reactor::new(0);
        let posters = 2;
        for _ in 0..posters {
            let inbox = reactor.inbox.clone();
            thread::spawn(move || {
                inbox.post(ReactorCommand::Flush(KEY));
                inbox.post(ReactorCommand::Stop);
            });
        }
        reactor.run(posters);
    });
}

/// With room for all, for a part of the first, and for nothing.
#[test]
fn messages_of_two_threads_are_sent_once_and_in_order() {
    for room in [100, 3, 0] {
        check(2, move || {
            let reactor = Reactor::new(room);
            reactor.send(&["a1"]);
            reactor.send(&["m1", "m2"]);
            reactor.run(2);
            assert_eq!(reactor.texts_of("a"), ["a1"]);
            assert_eq!(reactor.texts_of("m"), ["m1", "m2"]);
            assert!(!reactor.out.is_waiting());
        });
    }
}

/// Two threads find out something under one lock, queue it under that lock, and send it without the lock.
#[test]
fn events_go_out_in_the_order_in_which_they_were_queued() {
    for room in [100, 3] {
        check(2, move || {
            let reactor = Reactor::new(room);
            let found = Arc::new(Mutex::new(0));
            for _ in 0..2 {
                let (inbox, out, found) = (reactor.inbox.clone(), reactor.out.clone(), found.clone());
                thread::spawn(move || {
                    {
                        let mut found = found.lock();
                        *found += 1;
                        out.queue_text(&format!("e{}", *found));
                    }
                    out.send_queued();
                    inbox.post(ReactorCommand::Stop);
                });
            }
            reactor.run(2);
            assert_eq!(reactor.texts_of("e"), ["e1", "e2"]);
            assert!(!reactor.out.is_waiting());
        });
    }
}

/// If a message goes past the queue and does not fit, only its sender knows of it.
#[test]
fn the_rest_of_a_message_goes_out_with_nothing_behind_it() {
    check(3, || {
        let reactor = Reactor::new(3);
        reactor.send(&["m1"]);
        reactor.run(1);
        assert_eq!(reactor.texts_of("m"), ["m1"]);
    });
}

#[test]
fn nothing_goes_out_behind_a_close_frame() {
    for room in [100, 3] {
        check(2, move || {
            let reactor = Reactor::new(room);
            reactor.send(&["a1", "m1"]);
            let inbox = reactor.inbox.clone();
            thread::spawn(move || {
                inbox.post(ReactorCommand::Close(KEY, CLOSE));
                inbox.post(ReactorCommand::Stop);
            });
            reactor.run(2);
            let frames = reactor.socket.frames();
            assert_eq!(frames.last().unwrap().0, 0x08, "{frames:?}");
            assert_eq!(frames.iter().filter(|(opcode, _)| *opcode == 0x08).count(), 1, "{frames:?}");
        });
    }
}

/// A thread uses the output of a lost connection while the next connection takes over: what it brings there is sent on
/// the next one, once, in order, after the first messages of that connection.
#[test]
fn messages_for_a_lost_connection_are_sent_on_the_next_one() {
    check(3, || {
        let lost = Arc::new(Reactor::new(0).out_of_one_that_is_outlived());
        lost.send_text("kept");
        lost.keep();
        let next = Reactor::new(1000);
        let sender = {
            let (lost, inbox) = (lost.clone(), next.inbox.clone());
            thread::spawn(move || {
                lost.send_media(b"m1", Duration::ZERO);
                lost.send_text("event");
                lost.send_media(b"m2", Duration::ZERO);
                inbox.post(ReactorCommand::Stop);
            })
        };
        next.out.queue_text("start");
        let _ = lost.hand_over(&next.out);
        next.out.send_queued();
        next.run(1);
        sender.join().unwrap();
        let frames = next.socket.frames();
        let texts: Vec<&str> = frames.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(texts, ["start", "kept", "m1", "event", "m2"]);
    });
}
