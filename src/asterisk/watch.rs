//! What a call watches: its channel, and the bridge that the channel is in. A message about either asks for a survey of
//! both.

use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use super::topics::Subscription;

/// See the module. Any thread; no lock is held while the core is asked for a subscription, or while one is given back.
#[derive(Default)]
pub(crate) struct Watch {
    watched: Mutex<WatchedTopics>,
    /// A survey is queued.
    is_posted: AtomicBool,
}

#[derive(Default)]
struct WatchedTopics {
    channel: Option<Subscription>,
    /// The bridge with this id.
    bridge: Option<(String, Subscription)>,
}

impl Watch {
    /// Whether a survey is to be queued: none is yet.
    pub(crate) fn ask_for_survey(&self) -> bool {
        !self.is_posted.swap(true, Ordering::AcqRel)
    }

    /// A survey begins: what happens from now on asks for another one.
    pub(crate) fn begin_survey(&self) {
        self.is_posted.store(false, Ordering::Release);
    }

    /// Watches the channel, unless it is watched.
    pub(crate) fn watch_channel(&self, subscribe: impl FnOnce() -> Option<Subscription>) {
        if self.watched.lock().channel.is_none() {
            let subscription = subscribe();
            // If there was another one meanwhile, it is dropped without the lock.
            let _other = std::mem::replace(&mut self.watched.lock().channel, subscription);
        }
    }

    /// Watches the bridge with this id, and no other.
    pub(crate) fn watch_bridge(&self, id: Option<String>, subscribe: impl FnOnce() -> Option<Subscription>) {
        let watched = self.watched.lock().bridge.as_ref().map(|(watched, _)| watched.clone());
        if id == watched {
            return;
        }
        let subscription = subscribe();
        let _before = std::mem::replace(&mut self.watched.lock().bridge, id.zip(subscription));
    }

    /// Watches nothing any more.
    pub(crate) fn end(&self) {
        let _before = std::mem::take(&mut *self.watched.lock());
    }
}
