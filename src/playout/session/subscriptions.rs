//! The events that the application has subscribed to.

use std::time::Duration;

use super::position::PositionReports;
use super::{Action, Session, Told};
use crate::protocol::command::Subscribe;
use crate::protocol::event::{AddedEvent, Limits, Subscribed, whole_ms};
use crate::protocol::topic::{Topic, Topics};

/// The added events that the application wants.
#[derive(Debug, Clone, Default)]
pub(super) struct Subscriptions {
    topics: Topics,
    pub(super) position: PositionReports,
    /// There has been a SUBSCRIBE, whatever it named, or the dialect replaces it. Then events may have keys that those
    /// of the C module do not have.
    asked: bool,
}

impl Subscriptions {
    /// The subscriptions at the beginning: the topics for which the call's dialect has messages.
    pub(super) fn to(topics: Topics) -> Self {
        Self { topics, asked: topics != Topics::NONE, ..Self::default() }
    }
}

impl Session {
    /// Whether the application wants the events of `topic`.
    pub fn wants(&self, topic: Topic) -> bool {
        self.subscriptions.topics.has(topic)
    }

    /// Whether events may have keys that those of the C module do not have: after a SUBSCRIBE, or in a dialect with
    /// topics.
    pub fn knows_additions(&self) -> bool {
        self.subscriptions.asked
    }

    pub(super) fn subscribe(&mut self, request: Subscribe, actions: &mut Vec<Action>) {
        let interval = Duration::from_millis(request.position_interval_ms);
        let position = PositionReports::each(interval, self.stats.media_played);
        self.subscriptions = Subscriptions { topics: request.topics, position, asked: true };
        self.told = Told::default();
        let subscribed = Subscribed {
            correlation_id: request.correlation_id.unwrap_or_default(),
            events: request.topics.names(),
            unknown: request.unknown,
            version: env!("CARGO_PKG_VERSION"),
            limits: self.limits_told(),
        };
        actions.push(Action::send_added(AddedEvent::Subscribed(subscribed)));
        actions.push(Action::Subscribed);
    }

    fn limits_told(&self) -> Limits {
        let (queue, connection) = (self.queue.limits(), self.connection_limits);
        Limits {
            queue_max: queue.max,
            queue_xoff: queue.xoff,
            queue_xon: queue.xon,
            queue_overflow: if self.queue.waits() { "wait" } else { "drop" },
            queue_bytes: self.queue.max_bytes(),
            max_latency: self.max_latency.map_or(0, whole_ms),
            max_message_size: connection.max_message_size,
            max_command_size: connection.max_command_size,
            out_queue: whole_ms(connection.out_queue),
        }
    }
}
