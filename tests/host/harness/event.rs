//! Events of the module, in either format.

use serde_json::{Map, Value};

/// How commands and events are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// `EVENT key:value …`
    #[default]
    PlainText,
    /// `{"event":"…",…}`
    Json,
}

impl Format {
    /// Both formats, for tests that hold in either.
    pub const ALL: [Self; 2] = [Self::PlainText, Self::Json];

    /// As `f()` and chan_websocket.conf spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::PlainText => "plain-text",
            Self::Json => "json",
        }
    }

    /// A command in this format; it is given in plain text: `WORD` or `WORD argument`.
    pub fn command(self, command: &str) -> String {
        if self == Self::PlainText {
            return command.to_owned();
        }
        let (word, argument) =
            command.split_once(' ').map_or((command, None), |(word, rest)| (word, Some(rest)));
        let mut object = Map::new();
        object.insert("command".into(), word.into());
        if let Some(argument) = argument {
            let key = if word == "SET_MEDIA_DIRECTION" { "direction" } else { "correlation_id" };
            object.insert(key.into(), argument.into());
        }
        Value::Object(object).to_string()
    }
}

/// One event.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// `MEDIA_START`, …
    pub name: String,
    /// The event as it was received.
    pub raw: String,
    fields: Map<String, Value>,
}

impl Event {
    /// Reads an event in either format.
    pub fn parse(raw: &str) -> Self {
        if let Ok(Value::Object(fields)) = serde_json::from_str(raw) {
            let name = fields.get("event").and_then(Value::as_str).unwrap_or_default().to_owned();
            return Self { name, raw: raw.to_owned(), fields };
        }
        let (name, mut rest) = raw.split_once(' ').unwrap_or((raw, ""));
        let mut fields = Map::new();
        if matches!(name, "MEDIA_BUFFERING_COMPLETED" | "MEDIA_MARK_PROCESSED") {
            fields.insert("correlation_id".into(), rest.into());
            rest = "";
        }
        while let Some((key, after)) = rest.split_once(':') {
            let (value, next) = match after.split_once(' ') {
                Some(split) if key != "error_text" => split,
                _ => (after, ""),
            };
            fields.insert(key.to_owned(), value.into());
            rest = next;
        }
        Self { name: name.to_owned(), raw: raw.to_owned(), fields }
    }

    /// The format that it was written in.
    pub fn format(&self) -> Format {
        if self.raw.starts_with('{') { Format::Json } else { Format::PlainText }
    }

    /// A field as text, empty if it is not there.
    pub fn get(&self, key: &str) -> String {
        match self.fields.get(key) {
            None => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        }
    }

    /// The names of its fields, in order.
    pub fn keys(&self) -> Vec<&str> {
        // serde_json's map is sorted, so the order is taken from the text.
        let mut keys: Vec<&str> = self.fields.keys().map(String::as_str).collect();
        keys.sort_by_key(|key| match self.format() {
            Format::Json => self.raw.find(&format!("\"{key}\":")),
            Format::PlainText => self.raw.find(&format!("{key}:")),
        });
        keys
    }

    /// A field of the JSON form, as a value.
    pub fn value(&self, key: &str) -> &Value {
        self.fields.get(key).unwrap_or(&Value::Null)
    }
}
