//! Events about the call around its media: digits, texts, states of the call, the other end.
//!
//! The caller watches the channel and reports its current state. The code here decides what of it is new to the app.
//! After a SUBSCRIBE, all of it is new again.

use super::{Action, Session};
use crate::protocol::event::{AddedEvent, CallState, ConnectedLine, DtmfBegin, Text};
use crate::protocol::topic::Topic;

/// What the core indicates to the channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Indication {
    /// The far end of a Dial rings.
    Ringing,
    /// The call of a Dial is on its way.
    Proceeding,
    /// The far end of a Dial may be heard.
    Progress,
    /// Busy.
    Busy,
    /// Congestion.
    Congestion,
    /// The far end has put the channel on hold.
    Hold,
    /// The hold is over.
    Unhold,
}

/// The current state of the channel.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SeenCall {
    /// The channel is up.
    pub is_up: bool,
    /// The far end has put it on hold.
    pub is_held: bool,
    /// The bridge that it is in.
    pub bridge: Option<SeenBridge>,
    /// The other end's name or number.
    pub connected: ConnectedLine,
}

/// The current state of a bridge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenBridge {
    /// Its id.
    pub id: String,
    /// The names of the other channels in it.
    pub others: Vec<String>,
}

/// The states that the app has been told since its last SUBSCRIBE.
#[derive(Debug, Clone, Default)]
pub(super) struct Told {
    /// The last CALL_STATE.
    last: Option<CallState>,
    answered: bool,
    held: bool,
    /// Bridge and peer.
    bridged: Option<(String, Option<String>)>,
    connected: Option<ConnectedLine>,
}

impl Told {
    /// Tells a state unless it was the last one told.
    fn tell(&mut self, state: CallState, actions: &mut Vec<Action>) {
        if self.last.as_ref() != Some(&state) {
            self.last = Some(state.clone());
            actions.push(Action::send_added(AddedEvent::CallState(state)));
        }
    }

    fn answered(&mut self, is_up: bool, actions: &mut Vec<Action>) {
        if is_up && !std::mem::replace(&mut self.answered, true) {
            self.tell(CallState::Answered, actions);
        }
    }

    fn held(&mut self, is_held: bool, actions: &mut Vec<Action>) {
        if std::mem::replace(&mut self.held, is_held) != is_held {
            self.tell(if is_held { CallState::Hold } else { CallState::Unhold }, actions);
        }
    }

    /// The app is told that the channel left one bridge before it is told that it entered another, even if nobody
    /// looked at the channel in between. A bridge with no other channel is not reported, nor is a peer that leaves.
    fn bridged(&mut self, bridge: Option<SeenBridge>, actions: &mut Vec<Action>) {
        if let Some((bridge_id, _)) =
            self.bridged.take_if(|(told, _)| bridge.as_ref().is_none_or(|now| now.id != *told))
        {
            self.tell(CallState::Unbridged { bridge_id }, actions);
        }
        let Some(SeenBridge { id, others }) = bridge.filter(|bridge| !bridge.others.is_empty()) else {
            return;
        };
        let peer = <[String; 1]>::try_from(others).ok().map(|[peer]| peer);
        let now = (id, peer);
        if self.bridged.as_ref() != Some(&now) {
            let (bridge_id, peer) = now.clone();
            self.bridged = Some(now);
            self.tell(CallState::Bridged { bridge_id, peer }, actions);
        }
    }

    fn connected(&mut self, now: ConnectedLine, actions: &mut Vec<Action>) {
        let is_news = match &self.connected {
            Some(told) => *told != now,
            None => now != ConnectedLine::default(),
        };
        if is_news {
            self.connected = Some(now.clone());
            actions.push(Action::send_added(AddedEvent::ConnectedLine(now)));
        }
    }
}

impl Session {
    /// The core begins a digit. Any thread.
    pub fn digit_begins(&self, digit: char, actions: &mut Vec<Action>) {
        if self.wants(Topic::DtmfBegin) {
            actions.push(Action::send_added(AddedEvent::DtmfBegin(DtmfBegin { digit })));
        }
    }

    /// The core has a text for the app. Any thread.
    pub fn text(&self, text: String, actions: &mut Vec<Action>) {
        if self.wants(Topic::Text) {
            actions.push(Action::send_added(AddedEvent::Text(Text { text })));
        }
    }

    /// The core indicates something to the channel. Any thread.
    pub fn indicated(&mut self, indication: Indication, actions: &mut Vec<Action>) {
        if !self.wants(Topic::CallState) {
            return;
        }
        let state = match indication {
            Indication::Ringing => CallState::Ringing,
            Indication::Proceeding => CallState::Proceeding,
            Indication::Progress => CallState::Progress,
            Indication::Busy => CallState::Busy,
            Indication::Congestion => CallState::Congestion,
            Indication::Hold => return self.told.held(true, actions),
            Indication::Unhold => return self.told.held(false, actions),
        };
        self.told.tell(state, actions);
    }

    /// Takes the current state of the channel. Any thread that holds the channel's lock.
    pub fn seen(&mut self, now: SeenCall, actions: &mut Vec<Action>) {
        if self.wants(Topic::CallState) {
            self.told.answered(now.is_up, actions);
            self.told.bridged(now.bridge, actions);
            self.told.held(now.is_held, actions);
        }
        self.connected(now.connected, actions);
    }

    /// The core hangs up the channel: it has left its bridge and gets no more digits. Any thread.
    pub fn hung_up(&mut self, actions: &mut Vec<Action>) {
        if self.wants(Topic::CallState) {
            self.told.bridged(None, actions);
        }
        self.end_digits(actions);
    }

    /// The other end's name or number has changed. The caller holds the channel's lock.
    pub fn connected(&mut self, now: ConnectedLine, actions: &mut Vec<Action>) {
        if self.wants(Topic::ConnectedLine) {
            self.told.connected(now, actions);
        }
    }
}
