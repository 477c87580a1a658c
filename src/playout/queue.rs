//! The queue of one call's media that waits to be played, and of the events between it.
//!
//! Media is kept in one piece per message and cut into frames when it is read: a message costs one entry, and no byte
//! is copied. Lengths are in frames, as in the protocol. Used under the session's lock.

mod flushing;
mod latency;
mod waiting;

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use self::flushing::times;
use super::framing::Cut;
use super::overflow::{Overflow, Share};
use super::pacing::Pace;
use crate::mono_time::MonoTime;
use crate::protocol::event::Event;

pub use self::flushing::FlushedMedia;
pub use self::latency::DroppedFrames;

/// Levels of the flow control, in frames. The caller checks that 0 < xon <= xoff <= max.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueLimits {
    /// With this many frames waiting a message is dropped, unless the queue drops none.
    pub max: usize,
    /// Reaching this many sends MEDIA_XOFF.
    pub xoff: usize,
    /// Falling below this many sends MEDIA_XON.
    pub xon: usize,
}

impl Default for QueueLimits {
    /// The levels of the C module: 1000, 900, 800.
    fn default() -> Self {
        Self { max: 1000, xoff: 900, xon: 800 }
    }
}

/// With this much media waiting, a message is dropped, however few frames wait, because passthrough frames may have any
/// size. It does not apply to a queue that drops nothing. It is more than the C module can hold (1000 messages of
/// 65,500 bytes), so no working app reaches it.
pub const MAX_QUEUED_BYTES: usize = 64 << 20;

/// The limit of memory for events that wait for paused or slow media, and so for the bytes that are sent when they
/// become due together.
pub const MAX_MARK_BYTES: usize = 1 << 20;

/// The number of entries whose memory an empty queue keeps.
const KEPT_ENTRIES: usize = 1024;

/// The queue has crossed one of its levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// It has become full: the app should stop.
    Xoff,
    /// It has room again.
    Xon,
}

impl From<Flow> for Event {
    fn from(flow: Flow) -> Self {
        match flow {
            Flow::Xoff => Self::MediaXoff,
            Flow::Xon => Self::MediaXon,
        }
    }
}

/// Too many events wait already ([`MAX_MARK_BYTES`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many marks are waiting for media")]
pub struct TooManyMarks;

/// The first entry of the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Head {
    /// An event, which is due when everything before it has been played.
    Mark,
    /// A frame of this pace.
    Frame(Pace),
}

/// A frame taken out of the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedFrame {
    /// Never empty; shares the memory of its message.
    pub payload: Bytes,
    /// How it is timed.
    pub pace: Pace,
    /// When its message arrived.
    pub came: MonoTime,
    /// Its samples, if they were counted when it arrived.
    pub samples: Option<u32>,
    /// How long it lasts.
    pub duration: Duration,
}

#[derive(Debug)]
enum Item {
    /// `bytes` is never empty; its last frame may be short.
    Media {
        bytes: Bytes,
        cut: Cut,
        pace: Pace,
        came: MonoTime,
        /// Samples of all bytes, if they were counted.
        samples: Option<u32>,
        /// How long each of its frames lasts.
        frame: Duration,
    },
    Mark(Event),
}

impl Item {
    /// The same media with other bytes; a mark unchanged.
    fn with_bytes(&self, bytes: Bytes) -> Self {
        match self {
            Self::Media { cut, pace, came, samples, frame, .. } => {
                Self::Media { bytes, cut: *cut, pace: *pace, came: *came, samples: *samples, frame: *frame }
            }
            Self::Mark(event) => Self::Mark(event.clone()),
        }
    }
}

/// The queue of one call with its flow-control state.
#[derive(Debug)]
pub struct FrameQueue {
    items: VecDeque<Item>,
    frames: usize,
    media_bytes: usize,
    media: Duration,
    mark_bytes: usize,
    marks_waiting: usize,
    limits: QueueLimits,
    /// Only in a queue that drops nothing.
    share: Option<Share>,
    xoff_sent: bool,
    high_water: usize,
    /// Playing time of the media that is not bulk.
    live: Duration,
    abandoned: bool,
}

impl FrameQueue {
    /// An empty queue.
    pub fn new(limits: QueueLimits, overflow: Overflow) -> Self {
        Self {
            items: VecDeque::new(),
            frames: 0,
            media_bytes: 0,
            media: Duration::ZERO,
            mark_bytes: 0,
            marks_waiting: 0,
            limits,
            share: Share::of(overflow),
            xoff_sent: false,
            high_water: 0,
            live: Duration::ZERO,
            abandoned: false,
        }
    }

    /// Frames that wait; events do not count.
    pub fn len_frames(&self) -> usize {
        self.frames
    }

    /// Bytes of media that wait.
    pub fn media_bytes(&self) -> usize {
        self.media_bytes
    }

    /// Playing time of the waiting media.
    pub fn media(&self) -> Duration {
        self.media
    }

    /// The number of waiting MARK_MEDIA.
    pub fn marks_waiting(&self) -> usize {
        self.marks_waiting
    }

    /// The most frames that ever waited.
    pub fn high_water_frames(&self) -> usize {
        self.high_water
    }

    /// Neither media nor an event waits.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// MEDIA_XOFF was due and MEDIA_XON is not yet.
    pub fn is_full(&self) -> bool {
        self.xoff_sent
    }

    /// Whether the next message has to be dropped. A message is queued whole, however long it is.
    pub fn refuses_media(&self) -> bool {
        self.share.is_none() && (self.frames >= self.limits.max || self.media_bytes >= MAX_QUEUED_BYTES)
    }

    /// The levels.
    pub fn limits(&self) -> QueueLimits {
        self.limits
    }

    /// The first entry.
    pub fn head(&self) -> Option<Head> {
        self.items.front().map(|item| match item {
            Item::Media { pace, .. } => Head::Frame(*pace),
            Item::Mark(_) => Head::Mark,
        })
    }

    /// Adds media that is cut into frames by `cut`, each of which lasts `frame`, and returns their number. Does not
    /// check the maximum: see [`Self::refuses_media`].
    pub fn push_media(
        &mut self,
        bytes: Bytes,
        cut: Cut,
        pace: Pace,
        came: MonoTime,
        frame: Duration,
    ) -> (usize, Option<Flow>) {
        self.push(bytes, cut, pace, came, frame, None)
    }

    /// Adds a message that is one frame; `samples` if they have been counted.
    pub fn push_message(
        &mut self,
        bytes: Bytes,
        samples: Option<u32>,
        pace: Pace,
        came: MonoTime,
        frame: Duration,
    ) -> (usize, Option<Flow>) {
        self.push(bytes, Cut::Whole, pace, came, frame, samples)
    }

    fn push(
        &mut self,
        bytes: Bytes,
        cut: Cut,
        pace: Pace,
        came: MonoTime,
        frame: Duration,
        samples: Option<u32>,
    ) -> (usize, Option<Flow>) {
        if bytes.is_empty() {
            return (0, None);
        }
        let frames = cut.frames(&bytes);
        self.frames += frames;
        self.media_bytes += bytes.len();
        self.media += times(frame, frames);
        if pace != Pace::Bulk {
            self.live += times(frame, frames);
        }
        self.high_water = self.high_water.max(self.frames);
        self.items.push_back(Item::Media { bytes, cut, pace, came, samples, frame });
        self.count_memory();
        let flow = (!self.xoff_sent && self.frames >= self.limits.xoff).then(|| {
            self.xoff_sent = true;
            Flow::Xoff
        });
        (frames, flow)
    }

    /// Adds an event that is due when everything queued so far has been played.
    ///
    /// # Errors
    /// Too many events wait; this one is dropped.
    ///
    /// DIVERGES: the C module keeps any number of events, so an app can fill Asterisk's memory with them.
    pub fn push_mark(&mut self, event: Event) -> Result<(), TooManyMarks> {
        let cost = mark_cost(&event);
        if self.mark_bytes.saturating_add(cost) > MAX_MARK_BYTES {
            return Err(TooManyMarks);
        }
        self.mark_bytes += cost;
        self.marks_waiting += usize::from(is_mark(&event));
        self.items.push_back(Item::Mark(event));
        self.count_memory();
        Ok(())
    }

    /// Removes the first entry if it is an event.
    pub fn pop_mark(&mut self) -> Option<Event> {
        if !matches!(self.items.front(), Some(Item::Mark(_))) {
            return None;
        }
        match self.items.pop_front() {
            Some(Item::Mark(event)) => {
                self.mark_bytes = self.mark_bytes.saturating_sub(mark_cost(&event));
                self.marks_waiting = self.marks_waiting.saturating_sub(usize::from(is_mark(&event)));
                self.release_memory();
                self.count_memory();
                Some(event)
            }
            _ => None,
        }
    }

    /// Removes the first frame if the first entry is media.
    pub fn pop_frame(&mut self) -> Option<(QueuedFrame, Option<Flow>)> {
        let Some(Item::Media { bytes, cut, pace, came, samples, frame }) = self.items.front_mut() else {
            return None;
        };
        let (pace, came, samples, duration) = (*pace, *came, *samples, *frame);
        let frame_len = cut.frame_len(bytes);
        let payload = if bytes.len() > frame_len {
            bytes.split_to(frame_len)
        } else {
            let last = std::mem::take(bytes);
            self.items.pop_front();
            self.release_memory();
            last
        };
        self.remove_media(1, payload.len(), duration, pace);
        self.count_memory();
        Some((QueuedFrame { payload, pace, came, samples, duration }, self.check_xon()))
    }

    /// Counts frames of this length and pace that have been removed.
    fn remove_media(&mut self, frames: usize, len_bytes: usize, frame: Duration, pace: Pace) {
        if pace != Pace::Bulk {
            self.live = self.live.saturating_sub(times(frame, frames));
        }
        self.frames = self.frames.saturating_sub(frames);
        self.media_bytes = self.media_bytes.saturating_sub(len_bytes);
        self.media = self.media.saturating_sub(times(frame, frames));
    }

    fn check_xon(&mut self) -> Option<Flow> {
        (self.xoff_sent && self.is_under_xon()).then(|| {
            self.xoff_sent = false;
            Flow::Xon
        })
    }

    /// Frees the memory of an empty queue, so that one burst of messages does not keep it for a whole call.
    fn release_memory(&mut self) {
        if self.items.is_empty() && self.items.capacity() > KEPT_ENTRIES {
            self.items = VecDeque::new();
        }
    }
}

/// Whether the event answers a MARK_MEDIA.
fn is_mark(event: &Event) -> bool {
    matches!(event, Event::MediaMarkProcessed { .. })
}

/// Memory of a waiting event, bytes.
fn mark_cost(event: &Event) -> usize {
    let text = match event {
        Event::MediaBufferingCompleted { correlation_id, .. }
        | Event::MediaMarkProcessed { correlation_id, .. } => correlation_id.as_ref().map_or(0, String::len),
        Event::Error { error_text } => error_text.len(),
        _ => 0,
    };
    size_of::<Item>() + text
}

#[cfg(test)]
mod tests;
