//! What fills no frame, in a dialect whose application sends media in messages of any size: it waits for the next message, and is
//! filled up with silence when nothing can come before it has to be played. Marks after it wait with it: an application that sets one
//! after each of its pieces, whatever their length, is heard without gaps.

use super::{Action, Answering, Session};
use crate::mono_time::MonoTime;
use crate::playout::framing::Cut;
use crate::playout::pacing::Pace;
use crate::protocol::event::Event;

/// Marks that wait after one rest. One more, and the rest is filled up.
const MAX_MARKS: usize = 16;

/// Whether rests wait, and since when the last one does.
#[derive(Debug, Clone, Default)]
pub(super) struct Rests {
    /// Outside bulk media, too.
    pub(super) join: bool,
    /// When the last message with media came.
    pub(super) since: MonoTime,
    /// What stands after the rest.
    marks: Vec<Event>,
}

impl Rests {
    pub(super) fn new(join: bool) -> Self {
        Self { join, ..Self::default() }
    }
}

impl Session {
    /// A mark stands after all that was sent: after the rest, if one waits.
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

    /// The frame with the rest in it is in the queue.
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

    /// When a rest has waited for the length of a frame after all before it was played; `None` if none waits that could be played.
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

    /// Plays a rest for which nothing has come.
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
