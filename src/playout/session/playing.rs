//! What goes to the core and when: frames and the marks between them.

use std::time::Duration;

use bytes::Bytes;

use super::{Action, Answering, Session};
use crate::mono_time::MonoTime;
use crate::playout::pacing::Pace;
use crate::playout::queue::Head;
use crate::protocol::event::Event;

/// How long after a stall of the process media may need from the socket to the queue.
const STALL_GRACE: Duration = Duration::from_millis(200);

/// A frame for the core.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaFrame {
    /// Never empty. Shares memory with its message, and has neither headroom nor slack.
    pub payload: Bytes,
    /// Samples per channel; 0 where that is unknown.
    pub samples: u32,
    /// When the schedule has it due, at or before the time of the read. Continuous also where late frames are
    /// caught up with.
    pub due: MonoTime,
    /// The time that it carries for RTP, if it needs one; see [`crate::playout::delivery`].
    pub delivery: Option<MonoTime>,
}

impl Session {
    /// The clock has fired: gives the frame that is due, if any. Called on the channel's thread.
    ///
    /// Called before the deadline, or without one, it does nothing. At most one frame per call.
    pub fn read(&mut self, now: MonoTime, actions: &mut Vec<Action>) -> Option<MediaFrame> {
        if self.clock.deadline.is_none_or(|deadline| now < deadline) {
            return None;
        }
        self.notice_stall(now);
        self.end_rest_in_time(now, actions);
        let frame = self.take_frame(now, actions);
        if let Some((_, pace)) = &frame {
            self.trailing_wake = *pace != Pace::Unpaced;
            self.playable = self.queue.len_frames() > 0;
            // What stands after this frame waits for the next tick, which may be at once: the core gets the
            // frame after the actions have been run.
        } else {
            let ran_dry = std::mem::take(&mut self.trailing_wake) && self.queue.len_frames() == 0;
            if ran_dry {
                self.stats.underruns += 1;
                self.tell_underrun(now, actions);
            }
            self.settle(now, actions);
        }
        let frame = frame.map(|(frame, _)| frame).or_else(|| self.take_fill(now));
        // The tick is used up: the clock has to be set again even where the deadline stays what it is.
        self.clock = self.clock.changed_to(self.wanted_deadline(now));
        frame
    }

    /// The channel is to be answered: media that comes from now on waits for [`Self::answered`]. The thread that waits
    /// for the answer reads the channel and discards media that was faster than the answer.
    pub fn answering(&mut self) {
        if self.answer == Answering::No {
            self.answer = Answering::Due;
        }
    }

    /// The answer stands in the channel's own queue, which is read before us. Called on any thread.
    pub fn answered(&mut self, now: MonoTime, actions: &mut Vec<Action>) {
        self.answer = Answering::Done;
        self.begin_fill(now);
        self.settle(now, actions);
        self.set_clock(now);
    }

    /// Whether media from the app goes to the core now, if there is any.
    pub(super) fn plays(&self) -> bool {
        !self.paused && self.direction.app_sends() && !self.digits.is_sounding()
    }

    /// The frame whose turn it is at `now`, with the events that stand before it as actions.
    fn take_frame(&mut self, now: MonoTime, actions: &mut Vec<Action>) -> Option<(MediaFrame, Pace)> {
        if !self.plays() {
            return None;
        }
        self.send_due_marks(now, actions);
        match self.queue.head()? {
            Head::Frame(_) if self.answer == Answering::Due => return None,
            Head::Frame(Pace::Unpaced) => {}
            Head::Frame(_) if self.schedule.is_reached(now) => {}
            _ => return None,
        }
        let (frame, flow) = self.queue.pop_frame()?;
        let samples = frame.samples.unwrap_or_else(|| self.samples.samples(&frame.payload));
        let duration = frame.duration;
        let slot = self.schedule.take(now, frame.pace, duration);
        self.stats.played(duration, now.since(frame.came), slot.lateness);
        actions.extend(flow.map(|flow| Action::Send(flow.into())));
        self.read_on(actions);
        self.tell_position_if_due(actions);
        let delivery = match frame.pace {
            Pace::Unpaced if !self.schedule.is_filled() => {
                self.deliveries.next_unpaced(now, duration);
                None
            }
            Pace::Live | Pace::Bulk | Pace::Unpaced => self.deliveries.next(now, slot.due, duration),
        };
        Some((MediaFrame { payload: frame.payload, samples, due: slot.due.min(now), delivery }, frame.pace))
    }

    fn send_due_marks(&mut self, now: MonoTime, actions: &mut Vec<Action>) {
        while self.queue.head() == Some(Head::Mark) && self.schedule.is_reached(now) {
            let mark = self.queue.pop_mark().map(|mark| self.mark_told(mark));
            actions.extend(mark.map(Action::Send));
        }
    }

    /// Looks whether the clock's tick is late by a whole frame. Then the process has stood still, the socket was not
    /// read either, and a live stream that was just being played is on its way through it: the queue was not empty
    /// because the app was silent.
    pub(super) fn notice_stall(&mut self, now: MonoTime) {
        let late = |deadline| now.since(deadline) >= self.format.ptime();
        if self.clock.deadline.is_some_and(late) {
            self.stalled_until = Some(now + STALL_GRACE);
        }
    }

    /// After anything has changed: does what can be done at once.
    pub(super) fn settle(&mut self, now: MonoTime, actions: &mut Vec<Action>) {
        let plays = self.plays();
        let playable = plays && self.answer != Answering::Due && self.queue.len_frames() > 0;
        if playable && !self.playable {
            let held_up = self.stalled_until.is_some_and(|until| now < until);
            if !held_up || self.schedule.next_slot().is_none() {
                self.schedule.resume(now);
            }
        }
        self.playable = playable;
        if plays {
            self.send_due_marks(now, actions);
            self.read_on(actions);
        } else {
            self.trailing_wake = false;
            self.stalled_until = None;
        }
        // DIVERGES: the C module looks at the queue at unpaused ticks only, and loses the report after a
        // pause.
        let drained = self.queue.is_empty() && (!plays || self.schedule.is_reached(now));
        if drained && std::mem::take(&mut self.report_queue_drained) {
            actions.push(Action::Send(Event::QueueDrained));
        }
    }
}
