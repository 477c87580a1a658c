//! Bridges: the channels in one, and the transfer of its other side (asterisk/bridge.h).

use std::ffi::{CString, c_int, c_void};
use std::ptr;

use super::ao2::{Ao2, for_each};
use super::channel::{Channel, Locked};
use super::guard::{here, trampoline};
use super::sys;
use super::text::owned_string;
use crate::protocol::event::TransferResult;

/// A counted reference to a bridge.
pub(crate) struct Bridge(Ao2<sys::ast_bridge>);

impl Locked<'_> {
    /// The bridge that the channel is in.
    pub(crate) fn bridge(self) -> Option<Bridge> {
        // SAFETY: the channel is locked; the result is a reference of ours, or NULL.
        unsafe { Ao2::from_owned(sys::ast_channel_get_bridge(self.as_ptr())) }.map(Bridge)
    }
}

impl Bridge {
    /// Alive as long as `self`.
    pub(crate) fn as_ptr(&self) -> *mut sys::ast_bridge {
        self.0.as_ptr()
    }

    /// Its unique id.
    pub(crate) fn id(&self) -> String {
        // SAFETY: the bridge is alive; its id is a string that is set when it is made and never changes.
        unsafe { owned_string(sys::cw_bridge_id(self.as_ptr())) }
    }

    /// The names of the other channels in it, without the core's own (announcers, recorders). Never waits: `None` if
    /// another thread holds a lock; try again.
    pub(crate) fn others(&self, channel: Locked<'_>) -> Option<Vec<String>> {
        let others = self.members()?.into_iter().filter(|member| !member.is(channel.as_ptr()));
        let mut names = Vec::new();
        for member in others {
            let guard = member.try_lock()?;
            if !guard.locked().is_internal() {
                names.push(guard.locked().name());
            }
        }
        Some(names)
    }

    /// The channels in it; `None` if another thread holds its lock.
    fn members(&self) -> Option<Vec<Channel>> {
        let (file, line, function) = here!();
        let bridge = self.as_ptr().cast::<c_void>();
        // SAFETY: the bridge is alive. Its lock is the object's own mutex, as in the header's ast_bridge_trylock().
        if unsafe { sys::__ao2_trylock(bridge, 0, file, function, line, c"bridge".as_ptr()) } != 0 {
            return None;
        }
        // SAFETY: the bridge is locked; the result is a container of ours, or NULL.
        let container = unsafe { Ao2::from_owned(sys::ast_bridge_peers_nolock(self.as_ptr())) };
        // SAFETY: locked above, by this thread.
        unsafe { sys::__ao2_unlock(bridge, file, function, line, c"bridge".as_ptr()) };
        let mut members = Vec::new();
        if let Some(container) = container {
            // SAFETY: the container is ours alone; `collect` gets `members`, which lives across the call.
            unsafe { for_each(&container, collect, (&raw mut members).cast()) };
        }
        Some(members)
    }
}

trampoline! {
    /// Called within `Bridge::members`, on its thread. 0: no match, go on.
    fn collect(object: *mut c_void, members: *mut c_void, _flags: c_int) -> c_int, fail 0, {
        // SAFETY: the caller's vector, which nobody else uses during the call.
        let members = unsafe { members.cast::<Vec<Channel>>().as_mut() };
        // SAFETY: the container holds channels, which live across the callback.
        let channel = unsafe { Channel::from_borrowed(object.cast()) };
        if let (Some(members), Some(channel)) = (members, channel) {
            members.push(channel);
        }
        0
    }
}

/// Transfers the other side of the channel's bridge to this extension. Waits for the locks of channels, of the bridge
/// and of the dialplan, perhaps for a database. So no lock may be held, and no other work may depend on the thread.
pub(crate) fn transfer(channel: &Channel, exten: &str, context: &str) -> TransferResult {
    let (Ok(exten), Ok(context)) = (CString::new(exten), CString::new(context)) else {
        return TransferResult::Invalid;
    };
    // The transfer itself does not check this: the other side would be transferred to an extension that does not exist.
    // SAFETY: strings live across the call; no channel and no caller's number are needed; pbx.h.
    let exists = unsafe {
        sys::ast_exists_extension(ptr::null_mut(), context.as_ptr(), exten.as_ptr(), 1, ptr::null())
    };
    if exists == 0 {
        return TransferResult::Invalid;
    }
    // SAFETY: the channel is alive through our reference and not locked by us; strings live across the call.
    let result = unsafe {
        sys::ast_bridge_transfer_blind(
            1,
            channel.as_ptr(),
            exten.as_ptr(),
            context.as_ptr(),
            None,
            ptr::null_mut(),
        )
    };
    match result {
        sys::ast_transfer_result::AST_BRIDGE_TRANSFER_SUCCESS => TransferResult::Success,
        sys::ast_transfer_result::AST_BRIDGE_TRANSFER_NOT_PERMITTED => TransferResult::NotPermitted,
        // There is no bridge, or no other channel in it.
        sys::ast_transfer_result::AST_BRIDGE_TRANSFER_INVALID => TransferResult::NotBridged,
        _ => TransferResult::Failed,
    }
}
