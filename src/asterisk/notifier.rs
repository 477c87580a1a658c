//! The thread that sends events to AMI and ARI. It is not the job thread, so that a slow manager, or a call with many
//! events, delays no answer and no hangup of other calls. Its queue is bounded.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::channel::Channel;
use super::guard::guard;
use super::log::warn_limited;
use super::{announce, fault};
use crate::net::task_thread::{Task, TaskThread};
use crate::net::watchdog::WatchedThread;
use crate::report::log_limit::LogLimit;
use crate::report::notification::{Notification, NotificationKind};

/// How many messages may wait: some megabytes.
const MAX_WAITING: usize = 10_000;
/// How many may wait when a message is about something that can happen often in a call. The rest of the room is kept
/// for messages about the begin and the end of calls.
const MAX_WAITING_IN_CALL: usize = 1_000;

static DROPPED: LogLimit = LogLimit::new();

/// A message to send.
pub(crate) enum Announcement {
    /// To AMI's listeners.
    Manager { notification: Box<Notification> },
    /// To ARI's, by way of the channel, which may have been hung up.
    User { channel: Channel, notification: Box<Notification> },
}

impl Announcement {
    fn kind(&self) -> NotificationKind {
        match self {
            Self::Manager { notification } | Self::User { notification, .. } => notification.kind,
        }
    }

    fn tell(self) -> Option<Self> {
        fault::point("notify");
        match self {
            Self::Manager { notification } => {
                announce::raise(&notification);
                None
            }
            Self::User { channel, notification } => {
                let told = announce::publish_user_event(&channel, &notification).is_some();
                (!told).then_some(Self::User { channel, notification })
            }
        }
    }
}

impl Task for Announcement {
    fn attempt(self) -> Option<Self> {
        guard("notifier", None, || self.tell())
    }

    /// A channel's user events stay in order.
    fn follows(&self, other: &Self) -> bool {
        matches!((self, other), (Self::User { channel: a, .. }, Self::User { channel: b, .. }) if a == b)
    }
}

/// The thread, its queue, and the number of events that were not sent.
pub(crate) struct Notifier {
    thread: TaskThread<Announcement>,
    dropped: AtomicU64,
    held_back: AtomicU64,
}

impl Notifier {
    /// Starts the thread.
    ///
    /// # Errors
    /// Out of threads.
    pub(crate) fn start() -> std::io::Result<Self> {
        let thread = TaskThread::start("ws-notifier", "events for AMI and ARI")?;
        Ok(Self { thread, dropped: AtomicU64::new(0), held_back: AtomicU64::new(0) })
    }

    /// Queues a message, or drops it if too many wait. Any thread, any lock held but those of the log; never waits.
    pub(crate) fn post(&self, message: Announcement) {
        let kind = message.kind();
        let room = match kind {
            NotificationKind::Stalled
            | NotificationKind::Resumed
            | NotificationKind::Lost
            | NotificationKind::Reconnected => MAX_WAITING_IN_CALL,
            NotificationKind::Connected | NotificationKind::Disconnected | NotificationKind::Failed => {
                MAX_WAITING
            }
        };
        if self.thread.waiting() < room {
            return self.thread.post(message);
        }
        self.dropped.fetch_add(1, Ordering::Relaxed);
        warn_limited!(
            DROPPED,
            "dropped the event {} for AMI and ARI: {room} events are waiting",
            kind.name()
        );
    }

    /// Counts an event that is not sent because its call had many.
    pub(crate) fn hold_back(&self) {
        self.held_back.fetch_add(1, Ordering::Relaxed);
    }

    /// Messages that were dropped because too many waited, and events that were held back because there were many of
    /// their call.
    pub(crate) fn untold(&self) -> [(&'static str, u64); 2] {
        [
            ("queue_full", self.dropped.load(Ordering::Relaxed)),
            ("call_limit", self.held_back.load(Ordering::Relaxed)),
        ]
    }

    /// For the watchdog.
    pub(crate) fn watched(&self) -> Arc<dyn WatchedThread> {
        self.thread.watched()
    }

    /// Sends what waits and stops the thread. A second call does nothing more.
    pub(crate) fn stop(&self) {
        self.thread.stop();
    }
}
