//! The job thread: what needs a channel's lock, done in order per call, without ever waiting for that lock.
//!
//! A job whose channel is locked by somebody is put aside and tried again shortly; jobs of other calls go on. One
//! thread is enough, as nothing in here blocks: so little that the connector's thread tries an outgoing call's first job
//! itself.

use std::ffi::CString;
use std::sync::Arc;
use std::time::Instant;

use super::app_event::AppEvent;
use super::call::Call;
use super::channel::Locked;
use super::established::{self, Established};
use super::guard::guard;
use super::notifications;
use crate::net::task_thread::{Task, TaskThread};
use crate::net::watchdog::Watched;
use crate::protocol::command::SendText;

/// Something to do with a call's channel.
pub(crate) enum Job {
    /// The WebSocket handshake is done: send MEDIA_START, start reading, answer unless option `n` says otherwise.
    Start { call: Arc<Call>, link: Box<Established> },
    /// The application has answered.
    Answer { call: Arc<Call> },
    /// A call that is on hold has begun to receive media, or does so no more.
    Music { call: Arc<Call> },
    /// The application has subscribed to other events than before.
    Subscribed { call: Arc<Call> },
    /// Something has happened to the channel or in its bridge: look.
    Look { call: Arc<Call> },
    /// The application has a text for the core.
    SendText { call: Arc<Call>, request: Box<SendText> },
    /// The application has an event for ARI and AMI.
    SendEvent { call: Arc<Call>, event: AppEvent, correlation_id: Option<String> },
    /// The connection of a call that the core has hung up waits for a transfer's result no longer.
    AbandonTransfer { call: Arc<Call> },
    /// The connection has ended. `hang_up`: and the call is to end with it, which does not end already.
    Disconnected { call: Arc<Call>, hang_up: bool },
    /// The call is over.
    Hangup { call: Arc<Call> },
    /// A panic was contained in another job of the call, which ends.
    Fault { call: Arc<Call> },
    /// Hang an INCOMING channel up if no application has connected by now.
    IncomingTimeout { call: Arc<Call> },
}

impl Job {
    fn call(&self) -> &Arc<Call> {
        match self {
            Job::Start { call, .. }
            | Job::Answer { call }
            | Job::Music { call }
            | Job::Subscribed { call }
            | Job::Look { call }
            | Job::SendText { call, .. }
            | Job::SendEvent { call, .. }
            | Job::AbandonTransfer { call }
            | Job::Disconnected { call, .. }
            | Job::Hangup { call }
            | Job::Fault { call }
            | Job::IncomingTimeout { call } => call,
        }
    }
}

impl Task for Job {
    fn attempt(self) -> Option<Self> {
        attempt(self)
    }

    /// A call's jobs stay in order. But none waits for a look, which needs the locks of others.
    fn follows(&self, other: &Self) -> bool {
        Arc::ptr_eq(self.call(), other.call()) && !matches!(other, Job::Look { .. })
    }
}

/// The thread and its queue.
pub(crate) struct JobQueue(TaskThread<Job>);

impl JobQueue {
    /// Starts the thread.
    ///
    /// # Errors
    /// Out of threads.
    pub(crate) fn start() -> std::io::Result<Self> {
        TaskThread::start("ws-jobs", "jobs for calls").map(Self)
    }

    /// Starts a connection whose handshake is done: here and now, for that saves waking the thread, or by a job if the
    /// channel is locked by somebody. It is its call's first job: there is none that it could come before. For the
    /// connector's thread, with no lock held; never waits.
    pub(crate) fn start_link(&self, call: Arc<Call>, link: Established) {
        if let Some(job) = attempt(Job::Start { call, link: Box::new(link) }) {
            self.post(job);
        }
    }

    /// Queues a job. Any thread, any lock held; never waits.
    pub(crate) fn post(&self, job: Job) {
        self.0.post(job);
    }

    /// Hangs an INCOMING channel up when its `incoming_timeout` is over, unless that is cancelled before. Keeps no reference
    /// to the call: one that waits here would keep its clock's descriptor.
    pub(crate) fn watch_incoming(&self, call: &Arc<Call>) {
        if let Some(key) = call.incoming_deadline() {
            let call = Arc::downgrade(call);
            self.0.post_at(key, move || call.upgrade().map(|call| Job::IncomingTimeout { call }));
        }
    }

    /// The application has come, or the call is over.
    pub(crate) fn unwatch_incoming(&self, call: &Call) {
        if let Some(key) = call.incoming_deadline() {
            self.0.cancel(key);
        }
    }

    /// Ends the wait for a transfer of the call at this time.
    pub(crate) fn abandon_transfer_at(&self, time: Instant, call: &Call) {
        let me = call.me().map(|call| Arc::downgrade(&call)).unwrap_or_default();
        self.0.post_at((time, call.number), move || me.upgrade().map(|call| Job::AbandonTransfer { call }));
    }

    /// Jobs that are not done: queued, taken, or for later.
    pub(crate) fn waiting(&self) -> usize {
        self.0.waiting()
    }

    /// For the watchdog.
    pub(crate) fn watched(&self) -> Arc<dyn Watched> {
        self.0.watched()
    }

    /// Stops the thread when it has tried what is queued. A second call does nothing more.
    pub(crate) fn stop(&self) {
        self.0.stop();
    }
}

/// Does a job; gives it back if its channel is locked by somebody. A fault in it ends its call.
fn attempt(job: Job) -> Option<Job> {
    let call = job.call().clone();
    let on_fault = match job {
        Job::Hangup { .. } => None,
        _ => Some(Job::Fault { call: call.clone() }),
    };
    guard("jobs", on_fault, || run_job(job, call))
}

fn run_job(job: Job, call: Arc<Call>) -> Option<Job> {
    match job {
        Job::Start { link, .. } => match with_channel(&call, |channel| variables_for(&call, channel)) {
            Some(variables) => {
                if call.auto_answer {
                    call.answering();
                }
                established::start(&call, *link, variables);
                // Answering needs the lock again, which somebody may have taken meanwhile: a job of its own.
                if call.auto_answer { attempt(Job::Answer { call }) } else { None }
            }
            None => Some(Job::Start { call, link }),
        },
        Job::Answer { .. } => {
            if with_channel(&call, |channel| channel.queue_answer()).is_none() {
                return Some(Job::Answer { call });
            }
            call.answered();
            None
        }
        Job::Music { .. } => {
            with_channel(&call, |channel| call.settle_music(channel)).is_none().then_some(Job::Music { call })
        }
        Job::Subscribed { .. } => match with_channel(&call, |channel| call.settle_subscriptions(channel)) {
            Some(()) => attempt(Job::Look { call }),
            None => Some(Job::Subscribed { call }),
        },
        Job::Look { .. } => {
            let is_busy = with_channel(&call, |channel| !call.look(channel)).unwrap_or(true);
            is_busy.then_some(Job::Look { call })
        }
        Job::SendText { request, .. } => match with_channel(&call, |channel| queue_text(channel, &request)) {
            Some(()) => {
                call.text_sent(request.correlation_id);
                None
            }
            None => Some(Job::SendText { call, request }),
        },
        Job::SendEvent { event, correlation_id, .. } => {
            match with_channel(&call, |channel| event.publish(channel)) {
                Some(told) => {
                    call.event_sent(correlation_id, told);
                    None
                }
                None => Some(Job::SendEvent { call, event, correlation_id }),
            }
        }
        Job::AbandonTransfer { .. } => {
            call.abandon_transfer();
            None
        }
        Job::Disconnected { hang_up, .. } => {
            match with_channel(&call, |channel| disconnected(&call, channel)) {
                // Another job: it needs the lock again, which somebody may have taken meanwhile.
                Some(true) => hang_up.then(|| Job::Hangup { call }).and_then(attempt),
                // The core has hung up meanwhile.
                Some(false) => {
                    notifications::disconnected(&call, None);
                    None
                }
                None => Some(Job::Disconnected { call, hang_up }),
            }
        }
        Job::Hangup { .. } => {
            with_channel(&call, |channel| hang_up(&call, channel)).is_none().then_some(Job::Hangup { call })
        }
        Job::Fault { .. } => {
            call.fault_in_job();
            attempt(Job::Hangup { call })
        }
        Job::IncomingTimeout { .. } => {
            call.incoming_timed_out().then(|| Job::Hangup { call }).and_then(attempt)
        }
    }
}

fn queue_text(channel: Locked<'_>, request: &SendText) {
    // The command has none with a NUL.
    if let Ok(text) = CString::new(request.text.as_str()) {
        channel.queue_text(&text);
    }
}

/// Only JSON's MEDIA_START carries them.
fn variables_for(call: &Call, channel: Locked<'_>) -> String {
    if call.reports_variables() { channel.variables() } else { String::new() }
}

/// Tells that the connection has ended, and with which cause the channel will. True, for there is a channel.
fn disconnected(call: &Call, channel: Locked<'_>) -> bool {
    let core_first = call.settle_end(channel.is_hung_up_with_cause());
    let cores = || u32::try_from(channel.hangup_cause()).unwrap_or(0);
    let ours = call.hangup_cause().filter(|_| !core_first).map(|hangup| hangup.cause.number());
    notifications::disconnected(call, Some(ours.unwrap_or_else(cores)));
    true
}

/// Sets the causes at once, for in Stasis nobody reads the hangup's own frame. DIVERGES: the C module leaves the
/// cause to that frame, so that ARI reports 0. Of two who hang up the first one's cause stands.
fn hang_up(call: &Call, channel: Locked<'_>) {
    let is_hung_up = channel.is_hung_up_with_cause();
    call.settle_end(is_hung_up);
    call.leave_totals(channel);
    let Some(hangup) = call.hangup_cause().filter(|_| !is_hung_up) else {
        return channel.queue_hangup(None);
    };
    let code = i32::try_from(hangup.cause.number()).unwrap_or(0);
    channel.set_hangup_cause(code, hangup.tech_cause);
    channel.queue_hangup(Some(code));
}

/// Runs `work` with the call's channel locked; with no channel left there is nothing to do and the result is the
/// default. `None` if the lock is taken by somebody: try again.
fn with_channel<T: Default>(call: &Call, work: impl FnOnce(Locked<'_>) -> T) -> Option<T> {
    let Some(channel) = call.channel() else { return Some(T::default()) };
    let guard = channel.try_lock()?;
    // A masquerade may have come between.
    if !call.belongs_to(&channel) {
        return None;
    }
    Some(work(guard.locked()))
}
