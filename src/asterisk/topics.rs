//! Subscriptions to the core's topics about a channel and a bridge (asterisk/stasis.h): each message asks for a survey
//! of the state at that time.

use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::Weak;

use super::bridge::Bridge;
use super::channel::Locked;
use super::guard::{here, trampoline};
use super::sys;

/// What a message asks for.
pub(crate) trait Survey: Send + Sync + 'static {
    /// Something has happened to the channel or in its bridge: look at them again. Any thread, no lock of ours held;
    /// never waits.
    fn survey_again(&self);
}

/// What the core keeps for a subscription.
type Watcher = Weak<dyn Survey>;

/// A subscription, until it is dropped. No lock of ours may be held then.
pub(crate) struct Subscription(NonNull<sys::stasis_subscription>);

// SAFETY: a counted object of the core's, which any thread may give back.
unsafe impl Send for Subscription {}
// SAFETY: nothing is done with it but that.
unsafe impl Sync for Subscription {}

impl Subscription {
    /// Subscribes to a channel's snapshots. `None`: the core is out of memory.
    pub(crate) fn to_channel(channel: Locked<'_>, call: Watcher) -> Option<Self> {
        // SAFETY: a getter under the channel lock; the topic lives as long as the channel. The types are the core's.
        unsafe {
            Self::new(sys::ast_channel_topic(channel.as_ptr()), &[sys::ast_channel_snapshot_type()], call)
        }
    }

    /// Subscribes to a bridge's snapshots, which show its channels. `None`: the core is out of memory.
    pub(crate) fn to_bridge(bridge: &Bridge, call: Watcher) -> Option<Self> {
        // SAFETY: the bridge is alive, and its topic with it, which is never another one. The types are the core's.
        unsafe { Self::new(sys::ast_bridge_topic(bridge.as_ptr()), &[sys::ast_bridge_snapshot_type()], call) }
    }

    /// # Safety
    /// `topic` lives for this call; `types` are message types, or NULL.
    unsafe fn new(
        topic: *mut sys::stasis_topic,
        types: &[*mut sys::stasis_message_type],
        call: Watcher,
    ) -> Option<Self> {
        let data = Box::into_raw(Box::new(call));
        let (file, line, function) = here!();
        // SAFETY: the caller's promise; the callback is never unmapped, and gets `data` until the final message.
        let subscription = unsafe {
            sys::__stasis_subscribe_pool(topic, Some(published), data.cast(), file, line, function)
        };
        let Some(subscription) = NonNull::new(subscription) else {
            // SAFETY: from `into_raw` above; no callback will come.
            drop(unsafe { Box::from_raw(data) });
            return None;
        };
        // Only a subscription that accepts its type gets the final message.
        // SAFETY: static types of the core. The filter only saves calls.
        unsafe {
            for accepted in types.iter().copied().chain([sys::stasis_subscription_change_type()]) {
                sys::stasis_subscription_accept_message_type(subscription.as_ptr(), accepted);
            }
            sys::stasis_subscription_set_filter(
                subscription.as_ptr(),
                sys::stasis_subscription_message_filter::STASIS_SUBSCRIPTION_FILTER_SELECTIVE,
            );
        }
        Some(Self(subscription))
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        // SAFETY: ours, given back once; the callback gets the final message later.
        unsafe { sys::stasis_unsubscribe(self.0.as_ptr()) };
    }
}

trampoline! {
    /// On a thread of the core's pool, with no lock held, one message after the other; the final one is the last.
    fn published(
        data: *mut c_void, subscription: *mut sys::stasis_subscription, message: *mut sys::stasis_message,
    ) -> (), fail (), {
        let call = data.cast::<Watcher>();
        // SAFETY: the core's subscription and message live across the callback.
        if unsafe { sys::stasis_subscription_final_message(subscription, message) } != 0 {
            // SAFETY: from `into_raw` in `Subscription::new`; no further callback will come.
            return drop(unsafe { Box::from_raw(call) });
        }
        // SAFETY: as above; it lives until the final message.
        if let Some(call) = unsafe { call.as_ref() }.and_then(Weak::upgrade) {
            call.survey_again();
        }
    }
}
