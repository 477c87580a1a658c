//! websocket_client objects, owned by res_websocket_client: from a file or from realtime (asterisk/sorcery.h).
//!
//! Read as names and values, so that the fields of every version can be read; the object itself is shared and cached,
//! and is never written to. DIVERGES: the C module writes one call's `v()` parameters into it.

use std::ffi::{CStr, CString, c_int, c_void};

use super::ao2::{Ao2, for_each};
use super::config_file::{self, variables};
use super::guard::trampoline;
use super::sys;
use super::text::owned_string;
use crate::call::dialled::ClientStore;

/// Sorcery's name for the objects of websocket_client.conf.
const OBJECT_TYPE: &CStr = c"websocket_client";

/// The objects, for the code that connects to them.
pub(crate) struct WebsocketClients;

impl ClientStore for WebsocketClients {
    fn are_in_memory() -> bool {
        are_in_memory()
    }

    fn fields(client: &str) -> Option<Vec<(String, String)>> {
        fields(client)
    }

    fn written(client: &str, option: &CStr) -> Option<String> {
        config_file::written_in_client(client, option)
    }
}

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
    // SAFETY: the list is destroyed below.
    let fields = unsafe { variables(first) };
    // SAFETY: made above, and not used any more.
    unsafe { sys::ast_variables_destroy(first) };
    Some(fields)
}

/// The names of all clients, in no order. May ask a database.
pub(crate) fn names() -> Vec<String> {
    let mut names = Vec::new();
    let Some(sorcery) = sorcery() else { return names };
    let all = sys::ast_sorcery_retrieve_flags::AST_RETRIEVE_FLAG_MULTIPLE
        | sys::ast_sorcery_retrieve_flags::AST_RETRIEVE_FLAG_ALL;
    // SAFETY: sorcery is alive, the name is a static string; the result is a container of ours, or NULL.
    let objects = unsafe {
        let objects = sys::ast_sorcery_retrieve_by_fields(
            sorcery.as_ptr(),
            OBJECT_TYPE.as_ptr(),
            all,
            std::ptr::null_mut(),
        );
        Ao2::from_owned(objects.cast::<sys::ao2_container>())
    };
    if let Some(objects) = objects {
        // SAFETY: `collect` gets `names`, which lives across the call.
        unsafe { for_each(&objects, collect, (&raw mut names).cast()) };
    }
    names
}

trampoline! {
    /// On the thread and within the call of `names`. 0: no match, go on.
    fn collect(object: *mut c_void, names: *mut c_void, _flags: c_int) -> c_int, fail 0, {
        // SAFETY: the caller's vector, which nobody else uses during the call.
        let names = unsafe { names.cast::<Vec<String>>().as_mut() };
        // SAFETY: the container holds sorcery's objects, whose id lives as long as they do.
        let id = unsafe { owned_string(sys::ast_sorcery_object_get_id(object)) };
        if let Some(names) = names {
            names.push(id);
        }
        0
    }
}

/// Whether every client is in memory, so that a look-up asks no database and no other machine.
pub(crate) fn are_in_memory() -> bool {
    let Some(sorcery) = sorcery() else { return false };
    // SAFETY: sorcery is alive, the name is a static string.
    let count = unsafe { sys::ast_sorcery_get_wizard_mapping_count(sorcery.as_ptr(), OBJECT_TYPE.as_ptr()) };
    count > 0 && (0..count).all(|index| is_in_memory(&sorcery, index))
}

/// Whether the wizard at this place of the list keeps its objects in memory: what a file gave, or what was put there.
fn is_in_memory(sorcery: &Ao2<sys::ast_sorcery>, index: c_int) -> bool {
    let (mut wizard, mut data) = (std::ptr::null_mut(), std::ptr::null_mut());
    // SAFETY: sorcery is alive; wizard receives a reference of our own, data is the wizard's and is not used.
    let found = unsafe {
        sys::ast_sorcery_get_wizard_mapping(
            sorcery.as_ptr(),
            OBJECT_TYPE.as_ptr(),
            index,
            &raw mut wizard,
            &raw mut data,
        )
    };
    // SAFETY: the reference from above.
    let wizard = unsafe { Ao2::from_owned(wizard) };
    // SAFETY: a wizard's name is a C string that lives as long as the wizard.
    found == 0
        && wizard.is_some_and(|wizard| unsafe {
            matches!(CStr::from_ptr(sys::cw_wizard_name(wizard.as_ptr())).to_bytes(), b"config" | b"memory")
        })
}

fn sorcery() -> Option<Ao2<sys::ast_sorcery>> {
    // SAFETY: returns a reference of our own, or NULL while res_websocket_client is not loaded.
    unsafe { Ao2::from_owned(sys::ast_sorcery_retrieve_by_module_name(c"res_websocket_client".as_ptr())) }
}

fn retrieve(name: &str) -> Option<(Ao2<sys::ast_sorcery>, Ao2<c_void>)> {
    let name = CString::new(name).ok()?;
    let sorcery = sorcery()?;
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
