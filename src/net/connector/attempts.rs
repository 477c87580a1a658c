//! One call's attempts: each looks up the name, tries its addresses in turn, and has a time budget. This part decides;
//! the scheduler has the clock and the look-ups.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use mio::unix::SourceFd;
use mio::{Registry, Token};

use super::Connected;
use super::budget::Budget;
use super::cancelled_attempt::CancelledAttempt;
use super::connect_error::{ConnectError, Failure};
use super::counters::Counters;
use super::observer::{ConnectStep, Observer};
use super::opening::{Opened, Opening, OpeningStep, Plan};
use super::retry_after;
use crate::net::upgrade::{for_log, offered_as};
use crate::settings::per_call::Secret;

/// Parts of the scheduler that a call needs for a moment.
pub(super) struct AttemptContext<'a> {
    pub(super) registry: &'a Registry,
    pub(super) token: Token,
    pub(super) now: Instant,
    pub(super) counters: &'a Counters,
}

/// What has to happen next.
pub(super) enum NextStep {
    /// Something on the socket, or this deadline.
    Wait(Instant),
    /// The token in this file is needed, for the attempt of this number, until this deadline.
    ReadToken(PathBuf, u32, Instant),
    /// The addresses of [`Attempts::endpoint`] are needed until this deadline.
    LookUp(Instant),
    /// The call is over.
    Done(Result<Box<Connected>, ConnectError>),
}

/// The attempts of one call.
pub(super) struct Attempts {
    label: String,
    /// The websocket_client's name.
    client: String,
    plan: Plan,
    /// Attempts begun.
    attempt: u32,
    /// The budget of this attempt.
    budget: Budget,
    /// The addresses that were not tried yet in this attempt.
    addresses: std::vec::IntoIter<SocketAddr>,
    /// How many addresses were tried in this attempt.
    tried: usize,
    observer: Observer,
    stage: AttemptStage,
}

enum AttemptStage {
    /// Between two of the other stages.
    Idle,
    /// Waiting for the token.
    Token,
    /// Waiting for addresses.
    Lookup,
    /// Connecting to one address.
    Opening { link: Opening, addr: SocketAddr, deadline: Instant },
    /// Between two attempts.
    Pause,
}

impl Attempts {
    /// `label` is the channel's name, `client` that of the websocket_client.
    pub(super) fn new(label: String, client: String, plan: Plan, mut observer: Observer) -> Self {
        observer.settings(&plan);
        let (addresses, budget) = (Vec::new().into_iter(), Budget::default());
        Self {
            label,
            client,
            plan,
            attempt: 0,
            budget,
            addresses,
            tried: 0,
            observer,
            stage: AttemptStage::Idle,
        }
    }

    /// The host whose addresses are needed.
    pub(super) fn endpoint(&self) -> (&str, u16) {
        self.plan.endpoint()
    }

    /// Begins the next attempt.
    pub(super) fn begin(&mut self, ctx: &AttemptContext<'_>) -> NextStep {
        self.attempt = self.attempt.saturating_add(1);
        Counters::count(&ctx.counters.attempts);
        self.budget = Budget::new(self.plan.destination.client.handshake_timeout);
        self.tried = 0;
        if let Some(file) = self.plan.token_file().cloned() {
            self.stage = AttemptStage::Token;
            return NextStep::ReadToken(file, self.attempt, self.budget.start(ctx.now));
        }
        self.find_addresses(ctx)
    }

    /// The token of the attempt of this number has been read. `None`: the attempts do not need it any more.
    pub(super) fn token_read(
        &mut self,
        attempt: u32,
        token: Result<Secret, String>,
        ctx: &AttemptContext<'_>,
    ) -> Option<NextStep> {
        if attempt != self.attempt || !matches!(self.stage, AttemptStage::Token) {
            return None;
        }
        self.budget.pause(ctx.now);
        Some(match token {
            Ok(token) => {
                self.plan.set_token(token);
                self.observer.tell(|| ConnectStep::Token);
                self.find_addresses(ctx)
            }
            Err(why) => self.attempt_failed(Failure::Token(why), ctx),
        })
    }

    fn find_addresses(&mut self, ctx: &AttemptContext<'_>) -> NextStep {
        let (host, port) = self.endpoint();
        match host.parse::<IpAddr>() {
            Ok(ip) => self.try_addresses(vec![SocketAddr::new(ip, port)], ctx),
            Err(_) => {
                self.stage = AttemptStage::Lookup;
                NextStep::LookUp(self.budget.start(ctx.now))
            }
        }
    }

    /// The look-up is done.
    pub(super) fn found(
        &mut self,
        found: Result<Vec<SocketAddr>, String>,
        ctx: &AttemptContext<'_>,
    ) -> NextStep {
        self.budget.pause(ctx.now);
        match found {
            Ok(addresses) => self.try_addresses(addresses, ctx),
            Err(error) => {
                self.attempt_failed(Failure::Lookup { host: self.endpoint().0.to_owned(), error }, ctx)
            }
        }
    }

    /// The socket is ready. `None`: the attempts do not wait for it.
    pub(super) fn ready(&mut self, ctx: &AttemptContext<'_>) -> Option<NextStep> {
        match std::mem::replace(&mut self.stage, AttemptStage::Idle) {
            AttemptStage::Opening { link, addr, deadline } => Some(self.advance(link, addr, deadline, ctx)),
            other => {
                self.stage = other;
                None
            }
        }
    }

    /// The deadline of the last [`NextStep`] has come.
    pub(super) fn deadline(&mut self, ctx: &AttemptContext<'_>) -> NextStep {
        let client = &self.plan.destination.client;
        match std::mem::replace(&mut self.stage, AttemptStage::Idle) {
            AttemptStage::Idle | AttemptStage::Pause => self.begin(ctx),
            AttemptStage::Token => self.attempt_failed(Failure::TokenTimeout(client.handshake_timeout), ctx),
            AttemptStage::Lookup => {
                let after = client.handshake_timeout;
                self.attempt_failed(Failure::LookupTimeout { host: self.endpoint().0.to_owned(), after }, ctx)
            }
            AttemptStage::Opening { link, addr, .. } => {
                let failure = match link.phase() {
                    None => Failure::TcpTimeout { addr, after: client.connection_timeout },
                    Some(phase) => Failure::HandshakeTimeout { addr, phase, after: client.handshake_timeout },
                };
                drop(link);
                self.address_failed(failure, ctx)
            }
        }
    }

    /// Moves every deadline by this time.
    pub(super) fn postpone(&mut self, by: Duration) {
        self.budget.postpone(by);
        if let AttemptStage::Opening { deadline, .. } = &mut self.stage {
            *deadline += by;
        }
    }

    /// The call is cancelled. `None`: there is no connection to close.
    pub(super) fn cancel(self, now: Instant) -> Option<CancelledAttempt> {
        match self.stage {
            AttemptStage::Opening { link, addr, .. } => CancelledAttempt::from_link(link, addr, now),
            AttemptStage::Idle | AttemptStage::Token | AttemptStage::Lookup | AttemptStage::Pause => None,
        }
    }

    /// The error with which the call ends here, whatever it was doing.
    pub(super) fn failed(&self, failure: Failure) -> ConnectError {
        let pause_ms = u32::try_from(self.pause(&failure).as_millis()).unwrap_or(u32::MAX);
        ConnectError {
            fallback: None,
            server: Some(self.plan.server()),
            attempts: self.attempt,
            addresses: self.tried,
            pause_ms: NonZeroU32::new(pause_ms.max(1)),
            failure,
        }
    }

    fn try_addresses(&mut self, addresses: Vec<SocketAddr>, ctx: &AttemptContext<'_>) -> NextStep {
        self.observer.tell(|| ConnectStep::Addresses(addresses.clone()));
        self.addresses = addresses.into_iter();
        self.next_address(None, ctx)
    }

    /// Begins to connect to the next address that can be tried; `last` is the failure of the one before.
    /// DIVERGES: res_websocket_client knows only the first address.
    fn next_address(&mut self, mut last: Option<Failure>, ctx: &AttemptContext<'_>) -> NextStep {
        for addr in self.addresses.by_ref() {
            if let Some(failure) = &last {
                log::debug!("{}: {failure}; trying {addr} next", self.label);
                self.observer.address_failed(failure);
            }
            self.tried = self.tried.saturating_add(1);
            Counters::count(&ctx.counters.addresses);
            match Opening::open(addr, ctx.registry, ctx.token) {
                Ok(link) => {
                    let deadline = ctx.now + self.plan.destination.client.connection_timeout;
                    self.stage = AttemptStage::Opening { link, addr, deadline };
                    return NextStep::Wait(deadline);
                }
                Err(error) => last = Some(Failure::Tcp { addr, error }),
            }
        }
        let none = || Failure::Lookup { host: self.endpoint().0.to_owned(), error: "no address".to_owned() };
        self.attempt_failed(last.unwrap_or_else(none), ctx)
    }

    fn advance(
        &mut self,
        link: Opening,
        addr: SocketAddr,
        deadline: Instant,
        ctx: &AttemptContext<'_>,
    ) -> NextStep {
        let was_tcp = link.phase().is_none();
        match link.advance(&self.plan, addr, &mut self.observer) {
            Ok(OpeningStep::Pending(link)) => {
                let through_tcp = was_tcp && link.phase().is_some();
                let deadline = if through_tcp { self.budget.start(ctx.now) } else { deadline };
                self.stage = AttemptStage::Opening { link, addr, deadline };
                NextStep::Wait(deadline)
            }
            Ok(OpeningStep::Done(opened)) => NextStep::Done(Ok(Box::new(self.connected(opened, addr, ctx)))),
            Err(failure) => self.address_failed(failure, ctx),
        }
    }

    fn connected(&self, opened: Opened, peer: SocketAddr, ctx: &AttemptContext<'_>) -> Connected {
        let Opened { transport, leftover, subprotocol } = opened;
        self.warn_of_case(subprotocol.as_deref());
        // It goes to a reactor, which has its own epoll. If this fails, nothing has to be done: the events of a job
        // that is over are ignored.
        let _ = ctx.registry.deregister(&mut SourceFd(&transport.as_raw_fd()));
        let (client, settings) = (self.client.clone(), self.plan.destination.client.clone());
        Connected { transport, leftover, subprotocol, peer, client, settings }
    }

    /// Warns of a subprotocol whose case differs from the offered one.
    fn warn_of_case(&self, subprotocol: Option<&str>) {
        let Some(chosen) = subprotocol else { return };
        let offered = offered_as(&self.plan.destination.client.protocols, chosen);
        if let Some(offered) = offered.filter(|offered| *offered != chosen) {
            log::warn!(
                "{}: {}: the server chose the subprotocol \"{chosen}\" where \"{offered}\" was offered; it is taken, \
                 but other clients may refuse it",
                self.label,
                self.plan.server()
            );
        }
    }

    fn address_failed(&mut self, failure: Failure, ctx: &AttemptContext<'_>) -> NextStep {
        self.budget.pause(ctx.now);
        if failure.tries_next_address() {
            return self.next_address(Some(failure), ctx);
        }
        self.attempt_failed(failure, ctx)
    }

    fn attempt_failed(&mut self, failure: Failure, ctx: &AttemptContext<'_>) -> NextStep {
        Counters::count(&ctx.counters.attempts_failed);
        let client = &self.plan.destination.client;
        if failure.is_final() || self.attempt >= client.reconnect_attempts {
            return NextStep::Done(Err(self.failed(failure)));
        }
        let pause = self.pause(&failure);
        log::debug!(
            "{}: attempt {} of {} to connect to {} failed: {failure}; the next one in {} ms",
            self.label,
            self.attempt,
            client.reconnect_attempts,
            self.plan.server(),
            pause.as_millis()
        );
        self.stage = AttemptStage::Pause;
        NextStep::Wait(ctx.now + pause)
    }

    /// How long to wait before the next attempt: `reconnect_interval`, or longer if the server asks for it.
    /// DIVERGES: res_websocket_client does not look at Retry-After.
    fn pause(&self, failure: &Failure) -> Duration {
        let interval = self.plan.destination.client.reconnect_interval;
        let Some(value) = failure.retry_after() else { return interval };
        retry_after::pause(value, interval, SystemTime::now()).unwrap_or_else(|| {
            let value = for_log(value);
            log::debug!(
                "{}: the server's Retry-After '{value}' is ignored: neither a number of seconds nor an HTTP date",
                self.label
            );
            interval
        })
    }
}
