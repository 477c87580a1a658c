//! A telephone that sends back what it hears, packet by packet and in the same codec.

use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::super::super::protocol::rtp::Media;

/// What its thread and its owner share.
struct Shared {
    is_over: AtomicBool,
    /// The number of packets so far, by payload type.
    packets: [AtomicUsize; 128],
}

/// The telephone. It ends when it is dropped.
pub(super) struct Echo {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Echo {
    /// Echoes on this socket.
    pub(super) fn at(media: Media) -> Self {
        let packets = std::array::from_fn(|_| AtomicUsize::new(0));
        let shared = Arc::new(Shared { is_over: AtomicBool::new(false), packets });
        let socket = media.into_socket();
        socket.set_read_timeout(Some(Duration::from_millis(100))).expect("timeout");
        let of_thread = Arc::clone(&shared);
        let thread = thread::spawn(move || speak(&socket, &of_thread));
        Self { shared, thread: Some(thread) }
    }

    /// How many packets of this payload type it has received.
    pub(super) fn heard(&self, kind: u8) -> usize {
        self.shared.packets[usize::from(kind)].load(Ordering::Relaxed)
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn speak(socket: &UdpSocket, shared: &Shared) {
    let mut packet = [0; 2048];
    while !shared.is_over.load(Ordering::Relaxed) {
        let Ok((length, from)) = socket.recv_from(&mut packet) else { continue };
        shared.packets[usize::from(packet[1] & 0x7f)].fetch_add(1, Ordering::Relaxed);
        // Its own SSRC.
        packet[8..12].copy_from_slice(b"echo");
        let _ = socket.send_to(&packet[..length], from);
    }
}
