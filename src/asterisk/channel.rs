//! Asterisk channels: counted references, the channel lock, and what may be done under it (asterisk/channel.h).

use std::ffi::{CStr, CString, c_int, c_void};
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ptr::{self, NonNull};

use super::ao2::Ao2;
use super::format::{Capabilities, Format};
use super::guard::here;
use super::sys;
use super::text::owned_string;

/// The place of our clock among a channel's descriptors: above those that the core uses itself, and above the first
/// that others add (`ast_channel_fd_add` takes the lowest free place; from Asterisk 20.21, 22.11 and 23.5 on, each
/// whisper adds a timer). The core reports the highest descriptor that is ready, so a lower one that stays ready cannot
/// starve the clock.
const CLOCK_FD: c_int = sys::AST_EXTENDED_FDS as c_int + 8;

/// A counted reference to a channel.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Channel(Ao2<sys::ast_channel>);

impl Channel {
    /// A further reference to a channel that a callback was given; `None` for NULL.
    ///
    /// # Safety
    /// `chan` is NULL or a channel that lives at least for this call.
    pub(crate) unsafe fn from_borrowed(chan: *mut sys::ast_channel) -> Option<Self> {
        // SAFETY: the caller's promise.
        unsafe { Ao2::from_borrowed(chan) }.map(Self)
    }

    pub(super) fn as_ptr(&self) -> *mut sys::ast_channel {
        self.0.as_ptr()
    }

    /// Whether this is `chan`.
    pub(crate) fn is(&self, chan: *const sys::ast_channel) -> bool {
        ptr::eq(self.0.as_ptr(), chan)
    }

    /// Takes the channel lock, waiting for it. Never from a reactor or the job thread.
    pub(crate) fn lock(&self) -> ChannelGuard<'_> {
        // SAFETY: the channel is alive through our reference, which outlives the guard; an `Ao2` is never NULL.
        unsafe { ChannelGuard::lock_borrowed(self.0.as_ptr()) }.unwrap_or_else(|| unreachable_null())
    }

    /// Takes the channel lock if it is free.
    pub(crate) fn try_lock(&self) -> Option<ChannelGuard<'_>> {
        // SAFETY: as in `lock`.
        unsafe { ChannelGuard::try_lock_borrowed(self.0.as_ptr()) }
    }

    /// The name of the other channel in its bridge, if the bridge has exactly two. Waits for the channel's and the
    /// bridge's lock, so neither may be held.
    pub(crate) fn bridge_peer(&self) -> Option<String> {
        // SAFETY: the channel is alive through our reference; the result is a reference of ours.
        let peer = unsafe { Ao2::from_owned(sys::ast_channel_bridge_peer(self.0.as_ptr())) }.map(Self)?;
        Some(peer.lock().locked().name())
    }
}

/// A held channel lock. The thread that took it releases it: the guard is not [`Send`].
pub(crate) struct ChannelGuard<'a>(Locked<'a>);

/// Does not compile if `ChannelGuard` is `Send`: then the compiler cannot choose between the two implementations.
const _: fn() = || {
    trait UnlessSend<Because> {
        fn is_checked() {}
    }
    impl<T: ?Sized> UnlessSend<()> for T {}
    impl<T: ?Sized + Send> UnlessSend<u8> for T {}
    let _ = <ChannelGuard<'static> as UnlessSend<_>>::is_checked;
};

impl ChannelGuard<'_> {
    /// Locks a channel that a callback was given, without a reference to it; `None` for NULL. Waits for the lock.
    ///
    /// Needed in a callback that the core can make from the channel's destructor: the reference count is 0 there, and
    /// releasing a further reference would run the destructor again.
    ///
    /// # Safety
    /// `chan` is NULL, or its memory is a channel's until the guard is dropped.
    pub(crate) unsafe fn lock_borrowed<'a>(chan: *mut sys::ast_channel) -> Option<ChannelGuard<'a>> {
        let chan = NonNull::new(chan)?;
        // SAFETY: the caller's promise; locking counts no reference.
        unsafe { lock(chan.as_ptr()) };
        Some(ChannelGuard(Locked(chan, PhantomData)))
    }

    /// The same, if the lock is free.
    ///
    /// # Safety
    /// As for [`lock_borrowed`](Self::lock_borrowed).
    pub(crate) unsafe fn try_lock_borrowed<'a>(chan: *mut sys::ast_channel) -> Option<ChannelGuard<'a>> {
        let chan = NonNull::new(chan)?;
        let (file, line, function) = here!();
        // SAFETY: the caller's promise.
        let busy =
            unsafe { sys::__ao2_trylock(chan.as_ptr().cast(), 0, file, function, line, c"chan".as_ptr()) };
        // Not `then_some`, which would make a guard in any case: dropping it unlocks.
        (busy == 0).then(|| ChannelGuard(Locked(chan, PhantomData)))
    }

    /// The channel, for what needs its lock.
    pub(crate) fn locked(&self) -> Locked<'_> {
        self.0
    }
}

/// An `Ao2` is never NULL.
fn unreachable_null() -> ! {
    std::process::abort()
}

impl Drop for ChannelGuard<'_> {
    fn drop(&mut self) {
        unlock(self.0.as_ptr());
    }
}

/// A channel whose lock the current thread holds for `'a`.
#[derive(Clone, Copy)]
pub(crate) struct Locked<'a>(NonNull<sys::ast_channel>, PhantomData<&'a ()>);

impl Locked<'_> {
    /// A channel that is locked already, as the core hands it to most callbacks; `None` for NULL.
    ///
    /// # Safety
    /// `chan` is NULL, or alive and locked by this thread for the lifetime of the result.
    pub(crate) unsafe fn new(chan: *mut sys::ast_channel) -> Option<Self> {
        NonNull::new(chan).map(|chan| Self(chan, PhantomData))
    }

    pub(crate) fn as_ptr(self) -> *mut sys::ast_channel {
        self.0.as_ptr()
    }

    /// Whether frames are queued that the core reads before the driver's.
    pub(crate) fn has_queued_frames(self) -> bool {
        // SAFETY: a getter on a channel that is locked.
        unsafe { sys::cw_channel_has_queued_frames(self.as_ptr()) != 0 }
    }

    /// Name, e.g. `WebSocket/INCOMING/0x2a`.
    pub(crate) fn name(self) -> String {
        // SAFETY: a string field: never NULL, stable while the channel is locked.
        unsafe { owned_string(sys::ast_channel_name(self.as_ptr())) }
    }

    /// State, as the core calls it.
    pub(crate) fn state(self) -> String {
        // SAFETY: a getter under the channel lock; the text is the core's, static or this thread's.
        unsafe { owned_string(sys::ast_state2str(sys::ast_channel_state(self.as_ptr()))) }
    }

    /// The call id that log lines of this call begin with; 0 if there is none.
    pub(crate) fn callid(self) -> u32 {
        // SAFETY: a plain getter under the channel lock.
        unsafe { sys::ast_channel_callid(self.as_ptr()) }
    }

    /// Unique id.
    pub(crate) fn uniqueid(self) -> String {
        // SAFETY: as for the name.
        unsafe { owned_string(sys::ast_channel_uniqueid(self.as_ptr())) }
    }

    /// The channel's variables as a JSON object, in the core's order.
    pub(crate) fn variables(self) -> String {
        // SAFETY: the channel is locked, which is what walking its variables takes; json.h. The result is ours.
        unsafe {
            super::json::into_text(sys::ast_json_channel_vars(sys::ast_channel_varshead(self.as_ptr())))
        }
    }

    /// Sets the hangup cause, and the driver's own cause if there is one.
    pub(crate) fn set_hangup_cause(self, cause: c_int, tech_cause: Option<u16>) {
        // SAFETY: plain setters under the channel lock.
        unsafe {
            sys::ast_channel_hangupcause_set(self.as_ptr(), cause);
            if let Some(tech_cause) = tech_cause {
                sys::ast_channel_tech_hangupcause_set(self.as_ptr(), c_int::from(tech_cause));
            }
        }
    }

    /// The hangup cause; 0 if none was set.
    pub(crate) fn hangup_cause(self) -> c_int {
        // SAFETY: a plain getter under the channel lock.
        unsafe { sys::ast_channel_hangupcause(self.as_ptr()) }
    }

    /// The driver's own hangup cause; 0 if none was set.
    pub(crate) fn tech_hangup_cause(self) -> c_int {
        // SAFETY: a plain getter under the channel lock.
        unsafe { sys::ast_channel_tech_hangupcause(self.as_ptr()) }
    }

    /// Whether it is being hung up already, with a cause.
    pub(crate) fn is_hung_up_with_cause(self) -> bool {
        // SAFETY: looks at the flags of a channel that is locked.
        self.hangup_cause() != 0 && unsafe { sys::ast_check_hangup(self.as_ptr()) } != 0
    }

    /// Whether it is being hung up.
    pub(crate) fn is_hung_up(self) -> bool {
        // SAFETY: looks at the flags of a channel that is locked.
        unsafe { sys::ast_check_hangup(self.as_ptr()) != 0 }
    }

    /// Releases the lock for `work`, and takes it again, even if `work` panics. Meanwhile the channel may be hung up,
    /// or the call may get another channel.
    ///
    /// # Safety
    /// This thread holds the lock once, by a callback's contract, and the core makes no use of it before the callback
    /// returns; `work` uses no copy of `self`.
    pub(crate) unsafe fn let_go<T>(self, work: impl FnOnce(&Channel) -> T) -> T {
        struct LockAgain(*mut sys::ast_channel);
        impl Drop for LockAgain {
            fn drop(&mut self) {
                // SAFETY: the channel is alive through the reference below, which is dropped later. The core unlocks
                // it.
                unsafe { lock(self.0) };
            }
        }
        // SAFETY: locked by the core, which holds a reference; no callback that comes here runs in the channel's
        // destructor.
        let channel = unsafe { Channel::from_borrowed(self.as_ptr()) }.unwrap_or_else(|| unreachable_null());
        let again = LockAgain(self.as_ptr());
        unlock(self.as_ptr());
        let result = work(&channel);
        drop(again);
        result
    }

    /// Asks the core to hang the channel up with `cause`; `None`: with the one that it has.
    pub(crate) fn queue_hangup(self, cause: Option<c_int>) {
        let cause = cause.unwrap_or(-1);
        // SAFETY: takes the (recursive) channel lock itself.
        unsafe { sys::ast_queue_hangup_with_cause(self.as_ptr(), cause) };
    }

    /// Tells the core that the far end has answered.
    pub(crate) fn queue_answer(self) {
        // SAFETY: as for the hangup.
        unsafe { sys::ast_queue_control(self.as_ptr(), sys::ast_control_frame_type::AST_CONTROL_ANSWER) };
    }

    /// The descriptor that makes the core call `read`; `None` removes it (before it is closed).
    pub(crate) fn set_clock_fd(self, fd: Option<c_int>) {
        // SAFETY: needs the channel lock, which we hold.
        unsafe { sys::ast_channel_set_fd(self.as_ptr(), CLOCK_FD, fd.unwrap_or(-1)) };
    }

    /// Whether the core reads the channel because of the clock's descriptor. Another one may have woken it, or none.
    pub(crate) fn is_woken_by_clock(self) -> bool {
        // SAFETY: a plain getter under the channel lock.
        unsafe { sys::ast_channel_fdno(self.as_ptr()) == CLOCK_FD }
    }

    /// Sets a channel variable.
    pub(crate) fn set_variable(self, name: &CStr, value: &str) {
        let Ok(value) = CString::new(value) else { return };
        // SAFETY: copies both strings; takes the recursive channel lock itself.
        unsafe { sys::pbx_builtin_setvar_helper(self.as_ptr(), name.as_ptr(), value.as_ptr()) };
    }

    /// Whether it is up.
    pub(crate) fn is_up(self) -> bool {
        // SAFETY: a plain getter under the channel lock.
        unsafe { sys::ast_channel_state(self.as_ptr()) == sys::ast_channel_state::AST_STATE_UP }
    }

    /// Whether the far end has put it on hold, as it was indicated last.
    pub(crate) fn is_held(self) -> bool {
        // SAFETY: a plain getter under the channel lock.
        unsafe {
            sys::ast_channel_hold_state(self.as_ptr())
                == sys::ast_control_frame_type::AST_CONTROL_HOLD as c_int
        }
    }

    /// Whether it is an internal channel of the core, which users do not know.
    pub(crate) fn is_internal(self) -> bool {
        // SAFETY: a getter under the channel lock; a channel's tech is a static table, or NULL.
        let tech = unsafe { sys::ast_channel_tech(self.as_ptr()).as_ref() };
        tech.is_some_and(|tech| tech.properties & TP_INTERNAL != 0)
    }

    /// Name and number of the other party; an unknown one is empty.
    pub(crate) fn connected_line(self) -> (String, String) {
        // SAFETY: a getter under the channel lock; what it points to changes only under that lock; the strings are
        // copied.
        unsafe {
            let connected = sys::ast_channel_connected(self.as_ptr());
            (
                owned_string(sys::cw_connected_name(connected)),
                owned_string(sys::cw_connected_number(connected)),
            )
        }
    }

    /// Gives the core a text from the far end.
    pub(crate) fn queue_text(self, text: &CStr) {
        // SAFETY: all-zero is a valid frame; plain data.
        let mut frame: sys::ast_frame = unsafe { std::mem::zeroed() };
        frame.frametype = sys::ast_frame_type::AST_FRAME_TEXT;
        let bytes = text.to_bytes_with_nul();
        frame.datalen = c_int::try_from(bytes.len()).unwrap_or(0);
        frame.data.ptr = bytes.as_ptr().cast_mut().cast();
        // SAFETY: copies the frame with its text; takes the recursive channel lock itself.
        unsafe { sys::ast_queue_frame(self.as_ptr(), &raw mut frame) };
    }

    /// Changes the table of callbacks that the core uses.
    pub(crate) fn set_tech(self, tech: *const sys::ast_channel_tech) {
        // SAFETY: the channel is locked; the table is one of ours, static.
        unsafe { sys::ast_channel_tech_set(self.as_ptr(), tech) };
    }

    /// Makes `format` the channel's only format, both ways. False if the core is out of memory.
    pub(crate) fn set_format(self, format: &Format) -> bool {
        let Some(caps) = Capabilities::of(format) else { return false };
        // SAFETY: both objects are alive; the setters take references of their own. The channel is locked.
        unsafe {
            sys::ast_channel_nativeformats_set(self.as_ptr(), caps.as_ptr());
            sys::ast_channel_set_writeformat(self.as_ptr(), format.as_ptr());
            sys::ast_channel_set_rawwriteformat(self.as_ptr(), format.as_ptr());
            sys::ast_channel_set_readformat(self.as_ptr(), format.as_ptr());
            sys::ast_channel_set_rawreadformat(self.as_ptr(), format.as_ptr());
        }
        true
    }

    /// The driver's private pointer.
    pub(crate) fn tech_pvt(self) -> *mut c_void {
        // SAFETY: a plain getter under the channel lock.
        unsafe { sys::ast_channel_tech_pvt(self.as_ptr()) }
    }

    /// Sets the driver's private pointer.
    pub(crate) fn set_tech_pvt(self, pvt: *mut c_void) {
        // SAFETY: a plain setter under the channel lock.
        unsafe { sys::ast_channel_tech_pvt_set(self.as_ptr(), pvt) };
    }
}

/// What a new channel is made of.
pub(crate) struct NewChannel<'a> {
    pub(crate) name: &'a str,
    pub(crate) assigned_ids: *const sys::ast_assigned_ids,
    pub(crate) requestor: *const sys::ast_channel,
    pub(crate) tech: *const sys::ast_channel_tech,
}

/// A channel that is being set up: locked, and released again if it is dropped before [`finish`](Self::finish).
pub(crate) struct ChannelSetup(NonNull<sys::ast_channel>);

impl ChannelSetup {
    /// Allocates a channel in state Down. `None` if the core refuses (out of memory, or the id is taken).
    ///
    /// # Safety
    /// The pointers are those that the core gave the requester, and `tech` lives as long as the module.
    pub(crate) unsafe fn new(new: &NewChannel<'_>) -> Option<Self> {
        let name = CString::new(new.name).ok()?;
        let (file, line, function) = here!();
        let empty = c"".as_ptr();
        // SAFETY: the format is ours and takes one string; the strings live across the call. The result is locked.
        let chan = NonNull::new(unsafe {
            sys::__ast_channel_alloc(
                1,
                sys::ast_channel_state::AST_STATE_DOWN as c_int,
                empty,
                empty,
                empty,
                empty,
                empty,
                new.assigned_ids,
                new.requestor,
                0,
                ptr::null_mut(),
                file,
                line,
                function,
                c"%s".as_ptr(),
                name.as_ptr(),
            )
        })?;
        // SAFETY: the channel is ours and locked; devices behind it are ephemeral, so their state is not cached.
        unsafe {
            (*sys::ast_channel_flags(chan.as_ptr())).flags |= DISABLE_DEVSTATE_CACHE;
            sys::ast_channel_tech_set(chan.as_ptr(), new.tech);
        }
        Some(Self(chan))
    }

    /// The channel, locked by us.
    pub(crate) fn locked(&self) -> Locked<'_> {
        Locked(self.0, PhantomData)
    }

    /// A counted reference of our own.
    pub(crate) fn reference(&self) -> Channel {
        // SAFETY: alive: we own the reference that the allocation returned.
        unsafe { Channel::from_borrowed(self.0.as_ptr()) }.unwrap_or_else(|| unreachable_null())
    }

    /// Unlocks the channel and gives it to the core.
    pub(crate) fn finish(self) -> *mut sys::ast_channel {
        let chan = ManuallyDrop::new(self).0.as_ptr();
        unlock(chan);
        chan
    }
}

impl Drop for ChannelSetup {
    fn drop(&mut self) {
        unlock(self.0.as_ptr());
        // SAFETY: never given to anybody: unlinks and destroys it without calling the driver's hangup.
        unsafe { sys::ast_channel_release(self.0.as_ptr()) };
    }
}

/// AST_FLAG_DISABLE_DEVSTATE_CACHE (channel.h); include/shim.c checks the value.
const DISABLE_DEVSTATE_CACHE: u32 = 1 << 21;

/// AST_CHAN_TP_INTERNAL (channel.h); include/shim.c checks the value.
const TP_INTERNAL: c_int = 1 << 2;

/// Takes a channel's lock, a recursive mutex, waiting for it.
///
/// # Safety
/// `chan` is a channel whose memory is there until it is unlocked.
unsafe fn lock(chan: *mut sys::ast_channel) {
    let (file, line, function) = here!();
    // SAFETY: the caller's promise; astobj2.h.
    unsafe { sys::__ao2_lock(chan.cast(), 0, file, function, line, c"chan".as_ptr()) };
}

fn unlock(chan: *mut sys::ast_channel) {
    let (file, line, function) = here!();
    // SAFETY: locked by this thread: by __ast_channel_alloc, or by the guard, which is not Send (it holds a pointer).
    unsafe { sys::__ao2_unlock(chan.cast(), file, function, line, c"chan".as_ptr()) };
}
