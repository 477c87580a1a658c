//! Which frame goes to the core and when, and the marks between frames.

use std::time::Duration;

use bytes::Bytes;

use super::{Action, Answering, Session};
use crate::mono_time::MonoTime;
use crate::playout::pacing::Pace;
use crate::playout::queue::Head;
use crate::protocol::event::Event;

/// After a stall of the process, media may need this long from the socket to the queue.
const STALL_GRACE: Duration = Duration::from_millis(200);

/// A frame for the core.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaFrame {
    /// Never empty. Shares memory with its message, and has neither headroom nor slack.
    pub payload: Bytes,
    /// Samples per channel; 0 if unknown.
    pub samples: u32,
    /// When the frame is due by the schedule, at or before the time of the read. Due times stay continuous while late
    /// frames are caught up.
    pub due: MonoTime,
    /// The time that it carries for RTP, if it needs one; see [`crate::playout::delivery`].
    pub delivery: Option<MonoTime>,
}

impl Session {
    /// Called on the channel's thread when the clock has fired. Returns the frame that is due, if any, at most one per
    /// call.
    ///
    /// Before the deadline, or without one, it does nothing.
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
            // Events after this frame wait for the next tick, which may come at once: the core gets the frame only
            // after the actions have been carried out.
        } else {
            let ran_dry = std::mem::take(&mut self.trailing_wake) && self.queue.len_frames() == 0;
            if ran_dry {
                self.stats.underruns += 1;
                self.tell_underrun(now, actions);
            }
            self.settle(now, actions);
        }
        let frame = frame.map(|(frame, _)| frame).or_else(|| self.take_fill(now));
        // The tick is used up: the clock has to be set again even if the deadline does not change.
        self.clock = self.clock.changed_to(self.wanted_deadline(now));
        frame
    }

    /// The channel is being answered: media that comes from now on waits for [`Self::answered`]. The thread that waits
    /// for the answer reads the channel, and discards media that arrives before the answer.
    pub fn answering(&mut self) {
        if self.answer == Answering::No {
            self.answer = Answering::Due;
        }
    }

    /// The answer is in the channel's own queue, which is read before this session. Called on any thread.
    pub fn answered(&mut self, now: MonoTime, actions: &mut Vec<Action>) {
        self.answer = Answering::Done;
        self.begin_fill(now);
        self.settle(now, actions);
        self.set_clock(now);
    }

    /// Whether media from the app may go to the core now.
    pub(super) fn plays(&self) -> bool {
        !self.paused && self.direction.app_sends() && !self.digits.is_sounding()
    }

    /// The frame that is due at `now`; the events before it become actions.
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

    /// Checks whether the clock's tick is late by a whole frame. Then the process has stood still and the socket was
    /// not read either. A live stream that was being played is still in the socket: if the queue is empty, that does
    /// not mean that the app is silent.
    pub(super) fn notice_stall(&mut self, now: MonoTime) {
        let late = |deadline| now.since(deadline) >= self.format.ptime();
        if self.clock.deadline.is_some_and(late) {
            self.stalled_until = Some(now + STALL_GRACE);
        }
    }

    /// Called after any change: does everything that is due at once.
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
        // DIVERGES: the C module checks the queue only at ticks without a pause, and loses the report after a
        // pause.
        let drained = self.queue.is_empty() && (!plays || self.schedule.is_reached(now));
        if drained && std::mem::take(&mut self.report_queue_drained) {
            actions.push(Action::Send(Event::QueueDrained));
        }
    }
}
