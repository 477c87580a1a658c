//! Jobs that were cancelled: how the connector's thread leaves their servers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use mio::unix::SourceFd;
use mio::{Interest, Token};

use super::{ConnectingJob, JobId, Scheduler, Stage};
use crate::net::connector::cancelled_attempt::CancelledAttempt;
use crate::net::connector::counters::Counters;
use crate::net::transport::Transport;

impl Scheduler {
    /// A job is not wanted any more.
    pub(super) fn cancelled(&mut self, id: JobId) {
        let Some(ConnectingJob { promise, course, stage }) = self.remove(id) else { return };
        Counters::count(&self.mailbox.counters(course.is_check).cancelled);
        drop(promise);
        if let Stage::Attempts { attempts, .. } = stage {
            let now = Instant::now();
            self.keep_cancelled(id, attempts.cancel(now).and_then(|attempt| attempt.advance(now)));
        }
    }

    /// A WebSocket is up that no call needs: the job was cancelled at that moment, or it was a check.
    pub(super) fn leave(&mut self, id: JobId, transport: Arc<dyn Transport>, peer: SocketAddr) {
        let (fd, both) = (transport.as_raw_fd(), Interest::READABLE | Interest::WRITABLE);
        // If that fails, the attempt goes only as far as it gets at once.
        let _ = self.poll.registry().register(&mut SourceFd(&fd), Token(id.0), both);
        let now = Instant::now();
        self.keep_cancelled(id, CancelledAttempt::from_open(transport, peer, now).advance(now));
    }

    /// Keeps a cancelled attempt until its socket can do more, or its deadline. `None`: it is over.
    pub(super) fn keep_cancelled(&mut self, id: JobId, rest: Option<CancelledAttempt>) {
        match rest {
            Some(attempt) => {
                self.timers.arm(id, attempt.deadline());
                self.cancelled.insert(id, attempt);
            }
            None => self.timers.disarm(id),
        }
    }
}
