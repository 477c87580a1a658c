//! Reading: a turn's bytes become messages, and messages go to the call.

use std::io;

use bytes::{Buf, BytesMut};

use super::Connection;
use super::closing::CloseState;
use crate::net::frame_reader::Received;

/// One turn handles at most this many messages, so that an application that sends many small ones takes its reactor's
/// time in small pieces. (The bytes of a turn are bounded by the reactor's buffer.)
const MESSAGES_PER_TURN: usize = 64;

/// The result of reading the socket in one turn.
enum Got {
    /// The number of bytes, perhaps 0, and whether there may be more.
    Bytes {
        len: usize,
        more: bool,
    },
    /// The end of the stream.
    End,
    Error(io::Error),
}

impl Connection {
    /// Reads messages until nothing is left or the budget (one scratch buffer, and a number of messages) is spent; true
    /// in the latter case. Reads nothing while the call wants no messages.
    pub(super) fn read_messages(&mut self, scratch: &mut [u8]) -> bool {
        if self.holding.is_held() {
            return false;
        }
        if self.out.is_congested() {
            self.congested = true;
            return false;
        }
        self.pongs.queue(&self.out);
        let more = if self.unread.is_empty() { self.read_socket(scratch) } else { self.read_rest() };
        more && !self.holding.is_held()
    }

    /// Goes on with what an earlier turn has left; this turn reads nothing else.
    fn read_rest(&mut self) -> bool {
        let mut unread = std::mem::take(&mut self.unread);
        let left = self.handle_messages(&mut unread);
        if left > 0 {
            unread.advance(unread.len() - left);
            self.unread = unread;
        }
        true
    }

    fn read_socket(&mut self, scratch: &mut [u8]) -> bool {
        match self.receive(scratch) {
            Got::Bytes { len, more } => {
                let bytes = scratch.get_mut(..len).unwrap_or_default();
                let left = self.handle_messages(bytes);
                if left > 0 {
                    self.unread = BytesMut::from(bytes.get(len - left..).unwrap_or_default());
                }
                more || left > 0 || !self.reads_messages()
            }
            Got::End => {
                self.on_end();
                true
            }
            Got::Error(error) => {
                self.lose(error.to_string());
                true
            }
        }
    }

    /// Fills the buffer. A short read from a plain socket means that it is empty (epoll(7)), unless it has ended or
    /// stops before urgent data.
    fn receive(&self, buffer: &mut [u8]) -> Got {
        let mut len = 0;
        while let Some(room) = buffer.get_mut(len..).filter(|room| !room.is_empty()) {
            match self.transport.recv(room) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Got::Bytes { len, more: false };
                }
                Ok(0) if len == 0 => return Got::End,
                Err(error) if len == 0 => return Got::Error(error),
                // What arrived before it is handled first; the next turn finds the end or the error again.
                Ok(0) | Err(_) => break,
                Ok(n) => {
                    let is_short = n < room.len();
                    len += n;
                    if is_short && self.transport.concurrent() && !self.short_reads {
                        return Got::Bytes { len, more: false };
                    }
                }
            }
        }
        Got::Bytes { len, more: true }
    }

    /// Reads messages until nothing is left, until they are enough for a turn, or until the connection wants none any
    /// more or none for now. Returns how many bytes at the end of `bytes` are left for a later turn.
    fn handle_messages(&mut self, mut bytes: &mut [u8]) -> usize {
        for _ in 0..MESSAGES_PER_TURN {
            match self.reader.next(&mut bytes) {
                Ok(Some(received)) => self.on_received(received),
                Ok(None) => return 0,
                Err(fault) => self.fail(fault),
            }
            if !self.reads_messages() {
                return 0;
            }
            if self.holding.is_held() {
                break;
            }
        }
        bytes.len()
    }

    /// Whether arriving bytes are read as messages.
    fn reads_messages(&self) -> bool {
        matches!(self.state, CloseState::Open | CloseState::CloseSent { .. })
    }

    fn on_received(&mut self, received: Received) {
        let open = self.state == CloseState::Open;
        match received {
            Received::Text(text) if open => {
                let wants = self.ask(|handler| handler.on_text(&text));
                self.commanded |= !wants.was_media;
            }
            Received::Binary(bytes) if open => {
                self.ask(|handler| handler.on_binary(bytes));
            }
            // Data after our close frame is not used.
            Received::Text(_) | Received::Binary(_) => {}
            Received::Ping(payload) => {
                self.pongs.add(payload);
                self.pongs.queue(&self.out);
            }
            Received::Pong => self.on_pong(),
            Received::Close(payload) => self.on_peer_close(&payload),
        }
    }
}
