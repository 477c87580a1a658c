//! A socket that accepts as much as it is told to, and the bytes that were written to it.

mod dialect;

use super::*;
use std::io;
use std::os::fd::RawFd;
use tungstenite::protocol::frame::coding::Data;

#[derive(Debug, Default)]
struct Pipe {
    /// How many bytes the "socket" still accepts.
    room: Mutex<usize>,
    out: Mutex<Vec<u8>>,
    /// With TLS: the size of a record; one `send` accepts no more.
    record: Option<usize>,
}

impl Transport for Pipe {
    fn recv(&self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }
    fn send(&self, buf: &[u8]) -> io::Result<usize> {
        let mut room = self.room.lock();
        let n = buf.len().min(*room).min(self.record.unwrap_or(usize::MAX));
        if n == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        *room -= n;
        self.out.lock().extend_from_slice(&buf[..n]);
        Ok(n)
    }
    fn shutdown(&self) {}
    fn close(&self) {}
    fn as_raw_fd(&self) -> RawFd {
        -1
    }
    fn concurrent(&self) -> bool {
        self.record.is_none()
    }
}

struct NoWake;
impl Wake for NoWake {
    fn wake(&self) {}
}

fn outbound(room: usize, role: Role) -> (Arc<Pipe>, Outbound) {
    let pipe = Arc::new(Pipe { room: Mutex::new(room), ..Pipe::default() });
    let out = Outbound::new(pipe.clone(), role, Duration::from_millis(100), Box::new(NoWake));
    (pipe, out)
}

const FRAME: Duration = Duration::from_millis(20);

#[test]
fn a_frame_goes_out_at_once_when_nothing_waits() {
    let (pipe, out) = outbound(1000, Role::Server);
    out.send_media(&[7; 160], FRAME);
    assert_eq!(pipe.out.lock()[..6], [0x82, 126, 0, 160, 7, 7]);
    assert_eq!(out.flush(), Flushed::Empty(Dropped::default()));
}

#[test]
fn a_client_masks_every_frame_with_its_own_key() {
    let (pipe, out) = outbound(1000, Role::Client);
    out.send_text("hello");
    out.send_text("hello");
    let bytes = pipe.out.lock().clone();
    assert_eq!((bytes[0], bytes[1]), (0x81, 0x85));
    let key = &bytes[2..6];
    let text: Vec<u8> = bytes[6..11].iter().zip(key.iter().cycle()).map(|(b, k)| b ^ k).collect();
    assert_eq!(text, b"hello");
    assert_ne!(bytes[2..6], bytes[13..17], "a key is used for one frame only");
}

#[test]
fn the_oldest_media_is_dropped_never_an_event_nor_a_begun_message() {
    let (pipe, out) = outbound(10, Role::Server);
    for number in 0..10u8 {
        out.send_media(&[number; 50], FRAME);
        if number == 3 {
            out.send_text("event");
        }
    }
    // 10 bytes of frame 0 went out, so it stays; 5 frames (100 ms) may wait after it.
    *pipe.room.lock() = 100_000;
    let dropped = Dropped { messages: 4, media: FRAME * 4 };
    assert_eq!(out.flush(), Flushed::Empty(dropped));
    // The frame that exceeds the limit is in the queue for a moment.
    assert_eq!(out.counters.queue_high_water_ns.load(Ordering::Relaxed), 120_000_000);
    let bytes = pipe.out.lock().clone();
    let mut expected = Vec::new();
    encode(&mut expected, OpCode::Data(Data::Binary), &[0; 50], None).unwrap();
    encode(&mut expected, OpCode::Data(Data::Text), b"event", None).unwrap();
    for number in 5u8..10 {
        encode(&mut expected, OpCode::Data(Data::Binary), &[number; 50], None).unwrap();
    }
    assert_eq!(bytes, expected);
    assert_eq!(out.flush(), Flushed::Empty(Dropped::default()), "an episode is told once");
}

/// Nothing else would send the rest: epoll reports nothing about a socket that is not full.
#[test]
fn a_message_of_many_tls_records_goes_out_in_one_flush() {
    let pipe = Arc::new(Pipe { room: Mutex::new(1000), record: Some(16), ..Pipe::default() });
    let out = Outbound::new(pipe.clone(), Role::Server, FRAME, Box::new(NoWake));
    out.send_text(&"x".repeat(500));
    assert_eq!(out.flush(), Flushed::Empty(Dropped::default()));
    assert_eq!(pipe.out.lock().len(), 504);
    out.send_text(&"y".repeat(500));
    assert!(matches!(out.flush(), Flushed::Blocked(_)), "496 of 504 bytes fit");
    *pipe.room.lock() = 8;
    assert_eq!(out.flush(), Flushed::Empty(Dropped::default()));
}

#[test]
fn blocked_lasts_from_the_last_byte_taken() {
    let (pipe, out) = outbound(0, Role::Server);
    out.send_text("one");
    let Flushed::Blocked(first) = out.flush() else { panic!() };
    assert_eq!(out.flush(), Flushed::Blocked(first));
    *pipe.room.lock() = 2;
    std::thread::sleep(Duration::from_millis(2));
    let Flushed::Blocked(second) = out.flush() else { panic!() };
    assert!(second > first);
    let longest = || out.counters.longest_block_ns.load(Ordering::Relaxed);
    let first_block = longest();
    assert!(first_block >= 2_000_000, "{first_block}");
    std::thread::sleep(Duration::from_millis(1));
    *pipe.room.lock() = 100;
    assert_eq!(out.flush(), Flushed::Empty(Dropped::default()));
    let all = out.counters.blocked_ns.load(Ordering::Relaxed);
    assert!(all >= first_block + 1_000_000 && longest() < all, "{all}");
}

#[test]
fn nothing_follows_a_close() {
    let (pipe, out) = outbound(1000, Role::Server);
    out.queue_ping(&[]);
    out.close();
    out.send_text("late");
    out.flush();
    assert_eq!(*pipe.out.lock(), [0x89, 0]);
}

/// The frames that were written to `pipe`, as opcode and payload; a server's, so not masked.
fn frames(pipe: &Pipe) -> Vec<(u8, Vec<u8>)> {
    let (bytes, mut at, mut frames) = (pipe.out.lock().clone(), 0, Vec::new());
    while at < bytes.len() {
        let (len, header) = match bytes[at + 1] {
            126 => (usize::from(u16::from_be_bytes([bytes[at + 2], bytes[at + 3]])), 4),
            len => (usize::from(len), 2),
        };
        assert!(len < 1000, "short ones");
        frames.push((bytes[at] & 0x0f, bytes[at + header..at + header + len].to_vec()));
        at += header + len;
    }
    frames
}

fn text(text: &str) -> (u8, Vec<u8>) {
    (1, text.into())
}

fn media(number: u8) -> (u8, Vec<u8>) {
    (2, vec![number; 50])
}

/// An output with its socket.
type Way<O> = (Arc<Pipe>, O);

/// A call's first output and the next one.
fn lost_and_next(room: usize) -> (Way<Outbound>, Way<Arc<Outbound>>) {
    let (pipe, out) = outbound(room, Role::Server);
    let out = out.outlived();
    let (next_pipe, next) = outbound(100_000, Role::Server);
    let next = Arc::new(next.outlived().counting_on(&out));
    ((pipe, out), (next_pipe, next))
}

#[test]
fn messages_of_a_lost_connection_are_sent_on_the_next_one_in_order() {
    let ((pipe, out), (next_pipe, next)) = lost_and_next(100);
    out.send_media(&[0; 50], FRAME);
    out.send_text("before");
    out.keep();
    for number in 1..10u8 {
        out.send_media(&[number; 50], FRAME);
        if number == 3 || number == 8 {
            out.send_text(if number == 3 { "early" } else { "late" });
        }
    }
    assert_eq!(out.queued_media(), FRAME * 5, "no more than may wait");
    out.queue_close(None, &[]);
    out.flush();
    assert_eq!(frames(&pipe), [media(0), text("before"), (8, vec![])]);

    next.queue_text("start");
    assert_eq!(out.hand_over(&next), Dropped { messages: 4, media: FRAME * 4 });
    out.send_media(&[10; 50], FRAME);
    out.queue_text("from an old hand");
    assert_eq!(next.flush(), Flushed::Empty(Dropped { messages: 1, media: FRAME }));
    out.queue_text("again");
    out.send_queued();
    next.send_media(&[11; 50], FRAME);
    let mut expected = vec![text("start"), text("early")];
    expected.extend([6, 7, 8].map(media));
    expected.push(text("late"));
    expected.extend([media(9), media(10), text("from an old hand"), text("again"), media(11)]);
    assert_eq!(frames(&next_pipe), expected);
    assert_eq!(frames(&pipe).len(), 3, "the old one has said its last word");
    let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    assert_eq!(count(&next.counters.media_messages), 12, "the totals are the call's");
    assert_eq!(count(&next.counters.media_dropped), 5);
}

/// A message in the batch that is being written has not necessarily been sent.
#[test]
fn a_batch_that_was_cut_goes_out_once_and_whole() {
    for room in [0, 1, 51, 52, 53, 70, 104, 10_000] {
        let ((pipe, out), (next_pipe, next)) = lost_and_next(0);
        let sent = [media(0), text("mark"), media(1), media(2)];
        for (opcode, payload) in &sent {
            if *opcode == 1 {
                out.queue_text(std::str::from_utf8(payload).unwrap());
            } else {
                out.send_media(payload, FRAME);
            }
        }
        out.flush();
        *pipe.room.lock() = room;
        out.flush();
        out.keep();
        out.queue_close(None, &[]);
        *pipe.room.lock() = 10_000;
        out.flush();
        let _ = out.hand_over(&next);
        next.flush();
        let mut got = frames(&pipe);
        assert_eq!(got.pop(), Some((8, vec![])), "{room}");
        got.extend(frames(&next_pipe));
        assert_eq!(got, sent, "{room}");
    }
}

/// A socket that fails.
#[derive(Debug)]
struct Broken;

impl Transport for Broken {
    fn recv(&self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::ConnectionReset.into())
    }
    fn send(&self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
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

/// The thread that finds out first, by a frame that cannot be sent, is not the reactor's.
#[test]
fn the_frame_that_finds_the_connection_broken_is_kept_too() {
    let out = Outbound::new(Arc::new(Broken), Role::Server, FRAME * 10, Box::new(NoWake)).outlived();
    out.send_media(&[1; 50], FRAME);
    out.send_media(&[2; 50], FRAME);
    out.send_text("event");
    assert_eq!(out.flush(), Flushed::Failed);
    out.keep();
    let (pipe, next) = outbound(10_000, Role::Server);
    let next = Arc::new(next);
    let _ = out.hand_over(&next);
    next.flush();
    assert_eq!(frames(&pipe), [media(1), media(2), text("event")]);
}

#[test]
fn messages_that_wait_for_a_lost_application_are_bounded() {
    let ((_pipe, out), (next_pipe, next)) = lost_and_next(0);
    out.keep();
    let event = "x".repeat(100);
    out.send_text("first");
    for number in 0..4000 {
        out.queue_passing_text(&format!("{number:04}{event}"));
    }
    for number in 4000..5000 {
        out.send_text(&format!("{number:04}{event}"));
    }
    let _ = out.hand_over(&next);
    next.flush();
    *next_pipe.room.lock() = 1_000_000;
    while next.is_waiting() {
        next.flush();
    }
    next.flush();
    let got = frames(&next_pipe);
    assert_eq!(got.len(), 1 + (256 * 1024 - 5) / 104);
    assert_eq!(got.first(), Some(&text("first")), "those that are soon out of date go first");
    assert_eq!(got.last(), Some(&text(&format!("4999{event}"))));
}

#[test]
fn a_call_that_ends_with_its_connection_keeps_nothing() {
    let (pipe, out) = outbound(1000, Role::Server);
    out.keep();
    out.send_text("event");
    assert_eq!(frames(&pipe), [text("event")]);
    out.close();
    out.send_media(&[1; 50], FRAME);
    let (next_pipe, next) = outbound(1000, Role::Server);
    let next = Arc::new(next);
    let _ = out.hand_over(&next);
    next.flush();
    assert_eq!((frames(&pipe).len(), frames(&next_pipe).len()), (1, 0));
}

/// A call that loses its connection again and again must not keep all its connections.
#[test]
fn a_way_out_that_was_handed_over_keeps_no_other() {
    let (_, first) = outbound(0, Role::Server);
    let (_, next) = outbound(0, Role::Server);
    let next = Arc::new(next);
    let _ = first.hand_over(&next);
    let weak = Arc::downgrade(&next);
    drop(next);
    assert!(weak.upgrade().is_none());
    first.send_media(&[1; 50], FRAME);
    first.send_text("nobody is there");
}
