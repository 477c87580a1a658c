//! Jobs: work that needs a channel's lock, done in order per call, without ever waiting for that lock.
//!
//! A job whose channel is locked by another thread is put aside and tried again shortly; jobs of other calls go on. One
//! thread is enough, because nothing in a job blocks. So the connector's thread may try an outgoing call's first job
//! itself. [`HasJobs::run`] defines what a job does.

#[cfg(test)]
mod tests;

use std::ops::Deref;
use std::sync::{Arc, Weak};
use std::time::Instant;

use crate::call::connection::Established;
use crate::call::data::CallData;
use crate::net::task_thread::{Task, TaskThread, TimerKey};
use crate::net::watchdog::WatchedThread;
use crate::protocol::command::SendText;

/// A call on its channel.
pub trait HasJobs: Deref<Target = CallData> + Send + Sync + Sized + 'static {
    /// An application's event for ARI and AMI.
    type Event: Send;

    /// Does a job; returns it if another thread holds its channel's lock. Contains its own panics. Never waits.
    fn run(job: Job<Self>) -> Option<Job<Self>>;
}

/// Something to do with a call's channel.
#[derive(Debug)]
pub enum Job<C: HasJobs> {
    /// The WebSocket handshake is done: send MEDIA_START, start reading, answer unless option `n` says otherwise.
    Start {
        /// The call.
        call: Arc<C>,
        /// The result of the handshake.
        link: Box<Established>,
    },
    /// The application has answered.
    Answer(Arc<C>),
    /// The application of a call on hold has started or stopped receiving media.
    Music(Arc<C>),
    /// The application has subscribed to other events than before.
    Subscribed(Arc<C>),
    /// Something has happened to the channel or in its bridge: look at their state.
    Survey(Arc<C>),
    /// The application has a text for the core.
    SendText {
        /// The call.
        call: Arc<C>,
        /// The text.
        request: Box<SendText>,
    },
    /// The application sends an event to ARI and AMI.
    SendEvent {
        /// The call.
        call: Arc<C>,
        /// The event.
        event: C::Event,
        /// The id in the application's command.
        correlation_id: Option<String>,
    },
    /// The connection of a call that the core has hung up no longer waits for a transfer's result.
    AbandonTransfer(Arc<C>),
    /// The connection has ended.
    Disconnected {
        /// The call.
        call: Arc<C>,
        /// The call is to end with it, and does not end already.
        hang_up: bool,
    },
    /// The call is over.
    Hangup(Arc<C>),
    /// A panic was contained in another job of the call; the call ends.
    Fault(Arc<C>),
    /// Hang an INCOMING channel up if no application has connected by now.
    IncomingTimeout(Arc<C>),
    /// The connection is lost: connect to the application again.
    Reconnect(Arc<C>),
    /// The call has waited for another connection until `until`; it ends if none has come.
    ReconnectTimeout {
        /// The call.
        call: Arc<C>,
        /// The end of the wait.
        until: Instant,
    },
}

impl<C: HasJobs> Job<C> {
    /// The call of the job.
    pub fn call(&self) -> &Arc<C> {
        match self {
            Job::Answer(call)
            | Job::Music(call)
            | Job::Subscribed(call)
            | Job::Survey(call)
            | Job::AbandonTransfer(call)
            | Job::Hangup(call)
            | Job::Fault(call)
            | Job::IncomingTimeout(call)
            | Job::Reconnect(call)
            | Job::Start { call, .. }
            | Job::SendText { call, .. }
            | Job::SendEvent { call, .. }
            | Job::Disconnected { call, .. }
            | Job::ReconnectTimeout { call, .. } => call,
        }
    }
}

impl<C: HasJobs> Task for Job<C> {
    fn attempt(self) -> Option<Self> {
        C::run(self)
    }

    /// A call's jobs stay in order. But no job waits for a survey, which needs the locks of other channels.
    fn follows(&self, other: &Self) -> bool {
        Arc::ptr_eq(self.call(), other.call()) && !matches!(other, Job::Survey(_))
    }
}

/// The thread and its queue.
#[derive(Debug)]
pub struct JobQueue<C: HasJobs>(TaskThread<Job<C>>);

impl<C: HasJobs> JobQueue<C> {
    /// Starts the thread.
    ///
    /// # Errors
    /// Out of threads.
    pub fn start() -> std::io::Result<Self> {
        TaskThread::start("ws-jobs", "jobs for calls").map(Self)
    }

    /// Starts a connection whose handshake is done: at once, which saves waking the thread, or by a job if another
    /// thread holds the channel's lock. No job of the call that may be waiting depends on it. For the connector's
    /// thread, with no lock held; never waits.
    pub fn start_link(&self, call: Arc<C>, link: Established) {
        if let Some(job) = C::run(Job::Start { call, link: Box::new(link) }) {
            self.post(job);
        }
    }

    /// Queues a job. Any thread, any lock held; never waits.
    pub fn post(&self, job: Job<C>) {
        self.0.post(job);
    }

    /// Hangs an INCOMING channel up when its `incoming_timeout` is over, unless that is cancelled before.
    pub fn watch_incoming(&self, call: &Arc<C>) {
        if let Some(key) = call.incoming_deadline() {
            self.post_at(key, Arc::downgrade(call), Job::IncomingTimeout);
        }
    }

    /// The application has connected, or the call is over.
    pub fn unwatch_incoming(&self, call: &CallData) {
        if let Some(key) = call.incoming_deadline() {
            self.0.cancel(key);
        }
    }

    /// Queues a job when its time has come, if the call still exists then. Keeps no reference to the call: a call that
    /// is kept here would keep its clock's descriptor open.
    pub fn post_at(&self, key: TimerKey, call: Weak<C>, job: impl FnOnce(Arc<C>) -> Job<C> + Send + 'static) {
        self.0.post_at(key, move || call.upgrade().map(job));
    }

    /// Cancels the job for this time.
    pub fn unwatch(&self, key: TimerKey) {
        self.0.cancel(key);
    }

    /// The number of jobs that are not done: queued, running, or for later.
    pub fn waiting(&self) -> usize {
        self.0.waiting()
    }

    /// For the watchdog.
    pub fn watched(&self) -> Arc<dyn WatchedThread> {
        self.0.watched()
    }

    /// Stops the thread after it has tried what is queued. A second call does nothing more.
    pub fn stop(&self) {
        self.0.stop();
    }
}
