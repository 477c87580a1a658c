//! Reading: a turn's bytes become messages, and messages go to the call.

use std::io;

use bytes::Bytes;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Error, Message};

use super::Connection;
use super::closing::State;
use super::read_turn::{ReadState, ReadTurn};
use crate::net::frame_watch::FrameWatch;

/// One turn handles at most this many messages, so that an application that sends many small ones takes its reactor's
/// time in small pieces. (The bytes of a turn are bounded by the reactor's buffer.)
const MESSAGES_PER_TURN: usize = 64;

/// A message of this size leaves tungstenite with a buffer as large, which messages behind it may share.
const LARGE_MESSAGE_BYTES: usize = 64 * 1024;
/// A message smaller than this is not to keep such a buffer in memory while it waits to be played.
const SMALL_MESSAGE_BYTES: usize = 8 * 1024;

impl Connection {
    /// Reads messages until nothing is left or the budget (one scratch buffer, and a number of messages) is spent; true
    /// in the latter case.
    pub(super) fn read_messages(&mut self, scratch: &mut [u8]) -> bool {
        if self.holding.is_held() {
            return false;
        }
        if self.out.is_congested() {
            self.congested = true;
            return false;
        }
        let transport = self.transport.clone();
        let out = self.out.clone();
        let watch = std::mem::replace(&mut self.watch, FrameWatch::new(self.role));
        let mut io = ReadTurn::new(&*transport, &out, watch, scratch, self.short_reads);
        io.go_on_with(std::mem::take(&mut self.carry));
        let more = self.read_until_blocked(&mut io);
        self.watch = io.watch;
        more
    }

    fn read_until_blocked(&mut self, io: &mut ReadTurn<'_>) -> bool {
        for _ in 0..MESSAGES_PER_TURN {
            match self.ws.read(io) {
                Ok(message) => self.on_message(message, io),
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                    let Some(what) = io.watch.fault() else { return io.state == ReadState::BudgetSpent };
                    self.fail(u16::from(CloseCode::Protocol), what.into());
                }
                Err(error) => self.on_error(&error),
            }
            if !matches!(self.state, State::Open | State::CloseSent { .. }) {
                return true;
            }
            if self.holding.is_held() {
                self.carry = io.rest().to_vec();
                return false;
            }
        }
        self.carry = io.rest().to_vec();
        true
    }

    fn on_message(&mut self, message: Message, io: &mut ReadTurn<'_>) {
        let open = self.state == State::Open;
        self.had_large |= message.len() >= LARGE_MESSAGE_BYTES;
        match message {
            Message::Text(text) if open => {
                self.commanded = true;
                self.guarded(|connection| connection.handler.on_text(&text));
            }
            Message::Binary(bytes) if open => {
                let shares_much = self.had_large && bytes.len() < SMALL_MESSAGE_BYTES;
                let bytes = if shares_much { Bytes::copy_from_slice(&bytes) } else { bytes };
                self.ask(|handler| handler.on_binary(bytes));
            }
            Message::Pong(_) => self.on_pong(),
            Message::Close(_) => self.on_peer_close(io.watch.close_payload()),
            // Pings are answered by tungstenite; data behind our close frame is of no use any more.
            _ => {}
        }
    }
}
