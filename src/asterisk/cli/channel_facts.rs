//! What only the channel of a call knows, for a console.

use crate::asterisk::bridge_technology;
use crate::asterisk::call::Call;

/// Names and values. Waits for the channel's lock, and for its bridge's.
pub(super) fn of(call: &Call) -> Vec<(String, String)> {
    let Some(channel) = call.channel() else { return Vec::new() };
    let (name, state) = {
        let guard = channel.lock();
        (guard.locked().name(), guard.locked().state())
    };
    let mut facts = vec![("channel_state".to_owned(), state)];
    if name != call.name() {
        facts.push(("channel_now".to_owned(), name));
    }
    facts.push(("bridged_with".to_owned(), channel.bridge_peer().unwrap_or_else(|| "-".to_owned())));
    facts.push(("bridge".to_owned(), bridge_technology::describe(&channel, call)));
    facts
}
