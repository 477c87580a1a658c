//! Events about a call for operators: an AMI event, a user event in ARI, or both.
//!
//! This file has their names, their fields and the selection. The host sends them.

use std::fmt;

use super::table::one_line;

/// Events that are turned on and off together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotificationClass {
    /// An application is connected.
    Connected,
    /// A connection has ended.
    Disconnected,
    /// No connection was made.
    Failed,
    /// Media does not flow, and flows again.
    Stalled,
    /// A connection is lost and the call continues, and another connection is up.
    Lost,
}

impl NotificationClass {
    const ALL: [Self; 5] = [Self::Connected, Self::Disconnected, Self::Failed, Self::Stalled, Self::Lost];

    /// Its name in chan_websocket.conf.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Disconnected => "disconnected",
            Self::Failed => "failed",
            Self::Stalled => "stalled",
            Self::Lost => "lost",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A set of classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NotificationClasses(u8);

/// The allowed values for a set of classes in chan_websocket.conf.
pub const NOTICE_CLASSES: &str = "all, none, or some of connected, disconnected, failed, stalled, lost";

impl NotificationClasses {
    /// None of them.
    pub const NONE: Self = Self(0);
    /// All of them.
    pub const ALL: Self = Self(0b1_1111);

    /// Parses `all`, `none`, or names separated by commas; case does not count.
    pub fn parse(value: &str) -> Option<Self> {
        let value = value.trim();
        if value.eq_ignore_ascii_case("none") {
            return Some(Self::NONE);
        }
        if value.eq_ignore_ascii_case("all") {
            return Some(Self::ALL);
        }
        value.split(',').map(str::trim).try_fold(Self::NONE, |set, name| {
            let class =
                NotificationClass::ALL.into_iter().find(|class| class.as_str().eq_ignore_ascii_case(name))?;
            Some(Self(set.0 | class.bit()))
        })
    }

    /// Whether `class` is in it.
    pub const fn has(self, class: NotificationClass) -> bool {
        self.0 & class.bit() != 0
    }
}

impl fmt::Display for NotificationClasses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NONE => f.write_str("none"),
            Self::ALL => f.write_str("all"),
            set => {
                let names: Vec<&str> = NotificationClass::ALL
                    .into_iter()
                    .filter(|class| set.has(*class))
                    .map(NotificationClass::as_str)
                    .collect();
                f.write_str(&names.join(","))
            }
        }
    }
}

/// The kind of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotificationKind {
    /// An application is connected.
    Connected,
    /// The connection has ended.
    Disconnected,
    /// No connection was made, and the call ends.
    Failed,
    /// Media does not flow.
    Stalled,
    /// Media flows again.
    Resumed,
    /// The connection is lost, and the call waits for another.
    Lost,
    /// Another connection is up.
    Reconnected,
}

impl NotificationKind {
    /// The event's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connected => "WebSocketConnected",
            Self::Disconnected => "WebSocketDisconnected",
            Self::Failed => "WebSocketFailed",
            Self::Stalled => "WebSocketStalled",
            Self::Resumed => "WebSocketResumed",
            Self::Lost => "WebSocketLost",
            Self::Reconnected => "WebSocketReconnected",
        }
    }

    /// The class that turns it on and off.
    pub const fn class(self) -> NotificationClass {
        match self {
            Self::Connected => NotificationClass::Connected,
            Self::Disconnected => NotificationClass::Disconnected,
            Self::Failed => NotificationClass::Failed,
            Self::Stalled | Self::Resumed => NotificationClass::Stalled,
            Self::Lost | Self::Reconnected => NotificationClass::Lost,
        }
    }
}

/// An event: names and values, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// Its kind.
    pub kind: NotificationKind,
    /// Its fields.
    pub fields: EventFields,
}

/// Names and values of an AMI event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventFields(Vec<(String, String)>);

impl EventFields {
    /// Adds a field at the end.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.push(name, value);
        self
    }

    /// Adds a field at the end, with its value on one line, so that a peer's text cannot begin another header.
    pub fn push(&mut self, name: &str, value: impl fmt::Display) {
        self.0.push((name.to_owned(), one_line(&value.to_string()).into_owned()));
    }

    /// Adds all fields of `more` at the end.
    #[must_use]
    pub fn and(mut self, more: Self) -> Self {
        self.0.extend(more.0);
        self
    }

    /// The fields as AMI headers, each with its line end.
    pub fn headers(&self) -> String {
        self.0.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect()
    }

    /// The fields as the JSON object of a user event called `name`.
    pub fn user_event(&self, name: &str) -> String {
        let mut object = serde_json::Map::new();
        object.insert("eventname".into(), name.into());
        object.extend(self.0.iter().map(|(name, value)| (name.clone(), value.as_str().into())));
        serde_json::Value::Object(object).to_string()
    }
}

/// A metric's name in AMI's spelling: `frames_in` is `FramesIn`.
pub fn header_name(metric: &str) -> String {
    let mut name = String::with_capacity(metric.len());
    for word in metric.split('_') {
        let mut letters = word.chars();
        name.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        name.push_str(letters.as_str());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_written_as_they_are_read() {
        for (value, expected) in [
            ("none", Some("none")),
            ("ALL", Some("all")),
            ("connected", Some("connected")),
            (" Stalled , connected", Some("connected,stalled")),
            ("connected,disconnected,failed,stalled,lost", Some("all")),
            ("lost", Some("lost")),
            ("failed,failed", Some("failed")),
            ("", None),
            ("connected,", None),
            ("connected,all", None),
            ("yes", None),
        ] {
            let classes = NotificationClasses::parse(value);
            assert_eq!(classes.map(|classes| classes.to_string()).as_deref(), expected, "{value}");
        }
    }

    #[test]
    fn no_value_begins_a_header() {
        let fields = EventFields::default().with("Reason", "lost\r\nAction: Hangup\r\n\r\n\0");
        assert_eq!(fields.headers(), "Reason: lost\\r\\nAction: Hangup\\r\\n\\r\\n\\u{0}\r\n");
        let event: serde_json::Value = serde_json::from_str(&fields.user_event("X")).unwrap();
        assert_eq!(event["Reason"], "lost\\r\\nAction: Hangup\\r\\n\\r\\n\\u{0}");
    }

    #[test]
    fn metrics_are_called_as_amis_headers_are() {
        for (metric, header) in [
            ("channel", "Channel"),
            ("frames_in", "FramesIn"),
            ("longest_queue_wait", "LongestQueueWait"),
            ("", ""),
            ("a__b_", "AB"),
        ] {
            assert_eq!(header_name(metric), header);
        }
    }
}
