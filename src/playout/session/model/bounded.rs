//! Bounded queues that do not drop the newest message, in the model: a limit for waiting live media, and applications
//! that have to wait.

use std::sync::Arc;
use std::time::Duration;

use super::plain::{Entry, Model};
use super::{Both, LIMITS, Op};
use crate::playout::overflow::{Overflow, QueuedBytes, WaitLimits};
use crate::playout::pacing::Pace;
use crate::playout::session::{Action, SessionConfig};
use crate::protocol::event::Event;

/// More than the memory of a queue's entry and its id, without its bytes.
const ENTRY_BYTES: usize = 1024;

/// A call that drops nothing: the limits of its bytes and of the bytes of all calls.
pub(crate) fn wait(queue_bytes: usize, queue_bytes_total: usize) -> Overflow {
    Overflow::Wait(WaitLimits { queue_bytes, queue_bytes_total, total: Arc::new(QueuedBytes::default()) })
}

impl Model {
    pub(super) fn waits(&self) -> Option<&WaitLimits> {
        match &self.config.overflow {
            Overflow::Drop => None,
            Overflow::Wait(limits) => Some(limits),
        }
    }

    /// Message by message the oldest live frames go, until little enough waits; the newest one stays.
    pub(super) fn limit_latency(&mut self) {
        let Some(limit) = self.config.max_latency.map(|limit| limit.as_nanos() as u64) else { return };
        let before = self.actions.len();
        self.check_xoff();
        loop {
            let live = |entry: &Entry| matches!(entry, Entry::Frame(_, pace) if *pace != Pace::Bulk);
            let lengths = self.entries.iter().filter(|entry| live(entry)).map(|entry| match entry {
                Entry::Frame(bytes, pace) => self.media_length(bytes, *pace),
                Entry::Mark(_) => 0,
            });
            let lengths: Vec<u64> = lengths.collect();
            if lengths.len() < 2 || lengths.iter().sum::<u64>() <= limit {
                break;
            }
            let oldest = self.entries.iter().position(live).unwrap();
            self.entries.remove(oldest);
            self.late += 1;
            self.time.late += lengths[0];
        }
        self.check_xon();
        if self.actions.len() == before + 2 {
            self.actions.truncate(before);
        }
    }

    fn bytes(&self) -> usize {
        let bytes = |entry: &Entry| if let Entry::Frame(bytes, _) = entry { bytes.len() } else { 0 };
        self.entries.iter().map(bytes).sum()
    }
}

impl Both {
    /// Keeps what the application sends while it is not read.
    pub(super) fn is_left_unread(&mut self, op: &Op) -> bool {
        let is_sent = !matches!(op, Op::Run(..) | Op::Stall(_) | Op::Read | Op::Answered);
        if is_sent && self.session.holds() {
            self.unread.push_back(op.clone());
        }
        is_sent && self.session.holds()
    }

    /// Reads what the application has sent meanwhile.
    pub(super) fn read_on(&mut self) {
        while !self.session.holds()
            && let Some(op) = self.unread.pop_front()
        {
            self.apply_now(&op);
        }
    }

    /// Removes the actions for the reactor from `actions`. Checks that the application waits as the limits require, and
    /// that each change is told once.
    pub(super) fn compare_holding(&mut self, actions: &mut Vec<Action>) {
        let held = std::mem::replace(&mut self.held, self.session.holds());
        let count = actions.len();
        actions.retain(|action| *action != Action::ReadOn);
        assert_eq!(count - actions.len(), usize::from(held && !self.held), "each release is told once");
        let Some(limits) = self.model.waits() else { return assert!(!self.held) };
        let (memory, bytes) = (limits.total.get(), self.model.bytes());
        assert!(
            memory >= bytes && memory <= bytes + self.model.entries.len() * ENTRY_BYTES,
            "{memory} for {bytes}"
        );
        let is_full = memory >= limits.queue_bytes;
        let is_under_xon = self.model.frames() < LIMITS.xon;
        let exceeds = memory >= limits.queue_bytes_total && !is_under_xon;
        if self.held && !held {
            assert!(is_full || exceeds, "it waits with {memory} bytes");
        } else if self.held {
            assert!(is_full || !is_under_xon, "it goes on waiting with {memory} bytes");
        } else {
            let unsaid = actions.iter().any(|action| matches!(action, Action::Send(Event::MediaXoff)));
            assert!(!unsaid || !exceeds || !is_full, "it is read with {memory} bytes");
        }
    }

    /// True if the session is stuck: paused with a full queue. Checks that the end of the call then frees everything.
    pub(super) fn ends_stuck(&mut self) -> bool {
        if !self.session.is_stuck() {
            return false;
        }
        let mut actions = Vec::new();
        self.session.abandon(&mut actions);
        assert_eq!(actions, [Action::ReadOn]);
        assert_eq!(self.model.waits().unwrap().total.get(), 0);
        self.session.on_media(vec![0; 1000].into(), self.time(), &mut actions);
        assert_eq!(self.model.waits().unwrap().total.get(), 0);
        true
    }
}

/// The configuration with these limits.
pub(crate) fn bounded(
    config: SessionConfig,
    overflow: Overflow,
    max_latency_ms: Option<u64>,
) -> SessionConfig {
    SessionConfig { overflow, max_latency: max_latency_ms.map(Duration::from_millis), ..config }
}
