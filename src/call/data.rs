//! A call: its parameters, its parts, and its name.

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

/// The number of calls so far.
static CALLS: AtomicU64 = AtomicU64::new(0);

/// The parameters of a new call.
pub struct NewCall {
    /// Who connects.
    pub role: CallRole,
    /// The connection id, or the name of the websocket_client.
    pub connection_id: String,
    /// Parameters that the dial string adds to the URI.
    pub uri_params: Option<String>,
    /// The dialect for its application.
    pub dialect: Box<dyn Dialect>,
    /// Whether connecting answers the channel.
    pub auto_answer: bool,
    /// The channel's only format.
    pub media_format: MediaFormat,
    /// Decides what is played and when.
    pub session: Session,
    /// The settings of this call.
    pub settings: Arc<Settings>,
    /// What wakes the channel's thread.
    pub clock: Clock,
    /// How long the call outlives a connection; `None`: not at all.
    pub reconnect: Option<Duration>,
    /// The debug settings of all calls.
    pub debug: Arc<DebugSettings>,
}

/// A call without its channel.
pub struct CallData {
    /// Unique in the process.
    pub number: u64,
    /// When it was made.
    pub since: Instant,
    /// Who connects.
    pub role: CallRole,
    /// The connection id, or the name of the websocket_client.
    pub connection_id: String,
    /// Parameters that the dial string adds to the URI.
    pub uri_params: Option<String>,
    /// Whether connecting answers the channel.
    pub auto_answer: bool,
    /// The settings of this call.
    pub settings: Arc<Settings>,
    /// The channel's only format.
    pub media_format: MediaFormat,
    /// The dialect's name.
    pub control_message_format: ControlMessageFormat,
    /// The dialect for its application.
    pub dialect: Box<dyn Dialect>,
    /// What a message is.
    pub mode: MediaMode,
    /// Decides what is played, when, and who fetches it.
    pub playout: Playout,
    /// Its connection.
    pub link: Link<CallConnection, ConnectHandle>,
    /// Its counters besides those of its session and its connection.
    pub stats: CallStats,
    /// Its frames to the application in direct bridges.
    pub direct: DirectCounters,
    /// Its frames from the application in direct bridges.
    pub played_directly: DirectCounters,
    /// Set if the dialect says when media plays, or how much media makes a message.
    pub(super) outgoing_media: Option<Mutex<OutgoingMedia>>,
    identity: OnceLock<Identity>,
    /// For log lines; 0 before the channel has one.
    callid: AtomicU32,
    wrong_format_frames: AtomicU64,
    /// The application has already made an error that its dialect has no message for.
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

/// `None`: media goes out unchanged, frame by frame.
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

    /// The call has got its channel. Only the first call of this counts.
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

    /// Sets the call id; the channel may get one after it was made.
    pub fn set_callid(&self, callid: u32) {
        self.callid.store(callid, Ordering::Relaxed);
    }

    /// The call id for log lines; 0 if there is none.
    pub fn callid(&self) -> u32 {
        self.callid.load(Ordering::Relaxed)
    }

    /// Whether messages go to the core as they arrive.
    pub fn is_unbuffered(&self) -> bool {
        self.mode == MediaMode::Unbuffered
    }

    /// Whether the call still wants a connection that it is about to get.
    pub fn is_connecting(&self) -> bool {
        self.link.state() == State::Connecting
    }

    /// When an INCOMING channel is hung up if no application has connected; `None` if that is not configured.
    pub fn incoming_deadline(&self) -> Option<TimerKey> {
        let limit = self.settings.incoming_timeout.filter(|_| self.role == CallRole::Incoming)?;
        Some((self.since + limit, self.number))
    }

    /// How long the call has been without a connection that it had lost, until now.
    pub fn lost_time(&self) -> Duration {
        self.stats.lost() + self.link.lost_since().map(|since| since.elapsed()).unwrap_or_default()
    }

    /// Counts a frame of the core in a wrong format. Returns how many there were before.
    pub fn count_wrong_format(&self) -> u64 {
        self.wrong_format_frames.fetch_add(1, Ordering::Relaxed)
    }

    /// Frames of the core that were in a wrong format.
    pub fn wrong_format_frames(&self) -> u64 {
        self.wrong_format_frames.load(Ordering::Relaxed)
    }

    /// The application has made an error that its dialect cannot report. True for the first one.
    pub fn is_first_unsaid(&self) -> bool {
        !self.has_unsaid.swap(true, Ordering::Relaxed)
    }

    /// The channel is to be answered. True for the first request: an application may ask any number of times.
    pub fn is_first_answer(&self) -> bool {
        !self.answer_asked.swap(true, Ordering::Relaxed)
    }

    /// The totals are to be written into the channel's variables. True for the first time.
    pub fn is_first_leaving(&self) -> bool {
        !self.totals_left.swap(true, Ordering::Relaxed)
    }

    /// Whether this call's control messages are shown at the console.
    pub fn is_debugged(&self) -> bool {
        self.is_debugged.load(Ordering::Relaxed) || self.debug.wants_all()
    }

    /// Starts or stops showing them.
    pub fn set_debug(&self, on: bool) {
        self.is_debugged.store(on, Ordering::Relaxed);
    }

    /// The state of the session, for debug messages.
    pub fn session_state(&self) -> String {
        let session = self.playout.session();
        let (status, direction) = (session.status(), session.direction());
        drop(session);
        format!("{status:?}, direction {}", direction.as_str())
    }
}
