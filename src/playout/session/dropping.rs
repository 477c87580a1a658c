//! Media that is not played: it found the queue full, too much of it waited, or the app did not read it in time. And what
//! the app is told about that.

use std::time::Duration;

use super::{Action, Session, send_error};
use crate::mono_time::MonoTime;
use crate::playout::queue::Flow;
use crate::protocol::event::{AddedEvent, DropReason, Event, MediaDropped, whole_ms};
use crate::protocol::topic::Topic;

/// For this long what is dropped is summed up before the app is told.
const GATHERED: Duration = Duration::from_secs(1);

/// What has been dropped, by reason.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Drops([Drop; DropReason::ALL.len()]);

/// What has been dropped for one reason.
#[derive(Debug, Clone, Copy, Default)]
struct Drop {
    total: Duration,
    /// Of the total, what the app knows, or does not want to know, ms.
    told_ms: u64,
    /// When it is to be told of the rest.
    due: Option<MonoTime>,
}

impl Session {
    /// DIVERGES: the C module drops in silence.
    pub(super) fn drop_message(
        &mut self,
        message: &[u8],
        samples: Option<u32>,
        now: MonoTime,
        actions: &mut Vec<Action>,
    ) {
        let frames = self.reframer.as_ref().map_or(1, |reframer| reframer.frames_in(message));
        self.stats.messages_dropped += 1;
        self.stats.frames_dropped += frames as u64;
        if !std::mem::replace(&mut self.dropping, true) {
            let frames = self.queue.len_frames();
            send_error(actions, format!("Media dropped: the queue is full with {frames} frames"));
        }
        let media = self.whole_frames_duration(message, samples);
        self.stats.media_dropped += media;
        self.note_drop(DropReason::QueueFull, media, now);
    }

    /// Drops the oldest live media that is more than may wait.
    pub(super) fn limit_latency(&mut self, now: MonoTime, actions: &mut Vec<Action>) {
        let Some(limit) = self.max_latency.filter(|limit| self.queue.live() > *limit) else { return };
        let (dropped, flow) = self.queue.drop_live_beyond(limit);
        self.stats.frames_dropped_late += dropped.frames as u64;
        self.stats.media_dropped += dropped.media;
        self.stats.media_dropped_late += dropped.media;
        self.note_drop(DropReason::MaxLatency, dropped.media, now);
        self.read_on(actions);
        // A message of which most is dropped at once has not filled the queue.
        let said_at_once = actions.last() == Some(&Action::Send(Event::MediaXoff));
        match flow {
            Some(Flow::Xon) if said_at_once => _ = actions.pop(),
            flow => actions.extend(flow.map(|flow| Action::Send(flow.into()))),
        }
    }

    /// The app did not read this much media in time. Called on the reactor thread, when it reads again.
    pub fn on_unread_media(&mut self, media: Duration, now: MonoTime) {
        self.note_drop(DropReason::OutQueue, media, now);
    }

    /// When [`Self::report_drops`] is to be called, if at all. Look at it again after every call that may drop.
    pub fn drops_due(&self) -> Option<MonoTime> {
        self.drops.0.iter().filter_map(|drop| drop.due).min()
    }

    /// Tells the app of what was dropped in the seconds that are over by now.
    pub fn report_drops(&mut self, now: MonoTime, actions: &mut Vec<Action>) {
        let wanted = self.wants(Topic::MediaDropped);
        for (reason, drop) in DropReason::ALL.into_iter().zip(&mut self.drops.0) {
            if drop.due.is_none_or(|due| now < due) {
                continue;
            }
            drop.due = None;
            let total_dropped_ms = whole_ms(drop.total);
            let dropped_ms =
                total_dropped_ms.saturating_sub(std::mem::replace(&mut drop.told_ms, total_dropped_ms));
            if wanted && dropped_ms > 0 {
                let event = AddedEvent::MediaDropped(MediaDropped { dropped_ms, total_dropped_ms, reason });
                actions.push(Action::Send(Event::Added(Box::new(event))));
            }
        }
    }

    fn note_drop(&mut self, reason: DropReason, media: Duration, now: MonoTime) {
        let wanted = self.wants(Topic::MediaDropped);
        let Some(drop) = self.drops.0.get_mut(reason as usize) else { return };
        drop.total += media;
        if wanted {
            drop.due.get_or_insert(now + GATHERED);
        } else if drop.due.is_none() {
            drop.told_ms = whole_ms(drop.total);
        }
    }
}
