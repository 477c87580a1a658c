//! One call: what the app's messages do to its media, and when which frame goes to the core.
//!
//! Bytes, text and time in; frames, events and the clock's next deadline out. The code here uses no socket, no timer
//! and no Asterisk symbol. The caller holds one lock around a [`Session`]; the reactor thread brings
//! the app's messages, the channel's thread reads. The caller queues the events among the actions under that lock,
//! so that the app gets them in the order in which they happened, and does everything else after it has released
//! the lock.
//!
//! | file | concern |
//! | --- | --- |
//! | here | the state of a call, and its getters |
//! | `media` | binary messages: cut or joined into frames, and queued |
//! | `rests` | bytes that fill no frame, in a dialect that joins them with the next message |
//! | `commands` | text messages: what each command does, and when it is refused |
//! | `flushing` | FLUSH_MEDIA |
//! | `playing` | which frame goes to the core and when, and the marks between frames |
//! | `filling` | silence while there is nothing to play |
//! | `pressing` | digits that come out of the channel |
//! | `dropping` | media that is not played: the queue is full, or more waits than may |
//! | `clock_setting` | when the channel has to be read |
//! | `position` | the position of playback |
//! | `subscriptions` | the added events that the app has requested |
//! | `around` | events about the call around its media |

mod around;
mod clock_setting;
mod commands;
mod dropping;
mod filling;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fixture;
mod flushing;
mod media;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod model;
#[cfg(all(test, loom))]
mod models;
mod playing;
mod position;
mod pressing;
mod rests;
mod setup;
mod stats;
mod subscriptions;
#[cfg(test)]
mod tests;

use std::time::Duration;

use super::delivery::Deliveries;
use super::digits::Digits;
use super::media_format::MediaFormat;
use super::pacing::Schedule;
use super::queue::FrameQueue;
use super::reframing::Reframer;
use super::sample_counter::SampleCounter;
use super::silence::SilenceFrame;
use crate::mono_time::MonoTime;
use crate::protocol::command::{MediaDirection, SendEvent, SendText, Transfer};
use crate::protocol::dialect::ControlMessageFormat;
use crate::protocol::event::{AddedEvent, Event, Status};

use self::around::Told;
pub use self::around::{Indication, SeenBridge, SeenCall};
pub use self::clock_setting::ClockSetting;
use self::dropping::Drops;
pub use self::playing::MediaFrame;
use self::rests::Rests;
pub use self::setup::{ConnectionLimits, MediaMode, SessionConfig};
pub use self::stats::SessionStats;
use self::subscriptions::Subscriptions;
pub use super::queue::QueueLimits;

/// Something that the caller has to do. Events are queued under the session's lock and sent without it; the rest is
/// done without it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Send the app this event.
    Send(Event),
    /// Answer the channel.
    Answer,
    /// Hang the channel up, cause normal.
    Hangup,
    /// The app has sent a SUBSCRIBE: look at the channel, and start or stop watching it.
    Subscribed,
    /// Give the core this text.
    SendText(Box<SendText>),
    /// Send this event to ARI and AMI, if that is permitted.
    SendEvent(Box<SendEvent>),
    /// Transfer the bridge's other side, if that is permitted.
    Transfer(Box<Transfer>),
    /// Read from the app again, which had to wait: see [`Session::holds`].
    ReadOn,
}

impl Action {
    fn send_added(event: AddedEvent) -> Self {
        Self::Send(Event::Added(Box::new(event)))
    }
}

/// The state of the first answer to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Answering {
    /// The call is not answered.
    #[default]
    No,
    /// The caller of the session has been told to answer, or knows it, and has not done it yet.
    Due,
    /// The core has the answer.
    Done,
}

/// The state of one call.
pub struct Session {
    format: MediaFormat,
    mode: MediaMode,
    direction: MediaDirection,
    control_message_format: ControlMessageFormat,
    samples: Box<dyn SampleCounter>,
    /// `None` if messages are never cut.
    reframer: Option<Reframer>,
    /// Whether bytes that fill no frame wait for the next message, and the marks after them.
    rests: Rests,
    queue: FrameQueue,
    schedule: Schedule,
    /// The frame that fills the gaps between media; `None`: they are not filled.
    silence: Option<SilenceFrame>,
    deliveries: Deliveries,
    digits: Digits,
    clock: ClockSetting,
    /// Between START_ and STOP_MEDIA_BUFFERING.
    buffering: bool,
    paused: bool,
    answer: Answering,
    report_queue_drained: bool,
    /// Live media that may wait; `None`: any.
    max_latency: Option<Duration>,
    drops: Drops,
    /// Media is being dropped, and the app has been told.
    dropping: bool,
    /// There was media to play when this was last checked.
    playable: bool,
    /// The process has stood still. Media that comes before this time had waited in the socket, and is late itself.
    stalled_until: Option<MonoTime>,
    /// The clock ticks once more after the last frame, so that a steady stream does not need a new setting for each
    /// message.
    trailing_wake: bool,
    stats: SessionStats,
    subscriptions: Subscriptions,
    told: Told,
    connection_limits: ConnectionLimits,
}

impl Session {
    /// A call on which nothing has happened yet.
    ///
    /// A format that cannot be cut makes [`MediaMode::Framed`] passthrough.
    pub fn new(config: SessionConfig, samples: Box<dyn SampleCounter>) -> Self {
        let SessionConfig { format, mode, direction, control_message_format, limits, .. } = config;
        let reframer = match mode {
            MediaMode::Passthrough => None,
            MediaMode::Framed | MediaMode::Unbuffered => format.framing.map(Reframer::new),
        };
        let mode =
            if mode == MediaMode::Framed && reframer.is_none() { MediaMode::Passthrough } else { mode };
        let deliveries = Deliveries::new(format.sample_rate);
        Self {
            format,
            mode,
            direction,
            control_message_format,
            samples,
            reframer,
            rests: Rests::new(config.joins_media),
            queue: FrameQueue::new(limits, config.overflow),
            schedule: Schedule::on_grid(config.clock_grid),
            silence: config.silence,
            deliveries,
            digits: Digits::new(config.shortest_digit),
            clock: ClockSetting::default(),
            buffering: false,
            paused: false,
            answer: Answering::default(),
            report_queue_drained: false,
            max_latency: config.max_latency,
            drops: Drops::default(),
            dropping: false,
            playable: false,
            stalled_until: None,
            trailing_wake: false,
            stats: SessionStats::default(),
            subscriptions: Subscriptions::to(config.topics),
            told: Told::default(),
            connection_limits: config.connection_limits,
        }
    }

    /// Whether media from the core goes to the app.
    pub fn sends_media(&self) -> bool {
        self.direction.app_receives()
    }

    /// Whether media from the app is accepted.
    pub fn wants_media(&self) -> bool {
        self.direction.app_sends()
    }

    /// Whether the last message with media found the queue full.
    pub fn is_dropping(&self) -> bool {
        self.dropping
    }

    /// Whether the app must not be read until [`Action::ReadOn`]: the queue is full and drops nothing.
    pub fn holds(&self) -> bool {
        self.queue.holds()
    }

    /// Whether the session is stuck for good: paused with a full queue, so that CONTINUE_MEDIA cannot be read.
    pub fn is_stuck(&self) -> bool {
        self.holds() && self.paused
    }

    /// Called when the call is over for its app and nothing more is played. Frees the memory of a queue that could
    /// grow. Media that still comes is not queued.
    pub fn abandon(&mut self, actions: &mut Vec<Action>) {
        self.queue.abandon();
        if self.queue.is_abandoned() {
            self.read_on(actions);
        }
    }

    /// Frames in messages that found the queue full.
    pub fn frames_dropped(&self) -> u64 {
        self.stats.frames_dropped
    }

    /// The media direction now.
    pub fn direction(&self) -> MediaDirection {
        self.direction
    }

    /// What a message is; not always the configured mode, see [`Self::new`].
    pub fn mode(&self) -> MediaMode {
        self.mode
    }

    /// How this call's control messages are written.
    pub fn control_message_format(&self) -> ControlMessageFormat {
        self.control_message_format
    }

    /// Playing time of the waiting media.
    pub fn queued_media(&self) -> Duration {
        self.queue.media()
    }

    /// The answer to GET_STATUS, without the times of media.
    pub fn status(&self) -> Status {
        let limits = self.queue.limits();
        Status {
            queue_length: self.queue.len_frames(),
            xon_level: limits.xon,
            xoff_level: limits.xoff,
            queue_full: self.queue.is_full(),
            bulk_media: self.buffering,
            media_paused: self.paused,
            times: None,
        }
    }

    /// Called when media has been removed: has the app read again if it had to wait for room.
    fn read_on(&mut self, actions: &mut Vec<Action>) {
        if self.queue.release_if_room() {
            actions.push(Action::ReadOn);
        }
    }

    /// The counters so far. Any thread, as for all getters.
    pub fn stats(&self) -> SessionStats {
        SessionStats { queue_high_water: self.queue.high_water_frames(), ..self.stats }
    }
}

fn send_error(actions: &mut Vec<Action>, error_text: String) {
    actions.push(Action::Send(Event::Error { error_text }));
}
