//! A call's state that needs no Asterisk: its connection's, how the call ends, what its application may ask of it, and when a
//! bridge sends its frames directly.

#![forbid(unsafe_code)]

pub mod direct;
pub mod ending;
pub mod link;
pub mod permissions;
