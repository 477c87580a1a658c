//! Media to an application before it is written: its time since the beginning of the stream, and how many frames make
//! one message.

use std::time::Duration;

/// Tolerated jitter of threads. A frame that comes later than this after the end of the frames before it is stamped by
/// the clock.
const TOLERANCE: Duration = Duration::from_millis(100);

/// What is to be sent now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outgoing {
    /// Nothing: the frame waits until a message is full.
    Nothing,
    /// The frame itself, which plays this long after the beginning of the stream.
    Frame(Duration),
    /// The frames of a full message.
    Gathered {
        /// The media; the caller gives the memory [back](OutgoingMedia::keep).
        media: Vec<u8>,
        /// How long they last together.
        duration: Duration,
        /// When the first one plays, since the beginning of the stream.
        at: Duration,
    },
}

/// The media of one call. Called by the thread that writes to the channel.
#[derive(Debug, Clone, Default)]
pub struct OutgoingMedia {
    clock: StreamClock,
    message_bytes: usize,
    gathered: Vec<u8>,
    duration: Duration,
    at: Duration,
}

impl OutgoingMedia {
    /// Gathers frames until a message has `message_bytes` bytes; 0: each frame is a message.
    pub fn new(message_bytes: usize) -> Self {
        Self { message_bytes, ..Self::default() }
    }

    /// Takes a frame of this length that comes `elapsed` after the beginning of the stream.
    pub fn push(&mut self, frame: &[u8], elapsed: Duration, duration: Duration) -> Outgoing {
        let at = self.clock.stamp(elapsed, duration);
        if self.message_bytes == 0 {
            return Outgoing::Frame(at);
        }
        if self.gathered.is_empty() {
            (self.at, self.duration) = (at, Duration::ZERO);
        }
        self.gathered.extend_from_slice(frame);
        self.duration += duration;
        if self.gathered.len() < self.message_bytes {
            return Outgoing::Nothing;
        }
        let media = std::mem::take(&mut self.gathered);
        Outgoing::Gathered { media, duration: self.duration, at: self.at }
    }

    /// Takes back the memory of media that has been sent.
    pub fn keep(&mut self, mut media: Vec<u8>) {
        if self.gathered.is_empty() {
            media.clear();
            self.gathered = media;
        }
    }
}

/// The timestamps of one stream. Each grows by the length of the frame before; if the core sends nothing for a while,
/// the next one skips that time.
#[derive(Debug, Clone, Copy, Default)]
struct StreamClock {
    next: Duration,
}

impl StreamClock {
    /// The next timestamp, which is never earlier than the one before.
    fn stamp(&mut self, elapsed: Duration, frame: Duration) -> Duration {
        let stamp = if elapsed > self.next + TOLERANCE { elapsed } else { self.next };
        self.next = stamp + frame;
        stamp
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_steady_stream_has_steady_timestamps_and_a_gap_is_left_out() {
        let mut media = OutgoingMedia::default();
        for (what, elapsed, at) in [
            ("the first", 3, 0),
            ("early", 15, 20),
            ("late", 75, 40),
            ("in time", 61, 60),
            ("a burst", 61, 80),
            ("at the edge", 200, 100),
            ("after a gap", 1000, 1000),
            ("and on", 1019, 1020),
        ] {
            assert_eq!(media.push(&[0], ms(elapsed), ms(20)), Outgoing::Frame(ms(at)), "{what}");
        }
    }

    #[test]
    fn frames_are_gathered_until_a_message_is_full() {
        let mut media = OutgoingMedia::new(5);
        for round in 0..3 {
            let (first, at) = (round * 60, ms(round * 60));
            assert_eq!(media.push(&[1, 2], ms(first), ms(20)), Outgoing::Nothing);
            assert_eq!(media.push(&[3, 4], ms(first + 20), ms(20)), Outgoing::Nothing);
            let full = media.push(&[5, 6], ms(first + 40), ms(20));
            let Outgoing::Gathered { media: bytes, duration, at: begins } = full else { panic!("{full:?}") };
            assert_eq!((bytes.as_slice(), duration, begins), (&[1, 2, 3, 4, 5, 6][..], ms(60), at));
            media.keep(bytes);
        }
    }
}
