//! Each command's schema against the parser.

use std::collections::BTreeSet;

use chan_websocket::protocol::command::{
    Command, CommandError, Flush, MediaDirection, SendDtmf, SendEvent, SendText, Spelling, Subscribe,
    Transfer, parse,
};
use chan_websocket::protocol::topic::Topics;
use serde_json::{Map, Value, json};

use crate::every_variant;
use crate::schema::{COMMANDS, definitions};

fn every_command() -> Vec<Command> {
    let text = String::new;
    every_variant!(Command {
        Command::Answer => [Command::Answer],
        Command::Hangup => [Command::Hangup],
        Command::StartMediaBuffering => [Command::StartMediaBuffering],
        Command::StopMediaBuffering { .. } => [Command::StopMediaBuffering { correlation_id: None }],
        Command::MarkMedia { .. } => [Command::MarkMedia { correlation_id: None }],
        Command::FlushMedia(_) => [Command::FlushMedia(Flush::default())],
        Command::PauseMedia => [Command::PauseMedia],
        Command::ContinueMedia => [Command::ContinueMedia],
        Command::ReportQueueDrained => [Command::ReportQueueDrained],
        Command::GetStatus => [Command::GetStatus],
        Command::SetMediaDirection(_) => [Command::SetMediaDirection(Ok(MediaDirection::Both))],
        Command::Subscribe(_) => [Command::Subscribe(Box::new(Subscribe {
            correlation_id: None, topics: Topics::NONE, unknown: Vec::new(), position_interval_ms: 100,
        }))],
        Command::SendDtmf(_) => [Command::SendDtmf(Box::new(SendDtmf {
            correlation_id: None, digits: text(), duration_ms: 0, pause_ms: 0,
        }))],
        Command::SendText(_) => [Command::SendText(Box::new(SendText { correlation_id: None, text: text() }))],
        Command::SendEvent(_) => [Command::SendEvent(Box::new(SendEvent {
            correlation_id: None, name: text(), data: text(),
        }))],
        Command::Transfer(_) => [Command::Transfer(Box::new(Transfer {
            correlation_id: None, exten: text(), context: None,
        }))],
    })
}

/// The command that the module reads; a wrong form is an error.
fn read(command: &Value) -> Result<Command, CommandError> {
    match parse(&command.to_string(), Spelling::Json, usize::MAX)? {
        Command::SetMediaDirection(Err(why)) => Err(CommandError::Unknown(why.to_string())),
        command => Ok(command),
    }
}

#[test]
fn each_command_has_a_schema_and_each_schema_is_a_command() {
    let names: BTreeSet<&str> = every_command().iter().map(Command::name).collect();
    assert_eq!(names, COMMANDS.names().collect());
    for (name, schema) in definitions(&COMMANDS.document) {
        for example in schema["examples"].as_array().expect("examples") {
            let command = read(example).unwrap_or_else(|why| panic!("{example}: {why}"));
            assert_eq!(command.name(), name);
        }
    }
}

#[test]
fn the_words_are_those_of_the_module() {
    let topics = &COMMANDS.of("SUBSCRIBE")["properties"]["events"]["items"]["anyOf"][0]["enum"];
    let mut known = Topics::all().names();
    known.push("*");
    assert_eq!(*topics, json!(known));
    let directions = &COMMANDS.of("SET_MEDIA_DIRECTION")["properties"]["direction"]["enum"];
    let all = [MediaDirection::Both, MediaDirection::In, MediaDirection::Out].map(MediaDirection::as_str);
    assert_eq!(*directions, json!(all));
}

/// A missing key means its default.
#[test]
fn defaults_are_those_of_the_module() {
    let mut count = 0;
    for (name, schema) in definitions(&COMMANDS.document) {
        for (key, default) in
            properties(schema).iter().filter_map(|(key, schema)| Some((key, schema.get("default")?)))
        {
            let mut command = schema["examples"][0].clone();
            command.as_object_mut().expect("an object").remove(key);
            let without = read(&command).expect("an example");
            command[key] = default.clone();
            assert_eq!(read(&command).expect("its default"), without, "{name}: {key}");
            count += 1;
        }
    }
    assert_eq!(count, 5);
}

fn properties(schema: &Value) -> &Map<String, Value> {
    schema["properties"].as_object().expect("properties")
}

/// Values at the limits of the fields, and of each type.
fn values() -> Vec<Value> {
    let texts = [
        "",
        "a",
        "1w2#",
        "abcdABCD",
        "1E",
        "1 ",
        "a\0",
        "a\n",
        "a\u{7f}",
        "a\u{9f}",
        "a/b",
        "a@b",
        "é",
        "both",
        "in",
        "out",
        "Both",
        "MEDIA_STOP",
        "*",
        "200",
        "0",
    ];
    let lengths = [78, 79, 80, 127, 128, 129, 255, 256, 257, 1023, 1024, 1025];
    let numbers = json!([
        0,
        1,
        -1,
        39,
        40,
        99,
        100,
        499,
        500,
        501,
        5999,
        6000,
        6001,
        59_999,
        60_000,
        60_001,
        100.0,
        100.5,
        -0.0,
        0.5,
        1e3,
        1e300,
        18_446_744_073_709_551_615_u64
    ]);
    let others = json!([
        null, true, false, [], ["MEDIA_STOP"], ["*", "nope"], ["a", 1], [null], [[]], {}, {"eventname": 1}, {"a": {"b": [1]}}
    ]);
    let lists = [numbers, others].into_iter().flat_map(|list| list.as_array().cloned().unwrap_or_default());
    let texts = texts.iter().map(|text| Value::from(*text));
    texts.chain(lengths.map(|length| "1".repeat(length).into())).chain(lists).collect()
}

/// The C module accepts a wrong id in its commands, and so does this one; the schema does not.
fn is_tolerated(command: &Value) -> bool {
    let name = command["command"].as_str().unwrap_or_default();
    let id = command.get("correlation_id");
    ["STOP_MEDIA_BUFFERING", "MARK_MEDIA"].contains(&name) && id.is_some_and(|id| !id.is_string())
}

#[derive(Debug, Default)]
struct Verdicts {
    fit: usize,
    unfit: usize,
}

impl Verdicts {
    #[track_caller]
    fn compare(&mut self, command: &Value) {
        let (fits, parsed) = (COMMANDS.check(command), read(command));
        if is_tolerated(command) {
            assert!(fits.is_err() && parsed.is_ok(), "{command}");
            return;
        }
        assert_eq!(fits.is_ok(), parsed.is_ok(), "{command}\nschema: {fits:?}\nmodule: {parsed:?}");
        *(if fits.is_ok() { &mut self.fit } else { &mut self.unfit }) += 1;
    }
}

/// Each example with each of its keys removed or replaced by each of the values; and, where the result still fits, each
/// command's last example with a second such change.
#[test]
fn the_parser_accepts_what_the_schema_accepts() {
    let values: Vec<Option<Value>> = values().into_iter().map(Some).chain([None]).collect();
    let mut verdicts = Verdicts::default();
    for schema in definitions(&COMMANDS.document).values() {
        let keys: Vec<&str> = properties(schema).keys().map(String::as_str).collect();
        let examples = schema["examples"].as_array().expect("examples");
        for (example, key, value) in each(examples, &keys, &values) {
            verdicts.compare(&changed(example, key, value));
        }
        let fields: Vec<&str> = keys.into_iter().filter(|key| *key != "command").collect();
        for (number, first) in fields.iter().enumerate() {
            for value in &values {
                let command = [changed(examples.last().expect("an example"), first, value.as_ref())];
                // A command that one field makes invalid stays invalid whatever the others are.
                if COMMANDS.check(&command[0]).is_err() {
                    continue;
                }
                for (command, second, value) in each(&command, &fields[number + 1..], &values) {
                    verdicts.compare(&changed(command, second, value));
                }
            }
        }
    }
    assert!(verdicts.fit > 2_000 && verdicts.unfit > 20_000, "{verdicts:?}");
}

fn each<'a>(
    commands: &'a [Value],
    keys: &'a [&'a str],
    values: &'a [Option<Value>],
) -> impl Iterator<Item = (&'a Value, &'a str, Option<&'a Value>)> {
    commands.iter().flat_map(move |command| {
        keys.iter().flat_map(move |key| values.iter().map(move |value| (command, *key, value.as_ref())))
    })
}

fn changed(command: &Value, key: &str, value: Option<&Value>) -> Value {
    let mut command = command.clone();
    let object = command.as_object_mut().expect("an object");
    match value {
        Some(value) => object.insert(key.to_owned(), value.clone()),
        None => object.remove(key),
    };
    command
}

#[test]
fn what_is_no_object_fits_nothing() {
    let mut verdicts = Verdicts::default();
    for value in values() {
        verdicts.compare(&value);
        verdicts.compare(&json!({"command": value}));
    }
    assert_eq!(verdicts.fit, 0);
}
