//! Name look-ups, on threads that may hang. Calls that want the same name at the same time share one look-up, so
//! that a name server that does not answer for one name takes one thread, however many calls go there.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use super::scheduler::{JobId, Mailbox, News};
use crate::net::contain::catch;
use crate::net::helpers::{Helpers, Ticket};

/// Finds the addresses of a name.
pub trait Resolve: Send + Sync {
    /// All addresses of `host`, in the order in which to try them. Called on a resolver thread; may block for as long
    /// as it likes, even beyond the connector's end: it must own what it touches.
    ///
    /// # Errors
    /// There are no addresses; the error's text goes into the log.
    fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>>;
}

/// getaddrinfo(3).
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        (host, port).to_socket_addrs().map(Iterator::collect)
    }
}

/// What a look-up has found: addresses, or what to say in the log.
pub(super) type Found = Result<Vec<SocketAddr>, String>;

type Name = (String, u16);

/// The most look-ups of one name at the same time, of which all but the newest have been given up. A resolver may hang
/// for much longer than `handshake_timeout`.
const MAX_LOOKUPS_OF_A_NAME: usize = 4;

/// Look-ups in progress, and the jobs that wait for them.
pub(super) struct Lookups {
    helpers: Helpers,
    resolver: Arc<dyn Resolve>,
    mailbox: Arc<Mailbox>,
    next: u64,
    running: HashMap<LookupId, Lookup>,
    /// The look-up that new jobs for a name join: never one that was given up.
    joinable: HashMap<Name, LookupId>,
}

/// Names one look-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct LookupId(u64);

struct Lookup {
    name: Name,
    ticket: Ticket,
    waiting: Vec<JobId>,
}

impl Lookups {
    pub(super) fn new(helpers: Helpers, resolver: Arc<dyn Resolve>, mailbox: Arc<Mailbox>) -> Self {
        let (running, joinable) = (HashMap::new(), HashMap::new());
        Self { helpers, resolver, mailbox, next: 0, running, joinable }
    }

    /// Lets `job` wait for the addresses of a name. The result comes as [`News::Found`].
    ///
    /// # Errors
    /// No thread can be started.
    pub(super) fn join(&mut self, job: JobId, host: &str, port: u16) -> io::Result<LookupId> {
        let name = (host.to_owned(), port);
        let id = self.joinable.get(&name).copied().or_else(|| self.last_of_many(&name));
        let shared = id.and_then(|id| Some((id, self.running.get_mut(&id)?)));
        if let Some((id, lookup)) = shared {
            lookup.waiting.push(job);
            return Ok(id);
        }
        self.start(job, name)
    }

    /// The newest look-up of this name, if so many hang that one more would not help: they would take all threads.
    fn last_of_many(&self, name: &Name) -> Option<LookupId> {
        let of_name = self.running.iter().filter(|(_, lookup)| lookup.name == *name).map(|(id, _)| *id);
        let (count, newest) =
            of_name.fold((0, None), |(count, newest), id| (count + 1, newest.max(Some(id))));
        newest.filter(|_| count >= MAX_LOOKUPS_OF_A_NAME)
    }

    fn start(&mut self, job: JobId, name: Name) -> io::Result<LookupId> {
        self.next = self.next.wrapping_add(1);
        let id = LookupId(self.next);
        let (resolver, mailbox, (host, port)) = (self.resolver.clone(), self.mailbox.clone(), name.clone());
        let task = move || {
            mailbox.post(News::Found(id, find(&*resolver, &host, port)));
        };
        let ticket = self.helpers.run(Box::new(task))?;
        self.joinable.insert(name.clone(), id);
        self.running.insert(id, Lookup { name, ticket, waiting: vec![job] });
        Ok(id)
    }

    /// `job` waits no longer. A look-up without a waiting job that no thread has begun is dropped.
    pub(super) fn leave(&mut self, job: JobId, id: LookupId) {
        let Some(lookup) = self.running.get_mut(&id) else { return };
        lookup.waiting.retain(|waiting| *waiting != job);
        if lookup.waiting.is_empty() && self.helpers.forget(lookup.ticket) {
            self.finish(id);
        }
    }

    /// As [`leave`](Self::leave), because it takes too long: the next job that needs the name starts a new look-up.
    pub(super) fn give_up(&mut self, job: JobId, id: LookupId) {
        if let Some(lookup) = self.running.get(&id) {
            forget_name(&mut self.joinable, &lookup.name, id);
        }
        self.leave(job, id);
    }

    /// A look-up is done; returns the jobs that wait for it.
    pub(super) fn finish(&mut self, id: LookupId) -> Vec<JobId> {
        let Some(lookup) = self.running.remove(&id) else { return Vec::new() };
        forget_name(&mut self.joinable, &lookup.name, id);
        lookup.waiting
    }
}

fn forget_name(joinable: &mut HashMap<Name, LookupId>, name: &Name, id: LookupId) {
    if joinable.get(name) == Some(&id) {
        joinable.remove(name);
    }
}

fn find(resolver: &dyn Resolve, host: &str, port: u16) -> Found {
    match catch(|| resolver.resolve(host, port)) {
        Ok(Ok(addresses)) if addresses.is_empty() => Err("it has no address".to_owned()),
        Ok(Ok(addresses)) => Ok(addresses),
        Ok(Err(err)) => Err(without_preamble(&err.to_string()).to_owned()),
        Err(panic) => Err(panic),
    }
}

/// std puts its own text before getaddrinfo's.
fn without_preamble(text: &str) -> &str {
    text.strip_prefix("failed to lookup address information: ").unwrap_or(text)
}
