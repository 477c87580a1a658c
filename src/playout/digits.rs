//! Digits that the application presses (SEND_DTMF): when each begins and ends.
//!
//! Only arithmetic and the queue live here. The core is given a digit's begin and its end when they are due, and never an end
//! alone: that it would hold for the digit's whole length, and nothing could stop it. A digit's end is due by the time at which
//! its begin was read, and the next begin by the time at which that end was read, so a late read makes no digit and no pause
//! shorter.

use std::collections::VecDeque;
use std::time::Duration;

use crate::mono_time::MonoTime;
use crate::protocol::command::{MAX_DIGITS, SendDtmf};
use crate::protocol::event::{DtmfSent, DtmfStopped, whole_ms};

/// The shortest digit of an Asterisk whose asterisk.conf says nothing of `mindtmfduration`
/// (AST_MIN_DTMF_DURATION in asterisk/options.h).
pub const DEFAULT_SHORTEST_DIGIT: Duration = Duration::from_millis(80);

/// The core ignores a begin that comes sooner after the digit before (AST_MIN_DTMF_GAP in main/channel.c).
const SHORTEST_PAUSE: Duration = Duration::from_millis(45);

/// The core looks at the wall clock, some time after us, and in whole milliseconds. The shortest digits and pauses get that
/// much more.
const MARGIN: Duration = Duration::from_millis(5);

/// How long a `w` waits.
const WAIT: Duration = Duration::from_millis(500);

/// A digit event for the core.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DigitFrame {
    /// `0`-`9`, `A`-`D`, `*` or `#` begins.
    Begin(char),
    /// It ends.
    End {
        /// Which.
        digit: char,
        /// What the core is to take it to have lasted.
        length: Duration,
        /// How long after its begin it was read.
        lasted: Duration,
    },
}

/// Commands, their digits, and the digit that is just being sent.
#[derive(Debug, Clone)]
pub struct Digits {
    /// No digit is shorter for the core.
    shortest: Duration,
    presses: VecDeque<Press>,
    /// Digits and waits of all presses.
    waiting: usize,
    sounding: Option<Sounding>,
    /// No digit begins, and no wait is over, before this.
    free_at: MonoTime,
    /// Answers that are given when the digit has ended that a stop has cut short.
    cut_short: Vec<DtmfSent>,
}

/// What is left of one command.
#[derive(Debug, Clone)]
struct Press {
    correlation_id: Option<String>,
    left: VecDeque<char>,
    duration: Duration,
    pause: Duration,
    /// Digits that have begun.
    sent: usize,
}

/// A digit that has begun and has not ended.
#[derive(Debug, Clone, Copy)]
struct Sounding {
    digit: char,
    begun: MonoTime,
    end: MonoTime,
    length: Duration,
    pause: Duration,
}

impl Digits {
    /// Nothing waits. The core takes no digit to be shorter than `shortest`.
    pub fn new(shortest: Duration) -> Self {
        Self {
            shortest,
            presses: VecDeque::new(),
            waiting: 0,
            sounding: None,
            free_at: MonoTime::default(),
            cut_short: Vec::new(),
        }
    }

    /// Whether a digit has begun and has not ended.
    pub fn is_sounding(&self) -> bool {
        self.sounding.is_some()
    }

    /// Queues what a command asks for, which is not empty.
    ///
    /// # Errors
    /// How many would wait, where that is more than [`MAX_DIGITS`].
    pub fn press(&mut self, request: SendDtmf, now: MonoTime) -> Result<(), usize> {
        let waiting = self.waiting + request.digits.len();
        if waiting > MAX_DIGITS {
            return Err(waiting);
        }
        self.waiting = waiting;
        if self.presses.is_empty() {
            self.free_at = self.free_at.max(now);
        }
        self.presses.push_back(Press {
            correlation_id: request.correlation_id,
            left: request.digits.chars().collect(),
            duration: Duration::from_millis(request.duration_ms),
            pause: Duration::from_millis(request.pause_ms),
            sent: 0,
        });
        Ok(())
    }

    /// Discards all that waits, and ends the current digit at once, but not so soon that the core would continue
    /// it. The answers that this gives: those of the commands that are stopped, and that of the stop itself. Where a digit
    /// is being sent they come with its end.
    pub fn stop(&mut self, correlation_id: Option<String>, now: MonoTime) -> Vec<DtmfSent> {
        let (shortest, presses) = (self.shortest + MARGIN, std::mem::take(&mut self.presses));
        self.waiting = 0;
        self.cut_short.extend(presses.into_iter().map(Press::stopped));
        self.cut_short.push(answer(correlation_id, None));
        match &mut self.sounding {
            Some(sounding) => {
                sounding.end = sounding.end.min(now.max(sounding.begun + shortest));
                Vec::new()
            }
            None => std::mem::take(&mut self.cut_short),
        }
    }

    /// Ends everything, the current digit included: gives the answers to all unfinished commands.
    pub fn end(&mut self) -> Vec<DtmfSent> {
        self.sounding = None;
        self.waiting = 0;
        let presses = std::mem::take(&mut self.presses);
        std::mem::take(&mut self.cut_short)
            .into_iter()
            .chain(presses.into_iter().map(Press::stopped))
            .collect()
    }

    /// When there is something to do next, if nothing comes before; `None`: nothing.
    pub fn deadline(&self) -> Option<MonoTime> {
        match self.sounding {
            Some(sounding) => Some(sounding.end),
            None => self.presses.front().map(|_| self.free_at),
        }
    }

    /// What is due at `now`, and the answers that go with it.
    pub fn take(&mut self, now: MonoTime, answers: &mut Vec<DtmfSent>) -> Option<DigitFrame> {
        if let Some(sounding) = self.sounding.take_if(|sounding| sounding.end <= now) {
            return Some(self.end_digit(sounding, now, answers));
        }
        while self.sounding.is_none() && self.free_at <= now {
            let press = self.presses.front_mut()?;
            let Some(digit) = press.left.pop_front() else {
                // It ended with a wait.
                answers.extend(self.presses.pop_front().map(Press::done));
                continue;
            };
            self.waiting = self.waiting.saturating_sub(1);
            if digit == 'w' {
                self.free_at = self.free_at + WAIT;
                continue;
            }
            press.sent += 1;
            let length = press.duration.max(self.shortest);
            let end = now + length.max(self.shortest + MARGIN);
            self.sounding = Some(Sounding { digit, begun: now, end, length, pause: press.pause });
            return Some(DigitFrame::Begin(digit));
        }
        None
    }

    fn end_digit(&mut self, sounding: Sounding, now: MonoTime, answers: &mut Vec<DtmfSent>) -> DigitFrame {
        self.free_at = now + sounding.pause.max(SHORTEST_PAUSE + MARGIN);
        if !self.cut_short.is_empty() {
            // Its command is stopped, and what waits now came later.
            answers.append(&mut self.cut_short);
        } else if self.presses.front().is_some_and(|press| press.left.is_empty()) {
            answers.extend(self.presses.pop_front().map(Press::done));
        }
        let Sounding { digit, length, begun, .. } = sounding;
        DigitFrame::End { digit, length, lasted: now.since(begun) }
    }
}

impl DigitFrame {
    /// What the core is told of the digit's length, ms; 0 at its begin.
    pub fn length_ms(self) -> u64 {
        match self {
            Self::Begin(_) => 0,
            Self::End { length, .. } => whole_ms(length),
        }
    }
}

impl Press {
    fn done(self) -> DtmfSent {
        answer(self.correlation_id, None)
    }

    fn stopped(self) -> DtmfSent {
        answer(self.correlation_id, Some(DtmfStopped { cancelled: true, sent: self.sent }))
    }
}

fn answer(correlation_id: Option<String>, stopped: Option<DtmfStopped>) -> DtmfSent {
    DtmfSent { correlation_id: correlation_id.unwrap_or_default(), stopped }
}

#[cfg(test)]
mod tests;
