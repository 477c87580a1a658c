//! Who may connect to an INCOMING channel: chan_websocket.conf's `incoming_*` checks (asterisk/acl.h).

use std::ffi::{CString, c_int};
use std::ptr;

use super::sys;
use crate::settings::config::Settings;

/// An ACL of Asterisk's. An empty one allows everybody. Named lists have the content that acl.conf had when this ACL
/// was made; a named list that did not exist refuses everybody.
pub(crate) struct Acl {
    list: *mut sys::ast_acl_list,
    /// A rule could not be read. Then everybody is refused, rather than allowed.
    broken: bool,
}

// SAFETY: the list is only read after it is built; applying it takes its own lock.
unsafe impl Send for Acl {}
// SAFETY: as above.
unsafe impl Sync for Acl {}

impl Acl {
    /// The rules of `settings`, in their order. Errors are logged.
    pub(crate) fn new(settings: &Settings) -> Self {
        let mut acl = Self { list: ptr::null_mut(), broken: false };
        for rule in &settings.incoming_acl {
            let sense = rule.sense.as_str();
            let (mut error, mut named): (c_int, c_int) = (0, 0);
            if let (Ok(sense), Ok(value)) = (CString::new(sense), CString::new(rule.value.as_str())) {
                // SAFETY: C strings; the list is ours and grows in place.
                unsafe {
                    sys::ast_append_acl(
                        sense.as_ptr(),
                        value.as_ptr(),
                        &raw mut acl.list,
                        &raw mut error,
                        &raw mut named,
                    );
                }
            } else {
                error = 1;
            }
            if error != 0 {
                log::error!(
                    "chan_websocket.conf: incoming_{sense} '{}' is no valid rule; nobody may connect to INCOMING \
                     channels until it is corrected. Allowed: addresses with a mask, or the names of acl.conf",
                    rule.value
                );
                acl.broken = true;
            }
        }
        acl
    }

    /// # Safety
    /// `address` points to a live address.
    unsafe fn allows(&self, address: *const sys::ast_sockaddr) -> bool {
        if self.broken {
            return false;
        }
        if self.list.is_null() {
            return true;
        }
        // SAFETY: our list, and the caller's promise.
        let sense = unsafe { sys::ast_apply_acl(self.list, address, c"chan_websocket: ".as_ptr()) };
        sense == sys::ast_acl_sense::AST_SENSE_ALLOW
    }
}

impl Drop for Acl {
    fn drop(&mut self) {
        // SAFETY: our list, or NULL, which is allowed.
        unsafe { sys::ast_free_acl_list(self.list) };
    }
}

/// Why a peer is refused.
pub(crate) struct AccessRefusal {
    /// The status of the HTTP response, which is all that the peer learns.
    pub(crate) status: u16,
    /// For the log.
    pub(crate) why: String,
}

/// Why a peer is refused; `None` if it is allowed.
///
/// A request without an Origin header does not come from a browser. `incoming_origins` protects the users of browsers
/// (RFC 6455 section 10.2), so it does not apply to such a request.
///
/// # Safety
/// `session` is the HTTP session of the running callback.
pub(crate) unsafe fn refusal(
    acl: &Acl,
    settings: &Settings,
    session: *const sys::ast_tcptls_session_instance,
    headers: &[(String, String)],
) -> Option<AccessRefusal> {
    if settings.incoming_closed {
        let why = "it is not known who may: chan_websocket.conf, or a rule in it, could not be read";
        return Some(AccessRefusal { status: 503, why: why.to_owned() });
    }
    // SAFETY: the caller's promise.
    unsafe { forbidden(acl, settings, session, headers) }.map(|why| AccessRefusal { status: 403, why })
}

/// # Safety
/// As for `refusal`.
unsafe fn forbidden(
    acl: &Acl,
    settings: &Settings,
    session: *const sys::ast_tcptls_session_instance,
    headers: &[(String, String)],
) -> Option<String> {
    // SAFETY: the caller's promise.
    let (address, is_tls) = unsafe {
        let address = &raw const (*session).remote_address;
        (address, !sys::ast_iostream_get_ssl((*session).stream).is_null())
    };
    // SAFETY: as above.
    if !unsafe { acl.allows(address) } {
        return Some("its address is not allowed (incoming_acl, incoming_permit, incoming_deny)".into());
    }
    if settings.incoming_require_tls && !is_tls {
        return Some("it does not use TLS (incoming_require_tls)".into());
    }
    let origin =
        headers.iter().rev().find(|(name, _)| name.eq_ignore_ascii_case("Origin")).map(|(_, value)| value);
    match origin {
        Some(origin) if !settings.incoming_origins.is_empty() => {
            let known =
                settings.incoming_origins.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin.trim()));
            (!known).then(|| format!("its origin '{origin}' is not among incoming_origins"))
        }
        _ => None,
    }
}
