//! What waits to be played on one call, in order: media, and the events that stand between it.
//!
//! Media is kept in the pieces that messages left and cut into frames when it is read: a message costs one
//! entry, and no byte is copied. Lengths are frames, as in the protocol. Used under the session's lock.

use std::collections::VecDeque;

use bytes::Bytes;

use super::clock::MonoTime;
use super::event::Event;
use super::pacing::Pace;

/// Levels of the flow control, in frames. The caller checks that they make sense: 0 < xon <= xoff <= max.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueLimits {
    /// With this many frames waiting a message is dropped.
    pub max: usize,
    /// Reaching this many sends MEDIA_XOFF.
    pub xoff: usize,
    /// Falling below this many sends MEDIA_XON.
    pub xon: usize,
}

impl Default for QueueLimits {
    /// The C module's: 1000, 900, 800.
    fn default() -> Self {
        Self { max: 1000, xoff: 900, xon: 800 }
    }
}

/// With this much media waiting a message is dropped, however few frames it is: passthrough frames may have
/// any size. More than the C module can ever hold (1000 messages of 65,500 bytes), so no working app meets
/// it.
pub const MAX_QUEUED_BYTES: usize = 64 << 20;

/// Bounds what events that wait for paused or slow media may hold in memory, and how much there is to send at once when
/// they become due together.
pub const MAX_MARK_BYTES: usize = 1 << 20;

/// Entries whose memory is kept when the queue has run empty.
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

/// What stands first in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Head {
    /// An event, due when everything before it has been played.
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
    /// When its message came.
    pub came: MonoTime,
}

#[derive(Debug)]
enum Item {
    /// `bytes` is never empty and is cut into frames of `frame_len`, the last one as short as it comes.
    Media {
        bytes: Bytes,
        frame_len: usize,
        pace: Pace,
        came: MonoTime,
    },
    Mark(Event),
}

/// The queue of one call with its flow-control state.
#[derive(Debug)]
pub struct FrameQueue {
    items: VecDeque<Item>,
    frames: usize,
    media_bytes: usize,
    mark_bytes: usize,
    limits: QueueLimits,
    xoff_sent: bool,
    high_water: usize,
}

impl FrameQueue {
    /// An empty queue.
    pub fn new(limits: QueueLimits) -> Self {
        Self {
            items: VecDeque::new(),
            frames: 0,
            media_bytes: 0,
            mark_bytes: 0,
            limits,
            xoff_sent: false,
            high_water: 0,
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

    /// Whether a message has to be dropped. One that is taken is taken whole, however long.
    pub fn refuses_media(&self) -> bool {
        self.frames >= self.limits.max || self.media_bytes >= MAX_QUEUED_BYTES
    }

    /// The levels.
    pub fn limits(&self) -> QueueLimits {
        self.limits
    }

    /// What stands first.
    pub fn head(&self) -> Option<Head> {
        self.items.front().map(|item| match item {
            Item::Media { pace, .. } => Head::Frame(*pace),
            Item::Mark(_) => Head::Mark,
        })
    }

    /// Adds media that is to be cut into frames of `frame_len` bytes (0: all of it is one frame) and returns
    /// how many these are. Takes no notice of the maximum, see [`Self::refuses_media`].
    pub fn push_media(
        &mut self,
        bytes: Bytes,
        frame_len: usize,
        pace: Pace,
        came: MonoTime,
    ) -> (usize, Option<Flow>) {
        if bytes.is_empty() {
            return (0, None);
        }
        let frame_len = if frame_len == 0 { bytes.len() } else { frame_len };
        let frames = bytes.len().div_ceil(frame_len);
        self.frames += frames;
        self.media_bytes += bytes.len();
        self.high_water = self.high_water.max(self.frames);
        self.items.push_back(Item::Media { bytes, frame_len, pace, came });
        let flow = (!self.xoff_sent && self.frames >= self.limits.xoff).then(|| {
            self.xoff_sent = true;
            Flow::Xoff
        });
        (frames, flow)
    }

    /// Adds an event that is due when everything queued so far has been played.
    ///
    /// # Errors
    /// Too many wait; the event is dropped.
    ///
    /// DIVERGES: the C module keeps any number, so that an app can fill Asterisk's memory with them.
    pub fn push_mark(&mut self, event: Event) -> Result<(), TooManyMarks> {
        let cost = mark_cost(&event);
        if self.mark_bytes.saturating_add(cost) > MAX_MARK_BYTES {
            return Err(TooManyMarks);
        }
        self.mark_bytes += cost;
        self.items.push_back(Item::Mark(event));
        Ok(())
    }

    /// Takes the event that stands first, if one does.
    pub fn pop_mark(&mut self) -> Option<Event> {
        if !matches!(self.items.front(), Some(Item::Mark(_))) {
            return None;
        }
        match self.items.pop_front() {
            Some(Item::Mark(event)) => {
                self.mark_bytes = self.mark_bytes.saturating_sub(mark_cost(&event));
                self.release_memory();
                Some(event)
            }
            _ => None,
        }
    }

    /// Takes the frame that stands first, if one does.
    pub fn pop_frame(&mut self) -> Option<(QueuedFrame, Option<Flow>)> {
        let Some(Item::Media { bytes, frame_len, pace, came }) = self.items.front_mut() else {
            return None;
        };
        let (pace, came) = (*pace, *came);
        let payload = if bytes.len() > *frame_len {
            bytes.split_to(*frame_len)
        } else {
            let last = std::mem::take(bytes);
            self.items.pop_front();
            self.release_memory();
            last
        };
        self.frames = self.frames.saturating_sub(1);
        self.media_bytes = self.media_bytes.saturating_sub(payload.len());
        Some((QueuedFrame { payload, pace, came }, self.check_xon()))
    }

    /// Drops everything. Returns how many frames that were.
    pub fn clear(&mut self) -> (usize, Option<Flow>) {
        let dropped = std::mem::take(&mut self.frames);
        self.items.clear();
        self.media_bytes = 0;
        self.mark_bytes = 0;
        self.release_memory();
        (dropped, self.check_xon())
    }

    fn check_xon(&mut self) -> Option<Flow> {
        (self.xoff_sent && self.frames < self.limits.xon.max(1)).then(|| {
            self.xoff_sent = false;
            Flow::Xon
        })
    }

    /// A burst of messages must not cost a long call its memory for good.
    fn release_memory(&mut self) {
        if self.items.is_empty() && self.items.capacity() > KEPT_ENTRIES {
            self.items = VecDeque::new();
        }
    }
}

/// What a waiting event costs in memory, bytes.
fn mark_cost(event: &Event) -> usize {
    let text = match event {
        Event::MediaBufferingCompleted { correlation_id } | Event::MediaMarkProcessed { correlation_id } => {
            correlation_id.as_ref().map_or(0, String::len)
        }
        Event::Error { error_text } => error_text.len(),
        _ => 0,
    };
    size_of::<Item>() + text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMITS: QueueLimits = QueueLimits { max: 10, xoff: 9, xon: 8 };
    const NOW: MonoTime = MonoTime::from_nanos(0);

    fn frames(count: usize) -> Bytes {
        Bytes::from(vec![7; count * 4])
    }

    fn push(queue: &mut FrameQueue, count: usize) -> Option<Flow> {
        let (pushed, flow) = queue.push_media(frames(count), 4, Pace::Live, NOW);
        assert_eq!(pushed, count);
        flow
    }

    fn mark(id: &str) -> Event {
        Event::MediaMarkProcessed { correlation_id: Some(id.to_owned()) }
    }

    #[test]
    fn the_default_levels_are_the_c_modules() {
        assert_eq!(QueueLimits::default(), QueueLimits { max: 1000, xoff: 900, xon: 800 });
    }

    #[test]
    fn a_message_is_one_entry_and_is_not_copied() {
        let message = Bytes::from((0..=99).collect::<Vec<u8>>());
        let mut queue = FrameQueue::new(LIMITS);
        assert_eq!(queue.push_media(message.clone(), 16, Pace::Bulk, NOW), (7, None));
        assert_eq!((queue.items.len(), queue.len_frames(), queue.media_bytes()), (1, 7, 100));
        for n in 0..7 {
            let (frame, _) = queue.pop_frame().unwrap();
            assert_eq!(frame.payload, message.slice(n * 16..(n * 16 + 16).min(100)), "frame {n}");
            assert_eq!(frame.payload.as_ptr(), message[n * 16..].as_ptr(), "frame {n}");
            assert_eq!(frame.pace, Pace::Bulk);
        }
        assert!(queue.is_empty());
        assert_eq!((queue.len_frames(), queue.media_bytes(), queue.high_water_frames()), (0, 0, 7));
    }

    #[test]
    fn odd_pieces() {
        let mut queue = FrameQueue::new(LIMITS);
        assert_eq!(queue.push_media(Bytes::new(), 4, Pace::Live, NOW), (0, None));
        assert!(queue.is_empty());
        assert_eq!(queue.push_media(frames(3), 0, Pace::Live, NOW), (1, None), "all of it is one frame");
        assert_eq!(queue.push_media(frames(1), 1000, Pace::Live, NOW), (1, None), "shorter than a frame");
        assert_eq!(queue.pop_frame().unwrap().0.payload.len(), 12);
        assert_eq!(queue.pop_frame().unwrap().0.payload.len(), 4);
        assert_eq!(queue.pop_frame(), None);
        assert_eq!(queue.pop_mark(), None);
        assert_eq!(queue.clear(), (0, None));
    }

    #[test]
    fn xoff_and_xon_are_said_once() {
        let mut queue = FrameQueue::new(LIMITS);
        assert_eq!(push(&mut queue, 8), None);
        assert_eq!(push(&mut queue, 1), Some(Flow::Xoff));
        assert!(queue.is_full() && !queue.refuses_media());
        assert_eq!(push(&mut queue, 1), None, "said already");
        assert!(queue.refuses_media());
        let flows: Vec<_> = (0..5).map(|_| queue.pop_frame().unwrap().1).collect();
        assert_eq!(flows, [None, None, Some(Flow::Xon), None, None]);
        assert_eq!(push(&mut queue, 3), None, "back at 8");
        assert_eq!(push(&mut queue, 30), Some(Flow::Xoff), "a message may overshoot");
        assert_eq!(queue.clear(), (38, Some(Flow::Xon)));
        assert_eq!(queue.clear(), (0, None));
        assert_eq!(queue.high_water_frames(), 38);
    }

    #[test]
    fn marks_are_not_frames_and_keep_their_place() {
        let mut queue = FrameQueue::new(LIMITS);
        queue.push_mark(mark("a")).unwrap();
        push(&mut queue, 2);
        queue.push_mark(mark("b")).unwrap();
        queue.push_mark(mark("c")).unwrap();
        assert_eq!(queue.len_frames(), 2);
        assert_eq!((queue.head(), queue.pop_frame()), (Some(Head::Mark), None));
        assert_eq!(queue.pop_mark(), Some(mark("a")));
        assert_eq!((queue.head(), queue.pop_mark()), (Some(Head::Frame(Pace::Live)), None));
        assert!(queue.pop_frame().is_some() && queue.pop_frame().is_some());
        assert_eq!(queue.len_frames(), 0);
        assert!(!queue.is_empty());
        assert_eq!(queue.pop_mark(), Some(mark("b")));
        assert_eq!(queue.clear(), (0, None));
        assert!(queue.is_empty());
    }

    #[test]
    fn memory_is_bounded() {
        let mut queue = FrameQueue::new(QueueLimits::default());
        let id = "x".repeat(60_000);
        let kept = (0..1000).take_while(|_| queue.push_mark(mark(&id)).is_ok()).count();
        assert_eq!(kept, MAX_MARK_BYTES / (60_000 + size_of::<Item>()));
        assert_eq!(queue.push_mark(mark(&id)), Err(TooManyMarks));
        queue.pop_mark().unwrap();
        queue.push_mark(mark(&id)).unwrap();
        queue.clear();
        queue.push_mark(mark(&id)).unwrap();

        let huge = Bytes::from(vec![0; 1 << 20]);
        let kept = (0..1000).take_while(|_| {
            let refused = queue.refuses_media();
            queue.push_media(huge.clone(), 0, Pace::Live, NOW);
            !refused
        });
        assert_eq!(kept.count(), 64);
    }

    #[test]
    fn a_burst_does_not_keep_its_memory() {
        let mut queue = FrameQueue::new(QueueLimits::default());
        (0..3000).for_each(|n| queue.push_mark(mark(&n.to_string())).unwrap());
        while queue.pop_mark().is_some() {}
        assert_eq!(queue.items.capacity(), 0);
        (0..10).for_each(|_| _ = push(&mut queue, 1));
        while queue.pop_frame().is_some() {}
        assert!(queue.items.capacity() > 0, "but a usual one does");
    }

    proptest! {
        #[test]
        fn counts_hold_and_flow_control_alternates(
            ops in prop::collection::vec((0..6_u8, 1_usize..12, 1_usize..9), 1..300),
        ) {
            let mut queue = FrameQueue::new(LIMITS);
            // Frames by length, `None` a mark.
            let mut model: VecDeque<Option<usize>> = VecDeque::new();
            let mut said = vec![Flow::Xon];
            for (op, a, b) in ops {
                let flow = match op {
                    0 | 1 if queue.refuses_media() => None,
                    0 | 1 => {
                        let (count, flow) = queue.push_media(Bytes::from(vec![0; a * 3]), b, Pace::Live, NOW);
                        let lens = vec![0; a * 3].chunks(b).map(|c: &[u8]| Some(c.len())).collect::<Vec<_>>();
                        prop_assert_eq!(count, lens.len());
                        model.extend(lens);
                        flow
                    }
                    2 => {
                        queue.push_mark(mark("")).unwrap();
                        model.push_back(None);
                        None
                    }
                    3 if a == 1 => {
                        model.clear();
                        queue.clear().1
                    }
                    _ => match queue.head() {
                        Some(Head::Mark) => {
                            prop_assert!(queue.pop_mark().is_some());
                            prop_assert_eq!(model.pop_front(), Some(None));
                            None
                        }
                        Some(Head::Frame(_)) => {
                            let (frame, flow) = queue.pop_frame().unwrap();
                            prop_assert_eq!(model.pop_front(), Some(Some(frame.payload.len())));
                            flow
                        }
                        None => {
                            prop_assert!(model.is_empty());
                            None
                        }
                    },
                };
                let len = model.iter().flatten().count();
                prop_assert_eq!(queue.len_frames(), len);
                prop_assert_eq!(queue.media_bytes(), model.iter().flatten().sum::<usize>());
                prop_assert_eq!(queue.is_empty(), model.is_empty());
                if let Some(flow) = flow {
                    prop_assert_ne!(said.last(), Some(&flow));
                    prop_assert!((flow == Flow::Xoff) == (len >= LIMITS.xoff));
                    prop_assert!((flow == Flow::Xon) == (len < LIMITS.xon));
                    said.push(flow);
                }
                prop_assert_eq!(queue.is_full(), said.last() == Some(&Flow::Xoff));
                prop_assert!(queue.is_full() || len < LIMITS.xoff);
                prop_assert!(!queue.is_full() || len >= LIMITS.xon);
            }
        }
    }
}
