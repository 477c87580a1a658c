//! One call: what hangs on a channel. Ties the session, the connection and the channel together.
//!
//! Lock order: the channel lock first, then any lock in here; no lock in here is held across a call into Asterisk or
//! across a syscall.

use std::ffi::CString;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::Mutex;

use super::channel::{Channel, Locked};
use super::clock::{self, Clock};
use super::effects::Job;
use super::engine::Engine;
use super::format::Format;
use super::frame::FrameSlot;
use super::link::NewLink;
use super::log::{self as host_log, call_debug, call_warn, warn_limited};
use super::notify::{self, Notices};
use super::record::{EndedBy, Ending, Record};
use super::view::{self, CallView, LinkView};
use super::{fault, sys};
use crate::driver::command::ControlMessageFormat;
use crate::driver::config::Settings;
use crate::driver::event::{Event, MediaStart};
use crate::driver::figure::Value;
use crate::driver::log_limit::LogLimit;
use crate::driver::media_format::MediaFormat;
use crate::driver::session::{ClockSetting, Effect, MediaMode, Session};
use crate::net::connection::{Closed, Handler};
use crate::net::connector::{ConnectError, ConnectHandle};
use crate::net::outbound::{Dropped, Outbound};
use crate::net::reactor::Slot;

/// Close codes of RFC 6455 section 7.4.1 that serve as the driver's own hangup cause.
pub(crate) const CLOSE_NORMAL: u16 = 1000;
const CLOSE_GOING_AWAY: u16 = 1001;
const CLOSE_ABNORMAL: u16 = 1006;
const CLOSE_INTERNAL_ERROR: u16 = 1011;

/// A warning about frames in a wrong format is given once in this many frames (20 s of them).
const FORMAT_WARNING_EVERY: u64 = 1000;

/// How the HANGUP command, and an operator, end a call.
pub(crate) const NORMAL_HANGUP: HangupCause =
    HangupCause { cause: sys::AST_CAUSE_NORMAL_CLEARING, tech_cause: Some(CLOSE_NORMAL) };

/// An application that reads in fits and starts can have media dropped as often as it likes.
static MEDIA_DROPPED: LogLimit = LogLimit::new();

/// Calls that were ever made.
static CALLS: AtomicU64 = AtomicU64::new(0);

/// Why and how a call is to be hung up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HangupCause {
    /// Asterisk's cause (asterisk/causes.h).
    pub(crate) cause: u32,
    /// The driver's own: a WebSocket close code.
    pub(crate) tech_cause: Option<u16>,
}

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
    pub(crate) engine: Arc<Engine>,
    pub(crate) role: CallRole,
    pub(crate) connection_id: String,
    pub(crate) uri_params: Option<String>,
    pub(crate) auto_answer: bool,
    pub(crate) format: Format,
    pub(crate) media_format: MediaFormat,
    pub(crate) session: Session,
    pub(crate) settings: Arc<Settings>,
    pub(crate) clock: Clock,
}

/// The connection, once there is one.
struct Link {
    out: Arc<Outbound>,
    slot: Slot,
    peer: String,
    write_timeout: Duration,
    ping_interval: Option<Duration>,
}

/// One call. The channel owns one reference (its `tech_pvt`), the connection another.
pub(crate) struct Call {
    me: Weak<Call>,
    /// Unique in the process.
    pub(crate) number: u64,
    since: Instant,
    pub(crate) engine: Arc<Engine>,
    pub(crate) role: CallRole,
    pub(crate) connection_id: String,
    connection_id_c: CString,
    pub(crate) uri_params: Option<String>,
    pub(crate) auto_answer: bool,
    pub(crate) settings: Arc<Settings>,
    format: Format,
    media_format: MediaFormat,
    control_message_format: ControlMessageFormat,
    mode: MediaMode,
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
    wall_offset_ns: i64,
    /// An application has claimed the connection id.
    claimed: AtomicBool,
    hung_up: AtomicBool,
    /// An application may ask any number of times: the first one counts.
    answer_asked: AtomicBool,
    end_asked: AtomicBool,
    link: OnceLock<Link>,
    connecting: Mutex<Option<ConnectHandle>>,
    wrong_format_frames: AtomicU64,
    pub(crate) record: Record,
    pub(crate) notices: Notices,
    /// `websocket set debug` asked for this call's control messages.
    debug: AtomicBool,
    totals_left: AtomicBool,
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
            engine: new.engine,
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
            identity: OnceLock::new(),
            callid: AtomicU32::new(0),
            owner: Mutex::new(None),
            sends_media: AtomicBool::new(new.session.sends_media()),
            session: Mutex::new(new.session),
            clock: new.clock,
            frame: FrameSlot::new(),
            wall_offset_ns: clock::wall_offset_ns(),
            claimed: AtomicBool::new(false),
            hung_up: AtomicBool::new(false),
            answer_asked: AtomicBool::new(false),
            end_asked: AtomicBool::new(false),
            link: OnceLock::new(),
            connecting: Mutex::new(None),
            wrong_format_frames: AtomicU64::new(0),
            record: Record::default(),
            notices: Notices::default(),
            debug: AtomicBool::new(false),
            totals_left: AtomicBool::new(false),
        })
    }

    /// A reference of one's own.
    pub(crate) fn me(&self) -> Option<Arc<Call>> {
        self.me.upgrade()
    }

    /// The connection id as a C string that lives as long as the call.
    pub(crate) fn connection_id_c(&self) -> *const std::ffi::c_char {
        self.connection_id_c.as_ptr()
    }

    /// The application was lost between claim and connection.
    pub(crate) fn connection_lost_in_handshake(&self, what: &str) {
        self.ended(EndedBy::Lost, None, what.to_owned());
        notify::failed(self, sys::AST_CAUSE_NETWORK_OUT_OF_ORDER);
        self.end(sys::AST_CAUSE_NETWORK_OUT_OF_ORDER, CLOSE_ABNORMAL);
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

    /// Leaves the totals in the channel's variables, once: when the connection ends, else at the hangup.
    pub(crate) fn leave_totals(&self, channel: Locked<'_>) {
        if !self.totals_left.swap(true, Ordering::Relaxed) {
            let view = self.view();
            for (variable, figure) in view::TOTALS {
                channel.set_variable(variable, &view.value(figure).unwrap_or(Value::Absent).to_string());
            }
        }
    }

    /// The call as it is now, for an operator.
    pub(crate) fn view(&self) -> CallView {
        let (status, stats, direction) = {
            let session = self.session.lock();
            (session.status(), session.stats(), session.direction())
        };
        CallView {
            name: self.name().to_owned(),
            uniqueid: self.uniqueid().to_owned(),
            role: self.role,
            connection_id: self.connection_id.clone(),
            format: self.media_format.clone(),
            direction: direction.as_str(),
            mode: self.mode,
            control_message_format: self.control_message_format,
            auto_answer: self.auto_answer,
            debug: self.is_debugged(),
            settings: self.settings.clone(),
            age: self.since.elapsed(),
            connect_time: self.record.connected_at().map(|at| at.duration_since(self.since)),
            status,
            stats,
            wrong_format_frames: self.wrong_format_frames.load(Ordering::Relaxed),
            errors: self.record.errors(),
            last_error: self.record.last_error(),
            pings: self.record.pings(),
            ending: self.record.ending().cloned(),
            link: self.link.get().map(|link| self.link_view(link)),
        }
    }

    fn link_view(&self, link: &Link) -> LinkView {
        let counters = &link.out.counters;
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let time = |counter: &AtomicU64| Duration::from_nanos(count(counter));
        LinkView {
            peer: link.peer.clone(),
            tls: link.out.tls_description(),
            write_timeout: link.write_timeout,
            ping_interval: link.ping_interval,
            age: self.record.connected_at().map(|at| at.elapsed()).unwrap_or_default(),
            frames_out: count(&counters.media_messages),
            bytes_out: count(&counters.media_bytes),
            frames_out_dropped: count(&counters.media_dropped),
            out_queue: link.out.queued_media(),
            out_queue_high_water: time(&counters.queue_high_water_ns),
            events: count(&counters.events),
            write_blocked: time(&counters.blocked_ns),
            longest_write_block: time(&counters.longest_block_ns),
        }
    }

    /// What only the channel knows, for a console: waits for its lock.
    pub(crate) fn channel_facts(&self) -> Vec<(String, String)> {
        let Some(channel) = self.channel() else { return Vec::new() };
        let (name, state) = {
            let guard = channel.lock();
            (guard.locked().name(), guard.locked().state())
        };
        let mut facts = vec![("channel_state".to_owned(), state)];
        if name != self.name() {
            facts.push(("channel_now".to_owned(), name));
        }
        facts.push(("bridged_with".to_owned(), channel.bridge_peer().unwrap_or_else(|| "-".to_owned())));
        facts
    }

    /// The application's address, once it is connected.
    pub(crate) fn peer(&self) -> Option<&str> {
        self.link.get().map(|link| link.peer.as_str())
    }

    /// Whether this call's control messages are shown at the console.
    pub(crate) fn is_debugged(&self) -> bool {
        self.debug.load(Ordering::Relaxed) || self.engine.debug.wants_all()
    }

    /// Shows something of them, if that is asked for.
    pub(crate) fn show(&self, what: std::fmt::Arguments<'_>) {
        if self.is_debugged() {
            host_log::verbose(&format!("{}: {what}", self.name()));
        }
    }

    /// Shows them, or shows them no more.
    pub(crate) fn set_debug(&self, on: bool) {
        self.debug.store(on, Ordering::Relaxed);
    }

    /// Hangs up as the application's own HANGUP does.
    pub(crate) fn hang_up_by_operator(&self) {
        self.ended(EndedBy::Operator, Some(CLOSE_NORMAL), String::new());
        self.post(|call| Job::Hangup { call, cause: NORMAL_HANGUP });
    }

    /// Notes what ends the call; the first one counts.
    pub(crate) fn ended(&self, by: EndedBy, code: Option<u16>, reason: String) {
        self.record.end(Ending { by, code, reason });
    }

    /// The channel's name, for log lines.
    pub(crate) fn name(&self) -> &str {
        self.identity.get().map_or("<unknown>", |identity| &identity.name)
    }

    /// The channel's unique id, as the application knows it.
    pub(crate) fn uniqueid(&self) -> &str {
        self.identity.get().map_or("", |identity| &identity.uniqueid)
    }

    /// The channel as it is now; `None` after the hangup.
    pub(crate) fn channel(&self) -> Option<Channel> {
        self.owner.lock().clone()
    }

    /// Whether `channel` is still this call's.
    pub(crate) fn belongs_to(&self, channel: &Channel) -> bool {
        self.owner.lock().as_ref() == Some(channel)
    }

    /// The channel has been replaced by another in a masquerade (`fixup`).
    pub(crate) fn move_to(&self, old: *mut sys::ast_channel, new: Channel) {
        let mut owner = self.owner.lock();
        if owner.as_ref().is_some_and(|channel| channel.is(old)) {
            let replaced = owner.replace(new);
            drop(owner);
            drop(replaced);
        }
    }

    /// The connection id is one application's. False if another was first.
    pub(crate) fn claim(&self) -> bool {
        !self.claimed.swap(true, Ordering::AcqRel)
    }

    /// Whether an application has claimed the connection id.
    pub(crate) fn is_claimed(&self) -> bool {
        self.claimed.load(Ordering::Acquire)
    }

    /// Whether the core has hung the channel up.
    pub(crate) fn is_hung_up(&self) -> bool {
        self.hung_up.load(Ordering::Acquire)
    }

    /// Remembers how to cancel a connection attempt.
    pub(crate) fn set_connecting(&self, handle: ConnectHandle) {
        *self.connecting.lock() = Some(handle);
        if self.is_hung_up() {
            self.cancel_connecting();
        }
    }

    fn cancel_connecting(&self) {
        let handle = self.connecting.lock().take();
        if let Some(handle) = handle {
            handle.cancel();
        }
    }

    /// The first event of a connection. `variables` are the channel's.
    pub(crate) fn media_start(&self, variables: Vec<(String, String)>) -> String {
        self.render(&Event::MediaStart(Box::new(MediaStart {
            connection_id: self.connection_id.clone(),
            channel: self.name().to_owned(),
            format: self.media_format.name.clone(),
            optimal_frame_size: self.media_format.optimal_frame_size,
            ptime_ms: self.media_format.ptime_ms,
            channel_variables: variables,
            passthrough: self.mode == MediaMode::Passthrough,
            unbuffered: self.mode == MediaMode::Unbuffered,
        })))
    }

    /// Whether messages go to the core as they come.
    pub(crate) fn is_unbuffered(&self) -> bool {
        self.mode == MediaMode::Unbuffered
    }

    /// Whether MEDIA_START carries channel variables in this call's format.
    pub(crate) fn reports_variables(&self) -> bool {
        self.control_message_format == ControlMessageFormat::Json
    }

    /// The connection is up and MEDIA_START is out: events and media may follow.
    pub(crate) fn open_link(&self, out: Arc<Outbound>, slot: Slot, link: &NewLink) {
        call_debug!(self, 1, "WebSocket connection with {} established", link.peer);
        self.record.connected();
        self.engine.count_connected(self.role);
        let _ = self.link.set(Link {
            out,
            slot,
            peer: link.peer.clone(),
            write_timeout: link.write_timeout,
            ping_interval: link.pings.map(|pings| pings.interval),
        });
        notify::connected(self);
    }

    /// Sends an event to the application, if it is connected.
    pub(crate) fn send_event(&self, event: &Event) {
        if let Some(link) = self.link.get() {
            if let Event::Error { error_text } = event {
                self.record.error(error_text);
            }
            let text = self.render(event);
            call_debug!(self, 2, "sent {text}");
            self.show(format_args!("event to {}: {text}", link.peer));
            link.out.send_text(&text);
        }
    }

    fn render(&self, event: &Event) -> String {
        event.render(self.control_message_format, self.uniqueid())
    }

    /// The core reads (channel locked, its thread): the frame that is due, if one is.
    pub(crate) fn read(&self) -> Option<*mut sys::ast_frame> {
        fault::point("read");
        let mut effects = Vec::new();
        let (frame, clock) = {
            let mut session = self.session.lock();
            let frame = session.read(clock::now(), &mut effects);
            (frame, session.clock())
        };
        // Always set: that is what takes the descriptor's readiness back.
        self.apply_clock(clock);
        self.run_effects(effects);
        let frame = frame?;
        call_debug!(self, 5, "playing a frame of {} bytes, {} samples", frame.payload.len(), frame.samples);
        Some(self.fill(&frame))
    }

    /// The core writes a voice frame (channel locked, its thread). Never waits.
    pub(crate) fn write_voice(&self, payload: &[u8], samples: u32) {
        fault::point("write");
        if !self.sends_media.load(Ordering::Relaxed) || payload.is_empty() {
            return;
        }
        // DIVERGES: before the application is connected, media is dropped; the C module ends the call.
        if let Some(link) = self.link.get() {
            call_debug!(self, 5, "sending a frame of {} bytes, {samples} samples", payload.len());
            link.out.send_media(payload, self.media_format.duration_of(samples));
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

    /// The call in one line.
    fn summary(&self) -> String {
        let view = self.view();
        let totals =
            view::TOTALS.iter().filter_map(|(_, name)| Some(format!("{name} {}", view.value(name)?)));
        totals.collect::<Vec<_>>().join(", ")
    }

    /// For debug messages.
    fn session_state(&self) -> String {
        let session = self.session.lock();
        let (status, direction) = (session.status(), session.direction());
        format!("{status:?}, direction {}", direction.as_str())
    }

    /// The channel's one format.
    pub(crate) fn format(&self) -> &Format {
        &self.format
    }

    /// The core hangs up with `cause` (channel locked). Closes the connection, cancels an attempt, lets go of the
    /// channel.
    pub(crate) fn hangup(&self, close_code: u16, cause: u32) {
        self.hung_up.store(true, Ordering::Release);
        self.ended(EndedBy::Core, self.link.get().map(|_| close_code), String::new());
        self.engine.forget(self);
        call_debug!(self, 1, "over: {}", self.summary());
        self.cancel_connecting();
        let channel = self.owner.lock().take();
        notify::hung_up(self, cause, channel.filter(|_| self.link.get().is_some()));
        if let Some(link) = self.link.get() {
            call_debug!(self, 1, "closing the WebSocket connection with {}, code {close_code}", link.peer);
            link.slot.close(close_code);
        }
    }

    /// An attempt to connect has failed for good.
    pub(crate) fn connecting_failed(&self, error: &ConnectError) {
        self.ended(EndedBy::NotConnected, None, error.to_string());
        notify::failed(self, sys::AST_CAUSE_NO_ROUTE_DESTINATION);
        self.post(|call| Job::Hangup {
            call,
            cause: HangupCause { cause: sys::AST_CAUSE_NO_ROUTE_DESTINATION, tech_cause: None },
        });
    }

    fn fill(&self, frame: &crate::driver::session::MediaFrame) -> *mut sys::ast_frame {
        // SAFETY: only `read` gets here, which the core calls with the channel locked.
        unsafe { self.frame.fill(frame, &self.format, self.wall_offset_ns) }
    }

    /// Runs `work` on the session, then what it asks for: in order, with no lock held.
    fn with_session(&self, work: impl FnOnce(&mut Session, &mut Vec<Effect>)) {
        let mut effects = Vec::new();
        let (before, clock) = {
            let mut session = self.session.lock();
            let before = session.clock().seq;
            work(&mut session, &mut effects);
            self.sends_media.store(session.sends_media(), Ordering::Relaxed);
            (before, session.clock())
        };
        self.run_effects(effects);
        if clock.seq != before {
            self.apply_clock(clock);
        }
    }

    /// The channel is about to be answered without the application's asking.
    pub(crate) fn answering(&self) {
        self.session.lock().answering();
    }

    /// The channel has been answered: media that came behind the answer may follow it.
    pub(crate) fn answered(&self) {
        self.with_session(|session, effects| session.answered(clock::now(), effects));
    }

    /// Sets the clock's descriptor outside the session's lock. Two threads may do so at once, in any order: whoever
    /// finds a newer setting afterwards applies that, so that the newest wins.
    fn apply_clock(&self, mut setting: ClockSetting) {
        loop {
            self.clock.set(setting.deadline);
            let newest = self.session.lock().clock();
            if newest.seq == setting.seq {
                return;
            }
            setting = newest;
        }
    }

    fn run_effects(&self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Send(event) => self.send_event(&event),
                Effect::Answer if !self.answer_asked.swap(true, Ordering::Relaxed) => {
                    self.post(|call| Job::Answer { call });
                }
                Effect::Answer => {}
                Effect::Hangup => {
                    self.ended(EndedBy::HangupCommand, Some(CLOSE_NORMAL), String::new());
                    self.ask_for_end(NORMAL_HANGUP);
                }
            }
        }
    }

    fn end(&self, cause: u32, tech_cause: u16) {
        self.ask_for_end(HangupCause { cause, tech_cause: Some(tech_cause) });
    }

    fn ask_for_end(&self, cause: HangupCause) {
        if !self.end_asked.swap(true, Ordering::Relaxed) {
            self.post(|call| Job::Hangup { call, cause });
        }
    }

    /// The connection is over, and with it the call.
    fn disconnected(&self, cause: u32, tech_cause: u16) {
        notify::disconnected(self, Some(cause));
        self.end(cause, tech_cause);
    }

    fn post(&self, job: impl FnOnce(Arc<Call>) -> Job) {
        if let Some(call) = self.me.upgrade() {
            self.engine.effects.post(job(call));
        }
    }
}

impl Handler for Call {
    fn on_text(&self, text: &str) {
        fault::point("command");
        call_debug!(self, 2, "received {text}");
        self.show(format_args!("command from {}: {text}", self.peer().unwrap_or("-")));
        self.with_session(|session, effects| session.on_command(text, clock::now(), effects));
        call_debug!(self, 4, "now {}", self.session_state());
    }

    fn on_binary(&self, message: Bytes) {
        fault::point("media");
        call_debug!(self, 5, "received a message of {} bytes", message.len());
        let (mut dropping_before, mut dropping, mut frames_dropped_before) = (false, false, 0);
        self.with_session(|session, effects| {
            dropping_before = session.is_dropping();
            frames_dropped_before = session.frames_dropped();
            session.on_media(message, clock::now(), effects);
            dropping = session.is_dropping();
        });
        match (dropping_before, dropping) {
            (false, true) => notify::overflowing(self, frames_dropped_before),
            (true, false) => notify::flowing(self),
            _ => {}
        }
    }

    fn on_stalled(&self) {
        notify::stalled(self);
    }

    fn on_resumed(&self, lasted: Duration, dropped: Dropped) {
        notify::resumed(self, lasted, dropped);
    }

    fn on_media_dropped(&self, dropped: Dropped) {
        let error_text = format!(
            "Media dropped: {} messages ({} ms) were not read in time",
            dropped.messages,
            dropped.media.as_millis()
        );
        warn_limited!(
            MEDIA_DROPPED,
            "{}: {error_text}; the application reads too slowly, more than out_queue waited for it",
            self.name()
        );
        self.send_event(&Event::Error { error_text });
    }

    fn on_ping(&self, missed: bool) {
        self.record.ping(missed);
        if missed {
            call_debug!(self, 4, "the last ping was not answered");
        }
    }

    fn on_pong(&self, round_trip: Duration) {
        self.record.pong(round_trip);
        call_debug!(self, 4, "ping answered after {:.1} ms", round_trip.as_secs_f64() * 1000.0);
    }

    fn on_closed(&self, closed: Closed) {
        let network = sys::AST_CAUSE_NETWORK_OUT_OF_ORDER;
        self.show(format_args!("connection with {} over: {closed}", self.peer().unwrap_or("-")));
        match closed {
            Closed::ByUs(_) => notify::disconnected(self, None),
            Closed::ByPeer { code, reason } => {
                call_debug!(self, 1, "WebSocket closed by the application, code {code} {reason}");
                self.ended(EndedBy::Application, Some(code), reason);
                self.disconnected(sys::AST_CAUSE_NORMAL_CLEARING, code);
            }
            Closed::Fault { code, what } => {
                call_warn!(self, "WebSocket protocol fault by the application: {what}; closed with {code}");
                self.ended(EndedBy::ProtocolFault, Some(code), what);
                self.disconnected(network, code);
            }
            Closed::Lost(what) => {
                call_debug!(self, 1, "WebSocket connection lost: {what}");
                self.ended(EndedBy::Lost, Some(CLOSE_ABNORMAL), what);
                self.disconnected(network, CLOSE_ABNORMAL);
            }
            Closed::Unresponsive(what) => {
                call_warn!(
                    self,
                    "WebSocket connection given up: {what}; see whether it hangs (write_timeout, enable_pingpongs)"
                );
                self.ended(EndedBy::Unresponsive, Some(CLOSE_GOING_AWAY), what);
                self.disconnected(network, CLOSE_GOING_AWAY);
            }
            Closed::Panicked => {
                call_warn!(self, "WebSocket connection given up after an internal fault; the call ends");
                self.ended(EndedBy::InternalError, Some(CLOSE_INTERNAL_ERROR), String::new());
                self.disconnected(network, CLOSE_INTERNAL_ERROR);
            }
        }
    }
}
