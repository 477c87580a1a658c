//! Applications that are silent or read nothing: stalls, pings and deadlines.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::closing::CloseState;
use super::{Connection, Turn};
use crate::net::outbound::Dropped;
use crate::settings::config::Pings;

/// An application that reads nothing for this long has stalled.
const STALL: Duration = Duration::from_secs(1);

/// Pings of one connection.
#[derive(Debug)]
pub(super) struct Ping {
    config: Pings,
    due: Instant,
    unanswered: u32,
    sent: Instant,
}

impl Ping {
    /// The first one is due after one interval.
    pub(super) fn new(config: Pings) -> Self {
        let now = Instant::now();
        Self { config, due: now + config.interval, unanswered: 0, sent: now }
    }
}

impl Connection {
    /// When [`on_deadline`](Self::on_deadline) is to be called, if at all.
    pub fn deadline(&self) -> Option<Instant> {
        match self.state {
            // Only the end's own deadline counts: the others may have passed already.
            CloseState::CloseSent { until } | CloseState::Lingering { until, .. } => Some(until),
            CloseState::Open => {
                let counted = !self.holding.is_held();
                let blocked = self.blocked_since.filter(|_| counted);
                let blocked =
                    blocked.map(|since| self.holding.counts_from(since) + self.config.write_timeout);
                let unnoticed = self.blocked_since.filter(|_| self.stalled_since.is_none());
                let stall = unnoticed.map(|since| since + STALL);
                let ping = self.ping.as_ref().filter(|_| counted).map(|ping| ping.due);
                [blocked, stall, ping, self.call_back].into_iter().flatten().min()
            }
            CloseState::Done => None,
        }
    }

    /// Acts on whatever deadline has passed. This thread may have started to run long after it (the process was
    /// stopped, the machine is overloaded), and an application that reads slowly may have made too little room for poll
    /// to report. So the socket is read and written first.
    pub fn on_deadline(&mut self, now: Instant, scratch: &mut [u8]) -> Turn {
        let turn = self.on_readable(scratch, false);
        match self.state {
            CloseState::CloseSent { until } if now >= until => {
                self.transport.shutdown();
                self.state = CloseState::Done;
            }
            CloseState::Lingering { until, .. } if now >= until => {
                self.end_linger();
                self.state = CloseState::Done;
            }
            CloseState::Open => {
                self.call_back_if_due(now);
                let write_timeout = self.config.write_timeout;
                let is_over = |since| now >= self.holding.counts_from(since) + write_timeout;
                if self.holding.is_held() {
                    // Its silence means nothing.
                } else if self.blocked_since.is_some_and(is_over) {
                    self.give_up(format!(
                        "the application took nothing for {} ms",
                        write_timeout.as_millis()
                    ));
                } else if turn != Turn::StillReadable {
                    self.ping_if_due(now);
                }
            }
            _ => {}
        }
        match self.on_writable() {
            Turn::Idle => turn,
            other => other,
        }
    }

    /// The application has read nothing since `since`, and something waits for it.
    pub(super) fn notice_stall(&mut self, since: Instant) {
        if self.state != CloseState::Open || self.stalled_since.is_some() {
            return;
        }
        let dropping = self.out.counters.media_dropped.load(Ordering::Relaxed) != self.dropped_before;
        if dropping || since.elapsed() >= STALL {
            self.stalled_since = Some(since);
            self.guarded(|connection| connection.handler.on_stalled());
        }
    }

    /// Everything is written.
    pub(super) fn end_stall(&mut self, dropped: Dropped) {
        if dropped.messages > 0 {
            self.dropped_before = self.out.counters.media_dropped.load(Ordering::Relaxed);
        }
        let Some(since) = self.stalled_since.take() else { return };
        if self.state == CloseState::Open {
            self.guarded(|connection| connection.handler.on_resumed(since.elapsed(), dropped));
        }
    }

    /// A ping was answered.
    pub(super) fn on_pong(&mut self) {
        if let Some(ping) = &mut self.ping
            && ping.unanswered > 0
        {
            ping.unanswered = 0;
            let round_trip = ping.sent.elapsed();
            self.guarded(|connection| connection.handler.on_pong(round_trip));
        }
    }

    /// The application was not read, so its answers could not arrive.
    pub(super) fn restart_pings(&mut self) {
        if let Some(ping) = &mut self.ping {
            *ping = Ping::new(ping.config);
        }
    }

    fn call_back_if_due(&mut self, now: Instant) {
        if self.call_back.is_some_and(|at| now >= at) {
            self.call_back = None;
            self.ask(|handler| handler.on_call_back());
        }
    }

    fn ping_if_due(&mut self, now: Instant) {
        let Some(ping) = &mut self.ping else { return };
        if now < ping.due {
            return;
        }
        if ping.unanswered >= ping.config.probes {
            let what = format!("the application answered none of {} pings", ping.unanswered);
            self.give_up(what);
            return;
        }
        let missed = ping.unanswered > 0;
        ping.unanswered += 1;
        ping.sent = now;
        ping.due = now + ping.config.interval;
        self.out.queue_ping(b"ping");
        self.guarded(|connection| connection.handler.on_ping(missed));
    }
}
