//! A call that outlives its connection: what is done until there is another one.
//!
//! Playing goes on, because it needs no connection. What is for the application is kept by the lost connection's
//! [`Outbound`](crate::net::outbound::Outbound::keep), and goes out on the next connection after MEDIA_START. An
//! outgoing call tries to reach its server again, by a timer of the job thread; for an INCOMING call, the application
//! has to connect again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Call;
use crate::asterisk::log::{call_debug, call_warn, warn_limited};
use crate::call::dialled::Dialled;
use crate::call::jobs::Job;
use crate::call::link::Happening;
use crate::call::reconnecting::{first_pause, pause_after};
use crate::net::connection::Closed;
use crate::net::connector::ConnectError;
use crate::report::log_limit::LogLimit;

/// Limits the log: an application can be lost as often as it likes.
static LOST: LogLimit = LogLimit::new();

impl Call {
    /// The connection is lost, and the call waits for another one.
    pub(super) fn connection_lost(&self, closed: &Closed, until: Instant) {
        let wait = until.saturating_duration_since(Instant::now());
        warn_limited!(
            LOST,
            "{}: the WebSocket connection is gone ({closed}); the call goes on for {} ms without it",
            self.name(),
            wait.as_millis()
        );
        self.notify_lost(closed, wait);
        self.waits.begin(until);
        let timed_out = move |call| Job::ReconnectTimeout { call, until };
        self.driver.jobs.post_at((until, self.number), self.weak(), timed_out);
        self.link.loss_told();
        self.attempt_after(first_pause(), until);
    }

    /// An attempt or a claim has led to no connection, and the call goes on waiting for one.
    pub(super) fn not_reconnected(&self, error: Option<&ConnectError>, why: &str, until: Instant) {
        call_debug!(self, 1, "still without a WebSocket connection: {why}");
        self.attempt_after(pause_after(error), until);
    }

    /// Asks the job thread to try to connect, unless the call has ended by then.
    fn attempt_after(&self, pause: Duration, until: Instant) {
        if let Some(at) = self.waits.attempt_at(self.role, Instant::now() + pause, until) {
            self.driver.jobs.post_at((at, self.number), self.weak(), Job::Reconnect);
        }
        if self.link.state().is_ended() {
            // The hangup may have come before there was a timer to be cancelled.
            self.wait_no_more();
        }
    }

    /// The call has waited for another connection until `until`. True if it ends now: then the channel is to be hung
    /// up.
    pub(crate) fn reconnect_timed_out(&self, until: Instant) -> bool {
        let ends = self.happen(Happening::LostDeadline(until)).is_some();
        if ends {
            call_warn!(
                self,
                "no other WebSocket connection has come in time ({}); hanging up",
                self.role.reconnect_option()
            );
        }
        ends
    }

    /// Keeps what the call was dialled with, for another attempt.
    pub(crate) fn keep_dialled(&self, dialled: Arc<Dialled>) {
        let _ = self.dialled.set(dialled);
    }

    /// What the call was dialled with; `None`: it is not to connect again.
    pub(crate) fn dialled(&self) -> Option<&Arc<Dialled>> {
        self.dialled.get()
    }

    /// Another connection serves the call, after `lost` without one.
    pub(super) fn reconnected(&self, lost: Duration) {
        self.stats.reconnected(lost);
        self.wait_no_more();
        self.notify_reconnected(lost);
    }

    /// Cancels the timers of a call that waits for a connection.
    pub(crate) fn wait_no_more(&self) {
        self.waits.end(self.number).for_each(|key| self.driver.jobs.unwatch(key));
    }
}
