//! What people write: dial strings, chan_websocket.conf, and the fields of a websocket_client.
//!
//! Text in, checked values out. An error names the wrong value and says what is allowed.

#![forbid(unsafe_code)]

pub mod asterisk_version;
pub mod client;
pub mod config;
pub mod dial_string;
pub mod per_call;
pub mod secrets;
