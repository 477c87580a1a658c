//! Events that the C module does not have. An application gets them only if it has requested them, which is possible in
//! JSON only, or if its dialect has messages for them.
//!
//! A new event is a struct with its keys in their order, and a variant of [`AddedEvent`].

mod call;
mod media;
mod subscribed;

use serde::Serialize;

use crate::protocol::topic::Topic;

pub use self::call::{
    CallState, ConnectedLine, DtmfBegin, DtmfSent, DtmfStopped, EventSent, Text, TextSent, TransferResult,
    Transferred,
};
pub use self::media::{
    DropReason, MediaDropped, MediaFlushed, MediaPosition, MediaStop, MediaTimes, whole_ms,
};
pub use self::subscribed::{Limits, Subscribed};

/// An added event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum AddedEvent {
    /// The answer to SUBSCRIBE.
    Subscribed(Subscribed),
    /// The core begins a digit.
    DtmfBegin(DtmfBegin),
    /// The state of the call.
    CallState(CallState),
    /// The other end's name or number has changed.
    ConnectedLine(ConnectedLine),
    /// A text from the core.
    Text(Text),
    /// The answer to SEND_DTMF.
    DtmfSent(DtmfSent),
    /// The answer to SEND_TEXT.
    TextSent(TextSent),
    /// The answer to SEND_EVENT.
    EventSent(EventSent),
    /// The answer to TRANSFER.
    Transferred(Transferred),
    /// The answer to FLUSH_MEDIA.
    MediaFlushed(MediaFlushed),
    /// The position of playback.
    MediaPosition(MediaPosition),
    /// Media was dropped.
    MediaDropped(MediaDropped),
    /// The last message before our close frame.
    MediaStop(MediaStop),
}

impl AddedEvent {
    /// The event's name on the wire.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Subscribed(_) => "SUBSCRIBED",
            Self::DtmfBegin(_) => Topic::DtmfBegin.name(),
            Self::CallState(_) => Topic::CallState.name(),
            Self::ConnectedLine(_) => Topic::ConnectedLine.name(),
            Self::Text(_) => Topic::Text.name(),
            Self::DtmfSent(_) => "DTMF_SENT",
            Self::TextSent(_) => "TEXT_SENT",
            Self::EventSent(_) => "EVENT_SENT",
            Self::Transferred(_) => "TRANSFERRED",
            Self::MediaFlushed(_) => Topic::MediaFlushed.name(),
            Self::MediaPosition(_) => Topic::MediaPosition.name(),
            Self::MediaDropped(_) => Topic::MediaDropped.name(),
            Self::MediaStop(_) => Topic::MediaStop.name(),
        }
    }
}
