//! One call on its channel: what the core, the connection and the job thread do with it. [`CallData`] is the part that
//! needs no channel; decisions that need none are made in [`crate::call`].
//!
//! | file | concern |
//! | --- | --- |
//! | here | the call and its channel |
//! | `connecting` | the connection id's claim, attempts, a connection that comes up |
//! | `events` | events to the application |
//! | `media` | the session at work: media both ways, commands, the clock |
//! | `handler` | what the connection's reactor reports |
//! | `hold` | music on hold |
//! | `around`, `transfer` | the call around the media: states, texts, events; transfer |
//! | `ending` | what is done when a call ends |
//! | `media_stop` | the last message to the application |
//! | `media_out` | the connection, as the thread that sends media finds it |
//! | `reconnect` | what is done after a connection was lost, until there is another |
//! | `notifications` | which events AMI and ARI get |
//! | `report` | what people see of the call |
//!
//! Lock order: the channel lock first, then any lock in here; no lock in here is held across a call into Asterisk or
//! across a syscall.

mod around;
mod connecting;
mod ending;
mod events;
mod handler;
mod hold;
mod media;
mod media_out;
mod media_stop;
mod notifications;
mod reconnect;
mod report;
mod transfer;

use std::ffi::CString;
use std::ops::Deref;
use std::os::fd::AsRawFd;
use std::sync::{Arc, OnceLock, Weak};

use parking_lot::Mutex;

pub(super) use self::handler::Serving;
use self::media_out::MediaOut;
use super::channel::{Channel, Locked};
use super::format::Format;
use super::frame::FrameSlot;
use super::services::Services;
use super::sys;
use super::topics::Survey as _;
use super::watch::Watch;
use crate::call::connection::CallConnection;
use crate::call::data::{CallData, NewCall};
use crate::call::dialled::Dialled;
use crate::call::hold::Hold;
use crate::call::jobs::Job;
use crate::call::link::Todo;
use crate::call::permissions::EventRate;
use crate::call::reconnecting::Waits;
use crate::call::told::ToldEvents;
use crate::call::transfer::Transferring;
use crate::net::connector::ConnectHandle;

/// What is to be done about a call's connection.
type ToDo = Todo<CallConnection, ConnectHandle>;

/// One call. The channel owns one reference (its `tech_pvt`), the connection another.
pub(crate) struct Call {
    me: Weak<Call>,
    data: CallData,
    pub(crate) driver: Arc<Services<Call>>,
    connection_id_c: CString,
    format: Format,
    /// Asterisk counts the samples of a message, which is one frame: the driver knows no rule for the codec.
    counts_messages: bool,
    /// The current channel; `fixup` changes it, hangup removes it.
    owner: Mutex<Option<Channel>>,
    frame: FrameSlot,
    media_out: MediaOut,
    waits: Waits,
    /// Set only if the call may have to connect again.
    dialled: OnceLock<Arc<Dialled>>,
    told: ToldEvents<Channel>,
    hold: Hold,
    watch: Watch,
    event_rate: Mutex<EventRate>,
    transfer: Transferring<ToDo>,
}

impl Deref for Call {
    type Target = CallData;

    /// The part of the call that needs no channel.
    fn deref(&self) -> &CallData {
        &self.data
    }
}

impl std::fmt::Debug for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Call").field("data", &self.data).finish_non_exhaustive()
    }
}

impl Call {
    /// A call without a channel yet. `counts_messages`: Asterisk counts the samples of a message, which is one frame.
    pub(crate) fn new(
        new: NewCall,
        driver: Arc<Services<Call>>,
        format: Format,
        counts_messages: bool,
    ) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            me: me.clone(),
            driver,
            connection_id_c: CString::new(new.connection_id.as_str()).unwrap_or_default(),
            format,
            counts_messages,
            data: CallData::new(new),
            owner: Mutex::new(None),
            frame: FrameSlot::new(),
            media_out: MediaOut::default(),
            waits: Waits::default(),
            dialled: OnceLock::new(),
            told: ToldEvents::default(),
            hold: Hold::default(),
            watch: Watch::default(),
            event_rate: Mutex::default(),
            transfer: Transferring::default(),
        })
    }

    /// Another reference to this call.
    pub(crate) fn me(&self) -> Option<Arc<Call>> {
        self.me.upgrade()
    }

    /// A reference that does not keep the call alive.
    pub(crate) fn weak(&self) -> Weak<Call> {
        self.me.clone()
    }

    /// Ties the call to its channel, which is locked and being set up.
    pub(crate) fn attach(&self, channel: Channel, locked: Locked<'_>) -> bool {
        self.identify(locked.name(), locked.uniqueid());
        self.adopt_callid(locked);
        locked.set_variable(
            c"MEDIA_WEBSOCKET_OPTIMAL_FRAME_SIZE",
            &self.media_format.optimal_frame_size.to_string(),
        );
        locked.set_variable(c"MEDIA_WEBSOCKET_CONNECTION_ID", &self.connection_id);
        if !locked.set_format(&self.format) {
            return false;
        }
        locked.set_clock_fd(Some(self.playout.sinks.descriptor.as_raw_fd()));
        *self.owner.lock() = Some(channel);
        true
    }

    /// Takes over the channel's call id, which may be set after the channel was made.
    pub(crate) fn adopt_callid(&self, channel: Locked<'_>) {
        self.set_callid(channel.callid());
    }

    /// The connection id as a C string that lives as long as the call.
    pub(crate) fn connection_id_c(&self) -> *const std::ffi::c_char {
        self.connection_id_c.as_ptr()
    }

    /// The current channel; `None` after the hangup.
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
            // Hold and music stayed with the old channel.
            self.hold.forget();
            self.survey_again();
        }
    }

    /// Queues a job that needs the channel's lock.
    fn post(&self, job: impl FnOnce(Arc<Call>) -> Job<Call>) {
        if let Some(call) = self.me.upgrade() {
            self.driver.jobs.post(job(call));
        }
    }
}
