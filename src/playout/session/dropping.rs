//! Media that is dropped: it found the queue full, too much of it waited, or the app did not read it in time. And the
//! events about it.

use std::time::Duration;

use super::{Action, Session, send_error};
use crate::mono_time::MonoTime;
use crate::playout::queue::Flow;
use crate::protocol::event::{AddedEvent, DropReason, Event, MediaDropped, whole_ms};
use crate::protocol::topic::Topic;

/// Drops are summed up for this long before the app is told.
const GATHERED: Duration = Duration::from_secs(1);

/// Dropped media, by reason.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Drops([Drop; DropReason::ALL.len()]);

/// Media dropped for one reason.
#[derive(Debug, Clone, Copy, Default)]
struct Drop {
    total: Duration,
    /// The part of the total that has been reported, or that the app did not want to be told of, ms.
    told_ms: u64,
    /// When the rest is to be reported.
    due: Option<MonoTime>,
}

impl Session {
    /// DIVERGES: the C module drops silently.
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

    /// Drops the oldest live media if more of it waits than `max_latency`.
    pub(super) fn limit_latency(&mut self, now: MonoTime, actions: &mut Vec<Action>) {
        let Some(limit) = self.max_latency.filter(|limit| self.queue.live() > *limit) else { return };
        let (dropped, flow) = self.queue.drop_live_beyond(limit);
        self.stats.frames_dropped_late += dropped.frames as u64;
        self.stats.media_dropped += dropped.media;
        self.stats.media_dropped_late += dropped.media;
        self.note_drop(DropReason::MaxLatency, dropped.media, now);
        self.read_on(actions);
        // If most of the message is dropped at once, it has not filled the queue: neither XOFF nor XON is sent.
        let said_at_once = actions.last() == Some(&Action::Send(Event::MediaXoff));
        match flow {
            Some(Flow::Xon) if said_at_once => _ = actions.pop(),
            flow => actions.extend(flow.map(|flow| Action::Send(flow.into()))),
        }
    }

    /// The app did not read this much media in time. Called on the reactor thread, when the app reads again.
    pub fn on_unread_media(&mut self, media: Duration, now: MonoTime) {
        self.note_drop(DropReason::OutQueue, media, now);
    }

    /// When [`Self::report_drops`] has to be called, if at all. Check it again after every call that may drop.
    pub fn drops_due(&self) -> Option<MonoTime> {
        self.drops.0.iter().filter_map(|drop| drop.due).min()
    }

    /// Reports the drops of each period that is over by now.
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
