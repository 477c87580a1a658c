//! Media in bulk, as a text-to-speech engine delivers it: 18 s at once, in messages that do not match frames.

use std::sync::LazyLock;
use std::time::Duration;

use super::connection::Output;
use super::framing::opcode;
use super::pattern::{FRAME_BYTES, Stamp};
use super::stats::Window;
use crate::clock::{self, nanos};

/// The frames that are sent at once: 18 s.
pub const BULK_FRAMES: u32 = 900;

/// Bytes in a message.
const MESSAGE_BYTES: usize = 1000;

/// What happens to a bulk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is sent to a paused channel, and dropped once all of it is queued: only the reception is measured.
    Dropped,
    /// It is played.
    Played,
}

/// The bulks of one app.
#[derive(Debug, Clone, Copy)]
pub struct Bulk {
    fate: Fate,
    due: u64,
    /// `None`: one bulk only.
    period: Option<Duration>,
    begun: Option<u64>,
}

impl Bulk {
    /// One bulk, which is played.
    pub const ONCE: Self = Self { fate: Fate::Played, due: 0, period: None, begun: None };

    /// Repeated bulks, which are dropped.
    pub fn every(period: Duration) -> Self {
        Self { fate: Fate::Dropped, due: 0, period: Some(period), begun: None }
    }

    /// The same bulks, beginning at `due`.
    pub fn starting(self, due: u64) -> Self {
        Self { due, ..self }
    }

    /// The time at which the next one is due.
    pub fn due(&self) -> u64 {
        self.due
    }

    /// Sends a bulk with frames from number `sequence` on, unless the previous one has not been taken yet. Returns the
    /// time at which the next one is due.
    pub fn advance(
        &mut self,
        sequence: &mut u32,
        source: u32,
        output: &mut Output,
        window: &mut Window,
    ) -> Option<u64> {
        if self.begun.is_some() {
            window.overrun += 1;
        } else {
            self.begun = Some(clock::now());
            self.send(source, *sequence, output);
            *sequence = sequence.wrapping_add(BULK_FRAMES);
        }
        self.due = self.period.map_or(u64::MAX, |period| self.due + nanos(period));
        self.period.is_some().then_some(self.due)
    }

    fn send(&self, source: u32, sequence: u32, output: &mut Output) {
        // The frames of played bulks are checked when they come back; of dropped bulks only the length is known.
        static SAMPLE: LazyLock<Vec<u8>> = LazyLock::new(|| media(0, 0));
        if self.fate == Fate::Dropped {
            output.text("PAUSE_MEDIA");
        }
        output.text("START_MEDIA_BUFFERING");
        let own = if self.fate == Fate::Played { media(source, sequence) } else { Vec::new() };
        let media = if own.is_empty() { &*SAMPLE } else { &own };
        for message in media.chunks(MESSAGE_BYTES) {
            output.message(opcode::BINARY, message);
        }
        output.text("STOP_MEDIA_BUFFERING");
        if self.fate == Fate::Dropped {
            output.text("GET_STATUS");
        }
    }

    /// STATUS has come: everything before it is queued.
    pub fn on_status(&mut self, queued_frames: u64, now: u64, output: &mut Output, window: &mut Window) {
        if self.fate != Fate::Dropped {
            return;
        }
        if let Some(begun) = self.begun.take() {
            window.ingest.record(now.saturating_sub(begun));
            window.ingested += queued_frames;
            output.text("FLUSH_MEDIA");
        }
    }
}

fn media(source: u32, sequence: u32) -> Vec<u8> {
    let mut media = Vec::with_capacity(BULK_FRAMES as usize * FRAME_BYTES);
    for number in 0..BULK_FRAMES {
        Stamp { source, sequence: sequence.wrapping_add(number), sent: 0 }.write(&mut media, FRAME_BYTES);
    }
    media
}
