//! The added commands in the model.

use std::collections::{BTreeSet, VecDeque};

use super::plain::{Entry, Model};
use super::{FlushOp, FlushOpExtent};
use crate::playout::fade::{FadeOut, SampleEncoding};
use crate::playout::pacing::Pace;
use crate::playout::sample_counter;
use crate::playout::session::{Action, MediaMode};
use crate::protocol::command::RequestError;
use crate::protocol::event::{
    AddedEvent, Event, Limits, MediaFlushed, MediaPosition, MediaTimes, Subscribed,
};
use crate::protocol::topic::{Topic, Topics};

const MS: u64 = 1_000_000;

/// What the application has subscribed to.
#[derive(Default)]
pub(super) struct Wishes {
    asked: bool,
    topics: Topics,
    interval: u64,
    /// What had been played at the SUBSCRIBE, and how many intervals of it are told.
    since: u64,
    intervals: u64,
    last_underrun: Option<u64>,
    told: Option<MediaPosition>,
}

impl Model {
    fn send(&mut self, event: AddedEvent) {
        self.actions.push(Action::Send(Event::Added(Box::new(event))));
    }

    pub(super) fn subscribe(&mut self, topics: Topics, interval_ms: u64, id: &str) {
        self.wishes = Wishes {
            asked: true,
            topics,
            interval: interval_ms * MS,
            since: self.time.played,
            ..Wishes::default()
        };
        let limits = self.config.limits;
        let waits = self.waits();
        let (queue_overflow, queue_bytes) =
            waits.map_or(("drop", 64 << 20), |waits| ("wait", waits.queue_bytes));
        let max_latency = self.config.max_latency.map_or(0, |limit| limit.as_millis() as u64);
        self.send(AddedEvent::Subscribed(Subscribed {
            correlation_id: id.to_owned(),
            events: topics.names(),
            unknown: Vec::new(),
            version: env!("CARGO_PKG_VERSION"),
            limits: Limits {
                queue_max: limits.max,
                queue_xoff: limits.xoff,
                queue_xon: limits.xon,
                queue_overflow,
                queue_bytes,
                max_latency,
                max_message_size: 0,
                max_command_size: 0,
                out_queue: 0,
            },
        }));
        self.actions.push(Action::Subscribed);
    }

    pub(super) fn flush(&mut self, flush: &FlushOp, id: &str, now: u64) {
        let gone = match flush.extent {
            FlushOpExtent::All => {
                self.restart(now);
                self.entries.split_off(0)
            }
            FlushOpExtent::After(back) => {
                let mark = id.parse::<usize>().unwrap().saturating_sub(back).to_string();
                let is_it = |entry: &Entry| {
                    matches!(entry, Entry::Mark(Event::MediaMarkProcessed { correlation_id, .. })
                        if correlation_id.as_ref() == Some(&mark))
                };
                let Some(place) = self.entries.iter().position(is_it) else {
                    let allowed = "the id of a MARK_MEDIA that has not been reached";
                    return self.refuse(flush, id, format!("'after' is \"{mark}\"; allowed: {allowed}"));
                };
                self.entries.split_off(place + 1)
            }
            FlushOpExtent::Fade(0) => {
                self.restart(now);
                self.entries.split_off(0)
            }
            FlushOpExtent::Fade(ms) => {
                let encoding = SampleEncoding::of(&self.config.format.name);
                let Some(encoding) = encoding.filter(|_| self.config.mode != MediaMode::Passthrough) else {
                    let where_not = match self.config.mode {
                        MediaMode::Passthrough => "in passthrough mode",
                        _ => "with a format that is none of ulaw, alaw and slin",
                    };
                    return self.refuse(flush, id, format!("'fade_ms' is {ms}; allowed: 0 {where_not}"));
                };
                let kept = if self.plays() { ms * MS } else { 0 };
                self.restart(now);
                let gone = self.split_off_after(kept);
                self.fade(encoding);
                gone
            }
        };
        self.cutting.finish();
        self.tell_flushed(flush, id, &gone);
        self.check_xon();
        if self.entries.is_empty() && std::mem::take(&mut self.report) {
            self.actions.push(Action::Send(Event::QueueDrained));
        }
    }

    fn refuse(&mut self, flush: &FlushOp, id: &str, what: String) {
        let error_text = format!("FLUSH_MEDIA: {what}");
        let correlation_id = flush.answered.then(|| id.to_owned());
        let error = RequestError { command: "FLUSH_MEDIA", correlation_id, error_text };
        self.actions.push(Action::Send(Event::RequestRefused(Box::new(error))));
    }

    /// Discards everything except what the flush keeps.
    fn restart(&mut self, now: u64) {
        self.stalled_until = 0;
        if self.filling.on {
            self.move_if_long_over(now);
        } else {
            self.free_at = self.free_at.max(now);
        }
        self.buffering = false;
        self.paused = false;
    }

    fn split_off_after(&mut self, kept: u64) -> VecDeque<Entry> {
        let mut length = 0;
        let place = self.entries.iter().position(|entry| match entry {
            Entry::Frame(..) if length >= kept => true,
            Entry::Frame(bytes, pace) => {
                length += self.media_length(bytes, *pace);
                false
            }
            Entry::Mark(_) => kept == 0,
        });
        self.entries.split_off(place.unwrap_or(self.entries.len()))
    }

    fn fade(&mut self, encoding: SampleEncoding) {
        let bytes = |entry: &Entry| if let Entry::Frame(bytes, _) = entry { bytes.len() } else { 0 };
        let mut fade = FadeOut::over(encoding, self.entries.iter().map(bytes).sum());
        for entry in &mut self.entries {
            if let Entry::Frame(bytes, _) = entry {
                *bytes = fade.fade(bytes).to_vec();
            }
        }
    }

    fn tell_flushed(&mut self, flush: &FlushOp, id: &str, gone: &VecDeque<Entry>) {
        let (mut frames, mut length, mut marks, mut bulk) = (0, 0, Vec::new(), Vec::new());
        for entry in gone {
            match entry {
                Entry::Frame(bytes, pace) => {
                    frames += 1;
                    length += self.media_length(bytes, *pace);
                }
                Entry::Mark(Event::MediaMarkProcessed { correlation_id, .. }) => {
                    marks.extend(correlation_id.clone())
                }
                Entry::Mark(Event::MediaBufferingCompleted { correlation_id, .. }) => {
                    bulk.extend(correlation_id.clone());
                }
                Entry::Mark(other) => unreachable!("{other:?} does not wait"),
            }
        }
        self.flushed += frames;
        self.time.flushed += length;
        if flush.answered || self.wishes.topics.has(Topic::MediaFlushed) {
            self.send(AddedEvent::MediaFlushed(MediaFlushed {
                correlation_id: if flush.answered { id.to_owned() } else { String::new() },
                flushed_ms: length / MS,
                flushed_frames: frames as usize,
                played_ms: self.time.played / MS,
                marks,
                bulk,
            }));
        } else {
            self.flushed_silently = true;
        }
    }

    pub(super) fn drop_media(&mut self, message: &[u8]) {
        let (pace, frames) = match (self.config.mode, self.buffering) {
            (MediaMode::Passthrough, _) => (Pace::Live, vec![message.to_vec()]),
            (MediaMode::Unbuffered, false) => (Pace::Unpaced, vec![message.to_vec()]),
            _ => (Pace::Live, self.cutting.dropped(message)),
        };
        self.time.dropped += frames.iter().map(|frame| self.media_length(frame, pace)).sum::<u64>();
    }

    /// How long a frame lasts by its codec, ns. That is its playing time, except that an unpaced frame takes no time to
    /// play.
    pub(super) fn media_length(&self, payload: &[u8], pace: Pace) -> u64 {
        if pace != Pace::Unpaced {
            return self.length(payload);
        }
        let counter = sample_counter::by_codec(&self.config.format).unwrap();
        match counter.samples(payload) {
            0 => u64::from(self.config.format.ptime_ms) * MS,
            samples => u64::from(samples) * 1000 * MS / u64::from(self.config.format.sample_rate),
        }
    }

    /// Playing time of the waiting media, ns.
    pub(super) fn queued(&self) -> u64 {
        let length = |entry: &Entry| match entry {
            Entry::Frame(bytes, pace) => self.media_length(bytes, *pace),
            Entry::Mark(_) => 0,
        };
        self.entries.iter().map(length).sum()
    }

    /// The waiting ids.
    pub(super) fn waiting_ids(&self) -> BTreeSet<usize> {
        let id = |entry: &Entry| match entry {
            Entry::Mark(
                Event::MediaMarkProcessed { correlation_id, .. }
                | Event::MediaBufferingCompleted { correlation_id, .. },
            ) => correlation_id.as_ref().map(|id| id.parse().unwrap()),
            _ => None,
        };
        self.entries.iter().filter_map(id).collect()
    }

    pub(super) fn status_times(&self) -> Option<MediaTimes> {
        let is_mark = |entry: &&Entry| matches!(entry, Entry::Mark(Event::MediaMarkProcessed { .. }));
        self.wishes.asked.then(|| MediaTimes {
            queued_ms: self.queued() / MS,
            played_ms: self.time.played / MS,
            dropped_ms: (self.time.dropped + self.time.late) / MS,
            marks_waiting: self.entries.iter().filter(is_mark).count(),
        })
    }

    pub(super) fn mark_told(&self, mut event: Event) -> Event {
        if let Event::MediaMarkProcessed { played_ms, .. }
        | Event::MediaBufferingCompleted { played_ms, .. } = &mut event
        {
            *played_ms = self.wishes.asked.then_some(self.time.played / MS);
        }
        event
    }

    pub(super) fn position_if_due(&mut self) {
        if !self.wishes.topics.has(Topic::MediaPosition) {
            return;
        }
        let intervals = (self.time.played - self.wishes.since) / self.wishes.interval;
        if intervals > self.wishes.intervals {
            self.wishes.intervals = intervals;
            self.tell_position();
        }
    }

    pub(super) fn underrun(&mut self, now: u64) {
        let often = self.wishes.last_underrun.is_some_and(|last| now < last + 100 * MS);
        if !self.wishes.topics.has(Topic::MediaPosition) || often || self.wishes.told == Some(self.position())
        {
            return;
        }
        self.wishes.last_underrun = Some(now);
        self.tell_position();
    }

    fn position(&self) -> MediaPosition {
        MediaPosition { played_ms: self.time.played / MS, queued_ms: self.queued() / MS }
    }

    fn tell_position(&mut self) {
        let position = self.position();
        self.wishes.told = Some(position);
        self.send(AddedEvent::MediaPosition(position));
    }
}
