//! One call: what hangs on a channel. Ties the session, the connection and the channel together.
//!
//! Lock order: the channel lock first, then any lock in here; no lock in here is held across a call into Asterisk or
//! across a syscall.

use std::ffi::CString;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
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
use super::view::{CallView, LinkView};
use super::{fault, sys};
use crate::driver::command::ControlMessageFormat;
use crate::driver::config::Settings;
use crate::driver::event::{Event, MediaStart};
use crate::driver::media_format::MediaFormat;
use crate::driver::session::{ClockSetting, Effect, MediaMode, Session};
use crate::net::connection::{Closed, Handler};
use crate::net::connector::ConnectHandle;
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
    link: OnceLock<Link>,
    connecting: Mutex<Option<ConnectHandle>>,
    wrong_format_frames: AtomicU64,
    /// Of the last ping that was answered; 0 before there was one.
    round_trip_ns: AtomicU64,
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
            owner: Mutex::new(None),
            sends_media: AtomicBool::new(new.session.sends_media()),
            session: Mutex::new(new.session),
            clock: new.clock,
            frame: FrameSlot::new(),
            wall_offset_ns: clock::wall_offset_ns(),
            claimed: AtomicBool::new(false),
            hung_up: AtomicBool::new(false),
            link: OnceLock::new(),
            connecting: Mutex::new(None),
            wrong_format_frames: AtomicU64::new(0),
            round_trip_ns: AtomicU64::new(0),
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
    pub(crate) fn connection_lost_in_handshake(&self) {
        self.end(sys::AST_CAUSE_NETWORK_OUT_OF_ORDER, CLOSE_ABNORMAL);
    }

    /// Ties the call to its channel, which is locked and being set up.
    pub(crate) fn attach(&self, channel: Channel, locked: Locked<'_>) -> bool {
        let _ = self.identity.set(Identity { name: locked.name(), uniqueid: locked.uniqueid() });
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

    /// How many calls there ever were.
    pub(crate) fn count() -> u64 {
        CALLS.load(Ordering::Relaxed)
    }

    /// The call as it is now, for an operator.
    pub(crate) fn view(&self) -> CallView {
        let (status, stats, direction) = {
            let session = self.session.lock();
            (session.status(), session.stats(), session.direction())
        };
        CallView {
            name: self.name().to_owned(),
            role: match self.role {
                CallRole::Incoming => "incoming",
                CallRole::Outgoing => "outgoing",
            },
            connection_id: self.connection_id.clone(),
            format: self.media_format.clone(),
            direction: direction.as_str(),
            mode: self.mode,
            control_message_format: self.control_message_format,
            age: self.since.elapsed(),
            status,
            stats,
            link: self.link.get().map(|link| self.link_view(link)),
        }
    }

    fn link_view(&self, link: &Link) -> LinkView {
        let counters = &link.out.counters;
        let round_trip_ns = self.round_trip_ns.load(Ordering::Relaxed);
        LinkView {
            peer: link.peer.clone(),
            tls: link.out.tls_description(),
            frames_out: counters.media_messages.load(Ordering::Relaxed),
            bytes_out: counters.media_bytes.load(Ordering::Relaxed),
            frames_out_dropped: counters.media_dropped.load(Ordering::Relaxed),
            out_queue: link.out.queued_media(),
            events: counters.events.load(Ordering::Relaxed),
            round_trip: (round_trip_ns > 0).then(|| Duration::from_nanos(round_trip_ns)),
        }
    }

    /// The channel's name, for log lines.
    pub(crate) fn name(&self) -> &str {
        self.identity.get().map_or("<unknown>", |identity| &identity.name)
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

    /// Whether MEDIA_START carries channel variables in this call's format.
    pub(crate) fn reports_variables(&self) -> bool {
        self.control_message_format == ControlMessageFormat::Json
    }

    /// The connection is up and MEDIA_START is out: events and media may follow.
    pub(crate) fn open_link(&self, out: Arc<Outbound>, slot: Slot, peer: String) {
        log::debug!("{}: WebSocket connection with {peer} established", self.name());
        let _ = self.link.set(Link { out, slot, peer });
    }

    /// Sends an event to the application, if it is connected.
    pub(crate) fn send_event(&self, event: &Event) {
        if let Some(link) = self.link.get() {
            let text = self.render(event);
            log::debug!("{}: sent {text}", self.name());
            link.out.send_text(&text);
        }
    }

    fn render(&self, event: &Event) -> String {
        let channel_id = self.identity.get().map_or("", |identity| &identity.uniqueid);
        event.render(self.control_message_format, channel_id)
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
            link.out.send_media(payload, self.media_format.duration_of(samples));
        }
    }

    /// The core writes a frame in a format that is not the channel's. DIVERGES: it is dropped; the C module ends the
    /// call.
    pub(crate) fn refuse_format(&self, format: &str) {
        let count = self.wrong_format_frames.fetch_add(1, Ordering::Relaxed);
        if count.is_multiple_of(FORMAT_WARNING_EVERY) {
            log::warn!(
                "{}: dropped a frame in format '{format}': this WebSocket channel only takes '{}'",
                self.name(),
                self.media_format.name
            );
        }
    }

    /// The channel's one format.
    pub(crate) fn format(&self) -> &Format {
        &self.format
    }

    /// The core hangs up (channel locked). Closes the connection, cancels an attempt, lets go of the channel.
    pub(crate) fn hangup(&self, close_code: u16) {
        self.hung_up.store(true, Ordering::Release);
        self.engine.forget(self);
        self.cancel_connecting();
        if let Some(link) = self.link.get() {
            log::debug!(
                "{}: closing the WebSocket connection with {}, code {close_code}",
                self.name(),
                link.peer
            );
            link.slot.close(close_code);
        }
        let channel = self.owner.lock().take();
        drop(channel);
    }

    /// An attempt to connect has failed for good.
    pub(crate) fn connecting_failed(&self) {
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
                Effect::Answer => self.post(|call| Job::Answer { call }),
                Effect::Hangup => self.post(|call| Job::Hangup { call, cause: NORMAL_HANGUP }),
            }
        }
    }

    fn end(&self, cause: u32, tech_cause: u16) {
        let cause = HangupCause { cause, tech_cause: Some(tech_cause) };
        self.post(|call| Job::Hangup { call, cause });
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
        log::debug!("{}: received {text}", self.name());
        self.with_session(|session, effects| session.on_command(text, clock::now(), effects));
    }

    fn on_binary(&self, message: Bytes) {
        fault::point("media");
        self.with_session(|session, effects| session.on_media(message, clock::now(), effects));
    }

    fn on_media_dropped(&self, dropped: Dropped) {
        let error_text = format!(
            "Media dropped: {} messages ({} ms) were not read in time",
            dropped.messages,
            dropped.media.as_millis()
        );
        log::warn!("{}: {error_text}; the application reads too slowly", self.name());
        self.send_event(&Event::Error { error_text });
    }

    fn on_pong(&self, round_trip: Duration) {
        self.round_trip_ns.store(u64::try_from(round_trip.as_nanos()).unwrap_or(0), Ordering::Relaxed);
        log::trace!("{}: ping answered after {} ms", self.name(), round_trip.as_millis());
    }

    fn on_closed(&self, closed: Closed) {
        let network = sys::AST_CAUSE_NETWORK_OUT_OF_ORDER;
        match closed {
            Closed::ByUs(_) => {}
            Closed::ByPeer(code) => {
                log::debug!("{}: WebSocket closed by the application, code {code}", self.name());
                self.end(sys::AST_CAUSE_NORMAL_CLEARING, code);
            }
            Closed::Fault { code, what } => {
                log::warn!(
                    "{}: WebSocket protocol fault by the application: {what}; closed with {code}",
                    self.name()
                );
                self.end(network, code);
            }
            Closed::Lost(what) => {
                log::debug!("{}: WebSocket connection lost: {what}", self.name());
                self.end(network, CLOSE_ABNORMAL);
            }
            Closed::Unresponsive(what) => {
                log::warn!("{}: WebSocket connection given up: {what}", self.name());
                self.end(network, CLOSE_GOING_AWAY);
            }
            Closed::Panicked => self.end(network, CLOSE_INTERNAL_ERROR),
        }
    }
}
