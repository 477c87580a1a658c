//! Scripts against one session with a simulated clock. Each is compared with a transcript.

mod around;
mod clock;
mod commands;
mod directions;
mod dropping;
mod filling;
mod flooding;
mod flow_control;
mod flushing;
mod framing;
mod marks;
mod pacing;
mod passthrough;
mod pausing;
mod position;
mod pressing;
mod rests;
mod subscribing;
mod unbuffered;

use std::time::Duration;

use bytes::Bytes;

use super::super::digits::DigitFrame;
use super::fixture::{config, format, on_text, session};
use super::*;

/// A call whose channel is read when its clock fires, from 1000 ms on.
struct Call {
    session: Session,
    now: MonoTime,
    transcript: Vec<String>,
    frames: Vec<MediaFrame>,
}

fn ms(ms: u64) -> MonoTime {
    MonoTime::from_nanos(ms * 1_000_000)
}

fn show(time: MonoTime) -> String {
    (time.as_nanos() as f64 / 1e6).to_string()
}

impl Call {
    fn new(config: SessionConfig) -> Self {
        Self { session: session(config), now: ms(1000), transcript: Vec::new(), frames: Vec::new() }
    }

    fn ulaw() -> Self {
        Self::new(config())
    }

    fn mode(mode: MediaMode) -> Self {
        Self::new(SessionConfig { mode, ..config() })
    }

    fn limits(max: usize, xoff: usize, xon: usize) -> Self {
        Self::new(SessionConfig { limits: QueueLimits { max, xoff, xon }, ..config() })
    }

    /// A call on which one frame of live media is just being played, from 1000 to 1020 ms.
    fn playing() -> Self {
        let mut call = Self::ulaw();
        call.media(160).wait(0).expect(&["1000 frame 160"]);
        call
    }

    fn record(&mut self, actions: Vec<Action>) {
        for action in actions {
            let what = match action {
                Action::Send(event) => {
                    event.render(fixture::spelling(self.session.control_message_format()), "1.1")
                }
                action => format!("{action:?}"),
            };
            self.transcript.push(format!("{} {what}", show(self.now)));
        }
    }

    fn bytes(&mut self, message: impl Into<Bytes>) -> &mut Self {
        let mut actions = Vec::new();
        self.session.on_media(message.into(), self.now, &mut actions);
        self.record(actions);
        self
    }

    fn media(&mut self, len: usize) -> &mut Self {
        self.bytes((0..len).map(|n| (n % 251) as u8).collect::<Vec<_>>())
    }

    fn command(&mut self, text: &str) -> &mut Self {
        let mut actions = Vec::new();
        on_text(&mut self.session, text, self.now, &mut actions);
        self.record(actions);
        self
    }

    fn answered(&mut self) -> &mut Self {
        let mut actions = Vec::new();
        self.session.answered(self.now, &mut actions);
        self.record(actions);
        self
    }

    fn direction(&mut self, direction: MediaDirection) -> &mut Self {
        let format = std::mem::replace(&mut self.session.control_message_format, ControlMessageFormat::Json);
        self.command(&format!(r#"{{"command":"SET_MEDIA_DIRECTION","direction":"{}"}}"#, direction.as_str()));
        self.session.control_message_format = format;
        self
    }

    fn read(&mut self) -> &mut Self {
        let mut actions = Vec::new();
        let digit = self.session.read_digit(self.now, &mut actions);
        let frame = match digit {
            Some(_) => None,
            None => self.session.read(self.now, &mut actions),
        };
        match digit {
            Some(DigitFrame::Begin(digit)) => self.transcript.push(format!("{} {digit}", show(self.now))),
            Some(DigitFrame::End { digit, .. }) => {
                self.transcript.push(format!("{} {digit} ends", show(self.now)));
            }
            None => {}
        }
        self.record(actions);
        if let Some(frame) = frame {
            let late =
                if frame.due == self.now { String::new() } else { format!(" due {}", show(frame.due)) };
            self.transcript.push(format!("{} frame {}{late}", show(self.now), frame.payload.len()));
            self.frames.push(frame);
        }
        self
    }

    /// Time passes, and the channel is read whenever the clock fires.
    fn wait(&mut self, milliseconds: u64) -> &mut Self {
        let end = self.now + Duration::from_millis(milliseconds);
        while let Some(deadline) = self.session.clock().deadline.filter(|deadline| *deadline <= end) {
            self.now = self.now.max(deadline);
            self.read();
        }
        self.now = end;
        self
    }

    /// Time passes, and no thread reads the channel.
    fn stall(&mut self, milliseconds: u64) -> &mut Self {
        self.now = self.now + Duration::from_millis(milliseconds);
        self
    }

    /// Takes what has happened since the last call.
    #[track_caller]
    fn expect(&mut self, transcript: &[&str]) -> &mut Self {
        assert_eq!(self.transcript, transcript);
        self.transcript.clear();
        self
    }

    /// Discards what has happened.
    fn skip(&mut self) -> &mut Self {
        self.transcript.clear();
        self
    }

    #[track_caller]
    fn expect_clock(&mut self, deadline: Option<u64>) -> &mut Self {
        assert_eq!(self.session.clock().deadline, deadline.map(ms));
        self
    }

    #[track_caller]
    fn expect_queued(&mut self, frames: usize) -> &mut Self {
        assert_eq!(self.session.status().queue_length, frames);
        self
    }

    fn played(&self) -> Vec<u8> {
        self.frames.iter().flat_map(|frame| frame.payload.to_vec()).collect()
    }
}

fn numbered(len: usize) -> Vec<u8> {
    (0..len).map(|n| (n % 251) as u8).collect()
}
