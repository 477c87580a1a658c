//! docs/schema: the form of commands and events in JSON, checked by a validator that shares no code with the module.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::{Map, Value};

/// The messages that the application sends.
pub static COMMANDS: LazyLock<Messages> = LazyLock::new(|| {
    Messages::read("command", include_str!("../../../docs/schema/commands.json"), Keys::Any)
});

/// The messages that the application receives. A key that the schema does not name is an error here: an application
/// ignores such keys, but the documentation has to list all of them.
pub static EVENTS: LazyLock<Messages> =
    LazyLock::new(|| Messages::read("event", include_str!("../../../docs/schema/events.json"), Keys::Named));

/// The keys that an object may have besides those that its schema names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    Any,
    Named,
}

/// The messages of one of the two files.
pub struct Messages {
    /// The key that contains the name of a message.
    key: &'static str,
    /// The content of the file.
    pub document: Value,
    schemas: Schemas,
    by_name: BTreeMap<String, SchemaIndex>,
}

impl Messages {
    /// Panics unless `text` is a JSON Schema with a definition for each message.
    pub fn read(key: &'static str, text: &str, keys: Keys) -> Self {
        const URL: &str = "file:///schema.json";
        let document: Value = serde_json::from_str(text).expect("JSON");
        let mut checked = document.clone();
        if keys == Keys::Named {
            only_named_keys(&mut checked);
        }
        let (mut compiler, mut schemas) = (Compiler::new(), Schemas::new());
        compiler.add_resource(URL, checked).expect("a schema");
        let mut compile = |pointer: &str| {
            let compiled = compiler.compile(&format!("{URL}#{pointer}"), &mut schemas);
            compiled.unwrap_or_else(|why| panic!("{key} schema: {why}"))
        };
        compile("");
        let names = definitions(&document).keys();
        let by_name = names.map(|name| (name.clone(), compile(&format!("/$defs/{name}")))).collect();
        Self { key, document, schemas, by_name }
    }

    /// The names of the messages, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    /// The schema of a message.
    #[track_caller]
    pub fn of(&self, name: &str) -> &Value {
        definitions(&self.document).get(name).unwrap_or_else(|| panic!("no schema of {name}"))
    }

    /// Checks a message against the schema that its name selects. The error says why it does not fit.
    pub fn check(&self, message: &Value) -> Result<(), String> {
        let name = message.get(self.key).and_then(Value::as_str);
        let name = name.ok_or_else(|| format!("not an object with a text '{}'", self.key))?;
        let index = self.by_name.get(name).ok_or_else(|| format!("no {} is called '{name}'", self.key))?;
        self.schemas.validate(message, *index).map_err(|why| format!("{why:#}"))
    }
}

/// The schemas of a file, by the name of the message.
pub fn definitions(document: &Value) -> &Map<String, Value> {
    document["$defs"].as_object().expect("$defs")
}

/// Forbids all keys that the schema of an object does not name.
fn only_named_keys(schema: &mut Value) {
    match schema {
        Value::Object(keywords) => {
            if keywords.get("type").is_some_and(|kind| kind == "object")
                && keywords.contains_key("properties")
            {
                keywords.insert("unevaluatedProperties".into(), false.into());
            }
            keywords.values_mut().for_each(only_named_keys);
        }
        Value::Array(all) => all.iter_mut().for_each(only_named_keys),
        _ => {}
    }
}
