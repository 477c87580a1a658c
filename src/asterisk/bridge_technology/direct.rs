//! Sends a frame for a WebSocket channel to its application at once, on the thread that brought it to the bridge; the
//! channel's own thread is not woken. It does what the core does otherwise (`ast_write_stream` in main/channel.c),
//! without the steps that the conditions of [`Facts`] rule out.

use std::ffi::c_int;

use super::super::call::Call;
use super::super::channel::{ChannelGuard, Locked};
use super::super::driver;
use super::super::guard::guard_or;
use super::super::{sys, tech};
use super::locked::{BridgeEnd, LockedBridge, LockedEnd};
use super::simple;
use crate::call::direct::Facts;

/// AST_FLAG_ZOMBIE (asterisk/channel.h); include/shim.c checks the value.
const ZOMBIE: u32 = 1 << 4;
/// AST_OPT_FLAG_GENERIC_PLC (asterisk/options.h); include/shim.c checks the value.
const GENERIC_PLC: u64 = 1 << 30;
/// DEBUGCHAN_FLAG (asterisk/channel.h); include/shim.c checks the value.
pub(super) const DEBUGCHAN_FLAG: u32 = 0x8000_0000;
/// The only format in which the core conceals loss.
const CONCEALED_FORMAT: &str = "slin";

/// How the driver treats a frame.
#[derive(Clone, Copy, PartialEq, Eq)]
enum FrameKind {
    /// It goes to the application.
    Voice,
    /// The driver drops it, so the channel's thread need not be woken for it.
    Meaningless,
}

impl FrameKind {
    /// `None`: simple_bridge handles it.
    fn of(frame: &sys::ast_frame) -> Option<Self> {
        match frame.frametype {
            sys::ast_frame_type::AST_FRAME_VOICE => Some(Self::Voice),
            sys::ast_frame_type::AST_FRAME_VIDEO
            | sys::ast_frame_type::AST_FRAME_RTCP
            | sys::ast_frame_type::AST_FRAME_CNG => Some(Self::Meaningless),
            _ => None,
        }
    }
}

/// Writes a frame that `from` has brought to the bridge. 0: the frame is handled; -1: the core keeps it for the next
/// channel that joins.
///
/// # Safety
/// `bridge` is locked by this thread, `from` is NULL or a channel of it, and the frame lives across the call.
pub(super) unsafe fn pass(
    bridge: LockedBridge<'_>,
    from: *mut sys::ast_bridge_channel,
    frame: *mut sys::ast_frame,
) -> c_int {
    // SAFETY: the caller's promise.
    if let Some(borrowed) = unsafe { frame.as_ref() } {
        if deliver(bridge, from, borrowed) {
            return 0;
        }
        if borrowed.frametype != sys::ast_frame_type::AST_FRAME_NULL {
            bridge.unsettle_all_but(from);
        }
    }
    // SAFETY: the caller's promise, the same that `simple::write` asks for.
    unsafe { simple::write(bridge.as_ptr(), from, frame) }
}

/// Handles the frame that `from` has brought, if it can. False: simple_bridge has to handle it. Never waits.
fn deliver(bridge: LockedBridge<'_>, from: *const sys::ast_bridge_channel, frame: &sys::ast_frame) -> bool {
    let Some(kind) = FrameKind::of(frame) else { return false };
    let Some(end) = bridge.peer(from) else { return false };
    // Checked without a lock first, so that frames for other channels cost no lock.
    if !tech::is_ours(end.chan()) {
        return false;
    }
    let Some((locked_end, channel)) = try_lock(end) else {
        count_locked(kind);
        return false;
    };
    let channel = channel.locked();
    tech::call_if_ours(channel).is_some_and(|call| deliver_to(locked_end, channel, call, kind, frame))
}

/// Tries to take the locks of a bridge channel and of its channel, in the core's order.
fn try_lock(end: BridgeEnd<'_>) -> Option<(LockedEnd<'_>, ChannelGuard<'_>)> {
    let locked_end = end.try_lock()?;
    // SAFETY: the channel stays as long as the bridge is locked, which is longer than the guard lives.
    let channel = unsafe { ChannelGuard::try_lock_borrowed(end.chan()) }?;
    Some((locked_end, channel))
}

fn count_locked(kind: FrameKind) {
    if kind == FrameKind::Voice
        && let Some(driver) = driver::current()
    {
        driver.count_locked_frame();
    }
}

fn deliver_to(
    end: LockedEnd<'_>,
    channel: Locked<'_>,
    call: &Call,
    kind: FrameKind,
    frame: &sys::ast_frame,
) -> bool {
    let facts = facts(&end, channel, call, kind, frame);
    let done = match kind {
        FrameKind::Voice => call.direct.count(facts.may_send()),
        FrameKind::Meaningless => facts.may_drop().is_ok(),
    };
    if done {
        // No other frame of the bridge can come in between: the bridge is locked.
        drop(end);
        if kind == FrameKind::Voice {
            write(channel, call, frame);
        }
        count_frame_out(channel);
    }
    done
}

/// Collects the [`Facts`], with getters of the core on a locked channel; none of them waits.
fn facts(
    end: &LockedEnd<'_>,
    channel: Locked<'_>,
    call: &Call,
    kind: FrameKind,
    frame: &sys::ast_frame,
) -> Facts {
    let chan = channel.as_ptr();
    // SAFETY: the channel is locked, and its hooks with it; options are only read.
    unsafe {
        Facts {
            is_present: end.is_present(),
            is_next: end.is_next(),
            is_ending: is_ending(channel),
            // The generator's data is NULL while it runs unlocked; the generator itself is not.
            has_generator: !sys::ast_channel_generator(chan).is_null(),
            has_audiohooks: has_audiohooks(channel),
            has_framehook: has_framehook(channel, frame.frametype),
            is_raw: kind == FrameKind::Voice && is_raw(channel, frame),
            is_of_stream: end.takes_stream(frame.stream_num),
            is_debugged: sys::ast_channel_fout(chan) & DEBUGCHAN_FLAG != 0,
            conceals_loss: sys::ast_options.flags & GENERIC_PLC != 0
                && call.media_format.name == CONCEALED_FORMAT,
        }
    }
}

/// Whether the channel is being hung up, or is the zombie that a masquerade left.
pub(super) fn is_ending(channel: Locked<'_>) -> bool {
    let chan = channel.as_ptr();
    // SAFETY: getters on a channel that is locked.
    unsafe { (*sys::ast_channel_flags(chan)).flags & ZOMBIE != 0 || sys::ast_check_hangup(chan) != 0 }
}

/// Whether something listens to the channel, speaks to it or mutes it. The list of audiohooks may be empty for a
/// moment. It does not contain monitors, which Asterisk 20 still has.
pub(super) fn has_audiohooks(channel: Locked<'_>) -> bool {
    let chan = channel.as_ptr();
    // SAFETY: getters on a channel that is locked, and its hooks with it.
    unsafe {
        !sys::ast_channel_audiohooks(chan).is_null() || sys::ast_channel_has_hook_requiring_audio(chan) != 0
    }
}

/// Whether a framehook of the channel wants frames of this kind.
pub(super) fn has_framehook(channel: Locked<'_>, kind: sys::ast_frame_type::Type) -> bool {
    // SAFETY: getters on a channel that is locked, and its hooks with it.
    unsafe {
        let hooks = sys::ast_channel_framehooks(channel.as_ptr());
        !hooks.is_null() && sys::ast_framehook_list_contains_no_active_of_type(hooks, kind) == 0
    }
}

/// Whether the core would hand a voice frame to the driver without translation. (The core learned the driver's format
/// when the channel was made; another end of a bridge changes only the format before the translation.)
fn is_raw(channel: Locked<'_>, frame: &sys::ast_frame) -> bool {
    // SAFETY: a voice frame's subclass is its format; the channel is locked. The comparison takes no lock.
    unsafe {
        sys::ast_format_cmp(
            frame.subclass.__bindgen_anon_1.format,
            sys::ast_channel_rawwriteformat(channel.as_ptr()),
        ) == sys::ast_format_cmp_res::AST_FORMAT_CMP_EQUAL
    }
}

/// Calls the driver's `write` as the core does; a panic ends the call, as it does there.
fn write(channel: Locked<'_>, call: &Call, frame: &sys::ast_frame) {
    guard_or("write", || channel.queue_hangup(None), || tech::write_frame(channel, call, frame));
}

/// Counts a frame as the core does (FRAMECOUNT_INC in asterisk/channel.h). The number also has a flag for the core's
/// frame debugging, which is off here.
fn count_frame_out(channel: Locked<'_>) {
    let chan = channel.as_ptr();
    // SAFETY: a getter and a setter under the channel lock.
    unsafe {
        let count = sys::ast_channel_fout(chan).wrapping_add(1) & !DEBUGCHAN_FLAG;
        sys::ast_channel_fout_set(chan, count);
    }
}
