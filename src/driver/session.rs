//! One call: what the app's messages do to its media, and what goes to the core when.
//!
//! Bytes, text and time in; frames, events and the clock's next deadline out. No socket, no timer and no
//! Asterisk symbol is known here. The caller holds one lock around a [`Session`]; the reactor thread brings
//! the app's messages, the channel's thread reads. Effects are run by the caller after it has released that
//! lock, in order.

use std::time::Duration;

use bytes::Bytes;

use super::clock::MonoTime;
use super::command::{self, Command, ControlMessageFormat, MediaDirection};
use super::event::{Event, Status};
use super::figure::Histogram;
use super::media_format::{MediaFormat, SampleCounter};
use super::pacing::{Pace, Schedule};
pub use super::queue::QueueLimits;
use super::queue::{FrameQueue, Head};
use super::reframe::Reframer;

/// How long after a stall of the process media may need from the socket to the queue.
const STALL_GRACE: Duration = Duration::from_millis(200);

/// What a call is set up with; fixed while it lives but for the direction.
#[derive(Debug, Clone)]
pub struct SessionConfig {
    /// The channel's one format.
    pub format: MediaFormat,
    /// What a message of the app is.
    pub mode: MediaMode,
    /// Which way media goes at first.
    pub direction: MediaDirection,
    /// How commands are written.
    pub control_message_format: ControlMessageFormat,
    /// Flow control.
    pub limits: QueueLimits,
    /// Longest command, bytes.
    pub max_command_size: usize,
    /// Media that begins after silence, does so at a multiple of this on the monotonic clock; zero: at once.
    pub clock_grid: Duration,
}

/// What a binary message of the app is, and how it is timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MediaMode {
    /// Bytes to be cut into frames, played one per ptime.
    #[default]
    Framed,
    /// One frame, played for as long as it lasts. Most commands about media are refused.
    Passthrough,
    /// One frame, given to the core as it comes; but bulk media is framed and timed.
    Unbuffered,
}

/// Something that the caller has to do once it has released the session's lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Send the app this event.
    Send(Event),
    /// Answer the channel.
    Answer,
    /// Hang the channel up, cause normal.
    Hangup,
}

/// A frame for the core.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaFrame {
    /// Never empty. Shares memory with its message, and has neither headroom nor slack.
    pub payload: Bytes,
    /// Samples per channel; 0 where that is unknown.
    pub samples: u32,
    /// When the schedule has it due, at or before the time of the read. Continuous also where late frames are
    /// caught up.
    pub due: MonoTime,
}

/// What the channel's clock is to be set to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ClockSetting {
    /// Grows with every change, and with every read that used the clock's tick up.
    pub seq: u64,
    /// When [`Session::read`] wants to be called; `None`: not at all.
    pub deadline: Option<MonoTime>,
}

impl ClockSetting {
    /// Has `set` set the clock to this, outside the session's lock. Two threads may do so at once, in any order: whoever
    /// finds by `newest` that there is a newer setting afterwards applies that, so that the newest wins.
    pub fn apply(mut self, set: impl Fn(Option<MonoTime>), newest: impl Fn() -> Self) {
        loop {
            set(self.deadline);
            let newest = newest();
            if newest.seq == self.seq {
                return;
            }
            self = newest;
        }
    }
}

/// Counters of one call, for its log line and the CLI. All only grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SessionStats {
    /// Binary messages that came.
    pub messages: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// Text messages that came.
    pub commands: u64,
    /// Those of them that were answered with an ERROR.
    pub commands_refused: u64,
    /// The last one that was understood.
    pub last_command: Option<&'static str>,
    /// Frames that were queued: those that were played, those that were flushed and those that still wait.
    pub frames_in: u64,
    /// Frames that went to the core.
    pub frames_played: u64,
    /// Frames that FLUSH_MEDIA dropped.
    pub frames_flushed: u64,
    /// Frames in messages that found the queue full, as far as these messages themselves tell.
    pub frames_dropped: u64,
    /// Messages that found the queue full.
    pub messages_dropped: u64,
    /// Messages that came while the direction was `in`.
    pub messages_unwanted: u64,
    /// Bytes that filled no frame, outside bulk media or at a flush.
    pub bytes_cut_off: u64,
    /// How often a frame was due and none was there, one per silence.
    pub underruns: u64,
    /// Reads that were late by a whole frame or more.
    pub late_reads: u64,
    /// The latest read of all.
    pub longest_lateness: Duration,
    /// The most frames that ever waited.
    pub queue_high_water: usize,
    /// How long played frames had waited since their message came.
    pub queue_wait: Histogram,
    /// The longest that one of them had.
    pub longest_queue_wait: Duration,
    /// How late they were read.
    pub lateness: Histogram,
}

/// Where the first answer to a call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Answering {
    /// Nobody has answered yet.
    #[default]
    No,
    /// The caller of the session has been told, or knows, and has not done it yet.
    Due,
    /// The core knows.
    Done,
}

/// The state of one call.
pub struct Session {
    format: MediaFormat,
    mode: MediaMode,
    direction: MediaDirection,
    control_message_format: ControlMessageFormat,
    max_command_size: usize,
    samples: Box<dyn SampleCounter>,
    /// `None` where messages are never cut.
    reframer: Option<Reframer>,
    queue: FrameQueue,
    schedule: Schedule,
    clock: ClockSetting,
    /// Between START_ and STOP_MEDIA_BUFFERING.
    buffering: bool,
    paused: bool,
    answer: Answering,
    report_queue_drained: bool,
    /// Media is being dropped, and the app has been told.
    dropping: bool,
    /// There was media to play when the session was last looked at.
    playable: bool,
    /// The process has stood still; what comes before this had been waiting outside, and is late itself.
    stalled_until: Option<MonoTime>,
    /// The clock is to tick once more after the last frame: a steady stream then needs no new setting for
    /// each message.
    trailing_tick: bool,
    stats: SessionStats,
}

impl Session {
    /// A call on which nothing has happened yet.
    ///
    /// A format that cannot be cut makes [`MediaMode::Framed`] passthrough.
    pub fn new(config: SessionConfig, samples: Box<dyn SampleCounter>) -> Self {
        let SessionConfig {
            format,
            mode,
            direction,
            control_message_format,
            limits,
            max_command_size,
            clock_grid,
        } = config;
        let reframer = match mode {
            MediaMode::Passthrough => None,
            MediaMode::Framed | MediaMode::Unbuffered => Reframer::new(format.optimal_frame_size),
        };
        let mode =
            if mode == MediaMode::Framed && reframer.is_none() { MediaMode::Passthrough } else { mode };
        Self {
            format,
            mode,
            direction,
            control_message_format,
            max_command_size,
            samples,
            reframer,
            queue: FrameQueue::new(limits),
            schedule: Schedule::on_grid(clock_grid),
            clock: ClockSetting::default(),
            buffering: false,
            paused: false,
            answer: Answering::default(),
            report_queue_drained: false,
            dropping: false,
            playable: false,
            stalled_until: None,
            trailing_tick: false,
            stats: SessionStats::default(),
        }
    }

    /// Takes a binary message from the app. Called on the reactor thread.
    pub fn on_media(&mut self, message: Bytes, now: MonoTime, effects: &mut Vec<Effect>) {
        let len_bytes = message.len();
        self.notice_stall(now);
        self.stats.messages += 1;
        self.stats.bytes += len_bytes as u64;
        if message.is_empty() {
            return;
        }
        if !self.direction.app_sends() {
            self.stats.messages_unwanted += 1;
            return;
        }
        if self.queue.refuses_media() {
            self.drop_message(len_bytes, effects);
            return;
        }
        self.dropping = false;
        let pace = match self.mode {
            _ if self.buffering => Pace::Bulk,
            MediaMode::Unbuffered => Pace::Unpaced,
            MediaMode::Framed | MediaMode::Passthrough => Pace::Live,
        };
        match &mut self.reframer {
            Some(reframer) if pace != Pace::Unpaced => {
                let frame_size = reframer.frame_size();
                let pieces = if self.buffering { reframer.join(message) } else { reframer.cut(message) };
                self.stats.bytes_cut_off += pieces.cut_off_bytes as u64;
                self.push_media(pieces.joined, frame_size, pace, now, effects);
                self.push_media(pieces.body, frame_size, pace, now, effects);
            }
            _ => self.push_media(message, len_bytes, pace, now, effects),
        }
        self.settle(now, effects);
        self.set_clock(now);
    }

    /// Takes a text message from the app. Called on the reactor thread.
    ///
    /// Everything that is wrong with it is told the app by an ERROR event; nothing is ever answered by
    /// silence.
    pub fn on_command(&mut self, text: &str, now: MonoTime, effects: &mut Vec<Effect>) {
        self.notice_stall(now);
        self.stats.commands += 1;
        let command = match command::parse(text, self.control_message_format, self.max_command_size) {
            Ok(command) => command,
            Err(error) => return self.refuse(effects, error.to_string()),
        };
        self.stats.last_command = Some(command.name());
        if let Some(error_text) = self.refusal(&command) {
            return self.refuse(effects, error_text);
        }
        match command {
            Command::Answer => {
                self.answering();
                effects.push(Effect::Answer);
            }
            Command::Hangup => effects.push(Effect::Hangup),
            Command::GetStatus => effects.push(Effect::Send(Event::Status(self.status()))),
            Command::StartMediaBuffering => self.start_media_buffering(effects),
            Command::StopMediaBuffering { correlation_id } => {
                self.stop_media_buffering(correlation_id, now, effects);
            }
            Command::MarkMedia { correlation_id } => {
                self.push_mark("MARK_MEDIA", Event::MediaMarkProcessed { correlation_id }, effects);
            }
            Command::FlushMedia => self.flush_media(now, effects),
            Command::PauseMedia => self.paused = true,
            Command::ContinueMedia => self.paused = false,
            Command::ReportQueueDrained => self.report_queue_drained = true,
            Command::SetMediaDirection(Ok(direction)) => self.direction = direction,
            Command::SetMediaDirection(Err(error)) => self.refuse(effects, error.to_string()),
        }
        self.settle(now, effects);
        self.set_clock(now);
    }

    /// The clock has fired: gives the frame that is due, if any. Called on the channel's thread.
    ///
    /// Called before the deadline, or without one, it does nothing. At most one frame per call.
    pub fn read(&mut self, now: MonoTime, effects: &mut Vec<Effect>) -> Option<MediaFrame> {
        if self.clock.deadline.is_none_or(|deadline| now < deadline) {
            return None;
        }
        self.notice_stall(now);
        let frame = self.take_frame(now, effects);
        if let Some((_, pace)) = &frame {
            self.trailing_tick = *pace != Pace::Unpaced;
            self.playable = self.queue.len_frames() > 0;
            // What stands behind this frame waits for the next tick, which may be at once: the core gets the
            // frame after the effects have been run.
        } else {
            let ran_dry = std::mem::take(&mut self.trailing_tick) && self.queue.len_frames() == 0;
            self.stats.underruns += u64::from(ran_dry);
            self.settle(now, effects);
        }
        // The tick is used up: the clock has to be set again even where the deadline stays what it is.
        self.clock =
            ClockSetting { seq: self.clock.seq.wrapping_add(1), deadline: self.wanted_deadline(now) };
        frame.map(|(frame, _)| frame)
    }

    /// The channel is to be answered: media that comes from now on waits for [`Self::answered`]. Whoever waits for
    /// the answer reads the channel and throws away what was faster than it.
    pub fn answering(&mut self) {
        if self.answer == Answering::No {
            self.answer = Answering::Due;
        }
    }

    /// The answer stands in the channel's own queue, which is read before us. Called on any thread.
    pub fn answered(&mut self, now: MonoTime, effects: &mut Vec<Effect>) {
        self.answer = Answering::Done;
        self.settle(now, effects);
        self.set_clock(now);
    }

    /// When [`Self::read`] wants to be called next. Look at it again after every call of the three above.
    pub fn clock(&self) -> ClockSetting {
        self.clock
    }

    /// Whether media from the core goes to the app.
    pub fn sends_media(&self) -> bool {
        self.direction.app_receives()
    }

    /// Whether media from the app is wanted.
    pub fn wants_media(&self) -> bool {
        self.direction.app_sends()
    }

    /// Whether the last message with media found the queue full.
    pub fn is_dropping(&self) -> bool {
        self.dropping
    }

    /// Frames in messages that found the queue full.
    pub fn frames_dropped(&self) -> u64 {
        self.stats.frames_dropped
    }

    /// Which way media goes now.
    pub fn direction(&self) -> MediaDirection {
        self.direction
    }

    /// What a message is; not always what was asked for, see [`Self::new`].
    pub fn mode(&self) -> MediaMode {
        self.mode
    }

    /// How this call's control messages are written.
    pub fn control_message_format(&self) -> ControlMessageFormat {
        self.control_message_format
    }

    /// What GET_STATUS answers.
    pub fn status(&self) -> Status {
        let limits = self.queue.limits();
        Status {
            queue_length: self.queue.len_frames(),
            xon_level: limits.xon,
            xoff_level: limits.xoff,
            queue_full: self.queue.is_full(),
            bulk_media: self.buffering,
            media_paused: self.paused,
        }
    }

    /// The counters so far. Any thread, as with all that only looks.
    pub fn stats(&self) -> SessionStats {
        SessionStats { queue_high_water: self.queue.high_water_frames(), ..self.stats }
    }

    /// Why `command` is not allowed now; passthrough is looked at first, as in the C module.
    fn refusal(&self, command: &Command) -> Option<String> {
        use Command::{
            Answer, ContinueMedia, FlushMedia, GetStatus, Hangup, MarkMedia, PauseMedia, ReportQueueDrained,
            SetMediaDirection, StartMediaBuffering, StopMediaBuffering,
        };
        let (in_passthrough, in_direction_in) = match command {
            Answer | Hangup | GetStatus => (true, true),
            StartMediaBuffering | StopMediaBuffering { .. } | PauseMedia | ContinueMedia => (false, false),
            // DIVERGES: the C module (22.10) refuses it in passthrough; newer ones do not.
            MarkMedia { .. } => (true, false),
            FlushMedia | ReportQueueDrained | SetMediaDirection(_) => (false, true),
        };
        let name = command.name();
        if self.mode == MediaMode::Passthrough && !in_passthrough {
            Some(format!("{name} not supported in passthrough mode"))
        } else if self.direction == MediaDirection::In && !in_direction_in {
            Some(format!("{name} not supported while media direction is 'in'"))
        } else {
            None
        }
    }

    fn refuse(&mut self, effects: &mut Vec<Effect>, error_text: String) {
        self.stats.commands_refused += 1;
        send_error(effects, error_text);
    }

    fn start_media_buffering(&mut self, effects: &mut Vec<Effect>) {
        // DIVERGES: the C module (22.10) takes a second START in silence; newer ones do not.
        if self.buffering {
            send_error(effects, "START_MEDIA_BUFFERING while media is being buffered already".to_owned());
        }
        self.buffering = true;
    }

    fn stop_media_buffering(
        &mut self,
        correlation_id: Option<String>,
        now: MonoTime,
        effects: &mut Vec<Effect>,
    ) {
        // DIVERGES: the C module (22.10) takes a STOP without START in silence; newer ones do not. The app
        // waits for the event in any case, so it gets it.
        if !self.buffering {
            send_error(effects, "STOP_MEDIA_BUFFERING without START_MEDIA_BUFFERING".to_owned());
        }
        self.buffering = false;
        if let Some(reframer) = &mut self.reframer {
            let frame_size = reframer.frame_size();
            if let Some(last) = reframer.finish(self.format.silence) {
                self.push_media(last, frame_size, Pace::Bulk, now, effects);
            }
        }
        self.push_mark("STOP_MEDIA_BUFFERING", Event::MediaBufferingCompleted { correlation_id }, effects);
    }

    fn flush_media(&mut self, now: MonoTime, effects: &mut Vec<Effect>) {
        // Nothing that comes now was meant for an earlier time.
        self.stalled_until = None;
        self.schedule.resume(now);
        self.buffering = false;
        // DIVERGES: the C module goes on pausing, though its documentation says otherwise.
        self.paused = false;
        if let Some(reframer) = &mut self.reframer {
            self.stats.bytes_cut_off += reframer.clear() as u64;
        }
        // DIVERGES: the C module sends MEDIA_XON at an unpaused tick only, though there is room already.
        let (frames, flow) = self.queue.clear();
        self.stats.frames_flushed += frames as u64;
        effects.extend(flow.map(|flow| Effect::Send(flow.into())));
        // Nothing is left whose end could be waited for.
        if std::mem::take(&mut self.report_queue_drained) {
            effects.push(Effect::Send(Event::QueueDrained));
        }
    }

    /// DIVERGES: the C module drops in silence.
    fn drop_message(&mut self, len_bytes: usize, effects: &mut Vec<Effect>) {
        let frame_size = self.reframer.as_ref().map_or(len_bytes, Reframer::frame_size);
        self.stats.messages_dropped += 1;
        self.stats.frames_dropped += len_bytes.div_ceil(frame_size.max(1)) as u64;
        if !std::mem::replace(&mut self.dropping, true) {
            let frames = self.queue.len_frames();
            send_error(effects, format!("Media dropped: the queue is full with {frames} frames"));
        }
    }

    fn push_media(
        &mut self,
        bytes: Bytes,
        frame_len: usize,
        pace: Pace,
        came: MonoTime,
        effects: &mut Vec<Effect>,
    ) {
        let (frames, flow) = self.queue.push_media(bytes, frame_len, pace, came);
        self.stats.frames_in += frames as u64;
        effects.extend(flow.map(|flow| Effect::Send(flow.into())));
    }

    fn push_mark(&mut self, command: &str, event: Event, effects: &mut Vec<Effect>) {
        if let Err(error) = self.queue.push_mark(event) {
            send_error(effects, format!("{command} refused: {error}"));
        }
    }

    /// Whether media from the app goes to the core now, if there is any.
    fn plays(&self) -> bool {
        !self.paused && self.direction.app_sends()
    }

    /// The frame whose turn it is at `now`, with the events that stand before it as effects.
    fn take_frame(&mut self, now: MonoTime, effects: &mut Vec<Effect>) -> Option<(MediaFrame, Pace)> {
        if !self.plays() {
            return None;
        }
        self.send_due_marks(now, effects);
        match self.queue.head()? {
            Head::Frame(_) if self.answer == Answering::Due => return None,
            Head::Frame(Pace::Unpaced) => {}
            Head::Frame(_) if self.schedule.is_reached(now) => {}
            _ => return None,
        }
        let (frame, flow) = self.queue.pop_frame()?;
        let samples = self.samples.samples(&frame.payload);
        // A frame that was cut takes one ptime, also the short one at the end of a bulk.
        // DIVERGES: for the C module that holds in passthrough too, whatever a message lasts.
        let duration =
            if self.reframer.is_some() { self.format.ptime() } else { self.format.duration_of(samples) };
        let slot = self.schedule.take(now, frame.pace, duration);
        let waited = now.since(frame.came);
        self.stats.queue_wait.record(waited);
        self.stats.longest_queue_wait = self.stats.longest_queue_wait.max(waited);
        self.stats.lateness.record(slot.lateness);
        self.stats.frames_played += 1;
        self.stats.late_reads += u64::from(slot.lateness >= duration);
        self.stats.longest_lateness = self.stats.longest_lateness.max(slot.lateness);
        effects.extend(flow.map(|flow| Effect::Send(flow.into())));
        Some((MediaFrame { payload: frame.payload, samples, due: slot.due }, frame.pace))
    }

    fn send_due_marks(&mut self, now: MonoTime, effects: &mut Vec<Effect>) {
        while self.queue.head() == Some(Head::Mark) && self.schedule.is_reached(now) {
            effects.extend(self.queue.pop_mark().map(Effect::Send));
        }
    }

    /// Looks whether the clock's tick is late by a whole frame. Then the process has stood still, the socket was not
    /// read either, and a live stream that was just being played is on its way through it: the queue was not empty
    /// because the app was silent.
    fn notice_stall(&mut self, now: MonoTime) {
        let late = |deadline| now.since(deadline) >= self.format.ptime();
        if self.clock.deadline.is_some_and(late) {
            self.stalled_until = Some(now + STALL_GRACE);
        }
    }

    /// After anything has changed: does what can be done at once.
    fn settle(&mut self, now: MonoTime, effects: &mut Vec<Effect>) {
        let plays = self.plays();
        let playable = plays && self.answer != Answering::Due && self.queue.len_frames() > 0;
        if playable && !self.playable {
            let held_up = self.stalled_until.is_some_and(|until| now < until);
            if !held_up || self.schedule.next_slot().is_none() {
                self.schedule.resume(now);
            }
        }
        self.playable = playable;
        if plays {
            self.send_due_marks(now, effects);
        } else {
            self.trailing_tick = false;
            self.stalled_until = None;
        }
        // DIVERGES: the C module looks at the queue at unpaused ticks only, and loses the report behind a
        // pause.
        let drained = self.queue.is_empty() && (!plays || self.schedule.is_reached(now));
        if drained && std::mem::take(&mut self.report_queue_drained) {
            effects.push(Effect::Send(Event::QueueDrained));
        }
    }

    fn set_clock(&mut self, now: MonoTime) {
        let deadline = self.wanted_deadline(now);
        // A tick that is already on its way serves as well.
        let on_its_way =
            self.clock.deadline.is_some_and(|set| set <= now) && deadline.is_some_and(|due| due <= now);
        if deadline != self.clock.deadline && !on_its_way {
            self.clock = ClockSetting { seq: self.clock.seq.wrapping_add(1), deadline };
        }
    }

    fn wanted_deadline(&self, now: MonoTime) -> Option<MonoTime> {
        if !self.plays() {
            return None;
        }
        match self.queue.head() {
            Some(Head::Frame(_)) if self.answer == Answering::Due => None,
            Some(Head::Frame(Pace::Unpaced)) => Some(now),
            Some(Head::Frame(_) | Head::Mark) => self.schedule.next_slot(),
            None if self.report_queue_drained || self.trailing_tick => self.schedule.next_slot(),
            None => None,
        }
    }
}

fn send_error(effects: &mut Vec<Effect>, error_text: String) {
    effects.push(Effect::Send(Event::Error { error_text }));
}

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fixture;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod model;
#[cfg(all(test, loom))]
mod models;
#[cfg(test)]
mod tests;
