//! A call: what it was made of, its parts, and its name.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::call::connection::CallConnection;
use crate::call::debug::DebugSettings;
use crate::call::link::{Link, State};
use crate::call::playout::Playout;
use crate::call::role::CallRole;
use crate::net::clock::Clock;
use crate::net::connector::ConnectHandle;
use crate::net::task_thread::TimerKey;
use crate::playout::media_format::MediaFormat;
use crate::playout::session::{MediaMode, Session};
use crate::protocol::dialect::{ControlMessageFormat, Dialect, OutgoingMedia};
use crate::report::call_stats::CallStats;
use crate::report::direct_bridge::DirectCounters;
use crate::settings::config::Settings;

/// Calls that were ever made.
static CALLS: AtomicU64 = AtomicU64::new(0);

/// What a call is made of.
pub struct NewCall {
    /// Who connects.
    pub role: CallRole,
    /// The connection id, or the name of the websocket_client.
    pub connection_id: String,
    /// What the dial string adds to the URI.
    pub uri_params: Option<String>,
    /// How it speaks with its application.
    pub dialect: Box<dyn Dialect>,
    /// Whether connecting answers the channel.
    pub auto_answer: bool,
    /// The channel's one format.
    pub media_format: MediaFormat,
    /// What is played when.
    pub session: Session,
    /// Those of this call.
    pub settings: Arc<Settings>,
    /// What wakes the channel's thread.
    pub clock: Clock,
    /// How long it outlives a connection; `None`: not at all.
    pub reconnect: Option<Duration>,
    /// Those of all calls.
    pub debug: Arc<DebugSettings>,
}

/// A call, but for its channel.
pub struct CallData {
    /// Unique in the process.
    pub number: u64,
    /// When it was made.
    pub since: Instant,
    /// Who connects.
    pub role: CallRole,
    /// The connection id, or the name of the websocket_client.
    pub connection_id: String,
    /// What the dial string adds to the URI.
    pub uri_params: Option<String>,
    /// Whether connecting answers the channel.
    pub auto_answer: bool,
    /// Those of this call.
    pub settings: Arc<Settings>,
    /// The channel's one format.
    pub media_format: MediaFormat,
    /// Which dialect it speaks.
    pub control_message_format: ControlMessageFormat,
    /// How it speaks with its application.
    pub dialect: Box<dyn Dialect>,
    /// What a message is.
    pub mode: MediaMode,
    /// What is played when, and who takes it.
    pub playout: Playout,
    /// Its connection.
    pub link: Link<CallConnection, ConnectHandle>,
    /// What it counts beside its session and its connection.
    pub stats: CallStats,
    /// Its frames in direct bridges, those to the application.
    pub direct: DirectCounters,
    /// Those from it.
    pub played_directly: DirectCounters,
    /// Where the dialect says when media plays, or how much makes a message.
    pub(super) outgoing_media: Option<Mutex<OutgoingMedia>>,
    identity: OnceLock<Identity>,
    /// For log lines; 0 before the channel has one.
    callid: AtomicU32,
    wrong_format_frames: AtomicU64,
    /// The application has done wrong before, and its dialect has no message that says so.
    has_unsaid: AtomicBool,
    answer_asked: AtomicBool,
    totals_left: AtomicBool,
    /// `websocket set debug` asked for this call's control messages.
    is_debugged: AtomicBool,
    debug: Arc<DebugSettings>,
}

/// Name and unique id of the channel at its creation: what the application knows the call by, also after a
/// masquerade.
struct Identity {
    name: String,
    uniqueid: String,
}

impl std::fmt::Debug for CallData {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CallData").field("connection_id", &self.connection_id).finish_non_exhaustive()
    }
}

/// `None`: media goes out frame by frame, as it is.
fn outgoing_media(dialect: &dyn Dialect, message_bytes: usize) -> Option<Mutex<OutgoingMedia>> {
    let is_plain = message_bytes == 0 && dialect.wire_writer().is_none();
    (!is_plain).then(|| Mutex::new(OutgoingMedia::new(message_bytes)))
}

impl CallData {
    /// A call without a channel yet.
    pub fn new(new: NewCall) -> Self {
        let control_message_format = new.session.control_message_format();
        Self {
            number: CALLS.fetch_add(1, Ordering::Relaxed) + 1,
            since: Instant::now(),
            role: new.role,
            connection_id: new.connection_id,
            uri_params: new.uri_params,
            auto_answer: new.auto_answer,
            settings: new.settings,
            media_format: new.media_format,
            control_message_format,
            outgoing_media: outgoing_media(&*new.dialect, control_message_format.profile().message_bytes),
            dialect: new.dialect,
            mode: new.session.mode(),
            playout: Playout::new(new.session, new.clock),
            link: Link::new(new.reconnect),
            stats: CallStats::default(),
            direct: DirectCounters::default(),
            played_directly: DirectCounters::default(),
            identity: OnceLock::new(),
            callid: AtomicU32::new(0),
            wrong_format_frames: AtomicU64::new(0),
            has_unsaid: AtomicBool::new(false),
            answer_asked: AtomicBool::new(false),
            totals_left: AtomicBool::new(false),
            is_debugged: AtomicBool::new(false),
            debug: new.debug,
        }
    }

    /// The call has got its channel. The first one counts.
    pub fn identify(&self, name: String, uniqueid: String) {
        let _ = self.identity.set(Identity { name, uniqueid });
    }

    /// The channel's name, for log lines.
    pub fn name(&self) -> &str {
        self.identity.get().map_or("<unknown>", |identity| &identity.name)
    }

    /// The channel's unique id, as the application knows it.
    pub fn uniqueid(&self) -> &str {
        self.identity.get().map_or("", |identity| &identity.uniqueid)
    }

    /// The channel may get its call id after it was made.
    pub fn set_callid(&self, callid: u32) {
        self.callid.store(callid, Ordering::Relaxed);
    }

    /// The call id for log lines; 0 if there is none.
    pub fn callid(&self) -> u32 {
        self.callid.load(Ordering::Relaxed)
    }

    /// Whether messages go to the core as they come.
    pub fn is_unbuffered(&self) -> bool {
        self.mode == MediaMode::Unbuffered
    }

    /// Whether the call still wants a connection that it is about to get.
    pub fn is_connecting(&self) -> bool {
        self.link.state() == State::Connecting
    }

    /// When an INCOMING channel is hung up that no application connects to, where that is configured.
    pub fn incoming_deadline(&self) -> Option<TimerKey> {
        let limit = self.settings.incoming_timeout.filter(|_| self.role == CallRole::Incoming)?;
        Some((self.since + limit, self.number))
    }

    /// How long the call was without a connection that it had lost, until now.
    pub fn lost_time(&self) -> Duration {
        self.stats.lost() + self.link.lost_since().map(|since| since.elapsed()).unwrap_or_default()
    }

    /// Counts a frame of the core in a wrong format. Gives how many there were before.
    pub fn count_wrong_format(&self) -> u64 {
        self.wrong_format_frames.fetch_add(1, Ordering::Relaxed)
    }

    /// Frames of the core that were in a wrong format.
    pub fn wrong_format_frames(&self) -> u64 {
        self.wrong_format_frames.load(Ordering::Relaxed)
    }

    /// The application has done wrong, and cannot be told. True for the first time.
    pub fn is_first_unsaid(&self) -> bool {
        !self.has_unsaid.swap(true, Ordering::Relaxed)
    }

    /// The channel is to be answered. True for the first time: an application may ask any number of times.
    pub fn is_first_answer(&self) -> bool {
        !self.answer_asked.swap(true, Ordering::Relaxed)
    }

    /// The totals are to be left in the channel's variables. True for the first time.
    pub fn is_first_leaving(&self) -> bool {
        !self.totals_left.swap(true, Ordering::Relaxed)
    }

    /// Whether this call's control messages are shown at the console.
    pub fn is_debugged(&self) -> bool {
        self.is_debugged.load(Ordering::Relaxed) || self.debug.wants_all()
    }

    /// Shows them, or shows them no more.
    pub fn set_debug(&self, on: bool) {
        self.is_debugged.store(on, Ordering::Relaxed);
    }

    /// For debug messages.
    pub fn session_state(&self) -> String {
        let session = self.playout.session();
        let (status, direction) = (session.status(), session.direction());
        drop(session);
        format!("{status:?}, direction {}", direction.as_str())
    }
}
