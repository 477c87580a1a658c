//! The channel tech: what the core calls, decoded here and done in [`super::call`] and [`super::request`].
//!
//! Which lock the core holds in which callback: asterisk/channel.h, struct ast_channel_tech.
//!
//! | file | concern |
//! | --- | --- |
//! | here | asking for channels, media, hangup, masquerade, what the core asks of a channel |
//! | `indications` | digits, texts and indications to the far end |
//! | `tables` | the tables of callbacks |
//!
//! Two callbacks also run in the channel's destructor, where nobody holds a reference any more: `func_channel_read` and
//! `get_pvt_uniqueid`. The destructor publishes a last snapshot (`ast_channel_publish_final_snapshot`), which has the
//! driver's unique id and the `channelvars` of ari.conf and manager.conf, functions included. The two may take no
//! reference to the channel, because releasing it would run the destructor again. The callers of all others hold a
//! reference.

mod indications;
mod tables;

use std::ffi::{c_char, c_int};
use std::sync::Arc;

use super::call::Call;
use super::channel::{Channel, ChannelGuard, Locked};
use super::format::Format;
use super::guard::{guard, trampoline};
use super::held::Held;
use super::log::call_warn;
use super::request::{self, Request};
use super::sys;
use super::text::owned_string;
use crate::call::ending::CLOSE_NORMAL;
use crate::call::report::{METRICS, metric_of};

pub(crate) use self::tables::{register, table, unregister};

/// The call of a locked channel. The reference in `tech_pvt` keeps it alive as long as the channel is locked.
fn call_of(channel: Locked<'_>) -> Option<&Call> {
    // SAFETY: `tech_pvt` is NULL or what `give_call` put there; `hangup`, which takes it away, needs the same lock.
    unsafe { channel.tech_pvt().cast::<Call>().as_ref() }
}

/// Whether a channel has our tech. Without its lock the answer may be out of date.
pub(super) fn is_ours(chan: *mut sys::ast_channel) -> bool {
    // SAFETY: a plain getter of a channel that the caller keeps alive.
    tables::is_ours(unsafe { sys::ast_channel_tech(chan) })
}

/// The call of a locked channel that may be any driver's.
pub(super) fn call_if_ours(channel: Locked<'_>) -> Option<&Call> {
    if is_ours(channel.as_ptr()) { call_of(channel) } else { None }
}

/// Gives the channel its references to the call and to the module, which its hangup releases. Until the result is
/// [kept](Given::keep), dropping it releases them too: the core does not know the channel yet.
pub(crate) fn give_call(channel: Locked<'_>, call: Arc<Call>, held: Held) -> Given<'_> {
    channel.set_tech_pvt(Arc::into_raw(call).cast_mut().cast());
    held.leave_to_channel();
    Given(Some(channel))
}

/// A channel that has its call, and that the core does not know yet.
#[must_use = "dropped, it takes the call back"]
pub(crate) struct Given<'a>(Option<Locked<'a>>);

impl Given<'_> {
    /// From here on the core hangs the channel up.
    pub(crate) fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for Given<'_> {
    /// Also runs during a panic, so it may not panic itself.
    fn drop(&mut self) {
        if let Some(channel) = self.0.take() {
            guard("hangup", (), || hang_up(channel));
        }
    }
}

/// Takes back the reference to the call that `give_call` gave.
fn take_call(channel: Locked<'_>) -> Option<Arc<Call>> {
    let pvt = channel.tech_pvt().cast::<Call>();
    if pvt.is_null() {
        return None;
    }
    channel.set_tech_pvt(std::ptr::null_mut());
    // SAFETY: the one reference that `give_call` leaked; the pointer to it is gone now.
    Some(unsafe { Arc::from_raw(pvt) })
}

/// A reference to the call of a channel that is not locked by the core; `None` after the hangup. The channel's
/// reference count is not touched, as its destructor requires.
fn call_of_unlocked(chan: *mut sys::ast_channel) -> Option<Arc<Call>> {
    // SAFETY: the channel's memory and its lock are there across the callback, also in the destructor, which takes that
    // lock itself before and after.
    let guard = unsafe { ChannelGuard::lock_borrowed(chan) }?;
    call_of(guard.locked())?.me()
}

/// Ends the call of a callback that has met a fault, and returns the callback's `result`. The core does not always end
/// the call because of that result: a bridge, for example, ignores a frame that cannot be written.
fn end_after_fault<T>(chan: *mut sys::ast_channel, result: T) -> T {
    // SAFETY: the caller of the callback holds a reference to the channel. The function takes the (recursive) channel
    // lock, which the callback holds already or may take.
    unsafe { sys::ast_queue_hangup_with_cause(chan, -1) };
    result
}

trampoline! {
    /// No lock held; the requestor may be NULL. Returns an unlocked channel, or NULL with `*cause` set.
    fn requester(
        _type: *const c_char, cap: *mut sys::ast_format_cap, assigned_ids: *const sys::ast_assigned_ids,
        requestor: *const sys::ast_channel, addr: *const c_char, cause: *mut c_int,
    ) -> *mut sys::ast_channel, fail std::ptr::null_mut(), {
        // SAFETY: the core's pointers live across the callback; the channel is requested on the requestor's behalf, so
        // its name may be read without its lock.
        let request = unsafe {
            Request {
                data: owned_string(addr),
                requestor_name: request::requestor_name(requestor, assigned_ids),
                offered: Format::first_of(cap),
                assigned_ids,
                requestor,
            }
        };
        request::request(&request).unwrap_or_else(|| {
            // SAFETY: points to the core's own variable, or is NULL.
            if let Some(cause) = unsafe { cause.as_mut() } {
                *cause = sys::AST_CAUSE_FAILURE as c_int;
            }
            std::ptr::null_mut()
        })
    }
}

trampoline! {
    /// Channel locked, once (`ast_call`). Connecting goes on without the lock; if a client's section has `${…}`, the
    /// lock is released while they are evaluated.
    fn call(chan: *mut sys::ast_channel, addr: *const c_char, _timeout: c_int) -> c_int, fail -1, {
        // SAFETY: locked by the core for this callback.
        let channel = unsafe { Locked::new(chan) };
        // SAFETY: the core's string lives across the callback.
        let dialled = unsafe { owned_string(addr) };
        let Some(channel) = channel else { return -1 };
        let Some(call) = call_of(channel).and_then(Call::me) else { return -1 };
        call.adopt_callid(channel);
        // SAFETY: `ast_call` holds the lock once, and looks at nothing of the channel's between this callback and the
        // flag that it sets afterwards; its callers hold no lock of the channel's (they are about to wait for it).
        if unsafe { super::outgoing::start(&call, channel, &dialled) } { 0 } else { -1 }
    }
}

trampoline! {
    /// Channel locked, on its own thread: the clock fired, or something else woke the channel. Also the callback for
    /// urgent data, which only descriptors of others can have.
    fn read(chan: *mut sys::ast_channel) -> *mut sys::ast_frame, fail std::ptr::null_mut(), {
        // SAFETY: locked by the core for this callback.
        let Some(channel) = (unsafe { Locked::new(chan) }) else { return std::ptr::null_mut() };
        let Some(call) = call_of(channel) else { return std::ptr::null_mut() };
        read_frame(channel, call).unwrap_or(&raw mut sys::ast_null_frame)
    }
}

/// The frame that is due, if the clock has fired. A frame given for another descriptor may be lost: from Asterisk
/// 20.21, 22.11 and 23.5 on a whisper's framehook takes away what is read when the whisper's timer has woken the
/// channel. The clock stays readable, and the core's next poll reports it.
fn read_frame(channel: Locked<'_>, call: &Call) -> Option<*mut sys::ast_frame> {
    channel.is_woken_by_clock().then(|| call.read(channel)).flatten()
}

trampoline! {
    /// Channel locked. The frame is borrowed for the call. Trouble with a frame never ends the call.
    fn write(
        chan: *mut sys::ast_channel, frame: *mut sys::ast_frame,
    ) -> c_int, fail end_after_fault(chan, -1), {
        // SAFETY: locked by the core for this callback.
        let Some(channel) = (unsafe { Locked::new(chan) }) else { return -1 };
        let Some(call) = call_of(channel) else { return -1 };
        // SAFETY: the core's frame lives across the callback.
        if let Some(frame) = unsafe { frame.as_ref() } {
            write_frame(channel, call, frame);
        }
        0
    }
}

/// Only voice goes to the application; comfort noise, text, video and the like are dropped here. Never waits.
pub(super) fn write_frame(channel: Locked<'_>, call: &Call, frame: &sys::ast_frame) {
    if frame.frametype != sys::ast_frame_type::AST_FRAME_VOICE {
        return;
    }
    // SAFETY: a voice frame's subclass is its format, alive as long as the frame.
    let (matches, format) = unsafe {
        let format = frame.subclass.__bindgen_anon_1.format;
        (call.format().matches(format), format)
    };
    if !matches {
        // SAFETY: as above; a getter.
        return call.refuse_format(&unsafe { owned_string(sys::ast_format_get_name(format)) });
    }
    let len = usize::try_from(frame.datalen).unwrap_or(0);
    // SAFETY: a voice frame's data is a pointer, to `datalen` bytes that live as long as the frame.
    let payload = unsafe { frame.data.ptr }.cast::<u8>();
    if !payload.is_null() && len > 0 {
        // SAFETY: as above.
        call.write_voice(
            channel,
            unsafe { std::slice::from_raw_parts(payload, len) },
            u32::try_from(frame.samples).unwrap_or(0),
        );
    }
}

trampoline! {
    /// Channel locked; it is a zombie already, and nobody reads it any more.
    fn hangup(chan: *mut sys::ast_channel) -> c_int, fail 0, {
        // SAFETY: locked by the core for this callback.
        if let Some(channel) = unsafe { Locked::new(chan) } {
            hang_up(channel);
        }
        0
    }
}

fn hang_up(channel: Locked<'_>) {
    let Some(call) = take_call(channel) else { return };
    let held = Held::of_channel();
    // Before the clock's descriptor is closed, or the core would poll a descriptor that is not ours.
    channel.set_clock_fd(None);
    let code = u16::try_from(channel.tech_hangup_cause()).ok().filter(|code| *code != 0);
    let cause = u32::try_from(channel.hangup_cause()).unwrap_or(0);
    call.hangup(channel, code.unwrap_or(CLOSE_NORMAL), cause);
    call.leave_totals(channel);
    drop(call);
    drop(held);
}

trampoline! {
    /// Both channels locked: a masquerade has moved the insides of the call's channel from `old` to `new`.
    fn fixup(old: *mut sys::ast_channel, new: *mut sys::ast_channel) -> c_int, fail -1, {
        // SAFETY: locked by the core for this callback, which holds a reference to each: no destructor runs.
        let (channel, reference) = unsafe { (Locked::new(new), Channel::from_borrowed(new)) };
        match (channel.and_then(call_of), reference) {
            (Some(call), Some(reference)) => { call.move_to(old, reference); 0 }
            _ => -1,
        }
    }
}

trampoline! {
    /// Not locked, or locked by the core for a snapshot; in the destructor too. `CHANNEL(websocket,<metric>)`; the core
    /// passes the text between the parentheses. -1: there is no such item, and the core says so.
    fn func_channel_read(
        chan: *mut sys::ast_channel, _function: *const c_char, data: *mut c_char, buf: *mut c_char, len: usize,
    ) -> c_int, fail -1, {
        // SAFETY: the core's string lives across the callback.
        let item = unsafe { owned_string(data) };
        match channel_function(call_of_unlocked(chan).as_deref(), &item) {
            // SAFETY: the core's buffer of `len` bytes.
            Some(text) => { unsafe { fill(buf, len, &text) }; 0 }
            None => -1,
        }
    }
}

/// The value of `CHANNEL(<item>)` for `call`, if the item is ours: `websocket,<metric>`. "" if the call is over
/// (`None`), as in a channel's last snapshot. Logs a warning if there is no such metric.
fn channel_function(call: Option<&Call>, item: &str) -> Option<String> {
    let (kind, name) = item.split_once(',').unwrap_or((item, ""));
    if !kind.trim().eq_ignore_ascii_case("websocket") {
        return None;
    }
    let Some(metric) = metric_of(name.trim()) else {
        warn_unknown(call, name);
        return None;
    };
    Some(call.map_or_else(String::new, |call| (metric.get)(&call.report()).to_string()))
}

fn warn_unknown(call: Option<&Call>, name: &str) {
    let names: Vec<&str> = METRICS.iter().map(|metric| metric.name).collect();
    let text = format!("CHANNEL(websocket,{name}) is not known; known are: {}", names.join(", "));
    match call {
        Some(call) => call_warn!(call, "{text}"),
        None => log::warn!("{text}"),
    }
}

/// Copies as many whole characters of `text` as fit.
///
/// # Safety
/// `buf` has room for `len` bytes.
unsafe fn fill(buf: *mut c_char, len: usize, text: &str) {
    let Some(room) = len.checked_sub(1) else { return };
    let end = (0..=text.len().min(room)).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    // SAFETY: `end` bytes and a NUL fit, and `text` has that many.
    unsafe {
        std::ptr::copy_nonoverlapping(text.as_ptr().cast(), buf, end);
        *buf.add(end) = 0;
    }
}

trampoline! {
    /// Channel locked, when a snapshot is taken, in the destructor too. The result becomes `protocol_id` in ARI; the
    /// core copies it.
    fn get_pvt_uniqueid(chan: *mut sys::ast_channel) -> *const c_char, fail c"".as_ptr(), {
        // SAFETY: locked by the core for this callback.
        let channel = unsafe { Locked::new(chan) };
        channel.and_then(call_of).map_or(c"".as_ptr(), Call::connection_id_c)
    }
}
