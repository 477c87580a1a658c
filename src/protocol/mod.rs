//! What goes over the WebSocket: the application's commands and the events to it, in both spellings, and the dialects.
//!
//! The code here only converts between text and values. It does not wait, and it does not know calls.

#![forbid(unsafe_code)]

pub mod command;
pub mod dialect;
pub mod event;
pub mod topic;
