//! A call's connection: its state, and what has to be done when something happens to it or to the call.
//!
//! [`State`] and the table of transitions are in `link/table.rs`. What a step asks for is returned ([`Todo`]) and done
//! by the caller, with no lock held. The link's own lock is a leaf: it may be taken while a session's lock is held, and
//! nothing is called under it. Any thread may call these functions.

pub(super) mod happening;
mod loss;
#[cfg(all(test, loom))]
mod models;
#[cfg(test)]
mod properties;
mod queries;
mod table;
#[cfg(test)]
mod tests;

use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use self::loss::Loss;
use self::table::{Act, CANCEL, Next, REFUSE, STAY, Step, step};
use super::ending::{CLOSE_NORMAL, End, HangupCause};
use crate::net::sync::{AtomicUsize, Mutex};
use crate::report::call_stats::{EndedBy, Ending};

pub use self::happening::{Happening, NotConnected};
pub use self::table::State;

/// Why an application cannot claim the connection id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClaimRefused {
    /// Another application has it.
    Taken,
    /// The call is over, or ends, and had no connection.
    Over,
}

/// What has to be done now. `A` is an attempt to connect; dropping it also cancels it.
#[derive(Debug)]
#[must_use]
pub struct Todo<C, A> {
    /// The event is not for this call: send no 101, start no attempt, close the connection; a connection that ended was
    /// not the call's.
    pub refused: bool,
    /// The number of the connection that was established: 1, 2, …, each once in a call. 0: no connection was
    /// established.
    pub connection: usize,
    /// The call waits for another connection from now on, or again, until this time.
    pub waits_until: Option<Instant>,
    /// Close this connection, with this code.
    pub close: Option<(Arc<C>, u16)>,
    /// Cancel this attempt.
    pub cancel: Option<A>,
    /// Hang up the channel in this way. Set at most once in a call, and not if the core has hung up first.
    pub hang_up: Option<HangupCause>,
    /// A finished attempt and a connection that was replaced. The caller drops them, because a drop may be a syscall.
    _spent: (Option<A>, Option<Arc<C>>),
}

/// The connection that a thread has seen last: see [`Link::newest`].
#[derive(Debug)]
pub struct Seen<C> {
    count: usize,
    connection: Option<Arc<C>>,
}

impl<C> Default for Seen<C> {
    fn default() -> Self {
        Self { count: 0, connection: None }
    }
}

/// A call's connection. `C` is a connection, `A` cancels an attempt.
#[derive(Debug)]
pub struct Link<C, A> {
    inner: Mutex<Inner<C, A>>,
    /// Connections so far: shows without the lock that there is no new one.
    count: AtomicUsize,
    ended: OnceLock<End>,
    /// Whether the core was hanging up before: then the core ended the call.
    settled: OnceLock<Option<Ending>>,
    /// How long a call that has lost its connection waits for another one; `None`: it ends.
    reconnect: Option<Duration>,
}

#[derive(Debug)]
struct Inner<C, A> {
    state: State,
    attempt: Option<A>,
    /// The newest connection, even if it is over.
    connection: Option<Arc<C>>,
    /// The close code with which the core has hung up.
    close_code: u16,
    /// Set if the connection was lost and no other has come yet.
    loss: Option<Loss>,
    /// Until when another connection may come.
    until: Option<Instant>,
}

impl<C, A> Link<C, A> {
    /// No connection yet. `reconnect`: how long a call that has lost its connection waits for another one, if at all.
    pub fn new(reconnect: Option<Duration>) -> Self {
        let inner = Inner {
            state: State::None,
            attempt: None,
            connection: None,
            close_code: CLOSE_NORMAL,
            loss: None,
            until: None,
        };
        Self {
            inner: Mutex::new(inner),
            count: AtomicUsize::new(0),
            ended: OnceLock::new(),
            settled: OnceLock::new(),
            reconnect,
        }
    }

    /// Records what happens, and returns what has to be done.
    pub fn happen(&self, happening: Happening<C>) -> Todo<C, A> {
        let inner = &mut *self.inner.lock();
        let step = match happening {
            Happening::Over { connection, .. } if connection != self.count.load(Ordering::Relaxed) => REFUSE,
            Happening::LostDeadline(until) if inner.until != Some(until) => STAY,
            Happening::Claim | Happening::ConnectStarted if inner.has_untold_loss() => REFUSE,
            _ => inner.choose(step(inner.state, happening.kind()), &happening, self.reconnect),
        };
        let mut todo = Todo {
            refused: step.act == Act::Refuse,
            connection: 0,
            waits_until: inner.until.filter(|_| step.next == Next::To(State::Lost)),
            close: None,
            cancel: None,
            hang_up: None,
            _spent: (None, None),
        };
        if step.ends {
            todo.hang_up = self.note_end(inner, &happening);
        }
        if let Happening::Hangup { close_code } = happening {
            inner.close_code = close_code;
        }
        match step.act {
            Act::Cancel => todo.cancel = inner.attempt.take(),
            Act::Close => {
                todo.close = inner.connection.clone().map(|connection| (connection, inner.close_code))
            }
            Act::Nothing | Act::Refuse => {}
        }
        match step.next {
            Next::To(state) => {
                inner.state = state;
                todo._spent.0 = inner.attempt.take();
                if let Happening::Established(connection) = happening {
                    (todo.connection, todo._spent.1) = self.open(inner, connection);
                }
            }
            Next::LastAttempt => inner.until = None,
            Next::Stay | Next::LostOrEnd => {}
        }
        todo
    }

    /// Returns the connection's number, and the previous connection.
    fn open(&self, inner: &mut Inner<C, A>, connection: Arc<C>) -> (usize, Option<Arc<C>>) {
        (inner.loss, inner.until) = (None, None);
        let before = inner.connection.replace(connection);
        (self.count.fetch_add(1, Ordering::Release) + 1, before)
    }

    /// Called under the lock, so that a thread that sees the call ended also sees its end.
    fn note_end(&self, inner: &mut Inner<C, A>, happening: &Happening<C>) -> Option<HangupCause> {
        let is_open = matches!(inner.state, State::Up | State::Ending);
        // A call that has waited in vain for another connection ends with the loss of the last one as its reason.
        let waited = matches!(happening, Happening::LostDeadline(_) | Happening::AttemptFailed(_));
        let loss = inner.loss.as_ref().filter(|_| waited).map(|loss| loss.end.clone());
        let end = loss.or_else(|| End::of(happening, is_open))?;
        self.ended.get_or_init(|| end).hangup
    }

    /// Keeps the handle that cancels the attempt under way. Returns it if the call no longer wants the attempt: cancel
    /// it.
    #[must_use = "cancel what is given back"]
    pub fn keep_attempt(&self, attempt: A) -> Option<A> {
        let mut inner = self.inner.lock();
        if inner.state != State::Connecting {
            return Some(attempt);
        }
        inner.attempt.replace(attempt)
    }

    /// Claims the connection id for an application. An application that gets `Ok` gets a 101; then its connection is
    /// [established](Happening::Established) or has [failed](Happening::AttemptFailed).
    ///
    /// # Errors
    /// Another application has it, or the call is over.
    pub fn claim(&self) -> Result<(), ClaimRefused> {
        if self.happen(Happening::Claim).refused { Err(self.refusal()) } else { Ok(()) }
    }

    /// Whether an application could claim the connection id now.
    ///
    /// # Errors
    /// As [`claim`](Self::claim).
    pub fn claimable(&self) -> Result<(), ClaimRefused> {
        let is_claimable = {
            let inner = self.inner.lock();
            matches!(inner.state, State::None | State::Lost) && !inner.has_untold_loss()
        };
        if is_claimable { Ok(()) } else { Err(self.refusal()) }
    }

    fn refusal(&self) -> ClaimRefused {
        let inner = self.inner.lock();
        let is_over = inner.state == State::Closed && (inner.connection.is_none() || inner.loss.is_some());
        if is_over { ClaimRefused::Over } else { ClaimRefused::Taken }
    }

    /// The newest connection, for a thread that asks often and keeps what it has seen: one atomic load, unless there is
    /// a new one.
    pub fn newest<'a>(&self, seen: &'a mut Seen<C>) -> Option<&'a Arc<C>> {
        if self.count.load(Ordering::Acquire) != seen.count {
            let newest = {
                let inner = self.inner.lock();
                Seen { count: self.count.load(Ordering::Acquire), connection: inner.connection.clone() }
            };
            *seen = newest;
        }
        seen.connection.as_ref()
    }

    /// Settles what has ended the call, under its channel's lock: the core, if it was hanging up before the
    /// application's end arrived. Only the first call counts. True if it was the core.
    pub fn settle(&self, core_first: bool) -> bool {
        let by_core = || Some(Ending { by: EndedBy::Core, ..self.ended.get()?.ending.clone() });
        self.settled.get_or_init(|| core_first.then(by_core).flatten()).is_some()
    }
}

impl<C, A> Inner<C, A> {
    /// The step that is taken: a call without a connection waits for another, or ends.
    fn choose(&mut self, step: Step, happening: &Happening<C>, reconnect: Option<Duration>) -> Step {
        match step.next {
            Next::LostOrEnd => {}
            Next::LastAttempt if self.attempt.is_some() => return CANCEL,
            _ => return step,
        }
        if let (Happening::Over { closed, .. }, Some(limit)) = (happening, reconnect) {
            let since = Instant::now();
            self.until = Some(since + limit);
            self.loss = Some(Loss { since, end: End::of_loss(closed), is_told: false });
        }
        let (state, ends) = if self.until.is_some() { (State::Lost, false) } else { (State::Closed, true) };
        Step { next: Next::To(state), ends, ..step }
    }

    /// See [`Link::loss_told`].
    fn has_untold_loss(&self) -> bool {
        self.loss.as_ref().is_some_and(|loss| !loss.is_told)
    }
}
