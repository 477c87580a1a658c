//! When an app speaks: a frame every 20 ms, all the time or in bursts.

use std::time::Duration;

use super::pattern::FRAME_BYTES;
use crate::clock::nanos;

/// A frame of media lasts this long.
pub const PTIME: Duration = Duration::from_millis(20);

/// Speaking and being silent in turns.
#[derive(Debug, Clone, Copy)]
pub struct Bursts {
    /// How long it speaks.
    pub speaking: Duration,
    /// How long it is silent then.
    pub silent: Duration,
}

/// How to speak; each app gets its own [`Speech`] of it.
#[derive(Debug, Clone, Copy)]
pub struct Manner {
    /// Bytes in a frame.
    pub frame_bytes: usize,
    /// `None`: without a pause.
    pub bursts: Option<Bursts>,
}

impl Manner {
    /// ulaw, without a pause.
    pub const STEADY: Self = Self { frame_bytes: FRAME_BYTES, bursts: None };
}

/// One app's schedule.
#[derive(Debug, Clone, Copy)]
pub struct Speech {
    manner: Manner,
    due: u64,
    /// Some time at which a burst began.
    origin: u64,
}

impl Speech {
    /// The schedule of the app `id` that begins now. Apps are spread evenly over the 20 ms, and over the bursts.
    pub fn new(manner: Manner, id: u32, now: u64) -> Self {
        let due = now + spread(id, nanos(PTIME));
        let origin = match manner.bursts {
            None => due,
            // An irrational number of its own, so that phase and burst have nothing to do with each other.
            Some(bursts) => {
                due.saturating_sub(part(id, 0.754_877_666, nanos(bursts.speaking + bursts.silent)))
            }
        };
        let mut speech = Self { manner, due, origin };
        speech.due = speech.not_in_silence(due);
        speech
    }

    /// When the next frame is to be sent.
    pub fn due(&self) -> u64 {
        self.due
    }

    /// Bytes in a frame.
    pub fn frame_bytes(&self) -> usize {
        self.manner.frame_bytes
    }

    /// The frame is sent; returns when the next one is due.
    pub fn advance(&mut self) -> u64 {
        self.due = self.not_in_silence(self.due + nanos(PTIME));
        self.due
    }

    fn not_in_silence(&self, due: u64) -> u64 {
        let Some(bursts) = self.manner.bursts else { return due };
        let cycle = nanos(bursts.speaking + bursts.silent);
        let within = due.saturating_sub(self.origin) % cycle;
        if within < nanos(bursts.speaking) { due } else { due + cycle - within }
    }
}

/// The part of `whole` at which number `id` stands when all are spread evenly, however many there are.
pub fn spread(id: u32, whole: u64) -> u64 {
    part(id, 0.618_033_989, whole)
}

fn part(id: u32, step: f64, whole: u64) -> u64 {
    ((f64::from(id) * step).fract() * whole as f64) as u64
}
