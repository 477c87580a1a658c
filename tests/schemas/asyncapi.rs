//! docs/asyncapi.yaml, read by AsyncAPI's own parser (tests/clients/check_asyncapi.js).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command as Process;
use std::sync::LazyLock;

use chan_websocket::protocol::command::{Command, Spelling, parse};
use serde_json::Value;

use crate::schema::{COMMANDS, EVENTS, definitions};

const MEDIA: [&str; 2] = ["mediaFromApplication", "mediaToApplication"];
const PLAIN_TEXT: [&str; 2] = ["plainTextCommand", "plainTextEvent"];

fn read(file: &Path) -> Value {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let clients = root.join("target/clients");
    assert!(clients.join("stamp").exists(), "nothing in {}: run scripts/clients", clients.display());
    let output = Process::new("node")
        .arg(root.join("tests/clients/check_asyncapi.js"))
        .arg(file)
        .env("NODE_PATH", clients.join("node_modules"))
        .output()
        .expect("node");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|why| panic!("{why}: {said}"))
}

/// The whole file. The parser needs a second or two for it.
static FILE: LazyLock<Value> =
    LazyLock::new(|| read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/asyncapi.yaml")));

fn faults(file: &Value) -> Vec<&str> {
    file["faults"].as_array().expect("faults").iter().filter_map(Value::as_str).collect()
}

fn texts(list: &Value) -> BTreeSet<&str> {
    list.as_array().expect("a list").iter().filter_map(Value::as_str).collect()
}

#[test]
fn the_file_is_valid_and_has_every_message() {
    let file = &*FILE;
    assert_eq!(faults(file), Vec::<&str>::new());
    assert_eq!(file["version"], env!("CARGO_PKG_VERSION"));
    let messages = file["messages"].as_object().expect("messages");
    let known: BTreeSet<&str> =
        COMMANDS.names().chain(EVENTS.names()).chain(MEDIA).chain(PLAIN_TEXT).collect();
    assert_eq!(messages.keys().map(String::as_str).collect::<BTreeSet<_>>(), known);
    for schemas in [&*COMMANDS, &*EVENTS] {
        for (name, schema) in definitions(&schemas.document) {
            let message = &messages[name];
            assert_eq!(message["contentType"], "application/json", "{name}");
            // The reference leads to the schema of that name.
            assert_eq!(message["payload"]["title"], *name);
            assert_eq!(message["payload"]["required"], schema["required"], "{name}");
            assert_eq!(message["hasId"], schema["properties"].get("correlation_id").is_some(), "{name}");
        }
    }
    for name in MEDIA {
        assert_eq!(messages[name]["contentType"], "application/octet-stream");
    }
}

/// Asterisk receives each command and sends each event, once; the answer to a command is an event.
#[test]
fn each_message_has_its_direction() {
    let file = &*FILE;
    let mut by_action: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (id, operation) in file["operations"].as_object().expect("operations") {
        let action = operation["action"].as_str().expect("an action");
        by_action.entry(action).or_default().extend(texts(&operation["messages"]));
        let events: BTreeSet<&str> = EVENTS.names().collect();
        assert!(texts(&operation["reply"]).is_subset(&events), "{id}");
    }
    for (action, messages, more) in
        [("receive", &*COMMANDS, [MEDIA[0], PLAIN_TEXT[0]]), ("send", &*EVENTS, [MEDIA[1], PLAIN_TEXT[1]])]
    {
        let mut found = by_action[action].clone();
        found.sort_unstable();
        let mut expected: Vec<&str> = messages.names().chain(more).collect();
        expected.sort_unstable();
        assert_eq!(found, expected, "{action}");
    }
}

/// The names that a pattern `^(A|B)…` allows.
fn alternatives(payload: &Value) -> BTreeSet<&str> {
    let pattern = payload["pattern"].as_str().expect("a pattern");
    let names = pattern.strip_prefix("^(").and_then(|rest| rest.split_once(')')).expect("alternatives").0;
    names.split('|').collect()
}

#[test]
fn plain_text_is_as_the_module_reads_and_writes_it() {
    let file = &*FILE;
    let [commands, events] = PLAIN_TEXT.map(|name| &file["messages"][name]);
    let takes = |text: &str| match parse(text, Spelling::PlainText, usize::MAX) {
        Ok(Command::SetMediaDirection(_)) | Err(_) => None,
        Ok(command) => Some(command),
    };
    let spelled = COMMANDS.names().filter(|name| takes(name).is_some());
    assert_eq!(alternatives(&commands["payload"]), spelled.collect());
    // Added events need a SUBSCRIBE or a command that exists only in JSON.
    let added = ["SUBSCRIBED", "CALL_STATE", "CONNECTED_LINE", "TEXT", "DTMF_BEGIN"];
    let answers = ["DTMF_SENT", "TEXT_SENT", "EVENT_SENT", "TRANSFERRED"];
    let playback = ["MEDIA_POSITION", "MEDIA_FLUSHED", "MEDIA_DROPPED", "MEDIA_STOP"];
    let is_added = |name: &&str| added.iter().chain(&answers).chain(&playback).any(|other| other == name);
    let base: BTreeSet<&str> = EVENTS.names().filter(|name| !is_added(name)).collect();
    assert_eq!(alternatives(&events["payload"]), base);
    let examples = |message: &Value| -> Vec<String> {
        let examples = message["examples"].as_array().expect("examples").iter();
        examples.map(|example| example["payload"].as_str().expect("a text").to_owned()).collect()
    };
    for example in examples(commands) {
        assert!(takes(&example).is_some(), "{example}");
    }
    let first = |text: &String| text.split(' ').next().unwrap_or_default().to_owned();
    let shown: BTreeSet<String> = examples(events).iter().map(first).collect();
    assert_eq!(shown, base.into_iter().map(str::to_owned).collect());
}

/// The validator finds errors.
#[test]
fn a_broken_file_is_found() {
    let text = include_str!("../../docs/asyncapi.yaml");
    for (what, by, why) in [
        ("action: receive", "action: take", "action"),
        ("schema/events.json#/$defs/STATUS'", "schema/events.json#/$defs/STATE'", "STATE"),
        ("- $ref: '#/channels/call/messages/STATUS'", "- $ref: '#/channels/call/messages/STATE'", "STATE"),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schema");
        std::os::unix::fs::symlink(docs, folder.path().join("schema")).expect("a link");
        let broken = folder.path().join("asyncapi.yaml");
        assert!(text.contains(what), "{what}");
        std::fs::write(&broken, text.replacen(what, by, 1)).expect("a file");
        let file = read(&broken);
        assert!(faults(&file).iter().any(|fault| fault.contains(why)), "{by}: {}", file["faults"]);
    }
}
