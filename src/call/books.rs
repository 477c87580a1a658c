//! The books: every call that has a channel, and the totals of calls that are over.

use std::collections::{BTreeMap, HashMap};
use std::ops::Deref;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::call::data::CallData;
use crate::call::role::{CallRole, PerRole};
use crate::call::totals::{Totals, Traffic};

/// See the module. `C` is a call. Any thread; nothing waits.
#[derive(Debug)]
pub struct Books<C> {
    entries: Mutex<Entries<C>>,
    /// INCOMING calls by connection id.
    incoming: Mutex<HashMap<String, Arc<C>>>,
}

/// Under one lock, so that each call's metrics count once.
#[derive(Debug)]
struct Entries<C> {
    /// In the order of their channels' numbers.
    calls: BTreeMap<u64, Arc<C>>,
    totals: Totals,
}

/// The books at one moment.
#[derive(Debug, Clone)]
pub struct Summary {
    /// Of calls that are over and calls that are up, together.
    pub totals: Totals,
    /// Channels now.
    pub up: PerRole,
    /// How many of them are connected.
    pub up_connected: PerRole,
}

impl<C> Default for Books<C> {
    fn default() -> Self {
        let entries = Entries { calls: BTreeMap::new(), totals: Totals::default() };
        Self { entries: Mutex::new(entries), incoming: Mutex::default() }
    }
}

impl<C: Deref<Target = CallData>> Books<C> {
    /// Adds a new call, and lets an application find an INCOMING one by its connection id.
    pub fn enter(&self, call: &Arc<C>) {
        {
            let Entries { calls, totals } = &mut *self.entries.lock();
            calls.insert(call.number, call.clone());
            totals.calls.count(call.role);
            totals.calls_high_water = totals.calls_high_water.max(calls.len() as u64);
        }
        if call.role == CallRole::Incoming {
            self.incoming.lock().insert(call.connection_id.clone(), call.clone());
        }
    }

    /// The call is over: its connection id is unknown from now on. False: it was not in the books.
    pub fn forget(&self, call: &CallData) -> bool {
        let traffic = Traffic::of(&call.report());
        let forgotten = {
            let Entries { calls, totals } = &mut *self.entries.lock();
            totals.end(call.link.ending(), traffic);
            calls.remove(&call.number)
        };
        let was_there = forgotten.is_some();
        drop(forgotten);
        if call.role == CallRole::Incoming {
            let forgotten = self.incoming.lock().remove(&call.connection_id);
            drop(forgotten);
        }
        was_there
    }

    /// A call's WebSocket has come up.
    pub fn count_connected(&self, role: CallRole) {
        self.entries.lock().totals.connected.count(role);
    }

    /// The calls that are up or coming up.
    pub fn calls(&self) -> Vec<Arc<C>> {
        self.entries.lock().calls.values().cloned().collect()
    }

    /// The call whose channel has this name or unique id; case is ignored.
    pub fn call_by_name(&self, name: &str) -> Option<Arc<C>> {
        let calls = self.calls();
        let by_name = calls.iter().find(|call| call.name().eq_ignore_ascii_case(name));
        by_name.or_else(|| calls.iter().find(|call| call.uniqueid() == name)).cloned()
    }

    /// The INCOMING call with this connection id.
    pub fn find(&self, connection_id: &str) -> Option<Arc<C>> {
        self.incoming.lock().get(connection_id).cloned()
    }

    /// The sums of all calls so far.
    pub fn summary(&self) -> Summary {
        let (calls, mut totals) = {
            let entries = self.entries.lock();
            (entries.calls.values().cloned().collect::<Vec<_>>(), entries.totals.clone())
        };
        let (mut up, mut up_connected) = (PerRole::default(), PerRole::default());
        for call in calls {
            let report = call.report();
            totals.traffic += Traffic::of(&report);
            up.count(call.role);
            if report.is_connected() {
                up_connected.count(call.role);
            }
        }
        Summary { totals, up, up_connected }
    }
}

#[cfg(test)]
mod tests;
