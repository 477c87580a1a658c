//! A session beside its model: every action, frame and deadline is compared with the model's, and the properties of
//! every call are checked.

// A failed comparison panics.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod added;
pub(crate) mod bounded;
mod cutting;
mod filling;
mod plain;
#[cfg(test)]
mod properties;

use self::plain::Model;
use std::collections::{BTreeSet, VecDeque};

use super::fixture::{on_text, session};
use super::*;
use crate::playout::pacing::Pace;
use crate::protocol::event::AddedEvent;
use crate::protocol::topic::Topics;

pub(crate) const LIMITS: QueueLimits = QueueLimits { max: 24, xoff: 18, xon: 10 };
const SECOND: u64 = 1_000_000_000;

/// Something that happens on a call.
#[derive(Debug, Clone)]
pub(crate) enum Op {
    Media(usize),
    Start,
    Stop,
    Mark,
    Flush(FlushOp),
    Subscribe(Topics, u64),
    Pause,
    Continue,
    Report,
    Status,
    /// The channel is up.
    Answered,
    Direction(MediaDirection),
    /// For so many ms, the channel is read whenever its clock fires, or the given time later.
    Run(u64, u64),
    /// For so many ms, no thread reads.
    Stall(u64),
    /// A thread reads although the clock has not fired.
    Read,
}

/// FLUSH_MEDIA in all its forms.
#[derive(Debug, Clone)]
pub(crate) struct FlushOp {
    /// It has an id.
    pub(crate) answered: bool,
    pub(crate) extent: FlushOpExtent,
}

/// What a flush discards.
#[derive(Debug, Clone)]
pub(crate) enum FlushOpExtent {
    All,
    /// Everything after the command that was so many commands before.
    After(usize),
    Fade(u64),
}

/// A session and its model, and what has been observed.
pub(crate) struct Both {
    session: Session,
    model: Model,
    now: u64,
    ids: usize,
    last_id: Option<usize>,
    /// Ids that were sent and have come back in no event.
    open: BTreeSet<usize>,
    xoff: bool,
    last_due: u64,
    /// Time of the last read of a timed frame, and its length.
    last_timed: Option<(u64, u64)>,
    /// What the application has sent while it is not read.
    held: bool,
    unread: VecDeque<Op>,
}

impl Both {
    pub(crate) fn new(config: SessionConfig) -> Self {
        Self {
            session: session(config.clone()),
            model: Model::new(config),
            now: 5 * SECOND,
            ids: 0,
            last_id: None,
            open: BTreeSet::new(),
            xoff: false,
            last_due: 0,
            last_timed: None,
            held: false,
            unread: VecDeque::new(),
        }
    }

    fn time(&self) -> MonoTime {
        MonoTime::from_nanos(self.now)
    }

    /// Applies `op` to both, and compares.
    pub(crate) fn apply(&mut self, op: &Op) {
        if !self.is_left_unread(op) {
            self.apply_now(op);
            self.read_on();
        }
    }

    fn apply_now(&mut self, op: &Op) {
        let mut actions = Vec::new();
        let (now, before) = (self.time(), self.session.clock());
        if !matches!(op, Op::Run(..) | Op::Stall(_) | Op::Read | Op::Answered) {
            self.model.notice_stall(before.deadline, self.now);
        }
        let name = match op {
            Op::Media(len) => {
                let message: Vec<u8> = (0..*len).map(|n| (n * 7 + self.ids) as u8).collect();
                self.model.media(&message, self.now);
                self.session.on_media(message.into(), now, &mut actions);
                return self.compare(actions, before);
            }
            Op::Run(ms, late) => return self.run(self.now + ms * 1_000_000, *late),
            Op::Stall(ms) => {
                self.now += ms * 1_000_000;
                return;
            }
            Op::Read => return self.read(),
            Op::Answered => {
                self.model.answered(self.now);
                self.session.answered(now, &mut actions);
                return self.compare(actions, before);
            }
            Op::Start => "START_MEDIA_BUFFERING",
            Op::Stop => "STOP_MEDIA_BUFFERING",
            Op::Mark => "MARK_MEDIA",
            Op::Flush(_) => "FLUSH_MEDIA",
            Op::Subscribe(..) => "SUBSCRIBE",
            Op::Pause => "PAUSE_MEDIA",
            Op::Continue => "CONTINUE_MEDIA",
            Op::Report => "REPORT_QUEUE_DRAINED",
            Op::Status => "GET_STATUS",
            Op::Direction(_) => "SET_MEDIA_DIRECTION",
        };
        let direction = if let Op::Direction(direction) = op { direction.as_str() } else { "" };
        self.ids += 1;
        let id = self.ids.to_string();
        if matches!(op, Op::Mark | Op::Stop) && self.session.wants_media() {
            self.open.insert(self.ids);
        }
        self.model.command(op, name, &id, self.now);
        let fields = match op {
            Op::Flush(flush) => self.flush_fields(flush, &id),
            Op::Subscribe(topics, interval_ms) => {
                let names = topics.names();
                format!(r#","correlation_id":"{id}","events":{names:?},"position_interval":{interval_ms}"#)
            }
            _ => format!(r#","correlation_id":"{id}","direction":"{direction}""#),
        };
        let text = format!(r#"{{"command":"{name}"{fields}}}"#);
        on_text(&mut self.session, &text, now, &mut actions);
        self.compare(actions, before);
    }

    fn flush_fields(&self, flush: &FlushOp, id: &str) -> String {
        let id = if flush.answered { format!(r#","correlation_id":"{id}""#) } else { String::new() };
        match flush.extent {
            FlushOpExtent::All => id,
            FlushOpExtent::After(back) => format!(r#"{id},"after":"{}""#, self.ids.saturating_sub(back)),
            FlushOpExtent::Fade(ms) => format!(r#"{id},"fade_ms":{ms}"#),
        }
    }

    fn run(&mut self, end: u64, late: u64) {
        for _ in 0..100_000 {
            let Some(deadline) = self.session.clock().deadline.map(MonoTime::as_nanos) else { break };
            if deadline > end {
                break;
            }
            self.now = self.now.max((deadline + late).min(end));
            self.read();
            self.read_on();
        }
        self.now = self.now.max(end);
    }

    fn read(&mut self) {
        let before = self.session.clock();
        let mut actions = Vec::new();
        let frame = self.session.read(self.time(), &mut actions);
        if before.deadline.is_none_or(|deadline| deadline > self.time()) {
            assert_eq!((frame, actions), (None, vec![]));
            assert_eq!(self.session.clock(), before);
            return;
        }
        assert_eq!(self.session.clock().seq, before.seq + 1);
        self.model.notice_stall(before.deadline, self.now);
        let expected = self.model.read(self.now);
        if let Some((payload, pace, due)) = &expected {
            assert!(*due >= self.last_due && *due <= self.now);
            self.last_due = *due;
            if matches!(pace, Some(Pace::Live | Pace::Bulk)) {
                if let Some((read, length)) = self.last_timed {
                    assert!(self.now - read >= length / 2, "two frames in {} ns", self.now - read);
                }
                self.last_timed = Some((self.now, self.model.length(payload)));
            }
            if *pace == Some(Pace::Live) {
                assert!(self.now - due <= SECOND);
            }
        }
        let frame = frame.map(|frame| (frame.payload.to_vec(), frame.due.as_nanos()));
        assert_eq!(frame, expected.map(|(payload, _, due)| (payload, due)));
        self.compare(actions, before);
    }

    /// Checks that both have done the same, and the properties of every call.
    fn compare(&mut self, mut actions: Vec<Action>, before: ClockSetting) {
        self.compare_holding(&mut actions);
        for action in &actions {
            let Action::Send(event) = action else { continue };
            match event {
                Event::MediaXoff | Event::MediaXon => {
                    assert_ne!(self.xoff, *event == Event::MediaXoff, "XOFF and XON alternate");
                    self.xoff = !self.xoff;
                }
                Event::MediaMarkProcessed { correlation_id, .. }
                | Event::MediaBufferingCompleted { correlation_id, .. } => {
                    let id = correlation_id.as_deref().unwrap().parse().unwrap();
                    assert!(self.last_id < Some(id), "marks keep their order");
                    self.last_id = Some(id);
                    assert!(self.open.remove(&id), "{id} is answered once");
                }
                Event::Added(event) => {
                    if let AddedEvent::MediaFlushed(flushed) = &**event {
                        for id in flushed.marks.iter().chain(&flushed.bulk) {
                            assert!(self.open.remove(&id.parse().unwrap()), "{id} is given back once");
                        }
                    }
                }
                Event::QueueDrained => assert!(self.session.queue.is_empty()),
                _ => {}
            }
        }
        assert_eq!(actions, std::mem::take(&mut self.model.actions));
        self.compare_ids(&actions);
        self.compare_times();

        let (stats, status) = (self.session.stats(), self.session.status());
        assert_eq!(
            (stats.frames_in, stats.frames_played, stats.frames_flushed, status.queue_length),
            (self.model.came, self.model.played, self.model.flushed, self.model.frames())
        );
        assert_eq!(
            stats.frames_in,
            stats.frames_played
                + stats.frames_flushed
                + stats.frames_dropped_late
                + status.queue_length as u64
        );
        assert_eq!(stats.frames_dropped_late, self.model.late);
        assert_eq!(stats.frames_filled, self.model.filling.frames);
        assert!(status.queue_full == self.xoff);

        let after = self.session.clock();
        assert!(after.deadline == before.deadline || after.seq > before.seq);
        let deadline = after.deadline.map(MonoTime::as_nanos);
        let wanted = self.model.deadline(self.now);
        let reached = |time: Option<u64>| time.is_some_and(|time| time <= self.now);
        assert!(deadline == wanted || reached(deadline) && reached(wanted), "{deadline:?}, not {wanted:?}");
    }

    /// Every id that was sent waits, or has come back once; or it was discarded by a flush that is not answered.
    fn compare_ids(&mut self, actions: &[Action]) {
        let waiting = self.model.waiting_ids();
        if std::mem::take(&mut self.model.flushed_silently) {
            assert!(!actions.iter().any(|action| matches!(action, Action::Send(Event::Added(_)))));
            self.open = waiting;
        } else {
            assert_eq!(self.open, waiting);
        }
    }

    /// Checks that media played, waiting, flushed and dropped adds up to the media sent.
    fn compare_times(&self) {
        let (stats, time) = (self.session.stats(), self.model.time);
        let queued = self.session.queue.media();
        let nanos =
            [stats.media_played, stats.media_flushed, stats.media_dropped].map(|time| time.as_nanos() as u64);
        assert_eq!(nanos, [time.played, time.flushed, time.dropped + time.late]);
        assert_eq!(stats.media_dropped_late.as_nanos() as u64, time.late);
        assert_eq!(queued.as_nanos() as u64, self.model.queued());
        assert_eq!(time.played + self.model.queued() + time.flushed + time.late, time.came);
    }

    /// Runs until nothing plays any more, which can take minutes with `queue_overflow = wait`. The caller checks that
    /// the call is over.
    fn run_until_silence(&mut self) {
        const SECONDS: usize = 6000;
        for _ in 0..SECONDS {
            self.run(self.now + SECOND, 0);
            // The clock of a filled call never stops. QUEUE_DRAINED comes when the last frame is over.
            let is_drained = self.session.queue.is_empty() && !self.session.report_queue_drained;
            let is_over = is_drained || self.session.is_stuck();
            if self.model.filling.on && is_over || self.session.clock().deadline.is_none() {
                break;
            }
        }
    }

    /// Runs until nothing waits any more.
    pub(crate) fn finish(mut self) {
        loop {
            self.apply(&Op::Direction(MediaDirection::Both));
            self.apply(&Op::Continue);
            self.run_until_silence();
            if self.ends_stuck() {
                return;
            }
            if self.unread.is_empty() && !self.held {
                break;
            }
        }
        assert_eq!(self.model.waits().map_or(0, |limits| limits.total.get()), 0, "all memory is given back");
        assert_eq!(
            self.session.clock().deadline.is_some(),
            self.model.filling.on,
            "silence costs nothing unasked"
        );
        assert!(self.session.queue.is_empty(), "nothing is ever left lying");
        assert!(!self.session.report_queue_drained && !self.session.status().queue_full);
    }
}
