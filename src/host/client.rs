//! websocket_client objects, owned by res_websocket_client: from a file or from realtime (asterisk/sorcery.h).
//!
//! Read as names and values, so that every version's fields come as that version knows them; the object itself is
//! shared and cached, and is never written to. DIVERGES: the C module writes one call's `v()` parameters into it.

use std::ffi::{CString, c_void};

use super::ao2::Ao2;
use super::channel::owned_string;
use super::sys;

/// Sorcery's name for the objects of websocket_client.conf.
const OBJECT_TYPE: &std::ffi::CStr = c"websocket_client";

/// Whether a client of that name is configured. A look-up may ask a database.
pub(crate) fn exists(name: &str) -> bool {
    retrieve(name).is_some()
}

/// The fields of a client; `None` if there is none of that name. A look-up may ask a database.
pub(crate) fn fields(name: &str) -> Option<Vec<(String, String)>> {
    let (sorcery, object) = retrieve(name)?;
    let handler = sys::ast_sorcery_field_handler_flags::AST_HANDLER_ONLY_STRING;
    // SAFETY: both objects are alive; the list is ours to destroy.
    let first = unsafe { sys::ast_sorcery_objectset_create2(sorcery.as_ptr(), object.as_ptr(), handler) };
    let mut fields = Vec::new();
    let mut next = first;
    // SAFETY: a list of variables, each with two C strings; read before it is destroyed.
    while let Some(variable) = unsafe { next.as_ref() } {
        // SAFETY: as above.
        fields.push(unsafe { (owned_string(variable.name), owned_string(variable.value)) });
        next = variable.next;
    }
    // SAFETY: made above, and not used any more.
    unsafe { sys::ast_variables_destroy(first) };
    Some(fields)
}

fn retrieve(name: &str) -> Option<(Ao2<sys::ast_sorcery>, Ao2<c_void>)> {
    let name = CString::new(name).ok()?;
    // SAFETY: returns a reference of our own, or NULL while res_websocket_client is not loaded.
    let sorcery = unsafe {
        Ao2::from_owned(sys::ast_sorcery_retrieve_by_module_name(c"res_websocket_client".as_ptr()))
    }?;
    // SAFETY: sorcery is alive; returns a reference of our own, or NULL.
    let object = unsafe {
        Ao2::from_owned(sys::ast_sorcery_retrieve_by_id(
            sorcery.as_ptr(),
            OBJECT_TYPE.as_ptr(),
            name.as_ptr(),
        ))
    }?;
    Some((sorcery, object))
}
