//! SUBSCRIBE: which added events the application wants.

use super::fields::{CommandFields, FieldError};
use crate::protocol::command::Command;
use crate::protocol::topic::{Topic, Topics};

/// The command's name on the wire.
pub(in crate::protocol::command) const NAME: &str = "SUBSCRIBE";

/// Media played between two MEDIA_POSITION, ms, unless SUBSCRIBE says otherwise.
pub const DEFAULT_POSITION_INTERVAL_MS: u64 = 1000;

/// The name that stands for every topic.
const EVERY: &str = "*";

/// What SUBSCRIBE asks for. It replaces an earlier SUBSCRIBE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscribe {
    /// Comes back with SUBSCRIBED.
    pub correlation_id: Option<String>,
    /// The events that are requested.
    pub topics: Topics,
    /// Names that are not topics here, each once, in their order.
    pub unknown: Vec<String>,
    /// Media played between two MEDIA_POSITION, ms.
    pub position_interval_ms: u64,
}

pub(super) fn parse(
    fields: &CommandFields<'_>,
    correlation_id: Option<String>,
) -> Result<Command, FieldError> {
    const EVENTS: &str = "events";
    let allowed =
        format!("an array of strings, of {}, or \"{EVERY}\" for all", Topics::all().names().join(", "));
    let names = fields.strings(EVENTS, &allowed)?;
    let names = names.ok_or(FieldError::Missing { field: EVENTS, allowed })?;
    let interval = fields.number("position_interval", 100..=60_000)?;
    let (mut topics, mut unknown) = (Topics::default(), Vec::new());
    for name in names {
        match Topic::by_name(name) {
            Some(topic) => topics = topics.with(topic),
            None if name == EVERY => topics = Topics::all(),
            None => unknown.push(name),
        }
    }
    Ok(Command::Subscribe(Box::new(Subscribe {
        correlation_id,
        topics,
        unknown: each_once(unknown),
        position_interval_ms: interval.unwrap_or(DEFAULT_POSITION_INTERVAL_MS),
    })))
}

/// Each name once, in the order of its first appearance.
fn each_once(names: Vec<&str>) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    names.into_iter().filter(|name| seen.insert(*name)).map(str::to_owned).collect()
}
