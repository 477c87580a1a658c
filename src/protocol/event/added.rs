//! Events that the C module does not have. They are sent only to an application that has asked for them, which it can
//! do in JSON only.
//!
//! A further event is a struct with its keys in their order, and a variant of [`AddedEvent`].

mod media;
mod subscribed;

use serde::Serialize;

use crate::protocol::topic::Topic;

pub use self::media::{MediaFlushed, MediaPosition, MediaStop, MediaTimes, whole_ms};
pub use self::subscribed::{Limits, Subscribed};

/// An added event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum AddedEvent {
    /// The answer to SUBSCRIBE.
    Subscribed(Subscribed),
    /// The answer to FLUSH_MEDIA.
    MediaFlushed(MediaFlushed),
    /// Where playback is.
    MediaPosition(MediaPosition),
    /// The last message before our close frame.
    MediaStop(MediaStop),
}

impl AddedEvent {
    /// The event's name on the wire.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Subscribed(_) => "SUBSCRIBED",
            Self::MediaFlushed(_) => Topic::MediaFlushed.name(),
            Self::MediaPosition(_) => Topic::MediaPosition.name(),
            Self::MediaStop(_) => Topic::MediaStop.name(),
        }
    }
}
