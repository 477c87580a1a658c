//! SEND_DTMF: the channel's clock triggers the begin and the end of digits, as it triggers frames. During a digit no
//! media and no silence is played, because the core would drop it; between digits playout continues.

use super::{Action, Answering, Session};
use crate::mono_time::MonoTime;
use crate::playout::digits::DigitFrame;
use crate::protocol::command::{MAX_DIGITS, RequestError, SendDtmf};
use crate::protocol::event::{AddedEvent, DtmfSent};

impl Session {
    pub(super) fn send_dtmf(&mut self, request: SendDtmf, now: MonoTime, actions: &mut Vec<Action>) {
        let correlation_id = request.correlation_id.clone();
        if request.digits.is_empty() {
            return tell(self.digits.stop(correlation_id, now), actions);
        }
        if let Err(waiting) = self.digits.press(request, now) {
            let why = format!("{waiting} digits would wait; allowed: at most {MAX_DIGITS}");
            self.refuse_request(actions, Box::new(RequestError::new("SEND_DTMF", correlation_id, why)));
        }
    }

    /// Called on the channel's thread when the clock has fired, before [`Self::read`]. Returns the begin or end of a
    /// digit that is due, if any.
    pub fn read_digit(&mut self, now: MonoTime, actions: &mut Vec<Action>) -> Option<DigitFrame> {
        self.digit_deadline().filter(|deadline| *deadline <= now)?;
        let mut answers = Vec::new();
        let frame = self.digits.take(now, &mut answers);
        tell(answers, actions);
        if let Some(DigitFrame::End { lasted, .. }) = frame {
            self.schedule.stand_still(lasted);
        }
        self.settle(now, actions);
        // The tick is used up, as in `read`.
        self.clock = self.clock.changed_to(self.wanted_deadline(now));
        frame
    }

    /// Whether digits of the application wait, or one is being sent.
    pub fn presses_digits(&self) -> bool {
        self.digits.deadline().is_some()
    }

    /// When a digit begins or ends next, unless something changes before. `None` while the channel is being answered,
    /// because the waiting caller would not hear it.
    pub(super) fn digit_deadline(&self) -> Option<MonoTime> {
        self.digits.deadline().filter(|_| self.answer != Answering::Due)
    }

    /// The call is over: no more digits are sent.
    pub(super) fn end_digits(&mut self, actions: &mut Vec<Action>) {
        tell(self.digits.end(), actions);
    }
}

fn tell(answers: Vec<DtmfSent>, actions: &mut Vec<Action>) {
    actions.extend(answers.into_iter().map(|answer| Action::send_added(AddedEvent::DtmfSent(answer))));
}
