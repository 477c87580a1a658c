//! Drops the oldest live media when too much of it waits.

use std::time::Duration;

use bytes::Buf;

use super::{Flow, FrameQueue, Item};
use crate::playout::pacing::Pace;

/// Frames that were dropped, and their playing time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DroppedFrames {
    /// How many.
    pub frames: usize,
    /// Their playing time.
    pub media: Duration,
}

impl FrameQueue {
    /// Playing time of the live media that waits.
    pub fn live(&self) -> Duration {
        self.live
    }

    /// Drops the oldest live frames until at most `limit` of live media waits; the newest frame stays however long it
    /// is. Events keep their places: an event with no media left before it is due.
    pub fn drop_live_beyond(&mut self, limit: Duration) -> (DroppedFrames, Option<Flow>) {
        let mut dropped = DroppedFrames::default();
        let mut at = 0;
        while self.live > limit {
            let Some(item) = self.items.get_mut(at) else { break };
            let Item::Media { bytes, cut, pace, frame, .. } = item else {
                at += 1;
                continue;
            };
            if *pace == Pace::Bulk {
                at += 1;
                continue;
            }
            if self.live <= *frame {
                break;
            }
            let (pace, frame) = (*pace, *frame);
            let frame_len = cut.frame_len(bytes).min(bytes.len());
            bytes.advance(frame_len);
            let is_used_up = bytes.is_empty();
            dropped.frames += 1;
            dropped.media += frame;
            self.remove_media(1, frame_len, frame, pace);
            if is_used_up {
                self.items.remove(at);
            }
        }
        self.count_memory();
        (dropped, self.check_xon())
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::mono_time::MonoTime;
    use crate::playout::framing::Cut;
    use crate::playout::overflow::Overflow;
    use crate::playout::queue::{Head, QueueLimits};
    use crate::protocol::event::Event;

    const FRAME: Duration = Duration::from_millis(20);

    /// A queue of these: live frames of one byte, bulk ones in capitals, `|` a mark.
    fn queue(content: &str) -> FrameQueue {
        let mut queue = FrameQueue::new(QueueLimits::default(), Overflow::Drop);
        for piece in content.split_inclusive(['|', ' ']) {
            let media = piece.trim_end_matches(['|', ' ']);
            let pace = if media.contains(char::is_uppercase) { Pace::Bulk } else { Pace::Live };
            let bytes = Bytes::copy_from_slice(media.as_bytes());
            queue.push_media(bytes, Cut::every(1), pace, MonoTime::default(), FRAME);
            if piece.ends_with('|') {
                queue.push_mark(Event::QueueDrained).unwrap();
            }
        }
        queue
    }

    fn content(queue: &mut FrameQueue) -> String {
        let mut content = String::new();
        while let Some(head) = queue.head() {
            match head {
                Head::Mark => {
                    queue.pop_mark();
                    content.push('|');
                }
                Head::Frame(_) => content.push(char::from(queue.pop_frame().unwrap().0.payload[0])),
            }
        }
        content
    }

    #[test]
    fn the_oldest_live_frames_go_and_events_stay() {
        for (before, limit, after, dropped) in [
            ("abc", 3, "abc", 0),
            ("abcd", 3, "bcd", 1),
            ("abcdefgh", 3, "fgh", 5),
            ("ab cd ef gh", 3, "fgh", 5),
            ("a|b|c|d|", 2, "||c|d|", 2),
            ("ABCDEFG", 2, "ABCDEFG", 0),
            ("ABC abc", 2, "ABCbc", 1),
            ("ab|ABC|cd|ef", 2, "|ABC||ef", 4),
            ("abc ABC", 0, "cABC", 2),
            ("abc", 0, "c", 2),
            ("a", 0, "a", 0),
            ("", 0, "", 0),
        ] {
            let mut queue = queue(before);
            let frames = queue.len_frames();
            let (got, flow) = queue.drop_live_beyond(FRAME * limit);
            assert_eq!((got.frames, got.media, flow), (dropped, FRAME * dropped as u32, None), "{before}");
            assert_eq!(queue.len_frames(), frames - dropped, "{before}");
            let live = after.chars().filter(char::is_ascii_lowercase).count();
            assert_eq!(queue.live(), FRAME * live as u32, "{before}");
            assert_eq!(content(&mut queue), after, "{before}");
            assert_eq!((queue.live(), queue.media_bytes()), (Duration::ZERO, 0), "{before}");
        }
    }

    #[test]
    fn xon_follows_where_it_is_due() {
        let mut queue = FrameQueue::new(QueueLimits { max: 9, xoff: 6, xon: 4 }, Overflow::Drop);
        let bytes = Bytes::from_static(b"abcdefgh");
        let pushed = queue.push_media(bytes, Cut::every(1), Pace::Live, MonoTime::default(), FRAME);
        assert_eq!(pushed, (8, Some(Flow::Xoff)));
        assert_eq!(queue.drop_live_beyond(FRAME * 4).1, None);
        assert_eq!(queue.drop_live_beyond(FRAME * 3).1, Some(Flow::Xon));
        assert_eq!(queue.clear().frames, 3);
        assert_eq!(queue.live(), Duration::ZERO);
    }
}
