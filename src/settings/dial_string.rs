//! The dial string `WebSocket/<connection id>/<options>`.
//!
//! The host knows what a codec name or a connection id stands for. Called from the thread that requests
//! the channel.

#[cfg(test)]
mod tests;

use percent_encoding::percent_decode_str;

use super::config::{MediaOptionError, MediaOptions};
use super::secrets::{options_for_log, params_for_log};
use crate::protocol::command::{MEDIA_DIRECTIONS, MediaDirection};
use crate::protocol::dialect::{ControlMessageFormat, control_message_formats};

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
    /// `v(name=value,…)`: query parameters for the URI, joined with `&`; never empty. A dialect that
    /// [carries parameters](crate::protocol::dialect::Profile::carries_parameters) puts them into its messages instead.
    pub uri_params: Option<String>,
    /// `X(name=value,…)`: settings for this call.
    pub media: MediaOptions,
}

impl DialOptions {
    /// Names and values of `v()`, decoded as a server decodes a query: `+` is a space.
    pub fn parameters(&self) -> Vec<(String, String)> {
        let decoded = |text: &str| {
            let text = text.replace('+', " ");
            percent_decode_str(&text).decode_utf8_lossy().into_owned()
        };
        let params =
            self.uri_params.as_deref().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        params
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(name, value)| (decoded(name), decoded(value)))
            .collect()
    }
}

impl DialString {
    /// Whether a call in this dialect can have these options. Its codecs are a separate matter: see
    /// [`codecs`](crate::protocol::dialect::Profile::codecs).
    ///
    /// # Errors
    /// The first one that it cannot have.
    pub fn check(&self, format: ControlMessageFormat) -> Result<(), DialError> {
        let (options, profile) = (&self.options, format.profile());
        if options.uri_params.is_some() && self.is_incoming() && !profile.carries_parameters {
            return Err(DialError::UriParamsIncoming);
        }
        const NO_ANSWER: &str = "its applications have no message that answers";
        const NO_FRAMES: &str = "media comes in messages of any size, which are no frames";
        let unfit = [
            ('n', options.no_auto_answer && !profile.answers, NO_ANSWER),
            ('p', options.passthrough && profile.joins_media, NO_FRAMES),
            ('u', options.unbuffered && profile.joins_media, NO_FRAMES),
        ];
        let unfit = unfit.into_iter().find(|(_, is_unfit, _)| *is_unfit);
        unfit.map_or(Ok(()), |(option, _, why)| {
            let connection_id = self.connection_id.clone();
            Err(DialError::Dialect { option, format: format.as_str(), connection_id, why })
        })
    }

    /// Whether the app connects to Asterisk.
    pub fn is_incoming(&self) -> bool {
        self.connection_id == INCOMING
    }
}

/// A dial string that makes no channel. Displays as the log line, without the requestor's name in front.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DialError {
    /// The string is empty.
    #[error("A connection id is required for the 'WebSocket' channel")]
    Empty,
    /// Nothing before the first `/`.
    #[error("connection_id is required for the 'WebSocket' channel")]
    NoConnectionId,
    /// An option's argument has no end.
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
        /// The contents of `v()` without the values, which may be secrets.
        params: String,
        /// The client that the parameters are for.
        connection_id: String,
    },
    /// `X()` holds a name or a value that it cannot have.
    #[error(transparent)]
    Media(#[from] MediaOptionError),
    /// An option that a call in this dialect cannot have.
    #[error(
        "Option '{option}' is not possible with f({format}) in WebSocket/{connection_id}: {why}. Allowed are calls in \
         {format} without it, or f(plain-text) and f(json)"
    )]
    Dialect {
        /// The option's letter.
        option: char,
        /// The dialect's name.
        format: &'static str,
        /// The client that is called.
        connection_id: String,
        /// The reason: what the dialect does not have.
        why: &'static str,
    },
    /// `v()` on a channel for which Asterisk does not connect to a URI.
    #[error("URI parameters are not allowed for 'WebSocket/INCOMING' channels")]
    UriParamsIncoming,
}

/// Parses a dial string; `data` is the text after `WebSocket/`.
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
    let (mut direction, mut format, mut uri_params, mut media) = (None, None, None, None);
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
            'X' => media = Some(argument),
            _ if unknown.contains(letter) => {}
            _ => unknown.push(letter),
        }
    }
    if !unknown.is_empty() {
        dialed.warnings.push(format!("Unknown options '{unknown}' in 'WebSocket' dial string ignored"));
    }
    // Arguments are checked last: if an option is repeated, only its last argument counts.
    if let Some(direction) = direction {
        dialed.options.direction =
            MediaDirection::parse(&direction).ok_or(DialError::Direction(direction))?;
    }
    if let Some(params) = uri_params {
        dialed.options.uri_params = Some(check_uri_params(&dialed.connection_id, &params)?);
    }
    if let Some(pairs) = media {
        dialed.options.media = MediaOptions::parse(&pairs)?;
    }
    if let Some(format) = format {
        let parsed = ControlMessageFormat::parse(&format);
        if parsed.is_none() {
            dialed.warnings.push(format!(
                "'f/control message format' dialstring parameter value '{format}' missing or invalid, must be \
                 {}. Defaulting to '{}'",
                control_message_formats(),
                ControlMessageFormat::PlainText.as_str()
            ));
        }
        dialed.options.format = Some(parsed.unwrap_or(ControlMessageFormat::PlainText));
    }
    Ok(dialed)
}

/// Splits at the first `/` that is outside of quotes, parentheses and brackets. The text after it is not changed; in
/// the text before it quotes and backslashes are removed, as by `AST_NONSTANDARD_APP_ARGS` (asterisk/app.h).
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

/// Splits options as `ast_app_parse_options` does (asterisk/app.h): parentheses nest; a backslash makes the next
/// character literal; quotes count, and are removed, only in an argument that begins with one; within quotes a
/// backslash is removed only before a quote.
fn split_options(options: &str) -> Result<Vec<OptionText>, DialError> {
    let mut split = Vec::new();
    let mut rest = options.chars();
    while let Some(letter) = rest.next() {
        let mut argument = String::new();
        let mut chars = rest.clone();
        if chars.next() == Some('(') {
            rest = argument_end(chars, &mut argument).ok_or_else(|| DialError::MissingParenthesis {
                option: letter,
                options: options_for_log(options),
            })?;
        }
        split.push(OptionText { letter, argument });
    }
    Ok(split)
}

/// Reads an argument after its opening parenthesis. Returns the text after the closing one, or `None` if there is none.
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
fn check_uri_params(connection_id: &str, params: &str) -> Result<String, DialError> {
    if !params.split([',', '=']).all(is_uri_encoded) {
        return Err(DialError::UriParams {
            params: params_for_log(params),
            connection_id: connection_id.to_owned(),
        });
    }
    Ok(params.replace(',', "&"))
}

/// Whether everything in `text` that needs to be URI-encoded is. The characters are those of
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
