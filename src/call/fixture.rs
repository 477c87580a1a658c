//! Calls for tests.

use std::ops::Deref;
use std::sync::Arc;

use crate::call::data::{CallData, NewCall};
use crate::call::role::CallRole;
use crate::net::clock::Clock;
use crate::playout::session::fixture;
use crate::protocol::dialect::{CallFacts, ControlMessageFormat};
use crate::settings::config::Settings;

/// An INCOMING call without a channel, with ulaw and all defaults.
pub(super) fn new_call(connection_id: &str) -> NewCall {
    let config = fixture::config();
    NewCall {
        role: CallRole::Incoming,
        connection_id: connection_id.to_owned(),
        uri_params: None,
        dialect: ControlMessageFormat::PlainText.dialect(&CallFacts::default()),
        auto_answer: true,
        media_format: config.format.clone(),
        session: fixture::session(config),
        settings: Arc::new(Settings::default()),
        clock: Clock::new().unwrap(),
        reconnect: None,
        debug: Arc::default(),
    }
}

pub(super) fn call(connection_id: &str) -> CallData {
    CallData::new(new_call(connection_id))
}

pub(super) fn outgoing(client: &str) -> CallData {
    CallData::new(NewCall { role: CallRole::Outgoing, ..new_call(client) })
}

/// Derefs to the state, as the call on a channel does.
#[derive(Debug)]
pub(super) struct TestCall(pub(super) CallData);

impl Deref for TestCall {
    type Target = CallData;

    fn deref(&self) -> &CallData {
        &self.0
    }
}
