//! A socket that takes what it is told to take, and what comes out of it.

use super::*;
use std::os::fd::RawFd;

#[derive(Debug, Default)]
struct Pipe {
    /// How many bytes the "socket" still takes.
    room: Mutex<usize>,
    out: Mutex<Vec<u8>>,
    /// With TLS: bytes of a record, which is all that one `send` takes.
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
    // 10 bytes of frame 0 went out, so it stays; 5 frames (100 ms) may wait behind it.
    *pipe.room.lock() = 100_000;
    let dropped = Dropped { messages: 4, media: FRAME * 4 };
    assert_eq!(out.flush(), Flushed::Empty(dropped));
    // The frame that makes the queue too long is in it for a moment.
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

/// Nothing would bring the rest out: epoll has nothing to say about a socket that is not full.
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
