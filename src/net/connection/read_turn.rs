//! What tungstenite reads from and writes to in one turn of a reactor.

use std::io::{self, Read, Write};

use super::write_only::WriteOnly;
use crate::net::frame_watch::FrameWatch;
use crate::net::outbound::Outbound;
use crate::net::transport::Transport;

/// How far a turn's reading has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReadState {
    /// Nothing was read from the socket in this turn yet.
    Fresh,
    /// The socket has no more.
    Drained,
    /// The socket may have more, but not in this turn.
    BudgetSpent,
}

/// What tungstenite reads from and writes to in one turn: one `recv` into the reactor's buffer, the out-queue behind.
pub(super) struct ReadTurn<'a> {
    transport: &'a dyn Transport,
    out: &'a Outbound,
    pub(super) watch: FrameWatch,
    scratch: &'a mut [u8],
    start: usize,
    end: usize,
    pub(super) state: ReadState,
    /// As in [`Connection`](super::Connection).
    short_reads: bool,
}

impl<'a> ReadTurn<'a> {
    pub(super) fn new(
        transport: &'a dyn Transport,
        out: &'a Outbound,
        watch: FrameWatch,
        scratch: &'a mut [u8],
        short_reads: bool,
    ) -> Self {
        let state = ReadState::Fresh;
        Self { transport, out, watch, scratch, start: 0, end: 0, state, short_reads }
    }

    /// Begins with bytes that an earlier turn has read; then these are all that this turn has.
    pub(super) fn go_on_with(&mut self, carry: Vec<u8>) {
        if let Some(to) = self.scratch.get_mut(..carry.len()).filter(|to| !to.is_empty()) {
            to.copy_from_slice(&carry);
            self.end = carry.len();
            self.state = ReadState::BudgetSpent;
        }
    }

    /// What was read and not taken.
    pub(super) fn rest(&self) -> &[u8] {
        self.scratch.get(self.start..self.end).unwrap_or_default()
    }

    /// One `recv`. A short read from a plain socket means that it is empty (epoll(7)), unless it has ended or stops
    /// before urgent data.
    fn refill(&mut self) -> io::Result<usize> {
        match self.state {
            ReadState::Fresh => {}
            ReadState::Drained | ReadState::BudgetSpent => return Err(io::ErrorKind::WouldBlock.into()),
        }
        let mut filled = 0;
        while let Some(room) = self.scratch.get_mut(filled..).filter(|room| !room.is_empty()) {
            match self.transport.recv(room) {
                Ok(0) if filled > 0 => {
                    self.state = ReadState::BudgetSpent;
                    break;
                }
                Ok(0) => return Ok(0),
                Ok(n) => {
                    let short = n < room.len();
                    filled += n;
                    if short && self.transport.concurrent() && !self.short_reads {
                        self.state = ReadState::Drained;
                        break;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.state = ReadState::Drained;
                    break;
                }
                // What came before the error is handled first; the next turn finds the error again.
                Err(_) if filled > 0 => {
                    self.state = ReadState::BudgetSpent;
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        if self.state == ReadState::Fresh {
            self.state = ReadState::BudgetSpent;
        }
        self.start = 0;
        self.end = filled;
        if filled == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(filled) }
    }
}

impl Read for ReadTurn<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        // Behind a fault nothing is of interest.
        if self.watch.fault().is_some() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        if self.start == self.end && self.refill()? == 0 {
            return Ok(0);
        }
        let waiting = self.scratch.get(self.start..self.end).unwrap_or_default();
        let n = waiting.len().min(buf.len());
        let n = self.watch.advance(waiting.get(..n).unwrap_or_default());
        if n == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        if let (Some(to), Some(from)) = (buf.get_mut(..n), waiting.get(..n)) {
            to.copy_from_slice(from);
        }
        self.start += n;
        Ok(n)
    }
}

impl Write for ReadTurn<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        WriteOnly { out: self.out, force: false }.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
