//! The call around the media: what the application is told about digits, texts, states and the other party, and the
//! texts and events that it sends.
//!
//! The core calls us when it begins a digit, has a text, or indicates something. About the channel's state and its
//! bridge it publishes messages. A message only wakes the job thread, which looks at the channel and the bridge. So the
//! application is told the truth even if messages were lost or late. Only calls whose application asks for such events
//! have subscriptions.

use super::Call;
use crate::asterisk::app_event::AppEvent;
use crate::asterisk::bridge::Bridge;
use crate::asterisk::channel::Locked;
use crate::asterisk::extras::Extras;
use crate::asterisk::topics::{Subscription, Survey};
use crate::call::jobs::Job;
use crate::net::clock;
use crate::playout::session::{Indication, SeenBridge, SeenCall};
use crate::protocol::command::{RequestError, SendEvent};
use crate::protocol::event::{AddedEvent, ConnectedLine, EventSent, TextSent};
use crate::protocol::topic::Topic;

impl Survey for Call {
    fn survey_again(&self) {
        if self.watch.ask_for_survey() {
            self.post(Job::Survey);
        }
    }
}

impl Call {
    /// The core begins a digit. Any thread, no lock of ours held, as in all callbacks of the core in this file.
    pub(crate) fn digit_begins(&self, digit: char) {
        self.with_session(|session, actions| session.digit_begins(digit, actions));
    }

    /// The core has a text for the application.
    pub(crate) fn take_text(&self, text: String) {
        self.with_session(|session, actions| session.text(text, actions));
    }

    /// The core indicates something to the channel, which is locked.
    pub(crate) fn indicated(&self, indication: Indication) {
        self.with_session(|session, actions| session.indicated(indication, actions));
    }

    /// The other party of the channel has changed.
    pub(crate) fn connected_line(&self, channel: Locked<'_>) {
        self.with_session(|session, actions| session.connected(connected_line(channel), actions));
    }

    /// The application has sent SUBSCRIBE.
    pub(super) fn subscribed(&self) {
        self.post(Job::Subscribed);
    }

    /// The callbacks that the channel needs for what the application wants to know.
    pub(crate) fn wanted_extras(&self) -> Extras {
        let session = self.playout.session();
        Extras { digit_begins: session.wants(Topic::DtmfBegin), texts: session.wants(Topic::Text) }
    }

    /// Subscribes to what the application wants to know, and ends subscriptions that it does not need. Channel locked.
    pub(crate) fn settle_subscriptions(&self, channel: Locked<'_>) {
        let watches = {
            let session = self.playout.session();
            session.wants(Topic::CallState) || session.wants(Topic::ConnectedLine)
        };
        if !watches {
            return self.watch.end();
        }
        self.watch.watch_channel(|| Subscription::to_channel(channel, self.weak()));
    }

    /// Looks at the channel, which is locked, and at its bridge, and tells the application what has changed. False if
    /// another thread holds the lock of the bridge or of a channel in it: try again.
    pub(crate) fn survey(&self, channel: Locked<'_>) -> bool {
        // First, so that what happens from now on asks for another survey.
        self.watch.begin_survey();
        let (wants_states, wants_line) = {
            let session = self.playout.session();
            (session.wants(Topic::CallState), session.wants(Topic::ConnectedLine))
        };
        if !wants_states && !wants_line {
            return true;
        }
        let mut bridge = None;
        if wants_states {
            let found = channel.bridge();
            // Before the bridge's members are read, so that none is missed.
            self.follow_bridge(found.as_ref());
            if let Some(found) = found {
                let Some(others) = found.others(channel) else { return false };
                bridge = Some(SeenBridge { id: found.id(), others });
            }
        }
        let (is_up, is_held) = (channel.is_up(), channel.is_held());
        let seen = SeenCall { is_up, is_held, bridge, connected: connected_line(channel) };
        self.with_session(|session, actions| session.seen(seen, actions));
        true
    }

    /// Watches this bridge, and no other. On the job thread.
    fn follow_bridge(&self, bridge: Option<&Bridge>) {
        self.watch.watch_bridge(bridge.map(Bridge::id), || Subscription::to_bridge(bridge?, self.weak()));
    }

    /// The core has taken the application's text.
    pub(crate) fn text_sent(&self, correlation_id: Option<String>) {
        if let Some(correlation_id) = correlation_id {
            self.send_added(AddedEvent::TextSent(TextSent { correlation_id }));
        }
    }

    /// The application asks to send an event to ARI and AMI.
    pub(super) fn ask_for_event(&self, request: SendEvent) {
        let SendEvent { correlation_id, name, data } = request;
        let per_second = self.settings.app_events_per_second;
        let refuse = |why: &str| self.refuse(RequestError::new("SEND_EVENT", correlation_id.clone(), why));
        if !self.settings.app_events {
            return refuse("not permitted; the operator permits it with app_events");
        }
        if !self.event_rate.lock().admit(clock::now(), per_second) {
            return refuse(&format!("more than {per_second} events in a second (app_events_per_second)"));
        }
        match AppEvent::new(&name, &data) {
            Some(event) => self.post(|call| Job::SendEvent { call, event, correlation_id }),
            None => refuse(
                "'data' does not fit; allowed: objects without NUL in texts, and without whole numbers beyond 64 bits",
            ),
        }
    }

    /// The event was published, or could not be.
    pub(crate) fn event_sent(&self, correlation_id: Option<String>, told: bool) {
        if told {
            let correlation_id = correlation_id.unwrap_or_default();
            return self.send_added(AddedEvent::EventSent(EventSent { correlation_id }));
        }
        let why = "Asterisk takes no such events (stasis.conf, declined_message_types)";
        self.refuse(RequestError::new("SEND_EVENT", correlation_id, why));
    }

    /// Tells the application that its command is refused. Any thread, no lock of ours held.
    pub(super) fn refuse(&self, error: RequestError) {
        self.with_session(|session, actions| session.refuse_request(actions, Box::new(error)));
    }
}

fn connected_line(channel: Locked<'_>) -> ConnectedLine {
    let (name, number) = channel.connected_line();
    ConnectedLine { name, number }
}
