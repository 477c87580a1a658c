//! The times at which an app sends: a frame every 20 ms, constantly or in bursts.

use std::time::Duration;

use super::pattern::FRAME_BYTES;
use crate::clock::nanos;

/// The duration of a frame of media.
pub const PTIME: Duration = Duration::from_millis(20);

/// Alternating speech and silence.
#[derive(Debug, Clone, Copy)]
pub struct Bursts {
    /// How long the app speaks.
    pub speaking: Duration,
    /// How long it is silent afterwards.
    pub silent: Duration,
}

/// A manner of speaking; each app gets its own [`Speech`] from it.
#[derive(Debug, Clone, Copy)]
pub struct Manner {
    /// Bytes in a frame.
    pub frame_bytes: usize,
    /// `None`: without pauses.
    pub bursts: Option<Bursts>,
}

impl Manner {
    /// ulaw, without pauses.
    pub const STEADY: Self = Self { frame_bytes: FRAME_BYTES, bursts: None };
}

/// The schedule of one app.
#[derive(Debug, Clone, Copy)]
pub struct Speech {
    manner: Manner,
    due: u64,
    /// A time at which a burst began.
    origin: u64,
}

impl Speech {
    /// The schedule of the app `id`, which begins now. Apps are spread evenly over the 20 ms, and over the bursts.
    pub fn new(manner: Manner, id: u32, now: u64) -> Self {
        let due = now + spread(id, nanos(PTIME));
        let origin = match manner.bursts {
            None => due,
            // A separate irrational number, so that phase and burst are independent.
            Some(bursts) => {
                due.saturating_sub(part(id, 0.754_877_666, nanos(bursts.speaking + bursts.silent)))
            }
        };
        let mut speech = Self { manner, due, origin };
        speech.due = speech.not_in_silence(due);
        speech
    }

    /// The time at which the next frame is due.
    pub fn due(&self) -> u64 {
        self.due
    }

    /// Bytes in a frame.
    pub fn frame_bytes(&self) -> usize {
        self.manner.frame_bytes
    }

    /// Notes that the frame was sent. Returns the time at which the next one is due.
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

/// The position of number `id` in `whole` when all are spread evenly, however many there are.
pub fn spread(id: u32, whole: u64) -> u64 {
    part(id, 0.618_033_989, whole)
}

fn part(id: u32, step: f64, whole: u64) -> u64 {
    ((f64::from(id) * step).fract() * whole as f64) as u64
}
