//! The end of a connection: the close handshake of either side, faults, and the end of TCP (RFC 6455 section 7).

use std::io;
use std::time::Instant;

use tungstenite::protocol::Role;
use tungstenite::protocol::frame::coding::CloseCode;

use super::{Closed, Connection, Turn};
use crate::net::contain::contained;
use crate::net::frame_reader::Fault;
use crate::net::outbound::Flushed;

/// Where a connection is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CloseState {
    Open,
    /// Our close frame is queued or sent; waiting for the application's.
    CloseSent {
        until: Instant,
    },
    /// Both close frames have been exchanged, or no more will come: what is queued is sent, then TCP ends. What still
    /// arrives is read and discarded, because otherwise the kernel would reset the connection before our last bytes are
    /// sent.
    Lingering {
        until: Instant,
        shut_down: bool,
        /// A server ends TCP first after a close handshake (RFC 6455 section 7.1.1), and this server has not yet.
        server_first: bool,
    },
    Done,
}

impl Connection {
    /// Starts the close handshake with `code` (RFC 6455 section 7.1.2). Queued messages go out before it.
    pub fn close(&mut self, code: u16) -> Turn {
        if self.state == CloseState::Open {
            let closed = Closed::ByUs(code);
            self.send_close(code, &closed);
            self.state = CloseState::CloseSent { until: Instant::now() + self.config.close_timeout };
            self.tell(closed);
        }
        self.on_writable()
    }

    /// Ends the connection, which cannot be polled.
    pub fn on_unpollable(&mut self, error: &io::Error) -> Turn {
        self.lose(format!("it cannot be polled: {error}"));
        Turn::Done
    }

    /// Ends the connection after a panic in one of its turns, which may have left anything but the call's own state
    /// half done. Only the close frame is sent, without pongs. The reactor handles a second panic.
    pub(in crate::net) fn on_panic(&mut self) -> Turn {
        if self.told {
            self.state = CloseState::Done;
            return Turn::Done;
        }
        self.out.discard_media();
        self.queue_first_close(CloseCode::Error.into(), &Closed::Panicked);
        self.tell(Closed::Panicked);
        self.linger(false);
        self.on_writable()
    }

    /// The application's close frame is answered with its own payload.
    pub(super) fn on_peer_close(&mut self, payload: &[u8]) {
        let code = payload.first_chunk().map(|code| u16::from_be_bytes(*code));
        if self.state == CloseState::Open {
            let closed = Closed::ByPeer {
                code: code.unwrap_or(CloseCode::Status.into()),
                reason: String::from_utf8_lossy(payload.get(2..).unwrap_or_default()).into_owned(),
            };
            if closed.is_loss() {
                self.out.keep();
            }
            self.out.discard_media();
            self.out.queue_close(None, payload);
            self.tell(closed);
        }
        self.linger(self.role == Role::Client);
    }

    /// The stream has ended, and no close frame has come.
    pub(super) fn on_end(&mut self) {
        // The application may still read: with TLS it gets a close_notify.
        self.transport.shutdown();
        self.lose("the application ended TCP without a close frame".into());
    }

    /// Fails the connection (RFC 6455 section 7.1.7): the close frame with the fault's code, then the end.
    pub(super) fn fail(&mut self, fault: Fault) {
        self.out.discard_media();
        if self.state == CloseState::Open {
            let code: u16 = fault.close_code().into();
            let closed = Closed::Fault { code, what: fault.to_string() };
            if fault.is_in_close_frame() {
                self.pongs.queue_all(&self.out);
                self.out.queue_close(None, &code.to_be_bytes());
            } else {
                self.send_close(code, &closed);
            }
            self.tell(closed);
        }
        self.linger(false);
    }

    /// The application no longer responds.
    pub(super) fn give_up(&mut self, what: String) {
        self.out.keep();
        self.out.discard_media();
        let closed = Closed::Unresponsive(what);
        self.send_close(CloseCode::Away.into(), &closed);
        self.tell(closed);
        self.linger(false);
    }

    /// There is no peer to send anything to.
    pub(super) fn lose(&mut self, what: String) {
        self.out.keep();
        self.out.close();
        self.tell(Closed::Lost(what));
        self.state = CloseState::Done;
    }

    /// Queues our close frame after the pongs that wait. (After the application's close frame they are not needed.)
    pub(super) fn send_close(&mut self, code: u16, closed: &Closed) {
        self.pongs.queue_all(&self.out);
        self.queue_first_close(code, closed);
    }

    /// Queues our close frame, if the application has sent none, after the call's last message.
    fn queue_first_close(&self, code: u16, closed: &Closed) {
        let last = contained("a call's last message", || self.handler.last_message(closed)).flatten();
        self.out.queue_close(last.as_deref(), &code.to_be_bytes());
    }

    /// No message is read any more; what is queued goes out.
    pub(super) fn linger(&mut self, server_first: bool) {
        if !matches!(self.state, CloseState::Lingering { .. } | CloseState::Done) {
            let until = Instant::now() + self.config.close_timeout;
            self.state = CloseState::Lingering { until, shut_down: false, server_first };
        }
    }

    /// Ends TCP in our direction, once that is due.
    pub(super) fn linger_once_written(&mut self) {
        if let CloseState::Lingering { shut_down, server_first: false, .. } = &mut self.state
            && !*shut_down
        {
            *shut_down = true;
            self.transport.shutdown();
        }
    }

    /// The server has ended TCP, or takes too long about it.
    pub(super) fn end_linger(&mut self) {
        if let CloseState::Lingering { server_first, .. } = &mut self.state {
            *server_first = false;
        }
        self.linger_once_written();
    }

    /// Reads and discards, so that the kernel does not reset the connection; the end of the stream is the end.
    pub(super) fn discard_input(&mut self, scratch: &mut [u8]) -> bool {
        match self.transport.recv(scratch) {
            Ok(0) => {
                if self.out.flush() != Flushed::Failed {
                    self.end_linger();
                }
                self.state = CloseState::Done;
                false
            }
            Ok(_) => true,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => true,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => false,
            Err(_) => {
                self.state = CloseState::Done;
                false
            }
        }
    }
}
