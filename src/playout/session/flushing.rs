//! FLUSH_MEDIA: which media is discarded, and the events about it.

use std::time::Duration;

use super::{Action, MediaMode, Session};
use crate::mono_time::MonoTime;
use crate::playout::fade::{FadeOut, SampleEncoding};
use crate::playout::queue::FlushedMedia;
use crate::protocol::command::{Flush, FlushExtent, RequestError};
use crate::protocol::event::{AddedEvent, Event, MediaFlushed, whole_ms};
use crate::protocol::topic::Topic;

impl Session {
    pub(super) fn flush_media(&mut self, flush: Flush, now: MonoTime, actions: &mut Vec<Action>) {
        let Flush { correlation_id, extent } = flush;
        let flushed = match extent {
            FlushExtent::All => Ok(self.flush_all_but(Duration::ZERO, now)),
            FlushExtent::After(id) => self.flush_after(&id),
            FlushExtent::Fade(ms) => self.flush_and_fade(ms, now),
        };
        match flushed {
            Ok(flushed) => self.tell_flushed(correlation_id, flushed, actions),
            Err(error_text) => {
                let error_text = format!("FLUSH_MEDIA: {error_text}");
                let error = RequestError { command: "FLUSH_MEDIA", correlation_id, error_text };
                self.refuse_request(actions, Box::new(error));
            }
        }
    }

    /// Discards the media after a mark, so that a sentence is played to its end. A pause and buffering go on.
    fn flush_after(&mut self, id: &str) -> Result<FlushedMedia, String> {
        let flushed = self.queue.flush_after_mark(id).ok_or_else(|| {
            format!(
                "'after' is {}; allowed: the id of a MARK_MEDIA that has not been reached",
                crate::protocol::command::quoted(id)
            )
        })?;
        self.forget_rest();
        Ok(flushed)
    }

    fn flush_and_fade(&mut self, fade_ms: u64, now: MonoTime) -> Result<FlushedMedia, String> {
        let Some(encoding) =
            SampleEncoding::of(&self.format.name).filter(|_| self.mode != MediaMode::Passthrough)
        else {
            let what = match self.mode {
                MediaMode::Passthrough => "in passthrough mode",
                MediaMode::Framed | MediaMode::Unbuffered => {
                    "with a format that is none of ulaw, alaw and slin"
                }
            };
            return Err(format!("'fade_ms' is {fade_ms}; allowed: 0 {what}"));
        };
        // Media that is not playing now would be heard later, so none is kept.
        let kept = if self.plays() { Duration::from_millis(fade_ms) } else { Duration::ZERO };
        let flushed = self.flush_all_but(kept, now);
        let mut fade = FadeOut::over(encoding, self.queue.media_bytes());
        self.queue.rewrite_media(|piece| fade.fade(piece));
        Ok(flushed)
    }

    /// Discards all media but `kept`, and ends buffering and a pause.
    fn flush_all_but(&mut self, kept: Duration, now: MonoTime) -> FlushedMedia {
        // Media that comes from now on was not meant for an earlier time.
        self.stalled_until = None;
        self.schedule.resume(now);
        self.buffering = false;
        // DIVERGES: the C module stays paused, although its documentation says otherwise.
        self.paused = false;
        self.forget_rest();
        let mut flushed =
            if kept.is_zero() { self.queue.clear() } else { self.queue.flush_after_media(kept) };
        flushed.marks.extend(self.forget_marks_of_rest());
        flushed
    }

    /// Discards the bytes that fill no frame.
    fn forget_rest(&mut self) {
        if let Some(reframer) = &mut self.reframer {
            self.stats.bytes_cut_off += reframer.clear() as u64;
        }
    }

    fn tell_flushed(
        &mut self,
        correlation_id: Option<String>,
        flushed: FlushedMedia,
        actions: &mut Vec<Action>,
    ) {
        self.stats.frames_flushed += flushed.frames as u64;
        self.stats.media_flushed += flushed.media;
        if correlation_id.is_some() || self.wants(Topic::MediaFlushed) {
            let event = MediaFlushed {
                correlation_id: correlation_id.unwrap_or_default(),
                flushed_ms: whole_ms(flushed.media),
                flushed_frames: flushed.frames,
                played_ms: whole_ms(self.stats.media_played),
                marks: flushed.marks,
                bulk: flushed.bulk,
            };
            actions.push(Action::Send(Event::Added(Box::new(AddedEvent::MediaFlushed(event)))));
        }
        // DIVERGES: the C module sends MEDIA_XON only at a tick without a pause, although there is room already.
        actions.extend(flushed.flow.map(|flow| Action::Send(flow.into())));
        self.read_on(actions);
        // Nothing is left to play, so the report does not wait for a frame's end.
        if self.queue.is_empty() && std::mem::take(&mut self.report_queue_drained) {
            actions.push(Action::Send(Event::QueueDrained));
        }
    }
}
