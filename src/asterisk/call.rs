//! One call: what hangs on a channel. Ties the session, the connection and the channel together.
//!
//! | file | concern |
//! | --- | --- |
//! | here | what a call is made of, and its channel |
//! | `link` | the connection id's claim, the connection, events |
//! | `media` | the session at work: media both ways, commands, the clock |
//! | `handler` | what the connection's reactor tells |
//! | `hold` | music on hold |
//! | `around`, `transfer` | the call around the media: states, texts, events; transfer |
//! | `ending` | what is done when a call ends |
//! | `media_stop` | the last message to the application |
//! | `media_out` | the connection, as the thread that sends media has it |
//! | `report` | what people see of it |
//!
//! Which connection a call has, and what ends it, is [`crate::call`]'s to say.
//!
//! Lock order: the channel lock first, then any lock in here; no lock in here is held across a call into Asterisk or
//! across a syscall.

mod around;
mod ending;
mod handler;
mod hold;
mod link;
mod media;
mod media_out;
mod media_stop;
mod report;
mod transfer;

use std::ffi::CString;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use self::around::Watch;
use self::hold::Hold;
pub(super) use self::link::Connection;
use self::media_out::MediaOut;
use self::transfer::Pending;
pub(super) use self::transfer::THREAD as TRANSFER_THREAD;
use super::channel::{Channel, Locked};
use super::driver::Driver;
use super::format::Format;
use super::frame::FrameSlot;
use super::jobs::Job;
use super::notifications::Notifications;
use super::sys;
use crate::call::link::Link;
use crate::call::permissions::EventRate;
use crate::net::clock::Clock;
use crate::net::connector::ConnectHandle;
use crate::playout::media_format::MediaFormat;
use crate::playout::session::{MediaMode, Session};
use crate::protocol::command::ControlMessageFormat;
use crate::report::call_record::CallRecord;
use crate::report::direct_bridge::DirectCounters;
use crate::settings::config::Settings;

/// How long a call waits for another connection when it has lost one: it ends.
const RECONNECT: Option<Duration> = None;

/// Calls that were ever made.
static CALLS: AtomicU64 = AtomicU64::new(0);

/// Who connects to whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallRole {
    /// The application connects to Asterisk's HTTP server.
    Incoming,
    /// Asterisk connects to the websocket_client that the dial string names.
    Outgoing,
}

impl CallRole {
    /// The word for it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Incoming => "incoming",
            Self::Outgoing => "outgoing",
        }
    }
}

/// What a call is made of; see [`Call::new`].
pub(crate) struct NewCall {
    pub(crate) driver: Arc<Driver>,
    pub(crate) role: CallRole,
    pub(crate) connection_id: String,
    pub(crate) uri_params: Option<String>,
    pub(crate) auto_answer: bool,
    pub(crate) format: Format,
    pub(crate) media_format: MediaFormat,
    pub(crate) session: Session,
    /// Asterisk counts the samples of a message, which is a frame: no rule of its codec is known.
    pub(crate) counts_messages: bool,
    pub(crate) settings: Arc<Settings>,
    pub(crate) clock: Clock,
}

/// One call. The channel owns one reference (its `tech_pvt`), the connection another.
pub(crate) struct Call {
    me: Weak<Call>,
    /// Unique in the process.
    pub(crate) number: u64,
    pub(super) since: Instant,
    pub(crate) driver: Arc<Driver>,
    pub(crate) role: CallRole,
    pub(crate) connection_id: String,
    connection_id_c: CString,
    pub(crate) uri_params: Option<String>,
    pub(crate) auto_answer: bool,
    pub(crate) settings: Arc<Settings>,
    format: Format,
    pub(super) media_format: MediaFormat,
    pub(super) control_message_format: ControlMessageFormat,
    pub(super) mode: MediaMode,
    /// See [`NewCall::counts_messages`].
    counts_messages: bool,
    identity: OnceLock<Identity>,
    /// For log lines; 0 before the channel has one.
    callid: AtomicU32,
    /// The channel as it is now; `fixup` changes it, hangup takes it away.
    owner: Mutex<Option<Channel>>,
    session: Mutex<Session>,
    /// Mirrors `Session::sends_media`, to see it without the lock.
    sends_media: AtomicBool,
    clock: Clock,
    frame: FrameSlot,
    answer_asked: AtomicBool,
    pub(super) link: Link<Connection, ConnectHandle>,
    media_out: MediaOut,
    /// Its frames in direct bridges.
    pub(super) direct: DirectCounters,
    wrong_format_frames: AtomicU64,
    pub(crate) record: CallRecord,
    pub(crate) notifications: Notifications,
    /// `websocket set debug` asked for this call's control messages.
    debug: AtomicBool,
    totals_left: AtomicBool,
    hold: Mutex<Hold>,
    watch: Watch,
    event_rate: Mutex<EventRate>,
    transfer: Mutex<Pending>,
}

/// Name and unique id of the channel at its creation: what the application knows the call by, also after a
/// masquerade.
struct Identity {
    name: String,
    uniqueid: String,
}

impl std::fmt::Debug for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Call").field("connection_id", &self.connection_id).finish_non_exhaustive()
    }
}

impl Call {
    /// A call without a channel yet.
    pub(crate) fn new(new: NewCall) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            me: me.clone(),
            number: CALLS.fetch_add(1, Ordering::Relaxed) + 1,
            since: Instant::now(),
            driver: new.driver,
            role: new.role,
            connection_id_c: CString::new(new.connection_id.as_str()).unwrap_or_default(),
            connection_id: new.connection_id,
            uri_params: new.uri_params,
            auto_answer: new.auto_answer,
            settings: new.settings,
            format: new.format,
            media_format: new.media_format,
            control_message_format: new.session.control_message_format(),
            mode: new.session.mode(),
            counts_messages: new.counts_messages,
            identity: OnceLock::new(),
            callid: AtomicU32::new(0),
            owner: Mutex::new(None),
            sends_media: AtomicBool::new(new.session.sends_media()),
            session: Mutex::new(new.session),
            clock: new.clock,
            frame: FrameSlot::new(),
            answer_asked: AtomicBool::new(false),
            link: Link::new(RECONNECT),
            media_out: MediaOut::default(),
            direct: DirectCounters::default(),
            wrong_format_frames: AtomicU64::new(0),
            record: CallRecord::default(),
            notifications: Notifications::default(),
            debug: AtomicBool::new(false),
            totals_left: AtomicBool::new(false),
            hold: Mutex::default(),
            watch: Watch::default(),
            event_rate: Mutex::default(),
            transfer: Mutex::default(),
        })
    }

    /// A reference of one's own.
    pub(crate) fn me(&self) -> Option<Arc<Call>> {
        self.me.upgrade()
    }

    /// Ties the call to its channel, which is locked and being set up.
    pub(crate) fn attach(&self, channel: Channel, locked: Locked<'_>) -> bool {
        let _ = self.identity.set(Identity { name: locked.name(), uniqueid: locked.uniqueid() });
        self.adopt_callid(locked);
        locked.set_variable(
            c"MEDIA_WEBSOCKET_OPTIMAL_FRAME_SIZE",
            &self.media_format.optimal_frame_size.to_string(),
        );
        locked.set_variable(c"MEDIA_WEBSOCKET_CONNECTION_ID", &self.connection_id);
        if !locked.set_format(&self.format) {
            return false;
        }
        locked.set_clock_fd(Some(self.clock.as_raw_fd()));
        *self.owner.lock() = Some(channel);
        true
    }

    /// The channel may get its call id after it was made.
    pub(crate) fn adopt_callid(&self, channel: Locked<'_>) {
        self.callid.store(channel.callid(), Ordering::Relaxed);
    }

    /// The call id for log lines; 0 if there is none.
    pub(crate) fn callid(&self) -> u32 {
        self.callid.load(Ordering::Relaxed)
    }

    /// The channel's name, for log lines.
    pub(crate) fn name(&self) -> &str {
        self.identity.get().map_or("<unknown>", |identity| &identity.name)
    }

    /// The channel's unique id, as the application knows it.
    pub(crate) fn uniqueid(&self) -> &str {
        self.identity.get().map_or("", |identity| &identity.uniqueid)
    }

    /// The connection id as a C string that lives as long as the call.
    pub(crate) fn connection_id_c(&self) -> *const std::ffi::c_char {
        self.connection_id_c.as_ptr()
    }

    /// The channel as it is now; `None` after the hangup.
    pub(crate) fn channel(&self) -> Option<Channel> {
        self.owner.lock().clone()
    }

    /// Whether `channel` is still this call's.
    pub(crate) fn belongs_to(&self, channel: &Channel) -> bool {
        self.owner.lock().as_ref() == Some(channel)
    }

    /// Whether this is the call's channel now.
    pub(crate) fn is_on(&self, channel: Locked<'_>) -> bool {
        self.owner.lock().as_ref().is_some_and(|owner| owner.is(channel.as_ptr()))
    }

    /// The channel has been replaced by another in a masquerade (`fixup`).
    pub(crate) fn move_to(&self, old: *mut sys::ast_channel, new: Channel) {
        let mut owner = self.owner.lock();
        if owner.as_ref().is_some_and(|channel| channel.is(old)) {
            let replaced = owner.replace(new);
            drop(owner);
            drop(replaced);
            self.forget_hold();
            self.look_again();
        }
    }

    /// Queues what needs the channel's lock.
    fn post(&self, job: impl FnOnce(Arc<Call>) -> Job) {
        if let Some(call) = self.me.upgrade() {
            self.driver.jobs.post(job(call));
        }
    }
}
