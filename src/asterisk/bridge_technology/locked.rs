//! Bridges and bridge channels (asterisk/bridge.h, asterisk/bridge_channel.h), read by the getters of the shim, where
//! their layout is checked.

use std::marker::PhantomData;
use std::ptr::{self, NonNull};

use super::super::ao2::Ao2;
use super::super::channel::Locked;
use super::super::guard::here;
use super::super::sys;

/// A bridge that the current thread has locked for `'a`, or whose technology is being chosen: a technology may use such
/// a bridge as if it were locked (asterisk/bridge_technology.h).
#[derive(Clone, Copy)]
pub(super) struct LockedBridge<'a>(NonNull<sys::ast_bridge>, PhantomData<&'a ()>);

impl<'a> LockedBridge<'a> {
    /// The bridge that a callback was given; `None` for NULL.
    ///
    /// # Safety
    /// `bridge` is NULL, or a bridge that is locked by this thread, or as good as locked, for the lifetime of the
    /// result.
    pub(super) unsafe fn new(bridge: *mut sys::ast_bridge) -> Option<Self> {
        NonNull::new(bridge).map(|bridge| Self(bridge, PhantomData))
    }

    pub(super) fn as_ptr(self) -> *mut sys::ast_bridge {
        self.0.as_ptr()
    }

    /// The technology that it has now; NULL while it is being made.
    pub(super) fn technology(self) -> *mut sys::ast_bridge_technology {
        // SAFETY: a getter on a bridge that is locked.
        unsafe { sys::cw_bridge_technology(self.0.as_ptr()) }.cast_mut()
    }

    /// Its two channels, if it has exactly two.
    pub(super) fn pair(self) -> Option<[BridgeEnd<'a>; 2]> {
        let (mut one, mut other) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: a getter on a bridge that is locked; fills both.
        let is_pair = unsafe { sys::cw_bridge_pair(self.0.as_ptr(), &raw mut one, &raw mut other) } != 0;
        let end = |end| NonNull::new(end).map(|end| BridgeEnd(end, PhantomData));
        if is_pair { Some([end(one)?, end(other)?]) } else { None }
    }

    /// The channel that hears `from`, if it is the only one.
    pub(super) fn peer(self, from: *const sys::ast_bridge_channel) -> Option<BridgeEnd<'a>> {
        let [one, other] = self.pair()?;
        match (one.is(from), other.is(from)) {
            (true, false) => Some(other),
            (false, true) => Some(one),
            _ => None,
        }
    }

    /// Clears the notes of all channels but `except`: a frame is about to be queued for them.
    pub(super) fn unsettle_all_but(self, except: *const sys::ast_bridge_channel) {
        // SAFETY: the bridge is locked, and so is its list of channels.
        unsafe { sys::cw_bridge_clear_notes(self.0.as_ptr(), except) };
    }
}

/// A bridge that this thread has locked, with a reference to it. The thread that took the lock releases it: the guard
/// is not [`Send`].
pub(super) struct BridgeGuard {
    bridge: Ao2<sys::ast_bridge>,
    _not_send: PhantomData<*mut ()>,
}

/// Another thread holds a lock.
pub(super) struct IsLocked;

impl BridgeGuard {
    /// Takes the lock of the bridge that the channel is in, if it is in one.
    ///
    /// # Errors
    /// Another thread holds it.
    pub(super) fn try_lock_of(channel: Locked<'_>) -> Result<Option<Self>, IsLocked> {
        // SAFETY: the channel is locked; the result is a reference of ours, or NULL.
        let bridge = unsafe { Ao2::from_owned(sys::ast_channel_get_bridge(channel.as_ptr())) };
        let Some(bridge) = bridge else { return Ok(None) };
        let (file, line, function) = here!();
        // SAFETY: alive through our reference.
        let busy = unsafe {
            sys::__ao2_trylock(bridge.as_ptr().cast(), 0, file, function, line, c"bridge".as_ptr())
        };
        if busy == 0 { Ok(Some(Self { bridge, _not_send: PhantomData })) } else { Err(IsLocked) }
    }

    /// The bridge, as long as it is locked.
    pub(super) fn bridge(&self) -> LockedBridge<'_> {
        LockedBridge(self.bridge.as_non_null(), PhantomData)
    }
}

impl Drop for BridgeGuard {
    /// The reference is released after the lock.
    fn drop(&mut self) {
        let (file, line, function) = here!();
        // SAFETY: locked by `try_lock_of`, on this thread.
        unsafe {
            sys::__ao2_unlock(self.bridge.as_ptr().cast(), file, function, line, c"bridge".as_ptr());
        }
    }
}

/// A channel's end in a locked bridge (`ast_bridge_channel`).
#[derive(Clone, Copy)]
pub(super) struct BridgeEnd<'a>(NonNull<sys::ast_bridge_channel>, PhantomData<&'a ()>);

impl<'a> BridgeEnd<'a> {
    /// The end that a callback was given; `None` for NULL.
    ///
    /// # Safety
    /// `end` is NULL, or a channel of a bridge that is locked by this thread for the lifetime of the result.
    pub(super) unsafe fn new(end: *mut sys::ast_bridge_channel) -> Option<Self> {
        NonNull::new(end).map(|end| Self(end, PhantomData))
    }

    pub(super) fn as_ptr(self) -> *mut sys::ast_bridge_channel {
        self.0.as_ptr()
    }

    fn is(self, other: *const sys::ast_bridge_channel) -> bool {
        ptr::eq(self.0.as_ptr(), other)
    }

    /// The channel. It exists as long as it is in the bridge, and it cannot leave a locked bridge.
    pub(super) fn chan(self) -> *mut sys::ast_channel {
        // SAFETY: a getter; the field changes only while the channel is in no bridge.
        unsafe { sys::cw_bridge_channel_chan(self.0.as_ptr()) }
    }

    /// Takes the bridge channel's lock, if it is free.
    pub(super) fn try_lock(self) -> Option<LockedEnd<'a>> {
        let (file, line, function) = here!();
        // SAFETY: alive as long as the bridge is locked; a recursive mutex.
        let busy = unsafe {
            sys::__ao2_trylock(self.0.as_ptr().cast(), 0, file, function, line, c"bridge_channel".as_ptr())
        };
        // Not `then_some`, which would make a `LockedEnd` in any case: dropping it unlocks.
        (busy == 0).then(|| LockedEnd(self))
    }
}

/// An end whose own lock is held, too. The thread that took the lock releases it: this is not [`Send`].
pub(super) struct LockedEnd<'a>(BridgeEnd<'a>);

impl LockedEnd<'_> {
    fn as_ptr(&self) -> *mut sys::ast_bridge_channel {
        self.0.0.as_ptr()
    }

    /// Whether the bridge's frames reach the channel.
    pub(super) fn is_present(&self) -> bool {
        // SAFETY: a getter; bridge and bridge channel are locked.
        unsafe { sys::cw_bridge_channel_is_present(self.as_ptr()) != 0 }
    }

    /// Whether the channel's thread has no frame of the bridge to write, and is not in the middle of anything.
    pub(super) fn is_idle(&self) -> bool {
        // SAFETY: a getter; bridge and bridge channel are locked.
        unsafe { sys::cw_bridge_channel_is_idle(self.as_ptr()) != 0 }
    }

    /// Whether the bridge drops what the channel says.
    pub(super) fn is_muted(&self) -> bool {
        // SAFETY: as above.
        unsafe { sys::cw_bridge_channel_is_muted(self.as_ptr()) != 0 }
    }

    /// Whether no earlier frame of the bridge is on its way to the channel.
    ///
    /// The channel's thread takes a frame off the queue before it says that it writes. So after a frame was queued, the
    /// thread must have been seen idle once. From then on, every frame on its way was queued by this technology.
    pub(super) fn is_next(&self) -> bool {
        let end = self.as_ptr();
        // SAFETY: getters and a setter of ours; bridge and bridge channel are locked.
        unsafe {
            if sys::cw_bridge_channel_note(end) != 0 {
                return sys::cw_bridge_channel_is_quiet(end) != 0;
            }
            let is_idle = sys::cw_bridge_channel_is_idle(end);
            sys::cw_bridge_channel_set_note(end, is_idle);
            is_idle != 0
        }
    }

    /// Whether a frame of the bridge's stream `stream_num` is for the channel's first one; -1: it is for the default
    /// one.
    pub(super) fn takes_stream(&self, stream_num: i32) -> bool {
        // SAFETY: a getter; the map is guarded by the bridge channel's lock.
        stream_num == -1 || unsafe { sys::cw_bridge_channel_stream(self.as_ptr(), stream_num) } == 0
    }
}

impl Drop for LockedEnd<'_> {
    fn drop(&mut self) {
        let (file, line, function) = here!();
        // SAFETY: locked by `try_lock`, on this thread.
        unsafe {
            sys::__ao2_unlock(self.as_ptr().cast(), file, function, line, c"bridge_channel".as_ptr());
        }
    }
}
