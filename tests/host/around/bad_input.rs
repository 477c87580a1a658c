//! An invalid value for each field of each command; and the errors on a call whose commands are plain text.

use serde_json::{Value, json};

use super::super::harness::{Context, Suite};
use super::{call, goes_on, ours};

pub fn tests(suite: &mut Suite) {
    ours(suite, "bad_input/fields", fields);
    ours(suite, "bad_input/plain_text", plain_text);
}

const DIGITS: &str =
    "allowed: a string of 0 to 9, A to D, *, # and w (half a second), or \"\" to stop those that wait";
const DURATIONS: &str = "allowed: whole numbers from 40 to 6000";
const PAUSES: &str = "allowed: whole numbers from 0 to 6000";
const TEXTS: &str = "allowed: a string that is not empty, without NUL";
const NAMES: &str = "allowed: a string of 1 to 128 bytes, without control characters";
const DATA: &str = "allowed: a JSON object without a key \"eventname\"";
const NUMBERS: &str =
    "'data' does not fit; allowed: objects without NUL in texts, and without whole numbers beyond 64 bits";
const EXTENS: &str = "allowed: a string of 1 to 79 bytes, without control characters, '@' and '/'";
const CONTEXTS: &str = "allowed: a string of 1 to 79 bytes, without control characters";

fn cases() -> Vec<(&'static str, Value, String)> {
    let missing = |field: &str, allowed: &str| format!("'{field}' is missing; {allowed}");
    let wrong = |field: &str, value: &str, allowed: &str| format!("'{field}' is {value}; {allowed}");
    let too_long = |field: &str, len: usize, max: usize| {
        format!("'{field}' has {len} bytes; allowed: at most {max} bytes")
    };
    let big: Value = serde_json::from_str(r#"{"n":18446744073709551615}"#).expect("JSON");
    vec![
        ("SEND_DTMF", json!({}), missing("digits", DIGITS)),
        ("SEND_DTMF", json!({"digits": null}), wrong("digits", "null", DIGITS)),
        ("SEND_DTMF", json!({"digits": 1}), wrong("digits", "1", DIGITS)),
        ("SEND_DTMF", json!({"digits": ["1"]}), wrong("digits", "[\"1\"]", DIGITS)),
        ("SEND_DTMF", json!({"digits": "1E"}), wrong("digits", "\"1E\"", DIGITS)),
        ("SEND_DTMF", json!({"digits": "1W"}), wrong("digits", "\"1W\"", DIGITS)),
        ("SEND_DTMF", json!({"digits": " 1"}), wrong("digits", "\" 1\"", DIGITS)),
        ("SEND_DTMF", json!({"digits": "1\0"}), wrong("digits", "\"1\\u0000\"", DIGITS)),
        ("SEND_DTMF", json!({"digits": "\u{661}"}), wrong("digits", "\"\u{661}\"", DIGITS)),
        ("SEND_DTMF", json!({"digits": "1".repeat(257)}), too_long("digits", 257, 256)),
        ("SEND_DTMF", json!({"digits": "1", "duration": null}), wrong("duration", "null", DURATIONS)),
        ("SEND_DTMF", json!({"digits": "1", "duration": "100"}), wrong("duration", "\"100\"", DURATIONS)),
        ("SEND_DTMF", json!({"digits": "1", "duration": 39}), wrong("duration", "39", DURATIONS)),
        ("SEND_DTMF", json!({"digits": "1", "duration": 6001}), wrong("duration", "6001", DURATIONS)),
        ("SEND_DTMF", json!({"digits": "", "duration": 0}), wrong("duration", "0", DURATIONS)),
        ("SEND_DTMF", json!({"digits": "1", "duration": 100.5}), wrong("duration", "100.5", DURATIONS)),
        ("SEND_DTMF", json!({"digits": "1", "pause": null}), wrong("pause", "null", PAUSES)),
        ("SEND_DTMF", json!({"digits": "1", "pause": -1}), wrong("pause", "-1", PAUSES)),
        ("SEND_DTMF", json!({"digits": "1", "pause": 6001}), wrong("pause", "6001", PAUSES)),
        ("SEND_DTMF", json!({"digits": "1", "pause": true}), wrong("pause", "true", PAUSES)),
        ("SEND_TEXT", json!({}), missing("text", TEXTS)),
        ("SEND_TEXT", json!({"text": null}), wrong("text", "null", TEXTS)),
        ("SEND_TEXT", json!({"text": 1}), wrong("text", "1", TEXTS)),
        ("SEND_TEXT", json!({"text": ""}), wrong("text", "\"\"", TEXTS)),
        ("SEND_TEXT", json!({"text": "a\0b"}), wrong("text", "\"a\\u0000b\"", TEXTS)),
        ("SEND_EVENT", json!({}), missing("name", NAMES)),
        ("SEND_EVENT", json!({"name": null}), wrong("name", "null", NAMES)),
        ("SEND_EVENT", json!({"name": ""}), wrong("name", "\"\"", NAMES)),
        ("SEND_EVENT", json!({"name": "a\r\nb"}), wrong("name", "\"a\\r\\nb\"", NAMES)),
        ("SEND_EVENT", json!({"name": "n".repeat(129)}), too_long("name", 129, 128)),
        ("SEND_EVENT", json!({"name": "n", "data": null}), wrong("data", "null", DATA)),
        ("SEND_EVENT", json!({"name": "n", "data": [1]}), wrong("data", "[1]", DATA)),
        ("SEND_EVENT", json!({"name": "n", "data": "{}"}), wrong("data", "\"{}\"", DATA)),
        (
            "SEND_EVENT",
            json!({"name": "n", "data": {"eventname": "m"}}),
            wrong("data", "an object with the key \"eventname\"", DATA),
        ),
        ("SEND_EVENT", json!({"name": "n", "data": {"a": "b\0"}}), NUMBERS.into()),
        ("SEND_EVENT", json!({"name": "n", "data": {"a\0": [{}]}}), NUMBERS.into()),
        ("SEND_EVENT", json!({"name": "n", "data": big}), NUMBERS.into()),
        ("TRANSFER", json!({}), missing("exten", EXTENS)),
        ("TRANSFER", json!({"exten": null}), wrong("exten", "null", EXTENS)),
        ("TRANSFER", json!({"exten": 200}), wrong("exten", "200", EXTENS)),
        ("TRANSFER", json!({"exten": ""}), wrong("exten", "\"\"", EXTENS)),
        ("TRANSFER", json!({"exten": "2\0"}), wrong("exten", "\"2\\u0000\"", EXTENS)),
        ("TRANSFER", json!({"exten": "200@internal"}), wrong("exten", "\"200@internal\"", EXTENS)),
        ("TRANSFER", json!({"exten": "200/n"}), wrong("exten", "\"200/n\"", EXTENS)),
        ("TRANSFER", json!({"exten": "2".repeat(80)}), too_long("exten", 80, 79)),
        ("TRANSFER", json!({"exten": "200", "context": null}), wrong("context", "null", CONTEXTS)),
        ("TRANSFER", json!({"exten": "200", "context": "a\n"}), wrong("context", "\"a\\n\"", CONTEXTS)),
        ("TRANSFER", json!({"exten": "200", "context": "c".repeat(80)}), too_long("context", 80, 79)),
    ]
}

fn fields(t: &Context) {
    let (_call, app) = call(t);
    for (name, fields, text) in cases() {
        // Of these commands, only events with data that Asterisk cannot represent count towards the limit of five a
        // second.
        for id in [Some("i"), None] {
            let mut fields = fields.clone();
            if let Some(id) = id {
                fields["correlation_id"] = id.into();
            }
            super::command(&app, name, fields);
            let error = app.expect_event("ERROR");
            if error.get("error_text").contains("events in a second") {
                continue;
            }
            assert_eq!(error.get("error_text"), format!("{name}: {text}"));
            assert_eq!((error.get("command"), error.value("correlation_id").as_str()), (name.into(), id));
        }
    }
    for name in ["SEND_DTMF", "SEND_TEXT", "SEND_EVENT", "TRANSFER"] {
        super::command(
            &app,
            name,
            json!({"correlation_id": 1, "digits": "1", "text": "t", "name": "n", "exten": "200"}),
        );
        let error = app.expect_event("ERROR");
        let text = format!("{name}: 'correlation_id' is 1; allowed: a string of at most 1024 bytes");
        assert_eq!((error.get("error_text"), error.value("correlation_id")), (text, &Value::Null));
    }
    goes_on(&app);
}

fn plain_text(t: &Context) {
    let (call, app) = t.incoming_app("c(ulaw)");
    call.wait_up();
    for name in ["SUBSCRIBE", "SEND_DTMF", "SEND_TEXT", "SEND_EVENT", "TRANSFER"] {
        for argument in ["", " 200", " {\"exten\":\"200\"}"] {
            app.send_text(&format!("{name}{argument}"));
            assert_eq!(app.expect_error(), format!("{name} only supports JSON format."));
        }
    }
    goes_on(&app);
}
