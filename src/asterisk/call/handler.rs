//! What a connection's reactor tells the call.

use std::time::Duration;

use bytes::Bytes;

use super::Call;
use crate::asterisk::log::{call_debug, warn_limited};
use crate::asterisk::{fault, notifications};
use crate::net::clock;
use crate::net::connection::{Closed, Handler, Wants};
use crate::net::outbound::Dropped;
use crate::protocol::command;
use crate::protocol::event::Event;
use crate::report::log_limit::LogLimit;

/// An application that reads in fits and starts can have media dropped as often as it likes.
static MEDIA_DROPPED: LogLimit = LogLimit::new();

impl Handler for Call {
    fn on_text(&self, text: &str) {
        fault::point("command");
        call_debug!(self, 2, "received {text}");
        self.show_about_peer(|peer| format!("command from {peer}: {text}"));
        let command = command::parse(text, self.control_message_format, self.settings.max_command_size);
        fault::point("parse");
        self.with_session(|session, actions| session.on_command(command, clock::now(), actions));
        call_debug!(self, 4, "now {}", self.session_state());
    }

    fn on_binary(&self, message: Bytes) -> Wants {
        fault::point("media");
        self.record.media();
        call_debug!(self, 5, "received a message of {} bytes", message.len());
        self.take_media(message)
    }

    fn on_stalled(&self) {
        notifications::stalled(self);
    }

    fn on_resumed(&self, lasted: Duration, dropped: Dropped) {
        notifications::resumed(self, lasted, dropped);
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
            self.name()
        );
        self.send_event(|_| Event::Error { error_text });
        let mut due = None;
        self.with_session(|session, _| {
            session.on_unread_media(dropped.media, clock::now());
            due = session.drops_due();
        });
        Wants { call_back: due.map(|due| due.since(clock::now())), ..Wants::default() }
    }

    fn on_call_back(&self) -> Wants {
        let mut due = None;
        self.with_session(|session, actions| {
            session.report_drops(clock::now(), actions);
            due = session.drops_due();
        });
        Wants { call_back: due.map(|due| due.since(clock::now())), ..Wants::default() }
    }

    fn on_ping(&self, missed: bool) {
        self.record.ping(missed);
        if missed {
            call_debug!(self, 4, "the last ping was not answered");
        }
    }

    fn on_pong(&self, round_trip: Duration) {
        self.record.pong(round_trip);
        call_debug!(self, 4, "ping answered after {:.1} ms", round_trip.as_secs_f64() * 1000.0);
    }

    fn last_message(&self, closed: &Closed) -> Option<String> {
        self.media_stop(closed)
    }

    fn on_closed(&self, closed: Closed) {
        fault::point("closed");
        self.show_about_peer(|peer| format!("connection with {peer} over: {closed}"));
        self.connection_over(closed);
    }
}
