//! Passes a frame from an application to its bridge when it is due, on a player's thread; the channel's own thread is
//! not woken. It does what the core does otherwise (`__ast_read` in main/channel.c, `bridge_handle_trip` and
//! `bridge_channel_write_frame` in main/bridge_channel.c), without the steps that the conditions of [`PlayFacts`] rule
//! out.
//!
//! A player never waits for a lock of the core: each is only tried, so their order does not matter. A frame is taken
//! when all are held, so none has to be put back. No callback of another driver is called, not even `write`: a frame
//! for another driver's channel is queued for that channel's thread, as simple_bridge does.

use std::ptr;

use super::super::call::Call;
use super::super::channel::Locked;
use super::super::guard::guard;
use super::super::sys;
use super::locked::{BridgeEnd, BridgeGuard, LockedBridge, LockedEnd};
use super::{direct, technology};
use crate::call::direct::PlayFacts;
use crate::call::jobs::Job;
use crate::call::played_by::{InVain, PlayerTurn};
use crate::call::playout::Pressing;
use crate::mono_time::MonoTime;
use crate::report::direct_bridge::NotDirect;

/// AST_FLAG_IN_DTMF, AST_FLAG_EMULATE_DTMF and AST_FLAG_DEFER_DTMF (asterisk/channel.h); include/shim.c checks the
/// values.
const DIGIT_FLAGS: u32 = 1 << 12 | 1 << 13 | 1 << 1;

/// The result of a turn.
enum Played {
    /// The channel is hung up.
    Over,
    /// A frame is played, or none was due.
    Done,
    /// Another thread holds a lock, or does something that is over soon.
    Busy(NotDirect),
    /// The channel's thread has to play, for a while.
    Barred(NotDirect),
    /// The channel is in no direct bridge.
    NotBridged,
    /// A panic was contained.
    Fault,
}

/// Plays what is due on the call. Called on a player's thread, with no lock held. Never waits.
pub(crate) fn take_turn(turn: PlayerTurn<Call>, now: MonoTime) {
    let Some(call) = turn.call.upgrade() else { return };
    if !call.playout.sinks.played_by.take_turn(turn.at) {
        return;
    }
    let next = match guard("play", Played::Fault, || play(&call)) {
        Played::Over => return,
        Played::Done => return call.playout.sinks.played_by.played(),
        Played::Fault => return call.driver.jobs.post(Job::Fault(call.clone())),
        Played::NotBridged => InVain::Thread,
        Played::Busy(reason) => counted(&call, reason, call.playout.sinks.played_by.was_busy(now, turn.at)),
        Played::Barred(reason) => counted(&call, reason, call.playout.sinks.played_by.was_barred(turn.at)),
    };
    match next {
        InVain::Retry(at) => call.call_player(at),
        InVain::Thread => call.set_clock_anew(),
    }
}

/// Counts the frame if the channel's thread has to play it.
fn counted(call: &Call, reason: NotDirect, next: InVain) -> InVain {
    if next == InVain::Thread {
        call.played_directly.count(Err(reason));
    }
    next
}

fn play(call: &Call) -> Played {
    let Some(channel) = call.channel() else { return Played::Over };
    let Some(guard) = channel.try_lock() else { return Played::Busy(NotDirect::Locked) };
    let locked = guard.locked();
    // A masquerade may have happened meanwhile.
    if !call.is_on(locked) {
        return Played::Busy(NotDirect::Locked);
    }
    let bridge = match BridgeGuard::try_lock_of(locked) {
        Ok(Some(bridge)) => bridge,
        Ok(None) => return not_bridged(call),
        Err(_) => return Played::Busy(NotDirect::Locked),
    };
    let Some([own, peer]) = ends(bridge.bridge(), locked) else { return not_bridged(call) };
    let (Some(own_end), Some(peer_end)) = (own.try_lock(), peer.try_lock()) else {
        return Played::Busy(NotDirect::Locked);
    };
    if let Some(outcome) = hindrance(&own_end, &peer_end, locked, call) {
        return outcome;
    }
    let frame = match call.play(locked) {
        Ok(Some(frame)) => frame,
        Ok(None) => return Played::Done,
        Err(Pressing) => return Played::Barred(NotDirect::Digit),
    };
    count_frame_in(locked);
    call.played_directly.count(Ok(()));
    // The channel's thread needs the lock of its end before it reads, so the frame stays valid until it is passed on.
    drop(guard);
    // SAFETY: the frame is the call's own until its next read; the bridge is locked, and `own` is one of its channels.
    unsafe {
        (*frame).stream_num = -1;
        direct::pass(bridge.bridge(), own.as_ptr(), frame);
    }
    drop((own_end, peer_end));
    Played::Done
}

/// Counts a frame from the application, as [`direct`] counts those to it.
fn count_frame_in(channel: Locked<'_>) {
    let chan = channel.as_ptr();
    // SAFETY: a getter and a setter under the channel lock.
    unsafe {
        let count = sys::ast_channel_fin(chan).wrapping_add(1) & !direct::DEBUGCHAN_FLAG;
        sys::ast_channel_fin_set(chan, count);
    }
}

/// Called under the channel's lock, without which the channel cannot join a bridge.
fn not_bridged(call: &Call) -> Played {
    call.playout.sinks.played_by.set_direct(false);
    Played::NotBridged
}

/// The ends of a direct bridge, the channel's own first.
fn ends<'a>(bridge: LockedBridge<'a>, channel: Locked<'_>) -> Option<[BridgeEnd<'a>; 2]> {
    if !ptr::eq(bridge.technology(), technology::table()) {
        return None;
    }
    let [one, other] = bridge.pair()?;
    let is_own = |end: BridgeEnd<'_>| ptr::eq(end.chan(), channel.as_ptr());
    match (is_own(one), is_own(other)) {
        (true, _) => Some([one, other]),
        (_, true) => Some([other, one]),
        _ => None,
    }
}

/// What keeps the player from playing, if anything does.
fn hindrance(own: &LockedEnd<'_>, peer: &LockedEnd<'_>, channel: Locked<'_>, call: &Call) -> Option<Played> {
    if !own.is_present() || !peer.is_present() {
        return Some(Played::Busy(NotDirect::Absent));
    }
    // The channel's thread is handling a frame, or has to read another one first.
    if !own.is_idle() || channel.has_queued_frames() {
        return Some(Played::Busy(NotDirect::Order));
    }
    facts(own, channel, call).may_play().err().map(Played::Barred)
}

/// Collects the [`PlayFacts`], with getters of the core on a locked channel; none of them waits.
fn facts(own: &LockedEnd<'_>, channel: Locked<'_>, call: &Call) -> PlayFacts {
    let chan = channel.as_ptr();
    // SAFETY: the channel is locked, and its hooks with it.
    unsafe {
        PlayFacts {
            is_ending: direct::is_ending(channel),
            is_muted: own.is_muted(),
            is_digit: (*sys::ast_channel_flags(chan)).flags & DIGIT_FLAGS != 0,
            has_generator: !sys::ast_channel_generator(chan).is_null(),
            has_audiohooks: direct::has_audiohooks(channel),
            has_framehook: direct::has_framehook(channel, sys::ast_frame_type::AST_FRAME_VOICE),
            is_raw: sys::ast_channel_readtrans(chan).is_null()
                && call.format().matches(sys::ast_channel_rawreadformat(chan)),
            is_debugged: sys::ast_channel_fin(chan) & direct::DEBUGCHAN_FLAG != 0,
        }
    }
}
