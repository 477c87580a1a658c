//! TRANSFER: the other side of the call's bridge goes to an extension of the dialplan.
//!
//! The core's transfer takes the locks of the bridge and its channels, and waits for them; the dialplan may ask a
//! database. So it runs on a separate thread ([`Driver::transfers`](crate::asterisk::driver::Driver::transfers)), with
//! no lock held. It often hangs this channel up before it is done. The application must get the result before the
//! connection is closed: the close waits for the result, for at most `close_timeout`.

use std::ffi::CStr;
use std::sync::Arc;
use std::time::Instant;

use super::{Call, ToDo};
use crate::asterisk::guard::guard;
use crate::asterisk::held::Held;
use crate::asterisk::log::{call_debug, call_warn, warn_limited};
use crate::asterisk::{bridge, fault, threads};
use crate::call::jobs::Job;
use crate::call::link::Happening;
use crate::call::permissions;
use crate::call::transfer::Abandoned;
use crate::protocol::command::{RequestError, Transfer};
use crate::protocol::event::{AddedEvent, TransferResult, Transferred};
use crate::report::log_limit::LogLimit;

const TRANSFER: &str = "TRANSFER";

const THREAD: &CStr = c"ws-transfer";

/// Limits the log: an application can ask for forbidden transfers as often as it likes.
static NOT_PERMITTED: LogLimit = LogLimit::new();

impl Call {
    /// The application asks for a transfer. On the connection's reactor.
    pub(super) fn ask_for_transfer(&self, request: Transfer) {
        let Transfer { correlation_id, exten, context } = request;
        let refuse = |why: &str| self.refuse(RequestError::new(TRANSFER, correlation_id.clone(), why));
        let context = match permissions::context(context.as_deref(), &self.settings.transfer_contexts) {
            Ok(context) => context.to_owned(),
            Err(why) => {
                warn_limited!(
                    NOT_PERMITTED,
                    "{}: {TRANSFER} refused: {why} (transfer_contexts)",
                    self.name()
                );
                return refuse(&why.to_string());
            }
        };
        let Some(call) = self.me() else { return };
        if !self.transfer.begin(correlation_id.clone()) {
            return refuse("a transfer is under way");
        }
        call_debug!(self, 1, "transfer to {exten}@{context}");
        // The channel may be gone before the thread is done: this keeps the module loaded until then.
        let held = Held::new();
        let task = move || {
            call.run_transfer(&exten, &context);
            drop(call);
            drop(held);
        };
        if let Err(error) = self.driver.transfers.run(Box::new(task)) {
            call_warn!(self, "{TRANSFER} failed: no thread for it: {error}");
            self.transferred(TransferResult::Failed);
        }
    }

    /// Makes the transfer, on a thread for transfers.
    fn run_transfer(self: &Arc<Self>, exten: &str, context: &str) {
        let result = guard("transfer", TransferResult::Failed, || {
            fault::point("transfer");
            let Some(channel) = self.channel() else { return TransferResult::Failed };
            // A transfer of several parties starts a thread for the dialplan.
            threads::as_a_thread_of_the_core(THREAD, || bridge::transfer(&channel, exten, context))
        });
        fault::point("transferred");
        call_debug!(self, 1, "transfer to {exten}@{context}: {}", result.as_str());
        self.transferred(result);
    }

    /// The transfer is over. Tells the application, hangs up after a success, and closes the connection if the close
    /// has waited.
    fn transferred(&self, result: TransferResult) {
        // `None`: there is nobody to tell.
        let Some(correlation_id) = self.transfer.over() else { return };
        let correlation_id = correlation_id.unwrap_or_default();
        self.send_added(AddedEvent::Transferred(Transferred { correlation_id, result }));
        if result == TransferResult::Success {
            // In Stasis the core leaves the channel where it is.
            self.happen_and_hang_up(Happening::Transferred);
        }
        if let Some(close) = self.transfer.told() {
            self.leave(close);
        }
    }

    /// Closes the connection of a channel that the core has hung up: now, or after the transfer that is under way.
    pub(super) fn leave_after_transfer(&self, todo: ToDo) {
        if todo.close.is_none() {
            return self.leave(todo);
        }
        match self.transfer.lay_aside(todo) {
            Ok(()) => self.limit_transfer(),
            Err(todo) => self.leave(todo),
        }
    }

    /// Limits the wait of the close to `close_timeout`.
    fn limit_transfer(&self) {
        let limit = Instant::now() + self.settings.close_timeout;
        self.driver.jobs.post_at((limit, self.number), self.weak(), Job::AbandonTransfer);
    }

    /// Closes the connection without the result, if there is none yet.
    pub(crate) fn abandon_transfer(&self) {
        let Some(Abandoned { correlation_id, close }) = self.transfer.abandon() else { return };
        call_warn!(self, "{TRANSFER}: no result within close_timeout; closing the connection without it");
        let why = "Asterisk has not said within close_timeout what has become of it";
        self.refuse(RequestError::new(TRANSFER, correlation_id, why));
        if let Some(close) = close {
            self.leave(close);
        }
    }
}
