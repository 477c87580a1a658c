//! An application's own events, for the listeners of ARI and AMI: a message type of ours, with both forms
//! (asterisk/stasis.h). The core's own type of user events writes each key as a header of AMI, so a text with a line
//! feed could forge further headers; here all data is in one header.

use std::ffi::CStr;
use std::ptr;
use std::sync::OnceLock;

use super::ao2::Ao2;
use super::channel::Locked;
use super::guard::trampoline;
use super::json::CoreJson;
use super::sys;
use super::text::owned_string;

// The keys of a message's JSON.
const NAME: &CStr = c"name";
const USER_EVENT: &CStr = c"userevent";
const DATA: &CStr = c"data";

/// Made once, and never released: subscribers compare types, and messages outlive the module's unloading.
static TYPE: OnceLock<Option<MessageType>> = OnceLock::new();

struct MessageType(Ao2<sys::stasis_message_type>);

/// The callbacks with which the core writes a message. The table is never changed.
struct Vtable(sys::stasis_message_vtable);

// SAFETY: neither we nor the core write to it.
unsafe impl Sync for Vtable {}

static VTABLE: Vtable =
    Vtable(sys::stasis_message_vtable { to_json: Some(to_json), to_ami: Some(to_ami), to_event: None });

fn message_type() -> Option<&'static MessageType> {
    TYPE.get_or_init(|| {
        let mut made = ptr::null_mut();
        // SAFETY: a static table, which the core only reads; the result is a reference of ours, or NULL if stasis.conf
        // declines the type or the core is out of memory.
        unsafe {
            let vtable = (&raw const VTABLE.0).cast_mut();
            sys::stasis_message_type_create(c"websocket_app_event".as_ptr(), vtable, &raw mut made);
            Ao2::from_owned(made)
        }
        .map(MessageType)
    })
    .as_ref()
}

/// An event that is ready to be published.
pub(crate) struct AppEvent(CoreJson);

impl AppEvent {
    /// An event of this name; `data` is a JSON object without a key `eventname`. `None` if the core's JSON cannot
    /// represent it: that has no NUL in texts, and no whole numbers beyond 64 bits.
    pub(crate) fn new(name: &str, data: &str) -> Option<Self> {
        let event = CoreJson::object()?;
        let user_event = CoreJson::parse(data)?;
        event.set(DATA, CoreJson::string(&user_event.to_text())?);
        user_event.set(c"eventname", CoreJson::string(name)?);
        event.set(USER_EVENT, user_event);
        event.set(NAME, CoreJson::string(name)?);
        Some(Self(event))
    }

    /// Publishes it as an event of the channel. False if stasis.conf declines such events, or if the core is out of
    /// memory.
    pub(crate) fn publish(&self, channel: Locked<'_>) -> bool {
        let Some(MessageType(kind)) = message_type() else { return false };
        // SAFETY: the channel is alive and locked; type and JSON are alive, and the message takes references of its
        // own.
        let message = unsafe {
            Ao2::from_owned(sys::ast_channel_blob_create(channel.as_ptr(), kind.as_ptr(), self.0.as_ptr()))
        };
        let Some(message) = message else { return false };
        // SAFETY: the channel's topic lives as long as the channel; the subscribers take references of their own.
        unsafe { sys::stasis_publish(sys::ast_channel_topic(channel.as_ptr()), message.as_ptr()) };
        true
    }
}

/// What a message of our type holds.
///
/// # Safety
/// `message` lives for `'a`.
unsafe fn content<'a>(message: *mut sys::stasis_message) -> Option<(&'a sys::ast_channel_blob, CoreJson)> {
    // SAFETY: the caller's promise; messages of our type are made by `publish` alone, with this content.
    unsafe {
        let blob = sys::stasis_message_data(message).cast::<sys::ast_channel_blob>().as_ref()?;
        Some((blob, CoreJson::of_borrowed(sys::cw_blob_json(blob))?))
    }
}

trampoline! {
    /// Called on any thread. Returns the event as ARI has it; the caller owns the reference.
    fn to_json(
        message: *mut sys::stasis_message, sanitize: *const sys::stasis_message_sanitizer,
    ) -> *mut sys::ast_json, fail ptr::null_mut(), {
        // SAFETY: the core's message lives across the callback.
        match unsafe { ari_event(message, sanitize) } {
            Some(event) => event.into_raw(),
            None => ptr::null_mut(),
        }
    }
}

/// # Safety
/// `message` lives for this call, and so does what the core passed with it.
unsafe fn ari_event(
    message: *mut sys::stasis_message,
    sanitize: *const sys::stasis_message_sanitizer,
) -> Option<CoreJson> {
    // SAFETY: the caller's promise.
    let (blob, content) = unsafe { content(message) }?;
    let event = CoreJson::object()?;
    event.set(c"type", CoreJson::string("ChannelUserevent")?);
    // SAFETY: as above; the results are references of ours, or NULL.
    let (timestamp, channel) = unsafe {
        let time = *sys::stasis_message_timestamp(message).as_ref()?;
        (
            CoreJson::from_raw(sys::ast_json_timeval(time, ptr::null())),
            CoreJson::from_raw(sys::ast_channel_snapshot_to_json(sys::cw_blob_snapshot(blob), sanitize)),
        )
    };
    event.set(c"timestamp", timestamp?);
    event.set(c"eventname", content.get(NAME)?);
    event.set(USER_EVENT, content.get(USER_EVENT)?);
    if let Some(channel) = channel {
        event.set(c"channel", channel);
    }
    Some(event)
}

trampoline! {
    /// Called on any thread. Returns the event as AMI has it; the caller owns the reference.
    fn to_ami(message: *mut sys::stasis_message) -> *mut sys::ast_manager_event_blob, fail ptr::null_mut(), {
        // SAFETY: the core's message lives across the callback.
        unsafe { manager_event(message) }.unwrap_or(ptr::null_mut())
    }
}

/// # Safety
/// `message` lives for this call.
unsafe fn manager_event(message: *mut sys::stasis_message) -> Option<*mut sys::ast_manager_event_blob> {
    // SAFETY: the caller's promise.
    let (blob, content) = unsafe { content(message) }?;
    let (name, data) = (content.get(NAME)?, content.get(DATA)?);
    // SAFETY: the snapshot lives as long as the message. The text is ours; it is freed with the core's function.
    unsafe {
        let channel = sys::ast_manager_build_channel_state_string(sys::cw_blob_snapshot(blob)).as_mut()?;
        let headers = owned_string(sys::cw_str_text(channel));
        sys::__ast_free(
            (&raw mut *channel).cast(),
            c"chan_websocket".as_ptr(),
            0,
            c"chan_websocket".as_ptr(),
        );
        let headers = std::ffi::CString::new(headers).ok()?;
        Some(sys::ast_manager_event_blob_create(
            sys::EVENT_FLAG_USER as std::ffi::c_int,
            c"UserEvent".as_ptr(),
            c"%sUserEvent: %s\r\nData: %s\r\n".as_ptr(),
            headers.as_ptr(),
            sys::ast_json_string_get(name.as_ptr()),
            sys::ast_json_string_get(data.as_ptr()),
        ))
    }
}
