//! What is done when a call ends. [`crate::call`] decides what ends it, and with which cause.

use super::{Call, ToDo};
use crate::asterisk::channel::Locked;
use crate::asterisk::log::{call_debug, call_warn};
use crate::asterisk::sys;
use crate::call::connection::CallConnection;
use crate::call::ending::{Cause, HangupCause};
use crate::call::jobs::Job;
use crate::call::link::{Happening, NotConnected};
use crate::net::connection::Closed;
use crate::net::connector::ConnectError;
use crate::playout::session::Session;

// Our causes have the core's numbers.
const _: () = assert!(
    Cause::NoRouteDestination.number() == sys::AST_CAUSE_NO_ROUTE_DESTINATION
        && Cause::NormalClearing.number() == sys::AST_CAUSE_NORMAL_CLEARING
        && Cause::NoAnswer.number() == sys::AST_CAUSE_NO_ANSWER
        && Cause::NetworkOutOfOrder.number() == sys::AST_CAUSE_NETWORK_OUT_OF_ORDER
);

impl Call {
    /// Records what happens to the call, and closes the connection or cancels the attempt if that is due. Returns how
    /// the channel is to be hung up, if it is: the caller does that. No lock of ours is held.
    pub(super) fn happen(&self, happening: Happening<CallConnection>) -> Option<HangupCause> {
        let todo = self.link.happen(happening);
        let hang_up = todo.hang_up;
        if hang_up.is_some() {
            self.abandon_media();
        }
        self.leave(todo);
        hang_up
    }

    /// Cancels the attempt and closes the connection that `todo` names.
    pub(super) fn leave(&self, todo: ToDo) {
        if let Some(attempt) = todo.cancel {
            attempt.cancel();
        }
        if let Some((connection, code)) = todo.close {
            call_debug!(self, 1, "closing the WebSocket connection with {}, code {code}", connection.peer);
            connection.slot.close(code);
        }
    }

    /// The application sent HANGUP.
    pub(super) fn hang_up_by_command(&self) {
        self.happen_and_hang_up(Happening::HangupCommand);
    }

    /// Hangs up as the application's own HANGUP does.
    pub(crate) fn hang_up_by_operator(&self) {
        self.happen_and_hang_up(Happening::Operator);
    }

    pub(super) fn happen_and_hang_up(&self, happening: Happening<CallConnection>) {
        if self.happen(happening).is_some() {
            self.post_hangup();
        }
    }

    /// Queues the hangup of the channel, with the cause that ended the call. A call that has lost its connection first
    /// reports that the connection has ended.
    fn post_hangup(&self) {
        let is_lost = self.link.lost_since().is_some();
        self.post(|call| if is_lost { Job::Disconnected { call, hang_up: true } } else { Job::Hangup(call) });
    }

    /// A panic was contained in a job. The call ends, unless it ends already.
    pub(crate) fn fault_in_job(&self) {
        // The job thread hangs up next.
        let _ = self.happen(Happening::Fault);
    }

    /// An attempt to connect has failed, after all its tries.
    pub(crate) fn connecting_failed(&self, error: &ConnectError) {
        let why = error.to_string();
        let is_refusal = error.failure.is_refusal();
        let why = if is_refusal { NotConnected::Refused(why) } else { NotConnected::Failed(why) };
        self.not_connected(why, Some(error));
    }

    /// The call cannot be made as its client's section wants it.
    pub(crate) fn cannot_be_made(&self, why: String) {
        self.not_connected(NotConnected::Misconfigured(why), None);
    }

    /// The application was lost between claim and connection.
    pub(crate) fn connection_lost_in_handshake(&self, what: &str) {
        self.not_connected(NotConnected::LostInHandshake(what.to_owned()), None);
    }

    fn not_connected(&self, why: NotConnected, error: Option<&ConnectError>) {
        let todo = self.link.happen(Happening::AttemptFailed(why.clone()));
        if let Some(until) = todo.waits_until {
            self.not_reconnected(error, why.as_str(), until);
        } else if let Some(hangup) = todo.hang_up {
            self.abandon_media();
            if self.link.lost_since().is_none() {
                self.notify_failed(hangup.cause.number());
            }
            self.post_hangup();
        }
        self.leave(todo);
    }

    /// `incoming_timeout` has expired. True if that ends the call: then the channel is to be hung up.
    pub(crate) fn incoming_timed_out(&self) -> bool {
        let Some(hangup) = self.happen(Happening::IncomingTimeout) else { return false };
        call_warn!(self, "no application has connected in time (incoming_timeout); hanging up");
        self.notify_failed(hangup.cause.number());
        true
    }

    /// A connection has ended, and the call with it, unless the call waits for another one. Nothing happens if the
    /// connection was not the call's.
    pub(super) fn connection_over(&self, connection: usize, closed: Closed) {
        let todo = self.link.happen(Happening::Over { connection, closed: closed.clone() });
        if todo.refused {
            return;
        }
        let (waits_until, hang_up) = (todo.waits_until, todo.hang_up.is_some());
        if hang_up {
            self.abandon_media();
        }
        self.leave(todo);
        if let Some(until) = waits_until {
            return self.connection_lost(&closed, until);
        }
        self.log_over(&closed);
        if matches!(closed, Closed::ByUs(_)) {
            self.notify_disconnected(None);
        } else {
            self.post(|call| Job::Disconnected { call, hang_up });
        }
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

    /// The core hangs up with `cause`. Closes the connection, cancels an attempt, lets go of the channel.
    pub(crate) fn hangup(&self, _channel: Locked<'_>, close_code: u16, cause: u32) {
        self.with_session(Session::hung_up);
        let todo = self.link.happen(Happening::Hangup { close_code });
        self.link.settle(true);
        self.wait_no_more();
        self.driver.forget(self);
        call_debug!(self, 1, "over: {}", self.summary());
        let channel = self.owner.lock().take();
        let channel = channel.filter(|_| self.link.connection().is_some());
        self.note_departure(cause, channel);
        self.watch.end();
        if self.link.lost_since().is_some() {
            // There is no connection whose end would report this.
            self.notify_disconnected(None);
        }
        self.abandon_media();
        // Last: the event that the connection has ended needs what is set above.
        self.leave_after_transfer(todo);
    }
}
