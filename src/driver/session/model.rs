//! What a session is to do, told plainly: every effect, frame and deadline is foretold by a model that knows no
//! laziness, no sharing of memory and no schedule to move on, and what must hold for any call is checked beside it.

// It says by a panic what is wrong.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::VecDeque;

use super::fixture::session;
use super::*;

pub(crate) const LIMITS: QueueLimits = QueueLimits { max: 24, xoff: 18, xon: 10 };
const SECOND: u64 = 1_000_000_000;

/// Something that happens on a call.
#[derive(Debug, Clone)]
pub(crate) enum Op {
    Media(usize),
    Start,
    Stop,
    Mark,
    Flush,
    Pause,
    Continue,
    Report,
    Status,
    Direction(MediaDirection),
    /// The channel is read whenever its clock fires, or the given time later, while ms pass.
    Run(u64, u64),
    /// ms pass and nobody reads.
    Stall(u64),
    /// Somebody reads without being asked to.
    Read,
}

#[derive(Debug, Clone, PartialEq)]
enum Entry {
    Frame(Vec<u8>, Pace),
    Mark(Event),
}

/// What a session is to do, told plainly.
struct Model {
    config: SessionConfig,
    entries: VecDeque<Entry>,
    rest: Vec<u8>,
    buffering: bool,
    paused: bool,
    direction: MediaDirection,
    full: bool,
    dropping: bool,
    report: bool,
    /// When the last timed frame is over.
    free_at: u64,
    /// When half of it was over, counted from its read.
    hold: u64,
    /// Since when there has been something to play without a break.
    playable_since: Option<u64>,
    /// What comes before this is late because the process stood still.
    stalled_until: u64,
    anything_read: bool,
    trailing_tick: bool,
    effects: Vec<Effect>,
    // What has become of the frames that came.
    came: u64,
    played: u64,
    flushed: u64,
}

impl Model {
    fn new(config: SessionConfig) -> Self {
        Self {
            direction: config.direction,
            config,
            entries: VecDeque::new(),
            rest: Vec::new(),
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
            trailing_tick: false,
            effects: Vec::new(),
            came: 0,
            played: 0,
            flushed: 0,
        }
    }

    fn frames(&self) -> usize {
        self.entries.iter().filter(|entry| matches!(entry, Entry::Frame(..))).count()
    }

    fn plays(&self) -> bool {
        !self.paused && self.direction != MediaDirection::In
    }

    fn due(&self) -> u64 {
        self.free_at.max(self.playable_since.unwrap_or(0))
    }

    fn slot(&self) -> u64 {
        self.due().max(self.hold)
    }

    fn error(&mut self, error_text: impl Into<String>) {
        self.effects.push(Effect::Send(Event::Error { error_text: error_text.into() }));
    }

    fn add_frame(&mut self, bytes: Vec<u8>, pace: Pace) {
        self.entries.push_back(Entry::Frame(bytes, pace));
        self.came += 1;
    }

    fn check_xoff(&mut self) {
        if !self.full && self.frames() >= LIMITS.xoff {
            self.full = true;
            self.effects.push(Effect::Send(Event::MediaXoff));
        }
    }

    fn check_xon(&mut self) {
        if self.full && self.frames() < LIMITS.xon {
            self.full = false;
            self.effects.push(Effect::Send(Event::MediaXon));
        }
    }

    fn media(&mut self, message: &[u8], now: u64) {
        if message.is_empty() || self.direction == MediaDirection::In {
            return;
        }
        if self.frames() >= LIMITS.max {
            if !self.dropping {
                self.error(format!("Media dropped: the queue is full with {} frames", self.frames()));
            }
            self.dropping = true;
            return;
        }
        self.dropping = false;
        match (self.config.mode, self.buffering) {
            (MediaMode::Passthrough, _) => self.add_frame(message.to_vec(), Pace::Live),
            (MediaMode::Unbuffered, false) => self.add_frame(message.to_vec(), Pace::Unpaced),
            (_, false) => {
                for frame in message.chunks_exact(self.config.format.optimal_frame_size) {
                    self.add_frame(frame.to_vec(), Pace::Live);
                }
            }
            (_, true) => {
                for byte in message {
                    self.rest.push(*byte);
                    if self.rest.len() == self.config.format.optimal_frame_size {
                        let frame = std::mem::take(&mut self.rest);
                        self.add_frame(frame, Pace::Bulk);
                    }
                }
            }
        }
        self.check_xoff();
        self.settle(now);
    }

    fn command(&mut self, op: &Op, name: &str, id: &str, now: u64) {
        let passthrough = self.config.mode == MediaMode::Passthrough;
        let direction_in = self.direction == MediaDirection::In;
        let id = Some(id.to_owned());
        match op {
            Op::Start | Op::Stop | Op::Flush | Op::Pause | Op::Continue | Op::Report | Op::Direction(_)
                if passthrough =>
            {
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
                if !self.rest.is_empty() {
                    let mut last = std::mem::take(&mut self.rest);
                    if let Some(silence) = self.config.format.silence {
                        last.resize(self.config.format.optimal_frame_size, silence);
                    }
                    self.add_frame(last, Pace::Bulk);
                    self.check_xoff();
                }
                self.entries.push_back(Entry::Mark(Event::MediaBufferingCompleted { correlation_id: id }));
            }
            Op::Mark => self.entries.push_back(Entry::Mark(Event::MediaMarkProcessed { correlation_id: id })),
            Op::Flush => {
                self.stalled_until = 0;
                self.free_at = self.free_at.max(now);
                self.flushed += self.frames() as u64;
                self.entries.clear();
                self.rest.clear();
                self.buffering = false;
                self.paused = false;
                self.check_xon();
                if std::mem::take(&mut self.report) {
                    self.effects.push(Effect::Send(Event::QueueDrained));
                }
            }
            Op::Pause => self.paused = true,
            Op::Continue => self.paused = false,
            Op::Report => self.report = true,
            Op::Direction(direction) => self.direction = *direction,
            Op::Status => self.effects.push(Effect::Send(Event::Status(Status {
                queue_length: self.frames(),
                xon_level: LIMITS.xon,
                xoff_level: LIMITS.xoff,
                queue_full: self.full,
                bulk_media: self.buffering,
                media_paused: self.paused,
            }))),
            Op::Media(_) | Op::Run(..) | Op::Stall(_) | Op::Read => unreachable!("not a command"),
        }
        self.settle(now);
    }

    /// The clock should have fired at `deadline`, and nobody has come.
    fn notice_stall(&mut self, deadline: Option<MonoTime>, now: u64) {
        if deadline.is_some_and(|deadline| deadline.as_nanos() + 20_000_000 <= now) {
            self.stalled_until = now + 200_000_000;
        }
    }

    fn settle(&mut self, now: u64) {
        if self.plays() && self.frames() > 0 {
            let since = if now < self.stalled_until { 0 } else { now };
            self.playable_since.get_or_insert(since);
        } else {
            self.playable_since = None;
        }
        if self.plays() {
            self.send_marks(now);
        } else {
            self.trailing_tick = false;
            self.stalled_until = 0;
        }
        let over = !self.plays() || self.slot() <= now;
        if self.report && self.entries.is_empty() && over {
            self.report = false;
            self.effects.push(Effect::Send(Event::QueueDrained));
        }
    }

    fn send_marks(&mut self, now: u64) {
        while let Some(Entry::Mark(event)) = self.entries.front().filter(|_| self.slot() <= now) {
            self.effects.push(Effect::Send(event.clone()));
            self.entries.pop_front();
        }
    }

    /// When the channel has to be read next.
    fn deadline(&self, now: u64) -> Option<u64> {
        match self.entries.front() {
            _ if !self.plays() => None,
            Some(Entry::Frame(_, Pace::Unpaced)) => Some(now),
            Some(_) => Some(self.slot()),
            None => (self.report || self.trailing_tick).then(|| self.slot()),
        }
    }

    /// The deadline has come and the channel is read: payload, pace and due time of the frame.
    fn read(&mut self, now: u64) -> Option<(Vec<u8>, Pace, u64)> {
        self.send_marks(now);
        let Some(Entry::Frame(payload, pace)) = self.entries.pop_front() else {
            self.trailing_tick = false;
            self.settle(now);
            return None;
        };
        self.played += 1;
        let length = self.length(&payload);
        let planned = if self.anything_read { self.due() } else { now };
        self.anything_read = true;
        self.trailing_tick = pace != Pace::Unpaced;
        let behind = now.saturating_sub(planned);
        let due = match pace {
            Pace::Unpaced => now,
            Pace::Live if behind > SECOND => now - SECOND,
            Pace::Bulk if behind >= length => now,
            Pace::Live | Pace::Bulk => planned,
        };
        if pace == Pace::Unpaced {
            self.free_at = planned.max(now);
        } else {
            self.free_at = due + length;
            self.hold = now + length / 2;
        }
        self.check_xon();
        if self.frames() == 0 {
            self.playable_since = None;
        }
        Some((payload, pace, due))
    }

    /// How long a frame lasts, ns.
    fn length(&self, payload: &[u8]) -> u64 {
        if self.config.mode == MediaMode::Passthrough { payload.len() as u64 * 125_000 } else { 20_000_000 }
    }
}

/// A session and its model, and what has been seen of them.
pub(crate) struct Both {
    session: Session,
    model: Model,
    now: u64,
    ids: usize,
    last_id: Option<usize>,
    xoff: bool,
    last_due: u64,
    /// Time of the last read of a timed frame, and its length.
    last_timed: Option<(u64, u64)>,
}

impl Both {
    pub(crate) fn new(config: SessionConfig) -> Self {
        Self {
            session: session(config.clone()),
            model: Model::new(config),
            now: 5 * SECOND,
            ids: 0,
            last_id: None,
            xoff: false,
            last_due: 0,
            last_timed: None,
        }
    }

    fn time(&self) -> MonoTime {
        MonoTime::from_nanos(self.now)
    }

    /// Lets `op` happen to both, and compares.
    pub(crate) fn apply(&mut self, op: &Op) {
        let mut effects = Vec::new();
        let (now, before) = (self.time(), self.session.clock());
        if !matches!(op, Op::Run(..) | Op::Stall(_) | Op::Read) {
            self.model.notice_stall(before.deadline, self.now);
        }
        let name = match op {
            Op::Media(len) => {
                let message: Vec<u8> = (0..*len).map(|n| (n * 7 + self.ids) as u8).collect();
                self.model.media(&message, self.now);
                self.session.on_media(message.into(), now, &mut effects);
                return self.compare(effects, before);
            }
            Op::Run(ms, late) => return self.run(self.now + ms * 1_000_000, *late),
            Op::Stall(ms) => {
                self.now += ms * 1_000_000;
                return;
            }
            Op::Read => return self.read(),
            Op::Start => "START_MEDIA_BUFFERING",
            Op::Stop => "STOP_MEDIA_BUFFERING",
            Op::Mark => "MARK_MEDIA",
            Op::Flush => "FLUSH_MEDIA",
            Op::Pause => "PAUSE_MEDIA",
            Op::Continue => "CONTINUE_MEDIA",
            Op::Report => "REPORT_QUEUE_DRAINED",
            Op::Status => "GET_STATUS",
            Op::Direction(_) => "SET_MEDIA_DIRECTION",
        };
        let direction = if let Op::Direction(direction) = op { direction.as_str() } else { "" };
        self.ids += 1;
        let id = self.ids.to_string();
        self.model.command(op, name, &id, self.now);
        let text = format!(r#"{{"command":"{name}","correlation_id":"{id}","direction":"{direction}"}}"#);
        self.session.on_command(&text, now, &mut effects);
        self.compare(effects, before)
    }

    fn run(&mut self, end: u64, late: u64) {
        for _ in 0..100_000 {
            let Some(deadline) = self.session.clock().deadline.map(MonoTime::as_nanos) else { break };
            if deadline > end {
                break;
            }
            self.now = self.now.max((deadline + late).min(end));
            self.read();
        }
        self.now = self.now.max(end);
    }

    fn read(&mut self) {
        let before = self.session.clock();
        let mut effects = Vec::new();
        let frame = self.session.read(self.time(), &mut effects);
        if before.deadline.is_none_or(|deadline| deadline > self.time()) {
            assert_eq!((frame, effects), (None, vec![]));
            assert_eq!(self.session.clock(), before);
            return;
        }
        assert_eq!(self.session.clock().seq, before.seq + 1);
        self.model.notice_stall(before.deadline, self.now);
        let expected = self.model.read(self.now);
        if let Some((payload, pace, due)) = &expected {
            assert!(*due >= self.last_due && *due <= self.now);
            self.last_due = *due;
            if *pace != Pace::Unpaced {
                if let Some((read, length)) = self.last_timed {
                    assert!(self.now - read >= length / 2, "two frames in {} ns", self.now - read);
                }
                self.last_timed = Some((self.now, self.model.length(payload)));
            }
            if *pace == Pace::Live {
                assert!(self.now - due <= SECOND);
            }
        }
        let frame = frame.map(|frame| (frame.payload.to_vec(), frame.due.as_nanos()));
        assert_eq!(frame, expected.map(|(payload, _, due)| (payload, due)));
        self.compare(effects, before)
    }

    /// The same has happened to both, and what must hold for any call holds.
    fn compare(&mut self, effects: Vec<Effect>, before: ClockSetting) {
        for effect in &effects {
            let Effect::Send(event) = effect else { continue };
            match event {
                Event::MediaXoff | Event::MediaXon => {
                    assert_ne!(self.xoff, *event == Event::MediaXoff, "XOFF and XON alternate");
                    self.xoff = !self.xoff;
                }
                Event::MediaMarkProcessed { correlation_id }
                | Event::MediaBufferingCompleted { correlation_id } => {
                    let id = correlation_id.as_deref().unwrap().parse().unwrap();
                    assert!(self.last_id < Some(id), "marks keep their order");
                    self.last_id = Some(id);
                }
                Event::QueueDrained => assert!(self.session.queue.is_empty()),
                _ => {}
            }
        }
        assert_eq!(effects, std::mem::take(&mut self.model.effects));

        let (stats, status) = (self.session.stats(), self.session.status());
        assert_eq!(
            (stats.frames_in, stats.frames_played, stats.frames_flushed, status.queue_length),
            (self.model.came, self.model.played, self.model.flushed, self.model.frames())
        );
        assert_eq!(stats.frames_in, stats.frames_played + stats.frames_flushed + status.queue_length as u64);
        assert!(status.queue_full == self.xoff);

        let after = self.session.clock();
        assert!(after.deadline == before.deadline || after.seq > before.seq);
        let deadline = after.deadline.map(MonoTime::as_nanos);
        let wanted = self.model.deadline(self.now);
        let reached = |time: Option<u64>| time.is_some_and(|time| time <= self.now);
        assert!(deadline == wanted || reached(deadline) && reached(wanted), "{deadline:?}, not {wanted:?}");
    }

    /// Lets everything that still waits happen.
    pub(crate) fn finish(mut self) {
        self.apply(&Op::Direction(MediaDirection::Both));
        self.apply(&Op::Continue);
        // The longest: 24 passthrough frames of 150 ms after one message more.
        self.run(self.now + 60 * SECOND, 0);
        assert_eq!(self.session.clock().deadline, None, "silence costs nothing");
        assert!(self.session.queue.is_empty(), "nothing is ever left lying");
        assert!(!self.session.report_queue_drained && !self.session.status().queue_full);
    }
}

#[cfg(test)]
mod properties;
