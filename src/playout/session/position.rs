//! The position of playback in MEDIA_POSITION and in other events.

use std::time::Duration;

use super::{Action, Session};
use crate::mono_time::MonoTime;
use crate::protocol::event::{AddedEvent, Event, MediaPosition, MediaTimes, Status, whole_ms};
use crate::protocol::topic::Topic;

/// The shortest time between two reports of underruns.
const UNDERRUN_EVERY: Duration = Duration::from_millis(100);

/// When the next MEDIA_POSITION is due.
#[derive(Debug, Clone, Default)]
pub(super) struct PositionReports {
    interval: Duration,
    /// The next report is due when this much media has been played.
    next: Duration,
    /// When an underrun was last reported.
    underrun: Option<MonoTime>,
    told: Option<MediaPosition>,
}

impl PositionReports {
    /// Reports after each `interval` of media, counted from `played`.
    pub(super) fn each(interval: Duration, played: Duration) -> Self {
        Self { interval, next: played + interval, underrun: None, told: None }
    }

    /// Whether a report is due when this much has been played. If so, moves on to the next one.
    fn reach(&mut self, played: Duration) -> bool {
        if played < self.next {
            return false;
        }
        while self.next <= played {
            // A loop, because a frame may be longer than the interval. The interval is at least 100 ms (SUBSCRIBE); the
            // `max` guarantees that the loop ends.
            self.next += self.interval.max(Duration::from_millis(1));
        }
        true
    }
}

impl Session {
    /// STATUS with the times of media, if the app may get them.
    pub(super) fn status_told(&self) -> Status {
        let times = MediaTimes {
            queued_ms: whole_ms(self.queue.media()),
            played_ms: whole_ms(self.stats.media_played),
            dropped_ms: whole_ms(self.stats.media_dropped),
            marks_waiting: self.queue.marks_waiting(),
        };
        Status { times: self.knows_additions().then_some(times), ..self.status() }
    }

    /// A mark's event with the position of playback, if the app may get it.
    pub(super) fn mark_told(&self, mut mark: Event) -> Event {
        if let Event::MediaMarkProcessed { played_ms, .. } | Event::MediaBufferingCompleted { played_ms, .. } =
            &mut mark
            && self.knows_additions()
        {
            *played_ms = Some(whole_ms(self.stats.media_played));
        }
        mark
    }

    /// Called when a frame goes to the core.
    pub(super) fn tell_position_if_due(&mut self, actions: &mut Vec<Action>) {
        if self.wants(Topic::MediaPosition) && self.subscriptions.position.reach(self.stats.media_played) {
            self.tell_position(actions);
        }
    }

    /// Called when a frame is due and none waits.
    pub(super) fn tell_underrun(&mut self, now: MonoTime, actions: &mut Vec<Action>) {
        if !self.wants(Topic::MediaPosition) {
            return;
        }
        // The last frame may already have been reported with this position.
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
