//! The protocol and the media path as pure logic: bytes, commands and time in, frames and effects out.
//!
//! Nothing here knows an Asterisk symbol or a socket, and nothing here waits or makes a syscall.
//!
//! | module | concern |
//! | --- | --- |
//! | [`session`] | one call: what the app's messages do to its media, and what goes to the core when |
//! | [`framing`], [`reframe`], [`queue`], [`pacing`], [`delivery`], [`clock`] | its parts: frames out of messages, what waits, when it is due, what RTP is told of that |
//! | [`command`], [`event`] | what the app says and is told, in both spellings |
//! | [`media_format`], [`g723`], [`g729`], [`ilbc`], [`opus`] | a codec's frames and their length |
//! | [`dial`], [`client`], [`config`] | what people write: dial strings, a websocket_client, chan_websocket.conf |
//! | [`figure`], [`exposition`], [`notice`], [`text`] | what people see: figures, metrics, AMI's events, tables |
//! | [`log_limit`], [`secrets`] | what goes into the log, and what does not |
//! | [`version`] | which versions of Asterisk are known |

#![forbid(unsafe_code)]

pub mod client;
pub mod clock;
pub mod command;
pub mod config;
pub mod delivery;
pub mod dial;
pub mod event;
pub mod exposition;
pub mod figure;
pub mod framing;
pub mod g723;
pub mod g729;
pub mod ilbc;
pub mod log_limit;
pub mod media_format;
pub mod notice;
pub mod opus;
pub mod pacing;
pub mod queue;
pub mod reframe;
pub mod secrets;
pub mod session;
pub mod text;
pub mod version;
