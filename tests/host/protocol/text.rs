//! Odd, wrong or hostile text messages. Each gets its defined answer; the C module ignores most of them.

use super::super::harness::{Context, Format, Suite};
use super::{QUIET, ulaw};

pub fn tests(suite: &mut Suite) {
    for case in PLAIN_TEXT {
        add(suite, Format::PlainText, case);
    }
    for case in JSON {
        add(suite, Format::Json, case);
    }
}

/// The answer to a text.
#[derive(Debug, Clone, Copy)]
enum Answer {
    /// STATUS.
    Status,
    /// ERROR with this text.
    Error(&'static str),
    /// MEDIA_MARK_PROCESSED with this correlation id.
    Mark(&'static str),
    /// No answer.
    Silence,
    /// The C module's answer differs from ours; with the number of the difference.
    Differs(&'static str, &'static Answer, &'static Answer),
}

use Answer::{Differs, Error, Mark, Silence, Status};

/// The C module does not answer; ours says what is wrong.
macro_rules! ours_error {
    ($text:expr) => {
        Differs("7", &Silence, &Error($text))
    };
}

type Case = (&'static str, &'static str, Answer);

const PLAIN_TEXT: &[Case] = &[
    ("empty", "", ours_error!("Empty command")),
    ("space", " ", ours_error!("Empty command")),
    ("white_space", "\r\n\t ", ours_error!("Empty command")),
    ("nul", "\0", ours_error!("Empty command")),
    ("unknown", "NO_SUCH_COMMAND", ours_error!("Unknown command 'NO_SUCH_COMMAND'")),
    ("lower_case", "get_status", ours_error!("Unknown command 'get_status'")),
    ("longer_word", "GET_STATUSES", ours_error!("Unknown command 'GET_STATUSES'")),
    ("shorter_word", "GET_STAT", ours_error!("Unknown command 'GET_STAT'")),
    ("two_lines", "GET_STATUS\nGET_STATUS", ours_error!("Unknown command 'GET_STATUS\\nGET_STATUS'")),
    ("tab_for_space", "MARK_MEDIA\tid", ours_error!("Unknown command 'MARK_MEDIA\\tid'")),
    ("json", r#"{"command":"GET_STATUS"}"#, ours_error!(r#"Unknown command '{"command":"GET_STATUS"}'"#)),
    ("printf", "%s%s%n%n%x", ours_error!("Unknown command '%s%s%n%n%x'")),
    ("emoji", "😀", ours_error!("Unknown command '😀'")),
    ("nul_behind", "GET_STATUS\0", Status),
    ("byte_order_mark", "\u{feff}GET_STATUS", ours_error!("Unknown command '\u{feff}GET_STATUS'")),
    ("argument_to_spare", "GET_STATUS now", Status),
    ("white_space_around", " \t\r\nGET_STATUS \r\n", Status),
    ("id_of_spaces", "MARK_MEDIA   ", Mark("")),
    ("id_behind_spaces", "MARK_MEDIA   a  b ", Mark("  a  b")),
    ("id_with_colon", "MARK_MEDIA a:b", Mark("a:b")),
    ("id_with_quotes", "MARK_MEDIA \"a\" 'b' \\c", Mark("\"a\" 'b' \\c")),
    ("id_with_emoji", "MARK_MEDIA 😀é中", Mark("😀é中")),
    ("id_with_control_characters", "MARK_MEDIA a\u{1}\u{7f}\tb", Mark("a\u{1}\u{7f}\tb")),
    ("id_with_line_feed", "MARK_MEDIA a\nb", Mark("a\nb")),
    ("id_with_nul", "MARK_MEDIA a\0b", Differs("32", &Mark("a"), &Mark("a\0b"))),
    ("id_like_printf", "MARK_MEDIA %s%n%d", Mark("%s%n%d")),
    ("id_like_json", "MARK_MEDIA {\"a\":[1]}", Mark("{\"a\":[1]}")),
];

const UNPARSABLE: Answer = Error("Unable to parse JSON command");
const NO_COMMAND: Answer = ours_error!("JSON command requires a 'command' string");
const NO_OBJECT: Answer = ours_error!("JSON command is not an object");
const NOT_EVEN_AN_ARRAY: Answer = Differs("7", &UNPARSABLE, &Error("JSON command is not an object"));

const JSON: &[Case] = &[
    ("empty", "", ours_error!("Empty command")),
    ("space", " ", UNPARSABLE),
    ("plain_text", "GET_STATUS", UNPARSABLE),
    ("half", r#"{"command":"GET_STATUS""#, UNPARSABLE),
    ("single_quotes", "{'command':'GET_STATUS'}", UNPARSABLE),
    ("no_quotes", "{command:GET_STATUS}", UNPARSABLE),
    ("comma_at_the_end", r#"{"command":"GET_STATUS",}"#, UNPARSABLE),
    ("something_behind", r#"{"command":"GET_STATUS"} x"#, UNPARSABLE),
    ("two_objects", r#"{"command":"GET_STATUS"}{"command":"GET_STATUS"}"#, UNPARSABLE),
    ("comment", r#"{"command":"GET_STATUS"} // now"#, UNPARSABLE),
    ("bad_escape", r#"{"command":"GET_STATUS","x":"\q"}"#, UNPARSABLE),
    ("lone_surrogate", r#"{"command":"GET_STATUS","x":"\ud800"}"#, UNPARSABLE),
    ("raw_control_character", "{\"command\":\"GET_STATUS\",\"x\":\"\u{1}\"}", UNPARSABLE),
    ("array", r#"["GET_STATUS"]"#, NO_OBJECT),
    ("empty_array", "[]", NO_OBJECT),
    ("number", "7", NOT_EVEN_AN_ARRAY),
    ("string", r#""GET_STATUS""#, NOT_EVEN_AN_ARRAY),
    ("null", "null", NOT_EVEN_AN_ARRAY),
    ("true", "true", NOT_EVEN_AN_ARRAY),
    ("empty_object", "{}", NO_COMMAND),
    ("no_command", r#"{"cmd":"GET_STATUS"}"#, NO_COMMAND),
    ("command_in_capitals", r#"{"COMMAND":"GET_STATUS"}"#, NO_COMMAND),
    ("command_number", r#"{"command":7}"#, NO_COMMAND),
    ("command_null", r#"{"command":null}"#, NO_COMMAND),
    ("command_array", r#"{"command":["GET_STATUS"]}"#, NO_COMMAND),
    ("command_object", r#"{"command":{"command":"GET_STATUS"}}"#, NO_COMMAND),
    ("command_empty", r#"{"command":""}"#, ours_error!("Unknown command ''")),
    ("unknown", r#"{"command":"NO_SUCH"}"#, ours_error!("Unknown command 'NO_SUCH'")),
    ("lower_case", r#"{"command":"get_status"}"#, ours_error!("Unknown command 'get_status'")),
    ("argument_in_command", r#"{"command":"MARK_MEDIA id"}"#, ours_error!("Unknown command 'MARK_MEDIA id'")),
    ("printf", r#"{"command":"%s%n%d"}"#, ours_error!("Unknown command '%s%n%d'")),
    ("more_keys", r#"{"a":1,"command":"GET_STATUS","b":[{}],"channel_id":"x"}"#, Status),
    ("white_space", " {\r\n\t\"command\" :\"GET_STATUS\" }\n", Status),
    ("escaped_command", r#"{"command":"GET_ST\u0041TUS"}"#, Status),
    ("duplicate_command", r#"{"command":"MARK_MEDIA","command":"GET_STATUS"}"#, Status),
    ("id_missing", r#"{"command":"MARK_MEDIA"}"#, Mark("")),
    ("id_empty", r#"{"command":"MARK_MEDIA","correlation_id":""}"#, Mark("")),
    ("id_number", r#"{"command":"MARK_MEDIA","correlation_id":7}"#, Mark("")),
    ("id_null", r#"{"command":"MARK_MEDIA","correlation_id":null}"#, Mark("")),
    ("id_object", r#"{"command":"MARK_MEDIA","correlation_id":{"a":"b"}}"#, Mark("")),
    ("id_with_spaces", r#"{"command":"MARK_MEDIA","correlation_id":"  a  b "}"#, Mark("  a  b ")),
    (
        "id_with_quotes",
        r#"{"command":"MARK_MEDIA","correlation_id":"\"a\" 'b' \\c/"}"#,
        Mark("\"a\" 'b' \\c/"),
    ),
    ("id_with_emoji", r#"{"command":"MARK_MEDIA","correlation_id":"😀é中"}"#, Mark("😀é中")),
    ("id_with_escaped_emoji", r#"{"command":"MARK_MEDIA","correlation_id":"\ud83d\ude00"}"#, Mark("😀")),
    (
        "id_with_control_characters",
        r#"{"command":"MARK_MEDIA","correlation_id":"\u0001\b\f\n\r\t\u001f\u007f"}"#,
        Mark("\u{1}\u{8}\u{c}\n\r\t\u{1f}\u{7f}"),
    ),
    (
        "id_with_nul",
        r#"{"command":"MARK_MEDIA","correlation_id":"a\u0000b"}"#,
        Differs("32", &UNPARSABLE, &Mark("a\0b")),
    ),
    ("id_like_printf", r#"{"command":"MARK_MEDIA","correlation_id":"%s%n%d"}"#, Mark("%s%n%d")),
    ("nul_behind", "{\"command\":\"GET_STATUS\"}\0", Status),
    ("byte_order_mark", "\u{feff}{\"command\":\"GET_STATUS\"}", UNPARSABLE),
    (
        "number_of_30_digits",
        r#"{"command":"GET_STATUS","x":123456789012345678901234567890}"#,
        Differs("32", &UNPARSABLE, &Status),
    ),
    ("number_out_of_range", r#"{"command":"GET_STATUS","x":1e999}"#, UNPARSABLE),
    ("number_with_leading_zero", r#"{"command":"GET_STATUS","x":01}"#, UNPARSABLE),
    ("not_a_number", r#"{"command":"GET_STATUS","x":NaN}"#, UNPARSABLE),
    (
        "nested_40_deep",
        concat!(
            r#"{"command":"GET_STATUS","x":"#,
            "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
            "}"
        ),
        Status,
    ),
    ("empty_key", r#"{"":1,"command":"GET_STATUS"}"#, Status),
    ("id_of_escapes", r#"{"command":"MARK_MEDIA","correlation_id":"\u0041\/\\"}"#, Mark("A/\\")),
    ("id_twice", r#"{"command":"MARK_MEDIA","correlation_id":"a","correlation_id":"b"}"#, Mark("b")),
];

/// Cases that fit no schema of docs/schema, but count as a mark without an id.
const TOLERATED: &[&str] = &["id_number", "id_null", "id_object"];

fn add(suite: &mut Suite, format: Format, case: &'static Case) {
    let (name, text, answer) = *case;
    let name = format!("text/{}/{name}", format.name());
    let tolerated = TOLERATED.contains(&case.0);
    let body = move |t: &Context| odd(t, format, text, tolerated, answer);
    match answer {
        Differs(number, ..) => suite.differs(name, number, body),
        _ => suite.same(name, body),
    };
}

fn odd(t: &Context, format: Format, text: &str, tolerated: bool, answer: Answer) {
    if !t.is_ours() {
        t.allow_log("command unknown");
        // The C module logs the first of two lines.
        t.allow_log("WebSocket GET_STATUS");
        t.allow_log("TEXT message has 0 length");
    }
    let (call, app) = t.incoming_app(&ulaw(format));
    call.wait_up();
    if tolerated {
        app.send_tolerated(text);
    } else {
        app.send_text(text);
    }
    let answer = match answer {
        Differs(_, oracle, ours) => *t.either(oracle, ours),
        same => same,
    };
    match answer {
        Status => _ = app.expect_event("STATUS"),
        Error(error) => assert_eq!(app.expect_error(), error),
        Mark(id) => assert_eq!(app.expect_event("MEDIA_MARK_PROCESSED").get("correlation_id"), id),
        Silence => app.expect_quiet(QUIET),
        Differs(..) => panic!("an answer within an answer"),
    }
    // The call continues.
    app.command("GET_STATUS");
    app.expect_event("STATUS");
}
