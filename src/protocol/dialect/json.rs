//! `json`: one JSON object per message, as in the C module, and the additions; media in binary messages.

use super::{CallFacts, Dialect, Incoming, Profile};
use crate::protocol::command::{self, Spelling};
use crate::protocol::event::Event;

/// See [`Profile`].
pub(super) const PROFILE: Profile = Profile { carries_variables: true, ..Profile::OWN };

struct JsonDialect;

/// The dialect of one call.
pub(super) fn dialect(_: &CallFacts) -> Box<dyn Dialect> {
    Box::new(JsonDialect)
}

impl Dialect for JsonDialect {
    fn on_text(&self, text: &str, max_command_size: usize) -> Incoming {
        Incoming::Command(command::parse(text, Spelling::Json, max_command_size))
    }

    fn write_event(&self, event: &Event, channel_id: &str, write: &mut dyn FnMut(String)) {
        write(event.render(Spelling::Json, channel_id));
    }
}
