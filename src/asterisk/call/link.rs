//! The application's side of a call: the claim to its connection id, the connection, and the events to it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{Call, CallRole};
use crate::asterisk::established::Established;
use crate::asterisk::log::call_debug;
use crate::asterisk::{fault, notifications};
use crate::net::connector::ConnectHandle;
use crate::net::outbound::Outbound;
use crate::net::reactor::Slot;
use crate::net::task_thread::TimerKey;
use crate::playout::session::MediaMode;
use crate::protocol::command::ControlMessageFormat;
use crate::protocol::event::{Event, MediaStart};

/// The connection, once there is one.
pub(in crate::asterisk) struct Link {
    pub(in crate::asterisk) out: Arc<Outbound>,
    pub(in crate::asterisk) slot: Slot,
    pub(in crate::asterisk) peer: String,
    pub(in crate::asterisk) write_timeout: Duration,
    pub(in crate::asterisk) ping_interval: Option<Duration>,
}

/// Events that stand in the out-queue and are still to be sent.
#[derive(Default)]
#[must_use]
pub(super) struct QueuedEvents {
    /// As they were rendered, for the log.
    texts: Vec<String>,
}

impl Call {
    /// The connection id is one application's. False if another was first.
    pub(crate) fn claim(&self) -> bool {
        let first = !self.claimed.swap(true, Ordering::AcqRel);
        if first {
            self.driver.jobs.unwatch_incoming(self);
        }
        first
    }

    /// Whether an application has claimed the connection id.
    pub(crate) fn is_claimed(&self) -> bool {
        self.claimed.load(Ordering::Acquire)
    }

    /// When an INCOMING channel is hung up that no application connects to, where that is configured.
    pub(crate) fn incoming_deadline(&self) -> Option<TimerKey> {
        let limit = self.settings.incoming_timeout.filter(|_| self.role == CallRole::Incoming)?;
        Some((self.since + limit, self.number))
    }

    /// Remembers how to cancel a connection attempt.
    pub(crate) fn set_connecting(&self, handle: ConnectHandle) {
        *self.connecting.lock() = Some(handle);
        if self.is_hung_up() {
            self.cancel_connecting();
        }
    }

    pub(super) fn cancel_connecting(&self) {
        let handle = self.connecting.lock().take();
        if let Some(handle) = handle {
            handle.cancel();
        }
    }

    /// Whether MEDIA_START carries channel variables in this call's format.
    pub(crate) fn reports_variables(&self) -> bool {
        self.control_message_format == ControlMessageFormat::Json
    }

    /// The first event of a connection. `variables` are the channel's, a JSON object.
    pub(crate) fn media_start(&self, variables: String) -> String {
        self.render(&Event::MediaStart(Box::new(MediaStart {
            connection_id: self.connection_id.clone(),
            channel: self.name().to_owned(),
            format: self.media_format.name.clone(),
            optimal_frame_size: self.media_format.optimal_frame_size,
            ptime_ms: self.media_format.ptime_ms,
            channel_variables: variables,
            passthrough: self.mode == MediaMode::Passthrough,
            unbuffered: self.mode == MediaMode::Unbuffered,
        })))
    }

    /// The connection is up and MEDIA_START is out: events and media may follow.
    pub(crate) fn open_link(&self, out: Arc<Outbound>, slot: Slot, link: &Established) {
        call_debug!(self, 1, "WebSocket connection with {} established", link.peer);
        self.record.connected();
        self.driver.count_connected(self.role);
        let _ = self.link.set(Link {
            out,
            slot,
            peer: link.peer.clone(),
            write_timeout: link.write_timeout,
            ping_interval: link.pings.map(|pings| pings.interval),
        });
        notifications::connected(self);
    }

    /// The application's address, once it is connected.
    pub(crate) fn peer(&self) -> Option<&str> {
        self.link.get().map(|link| link.peer.as_str())
    }

    /// Queues an event for the application, if it is connected. The caller holds the session's lock, which is what makes
    /// the order of events, and calls [`send_queued`](Self::send_queued) after it has released that lock.
    pub(super) fn queue_event(&self, event: &Event, queued: &mut QueuedEvents) {
        if let Some(link) = self.link.get() {
            if let Event::Error { error_text } = event {
                self.record.error(error_text);
            }
            let text = self.render(event);
            link.out.queue_text(&text);
            queued.texts.push(text);
        }
    }

    /// Sends the queued events, and logs them where that is asked for. No lock of ours is held.
    pub(super) fn send_queued(&self, queued: QueuedEvents) {
        let Some(link) = self.link.get().filter(|_| !queued.texts.is_empty()) else { return };
        fault::point("event");
        link.out.send_queued();
        for text in queued.texts {
            call_debug!(self, 2, "sent {text}");
            self.show(format_args!("event to {}: {text}", link.peer));
        }
    }

    fn render(&self, event: &Event) -> String {
        event.render(self.control_message_format, self.uniqueid())
    }
}
