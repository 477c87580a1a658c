//! The events that an application subscribes to, and sets of them.

/// An added event that an application gets only if it has subscribed to it. The order is that of SUBSCRIBED.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Topic {
    /// The position of playback.
    MediaPosition,
    /// The answer to every FLUSH_MEDIA, also to one without an id.
    MediaFlushed,
    /// Media was dropped.
    MediaDropped,
    /// The last message before our close frame.
    MediaStop,
    /// The core begins a digit.
    DtmfBegin,
    /// The state of the call: it rings, is answered, bridged, held.
    CallState,
    /// The other end's name or number.
    ConnectedLine,
    /// A text from the core.
    Text,
}

impl Topic {
    /// All of them, in their order.
    pub const ALL: [Self; 8] = [
        Self::MediaPosition,
        Self::MediaFlushed,
        Self::MediaDropped,
        Self::MediaStop,
        Self::DtmfBegin,
        Self::CallState,
        Self::ConnectedLine,
        Self::Text,
    ];

    /// The event's name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::MediaPosition => "MEDIA_POSITION",
            Self::MediaFlushed => "MEDIA_FLUSHED",
            Self::MediaDropped => "MEDIA_DROPPED",
            Self::MediaStop => "MEDIA_STOP",
            Self::DtmfBegin => "DTMF_BEGIN",
            Self::CallState => "CALL_STATE",
            Self::ConnectedLine => "CONNECTED_LINE",
            Self::Text => "TEXT",
        }
    }

    /// The topic of this name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|topic| topic.name() == name)
    }
}

/// A set of topics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Topics(u16);

impl Topics {
    /// No topic.
    pub const NONE: Self = Self(0);

    /// Every topic.
    pub fn all() -> Self {
        Topic::ALL.into_iter().fold(Self::default(), Self::with)
    }

    /// The set with `topic` in it.
    #[must_use]
    pub const fn with(self, topic: Topic) -> Self {
        Self(self.0 | 1 << topic as u8)
    }

    /// Whether `topic` is in it.
    pub const fn has(self, topic: Topic) -> bool {
        self.0 & 1 << topic as u8 != 0
    }

    /// The names of those that are in it, in their order.
    pub fn names(self) -> Vec<&'static str> {
        Topic::ALL.into_iter().filter(|topic| self.has(*topic)).map(Topic::name).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_topic_has_a_place_of_its_own() {
        let mut topics = Topics::default();
        for (number, topic) in Topic::ALL.into_iter().enumerate() {
            assert!(!topics.has(topic), "{topic:?}");
            topics = topics.with(topic);
            assert_eq!(topics.names().len(), number + 1);
            assert_eq!(Topic::by_name(topic.name()), Some(topic));
        }
        assert_eq!(topics, Topics::all());
        assert_eq!(Topic::by_name("media_stop"), None);
    }
}
