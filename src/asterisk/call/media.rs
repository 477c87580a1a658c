//! The session at work: media in and out, commands, the clock, and what they ask for.

use std::time::Duration;

use bytes::Bytes;

use super::Call;
use crate::asterisk::channel::Locked;
use crate::asterisk::format::Format;
use crate::asterisk::log::{call_debug, call_warn, warn_limited};
use crate::asterisk::{fault, sys};
use crate::call::jobs::Job;
use crate::call::played_by::PlayerTurn;
use crate::call::playout::{Due, Pressing};
use crate::call::sinks::Sink;
use crate::mono_time::MonoTime;
use crate::net::clock;
use crate::net::connection::Wants;
use crate::net::outbound::Dropped;
use crate::playout::digits::DigitFrame;
use crate::playout::session::{Action, MediaFrame, Session};
use crate::report::log_limit::LogLimit;

/// A warning about frames in a wrong format is given once in this many frames (20 s of them).
const FORMAT_WARNING_EVERY: u64 = 1000;

/// Limits the log: an application can get stuck as often as it likes.
static STUCK: LogLimit = LogLimit::new();

impl Call {
    /// The channel's one format.
    pub(crate) fn format(&self) -> &Format {
        &self.format
    }

    /// The core reads, on the channel's thread. Returns the frame that is due, if any.
    pub(crate) fn read(&self, channel: Locked<'_>) -> Option<*mut sys::ast_frame> {
        fault::point("read");
        self.take_due(channel, Sink::Thread).ok().flatten()
    }

    /// A player takes the frame that is due, if any. The player keeps the channel's thread from reading until it is
    /// done with the frame.
    ///
    /// # Errors
    /// The player may not take it: what the core does with a digit, it does where the channel's thread reads one.
    pub(crate) fn play(&self, channel: Locked<'_>) -> Result<Option<*mut sys::ast_frame>, Pressing> {
        fault::point("play");
        self.take_due(channel, Sink::Player)
    }

    fn take_due(&self, channel: Locked<'_>, sink: Sink) -> Result<Option<*mut sys::ast_frame>, Pressing> {
        let queue_events = |actions: &[Action]| self.queue_events(actions);
        let taken = self.playout.take_due(sink, queue_events, |at| self.call_player_at(at))?;
        self.send_queued(taken.events);
        if taken.reads_on {
            self.read_on();
        }
        Ok(taken.due.map(|due| match due {
            Due::Media(frame) => {
                let (bytes, samples) = (frame.payload.len(), frame.samples);
                call_debug!(self, 5, "playing a frame of {bytes} bytes, {samples} samples");
                self.fill(&frame, channel)
            }
            Due::Digit(frame) => {
                call_debug!(self, 4, "pressing a digit: {frame:?}");
                self.fill_digit(frame, channel)
            }
        }))
    }

    fn fill_digit(&self, frame: DigitFrame, _channel: Locked<'_>) -> *mut sys::ast_frame {
        // SAFETY: the channel is locked.
        unsafe { self.frame.fill_digit(frame) }
    }

    fn fill(&self, frame: &MediaFrame, _channel: Locked<'_>) -> *mut sys::ast_frame {
        // SAFETY: the channel is locked.
        unsafe { self.frame.fill(frame, &self.format) }
    }

    /// The core or a bridge of ours writes a voice frame (channel locked, any thread). Never waits.
    pub(crate) fn write_voice(&self, _channel: Locked<'_>, payload: &[u8], samples: u32) {
        fault::point("write");
        if !self.playout.sends_media() || payload.is_empty() {
            return;
        }
        // DIVERGES: before the application is connected, media is dropped; the C module ends the call.
        // SAFETY: the channel is locked, and stays so until the frame is sent.
        if let Some(connection) = unsafe { self.media_out.connection(&self.link) } {
            call_debug!(self, 5, "sending a frame of {} bytes, {samples} samples", payload.len());
            self.send_media(&connection.out, payload, samples);
        }
    }

    /// The core writes a frame in a format that is not the channel's. DIVERGES: it is dropped; the C module ends the
    /// call.
    pub(crate) fn refuse_format(&self, format: &str) {
        if self.count_wrong_format().is_multiple_of(FORMAT_WARNING_EVERY) {
            call_warn!(
                self,
                "dropped a frame in format '{format}': this WebSocket channel only takes '{}'",
                self.media_format.name
            );
        }
    }

    /// A media message from the application.
    pub(super) fn take_media(&self, message: Bytes) -> Wants {
        let (mut no_more, mut is_stuck, mut drops_due) = (false, false, None);
        let (mut dropping_before, mut dropping, mut frames_dropped_before) = (false, false, 0);
        // Before the session's lock is taken, because this calls into Asterisk.
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
            (false, true) => self.notify_overflowing(frames_dropped_before),
            (true, false) => self.notify_flowing(),
            _ => {}
        }
        Wants { no_more, call_back: drops_due.map(|due| due.since(clock::now())), was_media: true }
    }

    /// Reads on from an application that had to wait.
    fn read_on(&self) {
        if let Some(connection) = self.link.connection() {
            connection.slot.read_on();
        }
    }

    /// The call is over for the application. A queue that drops nothing gives its memory back: none of its media is
    /// played any more.
    pub(super) fn abandon_media(&self) {
        self.with_session(|session, actions| session.abandon(actions));
    }

    /// The application did not read this much media in time, or was not connected. Returns the time until its drops,
    /// including those for other reasons, are to be reported.
    pub(crate) fn unread(&self, dropped: Dropped) -> Option<Duration> {
        let mut due = None;
        self.with_session(|session, _| {
            if dropped.messages > 0 {
                session.on_unread_media(dropped.media, clock::now());
            }
            due = session.drops_due();
        });
        due.map(|due| due.since(clock::now()))
    }

    /// The channel is about to be answered, and the application has not asked for it.
    pub(crate) fn answering(&self) {
        self.playout.session().answering();
    }

    /// The channel has been answered: media that came after ANSWER may follow it.
    pub(crate) fn answered(&self) {
        self.with_session(|session, actions| session.answered(clock::now(), actions));
    }

    /// Runs `work` on the session. Its events are queued under the session's lock, so that the application gets them in
    /// the order in which they happened, whichever thread found them. All other actions are done in order, with no lock
    /// held.
    pub(super) fn with_session(&self, work: impl FnOnce(&mut Session, &mut Vec<Action>)) {
        let changed = self.playout.change(work, |actions| self.queue_events(actions));
        self.send_queued(changed.events);
        if changed.receiving_changed {
            self.receiving_changed();
        }
        for action in changed.actions {
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
        if let Some(clock) = changed.clock {
            self.playout.tell(clock, |at| self.call_player_at(at));
        }
    }

    /// Asks for a player at `at`, and at no other time. Never waits.
    pub(crate) fn call_player(&self, at: MonoTime) {
        self.playout.sinks.played_by.call_player(at);
        self.call_player_at(at);
    }

    fn call_player_at(&self, at: MonoTime) {
        self.driver.players.schedule(self.number, at, PlayerTurn { call: self.weak(), at });
    }

    /// Another sink fetches what is due from now on. Any thread, no lock of ours held.
    pub(crate) fn set_clock_anew(&self) {
        self.playout.tell_anew(|at| self.call_player_at(at));
    }

    /// An application may ask any number of times; only the first request counts.
    fn ask_for_answer(&self) {
        if self.is_first_answer() {
            self.post(Job::Answer);
        }
    }
}
