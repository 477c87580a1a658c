//! What the core has for the far end besides media: digits, texts, indications.

use std::ffi::{CString, c_char, c_int, c_uint, c_void};

use super::{call_of, call_of_unlocked, end_after_fault};
use crate::asterisk::channel::Locked;
use crate::asterisk::guard::trampoline;
use crate::asterisk::text::owned_string;
use crate::asterisk::{fault, sys};
use crate::playout::session::Indication;

trampoline! {
    /// Channel locked. The driver indicates only hold, if `music_on_hold` is on; -1: the core does what it does for a
    /// driver that indicates nothing. So it plays ring, busy and congestion tones to the application itself, as it does
    /// with the C module; outbound bots listen for them. Events to an application that asks for them change nothing of
    /// this.
    pub(super) fn indicate(
        chan: *mut sys::ast_channel, condition: c_int, data: *const c_void, len: usize,
    ) -> c_int, fail end_after_fault(chan, -1), {
        // SAFETY: locked by the core for this callback.
        let channel = unsafe { Locked::new(chan) };
        let Some((channel, call)) = channel.and_then(|channel| Some((channel, call_of(channel)?))) else { return -1 };
        if let Some(indication) = indication(condition) {
            call.indicated(indication);
        }
        let done = match condition {
            HOLD => {
                fault::point("hold");
                // SAFETY: HOLD carries the name of a class of music, of `len` bytes, or NULL; it lives across the
                // callback.
                call.hold(channel, unsafe { class_of_hold(data, len) })
            }
            UNHOLD => call.unhold(channel),
            CONNECTED_LINE => {
                // The core has updated the channel already.
                call.connected_line(channel);
                false
            }
            _ => false,
        };
        if done { 0 } else { -1 }
    }
}

const HOLD: c_int = sys::ast_control_frame_type::AST_CONTROL_HOLD as c_int;
const UNHOLD: c_int = sys::ast_control_frame_type::AST_CONTROL_UNHOLD as c_int;
const CONNECTED_LINE: c_int = sys::ast_control_frame_type::AST_CONTROL_CONNECTED_LINE as c_int;

/// The indications that an application can be told of.
fn indication(condition: c_int) -> Option<Indication> {
    Some(match u32::try_from(condition).ok()? {
        sys::ast_control_frame_type::AST_CONTROL_RINGING => Indication::Ringing,
        sys::ast_control_frame_type::AST_CONTROL_PROCEEDING => Indication::Proceeding,
        sys::ast_control_frame_type::AST_CONTROL_PROGRESS => Indication::Progress,
        sys::ast_control_frame_type::AST_CONTROL_BUSY => Indication::Busy,
        sys::ast_control_frame_type::AST_CONTROL_CONGESTION => Indication::Congestion,
        sys::ast_control_frame_type::AST_CONTROL_HOLD => Indication::Hold,
        sys::ast_control_frame_type::AST_CONTROL_UNHOLD => Indication::Unhold,
        _ => return None,
    })
}

/// The class of music that a hold names, if it names one.
///
/// # Safety
/// `data` is NULL, or points to `len` bytes.
unsafe fn class_of_hold(data: *const c_void, len: usize) -> Option<CString> {
    if data.is_null() {
        return None;
    }
    // SAFETY: the caller's promise.
    let bytes = unsafe { std::slice::from_raw_parts(data.cast::<u8>(), len) };
    let name = bytes.split(|byte| *byte == 0).next().filter(|name| !name.is_empty())?;
    CString::new(name).ok()
}

trampoline! {
    /// Not locked, but never in the destructor. Returns 0, or the core would play the digit's tone to the application.
    pub(super) fn send_digit_begin(
        chan: *mut sys::ast_channel, digit: c_char,
    ) -> c_int, fail end_after_fault(chan, 0), {
        if let Some(call) = call_of_unlocked(chan) {
            call.digit_begins(digit_of(digit));
        }
        0
    }
}

trampoline! {
    /// Not locked, but never in the destructor. The digit has ended.
    pub(super) fn send_digit_end(
        chan: *mut sys::ast_channel, digit: c_char, duration: c_uint,
    ) -> c_int, fail end_after_fault(chan, -1), {
        match call_of_unlocked(chan) {
            Some(call) => {
                call.send_digit(digit_of(digit), duration);
                0
            }
            None => -1,
        }
    }
}

/// A digit as a character. Whether a C `char` is signed depends on the machine.
fn digit_of(digit: c_char) -> char {
    let [byte] = digit.to_ne_bytes();
    char::from(byte)
}

trampoline! {
    /// Channel locked. Always 0: if a bridge writes the text, any other result would end the call.
    pub(super) fn send_text(
        chan: *mut sys::ast_channel, text: *const c_char,
    ) -> c_int, fail end_after_fault(chan, 0), {
        // SAFETY: locked by the core for this callback.
        let channel = unsafe { Locked::new(chan) };
        if let Some(call) = channel.and_then(call_of) {
            // SAFETY: the core's string lives across the callback.
            call.take_text(unsafe { owned_string(text) });
        }
        0
    }
}
