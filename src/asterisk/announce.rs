//! Raises events for the listeners of AMI and ARI (asterisk/manager.h, asterisk/stasis.h).

use std::ffi::{CString, c_int};

use super::channel::Channel;
use super::guard::here;
use super::sys;
use crate::report::notification::Notification;

/// Whether AMI is enabled, so that somebody may listen.
pub(crate) fn is_enabled() -> bool {
    // SAFETY: both only read a setting.
    unsafe { sys::ast_manager_check_enabled() != 0 || sys::ast_webmanager_check_enabled() != 0 }
}

/// Raises an AMI event of class call. Called on the notifier's thread, with no lock held.
pub(crate) fn raise(notification: &Notification) {
    let (Ok(name), Ok(headers)) =
        (CString::new(notification.kind.name()), CString::new(notification.fields.headers()))
    else {
        return;
    };
    let (file, line, function) = here!();
    // SAFETY: no channel is named; the format is ours and takes one string; all pointers live across the call.
    unsafe {
        sys::__ast_manager_event_multichan(
            sys::EVENT_FLAG_CALL as c_int,
            name.as_ptr(),
            0,
            std::ptr::null_mut(),
            file,
            line,
            function,
            c"%s".as_ptr(),
            headers.as_ptr(),
        );
    }
}

/// Publishes an event as a user event of the channel (asterisk/stasis.h). `None` if another thread holds the channel's
/// lock: try again. Called on the notifier's thread.
pub(crate) fn publish_user_event(channel: &Channel, notification: &Notification) -> Option<()> {
    let guard = channel.try_lock()?;
    let Ok(text) = CString::new(notification.fields.user_event(notification.kind.name())) else {
        return Some(());
    };
    // SAFETY: a C string in; the object is ours until it is given back below.
    let blob = unsafe { sys::ast_json_load_string(text.as_ptr(), std::ptr::null_mut()) };
    if blob.is_null() {
        return Some(());
    }
    // SAFETY: the channel is alive and locked; the message takes references of its own.
    unsafe {
        sys::ast_multi_object_blob_single_channel_publish(
            guard.locked().as_ptr(),
            sys::ast_multi_user_event_type(),
            blob,
        );
        sys::ast_json_unref(blob);
    }
    Some(())
}
