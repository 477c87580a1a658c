//! Where playback is, and how the app is told: MEDIA_POSITION, and what its other events say of it.

use std::time::Duration;

use super::{Action, Session};
use crate::mono_time::MonoTime;
use crate::protocol::event::{AddedEvent, Event, MediaPosition, MediaTimes, Status, whole_ms};
use crate::protocol::topic::Topic;

/// Underruns are told at most this often.
const UNDERRUN_EVERY: Duration = Duration::from_millis(100);

/// When the next MEDIA_POSITION is due.
#[derive(Debug, Clone, Default)]
pub(super) struct PositionReports {
    interval: Duration,
    /// Once so much media has been played.
    next: Duration,
    /// When an underrun was told last.
    underrun: Option<MonoTime>,
    told: Option<MediaPosition>,
}

impl PositionReports {
    /// Reports each `interval` of media, from what has been played by now on.
    pub(super) fn each(interval: Duration, played: Duration) -> Self {
        Self { interval, next: played + interval, underrun: None, told: None }
    }

    /// Whether one is due, with this much played. If so, moves on to the next.
    fn reach(&mut self, played: Duration) -> bool {
        if played < self.next {
            return false;
        }
        while self.next <= played {
            // Not 0: SUBSCRIBE takes none below 100 ms. A frame may last longer than that.
            self.next += self.interval.max(Duration::from_millis(1));
        }
        true
    }
}

impl Session {
    /// What STATUS says of media times.
    pub(super) fn status_told(&self) -> Status {
        let times = MediaTimes {
            queued_ms: whole_ms(self.queue.media()),
            played_ms: whole_ms(self.stats.media_played),
            dropped_ms: whole_ms(self.stats.media_dropped),
            marks_waiting: self.queue.marks_waiting(),
        };
        Status { times: self.knows_additions().then_some(times), ..self.status() }
    }

    /// A mark as the app is told of it: with where playback is, if the app knows of that.
    pub(super) fn mark_told(&self, mut mark: Event) -> Event {
        if let Event::MediaMarkProcessed { played_ms, .. } | Event::MediaBufferingCompleted { played_ms, .. } =
            &mut mark
            && self.knows_additions()
        {
            *played_ms = Some(whole_ms(self.stats.media_played));
        }
        mark
    }

    /// A frame goes to the core.
    pub(super) fn tell_position_if_due(&mut self, actions: &mut Vec<Action>) {
        if self.wants(Topic::MediaPosition) && self.subscriptions.position.reach(self.stats.media_played) {
            self.tell_position(actions);
        }
    }

    /// A frame is due and none is there.
    pub(super) fn tell_underrun(&mut self, now: MonoTime, actions: &mut Vec<Action>) {
        if !self.wants(Topic::MediaPosition) {
            return;
        }
        // The frame before may have been told of with just this position.
        if self.subscriptions.position.told == Some(self.media_position()) {
            return;
        }
        let underrun = &mut self.subscriptions.position.underrun;
        if underrun.is_none_or(|last| now.since(last) >= UNDERRUN_EVERY) {
            *underrun = Some(now);
            self.tell_position(actions);
        }
    }

    fn media_position(&self) -> MediaPosition {
        MediaPosition {
            played_ms: whole_ms(self.stats.media_played),
            queued_ms: whole_ms(self.queue.media()),
        }
    }

    fn tell_position(&mut self, actions: &mut Vec<Action>) {
        let position = self.media_position();
        self.subscriptions.position.told = Some(position);
        actions.push(Action::Send(Event::Added(Box::new(AddedEvent::MediaPosition(position)))));
    }
}
