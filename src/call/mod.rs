//! A call's state that needs no Asterisk: its connection's, how the call ends, and what its application may ask of it.

#![forbid(unsafe_code)]

pub mod ending;
pub mod link;
pub mod permissions;
