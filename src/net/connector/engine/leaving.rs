//! Jobs that were cancelled: how the connector's thread takes leave of their servers.

use std::time::Instant;

use mio::unix::SourceFd;
use mio::{Interest, Token};

use super::super::Connected;
use super::super::counters::Counters;
use super::super::farewell::Farewell;
use super::{Engine, Job, JobId, Stage};

impl Engine {
    /// A job is not wanted any more.
    pub(super) fn cancelled(&mut self, id: JobId) {
        let Some(Job { promise, stage }) = self.remove(id) else { return };
        Counters::count(&self.mailbox.counters.cancelled);
        drop(promise);
        if let Stage::Attempts { attempts, .. } = stage {
            let now = Instant::now();
            self.see_off(id, attempts.cancel(now).and_then(|farewell| farewell.advance(now)));
        }
    }

    /// A WebSocket is there, and the job was cancelled in that moment.
    pub(super) fn leave(&mut self, id: JobId, unwanted: Connected) {
        let Connected { transport, peer, .. } = unwanted;
        let (fd, both) = (transport.as_raw_fd(), Interest::READABLE | Interest::WRITABLE);
        // If that fails, it goes as far as it gets at once.
        let _ = self.poll.registry().register(&mut SourceFd(&fd), Token(id.0), both);
        let now = Instant::now();
        self.see_off(id, Farewell::from_open(transport, peer, now).advance(now));
    }

    /// Keeps what is left of a farewell until its socket can do more, or its deadline. `None`: it is over.
    pub(super) fn see_off(&mut self, id: JobId, rest: Option<Farewell>) {
        match rest {
            Some(farewell) => {
                self.timers.arm(id, farewell.deadline());
                self.farewells.insert(id, farewell);
            }
            None => self.timers.disarm(id),
        }
    }
}
