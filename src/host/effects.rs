//! The effects thread: what needs a channel's lock, done in order per call, without ever waiting for that lock.
//!
//! A job whose channel is locked by somebody is put aside and tried again shortly; jobs of other calls go on. One
//! thread is enough, for nothing in here blocks: so little that the connector's thread tries an outgoing call's first job
//! itself.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::call::{Call, HangupCause};
use super::channel::{Channel, Locked};
use super::guard::guard;
use super::link::{self, NewLink};
use super::log::call_warn;
use super::record::EndedBy;
use super::{ami, notify, sys};
use crate::driver::notice::Notice;
use crate::net::pulse::Pulse;
use crate::net::watchdog::Watched;

/// How soon a job is tried again whose channel was locked.
const RETRY: Duration = Duration::from_millis(1);

/// A thread that is this late was not running.
const STALL: Duration = Duration::from_secs(1);

/// Something to do with a call's channel.
pub(crate) enum Job {
    /// The WebSocket handshake is done: send MEDIA_START, start reading, answer unless option `n` says otherwise.
    Start { call: Arc<Call>, link: Box<NewLink> },
    /// The application has answered.
    Answer { call: Arc<Call> },
    /// A call that is on hold has begun to receive media, or does so no more.
    Music { call: Arc<Call> },
    /// The connection has ended, and the call is to end with it.
    Disconnected { call: Arc<Call>, cause: HangupCause },
    /// The call is over.
    Hangup { call: Arc<Call>, cause: HangupCause },
    /// Hang an INCOMING channel up if no application has connected by now.
    IncomingTimeout { call: Arc<Call> },
    /// Tell AMI's listeners.
    ManagerEvent { call: Arc<Call>, notice: Box<Notice> },
    /// Tell ARI's, by way of the channel, which may have been hung up.
    UserEvent { call: Arc<Call>, channel: Channel, notice: Box<Notice> },
}

/// A job for later, given up if its call is over before: a call that waits here would keep its clock's descriptor.
struct Later {
    at: Instant,
    call: Weak<Call>,
    job: fn(Arc<Call>) -> Job,
}

impl Job {
    fn call(&self) -> &Arc<Call> {
        match self {
            Job::Start { call, .. }
            | Job::Answer { call }
            | Job::Music { call }
            | Job::Disconnected { call, .. }
            | Job::Hangup { call, .. }
            | Job::ManagerEvent { call, .. }
            | Job::UserEvent { call, .. }
            | Job::IncomingTimeout { call } => call,
        }
    }
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    later: Vec<Later>,
    stopping: bool,
}

struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
    /// Jobs that the thread has taken and not done yet.
    taken: AtomicUsize,
    pulse: Pulse,
}

impl Watched for Shared {
    fn pulse(&self) -> &Pulse {
        &self.pulse
    }

    fn is_awaited(&self) -> bool {
        self.queue.try_lock().is_none_or(|queue| !queue.jobs.is_empty())
    }

    fn carries(&self) -> (usize, &'static str) {
        let queued = self.queue.try_lock().map_or(0, |queue| queue.jobs.len());
        (queued + self.taken.load(Ordering::Relaxed), "jobs for calls")
    }
}

/// The thread and its queue.
pub(crate) struct Effects {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Effects {
    /// Starts the thread.
    ///
    /// # Errors
    /// Out of threads.
    pub(crate) fn start() -> std::io::Result<Self> {
        let ((queue, changed, taken), pulse) = (Default::default(), Pulse::new("ws-effects"));
        let shared = Arc::new(Shared { queue, changed, taken, pulse });
        let own = shared.clone();
        let name = shared.pulse.name().to_owned();
        let thread = std::thread::Builder::new().name(name).spawn(move || run(&own))?;
        Ok(Self { shared, thread: Mutex::new(Some(thread)) })
    }

    /// Starts a connection whose handshake is done: here and now, for that saves waking the thread, or by a job if the
    /// channel is locked by somebody. It is its call's first job: there is none that it could come before. For the
    /// connector's thread, with no lock held; never waits.
    pub(crate) fn start_link(&self, call: Arc<Call>, link: NewLink) {
        if let Some(job) = attempt(Job::Start { call, link: Box::new(link) }) {
            self.post(job);
        }
    }

    /// Queues a job. Any thread, any lock held; never waits.
    pub(crate) fn post(&self, job: Job) {
        self.shared.queue.lock().jobs.push_back(job);
        self.shared.changed.notify_one();
    }

    /// Queues a job for later, if the call still is there then.
    pub(crate) fn post_at(&self, at: Instant, call: &Arc<Call>, job: fn(Arc<Call>) -> Job) {
        let later = Later { at, call: Arc::downgrade(call), job };
        self.shared.queue.lock().later.push(later);
        self.shared.changed.notify_one();
    }

    /// Jobs that are not done: queued, taken, or for later.
    pub(crate) fn waiting(&self) -> usize {
        let queue = self.shared.queue.lock();
        queue.jobs.len() + queue.later.len() + self.shared.taken.load(Ordering::Relaxed)
    }

    /// For the watchdog.
    pub(crate) fn watched(&self) -> Arc<dyn Watched> {
        self.shared.clone()
    }

    /// Stops and joins the thread; what is still queued is dropped. A second call does nothing more.
    pub(crate) fn stop(&self) {
        self.shared.queue.lock().stopping = true;
        self.shared.changed.notify_one();
        let thread = self.thread.lock().take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            log::error!("the effects thread had panicked");
        }
    }
}

impl Drop for Effects {
    fn drop(&mut self) {
        self.stop();
    }
}

fn run(shared: &Shared) {
    // Jobs whose channel was locked, oldest first.
    let mut aside: VecDeque<Job> = VecDeque::new();
    while let Some(jobs) = next_jobs(shared, !aside.is_empty()) {
        shared.taken.store(aside.len() + jobs.len(), Ordering::Relaxed);
        let mut busy = VecDeque::new();
        for job in aside.drain(..).chain(jobs) {
            shared.pulse.works();
            // A call's jobs stay in order behind one that was put aside.
            let behind = busy.iter().any(|other: &Job| Arc::ptr_eq(other.call(), job.call()));
            if behind {
                busy.push_back(job);
            } else if let Some(job) = attempt(job) {
                busy.push_back(job);
            }
        }
        aside = busy;
        shared.taken.store(aside.len(), Ordering::Relaxed);
    }
}

/// Waits for jobs; `None` when it is time to end.
fn next_jobs(shared: &Shared, retry: bool) -> Option<VecDeque<Job>> {
    shared.pulse.waits();
    let mut queue = shared.queue.lock();
    let retry_at = retry.then(|| Instant::now() + RETRY);
    loop {
        if queue.stopping {
            return None;
        }
        let now = Instant::now();
        let Queue { jobs, later, .. } = &mut *queue;
        take_due(later, now, jobs);
        if !queue.jobs.is_empty() || retry_at.is_some_and(|at| now >= at) {
            return Some(std::mem::take(&mut queue.jobs));
        }
        let wake_at = queue.later.iter().map(|later| later.at).chain(retry_at).min();
        match wake_at {
            Some(at) => drop(shared.changed.wait_until(&mut queue, at)),
            None => shared.changed.wait(&mut queue),
        }
    }
}

/// Moves what is due to `jobs`. What is found long overdue gets a little more time: the process was stopped, and an
/// application that came meanwhile waits in the same queue as we did.
fn take_due(later: &mut Vec<Later>, now: Instant, jobs: &mut VecDeque<Job>) {
    for mut due in later.extract_if(.., |later| later.at <= now).collect::<Vec<_>>() {
        if now.saturating_duration_since(due.at) >= STALL {
            due.at = now + STALL;
            later.push(due);
        } else if let Some(call) = due.call.upgrade() {
            jobs.push_back((due.job)(call));
        }
    }
}

/// Does a job; gives it back if its channel is locked by somebody. A fault in it ends its call.
fn attempt(job: Job) -> Option<Job> {
    let call = job.call().clone();
    let on_fault = match job {
        Job::Hangup { .. } | Job::ManagerEvent { .. } | Job::UserEvent { .. } => None,
        _ => {
            let cause = HangupCause { cause: sys::AST_CAUSE_NETWORK_OUT_OF_ORDER, tech_cause: None };
            Some(Job::Hangup { call: call.clone(), cause })
        }
    };
    guard("effects", on_fault, || run_job(job, call))
}

fn run_job(job: Job, call: Arc<Call>) -> Option<Job> {
    match job {
        Job::Start { link, .. } => match with_channel(&call, |channel| variables_for(&call, channel)) {
            Some(variables) => {
                if call.auto_answer {
                    call.answering();
                }
                link::start(&call, *link, variables);
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
        Job::Disconnected { cause, .. } => {
            match with_channel(&call, |channel| disconnected(&call, channel, cause)) {
                Some(true) => call.ask_for_end(cause),
                // The core has hung up meanwhile.
                Some(false) => notify::disconnected(&call, None),
                None => return Some(Job::Disconnected { call, cause }),
            }
            None
        }
        Job::Hangup { cause, .. } => with_channel(&call, |channel| hang_up(&call, channel, cause))
            .is_none()
            .then_some(Job::Hangup { call, cause }),
        Job::IncomingTimeout { .. } => {
            if call.is_claimed() || call.is_hung_up() {
                return None;
            }
            call_warn!(&call, "no application has connected in time (incoming_timeout); hanging up");
            call.ended(EndedBy::IncomingTimeout, None, String::new());
            let cause = HangupCause { cause: sys::AST_CAUSE_NO_ANSWER, tech_cause: None };
            notify::failed(&call, cause.cause);
            attempt(Job::Hangup { call, cause })
        }
        Job::ManagerEvent { notice, .. } => {
            ami::raise(&notice);
            None
        }
        Job::UserEvent { channel, notice, .. } => notify::publish_user_event(&channel, &notice)
            .is_none()
            .then_some(Job::UserEvent { call, channel, notice }),
    }
}

/// Only JSON's MEDIA_START carries them.
fn variables_for(call: &Call, channel: Locked<'_>) -> Vec<(String, String)> {
    if call.reports_variables() { channel.variables() } else { Vec::new() }
}

/// Tells that the connection has ended, and with which cause the channel will. True, for there is a channel.
fn disconnected(call: &Call, channel: Locked<'_>, cause: HangupCause) -> bool {
    let core_first = call.settle_end(channel.is_hung_up_with_cause());
    let cores = || u32::try_from(channel.hangup_cause()).unwrap_or(0);
    notify::disconnected(call, Some(if core_first { cores() } else { cause.cause }));
    true
}

/// Sets the causes at once, for in Stasis nobody reads the hangup's own frame. DIVERGES: the C module leaves the
/// cause to that frame, so that ARI reports 0. Of two who hang up the first one's cause stands.
fn hang_up(call: &Call, channel: Locked<'_>, cause: HangupCause) {
    let is_hung_up = channel.is_hung_up_with_cause();
    call.settle_end(is_hung_up);
    call.leave_totals(channel);
    if is_hung_up {
        return channel.queue_hangup(None);
    }
    let code = i32::try_from(cause.cause).unwrap_or(0);
    channel.set_hangup_cause(code, cause.tech_cause);
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
