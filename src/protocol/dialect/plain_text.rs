//! `plain-text`: words and arguments, as in the C module; media in binary messages.

use super::{CallFacts, Dialect, Incoming, Profile};
use crate::protocol::command::{self, Spelling};
use crate::protocol::event::Event;

/// See [`Profile`].
pub(super) const PROFILE: Profile = Profile::OWN;

struct PlainText;

/// The dialect of one call.
pub(super) fn dialect(_: &CallFacts) -> Box<dyn Dialect> {
    Box::new(PlainText)
}

impl Dialect for PlainText {
    fn on_text(&self, text: &str, max_command_size: usize) -> Incoming {
        Incoming::Command(command::parse(text, Spelling::PlainText, max_command_size))
    }

    fn write_event(&self, event: &Event, channel_id: &str, write: &mut dyn FnMut(String)) {
        write(event.render(Spelling::PlainText, channel_id));
    }
}
