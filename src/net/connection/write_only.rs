//! What tungstenite writes, which is answers to pings, on its way into the out-queue.

use std::io::{self, Read, Write};

use crate::net::outbound::Outbound;

/// Where tungstenite writes: the out-queue. Pongs wait inside tungstenite while the queue is backed up.
pub(super) struct WriteOnly<'a> {
    pub(super) out: &'a Outbound,
    /// A close frame is going to stand behind the pongs: let all of them through.
    pub(super) force: bool,
}

impl Read for WriteOnly<'_> {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }
}

impl Write for WriteOnly<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        const OPCODE: u8 = 0x0f;
        const PONG: u8 = 0x0a;
        let is_pong = buf.first().is_some_and(|first| first & OPCODE == PONG);
        if is_pong && !self.force && self.out.is_backed_up() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.out.queue_encoded(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
