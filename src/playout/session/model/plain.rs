//! The model of a session, as simple as possible: everything is done at once and copied, and there is no schedule to
//! advance.

use std::collections::VecDeque;

use super::added::Wishes;
use super::cutting::Cutting;
use super::filling::Filling;
use super::{LIMITS, Op, SECOND};
use crate::mono_time::MonoTime;
use crate::playout::pacing::Pace;
use crate::playout::session::{Action, MediaMode, SessionConfig};
use crate::protocol::command::MediaDirection;
use crate::protocol::event::{Event, Status};

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Entry {
    Frame(Vec<u8>, Pace),
    Mark(Event),
}

/// The model of a session.
pub(super) struct Model {
    pub(super) config: SessionConfig,
    pub(super) entries: VecDeque<Entry>,
    pub(super) cutting: Cutting,
    pub(super) buffering: bool,
    pub(super) paused: bool,
    direction: MediaDirection,
    full: bool,
    dropping: bool,
    pub(super) report: bool,
    /// When the last timed frame is over.
    pub(super) free_at: u64,
    /// When half of it was over, counted from its read.
    hold: u64,
    /// Since when there has been something to play without a break.
    pub(super) playable_since: Option<u64>,
    /// Media that comes before this is late because the process stood still.
    pub(super) stalled_until: u64,
    pub(super) anything_read: bool,
    trailing_wake: bool,
    pub(super) filling: Filling,
    pub(super) actions: Vec<Action>,
    // Counters of frames.
    pub(super) came: u64,
    pub(super) played: u64,
    pub(super) flushed: u64,
    pub(super) late: u64,
    /// How long it lasts, ns.
    pub(super) time: Times,
    pub(super) wishes: Wishes,
    /// A flush has discarded ids without an event.
    pub(super) flushed_silently: bool,
}

/// Counters of media, ns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Times {
    pub(super) came: u64,
    pub(super) played: u64,
    pub(super) flushed: u64,
    pub(super) dropped: u64,
    pub(super) late: u64,
}

impl Model {
    pub(super) fn new(config: SessionConfig) -> Self {
        Self {
            direction: config.direction,
            cutting: Cutting::new(&config.format),
            config,
            entries: VecDeque::new(),
            buffering: false,
            paused: false,
            full: false,
            dropping: false,
            report: false,
            free_at: 0,
            hold: 0,
            playable_since: None,
            stalled_until: 0,
            anything_read: false,
            trailing_wake: false,
            filling: Filling::default(),
            actions: Vec::new(),
            came: 0,
            played: 0,
            flushed: 0,
            late: 0,
            time: Times::default(),
            wishes: Wishes::default(),
            flushed_silently: false,
        }
    }

    pub(super) fn frames(&self) -> usize {
        self.entries.iter().filter(|entry| matches!(entry, Entry::Frame(..))).count()
    }

    pub(super) fn plays(&self) -> bool {
        !self.paused && self.direction != MediaDirection::In
    }

    pub(super) fn due(&self) -> u64 {
        self.free_at.max(self.playable_since.unwrap_or(0))
    }

    fn slot(&self) -> u64 {
        self.due().max(self.hold)
    }

    pub(super) fn error(&mut self, error_text: impl Into<String>) {
        self.actions.push(Action::Send(Event::Error { error_text: error_text.into() }));
    }

    fn add_frame(&mut self, bytes: Vec<u8>, pace: Pace) {
        self.time.came += self.media_length(&bytes, pace);
        self.entries.push_back(Entry::Frame(bytes, pace));
        self.came += 1;
    }

    fn add_frames(&mut self, frames: Vec<Vec<u8>>, pace: Pace) {
        for frame in frames {
            self.add_frame(frame, pace);
        }
    }

    /// Queues all whole frames of the bulk, before something that comes after it.
    fn settle_bulk(&mut self) {
        if self.config.mode != MediaMode::Passthrough {
            let frames = self.cutting.settle();
            self.add_frames(frames, Pace::Bulk);
            self.check_xoff();
        }
    }

    pub(super) fn check_xoff(&mut self) {
        if !self.full && self.frames() >= LIMITS.xoff {
            self.full = true;
            self.actions.push(Action::Send(Event::MediaXoff));
        }
    }

    pub(super) fn check_xon(&mut self) {
        if self.full && self.frames() < LIMITS.xon {
            self.full = false;
            self.actions.push(Action::Send(Event::MediaXon));
        }
    }

    pub(super) fn media(&mut self, message: &[u8], now: u64) {
        if message.is_empty() || self.direction == MediaDirection::In {
            return;
        }
        if self.waits().is_none() && self.frames() >= LIMITS.max {
            if !self.dropping {
                self.error(format!("Media dropped: the queue is full with {} frames", self.frames()));
            }
            self.dropping = true;
            self.drop_media(message);
            return;
        }
        self.dropping = false;
        match (self.config.mode, self.buffering) {
            (MediaMode::Passthrough, false) => self.add_frame(message.to_vec(), Pace::Live),
            (MediaMode::Passthrough, true) => self.add_frame(message.to_vec(), Pace::Bulk),
            (MediaMode::Unbuffered, false) => self.add_frame(message.to_vec(), Pace::Unpaced),
            (_, false) => {
                let frames = self.cutting.live(message);
                self.add_frames(frames, Pace::Live);
            }
            (_, true) => {
                let frames = self.cutting.bulk(message);
                self.add_frames(frames, Pace::Bulk);
            }
        }
        self.limit_latency();
        self.check_xoff();
        self.settle(now);
    }

    pub(super) fn command(&mut self, op: &Op, name: &str, id: &str, now: u64) {
        let passthrough = self.config.mode == MediaMode::Passthrough;
        let direction_in = self.direction == MediaDirection::In;
        let given = id;
        let id = Some(id.to_owned());
        match op {
            Op::Direction(_) if passthrough => {
                return self.error(format!("{name} not supported in passthrough mode"));
            }
            Op::Start | Op::Stop | Op::Mark | Op::Pause | Op::Continue if direction_in => {
                return self.error(format!("{name} not supported while media direction is 'in'"));
            }
            Op::Start => {
                if self.buffering {
                    self.error("START_MEDIA_BUFFERING while media is being buffered already");
                }
                self.buffering = true;
            }
            Op::Stop => {
                if !self.buffering {
                    self.error("STOP_MEDIA_BUFFERING without START_MEDIA_BUFFERING");
                }
                self.buffering = false;
                self.settle_bulk();
                let mut last = self.cutting.finish();
                if !last.is_empty() {
                    if let Some(silence) = self.config.format.silence {
                        last.resize(self.config.format.optimal_frame_size, silence);
                    }
                    self.add_frame(last, Pace::Bulk);
                    self.check_xoff();
                }
                self.entries.push_back(Entry::Mark(Event::MediaBufferingCompleted {
                    correlation_id: id,
                    played_ms: None,
                }));
            }
            Op::Mark => {
                self.settle_bulk();
                self.entries.push_back(Entry::Mark(Event::MediaMarkProcessed {
                    correlation_id: id,
                    played_ms: None,
                }));
            }
            Op::Flush(flush) => self.flush(flush, given, now),
            Op::Subscribe(topics, interval_ms) => self.subscribe(*topics, *interval_ms, given),
            Op::Pause => self.paused = true,
            Op::Continue => self.paused = false,
            Op::Report => self.report = true,
            Op::Direction(direction) => self.direction = *direction,
            Op::Status => self.actions.push(Action::Send(Event::Status(Status {
                queue_length: self.frames(),
                xon_level: LIMITS.xon,
                xoff_level: LIMITS.xoff,
                queue_full: self.full,
                bulk_media: self.buffering,
                media_paused: self.paused,
                times: self.status_times(),
            }))),
            Op::Media(_) | Op::Run(..) | Op::Stall(_) | Op::Read | Op::Answered => {
                unreachable!("not a command")
            }
        }
        self.settle(now);
    }

    /// The clock should have fired at `deadline`, and no thread has read.
    pub(super) fn notice_stall(&mut self, deadline: Option<MonoTime>, now: u64) {
        if deadline.is_some_and(|deadline| {
            deadline.as_nanos() + u64::from(self.config.format.ptime_ms) * 1_000_000 <= now
        }) {
            self.stalled_until = now + 200_000_000;
        }
    }

    pub(super) fn settle(&mut self, now: u64) {
        if self.plays() && self.frames() > 0 {
            self.keep_slot(now);
            let keeps = now < self.stalled_until || self.filling.on;
            let since = if keeps { 0 } else { now };
            self.playable_since.get_or_insert(since);
        } else {
            self.playable_since = None;
        }
        if self.plays() {
            self.send_marks(now);
        } else {
            self.trailing_wake = false;
            self.stalled_until = 0;
        }
        let over = !self.plays() || self.slot() <= now;
        if self.report && self.entries.is_empty() && over {
            self.report = false;
            self.actions.push(Action::Send(Event::QueueDrained));
        }
    }

    fn send_marks(&mut self, now: u64) {
        while let Some(Entry::Mark(event)) = self.entries.front().filter(|_| self.slot() <= now) {
            let event = self.mark_told(event.clone());
            self.actions.push(Action::Send(event));
            self.entries.pop_front();
        }
    }

    /// When the channel has to be read next.
    pub(super) fn deadline(&self, now: u64) -> Option<u64> {
        self.media_deadline(now).into_iter().chain(self.fill_deadline()).min()
    }

    fn media_deadline(&self, now: u64) -> Option<u64> {
        match self.entries.front() {
            _ if !self.plays() => None,
            Some(Entry::Frame(_, Pace::Unpaced)) => Some(now),
            Some(_) => Some(self.slot()),
            None => (self.report || self.trailing_wake).then(|| self.slot()),
        }
    }

    /// The deadline has come and the channel is read: payload, pace (none for silence) and due time of the frame.
    pub(super) fn read(&mut self, now: u64) -> Option<(Vec<u8>, Option<Pace>, u64)> {
        if !self.plays() {
            self.settle(now);
            return self.fill(now);
        }
        self.send_marks(now);
        let Some(Entry::Frame(payload, pace)) = self.entries.pop_front() else {
            if std::mem::take(&mut self.trailing_wake) && self.frames() == 0 {
                self.underrun(now);
            }
            self.settle(now);
            return self.fill(now);
        };
        self.played += 1;
        self.time.played += self.media_length(&payload, pace);
        let length = self.length(&payload);
        let planned = if self.anything_read { self.due() } else { now };
        self.anything_read = true;
        self.trailing_wake = pace != Pace::Unpaced;
        let behind = now.saturating_sub(planned);
        let due = match pace {
            _ if self.filling.on => planned.max(now.saturating_sub(SECOND)),
            Pace::Unpaced => now,
            Pace::Live if behind > SECOND => now - SECOND,
            Pace::Bulk if behind >= length => now,
            Pace::Live | Pace::Bulk => planned,
        };
        if self.filling.on {
            self.take_slot(due, now, &payload, pace);
        } else if pace == Pace::Unpaced {
            self.free_at = planned.max(now);
        } else {
            self.free_at = due + length;
            self.take_time(now, length);
        }
        self.check_xon();
        self.position_if_due();
        if self.frames() == 0 {
            self.playable_since = None;
        }
        Some((payload, Some(pace), due.min(now)))
    }

    /// A frame of this length is read now: the next one is not read for half of that length.
    pub(super) fn take_time(&mut self, now: u64, length: u64) {
        self.hold = now + length / 2;
    }

    /// How long a frame lasts, ns.
    pub(super) fn length(&self, payload: &[u8]) -> u64 {
        if self.config.mode == MediaMode::Passthrough && self.config.format.name == "opus" {
            match payload[0] {
                0 => 20_000_000,
                ms => u64::from(ms) * 1_000_000,
            }
        } else if self.config.mode == MediaMode::Passthrough {
            payload.len() as u64 * 125_000
        } else {
            self.cutting.length(payload)
        }
    }
}
