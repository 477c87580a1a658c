//! Asterisk's JSON (asterisk/json.h) as text.

use super::channel::owned_string;
use super::sys;

/// The object as compact text, with its members in their order. Takes the object's reference over; NULL gives an empty
/// object.
pub(crate) fn into_text(object: *mut sys::ast_json) -> String {
    if object.is_null() {
        return "{}".to_owned();
    }
    let format = sys::ast_json_encoding_format::AST_JSON_COMPACT;
    // SAFETY: a live object; the text is ours to free with ast_json_free, and only read before that.
    unsafe {
        let raw = sys::ast_json_dump_string_format(object, format);
        sys::ast_json_unref(object);
        let text = owned_string(raw);
        sys::ast_json_free(raw.cast());
        text
    }
}
