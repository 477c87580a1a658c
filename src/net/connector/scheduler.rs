//! The connector's thread: one epoll, all deadlines, and messages from all other threads.

mod cancelling;
mod course;

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use mio::{Events, Poll, Token, Waker};
use parking_lot::Mutex;

use self::course::Course;
use super::attempts::{AttemptContext, Attempts, NextStep};
use super::cancelled_attempt::CancelledAttempt;
use super::connect_error::{ConnectError, Failure};
use super::counters::Counters;
use super::lookup::{Found, LookupId, Lookups};
use super::observer::Observer;
use super::opening::Plan;
use super::promise::{Promise, Settled};
use super::{ConnectJob, ConnectSettings, Connected, TlsConnector};
use crate::net::contain::{catch, contained, contained_round};
use crate::net::heartbeat::Heartbeat;
use crate::net::helpers::{Helpers, Ticket};
use crate::net::watchdog::WatchedThread;
use crate::settings::per_call::Secret;

/// How many events are taken from the kernel at once; the rest comes with the next call.
const EVENTS_AT_ONCE: usize = 256;

/// How long the thread sleeps when it cannot poll, before it checks its messages and its deadlines anyway.
const UNPOLLABLE: Duration = Duration::from_millis(100);

/// A thread that wakes this late did not run: the process was stopped.
const STALL: Duration = Duration::from_secs(1);

/// The waker's token; jobs count from 1.
const MAIL: Token = Token(0);

/// Identifies one job for the life of the connector: never used again. Also its sockets' token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct JobId(pub(super) usize);

/// Messages of other threads to the connector's.
pub(super) enum News {
    /// A call to be connected.
    Job(JobId, ConnectJob, Arc<Settled>),
    /// The caller has cancelled.
    Cancelled(JobId),
    /// A helper has read the settings of the client whose turn this was.
    Planned(JobId, u32, Result<Box<Plan>, Failure>),
    /// A helper has read the token of an attempt.
    TokenRead { id: JobId, turn: u32, attempt: u32, token: Result<Secret, String> },
    /// A resolver has an answer.
    Found(LookupId, Found),
    /// End all jobs, then the thread.
    Stop,
}

/// The mailbox for other threads' messages. No lock is held during a wait or a call.
pub(super) struct Mailbox {
    inbox: Mutex<NewsInbox>,
    waker: Waker,
    heartbeat: Heartbeat,
    pub(super) counters: Counters,
    /// Counters of checks, which are not calls: not reported.
    checks: Counters,
}

impl WatchedThread for Mailbox {
    fn heartbeat(&self) -> &Heartbeat {
        &self.heartbeat
    }

    fn is_awaited(&self) -> bool {
        self.inbox.try_lock().is_none_or(|inbox| !inbox.news.is_empty())
    }

    fn carries(&self) -> (usize, &'static str) {
        (self.counters.under_way.load(Ordering::Relaxed), "calls that are being connected")
    }
}

#[derive(Default)]
struct NewsInbox {
    news: Vec<News>,
    closed: bool,
}

impl Mailbox {
    /// Hands `news` over and wakes the connector. `false`: it has ended; the news is dropped.
    pub(super) fn post(&self, news: News) -> bool {
        let mut inbox = self.inbox.lock();
        if inbox.closed {
            drop(inbox);
            drop(news); // not under the lock: its owner may call back
            return false;
        }
        let is_first = inbox.news.is_empty();
        inbox.news.push(news);
        drop(inbox);
        if is_first && let Err(err) = self.waker.wake() {
            log::error!("The connector cannot be woken: {err}");
        }
        true
    }

    /// The counters for a job or for a check.
    fn counters(&self, is_check: bool) -> &Counters {
        if is_check { &self.checks } else { &self.counters }
    }

    fn take(&self) -> Vec<News> {
        std::mem::take(&mut self.inbox.lock().news)
    }

    fn close(&self) -> Vec<News> {
        let mut inbox = self.inbox.lock();
        inbox.closed = true;
        std::mem::take(&mut inbox.news)
    }
}

/// All that the connector's thread owns.
pub(super) struct Scheduler {
    poll: Poll,
    mailbox: Arc<Mailbox>,
    settings: Helpers,
    settings_timeout: Duration,
    lookups: Lookups,
    jobs: HashMap<JobId, ConnectingJob>,
    /// Attempts of jobs that were cancelled.
    cancelled: HashMap<JobId, CancelledAttempt>,
    timers: super::timers::Timers,
}

struct ConnectingJob {
    promise: Promise,
    course: Course,
    stage: Stage,
}

enum Stage {
    /// The settings are read; `ticket` if a helper does it.
    Settings { ticket: Option<Ticket> },
    /// Connecting; `lookup` while addresses are waited for.
    Attempts { attempts: Box<Attempts>, lookup: Option<LookupId> },
}

impl Scheduler {
    /// An epoll and a mailbox that wakes it, for the thread with this name.
    ///
    /// # Errors
    /// No descriptors.
    pub(super) fn mailbox(thread: &str) -> io::Result<(Poll, Arc<Mailbox>)> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), MAIL)?;
        let (inbox, counters, checks) = Default::default();
        Ok((poll, Arc::new(Mailbox { inbox, waker, heartbeat: Heartbeat::new(thread), counters, checks })))
    }

    /// A scheduler that is not running yet; `settings` runs the jobs' `settings`.
    pub(super) fn new(
        poll: Poll,
        mailbox: Arc<Mailbox>,
        settings: Helpers,
        settings_timeout: Duration,
        lookups: Lookups,
    ) -> Self {
        let (jobs, cancelled, timers) = Default::default();
        Self { poll, mailbox, settings, settings_timeout, lookups, jobs, cancelled, timers }
    }

    /// Works until [`News::Stop`]; the body of the connector's thread.
    pub(super) fn run(mut self) {
        let mut events = Events::with_capacity(EVENTS_AT_ONCE);
        while contained_round("the connector", || self.turn(&mut events)).unwrap_or(true) {}
        for news in self.mailbox.close() {
            self.read(news);
        }
        let ids: Vec<JobId> = self.jobs.keys().copied().collect();
        for id in ids {
            self.piece(id, |scheduler| scheduler.fail(id, Failure::Stopped));
        }
        self.mailbox.heartbeat.waits();
    }

    /// Waits once and does what there is to do. `false`: the thread has to end.
    fn turn(&mut self, events: &mut Events) -> bool {
        let began = Instant::now();
        let timeout = self.timers.next_in(began);
        self.mailbox.heartbeat.waits();
        let polled = self.poll.poll(events, timeout);
        self.mailbox.heartbeat.works();
        if let Err(err) = polled
            && err.kind() != io::ErrorKind::Interrupted
        {
            log::error!("The connector cannot wait for its sockets: {err}");
            std::thread::sleep(UNPOLLABLE);
        }
        let late = timeout.map_or(Duration::ZERO, |timeout| began.elapsed().saturating_sub(timeout));
        if late >= STALL {
            // A stop also interrupts the poll: only the next poll shows what has arrived meanwhile.
            self.postpone(late + STALL);
        }
        let mut goes_on = true;
        for news in self.mailbox.take() {
            goes_on &= self.read(news);
        }
        for event in events.iter().filter(|event| event.token() != MAIL) {
            let id = JobId(event.token().0);
            self.piece(id, |scheduler| scheduler.ready(id));
        }
        let now = Instant::now();
        while let Some(id) = self.timers.pop_due(now) {
            self.piece(id, |scheduler| scheduler.deadline(id));
        }
        goes_on
    }

    /// Does a piece of work for a job. A panic in it ends that job alone.
    fn piece(&mut self, id: JobId, work: impl FnOnce(&mut Self)) {
        let Err(panic) = catch(|| work(self)) else { return };
        log::error!("Connecting a call: a fault in chan_websocket was contained: {panic}");
        contained("Ending a call", || self.fail(id, Failure::Internal(panic)));
        // That may have failed, too: when the job is dropped, it still tells its caller.
        contained("Dropping a call", || drop(self.remove(id)));
    }

    /// Ignores the time in which this process did not run: servers, resolvers and helpers may have stood still with it.
    fn postpone(&mut self, by: Duration) {
        self.timers.postpone(by);
        for job in self.jobs.values_mut() {
            if let Stage::Attempts { attempts, .. } = &mut job.stage {
                attempts.postpone(by);
            }
        }
        self.cancelled.values_mut().for_each(|attempt| attempt.postpone(by));
    }

    /// `false`: it was [`News::Stop`].
    fn read(&mut self, news: News) -> bool {
        match news {
            News::Job(id, job, settled) => self.piece(id, |scheduler| scheduler.take_on(id, job, settled)),
            News::Cancelled(id) => self.piece(id, |scheduler| scheduler.cancelled(id)),
            News::Planned(id, turn, plan) if self.is_at(id, turn) => {
                self.piece(id, |scheduler| scheduler.planned(id, plan));
            }
            News::TokenRead { id, turn, attempt, token } if self.is_at(id, turn) => {
                self.piece(id, |scheduler| {
                    scheduler.drive(id, |attempts, ctx| attempts.token_read(attempt, token, ctx));
                });
            }
            // Too late.
            News::Planned(..) | News::TokenRead { .. } => {}
            News::Found(lookup, found) => self.found(lookup, &found),
            News::Stop => return false,
        }
        true
    }

    /// A socket is ready.
    fn ready(&mut self, id: JobId) {
        match self.cancelled.remove(&id) {
            Some(attempt) => self.keep_cancelled(id, attempt.advance(Instant::now())),
            None => self.drive(id, |attempts, ctx| attempts.ready(ctx)),
        }
    }

    fn take_on(&mut self, id: JobId, job: ConnectJob, settled: Arc<Settled>) {
        let ConnectJob { client, settings, fallbacks, tls, on_done, label, again, on_step } = job;
        let course = Course::new((label, again), client, fallbacks, tls, Observer::new(on_step));
        self.read_settings(id, Promise::new(on_done, settled), course, settings);
    }

    /// Reads the settings of the client whose turn it is.
    fn read_settings(&mut self, id: JobId, promise: Promise, course: Course, settings: ConnectSettings) {
        let (tls, turn) = (course.tls.clone(), course.turn);
        if settings.are_at_hand() {
            self.enter(id, ConnectingJob { promise, course, stage: Stage::Settings { ticket: None } });
            return self.planned(id, plan(settings, &*tls));
        }
        let mailbox = self.mailbox.clone();
        let task = Box::new(move || {
            mailbox.post(News::Planned(id, turn, plan(settings, &*tls)));
        });
        match self.settings.run(task) {
            Ok(ticket) => {
                self.enter(
                    id,
                    ConnectingJob { promise, course, stage: Stage::Settings { ticket: Some(ticket) } },
                );
                self.timers.arm(id, Instant::now() + self.settings_timeout);
            }
            Err(err) => {
                Counters::count(&self.mailbox.counters(course.is_check).failed);
                promise.keep(Err(ConnectError::before_any_attempt(no_thread(&err))));
            }
        }
    }

    fn enter(&mut self, id: JobId, job: ConnectingJob) {
        self.jobs.insert(id, job);
        self.mailbox.counters.under_way.store(self.jobs.len(), Ordering::Relaxed);
    }

    fn planned(&mut self, id: JobId, plan: Result<Box<Plan>, Failure>) {
        let plan = match plan {
            Ok(plan) => *plan,
            Err(failure) => return self.fail(id, failure),
        };
        let Some(ConnectingJob { course, stage, .. }) = self.jobs.get_mut(&id) else { return };
        let Stage::Settings { .. } = stage else { return };
        let (label, client) = (course.label.clone(), course.client.clone());
        let observer = std::mem::take(&mut course.observer);
        let attempts = Box::new(Attempts::new(label, client, plan, observer));
        *stage = Stage::Attempts { attempts, lookup: None };
        self.drive(id, |attempts, ctx| Some(attempts.begin(ctx)));
    }

    fn found(&mut self, lookup: LookupId, found: &Found) {
        for id in self.lookups.finish(lookup) {
            self.piece(id, |scheduler| {
                scheduler.set_lookup(id, None);
                scheduler.drive(id, |attempts, ctx| Some(attempts.found(found.clone(), ctx)));
            });
        }
    }

    fn deadline(&mut self, id: JobId) {
        if let Some(attempt) = self.cancelled.remove(&id) {
            return self.keep_cancelled(id, attempt.give_up(Instant::now()));
        }
        if let Some(ConnectingJob { stage: Stage::Settings { .. }, .. }) = self.jobs.get(&id) {
            return self.fail(id, Failure::SettingsTimeout(self.settings_timeout));
        }
        if let Some(lookup) = self.set_lookup(id, None) {
            self.lookups.give_up(id, lookup);
        }
        self.drive(id, |attempts, ctx| Some(attempts.deadline(ctx)));
    }

    /// Lets a job's attempts go on, if it still has any, and does what they want next.
    fn drive(
        &mut self,
        id: JobId,
        go_on: impl FnOnce(&mut Attempts, &AttemptContext<'_>) -> Option<NextStep>,
    ) {
        let Some(ConnectingJob { course, stage: Stage::Attempts { attempts, .. }, .. }) =
            self.jobs.get_mut(&id)
        else {
            return;
        };
        let ctx = AttemptContext {
            registry: self.poll.registry(),
            token: Token(id.0),
            now: Instant::now(),
            counters: self.mailbox.counters(course.is_check),
        };
        if let Some(next) = go_on(attempts, &ctx) {
            self.follow(id, next);
        }
    }

    fn follow(&mut self, id: JobId, next: NextStep) {
        match next {
            NextStep::Wait(deadline) => self.timers.arm(id, deadline),
            NextStep::ReadToken(file, attempt, deadline) => {
                self.timers.arm(id, deadline);
                self.read_token(id, file, attempt);
            }
            NextStep::LookUp(deadline) => {
                self.timers.arm(id, deadline);
                self.look_up(id);
            }
            NextStep::Done(result) => self.finish(id, result.map(|connected| *connected)),
        }
    }

    fn look_up(&mut self, id: JobId) {
        let Some(ConnectingJob { stage: Stage::Attempts { attempts, lookup }, .. }) = self.jobs.get_mut(&id)
        else {
            return;
        };
        let (host, port) = attempts.endpoint();
        match self.lookups.join(id, host, port) {
            Ok(joined) => *lookup = Some(joined),
            Err(err) => {
                let found = Err(no_thread(&err).to_string());
                self.drive(id, |attempts, ctx| Some(attempts.found(found, ctx)));
            }
        }
    }

    /// The look-up that the job waited for until now.
    fn set_lookup(&mut self, id: JobId, to: Option<LookupId>) -> Option<LookupId> {
        let Some(ConnectingJob { stage: Stage::Attempts { lookup, .. }, .. }) = self.jobs.get_mut(&id) else {
            return None;
        };
        std::mem::replace(lookup, to)
    }

    fn fail(&mut self, id: JobId, failure: Failure) {
        let error = match self.jobs.get(&id) {
            Some(ConnectingJob { stage: Stage::Attempts { attempts, .. }, .. }) => attempts.failed(failure),
            _ => ConnectError::before_any_attempt(failure),
        };
        self.finish(id, Err(error));
    }

    fn finish(&mut self, id: JobId, result: Result<Connected, ConnectError>) {
        let Some(ConnectingJob { promise, mut course, stage }) = self.remove(id) else { return };
        contained("Forgetting a call", || drop(stage)); // closes the socket of what has failed
        let result = match result {
            Err(error) => match course.next(&error) {
                Some(settings) => return self.read_settings(id, promise, course, settings),
                None => Err(course.over(error)),
            },
            connected => {
                course.arrived();
                connected
            }
        };
        let counters = self.mailbox.counters(course.is_check);
        Counters::count(if result.is_ok() { &counters.connected } else { &counters.failed });
        let way_out = |connected: &Connected| (connected.transport.clone(), connected.peer);
        let checked = result.as_ref().ok().filter(|_| course.is_check).map(way_out);
        contained("Forgetting a call", || drop(course)); // and the TLS that it was to use
        let unwanted = promise.keep(result).as_ref().map(way_out).or(checked);
        if let Some((transport, peer)) = unwanted {
            self.leave(id, transport, peer);
        }
    }

    /// Forgets a job. What it had under way ends with it, or is closed in order.
    fn remove(&mut self, id: JobId) -> Option<ConnectingJob> {
        let job = self.jobs.remove(&id)?;
        self.mailbox.counters.under_way.store(self.jobs.len(), Ordering::Relaxed);
        self.timers.disarm(id);
        match &job.stage {
            Stage::Settings { ticket: Some(ticket) } => {
                self.settings.forget(*ticket);
            }
            Stage::Attempts { lookup: Some(lookup), .. } => self.lookups.leave(id, *lookup),
            Stage::Settings { ticket: None } | Stage::Attempts { lookup: None, .. } => {}
        }
        Some(job)
    }
}

/// Reads the settings; on a helper thread, unless they are at hand.
fn plan(settings: ConnectSettings, tls: &dyn TlsConnector) -> Result<Box<Plan>, Failure> {
    let read = || Plan::new(settings.read().map_err(Failure::Settings)?, tls).map(Box::new);
    catch(read).unwrap_or_else(|text| {
        log::error!("Reading the settings of a call panicked: {text}");
        Err(Failure::Internal(text))
    })
}

fn no_thread(err: &io::Error) -> Failure {
    Failure::Internal(format!("no thread can be started: {err}"))
}
