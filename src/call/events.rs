//! Events to the application: queued under its session's lock, which determines their order, and sent without it.

use std::sync::Arc;

use crate::call::connection::CallConnection;
use crate::call::data::CallData;
use crate::playout::session::{Action, MediaMode, Session};
use crate::protocol::event::{Event, MediaStart};

/// Events that are in the out-queue and still have to be sent.
#[derive(Debug, Default)]
#[must_use]
pub struct QueuedEvents {
    /// Whose queue it is; `None` if there are none.
    pub connection: Option<Arc<CallConnection>>,
    /// The messages as they were written, for the log.
    pub texts: Vec<String>,
    /// Errors that the dialect has no message for.
    pub unsaid: Vec<String>,
}

impl CallData {
    /// Queues the events among `actions`. The caller holds the session's lock, and sends them after it has released the
    /// lock.
    pub fn queue_events(&self, actions: &[Action]) -> QueuedEvents {
        let mut queued = QueuedEvents::default();
        for action in actions {
            if let Action::Send(event) = action {
                self.queue_event(event, &mut queued);
            }
        }
        queued
    }

    /// Queues one event; `event` may ask the session what the application wants. No lock of ours is held.
    pub fn queue_one_event(&self, event: impl FnOnce(&Session) -> Event) -> QueuedEvents {
        let mut queued = QueuedEvents::default();
        let session = self.playout.session();
        self.queue_event(&event(&session), &mut queued);
        drop(session);
        queued
    }

    /// Nothing happens if no application is connected.
    fn queue_event(&self, event: &Event, queued: &mut QueuedEvents) {
        let Some(connection) = self.link.connection() else { return };
        if let Some(error_text) = event.error_text() {
            self.stats.error(error_text);
        }
        let before = queued.texts.len();
        self.dialect.write_event(event, self.uniqueid(), &mut |text| {
            if event.is_passing() {
                connection.out.queue_passing_text(&text);
            } else {
                connection.out.queue_text(&text);
            }
            queued.texts.push(text);
        });
        if queued.texts.len() > before {
            queued.connection = Some(connection);
        } else if let Some(error_text) = event.error_text() {
            queued.unsaid.push(error_text.to_owned());
        }
    }

    /// The messages that tell the application of an event.
    pub fn written(&self, event: &Event) -> Vec<String> {
        let mut texts = Vec::new();
        self.dialect.write_event(event, self.uniqueid(), &mut |text| texts.push(text));
        texts
    }

    /// The first messages of a connection. `variables` are the channel's, a JSON object. `lost`: how long the call was
    /// without a connection, if it had lost one.
    pub fn media_start(&self, variables: String, lost: Option<std::time::Duration>) -> Vec<String> {
        self.written(&Event::MediaStart(Box::new(MediaStart {
            connection_id: self.connection_id.clone(),
            channel: self.name().to_owned(),
            format: self.media_format.name.clone(),
            optimal_frame_size: self.media_format.optimal_frame_size,
            ptime_ms: self.media_format.ptime_ms,
            channel_variables: variables,
            passthrough: self.mode == MediaMode::Passthrough,
            unbuffered: self.mode == MediaMode::Unbuffered,
            reconnected_after: lost,
        })))
    }

    /// Whether the opening messages carry channel variables in this call's format.
    pub fn reports_variables(&self) -> bool {
        self.control_message_format.profile().carries_variables
    }
}
