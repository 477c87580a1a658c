//! Events to the application: what was queued under the session's lock is sent without it.

use super::Call;
use crate::asterisk::fault;
use crate::asterisk::log::{call_debug, call_warn, warn_limited};
use crate::call::events::QueuedEvents;
use crate::playout::session::Session;
use crate::protocol::dialect::shown;
use crate::protocol::event::{AddedEvent, Event};
use crate::report::log_limit::LogLimit;

/// Limits the log: an application may make errors as often as it likes, and its dialect has no message for them.
static UNSAID: LogLimit = LogLimit::new();

impl Call {
    /// Sends an event to the application, if it is connected; `event` may ask the session what the application wants.
    /// Any thread, no lock of ours held.
    pub(crate) fn send_event(&self, event: impl FnOnce(&Session) -> Event) {
        self.send_queued(self.queue_one_event(event));
    }

    pub(super) fn send_added(&self, event: AddedEvent) {
        self.send_event(|_| Event::Added(Box::new(event)));
    }

    /// A digit of this length has ended. Any thread, no lock of ours held.
    pub(crate) fn send_digit(&self, digit: char, duration_ms: u32) {
        self.send_event(|session| Event::DtmfEnd {
            digit,
            duration_ms: session.knows_additions().then_some(duration_ms),
        });
    }

    /// Sends the queued events, and logs them if that is asked for. No lock of ours is held.
    pub(super) fn send_queued(&self, queued: QueuedEvents) {
        for error_text in queued.unsaid {
            self.log_unsaid(&error_text);
        }
        let Some(connection) = queued.connection else { return };
        fault::point("event");
        connection.out.send_queued();
        for text in queued.texts {
            call_debug!(self, 2, "sent {}", shown(&text));
            self.show(format_args!("event to {}: {}", connection.peer, shown(&text)));
        }
    }

    /// The application has made an error that its dialect cannot report. The first one of each call is always logged,
    /// further ones up to a limit.
    fn log_unsaid(&self, error_text: &str) {
        let format = self.control_message_format.as_str();
        self.show(format_args!("not said in {format}: {error_text}"));
        if self.is_first_unsaid() {
            call_warn!(self, "{error_text}; {format} has no message that says so");
        } else {
            warn_limited!(UNSAID, "{}: {error_text}; {format} has no message that says so", self.name());
        }
    }
}
