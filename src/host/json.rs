//! Values from Asterisk's JSON (asterisk/json.h).

use std::ffi::CStr;

use serde_json::Value;

use super::sys;

/// The members of a JSON object whose values are strings. Takes the object's reference over; NULL gives none.
pub(crate) fn string_pairs(object: *mut sys::ast_json) -> Vec<(String, String)> {
    if object.is_null() {
        return Vec::new();
    }
    let format = sys::ast_json_encoding_format::AST_JSON_COMPACT;
    // SAFETY: a live object; the text is ours to free with ast_json_free, and only read before that.
    let text = unsafe {
        let raw = sys::ast_json_dump_string_format(object, format);
        sys::ast_json_unref(object);
        if raw.is_null() {
            return Vec::new();
        }
        let text = CStr::from_ptr(raw).to_string_lossy().into_owned();
        sys::ast_json_free(raw.cast());
        text
    };
    match serde_json::from_str::<Value>(&text) {
        Ok(Value::Object(members)) => {
            members.into_iter().filter_map(|(name, value)| Some((name, value.as_str()?.to_owned()))).collect()
        }
        _ => Vec::new(),
    }
}
