//! `${…}`: a channel's variables and dialplan functions (`ast_str_substitute_variables`, asterisk/pbx.h).

use std::ffi::CString;

use super::channel::Channel;
use super::sys;

/// The value of one `${…}`, braces and all, as bytes: it need not be UTF-8. Empty where Asterisk has none, and it says why
/// in its log. No lock of the channel's may be held: functions wait, and lock other channels.
pub(crate) fn value(channel: &Channel, expression: &str) -> Vec<u8> {
    let Ok(expression) = CString::new(expression) else { return Vec::new() };
    let mut value = Vec::new();
    // SAFETY: the channel is alive through our reference; the result is a string of our own, or NULL.
    let text = unsafe { sys::cw_substitute(channel.as_ptr(), expression.as_ptr()) };
    if !text.is_null() {
        // SAFETY: a C string, until it is freed below.
        value.extend_from_slice(unsafe { std::ffi::CStr::from_ptr(text) }.to_bytes());
        // SAFETY: the string from above, which is used no more.
        unsafe { sys::cw_free(text) };
    }
    value
}
