//! `${…}`: a channel's variables and dialplan functions (`ast_str_substitute_variables`, asterisk/pbx.h).

use std::ffi::CString;

use super::channel::Channel;
use super::sys;

/// The value of one `${…}`, which is given with its braces, as bytes: it need not be UTF-8. Empty if Asterisk has none;
/// then its log says why. The channel's lock may not be held: functions wait, and lock other channels.
pub(crate) fn value(channel: &Channel, expression: &str) -> Vec<u8> {
    evaluate(channel.as_ptr(), expression)
}

/// The same without a channel: global variables have their value, a channel's are empty. Functions are not called,
/// because many need a channel, and some have effects; an expression with a function is empty.
pub(crate) fn value_without_channel(expression: &str) -> Vec<u8> {
    if expression.contains('(') { Vec::new() } else { evaluate(std::ptr::null_mut(), expression) }
}

/// `channel` is alive across the call, or NULL.
fn evaluate(channel: *mut sys::ast_channel, expression: &str) -> Vec<u8> {
    let Ok(expression) = CString::new(expression) else { return Vec::new() };
    let mut value = Vec::new();
    // SAFETY: both callers keep the channel alive, or have none, which the core permits; the result is a string of our
    // own, or NULL.
    let text = unsafe { sys::cw_substitute(channel, expression.as_ptr()) };
    if !text.is_null() {
        // SAFETY: a C string, until it is freed below.
        value.extend_from_slice(unsafe { std::ffi::CStr::from_ptr(text) }.to_bytes());
        // SAFETY: the string from above, which is used no more.
        unsafe { sys::cw_free(text) };
    }
    value
}
