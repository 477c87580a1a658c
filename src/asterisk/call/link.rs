//! The application's side of a call: the claim to its connection id, the connection, and the events to it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Call, CallRole};
use crate::asterisk::established::Established;
use crate::asterisk::log::call_debug;
use crate::asterisk::{fault, notifications};
use crate::call::link::{ClaimRefused, Happening};
use crate::net::connector::ConnectHandle;
use crate::net::outbound::Outbound;
use crate::net::reactor::Slot;
use crate::net::task_thread::TimerKey;
use crate::playout::session::MediaMode;
use crate::protocol::command::ControlMessageFormat;
use crate::protocol::event::{Event, MediaStart};

/// A connection of a call.
pub(in crate::asterisk) struct Connection {
    pub(in crate::asterisk) out: Arc<Outbound>,
    pub(in crate::asterisk) slot: Slot,
    pub(in crate::asterisk) peer: String,
    /// The websocket_client that Asterisk has connected to: the one that was dialled, or a fallback.
    pub(in crate::asterisk) client: Option<String>,
    pub(in crate::asterisk) write_timeout: Duration,
    pub(in crate::asterisk) ping_interval: Option<Duration>,
    pub(in crate::asterisk) since: Instant,
}

/// Events that stand in the out-queue and are still to be sent.
#[derive(Default)]
#[must_use]
pub(super) struct QueuedEvents {
    /// Whose queue it is; `None` if there are none.
    connection: Option<Arc<Connection>>,
    /// As they were rendered, for the log.
    texts: Vec<String>,
}

impl Call {
    /// Claims the connection id for an application, which gets a 101.
    ///
    /// # Errors
    /// It is another's, or the call is over.
    pub(crate) fn claim(&self) -> Result<(), ClaimRefused> {
        self.link.claim()?;
        self.driver.jobs.unwatch_incoming(self);
        Ok(())
    }

    /// Whether an application could claim the connection id now.
    ///
    /// # Errors
    /// As [`claim`](Self::claim).
    pub(crate) fn claimable(&self) -> Result<(), ClaimRefused> {
        self.link.claimable()
    }

    /// When an INCOMING channel is hung up that no application connects to, where that is configured.
    pub(crate) fn incoming_deadline(&self) -> Option<TimerKey> {
        let limit = self.settings.incoming_timeout.filter(|_| self.role == CallRole::Incoming)?;
        Some((self.since + limit, self.number))
    }

    /// An attempt to connect is about to be made. False: the call is over, there is nothing to connect.
    pub(crate) fn begin_connecting(&self) -> bool {
        !self.link.happen(Happening::ConnectStarted).refused
    }

    /// Remembers how to cancel the attempt. It may be done by now, or the call over.
    pub(crate) fn keep_attempt(&self, attempt: ConnectHandle) {
        if let Some(unwanted) = self.link.keep_attempt(attempt) {
            unwanted.cancel();
        }
    }

    /// Whether MEDIA_START carries channel variables in this call's format.
    pub(crate) fn reports_variables(&self) -> bool {
        self.control_message_format == ControlMessageFormat::Json
    }

    /// The first event of a connection. `variables` are the channel's, a JSON object. `lost`: how long the call was
    /// without a connection that it had lost.
    pub(crate) fn media_start(&self, variables: String, lost: Option<Duration>) -> String {
        self.render(&Event::MediaStart(Box::new(MediaStart {
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

    /// The connection is up and MEDIA_START is out: events and media may follow. Gives its number; `None`: the call has
    /// ended meanwhile. `lost`: as for [`media_start`](Self::media_start).
    pub(crate) fn open_link(
        &self,
        out: Arc<Outbound>,
        slot: Slot,
        link: &Established,
        lost: Option<Duration>,
    ) -> Option<usize> {
        let connection = Connection {
            out,
            slot,
            peer: link.peer.clone(),
            client: link.client.clone(),
            write_timeout: link.write_timeout,
            ping_interval: link.pings.map(|pings| pings.interval),
            since: Instant::now(),
        };
        let todo = self.link.happen(Happening::Established(Arc::new(connection)));
        if todo.refused {
            return None;
        }
        call_debug!(self, 1, "WebSocket connection with {} established", link.peer);
        match lost {
            Some(lost) => self.reconnected(lost),
            None => {
                self.record.connected();
                self.driver.count_connected(self.role);
                notifications::connected(self);
            }
        }
        Some(todo.connection)
    }

    /// The code that a connection is to be closed with that the call does not want. `None`: it wants one.
    pub(crate) fn closes_with(&self) -> Option<u16> {
        self.link.closes_with()
    }

    /// The newest connection, also when it is over.
    pub(crate) fn connection(&self) -> Option<Arc<Connection>> {
        self.link.connection()
    }

    /// Queues an event for the application, if it is connected. The caller holds the session's lock, which is what makes
    /// the order of events, and calls [`send_queued`](Self::send_queued) after it has released that lock.
    pub(super) fn queue_event(&self, event: &Event, queued: &mut QueuedEvents) {
        if let Some(connection) = self.connection() {
            if let Some(error_text) = event.error_text() {
                self.record.error(error_text);
            }
            let text = self.render(event);
            if event.is_passing() {
                connection.out.queue_passing_text(&text);
            } else {
                connection.out.queue_text(&text);
            }
            queued.texts.push(text);
            queued.connection = Some(connection);
        }
    }

    /// Sends the queued events, and logs them where that is asked for. No lock of ours is held.
    pub(super) fn send_queued(&self, queued: QueuedEvents) {
        let Some(connection) = queued.connection else { return };
        fault::point("event");
        connection.out.send_queued();
        for text in queued.texts {
            call_debug!(self, 2, "sent {text}");
            self.show(format_args!("event to {}: {text}", connection.peer));
        }
    }

    pub(super) fn render(&self, event: &Event) -> String {
        event.render(self.control_message_format, self.uniqueid())
    }
}
