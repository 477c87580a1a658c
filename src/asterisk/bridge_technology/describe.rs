//! Describes a call's bridge for an operator.

use std::ptr;

use super::super::ao2::Ao2;
use super::super::channel::Channel;
use super::super::guard::here;
use super::super::sys;
use super::super::text::owned_string;
use super::technology;
use crate::call::data::CallData;

/// Whether the channel's bridge is direct, and why not. Waits for the channel's and the bridge's lock, so neither may
/// be held.
pub(crate) fn describe(channel: &Channel, call: &CallData) -> String {
    let Some(bridge) = bridge_of(channel) else { return "-".to_owned() };
    let technology = FoundTechnology::of(&bridge);
    if !technology.is_ours {
        return format!("not direct: it is the technology {}'s", technology.name);
    }
    match call.direct.newest() {
        None => "direct; no frame has come yet".to_owned(),
        Some(Ok(())) => "direct".to_owned(),
        Some(Err(reason)) => format!("direct, but for the newest frame: {}", reason.as_str()),
    }
}

fn bridge_of(channel: &Channel) -> Option<Ao2<sys::ast_bridge>> {
    let guard = channel.lock();
    // SAFETY: the channel is locked; the result is a reference of ours, or NULL.
    unsafe { Ao2::from_owned(sys::ast_channel_get_bridge(guard.locked().as_ptr())) }
}

struct FoundTechnology {
    name: String,
    is_ours: bool,
}

impl FoundTechnology {
    /// Waits for the bridge's lock.
    fn of(bridge: &Ao2<sys::ast_bridge>) -> Self {
        let (file, line, function) = here!();
        let object = bridge.as_ptr();
        // SAFETY: the bridge is alive through our reference; the technology and its name stay while it is locked.
        unsafe {
            sys::__ao2_lock(object.cast(), 0, file, function, line, c"bridge".as_ptr());
            let technology = sys::cw_bridge_technology(object);
            let name = if technology.is_null() { String::new() } else { owned_string((*technology).name) };
            sys::__ao2_unlock(object.cast(), file, function, line, c"bridge".as_ptr());
            Self { name, is_ours: ptr::eq(technology, technology::table()) }
        }
    }
}
