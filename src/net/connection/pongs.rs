//! Answers to pings, which must not pile up in the out-queue for an application that does not read.

use std::collections::VecDeque;

use crate::net::outbound::Outbound;

/// This many bytes of pongs may wait; of the pongs after them only the newest is kept (RFC 6455 section 5.5.3 allows
/// that).
const BACKLOG_BYTES: usize = 4 * 1024;

/// Pongs that wait for room in the out-queue, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Pongs {
    payloads: VecDeque<Vec<u8>>,
    bytes: usize,
}

impl Pongs {
    /// Adds the answer to a ping with this payload.
    pub(super) fn add(&mut self, payload: Vec<u8>) {
        if self.bytes > BACKLOG_BYTES {
            self.remove(VecDeque::pop_back);
        }
        self.bytes += cost(&payload);
        self.payloads.push_back(payload);
    }

    /// Queues those for which the out-queue has room.
    pub(super) fn queue(&mut self, out: &Outbound) {
        while !out.is_backed_up()
            && let Some(payload) = self.remove(VecDeque::pop_front)
        {
            out.queue_pong(&payload);
        }
    }

    /// Queues all of them: a close frame follows them.
    pub(super) fn queue_all(&mut self, out: &Outbound) {
        while let Some(payload) = self.remove(VecDeque::pop_front) {
            out.queue_pong(&payload);
        }
    }

    fn remove(&mut self, pop: impl FnOnce(&mut VecDeque<Vec<u8>>) -> Option<Vec<u8>>) -> Option<Vec<u8>> {
        let payload = pop(&mut self.payloads)?;
        self.bytes -= cost(&payload);
        Some(payload)
    }
}

/// Bytes of the frame for this payload.
fn cost(payload: &[u8]) -> usize {
    const SHORT_HEADER: usize = 2;
    SHORT_HEADER + payload.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_pongs_wait_and_the_newest_among_them() {
        let mut pongs = Pongs::default();
        for number in 0..1000_u16 {
            pongs.add([&number.to_be_bytes()[..], &[0; 123]].concat());
            assert!(pongs.bytes <= BACKLOG_BYTES + 2 * (125 + 2), "{} bytes after {number}", pongs.bytes);
        }
        let mut numbers = pongs.payloads.iter().map(|payload| u16::from_be_bytes([payload[0], payload[1]]));
        let first: Vec<u16> = numbers.by_ref().take(32).collect();
        assert_eq!(first, (0..32).collect::<Vec<_>>(), "those that have room keep their place");
        assert_eq!(numbers.next_back(), Some(999));
        while pongs.remove(VecDeque::pop_front).is_some() {}
        assert_eq!(pongs.bytes, 0);
    }
}
