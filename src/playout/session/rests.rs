//! Bytes that fill no frame (a rest), in a dialect whose application sends media in messages of any size. A rest waits
//! for the next message; if none comes before it has to be played, it is filled up with silence. Marks after it wait
//! with it, so that an application that sets a mark after each piece of any length is heard without gaps.

use super::{Action, Answering, Session};
use crate::mono_time::MonoTime;
use crate::playout::framing::Cut;
use crate::playout::pacing::Pace;
use crate::protocol::event::Event;

/// The most marks that wait after one rest. With one more, the rest is filled up.
const MAX_MARKS: usize = 16;

/// Whether rests wait, since when, and the marks after them.
#[derive(Debug, Clone, Default)]
pub(super) struct Rests {
    /// Rests wait outside bulk media too.
    pub(super) join: bool,
    /// When the last message with media came.
    pub(super) since: MonoTime,
    /// The marks after the rest.
    marks: Vec<Event>,
}

impl Rests {
    pub(super) fn new(join: bool) -> Self {
        Self { join, ..Self::default() }
    }
}

impl Session {
    /// Queues a mark after all media that was sent: after the rest, if one waits.
    pub(super) fn mark(&mut self, mark: Event, now: MonoTime, actions: &mut Vec<Action>) {
        let joins = self.rests.join && !self.buffering;
        if joins && self.rest_waits() && self.rests.marks.len() < MAX_MARKS {
            self.rests.marks.push(mark);
            return;
        }
        if joins {
            self.end_rest(now, actions);
        }
        self.push_mark("MARK_MEDIA", mark, actions);
    }

    fn rest_waits(&self) -> bool {
        self.reframer.as_ref().is_some_and(|reframer| reframer.rest_bytes() > 0)
    }

    /// Queues the marks after the rest, because the frame with the rest is in the queue now.
    pub(super) fn queue_marks_of_rest(&mut self, actions: &mut Vec<Action>) {
        for mark in std::mem::take(&mut self.rests.marks) {
            self.push_mark("MARK_MEDIA", mark, actions);
        }
    }

    /// The ids of the marks after a rest that is discarded, in their order.
    pub(super) fn forget_marks_of_rest(&mut self) -> impl Iterator<Item = String> + use<> {
        std::mem::take(&mut self.rests.marks).into_iter().filter_map(|mark| match mark {
            Event::MediaMarkProcessed { correlation_id, .. } => Some(correlation_id.unwrap_or_default()),
            _ => None,
        })
    }

    /// When the rest is played: one frame length after all media before it has been played. `None` if no rest waits
    /// that could be played.
    pub(super) fn rest_deadline(&self) -> Option<MonoTime> {
        let waits = self.rests.join
            && !self.buffering
            && self.queue.len_frames() == 0
            && self.plays()
            && self.answer != Answering::Due
            && self.rest_waits();
        let played = self.schedule.next_slot().unwrap_or_default().max(self.rests.since);
        waits.then(|| played + self.format.ptime())
    }

    /// Plays the rest if no message has come for it in time.
    pub(super) fn end_rest_in_time(&mut self, now: MonoTime, actions: &mut Vec<Action>) {
        if self.rest_deadline().is_some_and(|deadline| deadline <= now) {
            self.end_rest(now, actions);
            self.settle(now, actions);
        }
    }

    fn end_rest(&mut self, now: MonoTime, actions: &mut Vec<Action>) {
        let last = self.reframer.as_mut().and_then(|reframer| reframer.finish(self.format.silence));
        if let Some(last) = last {
            self.push_media(last, Cut::Whole, Pace::Live, now, actions);
        }
        self.queue_marks_of_rest(actions);
    }
}
