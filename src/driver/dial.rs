//! The dial string `WebSocket/<connection id>/<options>`.
//!
//! What a codec name or a connection id stands for is the host's business. Called from the thread that requests
//! the channel.

use super::client;
use super::command::{CONTROL_MESSAGE_FORMATS, ControlMessageFormat, MEDIA_DIRECTIONS, MediaDirection};

/// The connection id of a channel that waits for the app to connect to Asterisk, in this exact case.
pub const INCOMING: &str = "INCOMING";

/// What a dial string says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DialString {
    /// [`INCOMING`], or the name of a websocket_client; never empty.
    pub connection_id: String,
    /// The options, with their defaults.
    pub options: DialOptions,
    /// What to log, without the requestor's name in front; the call goes on.
    pub warnings: Vec<String>,
}

/// The options of a dial string.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DialOptions {
    /// `c(codec)`: Asterisk's format name; `None`: the first of the requested capabilities.
    pub codec: Option<String>,
    /// `n`: only the ANSWER command answers.
    pub no_auto_answer: bool,
    /// `p`: messages are frames, and not re-framed.
    pub passthrough: bool,
    /// `u`: messages go to the core as they come.
    pub unbuffered: bool,
    /// `f(format)`; `None`: the configuration's. A bad value is [`ControlMessageFormat::PlainText`].
    pub format: Option<ControlMessageFormat>,
    /// `d(direction)`.
    pub direction: MediaDirection,
    /// `v(name=value,…)`: query parameters for the URI, joined with `&`; never empty.
    pub uri_params: Option<String>,
}

impl DialString {
    /// Whether the app connects to Asterisk.
    pub fn is_incoming(&self) -> bool {
        self.connection_id == INCOMING
    }
}

/// A dial string that makes no channel. Displays as the log line, without the requestor's name in front.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DialError {
    /// Nothing at all.
    #[error("A connection id is required for the 'WebSocket' channel")]
    Empty,
    /// Nothing before the first `/`.
    #[error("connection_id is required for the 'WebSocket' channel")]
    NoConnectionId,
    /// An option's argument does not end.
    #[error(
        "'WebSocket' channel options '{options}' parse error: the argument of '{option}' has no closing parenthesis"
    )]
    MissingParenthesis {
        /// The option's letter.
        option: char,
        /// All options.
        options: String,
    },
    /// `d()` names no direction.
    #[error("Unrecognized option for media direction: '{0}'. Must be {MEDIA_DIRECTIONS}")]
    Direction(String),
    /// `v()` holds a name or a value that is not URI-encoded.
    #[error(
        "Invalid URI parameters '{params}' in WebSocket/{connection_id} dial string. Names and values must be \
         URI-encoded: letters, digits, '-', '_', '.', '+' and %XX"
    )]
    UriParams {
        /// What `v()` holds, without the values: they may be secrets.
        params: String,
        /// Whom the parameters are for.
        connection_id: String,
    },
    /// `v()` where there is no URI of ours.
    #[error("URI parameters are not allowed for 'WebSocket/INCOMING' channels")]
    UriParamsIncoming,
}

/// Takes a dial string apart; `data` is what follows `WebSocket/`.
///
/// # Errors
/// See [`DialError`]; no channel is to be made.
pub fn parse(data: &str) -> Result<DialString, DialError> {
    if data.is_empty() {
        return Err(DialError::Empty);
    }
    let (connection_id, options) = split_connection_id(data);
    if connection_id.is_empty() {
        return Err(DialError::NoConnectionId);
    }
    let mut dialed = DialString { connection_id, options: DialOptions::default(), warnings: Vec::new() };
    let (mut direction, mut format, mut uri_params) = (None, None, None);
    let mut unknown = String::new();
    for OptionText { letter, argument } in split_options(options)? {
        match letter {
            'c' => dialed.options.codec = Some(argument).filter(|codec| !codec.is_empty()),
            'd' => direction = Some(argument),
            'f' => format = Some(argument),
            'n' => dialed.options.no_auto_answer = true,
            'p' => dialed.options.passthrough = true,
            'u' => dialed.options.unbuffered = true,
            'v' => uri_params = Some(argument).filter(|params| !params.is_empty()),
            _ if unknown.contains(letter) => {}
            _ => unknown.push(letter),
        }
    }
    if !unknown.is_empty() {
        dialed.warnings.push(format!("Unknown options '{unknown}' in 'WebSocket' dial string ignored"));
    }
    // Arguments are judged last, because of a repeated option only the last one counts.
    if let Some(direction) = direction {
        dialed.options.direction =
            MediaDirection::parse(&direction).ok_or(DialError::Direction(direction))?;
    }
    if let Some(params) = uri_params {
        dialed.options.uri_params = Some(check_uri_params(&dialed.connection_id, params)?);
    }
    if let Some(format) = format {
        let parsed = ControlMessageFormat::parse(&format);
        if parsed.is_none() {
            dialed.warnings.push(format!(
                "'f/control message format' dialstring parameter value '{format}' missing or invalid, must be \
                 {CONTROL_MESSAGE_FORMATS}. Defaulting to '{}'",
                ControlMessageFormat::PlainText.as_str()
            ));
        }
        dialed.options.format = Some(parsed.unwrap_or(ControlMessageFormat::PlainText));
    }
    Ok(dialed)
}

/// Splits at the first `/` that is outside of quotes, parentheses and brackets. What follows is left as it is; in
/// front of it quotes and backslashes are removed, as by `AST_NONSTANDARD_APP_ARGS` (asterisk/app.h).
fn split_connection_id(data: &str) -> (String, &str) {
    let mut connection_id = String::new();
    let (mut parentheses, mut brackets, mut quoted) = (0_usize, 0_usize, false);
    let mut chars = data.chars();
    while let Some(c) = chars.next() {
        match c {
            '/' if parentheses == 0 && brackets == 0 && !quoted => break,
            '"' => {
                quoted = !quoted;
                continue;
            }
            '\\' => {
                connection_id.extend(chars.next());
                continue;
            }
            '(' => parentheses += 1,
            ')' => parentheses = parentheses.saturating_sub(1),
            '[' => brackets += 1,
            ']' => brackets = brackets.saturating_sub(1),
            _ => {}
        }
        connection_id.push(c);
    }
    (connection_id, chars.as_str())
}

/// One option as it is written.
struct OptionText {
    letter: char,
    /// Without quotes and backslashes; empty if there is none.
    argument: String,
}

/// Takes options apart as `ast_app_parse_options` (asterisk/app.h): parentheses nest; a backslash takes the next
/// character literally; quotes count, and vanish, only in an argument that begins with one, and in quotes a
/// backslash vanishes only before a quote.
fn split_options(options: &str) -> Result<Vec<OptionText>, DialError> {
    let mut split = Vec::new();
    let mut rest = options.chars();
    while let Some(letter) = rest.next() {
        let mut argument = String::new();
        let mut chars = rest.clone();
        if chars.next() == Some('(') {
            rest = argument_end(chars, &mut argument).ok_or_else(|| DialError::MissingParenthesis {
                option: letter,
                options: client::options_for_log(options),
            })?;
        }
        split.push(OptionText { letter, argument });
    }
    Ok(split)
}

/// Reads an argument behind its opening parenthesis; what follows the closing one, or `None` if there is none.
fn argument_end<'a>(mut chars: std::str::Chars<'a>, argument: &mut String) -> Option<std::str::Chars<'a>> {
    let quotes_count = chars.as_str().starts_with('"');
    let (mut depth, mut quoted) = (1_usize, false);
    loop {
        let c = chars.next()?;
        match c {
            '"' if quotes_count => {
                quoted = !quoted;
                continue;
            }
            '\\' => {
                let literal = chars.next()?;
                if quoted && literal != '"' {
                    argument.push(c);
                }
                argument.push(literal);
                continue;
            }
            '(' if !quoted => depth += 1,
            ')' if !quoted => {
                depth -= 1;
                if depth == 0 {
                    return Some(chars);
                }
            }
            _ => {}
        }
        argument.push(c);
    }
}

/// The parameters of `v()` as a part of a query. Dial() takes `&` for itself, so they are written with commas.
fn check_uri_params(connection_id: &str, params: String) -> Result<String, DialError> {
    if connection_id == INCOMING {
        return Err(DialError::UriParamsIncoming);
    }
    if !params.split([',', '=']).all(is_uri_encoded) {
        return Err(DialError::UriParams {
            params: names_only(&params),
            connection_id: connection_id.to_owned(),
        });
    }
    Ok(params.replace(',', "&"))
}

fn names_only(params: &str) -> String {
    let hidden = params.split(',').map(|param| match param.split_once('=') {
        Some((name, _)) => format!("{name}={}", client::HIDDEN),
        None => param.to_owned(),
    });
    hidden.collect::<Vec<_>>().join(",")
}

/// Whether nothing in `text` needs to be URI-encoded, or already is. The characters are those of
/// `ast_uri_verify_encoded` (asterisk/utils.h).
///
/// DIVERGES: a `%` must have two hexadecimal digits. The C module scans them as a number, and lets `%4g` and even a
/// line feed between `%` and one digit pass, which would break the request up.
fn is_uri_encoded(text: &str) -> bool {
    let mut bytes = text.bytes();
    let hex_digit = |bytes: &mut std::str::Bytes<'_>| bytes.next().is_some_and(|b| b.is_ascii_hexdigit());
    while let Some(b) = bytes.next() {
        let ok = match b {
            b'%' => hex_digit(&mut bytes) && hex_digit(&mut bytes),
            b'-' | b'_' | b'.' | b'+' => true,
            _ => b.is_ascii_alphanumeric(),
        };
        if !ok {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn options() -> DialOptions {
        DialOptions::default()
    }

    /// A row of a table: what is tried, the dial string, the connection id, the options, the number of warnings.
    type Row = (&'static str, &'static str, &'static str, DialOptions, usize);

    #[test]
    fn dial_strings_that_make_a_channel() {
        use ControlMessageFormat::{Json, PlainText};
        let codec = |name: &str| DialOptions { codec: Some(name.into()), ..options() };
        let format = |format| DialOptions { format: Some(format), ..options() };
        let direction = |direction| DialOptions { direction, ..options() };
        let params = |params: &str| DialOptions { uri_params: Some(params.into()), ..options() };
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
            (
                "direction repeated, last is good",
                "conn1/d(x)d(in)",
                "conn1",
                direction(MediaDirection::In),
                0,
            ),
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
            (
                "id with a quoted slash",
                r#""a/b"/n"#,
                "a/b",
                DialOptions { no_auto_answer: true, ..options() },
                0,
            ),
            (
                "id with an escaped slash",
                r"a\/b/n",
                "a/b",
                DialOptions { no_auto_answer: true, ..options() },
                0,
            ),
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
            (
                "id with closing ones only",
                "a)]b/n",
                "a)]b",
                DialOptions { no_auto_answer: true, ..options() },
                0,
            ),
            ("id ending in a backslash", r"a\", "a", options(), 0),
            (
                "everything at once",
                "conn1/c(ulaw)npuf(json)d(out)v(a=1)",
                "conn1",
                DialOptions {
                    codec: Some("ulaw".into()),
                    no_auto_answer: true,
                    passthrough: true,
                    unbuffered: true,
                    format: Some(Json),
                    direction: MediaDirection::Out,
                    uri_params: Some("a=1".into()),
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
            (
                "incoming with parameters",
                "INCOMING/v(a=1)",
                "URI parameters are not allowed for 'WebSocket/INCOMING' channels",
            ),
        ];
        for (name, data, text) in rows {
            assert_eq!(parse(data).expect_err(name).to_string(), text, "{name}");
        }
    }

    #[test]
    fn warnings_say_what_is_ignored() {
        let dialed = parse("conn1/f(xml)xy(1)né x").unwrap();
        assert_eq!(
            dialed.warnings,
            [
                "Unknown options 'xyé ' in 'WebSocket' dial string ignored",
                "'f/control message format' dialstring parameter value 'xml' missing or invalid, must be 'plain-text' \
             or 'json'. Defaulting to 'plain-text'",
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
            let params = names_only(params);
            let expected = DialError::UriParams { params: params.clone(), connection_id: "conn1".into() };
            assert_eq!(error, expected, "{name}");
            assert!(
                error
                    .to_string()
                    .starts_with(&format!("Invalid URI parameters '{params}' in WebSocket/conn1"))
            );
        }
    }

    proptest! {
        #[test]
        fn any_text_is_taken_apart(data in any::<String>()) {
            let _ = parse(&data);
        }

        #[test]
        fn any_option_text_is_taken_apart(data in r#"[a-z/]{0,3}/[cdfnpuvx(),="\\%a1/]{0,30}"#) {
            if let Ok(dialed) = parse(&data) {
                prop_assert!(!dialed.connection_id.is_empty());
                if let Some(params) = dialed.options.uri_params {
                    prop_assert!(!dialed.connection_id.eq(INCOMING) && !params.contains([',', ' ', '/']));
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
}
