//! The session at work: media in and out, commands, the clock, and what they ask for.

use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::Call;
use super::link::QueuedEvents;
use crate::asterisk::channel::Locked;
use crate::asterisk::format::Format;
use crate::asterisk::jobs::Job;
use crate::asterisk::log::{call_debug, call_warn, warn_limited};
use crate::asterisk::{fault, notifications, sys};
use crate::net::clock;
use crate::net::connection::Wants;
use crate::playout::session::{Action, ClockSetting, MediaFrame, MediaMode, Session};
use crate::protocol::event::Event;
use crate::report::log_limit::LogLimit;

/// A warning about frames in a wrong format is given once in this many frames (20 s of them).
const FORMAT_WARNING_EVERY: u64 = 1000;

/// An application can stop itself as often as it likes.
static STUCK: LogLimit = LogLimit::new();

impl Call {
    /// The channel's one format.
    pub(crate) fn format(&self) -> &Format {
        &self.format
    }

    /// Whether messages go to the core as they come.
    pub(crate) fn is_unbuffered(&self) -> bool {
        self.mode == MediaMode::Unbuffered
    }

    /// The core reads, on the channel's thread: the frame that is due, if one is.
    pub(crate) fn read(&self, channel: Locked<'_>) -> Option<*mut sys::ast_frame> {
        fault::point("read");
        let mut actions = Vec::new();
        let (frame, clock, events) = {
            let mut session = self.session.lock();
            let frame = session.read(clock::now(), &mut actions);
            (frame, session.clock(), self.queue_events(&actions))
        };
        // Always set: that is what takes the descriptor's readiness back.
        self.apply_clock(clock);
        self.send_queued(events);
        if actions.contains(&Action::ReadOn) {
            self.read_on();
        }
        let frame = frame?;
        call_debug!(self, 5, "playing a frame of {} bytes, {} samples", frame.payload.len(), frame.samples);
        Some(self.fill(&frame, channel))
    }

    fn fill(&self, frame: &MediaFrame, _channel: Locked<'_>) -> *mut sys::ast_frame {
        // SAFETY: the channel is locked.
        unsafe { self.frame.fill(frame, &self.format) }
    }

    /// The core or a bridge of ours writes a voice frame (channel locked, any thread). Never waits.
    pub(crate) fn write_voice(&self, _channel: Locked<'_>, payload: &[u8], samples: u32) {
        fault::point("write");
        if !self.sends_media.load(Ordering::Relaxed) || payload.is_empty() {
            return;
        }
        // DIVERGES: before the application is connected, media is dropped; the C module ends the call.
        // SAFETY: the channel is locked, and stays so until the frame is sent.
        if let Some(connection) = unsafe { self.media_out.connection(&self.link) } {
            call_debug!(self, 5, "sending a frame of {} bytes, {samples} samples", payload.len());
            connection.out.send_media(payload, self.media_format.duration_of(samples));
        }
    }

    /// The core writes a frame in a format that is not the channel's. DIVERGES: it is dropped; the C module ends the
    /// call.
    pub(crate) fn refuse_format(&self, format: &str) {
        let count = self.wrong_format_frames.fetch_add(1, Ordering::Relaxed);
        if count.is_multiple_of(FORMAT_WARNING_EVERY) {
            call_warn!(
                self,
                "dropped a frame in format '{format}': this WebSocket channel only takes '{}'",
                self.media_format.name
            );
        }
    }

    /// A binary message of the application.
    pub(super) fn take_media(&self, message: Bytes) -> Wants {
        let (mut no_more, mut is_stuck, mut drops_due) = (false, false, None);
        let (mut dropping_before, mut dropping, mut frames_dropped_before) = (false, false, 0);
        // Before the session's lock is taken: that calls into Asterisk.
        let samples = self.counts_messages.then(|| self.format.samples(&message));
        self.with_session(|session, actions| {
            dropping_before = session.is_dropping();
            frames_dropped_before = session.frames_dropped();
            session.on_counted_media(message, samples, clock::now(), actions);
            dropping = session.is_dropping();
            (no_more, is_stuck, drops_due) = (session.holds(), session.is_stuck(), session.drops_due());
        });
        if is_stuck {
            warn_limited!(
                STUCK,
                "{}: the queue is full while media is paused: the application is not read any more (queue_bytes, \
                 queue_bytes_total), CONTINUE_MEDIA neither, and the call stands still until it ends",
                self.name()
            );
        }
        match (dropping_before, dropping) {
            (false, true) => notifications::overflowing(self, frames_dropped_before),
            (true, false) => notifications::flowing(self),
            _ => {}
        }
        Wants { no_more, call_back: drops_due.map(|due| due.since(clock::now())) }
    }

    /// The application had to wait, and is read again.
    fn read_on(&self) {
        if let Some(connection) = self.connection() {
            connection.slot.read_on();
        }
    }

    /// The call is over for the application: nothing more of its media is played, if it was not to be dropped.
    pub(super) fn abandon_media(&self) {
        self.with_session(|session, actions| session.abandon(actions));
    }

    /// The channel is about to be answered without the application's asking.
    pub(crate) fn answering(&self) {
        self.session.lock().answering();
    }

    /// The channel has been answered: media that came behind the answer may follow it.
    pub(crate) fn answered(&self) {
        self.with_session(|session, actions| session.answered(clock::now(), actions));
    }

    /// Runs `work` on the session. Its events are queued under the session's lock, so that the application gets them in
    /// the order in which they happened, whichever thread found them out. All else that it asks for is done in order, with
    /// no lock held.
    pub(super) fn with_session(&self, work: impl FnOnce(&mut Session, &mut Vec<Action>)) {
        let mut actions = Vec::new();
        let receiving_changed;
        let (before, clock, events) = {
            let mut session = self.session.lock();
            let before = session.clock().seq;
            work(&mut session, &mut actions);
            receiving_changed = session.sends_media() != self.sends_media.load(Ordering::Relaxed);
            if receiving_changed {
                self.sends_media.store(session.sends_media(), Ordering::Relaxed);
            }
            (before, session.clock(), self.queue_events(&actions))
        };
        self.send_queued(events);
        if receiving_changed {
            self.receiving_changed();
        }
        for action in actions {
            match action {
                Action::Send(_) => {}
                Action::Answer => self.ask_for_answer(),
                Action::Hangup => self.hang_up_by_command(),
                Action::Subscribed => self.subscribed(),
                Action::SendText(request) => self.post(|call| Job::SendText { call, request }),
                Action::SendEvent(request) => self.ask_for_event(*request),
                Action::Transfer(request) => self.ask_for_transfer(*request),
                Action::ReadOn => self.read_on(),
            }
        }
        if clock.seq != before {
            self.apply_clock(clock);
        }
    }

    fn apply_clock(&self, setting: ClockSetting) {
        setting.apply(|deadline| self.clock.set(deadline), || self.session.lock().clock());
    }

    /// Queues the events among `actions`. The caller holds the session's lock.
    fn queue_events(&self, actions: &[Action]) -> QueuedEvents {
        let mut queued = QueuedEvents::default();
        for action in actions {
            if let Action::Send(event) = action {
                self.queue_event(event, &mut queued);
            }
        }
        queued
    }

    /// Sends an event to the application, if it is connected; `event` may look at what the session knows of its wishes.
    /// Any thread, no lock of ours held.
    pub(crate) fn send_event(&self, event: impl FnOnce(&Session) -> Event) {
        let mut queued = QueuedEvents::default();
        {
            let session = self.session.lock();
            self.queue_event(&event(&session), &mut queued);
        }
        self.send_queued(queued);
    }

    /// A digit of this length has ended. Any thread, no lock of ours held.
    pub(crate) fn send_digit(&self, digit: char, duration_ms: u32) {
        self.send_event(|session| Event::DtmfEnd {
            digit,
            duration_ms: session.knows_additions().then_some(duration_ms),
        });
    }

    /// An application may ask any number of times: the first one counts.
    fn ask_for_answer(&self) {
        if !self.answer_asked.swap(true, Ordering::Relaxed) {
            self.post(|call| Job::Answer { call });
        }
    }
}
