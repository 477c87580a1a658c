//! Texts from the core and for it.

use std::ffi::{CStr, CString, c_char};

use super::guard::here;
use super::sys;

/// Copies a C string; "" for NULL. Bytes that are not UTF-8 become U+FFFD.
///
/// # Safety
/// `text` is NULL or a C string that lives for this call.
pub(crate) unsafe fn owned_string(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// Asterisk's words for a hangup cause.
pub(crate) fn cause_text(cause: u32) -> String {
    let code = i32::try_from(cause).unwrap_or(0);
    // SAFETY: a static string of the core for every number.
    unsafe { owned_string(sys::ast_cause2str(code)) }
}

/// A fresh random UUID, 122 bits of it from the kernel.
pub(crate) fn new_uuid() -> String {
    let mut text = [0 as c_char; sys::AST_UUID_STR_LEN as usize];
    // SAFETY: writes at most the given size, with a NUL.
    unsafe {
        sys::ast_uuid_generate_str(text.as_mut_ptr(), text.len());
        CStr::from_ptr(text.as_ptr()).to_string_lossy().into_owned()
    }
}

/// A string in the core's memory, for the core to free.
pub(crate) fn core_string(text: &str) -> *mut c_char {
    let Ok(text) = CString::new(text) else { return std::ptr::null_mut() };
    let (file, line, function) = here!();
    // SAFETY: copies the string; astmm.h.
    unsafe { sys::__ast_strdup(text.as_ptr(), file, line, function) }
}
