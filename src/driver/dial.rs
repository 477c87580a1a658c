//! The dial string `WebSocket/<connection id>/<options>`.
//!
//! What a codec name or a connection id stands for is the host's business. Called from the thread that requests
//! the channel.

use super::command::{ControlMessageFormat, MediaDirection};

/// The connection id of a channel that waits for the app to connect to Asterisk, in this exact case.
pub const INCOMING: &str = "INCOMING";

/// What a dial string says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DialString {
    /// [`INCOMING`], or the name of a websocket_client.
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
    /// `f(format)`: `None`: the configuration's.
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
}

/// Takes a dial string apart; `data` is what follows `WebSocket/`.
///
/// # Errors
/// See [`DialError`].
pub fn parse(data: &str) -> Result<DialString, DialError> {
    if data.is_empty() {
        return Err(DialError::Empty);
    }
    Ok(DialString { connection_id: data.to_owned(), options: DialOptions::default(), warnings: Vec::new() })
}
