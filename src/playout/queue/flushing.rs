//! Removes media from the queue that is not played.

use std::time::Duration;

use bytes::Bytes;

use super::{Flow, FrameQueue, Item, mark_cost};
use crate::protocol::event::Event;

/// The media and events that were discarded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FlushedMedia {
    /// Frames.
    pub frames: usize,
    /// Their playing time.
    pub media: Duration,
    /// The ids of the MARK_MEDIA among them, in order; "" for one without an id.
    pub marks: Vec<String>,
    /// The same for STOP_MEDIA_BUFFERING.
    pub bulk: Vec<String>,
    /// The level that the queue has crossed.
    pub flow: Option<Flow>,
}

impl FrameQueue {
    /// Discards everything.
    pub fn clear(&mut self) -> FlushedMedia {
        self.flush_from(0)
    }

    /// Discards everything after the first MARK_MEDIA with this id. `None`: no such mark waits, and nothing is
    /// discarded.
    pub fn flush_after_mark(&mut self, id: &str) -> Option<FlushedMedia> {
        let is_it = |item: &Item| {
            matches!(item, Item::Mark(Event::MediaMarkProcessed { correlation_id, .. })
                if correlation_id.as_deref() == Some(id))
        };
        let place = self.items.iter().position(is_it)?;
        Some(self.flush_from(place + 1))
    }

    /// Keeps `kept` of media, rounded up to whole frames, or all if less waits, with the marks up to its end. Discards
    /// everything after them.
    pub fn flush_after_media(&mut self, kept: Duration) -> FlushedMedia {
        let (mut place, mut left) = (0, kept);
        while let Some(item) = self.items.get_mut(place) {
            let Item::Media { bytes, cut, frame, .. } = item else {
                place += 1;
                continue;
            };
            if left.is_zero() {
                break;
            }
            let mut len = 0;
            while !left.is_zero() && len < bytes.len() {
                len += cut.frame_len(bytes.get(len..).unwrap_or_default());
                left = left.saturating_sub(*frame);
            }
            place += 1;
            if len < bytes.len() {
                let rest = bytes.split_off(len);
                let item = item.with_bytes(rest);
                self.items.insert(place, item);
                break;
            }
        }
        self.flush_from(place)
    }

    /// Replaces each waiting piece by other media of the same length.
    pub fn rewrite_media(&mut self, mut rewrite: impl FnMut(&Bytes) -> Bytes) {
        for item in &mut self.items {
            if let Item::Media { bytes, .. } = item {
                *bytes = rewrite(bytes);
            }
        }
    }

    fn flush_from(&mut self, place: usize) -> FlushedMedia {
        let mut flushed = FlushedMedia::default();
        for item in self.items.split_off(place) {
            match item {
                Item::Media { bytes, cut, frame, pace, .. } => {
                    let frames = cut.frames(&bytes);
                    self.remove_media(frames, bytes.len(), frame, pace);
                    flushed.frames += frames;
                    flushed.media += times(frame, frames);
                }
                Item::Mark(event) => {
                    self.mark_bytes = self.mark_bytes.saturating_sub(mark_cost(&event));
                    flushed.keep_id(event);
                }
            }
        }
        self.marks_waiting = self.marks_waiting.saturating_sub(flushed.marks.len());
        self.release_memory();
        self.count_memory();
        flushed.flow = self.check_xon();
        flushed
    }
}

impl FlushedMedia {
    fn keep_id(&mut self, event: Event) {
        match event {
            Event::MediaMarkProcessed { correlation_id, .. } => {
                self.marks.push(correlation_id.unwrap_or_default());
            }
            Event::MediaBufferingCompleted { correlation_id, .. } => {
                self.bulk.push(correlation_id.unwrap_or_default());
            }
            _ => {}
        }
    }
}

/// How long `frames` of this length last.
pub(super) fn times(frame: Duration, frames: usize) -> Duration {
    frame.saturating_mul(u32::try_from(frames).unwrap_or(u32::MAX))
}
