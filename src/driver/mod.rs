//! The protocol and the media path as pure logic: bytes, commands and time in, frames and effects out.
//!
//! Nothing here knows an Asterisk symbol or a socket, and nothing here waits or makes a syscall.

#![forbid(unsafe_code)]

pub mod build_id;
pub mod client;
pub mod clock;
pub mod command;
pub mod config;
pub mod dial;
pub mod event;
pub mod exposition;
pub mod figure;
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
