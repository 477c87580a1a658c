//! The technology's table and its callbacks (asterisk/bridge_technology.h). The bridge is locked in every callback.

use std::cell::UnsafeCell;
use std::ffi::c_int;

use super::super::channel::ChannelGuard;
use super::super::driver;
use super::super::guard::trampoline;
use super::super::{sys, tech};
use super::locked::{BridgeEnd, LockedBridge};
use super::{direct, simple};

/// AST_BRIDGE_CAPABILITY_NATIVE and _1TO1MIX (asterisk/bridge.h); include/shim.c checks the values. A bridge that rules
/// out the first, such as ARI's with `proxy_media` or `dtmf_events`, still allows the second.
const CAPABILITIES: u32 = 1 << 2 | 1 << 3;

/// Preferred to native_rtp (90), which takes no WebSocket, and to simple_bridge (50).
const PREFERENCE: sys::ast_bridge_preference::Type = 95;

struct Technology(UnsafeCell<sys::ast_bridge_technology>);

// SAFETY: written by the core alone, under the lock of its list of technologies; we only hand out its address.
unsafe impl Sync for Technology {}

static TECHNOLOGY: Technology = Technology(UnsafeCell::new(sys::ast_bridge_technology {
    name: c"websocket".as_ptr(),
    capabilities: CAPABILITIES,
    preference: PREFERENCE,
    join: Some(join),
    leave: Some(leave),
    suspend: Some(suspend),
    unsuspend: Some(unsuspend),
    compatible: Some(compatible),
    write: Some(write),
    stream_topology_changed: Some(stream_topology_changed),
    // SAFETY: all-zero is a valid table: no callback, not suspended.
    ..unsafe { std::mem::zeroed() }
}));

/// The table, to be compared with a bridge's.
pub(super) fn table() -> *mut sys::ast_bridge_technology {
    TECHNOLOGY.0.get()
}

/// Registers the technology. The core chooses it as soon as the module has been loaded.
///
/// # Errors
/// Another module has a technology of that name. The text is for people.
pub(crate) fn register() -> Result<(), String> {
    // SAFETY: a static table, and our own module; bridge_technology.h.
    let result = unsafe { sys::__ast_bridge_technology_register(table(), sys::cw_module_self()) };
    (result == 0)
        .then_some(())
        .ok_or_else(|| "another module has the bridge technology 'websocket'".to_owned())
}

/// Unregisters it. No bridge uses it then: each that does holds the module.
pub(crate) fn unregister() {
    // SAFETY: a static table; nothing happens if it is not registered.
    unsafe { sys::ast_bridge_technology_unregister(table()) };
    simple::release();
}

trampoline! {
    /// Called when the core chooses a technology, with its list of them locked. Not 0: ours is suitable.
    fn compatible(bridge: *mut sys::ast_bridge) -> c_int, fail 0, {
        // SAFETY: as good as locked during this callback.
        let bridge = unsafe { LockedBridge::new(bridge) };
        c_int::from(bridge.is_some_and(is_compatible))
    }
}

/// Whether the bridge has two channels, at least one of them ours, `direct_bridge` is on, and simple_bridge is
/// available.
fn is_compatible(bridge: LockedBridge<'_>) -> bool {
    simple::is_available(bridge)
        && driver::current().is_some_and(|driver| driver.config().settings.direct_bridge)
        && bridge.pair().is_some_and(|ends| ends.into_iter().any(has_our_tech))
}

/// Waits for the channel's lock: bridge, then channel, as the core does. Two channels are never locked at once.
fn has_our_tech(end: BridgeEnd<'_>) -> bool {
    // SAFETY: the channel stays as long as the bridge is locked, which it is for the whole callback.
    let guard = unsafe { ChannelGuard::lock_borrowed(end.chan()) };
    guard.is_some_and(|guard| tech::is_ours(guard.locked().as_ptr()))
}

/// Sets whether a player, or else the channel's own thread, plays the channel's media to the bridge. Waits for the
/// channel's lock: bridge, then channel, as the core does.
fn set_direct(end: BridgeEnd<'_>, is_direct: bool) {
    // SAFETY: the channel stays as long as the bridge is locked, which it is for the whole callback.
    let Some(guard) = (unsafe { ChannelGuard::lock_borrowed(end.chan()) }) else { return };
    if let Some(call) = tech::call_if_ours(guard.locked()) {
        call.playout.sinks.played_by.set_direct(is_direct);
        call.set_clock_anew();
    }
}

/// Players stop playing: something else reads the channel from now on.
///
/// # Safety
/// `channel` is NULL or a channel of a bridge that is locked by this thread.
unsafe fn stop_playing(channel: *mut sys::ast_bridge_channel) {
    // SAFETY: the caller's promise.
    unsafe { BridgeEnd::new(channel) }.into_iter().for_each(|end| set_direct(end, false));
}

trampoline! {
    /// A channel joins. -1: it cannot, and the core takes it out.
    fn join(bridge: *mut sys::ast_bridge, channel: *mut sys::ast_bridge_channel) -> c_int, fail -1, {
        // SAFETY: the core's bridge, which is locked, and a channel of it; the note belongs to the bridge's technology.
        unsafe {
            sys::cw_bridge_channel_set_note(channel, 0);
            let joined = simple::join(bridge, channel);
            // Only when the bridge has two channels.
            let ends = LockedBridge::new(bridge).and_then(LockedBridge::pair).into_iter().flatten();
            ends.for_each(|end| set_direct(end, true));
            joined
        }
    }
}

trampoline! {
    /// A channel leaves, for another bridge, another technology, or for good.
    fn leave(bridge: *mut sys::ast_bridge, channel: *mut sys::ast_bridge_channel) -> (), fail (), {
        // SAFETY: as for `join`.
        unsafe {
            sys::cw_bridge_channel_set_note(channel, 0);
            stop_playing(channel);
            simple::tell(|simple| simple.leave, bridge, channel);
        }
    }
}

trampoline! {
    /// Something else reads a channel for a while.
    fn suspend(bridge: *mut sys::ast_bridge, channel: *mut sys::ast_bridge_channel) -> (), fail (), {
        // SAFETY: what the core gave to the same callback of ours.
        unsafe {
            stop_playing(channel);
            simple::tell(|simple| simple.suspend, bridge, channel);
        }
    }
}

trampoline! {
    /// Its bridge thread reads it again.
    fn unsuspend(bridge: *mut sys::ast_bridge, channel: *mut sys::ast_bridge_channel) -> (), fail (), {
        // SAFETY: as for `suspend`.
        unsafe {
            simple::tell(|simple| simple.unsuspend, bridge, channel);
            BridgeEnd::new(channel).into_iter().for_each(|end| set_direct(end, true));
        }
    }
}

trampoline! {
    /// A channel's streams have changed.
    fn stream_topology_changed(
        bridge: *mut sys::ast_bridge, channel: *mut sys::ast_bridge_channel,
    ) -> (), fail (), {
        // SAFETY: as for `suspend`.
        unsafe { simple::tell(|simple| simple.stream_topology_changed, bridge, channel) }
    }
}

trampoline! {
    /// A channel's thread brings a frame; `channel` is NULL for a frame that is owed for a channel that has left. 0:
    /// the frame is handled; -1: the core keeps it for the next channel that joins.
    fn write(
        bridge: *mut sys::ast_bridge, channel: *mut sys::ast_bridge_channel, frame: *mut sys::ast_frame,
    ) -> c_int, fail 0, {
        // SAFETY: locked by the core for this callback, in which the frame lives too.
        unsafe { LockedBridge::new(bridge).map_or(0, |bridge| direct::pass(bridge, channel, frame)) }
    }
}
