//! AMI: the action WebSocketShowChannels (asterisk/manager.h).

use std::ffi::{CStr, CString, c_char, c_int, c_void};

use super::driver;
use super::guard::trampoline;
use super::text::owned_string;
use super::{symbol, sys};
use crate::call::event_fields::all_metrics;
use crate::report::notification::EventFields;

const ACTION: &CStr = c"WebSocketShowChannels";
const LIST_COMPLETE: &CStr = c"WebSocketShowChannelsComplete";
/// The privileges that permit the action, as for the core's own lists of channels.
const PRIVILEGE: c_int = (sys::EVENT_FLAG_SYSTEM | sys::EVENT_FLAG_REPORTING) as c_int;

/// Used if our documentation is not installed.
const SYNOPSIS: &CStr = c"List the WebSocket channels and all their figures.";
const DESCRIPTION: &CStr =
    c"Lists the channels of chan_websocket, one event for each. With the header Channel, the name \
    or unique id of a channel, lists only that one.";

/// Registers the action.
pub(crate) fn register() {
    // With NULL the core takes the texts from the documentation.
    let (synopsis, description) = if is_documented() {
        (std::ptr::null(), std::ptr::null())
    } else {
        (SYNOPSIS.as_ptr(), DESCRIPTION.as_ptr())
    };
    // SAFETY: static strings, copied by the core, which holds the module while the action runs.
    let failed = unsafe {
        sys::ast_manager_register2(
            ACTION.as_ptr(),
            PRIVILEGE,
            Some(show_channels),
            sys::cw_module_self(),
            synopsis,
            description,
        )
    };
    if failed != 0 {
        log::warn!("the AMI action {} cannot be registered", ACTION.to_string_lossy());
    }
}

/// Unregisters the action.
pub(crate) fn unregister() {
    // SAFETY: a static string; nothing happens if there is no such action.
    unsafe { sys::ast_manager_unregister(ACTION.as_ptr()) };
}

/// Whether Asterisk has our documentation. It may be built without support for documentation. (Other ways to ask log a
/// warning if the documentation is missing.)
fn is_documented() -> bool {
    type Query = unsafe extern "C" fn(*const c_char, ...) -> *mut c_void;
    type Free = unsafe extern "C" fn(*mut c_void);
    // SAFETY: the core's functions of these names have these types, except for what the pointers point to (xmldoc.h,
    // xml.h); the core is never unloaded.
    let functions = unsafe {
        (symbol::find::<Query>(c"ast_xmldoc_query"), symbol::find::<Free>(c"ast_xml_xpath_results_free"))
    };
    let (Some(query), Some(free)) = functions else { return false };
    // SAFETY: the format takes one string. The result is NULL, or ours to free.
    unsafe {
        let results = query(c"/docs/manager[@name='%s']".as_ptr(), ACTION.as_ptr());
        if !results.is_null() {
            free(results);
        }
        !results.is_null()
    }
}

trampoline! {
    /// On the AMI session's thread, no lock held. 0: the session goes on.
    fn show_channels(session: *mut sys::mansession, message: *const sys::message) -> c_int, fail 0, {
        // SAFETY: the core's message lives across the callback; a header that is not there is "".
        let (action_id, channel) = unsafe {
            let header = |name: &CStr| owned_string(sys::astman_get_header(message, name.as_ptr().cast_mut()));
            (header(c"ActionID"), header(c"Channel"))
        };
        answer(&ManagerSession { session, message }, &action_id, &channel);
        0
    }
}

/// An AMI session and its request, for one action.
struct ManagerSession {
    session: *mut sys::mansession,
    message: *const sys::message,
}

fn answer(session: &ManagerSession, action_id: &str, channel: &str) {
    let Some(driver) = driver::current() else { return session.refuse(c"The module is being unloaded") };
    let calls = if channel.is_empty() {
        driver.books.calls()
    } else {
        match driver.books.call_by_name(channel) {
            Some(call) => vec![call],
            None => return session.refuse(c"No such WebSocket channel"),
        }
    };
    session.begin_list();
    for call in &calls {
        let mut event = EventFields::default().with("Event", "WebSocketShowChannel");
        if !action_id.is_empty() {
            event.push("ActionID", action_id);
        }
        session.append(&format!("{}\r\n", event.and(all_metrics(&call.report())).headers()));
    }
    session.end_list(calls.len());
}

impl ManagerSession {
    fn refuse(&self, why: &CStr) {
        // SAFETY: the callback's own session and message; the text is only read.
        unsafe { sys::astman_send_error(self.session, self.message, why.as_ptr().cast_mut()) };
    }

    fn begin_list(&self) {
        let (text, flag) = (c"WebSocket channels will follow", c"start");
        // SAFETY: as above.
        unsafe {
            sys::astman_send_listack(
                self.session,
                self.message,
                text.as_ptr().cast_mut(),
                flag.as_ptr().cast_mut(),
            );
        }
    }

    fn append(&self, text: &str) {
        let Ok(text) = CString::new(text) else { return };
        // SAFETY: the format is ours and takes one string.
        unsafe { sys::astman_append(self.session, c"%s".as_ptr(), text.as_ptr()) };
    }

    fn end_list(&self, count: usize) {
        let count = c_int::try_from(count).unwrap_or(c_int::MAX);
        // SAFETY: the callback's own session and message.
        unsafe {
            sys::astman_send_list_complete_start(self.session, self.message, LIST_COMPLETE.as_ptr(), count);
            sys::astman_send_list_complete_end(self.session);
        }
    }
}
