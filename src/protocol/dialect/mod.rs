//! The form of a call's messages: a [`Dialect`] translates between the session's commands, events and media, and the
//! messages on the WebSocket.
//!
//! A new dialect is a file here, with its [`Profile`], and a row of the table in `formats`. The code here only converts
//! between text and values: it does not wait, and it does not know sockets.
//!
//! | file | concern |
//! | --- | --- |
//! | here | what a dialect is |
//! | `formats` | the table of dialects, by their names in `f()` and `control_message_format` |
//! | `plain_text`, `json` | the two dialects of the C module |
//! | `twilio`, `telnyx`, `vonage`, `plivo`, `exotel` | those of carriers, by their public documentation |
//! | `wire_writer` | the messages of a dialect that wraps media, or numbers its messages |
//! | `media_message` | code shared by dialects with media in JSON |
//! | `carrier_events` | which events become messages of a carrier |
//! | `carrier_message` | media, marks and clears of applications that were written for a carrier |
//! | `identity` | ids in the form of the carriers, and the parameters of a call |
//! | `outgoing` | timestamps of media to the application, and how many frames make a message |

mod carrier_events;
mod carrier_message;
mod exotel;
mod formats;
mod identity;
mod json;
mod media_message;
mod outgoing;
mod plain_text;
mod plivo;
mod telnyx;
mod twilio;
mod vonage;
mod wire_writer;

#[cfg(test)]
mod script;
#[cfg(test)]
mod tests;

use bytes::Bytes;

use super::command::{Command, CommandError, MediaDirection};
use super::event::Event;
use super::topic::Topics;

pub use self::formats::{ControlMessageFormat, control_message_formats};
pub use self::outgoing::{Outgoing, OutgoingMedia};
pub use self::twilio::{ACCOUNT_SID, is_account_sid};
pub use self::wire_writer::{NUMBER, WireWriter, shown};

/// A parsed message of the application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    /// Media, decoded.
    Media(Bytes),
    /// A command, or its error. The session answers an error with an ERROR event, which the dialect writes if it has a
    /// message for it.
    Command(Result<Command, CommandError>),
}

/// The translation of one call's messages. Several threads use it at once; it does not wait, and its state does not
/// change.
pub trait Dialect: Send + Sync {
    /// Parses a text message of the application. `max_command_size` is in bytes and limits messages without media.
    fn on_text(&self, text: &str, max_command_size: usize) -> Incoming;

    /// Parses a binary message of the application.
    fn on_binary(&self, message: Bytes) -> Incoming {
        Incoming::Media(message)
    }

    /// Calls `write` with each text message for `event`, in order; not at all if the dialect has no message for it.
    /// `channel_id` is the channel's unique id. MEDIA_START becomes the opening messages of a connection, also of one
    /// that follows a lost one. MEDIA_STOP becomes at most one message, the last one. Called under the session's lock.
    fn write_event(&self, event: &Event, channel_id: &str, write: &mut dyn FnMut(String));

    /// The writer of one connection's messages, if the dialect wraps media in text or numbers its messages. Each
    /// connection has its own and begins with the first number. `None`: media is sent as binary messages, and events as
    /// they are.
    fn wire_writer(&self) -> Option<WireWriter> {
        None
    }

    /// The header of the upgrade request that authenticates the caller: a signature of the dialled URI with the
    /// client's key.
    fn signature(&self, uri: &str, key: &str) -> Option<(&'static str, String)> {
        let _ = (uri, key);
        None
    }
}

/// The properties that all calls in one dialect share.
#[derive(Debug, Clone, Copy)]
pub struct Profile {
    /// Its codecs, by Asterisk's names; a call without `c()` has the first one. Empty: any codec, and without `c()` the
    /// caller's.
    pub codecs: &'static [&'static str],
    /// The application can answer the call, so the option `n` is allowed.
    pub answers: bool,
    /// A message of media may have any size: bytes that do not fill a frame are joined with the next message. Then `p`
    /// and `u`, with which a message is a frame, are not allowed.
    pub joins_media: bool,
    /// Bytes of one message of media to the application, which is made of several frames; 0: a message is a frame.
    /// Frames that do not fill a message when the call ends are not sent.
    pub message_bytes: usize,
    /// The default of `queue_overflow` is `wait`.
    pub waits: bool,
    /// The opening messages carry the parameters of `v()`; else these are a part of the URI.
    pub carries_parameters: bool,
    /// The opening messages carry the channel's variables.
    pub carries_variables: bool,
    /// The added events for which it has a message, of those about media.
    pub topics: Topics,
}

impl Profile {
    /// The profile of the C module's dialects.
    const OWN: Self = Self {
        codecs: &[],
        answers: true,
        joins_media: false,
        message_bytes: 0,
        waits: false,
        carries_parameters: false,
        carries_variables: false,
        topics: Topics::NONE,
    };
}

/// The facts about a call that its dialect is made with.
#[derive(Debug, Clone, Default)]
pub struct CallFacts {
    /// Asterisk's name of the channel's one format.
    pub format: String,
    /// Its samples per second.
    pub sample_rate: u32,
    /// The media direction at the beginning.
    pub direction: MediaDirection,
    /// Names and values of `v()`, decoded.
    pub parameters: Vec<(String, String)>,
    /// The account that the client's section names.
    pub account: Option<String>,
    /// Identifies this Asterisk, the same for all calls.
    pub system_name: String,
    /// Random bytes for the ids that the dialect makes, new for each call.
    pub random: [u8; 32],
}
