//! A call that outlives its connection: what is done while that is missing.
//!
//! What is played goes on, for it needs no connection. What is to go to the application is kept by the way out of the
//! connection that was lost ([`Outbound::keep`](crate::net::outbound::Outbound::keep)), and goes out on the next one behind
//! MEDIA_START. An outgoing call tries to reach its server again, by a timer of the job thread; to an INCOMING one the
//! application comes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Call, CallRole};
use crate::asterisk::log::{call_debug, call_warn, warn_limited};
use crate::asterisk::notifications;
use crate::asterisk::outgoing::Dialled;
use crate::call::link::Happening;
use crate::net::connection::Closed;
use crate::net::connector::{ConnectError, jitter};
use crate::net::task_thread::TimerKey;
use crate::report::log_limit::LogLimit;

/// An application can be lost as often as it likes.
static LOST: LogLimit = LogLimit::new();

/// The first attempt comes within this time, so that the calls of a server that has gone do not all come at once.
const FIRST_ATTEMPT: Duration = Duration::from_millis(100);

/// Between two attempts, at least. `reconnect_interval` may be nothing, which is for a few attempts and not for minutes.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);

/// Between two attempts, where the settings cannot be read; `reconnect_interval`'s default.
const UNKNOWN_PAUSE: Duration = Duration::from_millis(500);

/// What the job thread's clock has to say to a call that waits.
#[derive(Debug, Default)]
pub(super) struct Waits {
    /// It has waited long enough.
    deadline: Option<Instant>,
    /// It is time for an attempt.
    attempt: Option<Instant>,
}

impl Call {
    /// The connection is lost, and the call waits for another.
    pub(super) fn connection_lost(&self, closed: &Closed, until: Instant) {
        let wait = until.saturating_duration_since(Instant::now());
        warn_limited!(
            LOST,
            "{}: the WebSocket connection is gone ({closed}); the call goes on for {} ms without it",
            self.name(),
            wait.as_millis()
        );
        notifications::lost(self, closed, wait);
        self.waits.lock().deadline = Some(until);
        self.driver.jobs.watch_loss(self, (until, self.number), until);
        self.link.loss_told();
        self.attempt_after(jitter(FIRST_ATTEMPT), until);
    }

    /// No connection has come of an attempt or of a claim, and the call waits for another one.
    pub(super) fn not_reconnected(&self, error: Option<&ConnectError>, why: &str, until: Instant) {
        call_debug!(self, 1, "still without a WebSocket connection: {why}");
        let pause = error.and_then(|error| error.pause_ms);
        let pause =
            pause.map_or(UNKNOWN_PAUSE, |ms| Duration::from_millis(ms.get().into())).max(SHORTEST_PAUSE);
        self.attempt_after(pause + jitter(pause), until);
    }

    /// Has the job thread try to connect, unless the call has ended by then.
    fn attempt_after(&self, pause: Duration, until: Instant) {
        let at = Instant::now() + pause;
        if self.role == CallRole::Outgoing && at < until {
            self.waits.lock().attempt = Some(at);
            self.driver.jobs.reconnect_at(self, (at, self.number));
        }
        if self.link.state().is_ended() {
            // The hangup may have come before there was a timer to be cancelled.
            self.wait_no_more();
        }
    }

    /// The call has waited for another connection until then. True if it ends now: then the channel is to be hung up.
    pub(crate) fn reconnect_timed_out(&self, until: Instant) -> bool {
        let ends = self.happen(Happening::LostDeadline(until)).is_some();
        if ends {
            call_warn!(
                self,
                "no other WebSocket connection has come in time ({}); hanging up",
                self.reconnect_option()
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

    /// The option that says how long the call outlives a connection.
    pub(crate) fn reconnect_option(&self) -> &'static str {
        match self.role {
            CallRole::Incoming => "incoming_reconnect",
            CallRole::Outgoing => "reconnect",
        }
    }

    /// Another connection serves the call, after so long without one.
    pub(super) fn reconnected(&self, lost: Duration) {
        self.record.reconnected(lost);
        self.wait_no_more();
        notifications::reconnected(self, lost);
    }

    /// The clock has nothing to say to this call any more.
    pub(crate) fn wait_no_more(&self) {
        let waits = std::mem::take(&mut *self.waits.lock());
        let keys =
            [waits.deadline, waits.attempt].into_iter().flatten().map(|at| -> TimerKey { (at, self.number) });
        keys.for_each(|key| self.driver.jobs.unwatch(key));
    }

    /// How long the call was without a connection that it had lost, until now.
    pub(crate) fn lost_time(&self) -> Duration {
        self.record.lost() + self.link.lost_since().map(|since| since.elapsed()).unwrap_or_default()
    }
}
