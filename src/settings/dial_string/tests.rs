//! Dial strings, and how each is parsed.

use std::time::Duration;

use super::*;
use crate::settings::config::QueueOverflow;
use proptest::prelude::*;

fn options() -> DialOptions {
    DialOptions::default()
}

/// A row of a table: description, dial string, connection id, options, number of warnings.
type Row = (&'static str, &'static str, &'static str, DialOptions, usize);

#[test]
fn dial_strings_that_make_a_channel() {
    use ControlMessageFormat::{Json, PlainText};
    let codec = |name: &str| DialOptions { codec: Some(name.into()), ..options() };
    let format = |format| DialOptions { format: Some(format), ..options() };
    let direction = |direction| DialOptions { direction, ..options() };
    let params = |params: &str| DialOptions { uri_params: Some(params.into()), ..options() };
    let media = |queue_overflow, max_latency: Option<u64>, music_on_hold| {
        let max_latency = max_latency.map(Duration::from_millis);
        let silence_fill = None;
        DialOptions {
            media: MediaOptions { queue_overflow, max_latency, music_on_hold, silence_fill },
            ..options()
        }
    };
    let rows: Vec<Row> = vec![
        ("id only", "conn1", "conn1", options(), 0),
        ("id and slash", "conn1/", "conn1", options(), 0),
        ("incoming", "INCOMING", "INCOMING", options(), 0),
        ("codec", "conn1/c(ulaw)", "conn1", codec("ulaw"), 0),
        ("codec empty", "conn1/c()", "conn1", options(), 0),
        ("codec without argument", "conn1/c", "conn1", options(), 0),
        ("codec repeated, last wins", "conn1/c(ulaw)c(slin16)", "conn1", codec("slin16"), 0),
        ("codec repeated, last is empty", "conn1/c(ulaw)c", "conn1", options(), 0),
        ("no answer", "conn1/n", "conn1", DialOptions { no_auto_answer: true, ..options() }, 0),
        (
            "argument where none belongs",
            "conn1/n(x)",
            "conn1",
            DialOptions { no_auto_answer: true, ..options() },
            0,
        ),
        ("passthrough", "conn1/p", "conn1", DialOptions { passthrough: true, ..options() }, 0),
        ("unbuffered", "conn1/u", "conn1", DialOptions { unbuffered: true, ..options() }, 0),
        ("json", "conn1/f(json)", "conn1", format(Json), 0),
        ("JSON", "conn1/f(JSON)", "conn1", format(Json), 0),
        ("plain text", "conn1/f(Plain-Text)", "conn1", format(PlainText), 0),
        ("format unknown", "conn1/f(xml)", "conn1", format(PlainText), 1),
        ("format empty", "conn1/f()", "conn1", format(PlainText), 1),
        ("format missing", "conn1/f", "conn1", format(PlainText), 1),
        ("format repeated, last is good", "conn1/f(xml)f(json)", "conn1", format(Json), 0),
        ("direction both", "conn1/d(both)", "conn1", options(), 0),
        ("direction in", "conn1/d(in)", "conn1", direction(MediaDirection::In), 0),
        ("direction out", "conn1/d(out)", "conn1", direction(MediaDirection::Out), 0),
        ("direction repeated, last is good", "conn1/d(x)d(in)", "conn1", direction(MediaDirection::In), 0),
        ("parameters", "conn1/v(a=1,b=2)", "conn1", params("a=1&b=2"), 0),
        ("parameters encoded", "conn1/v(a%20b=%C3%a9)", "conn1", params("a%20b=%C3%a9"), 0),
        ("parameters with all plain characters", "c/v(a-_.+Z9=0)", "c", params("a-_.+Z9=0"), 0),
        ("parameter without value", "conn1/v(a,b=,=c,,)", "conn1", params("a&b=&=c&&"), 0),
        ("parameters empty", "conn1/v()", "conn1", options(), 0),
        ("parameters empty, incoming", "INCOMING/v()", "INCOMING", options(), 0),
        ("parameters missing, incoming", "INCOMING/v", "INCOMING", options(), 0),
        ("parameters repeated, last is good", "conn1/v(a b)v(a=1)", "conn1", params("a=1"), 0),
        ("parameters repeated, last is empty", "INCOMING/v(a=1)v", "INCOMING", options(), 0),
        ("parameters, incoming in another case", "incoming/v(a=1)", "incoming", params("a=1"), 0),
        (
            "settings",
            "conn1/X(queue_overflow=wait,max_latency=200,music_on_hold=on)",
            "conn1",
            { media(Some(QueueOverflow::Wait), Some(200), Some(true)) },
            0,
        ),
        (
            "settings that switch off",
            "conn1/X(queue_overflow=drop,max_latency=0,music_on_hold=no)",
            "conn1",
            { media(Some(QueueOverflow::Drop), Some(0), Some(false)) },
            0,
        ),
        (
            "settings, last wins",
            "conn1/X(max_latency=nothing,max_latency=20)",
            "conn1",
            media(None, Some(20), None),
            0,
        ),
        (
            "settings, silence",
            "conn1/X(silence_fill=yes)",
            "conn1",
            DialOptions {
                media: MediaOptions { silence_fill: Some(true), ..MediaOptions::default() },
                ..options()
            },
            0,
        ),
        ("settings empty", "conn1/X()", "conn1", options(), 0),
        ("settings without argument", "conn1/X", "conn1", options(), 0),
        (
            "settings repeated, last wins whole",
            "conn1/X(max_latency=20)X(music_on_hold=1)",
            "conn1",
            { media(None, None, Some(true)) },
            0,
        ),
        ("settings repeated, last is good", "conn1/X(nonsense)X()", "conn1", options(), 0),
        ("settings, quoted", r#"conn1/X("music_on_hold=yes")"#, "conn1", media(None, None, Some(true)), 0),
        (
            "settings, incoming",
            "INCOMING/X(max_latency=60000)",
            "INCOMING",
            media(None, Some(60_000), None),
            0,
        ),
        ("settings in small letters", "conn1/x(max_latency=20)", "conn1", options(), 1),
        ("unknown letter", "conn1/x", "conn1", options(), 1),
        ("unknown letter with argument", "conn1/x(c(ulaw))", "conn1", options(), 1),
        (
            "separators are unknown letters",
            "conn1/n,p",
            "conn1",
            DialOptions { no_auto_answer: true, passthrough: true, ..options() },
            1,
        ),
        (
            "letter that is not ASCII",
            "conn1/é(a)ãp",
            "conn1",
            DialOptions { passthrough: true, ..options() },
            1,
        ),
        (
            "closing parenthesis too many",
            "conn1/n)p",
            "conn1",
            DialOptions { no_auto_answer: true, passthrough: true, ..options() },
            1,
        ),
        (
            "slash in the options",
            "conn1/x(a/b)/n",
            "conn1",
            DialOptions { no_auto_answer: true, ..options() },
            1,
        ),
        ("nested parentheses", "conn1/c(a(b)c)", "conn1", codec("a(b)c"), 0),
        ("backslash before a parenthesis", r"conn1/c(a\)b)", "conn1", codec("a)b"), 0),
        ("backslash before a letter", r"conn1/c(a\b)", "conn1", codec("ab"), 0),
        ("quotes at the beginning", r#"conn1/c("a)b"c)"#, "conn1", codec("a)bc"), 0),
        ("quotes later", r#"conn1/c(a"b")"#, "conn1", codec(r#"a"b""#), 0),
        ("backslashes in quotes", r#"conn1/c("a\"b\c")"#, "conn1", codec(r#"a"b\c"#), 0),
        ("id with a quoted slash", r#""a/b"/n"#, "a/b", DialOptions { no_auto_answer: true, ..options() }, 0),
        ("id with an escaped slash", r"a\/b/n", "a/b", DialOptions { no_auto_answer: true, ..options() }, 0),
        (
            "id with a slash in parentheses",
            "a(b/c)d/n",
            "a(b/c)d",
            DialOptions { no_auto_answer: true, ..options() },
            0,
        ),
        (
            "id with a slash in brackets",
            "a[b/c]d/n",
            "a[b/c]d",
            DialOptions { no_auto_answer: true, ..options() },
            0,
        ),
        ("id with an open parenthesis", "a(b/n", "a(b/n", options(), 0),
        ("id with closing ones only", "a)]b/n", "a)]b", DialOptions { no_auto_answer: true, ..options() }, 0),
        ("id ending in a backslash", r"a\", "a", options(), 0),
        (
            "everything at once",
            "conn1/c(ulaw)npuf(json)d(out)v(a=1)X(max_latency=0)",
            "conn1",
            DialOptions {
                codec: Some("ulaw".into()),
                no_auto_answer: true,
                passthrough: true,
                unbuffered: true,
                format: Some(Json),
                direction: MediaDirection::Out,
                uri_params: Some("a=1".into()),
                media: MediaOptions { max_latency: Some(Duration::ZERO), ..MediaOptions::default() },
            },
            0,
        ),
    ];
    for (name, data, connection_id, options, warnings) in rows {
        let dialed = parse(data).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(dialed.connection_id, connection_id, "{name}");
        assert_eq!(dialed.options, options, "{name}");
        assert_eq!(dialed.warnings.len(), warnings, "{name}: {:?}", dialed.warnings);
        assert_eq!(dialed.is_incoming(), connection_id == "INCOMING", "{name}");
    }
}

#[test]
fn dial_strings_that_are_refused() {
    let rows = [
        ("nothing", "", "A connection id is required for the 'WebSocket' channel"),
        ("no id", "/c(ulaw)", "connection_id is required for the 'WebSocket' channel"),
        ("slash only", "/", "connection_id is required for the 'WebSocket' channel"),
        ("quotes only", r#""""#, "connection_id is required for the 'WebSocket' channel"),
        (
            "no closing parenthesis",
            "conn1/nc(ulaw",
            "'WebSocket' channel options 'nc(ulaw' parse error: the argument of 'c' has no closing parenthesis",
        ),
        (
            "no closing parenthesis of an unknown option",
            "conn1/x(",
            "'WebSocket' channel options 'x(' parse error: the argument of 'x' has no closing parenthesis",
        ),
        (
            "quotes not closed",
            r#"conn1/c("ulaw)"#,
            r#"'WebSocket' channel options 'c("ulaw)' parse error: the argument of 'c' has no closing parenthesis"#,
        ),
        (
            "ends in a backslash",
            r"conn1/c(ulaw\",
            r"'WebSocket' channel options 'c(ulaw\' parse error: the argument of 'c' has no closing parenthesis",
        ),
        (
            "direction unknown",
            "conn1/d(sideways)",
            "Unrecognized option for media direction: 'sideways'. Must be 'both', 'in' or 'out'",
        ),
        (
            "direction in another case",
            "conn1/d(IN)",
            "Unrecognized option for media direction: 'IN'. Must be 'both', 'in' or 'out'",
        ),
        (
            "direction missing",
            "conn1/d",
            "Unrecognized option for media direction: ''. Must be 'both', 'in' or 'out'",
        ),
        (
            "direction repeated, last is bad",
            "conn1/d(in)d()",
            "Unrecognized option for media direction: ''. Must be 'both', 'in' or 'out'",
        ),
    ];
    for (name, data, text) in rows {
        assert_eq!(parse(data).expect_err(name).to_string(), text, "{name}");
    }
}

#[test]
fn options_that_a_dialect_does_not_have() {
    use ControlMessageFormat::{Json, PlainText, Twilio};
    let not_twilio = |option: char, why: &str| {
        Some(format!(
            "Option '{option}' is not possible with f(twilio) in WebSocket/conn1: {why}. Allowed are calls in twilio \
             without it, or f(plain-text) and f(json)"
        ))
    };
    let frames = "media comes in messages of any size, which are no frames";
    let incoming = || Some("URI parameters are not allowed for 'WebSocket/INCOMING' channels".to_owned());
    for (data, format, error) in [
        ("INCOMING/v(a=1)", PlainText, incoming()),
        ("INCOMING/v(a=1)", Json, incoming()),
        ("INCOMING/v(a=1)", Twilio, None),
        ("conn1/v(a=1)npu", Json, None),
        ("conn1/v(a=1)c(slin)d(in)", Twilio, None),
        ("conn1/n", Twilio, not_twilio('n', "its applications have no message that answers")),
        ("conn1/p", Twilio, not_twilio('p', frames)),
        ("conn1/u", Twilio, not_twilio('u', frames)),
    ] {
        let checked = parse(data).unwrap().check(format);
        assert_eq!(checked.err().map(|error| error.to_string()), error, "{data} {format:?}");
    }
}

#[test]
fn parameters_are_decoded_as_a_server_decodes_a_query() {
    for (data, expected) in [
        ("conn1", vec![]),
        ("conn1/v(a=1,b)", vec![("a", "1"), ("b", "")]),
        ("conn1/v(a=x+y%2Bz%26,%C3%A9=%C3%A9,b=1=2)", vec![("a", "x y+z&"), ("é", "é"), ("b", "1=2")]),
        ("conn1/v(a=%ff,a=2,,=)", vec![("a", "\u{fffd}"), ("a", "2"), ("", "")]),
    ] {
        let expected: Vec<_> = expected.into_iter().map(|(a, b)| (a.to_owned(), b.to_owned())).collect();
        assert_eq!(parse(data).unwrap().options.parameters(), expected, "{data}");
    }
}

#[test]
fn settings_that_do_not_fit() {
    let names = "queue_overflow, max_latency, music_on_hold or silence_fill";
    let latency = "0 (off), or a number from 20 to 60000 (milliseconds)";
    let unknown =
        |name: &str| format!("Unknown name '{name}' in X() of the 'WebSocket' dial string. Must be {names}");
    let invalid = |value: &str, name: &str, allowed: &str| {
        format!("Invalid value '{value}' for {name} in X() of the 'WebSocket' dial string. Must be {allowed}")
    };
    for (pairs, expected) in [
        ("write_timeout=5", unknown("write_timeout")),
        ("queue_bytes=65536", unknown("queue_bytes")),
        ("Max_Latency=20", unknown("Max_Latency")),
        ("max_latency=20, music_on_hold=yes", unknown(" music_on_hold")),
        ("max_latency =20", unknown("max_latency ")),
        ("max_latency=20,", unknown("")),
        (",", unknown("")),
        ("=", unknown("")),
        ("f(x)=1", unknown("f(x)")),
        ("max_latency=nothing,foo", unknown("foo")),
        (
            "max_latency=nothing,music_on_hold=maybe,max_latency=20",
            invalid("maybe", "music_on_hold", "yes or no"),
        ),
        ("queue_overflow", invalid("", "queue_overflow", "'drop' or 'wait'")),
        ("queue_overflow=wait ", invalid("wait ", "queue_overflow", "'drop' or 'wait'")),
        ("queue_overflow=(wait)", invalid("(wait)", "queue_overflow", "'drop' or 'wait'")),
        ("max_latency=20=30", invalid("20=30", "max_latency", latency)),
        ("max_latency=19", invalid("19", "max_latency", latency)),
        ("max_latency=00", invalid("00", "max_latency", latency)),
        ("max_latency=20,max_latency=", invalid("", "max_latency", latency)),
        ("music_on_hold=", invalid("", "music_on_hold", "yes or no")),
        ("silence_fill=20", invalid("20", "silence_fill", "yes or no")),
    ] {
        let error = parse(&format!("conn1/c(ulaw)X({pairs})n")).expect_err(pairs);
        assert_eq!(error.to_string(), expected, "{pairs}");
    }
}

#[test]
fn warnings_say_what_is_ignored() {
    let dialed = parse("conn1/f(xml)xy(1)né x").unwrap();
    assert_eq!(
        dialed.warnings,
        [
            "Unknown options 'xyé ' in 'WebSocket' dial string ignored".to_owned(),
            format!(
                "'f/control message format' dialstring parameter value 'xml' missing or invalid, must be {}. \
                 Defaulting to 'plain-text'",
                control_message_formats()
            ),
        ]
    );
}

#[test]
fn uri_parameters_that_are_not_encoded() {
    let rows = [
        ("space", "a b"),
        ("ampersand", "a=1&b=2"),
        ("slash", "a=/"),
        ("tilde", "a=~"),
        ("quote", "a='1'"),
        ("not ASCII", "a=é"),
        ("percent at the end", "a=%"),
        ("one digit", "a=%4"),
        ("no digits", "a=%zz"),
        ("one digit and a letter", "a=%4g"),
        ("line feed for a digit", "a=%\n4"),
        ("digits on both sides of a separator", "a=%4,1"),
        ("value", "a=1,b=c d"),
        ("name", "a=1,b c=d"),
    ];
    for (name, params) in rows {
        let data = format!("conn1/v({params})");
        let error = parse(&data).expect_err(name);
        let params = params_for_log(params);
        let expected = DialError::UriParams { params: params.clone(), connection_id: "conn1".into() };
        assert_eq!(error, expected, "{name}");
        assert!(
            error.to_string().starts_with(&format!("Invalid URI parameters '{params}' in WebSocket/conn1"))
        );
    }
}

proptest! {
    #[test]
    fn any_text_is_taken_apart(data in any::<String>()) {
        let _ = parse(&data);
    }

    #[test]
    fn any_option_text_is_taken_apart(data in r#"[a-z/]{0,3}/[cdfnpuvxX(),="\\%a1/]{0,30}"#) {
        if let Ok(dialed) = parse(&data) {
            prop_assert!(!dialed.connection_id.is_empty());
            if let Some(params) = dialed.options.uri_params {
                prop_assert!(!params.contains([',', ' ', '/']));
            }
        }
    }

    #[test]
    fn an_escaped_argument_comes_back(codec in r#"[a-z()"\\ ]{1,20}"#, id in r#"[a-z()/\[\]"\\]{1,20}"#) {
        let escape = |text: &str| text.chars().flat_map(|c| ['\\', c]).collect::<String>();
        let dialed = parse(&format!("{}/nc({})p", escape(&id), escape(&codec))).unwrap();
        prop_assert_eq!(dialed.connection_id, id);
        prop_assert_eq!(dialed.options.codec, Some(codec));
        prop_assert!(dialed.options.no_auto_answer && dialed.options.passthrough);
    }

    #[test]
    fn encoded_parameters_are_accepted(name in any::<String>(), value in any::<String>()) {
        let encode = |text: &str| text.bytes().map(|b| format!("%{b:02x}")).collect::<String>();
        let (name, value) = (encode(&name), encode(&value));
        let dialed = parse(&format!("conn1/v(a=1,{name}={value})")).unwrap();
        prop_assert_eq!(dialed.options.uri_params, Some(format!("a=1&{name}={value}")));
    }
}
