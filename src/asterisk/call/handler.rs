//! What a connection's reactor reports to the call.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::Call;
use crate::asterisk::fault;
use crate::asterisk::log::{call_debug, warn_limited};
use crate::net::clock;
use crate::net::connection::{Closed, Handler, Wants};
use crate::net::outbound::Dropped;
use crate::protocol::command::{Command, CommandError};
use crate::protocol::dialect::Incoming;
use crate::protocol::event::Event;
use crate::report::log_limit::LogLimit;

/// Limits the log: an application that reads irregularly can cause drops of media as often as it likes.
static MEDIA_DROPPED: LogLimit = LogLimit::new();

/// A call and the number of the connection that reports to it. For the connection's reactor.
pub(in crate::asterisk) struct Serving {
    call: Arc<Call>,
    connection: usize,
}

impl Serving {
    /// `number`: see [`Todo::connection`](crate::call::link::Todo::connection); `None`: the call does not want it.
    pub(in crate::asterisk) fn new(call: Arc<Call>, number: Option<usize>) -> Self {
        Self { call, connection: number.unwrap_or(0) }
    }
}

impl Serving {
    /// `text`: the command, for people to read.
    fn on_command(&self, text: &str, command: Result<Command, CommandError>) -> Wants {
        call_debug!(&self.call, 2, "received {text}");
        self.call.show_about_peer(|peer| format!("command from {peer}: {text}"));
        fault::point("parse");
        self.call.with_session(|session, actions| session.on_command(command, clock::now(), actions));
        call_debug!(&self.call, 4, "now {}", self.call.session_state());
        Wants::default()
    }

    fn on_media(&self, media: Bytes) -> Wants {
        fault::point("media");
        self.call.stats.media();
        call_debug!(&self.call, 5, "received a message of {} bytes", media.len());
        self.call.take_media(media)
    }
}

impl Handler for Serving {
    fn on_text(&self, text: &str) -> Wants {
        fault::point("command");
        match self.call.dialect.on_text(text, self.call.settings.max_command_size) {
            Incoming::Media(media) => self.on_media(media),
            Incoming::Command(command) => self.on_command(text, command),
        }
    }

    fn on_binary(&self, message: Bytes) -> Wants {
        match self.call.dialect.on_binary(message) {
            Incoming::Media(media) => self.on_media(media),
            Incoming::Command(command) => self.on_command("a binary message", command),
        }
    }

    fn on_stalled(&self) {
        self.call.notify_stalled();
    }

    fn on_resumed(&self, lasted: Duration, dropped: Dropped) {
        self.call.notify_resumed(lasted, dropped);
    }

    fn on_media_dropped(&self, dropped: Dropped) -> Wants {
        let error_text = format!(
            "Media dropped: {} messages ({} ms) were not read in time",
            dropped.messages,
            dropped.media.as_millis()
        );
        warn_limited!(
            MEDIA_DROPPED,
            "{}: {error_text}; the application reads too slowly, more than out_queue waited for it",
            self.call.name()
        );
        self.call.send_event(|_| Event::Error { error_text });
        Wants { call_back: self.call.unread(dropped), ..Wants::default() }
    }

    fn on_call_back(&self) -> Wants {
        let mut due = None;
        self.call.with_session(|session, actions| {
            session.report_drops(clock::now(), actions);
            due = session.drops_due();
        });
        Wants { call_back: due.map(|due| due.since(clock::now())), ..Wants::default() }
    }

    fn on_ping(&self, missed: bool) {
        self.call.stats.ping(missed);
        if missed {
            call_debug!(&self.call, 4, "the last ping was not answered");
        }
    }

    fn on_pong(&self, round_trip: Duration) {
        self.call.stats.pong(round_trip);
        call_debug!(&self.call, 4, "ping answered after {:.1} ms", round_trip.as_secs_f64() * 1000.0);
    }

    fn last_message(&self, closed: &Closed) -> Option<String> {
        self.call.media_stop(closed)
    }

    fn on_closed(&self, closed: Closed) {
        fault::point("closed");
        self.call.show_about_peer(|peer| format!("connection with {peer} over: {closed}"));
        self.call.connection_over(self.connection, closed);
    }
}
