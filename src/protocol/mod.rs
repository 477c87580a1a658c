//! What goes over the WebSocket: the application's commands and the events to it, in both spellings, and the dialects.
//!
//! Text in, values out, and back. Nothing here waits, and nothing here knows a call.

#![forbid(unsafe_code)]

pub mod command;
pub mod dialect;
pub mod event;
pub mod topic;
