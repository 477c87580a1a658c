//! The time budget of one attempt.

use std::time::{Duration, Instant};

/// `handshake_timeout` of one attempt: it runs during look-up, proxy, TLS and upgrade, and stands still while TCP
/// connects, which has its own timeout for each address.
/// DIVERGES: res_websocket_client waits for a name server and for the answer to the upgrade forever.
#[derive(Debug, Default)]
pub(super) struct Budget {
    left: Duration,
    since: Option<Instant>,
}

impl Budget {
    /// The whole time, not running yet.
    pub(super) fn new(total: Duration) -> Self {
        Self { left: total, since: None }
    }

    /// Runs from now on. Returns when it will have run out.
    pub(super) fn start(&mut self, now: Instant) -> Instant {
        self.since = Some(now);
        now + self.left
    }

    /// Ignores a time in which the process did not run.
    pub(super) fn postpone(&mut self, by: Duration) {
        self.since = self.since.map(|since| since + by);
    }

    /// Stands still from now on.
    pub(super) fn pause(&mut self, now: Instant) {
        if let Some(since) = self.since.take() {
            self.left = self.left.saturating_sub(now.saturating_duration_since(since));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_does_not_change_during_a_pause() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut budget = Budget::new(Duration::from_millis(100));
        assert_eq!(budget.start(at(0)), at(100));
        budget.pause(at(30));
        budget.pause(at(50));
        assert_eq!(budget.start(at(500)), at(570));
        budget.pause(at(1000));
        assert_eq!(budget.start(at(2000)), at(2000));
    }
}
