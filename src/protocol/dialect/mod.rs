//! How one call speaks with its application: a [`Dialect`] translates between the session's commands, events and media, and
//! what goes over the WebSocket.
//!
//! A new dialect is a file here, with its [`Profile`], and a row of the table in `formats`. Text in, values out, and back:
//! nothing here waits, and nothing here knows a socket.
//!
//! | file | concern |
//! | --- | --- |
//! | here | what a dialect is |
//! | `formats` | the table of dialects, by their names in `f()` and `control_message_format` |
//! | `plain_text`, `json` | the two that `chan_websocket` has everywhere |
//! | `twilio`, `telnyx`, `vonage`, `plivo`, `exotel` | those of carriers, by their public documentation |
//! | `wire_writer` | the messages of a dialect that wraps media, or numbers its messages |
//! | `media_message` | what dialects share that take media in JSON |
//! | `carrier_events` | which events a carrier's application is told of |
//! | `carrier_message` | media, marks and clears of applications that were written for a carrier |
//! | `identity` | ids as carriers have them, and what an application is told of its call |
//! | `outgoing` | when media plays since the stream began, and how many frames make a message |

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

/// A message of the application, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    /// Media, decoded.
    Media(Bytes),
    /// A command, or what is wrong with it. The session answers that with an ERROR event, which the dialect writes if it has
    /// a message for it.
    Command(Result<Command, CommandError>),
}

/// One call's way of speaking. Several threads use it at once; nothing in it waits or changes.
pub trait Dialect: Send + Sync {
    /// A text message of the application. `max_command_size` is for what is not media, bytes.
    fn on_text(&self, text: &str, max_command_size: usize) -> Incoming;

    /// A binary message of the application.
    fn on_binary(&self, message: Bytes) -> Incoming {
        Incoming::Media(message)
    }

    /// Gives `write` the text messages that tell the application of `event`, in their order; none where the dialect has no
    /// message for it. `channel_id` is the channel's unique id. MEDIA_START becomes the opening messages of a connection, also of
    /// one that follows a lost one. MEDIA_STOP becomes one message at most, the last one. Called under the session's lock.
    fn write_event(&self, event: &Event, channel_id: &str, write: &mut dyn FnMut(String));

    /// What writes the messages of one connection, if the dialect wraps media in text or numbers its messages: each connection has
    /// its own, and so begins with the first number. `None`: media goes out as binary messages, and events as they are.
    fn wire_writer(&self) -> Option<WireWriter> {
        None
    }

    /// The header of the upgrade request that proves who is calling: of the URI as it was dialled, with the client's key.
    fn signature(&self, uri: &str, key: &str) -> Option<(&'static str, String)> {
        let _ = (uri, key);
        None
    }
}

/// What calls in one dialect have in common, whatever their application says.
#[derive(Debug, Clone, Copy)]
pub struct Profile {
    /// The codecs that it has, by Asterisk's names, of which the first is that of a call without `c()`. Empty: any, and the
    /// caller's.
    pub codecs: &'static [&'static str],
    /// The application can answer the call: `n` makes sense.
    pub answers: bool,
    /// A message of media may have any size: what fills no frame is joined with the next one. `p` and `u`, in which a message is
    /// a frame, make no sense then.
    pub joins_media: bool,
    /// Bytes of one message of media to the application, for which frames are gathered; 0: a message is a frame. What has been
    /// gathered when the call ends is not sent.
    pub message_bytes: usize,
    /// A full queue waits and drops nothing, unless a setting says otherwise.
    pub waits: bool,
    /// `v()` gives parameters that the opening messages carry; else they are a part of the URI.
    pub carries_parameters: bool,
    /// The opening messages carry the channel's variables.
    pub carries_variables: bool,
    /// The added events, of those about media, that it has a message for.
    pub topics: Topics,
}

impl Profile {
    /// That of `chan_websocket`'s own dialects.
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

/// What a dialect knows of its call from the beginning.
#[derive(Debug, Clone, Default)]
pub struct CallFacts {
    /// Asterisk's name of the channel's one format.
    pub format: String,
    /// Its samples per second.
    pub sample_rate: u32,
    /// Which way media goes at first.
    pub direction: MediaDirection,
    /// Names and values of `v()`, decoded.
    pub parameters: Vec<(String, String)>,
    /// The account that the client's section names.
    pub account: Option<String>,
    /// Tells this Asterisk from others, whatever the call.
    pub system_name: String,
    /// For the ids that the dialect makes up, other ones in each call.
    pub random: [u8; 32],
}
