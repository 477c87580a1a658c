//! Asterisk's JSON (asterisk/json.h).

use std::ffi::{CStr, CString};
use std::mem::ManuallyDrop;
use std::ptr::{self, NonNull};

use super::sys;
use super::text::owned_string;

/// One counted reference to a JSON value.
pub(crate) struct CoreJson(NonNull<sys::ast_json>);

// SAFETY: the core counts references atomically; a value is changed only while it is one thread's.
unsafe impl Send for CoreJson {}

impl CoreJson {
    /// Takes over a reference that the caller owns; `None` for NULL.
    ///
    /// # Safety
    /// `value` is NULL or a JSON value, and one reference to it is the caller's to give.
    pub(crate) unsafe fn from_raw(value: *mut sys::ast_json) -> Option<Self> {
        NonNull::new(value).map(Self)
    }

    /// A further reference to a value that somebody else holds; `None` for NULL.
    ///
    /// # Safety
    /// `value` is NULL or a JSON value that lives at least for this call.
    pub(crate) unsafe fn of_borrowed(value: *mut sys::ast_json) -> Option<Self> {
        // SAFETY: the caller's promise; NULL gives NULL.
        unsafe { Self::from_raw(sys::ast_json_ref(value)) }
    }

    /// An empty object; `None`: out of memory.
    pub(crate) fn object() -> Option<Self> {
        // SAFETY: the result is a reference of ours, or NULL.
        unsafe { Self::from_raw(sys::ast_json_object_create()) }
    }

    /// A string; `None` if it has a NUL.
    pub(crate) fn string(text: &str) -> Option<Self> {
        let text = CString::new(text).ok()?;
        // SAFETY: copies the string; the result is a reference of ours, or NULL.
        unsafe { Self::from_raw(sys::ast_json_string_create(text.as_ptr())) }
    }

    /// Parses `text`; `None` if the core cannot, or if the text has a NUL.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = CString::new(text).ok()?;
        // SAFETY: a C string in; no error is asked for; the result is a reference of ours, or NULL.
        unsafe { Self::from_raw(sys::ast_json_load_string(text.as_ptr(), ptr::null_mut())) }
    }

    /// Sets a member of an object.
    pub(crate) fn set(&self, key: &CStr, value: CoreJson) {
        // SAFETY: both are alive; the value's reference goes to the object, also if that fails.
        unsafe { sys::ast_json_object_set(self.as_ptr(), key.as_ptr(), value.into_raw()) };
    }

    /// A member of an object.
    pub(crate) fn get(&self, key: &CStr) -> Option<CoreJson> {
        // SAFETY: the object holds the member across this.
        unsafe { Self::of_borrowed(sys::ast_json_object_get(self.as_ptr(), key.as_ptr())) }
    }

    /// As compact text, with the members of objects in their order.
    pub(crate) fn to_text(&self) -> String {
        let format = sys::ast_json_encoding_format::AST_JSON_COMPACT;
        // SAFETY: alive; the text is ours to free with ast_json_free, and only read before that.
        unsafe {
            let raw = sys::ast_json_dump_string_format(self.as_ptr(), format);
            let text = owned_string(raw);
            sys::ast_json_free(raw.cast());
            text
        }
    }

    /// Alive as long as `self`.
    pub(crate) fn as_ptr(&self) -> *mut sys::ast_json {
        self.0.as_ptr()
    }

    /// Gives the reference to the caller.
    pub(crate) fn into_raw(self) -> *mut sys::ast_json {
        ManuallyDrop::new(self).as_ptr()
    }
}

impl Drop for CoreJson {
    fn drop(&mut self) {
        // SAFETY: our one reference.
        unsafe { sys::ast_json_unref(self.as_ptr()) };
    }
}

/// The object as compact text, with its members in their order. Takes the object's reference over; NULL gives an empty
/// object.
///
/// # Safety
/// As for [`CoreJson::from_raw`].
pub(crate) unsafe fn into_text(object: *mut sys::ast_json) -> String {
    // SAFETY: the caller's promise.
    unsafe { CoreJson::from_raw(object) }.map_or_else(|| "{}".to_owned(), |object| object.to_text())
}
