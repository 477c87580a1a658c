//! Notices changes of acl.conf, as Asterisk's other users of named ACLs do: an [`Acl`](super::access::Acl) keeps its
//! named lists as they were when it was made (asterisk/acl.h, asterisk/stasis.h).

use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use super::driver;
use super::guard::{here, trampoline};
use super::sys;

/// The subscription, between [`subscribe`] and [`unsubscribe`]; NULL at other times.
static SUBSCRIPTION: AtomicPtr<sys::stasis_subscription> = AtomicPtr::new(ptr::null_mut());

trampoline! {
    /// Called on a thread of the core's pool, with no lock held; also when its own subscription begins and ends.
    fn changed(
        _data: *mut c_void, _subscription: *mut sys::stasis_subscription, message: *mut sys::stasis_message,
    ) -> (), fail (), {
        // SAFETY: the core's message lives across the callback; the type is a static object of the core's, or NULL.
        let is_change = unsafe { sys::stasis_message_type(message) == sys::ast_named_acl_change_type() };
        if is_change && let Some(driver) = driver::current() {
            driver.named_acls_changed();
        }
    }
}

/// Subscribes to changes.
pub(crate) fn subscribe() {
    let (file, line, function) = here!();
    // SAFETY: the topic is the core's, the callback is never unmapped and needs no data; the subscription is ours until
    // `unsubscribe`, even if the core refuses the filter, which only saves calls.
    let subscription = unsafe {
        let subscription = sys::__stasis_subscribe_pool(
            sys::ast_security_topic(),
            Some(changed),
            ptr::null_mut(),
            file,
            line,
            function,
        );
        if !subscription.is_null() {
            sys::stasis_subscription_accept_message_type(subscription, sys::ast_named_acl_change_type());
            sys::stasis_subscription_set_filter(
                subscription,
                sys::stasis_subscription_message_filter::STASIS_SUBSCRIPTION_FILTER_SELECTIVE,
            );
        }
        subscription
    };
    if subscription.is_null() {
        log::error!(
            "changes of acl.conf will not be noticed: out of memory; reload chan_websocket.so after each of them"
        );
    }
    SUBSCRIPTION.store(subscription, Ordering::Release);
}

/// Ends the subscription, and waits until a running callback has returned. Called with the loader's list of modules
/// locked; no callback takes that lock.
pub(crate) fn unsubscribe() {
    let subscription = SUBSCRIPTION.swap(ptr::null_mut(), Ordering::AcqRel);
    // SAFETY: ours since `subscribe`, and no longer used by anybody; NULL is allowed.
    unsafe { sys::stasis_unsubscribe_and_join(subscription) };
}
