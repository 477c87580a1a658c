//! How a call ends: who or what ends it, with which cause, and what is told of it.

use std::sync::atomic::Ordering;

use super::Call;
use crate::asterisk::channel::Locked;
use crate::asterisk::jobs::Job;
use crate::asterisk::log::{call_debug, call_warn};
use crate::asterisk::{notifications, sys};
use crate::net::connection::Closed;
use crate::net::connector::ConnectError;
use crate::report::call_record::{EndedBy, Ending};

/// Close codes of RFC 6455 section 7.4.1 that serve as the driver's own hangup cause.
pub(crate) const CLOSE_NORMAL: u16 = 1000;
const CLOSE_GOING_AWAY: u16 = 1001;
const CLOSE_ABNORMAL: u16 = 1006;
const CLOSE_INTERNAL_ERROR: u16 = 1011;

/// How the HANGUP command, and an operator, end a call.
const NORMAL_HANGUP: HangupCause =
    HangupCause { cause: sys::AST_CAUSE_NORMAL_CLEARING, tech_cause: Some(CLOSE_NORMAL) };

/// Why and how a call is to be hung up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HangupCause {
    /// Asterisk's cause (asterisk/causes.h).
    pub(crate) cause: u32,
    /// The driver's own: a WebSocket close code.
    pub(crate) tech_cause: Option<u16>,
}

impl Call {
    /// Notes what ends the call; the first one counts.
    pub(crate) fn ended(&self, by: EndedBy, code: Option<u16>, reason: String) {
        self.record.end(Ending { by, code, reason });
    }

    /// The application sent HANGUP.
    pub(super) fn hang_up_by_command(&self) {
        self.ended(EndedBy::HangupCommand, Some(CLOSE_NORMAL), String::new());
        self.ask_for_end(NORMAL_HANGUP);
    }

    /// Hangs up as the application's own HANGUP does.
    pub(crate) fn hang_up_by_operator(&self) {
        self.ended(EndedBy::Operator, Some(CLOSE_NORMAL), String::new());
        self.post(|call| Job::Hangup { call, cause: NORMAL_HANGUP });
    }

    /// An attempt to connect has failed for good.
    pub(crate) fn connecting_failed(&self, error: &ConnectError) {
        let cause = HangupCause { cause: sys::AST_CAUSE_NO_ROUTE_DESTINATION, tech_cause: None };
        self.ended(EndedBy::NotConnected, None, error.to_string());
        notifications::failed(self, cause.cause);
        self.post(|call| Job::Hangup { call, cause });
    }

    /// The application was lost between claim and connection.
    pub(crate) fn connection_lost_in_handshake(&self, what: &str) {
        let cause =
            HangupCause { cause: sys::AST_CAUSE_NETWORK_OUT_OF_ORDER, tech_cause: Some(CLOSE_ABNORMAL) };
        self.ended(EndedBy::Lost, None, what.to_owned());
        notifications::failed(self, cause.cause);
        self.ask_for_end(cause);
    }

    /// The connection is over, and with it the call.
    pub(super) fn connection_over(&self, closed: Closed) {
        self.log_over(&closed);
        let (by, code, reason) = match closed {
            Closed::ByUs(_) => return notifications::disconnected(self, None),
            Closed::ByPeer { code, reason } => (EndedBy::Application, code, reason),
            Closed::Fault { code, what } => (EndedBy::ProtocolFault, code, what),
            Closed::Lost(what) => (EndedBy::Lost, CLOSE_ABNORMAL, what),
            Closed::Unresponsive(what) => (EndedBy::Unresponsive, CLOSE_GOING_AWAY, what),
            Closed::Panicked => (EndedBy::InternalError, CLOSE_INTERNAL_ERROR, String::new()),
        };
        let cause = match by {
            EndedBy::Application => sys::AST_CAUSE_NORMAL_CLEARING,
            _ => sys::AST_CAUSE_NETWORK_OUT_OF_ORDER,
        };
        self.ended(by, Some(code), reason);
        let cause = HangupCause { cause, tech_cause: Some(code) };
        self.post(|call| Job::Disconnected { call, cause });
    }

    /// Settles who has ended the call: the core, if it was hanging up before what has come of the application. Under the
    /// channel's lock. True if it was the core.
    pub(crate) fn settle_end(&self, core_first: bool) -> bool {
        self.record.settle(core_first)
    }

    fn log_over(&self, closed: &Closed) {
        match closed {
            Closed::ByUs(_) => {}
            Closed::ByPeer { code, reason } => {
                call_debug!(self, 1, "WebSocket closed by the application, code {code} {reason}");
            }
            Closed::Fault { code, what } => {
                call_warn!(self, "WebSocket protocol fault by the application: {what}; closed with {code}");
            }
            Closed::Lost(what) => call_debug!(self, 1, "WebSocket connection lost: {what}"),
            Closed::Unresponsive(what) => call_warn!(
                self,
                "WebSocket connection given up: {what}; see whether it hangs (write_timeout, enable_pingpongs)"
            ),
            Closed::Panicked => {
                call_warn!(self, "WebSocket connection given up after an internal fault; the call ends");
            }
        }
    }

    /// Asks the job thread for the hangup. What ends the connection may come more than once: the first counts.
    pub(crate) fn ask_for_end(&self, cause: HangupCause) {
        if !self.end_asked.swap(true, Ordering::Relaxed) {
            self.post(|call| Job::Hangup { call, cause });
        }
    }

    /// The core hangs up with `cause`. Closes the connection, cancels an attempt, lets go of the channel.
    pub(crate) fn hangup(&self, _channel: Locked<'_>, close_code: u16, cause: u32) {
        self.hung_up.store(true, Ordering::Release);
        self.ended(EndedBy::Core, self.link.get().map(|_| close_code), String::new());
        self.settle_end(true);
        self.driver.forget(self);
        call_debug!(self, 1, "over: {}", self.summary());
        self.cancel_connecting();
        let channel = self.owner.lock().take();
        notifications::hung_up(self, cause, channel.filter(|_| self.link.get().is_some()));
        if let Some(link) = self.link.get() {
            call_debug!(self, 1, "closing the WebSocket connection with {}, code {close_code}", link.peer);
            link.slot.close(close_code);
        }
    }

    /// Whether the core has hung the channel up.
    pub(crate) fn is_hung_up(&self) -> bool {
        self.hung_up.load(Ordering::Acquire)
    }
}
