//! Digits that the application presses (SEND_DTMF): when each begins and ends.
//!
//! This file has only the arithmetic and the queue. The core gets a digit's begin and its end when they are due. It
//! never gets an end alone: it would then make up the whole digit, and nothing could stop that. The time of a digit's
//! end is counted from the read of its begin, and that of the next begin from the read of that end, so a late read
//! shortens neither a digit nor a pause.

use std::collections::VecDeque;
use std::time::Duration;

use crate::mono_time::MonoTime;
use crate::protocol::command::{MAX_DIGITS, SendDtmf};
use crate::protocol::event::{DtmfSent, DtmfStopped, whole_ms};

/// The shortest digit of an Asterisk whose asterisk.conf does not set `mindtmfduration`
/// (AST_MIN_DTMF_DURATION in asterisk/options.h).
pub const DEFAULT_SHORTEST_DIGIT: Duration = Duration::from_millis(80);

/// The core ignores a begin that comes sooner after the digit before (AST_MIN_DTMF_GAP in main/channel.c).
const SHORTEST_PAUSE: Duration = Duration::from_millis(45);

/// Added to the shortest digits and pauses, because the core reads the wall clock some time after us, and in whole
/// milliseconds.
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
        /// Which digit.
        digit: char,
        /// The length that is given to the core.
        length: Duration,
        /// The time from the read of its begin to the read of its end.
        lasted: Duration,
    },
}

/// Commands, their digits, and the digit that is just being sent.
#[derive(Debug, Clone)]
pub struct Digits {
    /// The core's shortest digit; it would lengthen a shorter one.
    shortest: Duration,
    presses: VecDeque<Press>,
    /// Digits and waits of all presses.
    waiting: usize,
    sounding: Option<Sounding>,
    /// No digit begins, and no wait is over, before this.
    free_at: MonoTime,
    /// Answers that wait for the end of a digit that a stop has cut short.
    cut_short: Vec<DtmfSent>,
}

/// The unsent rest of one command.
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
    /// An empty queue. `shortest` is the core's shortest digit.
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

    /// Queues the digits of a command, which are not empty.
    ///
    /// # Errors
    /// How many digits would wait, if that is more than [`MAX_DIGITS`].
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

    /// Discards all waiting digits and ends the current one as soon as it has the core's shortest length; the core
    /// would continue a shorter one. Returns the answers of the stopped commands, and that of the stop itself. If a
    /// digit is being sent, they come with its end instead.
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

    /// Ends everything, including the current digit. Returns the answers to all unfinished commands.
    pub fn end(&mut self) -> Vec<DtmfSent> {
        self.sounding = None;
        self.waiting = 0;
        let presses = std::mem::take(&mut self.presses);
        std::mem::take(&mut self.cut_short)
            .into_iter()
            .chain(presses.into_iter().map(Press::stopped))
            .collect()
    }

    /// When the next digit begins or ends, unless something changes before; `None`: no digit waits.
    pub fn deadline(&self) -> Option<MonoTime> {
        match self.sounding {
            Some(sounding) => Some(sounding.end),
            None => self.presses.front().map(|_| self.free_at),
        }
    }

    /// The digit event that is due at `now`; appends the answers that go with it.
    pub fn take(&mut self, now: MonoTime, answers: &mut Vec<DtmfSent>) -> Option<DigitFrame> {
        if let Some(sounding) = self.sounding.take_if(|sounding| sounding.end <= now) {
            return Some(self.end_digit(sounding, now, answers));
        }
        while self.sounding.is_none() && self.free_at <= now {
            let press = self.presses.front_mut()?;
            let Some(digit) = press.left.pop_front() else {
                // The command ended with a wait.
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
            // The digit's command was stopped; the waiting ones came later.
            answers.append(&mut self.cut_short);
        } else if self.presses.front().is_some_and(|press| press.left.is_empty()) {
            answers.extend(self.presses.pop_front().map(Press::done));
        }
        let Sounding { digit, length, begun, .. } = sounding;
        DigitFrame::End { digit, length, lasted: now.since(begun) }
    }
}

impl DigitFrame {
    /// The digit's length for the core, ms; 0 at its begin.
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
