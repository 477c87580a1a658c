//! What goes over the WebSocket as text: the application's commands and the events to it, in both spellings.
//!
//! Text in, values out, and back. Nothing here waits, and nothing here knows a call.

#![forbid(unsafe_code)]

pub mod command;
pub mod event;
pub mod topic;
