//! TRANSFER: the other side of the call's bridge goes to an extension of the dialplan.
//!
//! The core's transfer takes the locks of the bridge and its channels, and waits for them; the dialplan may ask a database. So it
//! runs on a thread of its own ([`Driver::transfers`](crate::asterisk::driver::Driver::transfers)), with no lock held. It often
//! hangs this channel up before it is done. The application is told the result first: the connection's close waits for it, at most
//! `close_timeout`.

use std::ffi::CStr;
use std::sync::Arc;
use std::time::Instant;

use super::Call;
use super::link::Connection;
use crate::asterisk::guard::guard;
use crate::asterisk::log::{call_debug, call_warn, warn_limited};
use crate::asterisk::{bridge, fault, module, threads};
use crate::call::link::{Happening, Todo};
use crate::call::permissions;
use crate::net::connector::ConnectHandle;
use crate::protocol::command::{RequestError, Transfer};
use crate::protocol::event::{AddedEvent, TransferResult, Transferred};
use crate::report::log_limit::LogLimit;

const TRANSFER: &str = "TRANSFER";

/// The name of the threads for transfers.
pub(crate) const THREAD: &str = "ws-transfer";
const THREAD_C: &CStr = c"ws-transfer";

/// An application can ask for what it may not as often as it likes.
static NOT_PERMITTED: LogLimit = LogLimit::new();

/// The call's transfer.
#[derive(Default)]
pub(super) enum Pending {
    /// There is none.
    #[default]
    None,
    /// It is under way. `close`: what is to be done about the connection then, for the core has hung up meanwhile.
    Running { correlation_id: Option<String>, close: Option<Todo<Connection, ConnectHandle>> },
    /// Its result is being told.
    Telling { close: Option<Todo<Connection, ConnectHandle>> },
    /// The connection has been closed without its result.
    Abandoned,
}

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
        {
            let mut pending = self.transfer.lock();
            if !matches!(*pending, Pending::None) {
                drop(pending);
                return refuse("a transfer is under way");
            }
            *pending = Pending::Running { correlation_id: correlation_id.clone(), close: None };
        }
        call_debug!(self, 1, "transfer to {exten}@{context}");
        // The channel may be gone before the thread is done: until then the module stays.
        let held = module::Held::new();
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

    /// Does it, on a thread for that.
    fn run_transfer(self: &Arc<Self>, exten: &str, context: &str) {
        let result = guard("transfer", TransferResult::Failed, || {
            fault::point("transfer");
            let Some(channel) = self.channel() else { return TransferResult::Failed };
            // A transfer of several parties starts the dialplan's thread.
            threads::as_a_thread_of_the_core(THREAD_C, || bridge::transfer(&channel, exten, context))
        });
        fault::point("transferred");
        call_debug!(self, 1, "transfer to {exten}@{context}: {}", result.as_str());
        self.transferred(result);
    }

    /// The transfer is over. Tells the application, hangs up after a success, and closes the connection if that has waited.
    fn transferred(&self, result: TransferResult) {
        let correlation_id = {
            let mut pending = self.transfer.lock();
            match std::mem::take(&mut *pending) {
                Pending::Running { correlation_id, close } => {
                    *pending = Pending::Telling { close };
                    correlation_id
                }
                // Nobody is there who could be told.
                _ => return,
            }
        };
        let correlation_id = correlation_id.unwrap_or_default();
        self.send_added(AddedEvent::Transferred(Transferred { correlation_id, result }));
        if result == TransferResult::Success {
            // In Stasis the core leaves the channel where it is.
            self.happen_and_hang_up(Happening::Transferred);
        }
        let told = std::mem::take(&mut *self.transfer.lock());
        if let Pending::Telling { close: Some(close) } = told {
            self.leave(close);
        }
    }

    /// Does what is to be done about a connection whose channel the core has hung up: now, or when the transfer that is under way
    /// is over.
    pub(super) fn leave_after_transfer(&self, todo: Todo<Connection, ConnectHandle>) {
        if todo.close.is_some() {
            let mut pending = self.transfer.lock();
            if let Pending::Running { close, .. } | Pending::Telling { close } = &mut *pending {
                *close = Some(todo);
                drop(pending);
                return self.limit_transfer();
            }
        }
        self.leave(todo);
    }

    /// The close waits no longer than `close_timeout`.
    fn limit_transfer(&self) {
        self.driver.jobs.abandon_transfer_at(Instant::now() + self.settings.close_timeout, self);
    }

    /// The connection is closed without the result, if there is none yet.
    pub(crate) fn abandon_transfer(&self) {
        let (correlation_id, close) = {
            let mut pending = self.transfer.lock();
            match std::mem::take(&mut *pending) {
                Pending::Running { correlation_id, close } => {
                    *pending = Pending::Abandoned;
                    (correlation_id, close)
                }
                other => {
                    *pending = other;
                    return;
                }
            }
        };
        call_warn!(self, "{TRANSFER}: no result within close_timeout; closing the connection without it");
        let why = "Asterisk has not said within close_timeout what has become of it";
        self.refuse(RequestError::new(TRANSFER, correlation_id, why));
        if let Some(close) = close {
            self.leave(close);
        }
    }
}
