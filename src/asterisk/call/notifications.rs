//! Decides which events operators get about a call. [`event_fields`] decides what is in them. Any thread; the
//! notifier's thread sends the events.

use std::time::Duration;

use super::Call;
use crate::asterisk::announce;
use crate::asterisk::channel::Channel;
use crate::asterisk::notifier::Announcement;
use crate::asterisk::text::cause_text;
use crate::call::event_fields::{self, Way};
use crate::call::report::CallReport;
use crate::call::told::EndOf;
use crate::net::clock;
use crate::net::connection::Closed;
use crate::net::outbound::Dropped;
use crate::report::notification::{EventFields, NotificationKind};

impl Call {
    /// The core has hung the channel up, with this cause. `channel`: given if a connection has still to end.
    pub(super) fn note_departure(&self, cause: u32, channel: Option<Channel>) {
        let is_told = self.settings.user_events.has(NotificationKind::Disconnected.class());
        self.told.hung_up(cause, channel.filter(|_| is_told));
    }

    /// The application is connected.
    pub(super) fn notify_connected(&self) {
        self.notify(NotificationKind::Connected, self.channel(), event_fields::connected);
    }

    /// The connection has ended. `cause`: the cause with which the channel will end; `None` if it has ended already.
    pub(crate) fn notify_disconnected(&self, cause: Option<u32>) {
        let Some(end) = self.told.disconnected() else { return };
        let channel = match end {
            EndOf::CurrentChannel => self.channel(),
            EndOf::HungUp(channel) => Some(channel),
        };
        let cause = cause.unwrap_or_else(|| self.told.core_cause());
        self.notify(NotificationKind::Disconnected, channel, |report| {
            event_fields::disconnected(report, cause_fields(cause))
        });
    }

    /// The connection is lost, and the call waits for another one for at most `wait`.
    pub(super) fn notify_lost(&self, closed: &Closed, wait: Duration) {
        self.notify(NotificationKind::Lost, self.channel(), |_| event_fields::lost(closed, wait));
    }

    /// Another connection is up; the call was without one for `lost`.
    pub(super) fn notify_reconnected(&self, lost: Duration) {
        self.notify(NotificationKind::Reconnected, self.channel(), |report| {
            event_fields::reconnected(report, lost)
        });
    }

    /// No connection could be made, and the channel will end with `cause`.
    pub(super) fn notify_failed(&self, cause: u32) {
        self.notify(NotificationKind::Failed, self.channel(), |report| {
            event_fields::failed(report, cause_fields(cause))
        });
    }

    /// The application does not read what is sent to it.
    pub(super) fn notify_stalled(&self) {
        if !self.told.stalled(clock::now()) {
            return self.driver.notifier.hold_back();
        }
        self.notify(NotificationKind::Stalled, self.channel(), |report| {
            event_fields::stalled(report, Way::ToApplication)
        });
    }

    /// The application reads again.
    pub(super) fn notify_resumed(&self, lasted: Duration, dropped: Dropped) {
        if !self.told.resumed() {
            return self.driver.notifier.hold_back();
        }
        self.notify(NotificationKind::Resumed, self.channel(), |_| {
            event_fields::resumed(Way::ToApplication, lasted, dropped.messages)
        });
    }

    /// The queue is full when media of the application arrives. `frames_dropped_before`: how many frames had been
    /// dropped earlier. On the connection's reactor.
    pub(super) fn notify_overflowing(&self, frames_dropped_before: u64) {
        if !self.told.overflowing(clock::now(), frames_dropped_before) {
            return self.driver.notifier.hold_back();
        }
        self.notify(NotificationKind::Stalled, self.channel(), |report| {
            event_fields::stalled(report, Way::FromApplication)
        });
    }

    /// The queue has room again.
    pub(super) fn notify_flowing(&self) {
        let Some(overflowing) = self.told.flowing() else { return };
        if !overflowing.told {
            return self.driver.notifier.hold_back();
        }
        self.notify(NotificationKind::Resumed, self.channel(), |report| {
            let dropped = report.stats.frames_dropped.saturating_sub(overflowing.frames_dropped_before);
            event_fields::resumed(Way::FromApplication, overflowing.since.elapsed(), dropped)
        });
    }

    fn notify(
        &self,
        kind: NotificationKind,
        channel: Option<Channel>,
        more: impl FnOnce(&CallReport<'_>) -> EventFields,
    ) {
        let manager = self.settings.manager_events.has(kind.class()) && announce::is_enabled();
        let user = self.settings.user_events.has(kind.class());
        if !manager && !user {
            return;
        }
        let report = self.report();
        let notification = event_fields::notification(&report, kind, more(&report));
        let notifier = &self.driver.notifier;
        if user && let Some(channel) = channel {
            notifier.post(Announcement::User { channel, notification: Box::new(notification.clone()) });
        }
        if manager {
            notifier.post(Announcement::Manager { notification: Box::new(notification) });
        }
    }
}

fn cause_fields(cause: u32) -> EventFields {
    event_fields::cause(cause, &cause_text(cause))
}
