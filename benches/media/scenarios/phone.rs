//! Simple telephones: they send RTP, receive it, and note the arrival time and the timestamp of each frame.

use std::collections::HashMap;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::Result;
use crate::clock;
use crate::generator::pattern::{FRAME_BYTES, Stamp};
use crate::generator::speech::PTIME;
use crate::generator::stats::Point;

/// An RTP header without extensions (RFC 3550 section 5.1); Asterisk sends no others here.
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

/// One call, as the telephone received it.
#[derive(Debug, Default)]
pub(super) struct Heard(Vec<Packet>);

impl Heard {
    /// The delays of its frames.
    pub(super) fn course(&self) -> Vec<Point> {
        let point =
            |packet: &Packet| Point { at: packet.at, latency: packet.at.saturating_sub(packet.stamp.sent) };
        self.0.iter().map(point).collect()
    }

    /// The shift of the timestamps against the frames' numbers between the first and the last packet. A telephone plays
    /// by timestamps, so its jitter buffer fills or empties by this amount.
    pub(super) fn timestamp_shift_ms(&self) -> Option<f64> {
        let (first, last) = (self.0.first()?, self.0.last()?);
        let timestamps = f64::from(last.timestamp.wrapping_sub(first.timestamp)) / TICKS_PER_MS;
        let frames = f64::from(last.stamp.sequence.wrapping_sub(first.stamp.sequence));
        Some(timestamps - frames * PTIME.as_secs_f64() * 1e3)
    }
}

/// Telephones that send a frame every 20 ms to each of these addresses. They end when they are dropped.
#[derive(Debug)]
pub(super) struct Talkers {
    ending: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Talkers {
    /// Begins to send from `socket`.
    pub(super) fn talk(socket: UdpSocket, to: Vec<SocketAddr>) -> Result<Self> {
        let ending = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&ending);
        let thread =
            thread::Builder::new().name("talkers".into()).spawn(move || talk(&socket, &to, &ended))?;
        Ok(Self { ending, thread: Some(thread) })
    }
}

impl Drop for Talkers {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Sends frames; the calls are spread evenly over the 20 ms.
fn talk(socket: &UdpSocket, to: &[SocketAddr], ended: &AtomicBool) -> Result<()> {
    let (begin, mut packet) = (Instant::now(), Vec::new());
    for sequence in 0_u32.. {
        for (source, address) in (0_u32..).zip(to) {
            let phase = PTIME.mul_f64(f64::from(source) / to.len() as f64);
            let due = begin + PTIME * sequence + phase;
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if ended.load(Ordering::Relaxed) {
                return Ok(());
            }
            packet.clear();
            let [_, _, number @ ..] = sequence.to_be_bytes();
            // Version 2, ulaw.
            packet.extend_from_slice(&[0x80, 0]);
            packet.extend_from_slice(&number);
            packet.extend_from_slice(&sequence.wrapping_mul(FRAME_BYTES as u32).to_be_bytes());
            packet.extend_from_slice(&source.to_be_bytes());
            Stamp { source, sequence, sent: clock::now() }.write(&mut packet, FRAME_BYTES);
            socket.send_to(&packet, address)?;
        }
    }
    Ok(())
}

/// A receiving telephone. It ends when it hangs up or is dropped.
#[derive(Debug)]
pub(super) struct Phone {
    ending: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<Vec<Heard>>>>,
}

impl Phone {
    /// Begins to receive on `socket`.
    pub(super) fn listen(socket: UdpSocket) -> Result<Self> {
        socket.set_read_timeout(Some(Duration::from_millis(100)))?;
        let ending = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&ending);
        let thread = thread::Builder::new().name("phone".into()).spawn(move || hear(&socket, &ended))?;
        Ok(Self { ending, thread: Some(thread) })
    }

    /// Returns what was received, by call.
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
    // Packets that arrived before this thread listened wait in the socket, and their times mean nothing.
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
