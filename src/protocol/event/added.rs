//! Events that the C module does not have. They are sent only to an application that has asked for them, which it can
//! do in JSON only.
//!
//! A further event is a struct with its keys in their order, and a variant of [`AddedEvent`].

mod media;
mod subscribed;

use serde::Serialize;

pub use self::media::{DropReason, MediaDropped, MediaTimes};
pub use self::subscribed::{Limits, Subscribed};

/// An added event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum AddedEvent {
    /// The answer to SUBSCRIBE.
    Subscribed(Subscribed),
    /// Media was dropped.
    MediaDropped(MediaDropped),
}

impl AddedEvent {
    /// The event's name on the wire.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Subscribed(_) => "SUBSCRIBED",
            Self::MediaDropped(_) => "MEDIA_DROPPED",
        }
    }
}
