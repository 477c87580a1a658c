//! A telephone, so to speak: hears RTP and notes when each frame came, and with which timestamp.

use std::collections::HashMap;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::Result;
use crate::clock;
use crate::generator::pattern::Stamp;
use crate::generator::speech::PTIME;
use crate::generator::stats::Point;

/// An RTP header without extras (RFC 3550 section 5.1); Asterisk sends no others here.
const HEADER_BYTES: usize = 12;

/// Timestamps per millisecond of ulaw.
const TICKS_PER_MS: f64 = 8.0;

/// One packet.
#[derive(Debug, Clone, Copy)]
struct Packet {
    at: u64,
    stamp: Stamp,
    timestamp: u32,
}

/// One call as the telephone heard it.
#[derive(Debug, Default)]
pub(super) struct Heard(Vec<Packet>);

impl Heard {
    /// The course of its delays.
    pub(super) fn course(&self) -> Vec<Point> {
        let point =
            |packet: &Packet| Point { at: packet.at, latency: packet.at.saturating_sub(packet.stamp.sent) };
        self.0.iter().map(point).collect()
    }

    /// How far the timestamps have moved away from the frames' numbers between the first and the last packet. A
    /// telephone plays by timestamps: by so much its jitter buffer is fuller or emptier.
    pub(super) fn timestamp_shift_ms(&self) -> Option<f64> {
        let (first, last) = (self.0.first()?, self.0.last()?);
        let timestamps = f64::from(last.timestamp.wrapping_sub(first.timestamp)) / TICKS_PER_MS;
        let frames = f64::from(last.stamp.sequence.wrapping_sub(first.stamp.sequence));
        Some(timestamps - frames * PTIME.as_secs_f64() * 1e3)
    }
}

/// The telephone. It ends when it hangs up or is dropped.
#[derive(Debug)]
pub(super) struct Phone {
    ending: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<Vec<Heard>>>>,
}

impl Phone {
    /// Begins to hear what comes to `socket`.
    pub(super) fn listen(socket: UdpSocket) -> Result<Self> {
        socket.set_read_timeout(Some(Duration::from_millis(100)))?;
        let ending = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&ending);
        let thread = thread::Builder::new().name("phone".into()).spawn(move || hear(&socket, &ended))?;
        Ok(Self { ending, thread: Some(thread) })
    }

    /// Gives what was heard, by call.
    pub(super) fn hang_up(mut self) -> Result<Vec<Heard>> {
        self.ending.store(true, Ordering::Relaxed);
        let thread = self.thread.take().ok_or("hung up already")?;
        thread.join().map_err(|_| "the telephone panicked")?
    }
}

impl Drop for Phone {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn hear(socket: &UdpSocket, ended: &AtomicBool) -> Result<Vec<Heard>> {
    let mut calls: HashMap<u32, Heard> = HashMap::new();
    let mut buffer = [0; 2048];
    // What was sent before anybody listened waits in the socket and says nothing.
    let began = clock::now();
    while !ended.load(Ordering::Relaxed) {
        let Ok(length) = socket.recv(&mut buffer) else { continue };
        let at = clock::now();
        let packet = buffer.get(..length).unwrap_or_default();
        let Some((header, payload)) = packet.split_first_chunk::<HEADER_BYTES>() else { continue };
        let [_, _, _, _, timestamp @ .., _, _, _, _] = *header;
        let Some(stamp) = Stamp::read(payload).filter(|stamp| stamp.sent > began) else { continue };
        let packet = Packet { at, stamp, timestamp: u32::from_be_bytes(timestamp) };
        calls.entry(stamp.source).or_default().0.push(packet);
    }
    Ok(calls.into_values().collect())
}
