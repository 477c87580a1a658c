//! The two files themselves.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::schema::{COMMANDS, EVENTS, Keys, Messages, definitions};

/// In both files a message is an object with a unique name, is one of `oneOf`, and has examples that fit.
#[test]
fn each_message_is_told_by_its_name() {
    for (key, messages) in [("command", &*COMMANDS), ("event", &*EVENTS)] {
        let document = &messages.document;
        assert_eq!(document["$schema"], "https://json-schema.org/draft/2020-12/schema");
        let listed = document["oneOf"].as_array().expect("oneOf").iter();
        let listed: BTreeSet<String> = listed
            .map(|schema| schema["$ref"].as_str().expect("$ref").trim_start_matches("#/$defs/").to_owned())
            .collect();
        assert_eq!(listed, messages.names().map(str::to_owned).collect());
        for (name, schema) in definitions(document) {
            assert_eq!(schema["title"], *name);
            assert_eq!(schema["type"], "object", "{name}");
            assert_eq!(schema["properties"][key], json!({ "const": name }), "{name}");
            assert!(schema["required"].as_array().expect("required").contains(&key.into()), "{name}");
            let examples = schema["examples"].as_array().expect("examples");
            assert!(!examples.is_empty(), "{name}");
            for example in examples {
                assert_eq!(example[key], *name);
                messages.check(example).unwrap_or_else(|why| panic!("{example}: {why}"));
            }
        }
    }
}

/// Each key of a message has a description, except its name.
#[test]
fn each_key_is_described() {
    for (key, messages) in [("command", &*COMMANDS), ("event", &*EVENTS)] {
        for (name, schema) in definitions(&messages.document) {
            assert!(schema["description"].as_str().is_some_and(|text| text.ends_with('.')), "{name}");
            for (property, schema) in schema["properties"].as_object().expect("properties") {
                let described = schema["description"].as_str().is_some_and(|text| text.ends_with('.'));
                assert!(described || property == key, "{name}: {property}");
            }
        }
    }
}

/// Errors that a test of events must find: an additional key, a missing key, a wrong type, a wrong word, and an unknown
/// event.
#[test]
fn an_event_that_does_not_fit_is_found() {
    let event = |more: Value| {
        let mut event = json!({"event": "MEDIA_DROPPED", "channel_id": "1", "dropped_ms": 20,
            "total_dropped_ms": 40, "reason": "queue_full"});
        for (key, value) in more.as_object().expect("keys") {
            event[key] = value.clone();
        }
        event
    };
    assert_eq!(EVENTS.check(&event(json!({}))), Ok(()));
    for (more, why) in [
        (json!({"more": 1}), "more"),
        (json!({"dropped_ms": "20"}), "dropped_ms"),
        (json!({"dropped_ms": -1}), "dropped_ms"),
        (json!({"reason": "queue full"}), "reason"),
        (json!({"event": "MEDIA_LOST"}), "MEDIA_LOST"),
        (json!({"event": 1}), "text 'event'"),
    ] {
        let found = EVENTS.check(&event(more)).expect_err(why);
        assert!(found.contains(why), "{found}");
    }
    assert!(EVENTS.check(&json!({"event": "MEDIA_XON"})).is_err_and(|found| found.contains("channel_id")));
    let mut subscribed = EVENTS.of("SUBSCRIBED")["examples"][0].clone();
    subscribed["limits"]["more"] = 1.into();
    assert!(EVENTS.check(&subscribed).is_err_and(|found| found.contains("more")));
}

/// The schemas allow further keys, so that applications accept later versions.
#[test]
fn more_keys_may_follow() {
    let text = EVENTS.document.to_string();
    let published = Messages::read("event", &text, Keys::Any);
    let event = json!({"event": "MEDIA_XON", "channel_id": "1", "later": true});
    assert_eq!(published.check(&event), Ok(()));
    assert!(EVENTS.check(&event).is_err());
}
