//! The order of jobs, when they are done, and which are done when the thread stops.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};

use super::*;
use crate::call::data::NewCall;
use crate::call::fixture::{call, new_call};
use crate::call::role::CallRole;
use crate::settings::config::Settings;

const PATIENCE: Duration = Duration::from_secs(30);

/// A call whose channel is a lock, and which reports what was done.
struct TestCall {
    state: CallData,
    channel: Mutex<()>,
    /// The locks of other channels, which a survey needs.
    bridge: Mutex<()>,
    done: Sender<String>,
}

impl Deref for TestCall {
    type Target = CallData;

    fn deref(&self) -> &CallData {
        &self.state
    }
}

impl HasJobs for TestCall {
    type Event = ();

    fn run(job: Job<Self>) -> Option<Job<Self>> {
        let call = job.call().clone();
        let Some(_channel) = call.channel.try_lock() else { return Some(job) };
        if matches!(job, Job::Survey(_)) && call.bridge.try_lock().is_none() {
            return Some(job);
        }
        let kind = match job {
            Job::Answer(_) => "answer",
            Job::Music(_) => "music",
            Job::Survey(_) => "survey",
            Job::Hangup(_) => "hangup",
            Job::IncomingTimeout(_) => "incoming timeout",
            Job::Reconnect(_) => "reconnect",
            _ => "another",
        };
        call.done.send(format!("{} {kind}", call.connection_id)).unwrap();
        None
    }
}

struct Calls {
    jobs: JobQueue<TestCall>,
    send: Sender<String>,
    done: Receiver<String>,
}

impl Calls {
    fn new() -> Self {
        let (send, done) = channel();
        Self { jobs: JobQueue::start().unwrap(), send, done }
    }

    fn call(&self, state: CallData) -> Arc<TestCall> {
        let (channel, bridge) = Default::default();
        Arc::new(TestCall { state, channel, bridge, done: self.send.clone() })
    }

    fn expect(&self, expected: &[&str]) {
        for expected in expected {
            assert_eq!(self.done.recv_timeout(PATIENCE).as_deref(), Ok(*expected));
        }
    }
}

/// The lock is held as long as the result lives.
fn lock(lock: &Mutex<()>) -> MutexGuard<'_, ()> {
    lock.lock()
}

#[test]
fn a_calls_jobs_wait_for_its_channel_in_their_order_and_hold_up_no_other() {
    let calls = Calls::new();
    let (one, other) = (calls.call(call("one")), calls.call(call("other")));
    let held = lock(&one.channel);
    for call in [&one, &other] {
        for job in [Job::Answer, Job::Music, Job::Hangup] {
            calls.jobs.post(job(call.clone()));
        }
    }
    calls.expect(&["other answer", "other music", "other hangup"]);
    drop(held);
    calls.expect(&["one answer", "one music", "one hangup"]);
}

#[test]
fn no_job_waits_for_a_survey_whose_bridge_is_locked() {
    let calls = Calls::new();
    let call = calls.call(call("call"));
    let held = lock(&call.bridge);
    for job in [Job::Survey, Job::Answer, Job::Hangup] {
        calls.jobs.post(job(call.clone()));
    }
    calls.expect(&["call answer", "call hangup"]);
    drop(held);
    calls.expect(&["call survey"]);
}

/// An INCOMING call that is hung up soon, unless an application comes.
fn waiting(connection_id: &str) -> CallData {
    let settings = Settings { incoming_timeout: Some(Duration::from_millis(20)), ..Settings::default() };
    CallData::new(NewCall { settings: Arc::new(settings), ..new_call(connection_id) })
}

#[test]
fn a_call_without_a_connection_times_out() {
    let calls = Calls::new();
    let (claimed, late) = (calls.call(waiting("claimed")), calls.call(waiting("late")));
    calls.jobs.watch_incoming(&claimed);
    calls.jobs.unwatch_incoming(&claimed);
    calls.jobs.watch_incoming(&late);
    calls.expect(&["late incoming timeout"]);
    calls.jobs.stop();
    assert!(calls.done.try_recv().is_err());
}

#[test]
fn only_a_call_whose_application_connects_has_such_a_timer() {
    let calls = Calls::new();
    let settings = Settings { incoming_timeout: Some(PATIENCE), ..Settings::default() };
    let new = NewCall { settings: Arc::new(settings), role: CallRole::Outgoing, ..new_call("client") };
    calls.jobs.watch_incoming(&calls.call(CallData::new(new)));
    assert_eq!(calls.jobs.waiting(), 0);
}

#[test]
fn a_timer_keeps_no_call() {
    let calls = Calls::new();
    let (gone, there) = (calls.call(call("gone")), calls.call(call("there")));
    let at = Instant::now() + Duration::from_millis(20);
    for call in [&gone, &there] {
        calls.jobs.post_at((at, call.number), Arc::downgrade(call), Job::Reconnect);
    }
    assert_eq!(Arc::strong_count(&gone), 1);
    drop(gone);
    calls.expect(&["there reconnect"]);
    assert!(calls.done.try_recv().is_err());
}

#[test]
fn a_connection_starts_on_the_thread_that_brings_it_unless_the_channel_is_locked() {
    let calls = Calls::new();
    let call = calls.call(call("call"));
    calls.jobs.start_link(call.clone(), established());
    assert_eq!(calls.done.try_recv().as_deref(), Ok("call another"));
    let held = lock(&call.channel);
    calls.jobs.start_link(call.clone(), established());
    assert!(calls.done.try_recv().is_err());
    drop(held);
    calls.expect(&["call another"]);
}

fn established() -> Established {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    Established {
        transport: Arc::new(crate::net::transport::PlainTransport::new(stream).unwrap()),
        leftover: Vec::new(),
        role: tungstenite::protocol::Role::Server,
        peer: "peer".to_owned(),
        client: None,
        write_timeout: PATIENCE,
        pings: None,
    }
}

/// Jobs hold calls, and calls hold the object that holds the thread.
#[test]
fn stopping_does_what_can_be_done_and_keeps_no_call() {
    let calls = Calls::new();
    let (busy, free) = (calls.call(call("busy")), calls.call(call("free")));
    let held = lock(&busy.channel);
    calls.jobs.post(Job::Hangup(busy.clone()));
    calls.jobs.post(Job::Hangup(free.clone()));
    calls.jobs.stop();
    calls.expect(&["free hangup"]);
    calls.jobs.post(Job::Hangup(free.clone()));
    assert_eq!((Arc::strong_count(&busy), Arc::strong_count(&free)), (1, 1));
    assert_eq!(calls.jobs.waiting(), 0);
    drop(held);
}
