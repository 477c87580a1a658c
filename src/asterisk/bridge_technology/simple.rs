//! `simple_bridge`, the core's own technology for two channels. It handles all that is not ours: it makes formats
//! compatible, maps streams, ends holds, defers T.38, queues frames.

use std::ffi::{CStr, c_int};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use super::super::guard::here;
use super::super::sys;
use super::locked::LockedBridge;

type Technology = sys::ast_bridge_technology;

/// The technology, once a bridge that uses it was seen. A reference keeps its module in memory until [`release`].
static SIMPLE: AtomicPtr<Technology> = AtomicPtr::new(ptr::null_mut());

/// Whether it can be wrapped: it is known and not suspended.
pub(super) fn is_available(bridge: LockedBridge<'_>) -> bool {
    remember(bridge.technology());
    let simple = SIMPLE.load(Ordering::Acquire);
    // SAFETY: its module stays in memory.
    !simple.is_null() && unsafe { sys::cw_bridge_technology_is_suspended(simple) } == 0
}

/// Remembers `technology`, which a bridge uses, if it is simple_bridge.
fn remember(technology: *mut Technology) {
    if technology.is_null() || !SIMPLE.load(Ordering::Acquire).is_null() {
        return;
    }
    // SAFETY: the bridge has a reference to the technology's module; the name is a C string.
    let (name, module) = unsafe { (CStr::from_ptr((*technology).name), (*technology).mod_) };
    if name == c"simple_bridge"
        && SIMPLE.compare_exchange(ptr::null_mut(), technology, Ordering::AcqRel, Ordering::Acquire).is_ok()
    {
        let (file, line, function) = here!();
        // SAFETY: as above; `release` gives the reference back.
        unsafe { sys::__ast_module_ref(module, file, line, function) };
    }
}

/// Releases the reference. No bridge has our technology any more, and none can choose it.
pub(super) fn release() {
    let simple = SIMPLE.swap(ptr::null_mut(), Ordering::AcqRel);
    if !simple.is_null() {
        let (file, line, function) = here!();
        // SAFETY: the reference that `remember` took.
        unsafe { sys::__ast_module_unref((*simple).mod_, file, line, function) };
    }
}

/// A callback of its table that returns nothing.
type Tell = Option<unsafe extern "C" fn(*mut sys::ast_bridge, *mut sys::ast_bridge_channel)>;

/// Calls the callback that `which` picks from its table.
///
/// # Safety
/// Called from our own callback of that name, with the core's arguments.
pub(super) unsafe fn tell(
    which: fn(&Technology) -> Tell,
    bridge: *mut sys::ast_bridge,
    channel: *mut sys::ast_bridge_channel,
) {
    if let Some(callback) = callback(which) {
        // SAFETY: the caller's promise.
        unsafe { callback(bridge, channel) };
    }
}

/// A channel joins. 0: success.
///
/// # Safety
/// As for [`tell`].
pub(super) unsafe fn join(bridge: *mut sys::ast_bridge, channel: *mut sys::ast_bridge_channel) -> c_int {
    // SAFETY: the caller's promise.
    callback(|simple| simple.join).map_or(0, |join| unsafe { join(bridge, channel) })
}

/// A channel writes a frame to the bridge. 0: it is queued for the other channel.
///
/// # Safety
/// As for [`tell`].
pub(super) unsafe fn write(
    bridge: *mut sys::ast_bridge,
    channel: *mut sys::ast_bridge_channel,
    frame: *mut sys::ast_frame,
) -> c_int {
    // SAFETY: the caller's promise.
    callback(|simple| simple.write).map_or(0, |write| unsafe { write(bridge, channel, frame) })
}

fn callback<F>(which: fn(&Technology) -> Option<F>) -> Option<F> {
    let simple = SIMPLE.load(Ordering::Acquire);
    // SAFETY: NULL, or a table in a module that stays in memory; its callbacks are never written to.
    unsafe { simple.as_ref() }.and_then(which)
}
