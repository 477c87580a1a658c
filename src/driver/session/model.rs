//! Random calls: every effect, frame and deadline is foretold by a model that knows no laziness, no sharing
//! of memory and no schedule to move on, and what must hold for any call is checked beside it.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::tests::{config, format, session};
use super::*;

const LIMITS: QueueLimits = QueueLimits { max: 24, xoff: 18, xon: 10 };
const SECOND: u64 = 1_000_000_000;

#[derive(Debug, Clone)]
enum Op {
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

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        12 => (0..1200_usize).prop_map(Op::Media),
        4 => Just(160).prop_map(Op::Media),
        3 => Just(Op::Start),
        3 => Just(Op::Stop),
        4 => Just(Op::Mark),
        1 => Just(Op::Flush),
        2 => Just(Op::Pause),
        3 => Just(Op::Continue),
        2 => Just(Op::Report),
        1 => Just(Op::Status),
        1 => prop_oneof![
            Just(MediaDirection::Both),
            Just(MediaDirection::In),
            Just(MediaDirection::Out)
        ].prop_map(Op::Direction),
        12 => (0..200_u64, prop_oneof![3 => Just(0), 1 => 0..15_000_000_u64]).prop_map(|(ms, late)| Op::Run(ms, late)),
        2 => (0..2500_u64).prop_map(Op::Stall),
        2 => (0..30_u64).prop_map(Op::Stall),
        2 => Just(Op::Read),
    ]
}

fn any_config() -> impl Strategy<Value = SessionConfig> {
    let modes = prop_oneof![
        4 => Just(("ulaw", MediaMode::Framed)),
        1 => Just(("gsm", MediaMode::Framed)),
        2 => Just(("ulaw", MediaMode::Passthrough)),
        2 => Just(("ulaw", MediaMode::Unbuffered)),
    ];
    modes.prop_map(|(name, mode)| SessionConfig {
        format: format(name),
        mode,
        limits: LIMITS,
        control_message_format: ControlMessageFormat::Json,
        ..config()
    })
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
struct Both {
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
    fn new(config: SessionConfig) -> Self {
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

    fn apply(&mut self, op: &Op) -> Result<(), TestCaseError> {
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
                return Ok(());
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

    fn run(&mut self, end: u64, late: u64) -> Result<(), TestCaseError> {
        for _ in 0..100_000 {
            let Some(deadline) = self.session.clock().deadline.map(MonoTime::as_nanos) else { break };
            if deadline > end {
                break;
            }
            self.now = self.now.max((deadline + late).min(end));
            self.read()?;
        }
        self.now = self.now.max(end);
        Ok(())
    }

    fn read(&mut self) -> Result<(), TestCaseError> {
        let before = self.session.clock();
        let mut effects = Vec::new();
        let frame = self.session.read(self.time(), &mut effects);
        if before.deadline.is_none_or(|deadline| deadline > self.time()) {
            prop_assert_eq!((frame, effects), (None, vec![]));
            prop_assert_eq!(self.session.clock(), before);
            return Ok(());
        }
        prop_assert_eq!(self.session.clock().seq, before.seq + 1);
        self.model.notice_stall(before.deadline, self.now);
        let expected = self.model.read(self.now);
        if let Some((payload, pace, due)) = &expected {
            prop_assert!(*due >= self.last_due && *due <= self.now);
            self.last_due = *due;
            if *pace != Pace::Unpaced {
                if let Some((read, length)) = self.last_timed {
                    prop_assert!(self.now - read >= length / 2, "two frames in {} ns", self.now - read);
                }
                self.last_timed = Some((self.now, self.model.length(payload)));
            }
            if *pace == Pace::Live {
                prop_assert!(self.now - due <= SECOND);
            }
        }
        let frame = frame.map(|frame| (frame.payload.to_vec(), frame.due.as_nanos()));
        prop_assert_eq!(frame, expected.map(|(payload, _, due)| (payload, due)));
        self.compare(effects, before)
    }

    /// The same has happened to both, and what must hold for any call holds.
    fn compare(&mut self, effects: Vec<Effect>, before: ClockSetting) -> Result<(), TestCaseError> {
        for effect in &effects {
            let Effect::Send(event) = effect else { continue };
            match event {
                Event::MediaXoff | Event::MediaXon => {
                    prop_assert_ne!(self.xoff, *event == Event::MediaXoff, "XOFF and XON alternate");
                    self.xoff = !self.xoff;
                }
                Event::MediaMarkProcessed { correlation_id }
                | Event::MediaBufferingCompleted { correlation_id } => {
                    let id = correlation_id.as_deref().unwrap().parse().unwrap();
                    prop_assert!(self.last_id < Some(id), "marks keep their order");
                    self.last_id = Some(id);
                }
                Event::QueueDrained => prop_assert!(self.session.queue.is_empty()),
                _ => {}
            }
        }
        prop_assert_eq!(effects, std::mem::take(&mut self.model.effects));

        let (stats, status) = (self.session.stats(), self.session.status());
        prop_assert_eq!(
            (stats.frames_in, stats.frames_played, stats.frames_flushed, status.queue_length),
            (self.model.came, self.model.played, self.model.flushed, self.model.frames())
        );
        prop_assert_eq!(
            stats.frames_in,
            stats.frames_played + stats.frames_flushed + status.queue_length as u64
        );
        prop_assert!(status.queue_full == self.xoff);

        let after = self.session.clock();
        prop_assert!(after.deadline == before.deadline || after.seq > before.seq);
        let deadline = after.deadline.map(MonoTime::as_nanos);
        let wanted = self.model.deadline(self.now);
        let reached = |time: Option<u64>| time.is_some_and(|time| time <= self.now);
        prop_assert!(
            deadline == wanted || reached(deadline) && reached(wanted),
            "{deadline:?}, not {wanted:?}"
        );
        Ok(())
    }

    /// Lets everything that still waits happen.
    fn finish(mut self) -> Result<(), TestCaseError> {
        self.apply(&Op::Direction(MediaDirection::Both))?;
        self.apply(&Op::Continue)?;
        // The longest: 24 passthrough frames of 150 ms after one message more.
        self.run(self.now + 60 * SECOND, 0)?;
        prop_assert_eq!(self.session.clock().deadline, None, "silence costs nothing");
        prop_assert!(self.session.queue.is_empty(), "nothing is ever left lying");
        prop_assert!(!self.session.report_queue_drained && !self.session.status().queue_full);
        Ok(())
    }
}

proptest! {
    #[test]
    fn a_session_does_what_its_model_foretells(config in any_config(), ops in prop::collection::vec(op(), 1..150)) {
        let mut both = Both::new(config);
        for op in &ops {
            both.apply(op)?;
        }
        both.finish()?;
    }

    #[test]
    fn any_messages_at_any_time_are_survived(
        config in any_config(),
        json in any::<bool>(),
        steps in prop::collection::vec(
            prop_oneof![
                (any::<u64>(), prop::collection::vec(any::<u8>(), 0..500)).prop_map(|(now, m)| (now, Some(m), None)),
                (any::<u64>(), ".{0,40}").prop_map(|(now, text)| (now, None, Some(text))),
                (any::<u64>(), "(START_MEDIA_BUFFERING|STOP_MEDIA_BUFFERING|MARK_MEDIA|FLUSH_MEDIA|PAUSE_MEDIA|\
                    CONTINUE_MEDIA|REPORT_QUEUE_DRAINED|GET_STATUS|ANSWER|HANGUP)( .{0,5})?")
                    .prop_map(|(now, text)| (now, None, Some(text))),
                any::<u64>().prop_map(|now| (now, None, None)),
            ],
            1..100,
        ),
    ) {
        let control_message_format = if json { ControlMessageFormat::Json } else { ControlMessageFormat::PlainText };
        let mut session = session(SessionConfig { control_message_format, ..config });
        let mut effects = Vec::new();
        for (now, message, text) in steps {
            let now = MonoTime::from_nanos(now);
            if let Some(message) = message {
                session.on_media(message.into(), now, &mut effects);
            } else if let Some(text) = text {
                effects.clear();
                session.on_command(&text, now, &mut effects);
                if effects.contains(&Effect::Answer) {
                    session.answered(now, &mut effects);
                }
            } else {
                session.read(now, &mut effects);
            }
            let (stats, status) = (session.stats(), session.status());
            prop_assert_eq!(
                stats.frames_in,
                stats.frames_played + stats.frames_flushed + status.queue_length as u64
            );
            let plays = !status.media_paused && session.direction() != MediaDirection::In;
            prop_assert!(status.queue_length == 0 || session.clock().deadline.is_some() == plays);
        }
    }
}
