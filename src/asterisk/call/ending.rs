//! What is done when a call ends. What ends it, and with which cause, is [`crate::call`]'s to say.

use super::Call;
use super::link::Connection;
use crate::asterisk::channel::Locked;
use crate::asterisk::jobs::Job;
use crate::asterisk::log::{call_debug, call_warn};
use crate::asterisk::{notifications, sys};
use crate::call::ending::{Cause, HangupCause};
use crate::call::link::{Happening, NotConnected, State, Todo};
use crate::net::connection::Closed;
use crate::net::connector::{ConnectError, ConnectHandle};
use crate::playout::session::Session;

// One numbering.
const _: () = assert!(
    Cause::NoRouteDestination.number() == sys::AST_CAUSE_NO_ROUTE_DESTINATION
        && Cause::NormalClearing.number() == sys::AST_CAUSE_NORMAL_CLEARING
        && Cause::NoAnswer.number() == sys::AST_CAUSE_NO_ANSWER
        && Cause::NetworkOutOfOrder.number() == sys::AST_CAUSE_NETWORK_OUT_OF_ORDER
);

impl Call {
    /// Takes note of what happens to the call, and does what that asks of connection and attempt. Gives how the channel
    /// is to be hung up, if it is: the caller does that. No lock of ours is held.
    fn happen(&self, happening: Happening<Connection>) -> Option<HangupCause> {
        let todo = self.link.happen(happening);
        let hang_up = todo.hang_up;
        if hang_up.is_some() {
            self.abandon_media();
        }
        self.leave(todo);
        hang_up
    }

    /// Cancels the attempt and closes the connection that are to go.
    pub(super) fn leave(&self, todo: Todo<Connection, ConnectHandle>) {
        if let Some(attempt) = todo.cancel {
            attempt.cancel();
        }
        if let Some((connection, code)) = todo.close {
            call_debug!(self, 1, "closing the WebSocket connection with {}, code {code}", connection.peer);
            connection.slot.close(code);
        }
    }

    /// How the channel is to be hung up; `None` if the call has no end yet, or the core has hung up.
    pub(crate) fn hangup_cause(&self) -> Option<HangupCause> {
        self.link.end()?.hangup
    }

    /// The application sent HANGUP.
    pub(super) fn hang_up_by_command(&self) {
        self.happen_and_hang_up(Happening::HangupCommand);
    }

    /// Hangs up as the application's own HANGUP does.
    pub(crate) fn hang_up_by_operator(&self) {
        self.happen_and_hang_up(Happening::Operator);
    }

    pub(super) fn happen_and_hang_up(&self, happening: Happening<Connection>) {
        if self.happen(happening).is_some() {
            self.post(|call| Job::Hangup { call });
        }
    }

    /// A panic was contained in a job. The call ends, if it does not end already.
    pub(crate) fn fault_in_job(&self) {
        // The hangup is the job thread's next.
        let _ = self.happen(Happening::Fault);
    }

    /// An attempt to connect has failed for good.
    pub(crate) fn connecting_failed(&self, error: &ConnectError) {
        self.not_connected(Happening::AttemptFailed(NotConnected::Failed(error.to_string())));
    }

    /// The call cannot be made as its client's section wants it.
    pub(crate) fn cannot_be_made(&self, why: String) {
        self.not_connected(Happening::AttemptFailed(NotConnected::Misconfigured(why)));
    }

    /// The application was lost between claim and connection.
    pub(crate) fn connection_lost_in_handshake(&self, what: &str) {
        self.not_connected(Happening::AttemptFailed(NotConnected::LostInHandshake(what.to_owned())));
    }

    fn not_connected(&self, happening: Happening<Connection>) {
        if let Some(hangup) = self.happen(happening) {
            notifications::failed(self, hangup.cause.number());
            self.post(|call| Job::Hangup { call });
        }
    }

    /// `incoming_timeout` is over. True if that ends the call: then the channel is to be hung up.
    pub(crate) fn incoming_timed_out(&self) -> bool {
        let Some(hangup) = self.happen(Happening::IncomingTimeout) else { return false };
        call_warn!(self, "no application has connected in time (incoming_timeout); hanging up");
        notifications::failed(self, hangup.cause.number());
        true
    }

    /// The connection is over, and with it the call.
    pub(super) fn connection_over(&self, closed: Closed) {
        self.log_over(&closed);
        let by_us = matches!(closed, Closed::ByUs(_));
        let hang_up = self.happen(Happening::Over(closed)).is_some();
        if by_us {
            notifications::disconnected(self, None);
        } else {
            self.post(|call| Job::Disconnected { call, hang_up });
        }
    }

    /// Settles who has ended the call: the core, if it was hanging up before what has come of the application. Under the
    /// channel's lock. True if it was the core.
    pub(crate) fn settle_end(&self, core_first: bool) -> bool {
        self.link.settle(core_first)
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
        self.settle_end(true);
        self.driver.forget(self);
        call_debug!(self, 1, "over: {}", self.summary());
        let channel = self.owner.lock().take();
        let channel = channel.filter(|_| self.link.connection().is_some());
        notifications::hung_up(self, cause, channel);
        self.unwatch();
        self.abandon_media();
        // Last: the event that the connection has ended needs what is set above.
        self.leave_after_transfer(todo);
    }

    /// Whether the call still wants a connection that it is about to get.
    pub(crate) fn is_connecting(&self) -> bool {
        self.link.state() == State::Connecting
    }
}
