//! A call's state that needs no Asterisk: its connection's, and how the call ends.

#![forbid(unsafe_code)]

pub mod ending;
pub mod link;
