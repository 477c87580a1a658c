//! What each job does with its call's channel. Which jobs there are, and their order, is in [`crate::call::jobs`].

use std::ffi::CString;
use std::sync::Arc;

use super::app_event::AppEvent;
use super::call::Call;
use super::channel::Locked;
use super::guard::guard;
use super::{established, outgoing, tech};
use crate::call::connection::Established;
use crate::call::jobs::{HasJobs, Job};
use crate::protocol::command::SendText;

impl HasJobs for Call {
    type Event = AppEvent;

    /// A fault in it ends its call.
    fn run(job: Job<Self>) -> Option<Job<Self>> {
        let call = job.call().clone();
        let on_fault = match job {
            Job::Hangup(_) => None,
            _ => Some(Job::Fault(call)),
        };
        guard("jobs", on_fault, || run(job))
    }
}

/// Does a job; returns it if another thread holds its channel's lock. Work that needs the lock again is a separate job,
/// because another thread may have taken the lock meanwhile.
fn run(job: Job<Call>) -> Option<Job<Call>> {
    match job {
        Job::Start { call, link } => start(call, link),
        Job::Answer(call) => answer(call),
        Job::Music(call) => {
            with_channel(&call, |channel| call.settle_music(channel)).is_none().then_some(Job::Music(call))
        }
        Job::Subscribed(call) => match with_channel(&call, |channel| settle_subscriptions(&call, channel)) {
            Some(()) => Call::run(Job::Survey(call)),
            None => Some(Job::Subscribed(call)),
        },
        Job::Survey(call) => {
            let is_busy = with_channel(&call, |channel| !call.survey(channel)).unwrap_or(true);
            is_busy.then_some(Job::Survey(call))
        }
        Job::SendText { call, request } => send_text(call, request),
        Job::SendEvent { call, event, correlation_id } => send_event(call, event, correlation_id),
        Job::AbandonTransfer(call) => {
            call.abandon_transfer();
            None
        }
        Job::Disconnected { call, hang_up } => end_with_connection(call, hang_up),
        Job::Hangup(call) => {
            with_channel(&call, |channel| hang_up(&call, channel)).is_none().then_some(Job::Hangup(call))
        }
        Job::Fault(call) => {
            call.fault_in_job();
            Call::run(Job::Hangup(call))
        }
        Job::IncomingTimeout(call) => {
            call.incoming_timed_out().then_some(Job::Hangup(call)).and_then(Call::run)
        }
        Job::Reconnect(call) => {
            outgoing::reconnect(&call);
            None
        }
        Job::ReconnectTimeout { call, until } => {
            let ends = call.reconnect_timed_out(until);
            ends.then_some(Job::Disconnected { call, hang_up: true }).and_then(Call::run)
        }
    }
}

fn start(call: Arc<Call>, link: Box<Established>) -> Option<Job<Call>> {
    let Some(variables) = with_channel(&call, |channel| variables_for(&call, channel)) else {
        return Some(Job::Start { call, link });
    };
    let answers = call.auto_answer && call.link.connections() == 0;
    if answers {
        call.answering();
    }
    established::start(&call, *link, variables);
    if answers { Call::run(Job::Answer(call)) } else { None }
}

fn answer(call: Arc<Call>) -> Option<Job<Call>> {
    if with_channel(&call, |channel| channel.queue_answer()).is_none() {
        return Some(Job::Answer(call));
    }
    call.answered();
    None
}

fn settle_subscriptions(call: &Call, channel: Locked<'_>) {
    channel.set_tech(tech::table(call.wanted_extras()));
    call.settle_subscriptions(channel);
}

fn send_text(call: Arc<Call>, request: Box<SendText>) -> Option<Job<Call>> {
    match with_channel(&call, |channel| queue_text(channel, &request)) {
        Some(()) => {
            call.text_sent(request.correlation_id);
            None
        }
        None => Some(Job::SendText { call, request }),
    }
}

fn send_event(call: Arc<Call>, event: AppEvent, correlation_id: Option<String>) -> Option<Job<Call>> {
    match with_channel(&call, |channel| event.publish(channel)) {
        Some(told) => {
            call.event_sent(correlation_id, told);
            None
        }
        None => Some(Job::SendEvent { call, event, correlation_id }),
    }
}

fn end_with_connection(call: Arc<Call>, hang_up: bool) -> Option<Job<Call>> {
    match with_channel(&call, |channel| disconnected(&call, channel)) {
        Some(true) => hang_up.then_some(Job::Hangup(call)).and_then(Call::run),
        // The core has hung up meanwhile.
        Some(false) => {
            call.notify_disconnected(None);
            None
        }
        None => Some(Job::Disconnected { call, hang_up }),
    }
}

fn queue_text(channel: Locked<'_>, request: &SendText) {
    // The command allows no NUL.
    if let Ok(text) = CString::new(request.text.as_str()) {
        channel.queue_text(&text);
    }
}

/// The channel's variables for MEDIA_START. Not every dialect carries them.
fn variables_for(call: &Call, channel: Locked<'_>) -> String {
    if call.reports_variables() { channel.variables() } else { String::new() }
}

/// Reports that the connection has ended, and the cause with which the channel will end. True, because there is a
/// channel.
fn disconnected(call: &Call, channel: Locked<'_>) -> bool {
    let core_first = call.link.settle(channel.is_hung_up_with_cause());
    let cores = || u32::try_from(channel.hangup_cause()).unwrap_or(0);
    let ours = call.link.hangup().filter(|_| !core_first).map(|hangup| hangup.cause.number());
    call.notify_disconnected(Some(ours.unwrap_or_else(cores)));
    true
}

/// Sets the causes at once, because in Stasis nobody reads the hangup's own frame. DIVERGES: the C module leaves the
/// cause to that frame, so ARI reports 0. If two sides hang up, the first one's cause stands.
fn hang_up(call: &Call, channel: Locked<'_>) {
    let is_hung_up = channel.is_hung_up_with_cause();
    call.link.settle(is_hung_up);
    call.leave_totals(channel);
    let Some(hangup) = call.link.hangup().filter(|_| !is_hung_up) else {
        return channel.queue_hangup(None);
    };
    let code = i32::try_from(hangup.cause.number()).unwrap_or(0);
    channel.set_hangup_cause(code, hangup.tech_cause);
    channel.queue_hangup(Some(code));
}

/// Runs `work` with the call's channel locked; if there is no channel any more, it does nothing and returns the
/// default. `None` if another thread holds the lock: try again.
fn with_channel<T: Default>(call: &Call, work: impl FnOnce(Locked<'_>) -> T) -> Option<T> {
    let Some(channel) = call.channel() else { return Some(T::default()) };
    let guard = channel.try_lock()?;
    // A masquerade may have happened meanwhile.
    if !call.belongs_to(&channel) {
        return None;
    }
    Some(work(guard.locked()))
}
