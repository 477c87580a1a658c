//! The connector against real sockets: servers that behave well and servers that do not.

mod cancelling;
mod checking;
mod failing;
mod fallbacks;
mod fixture;
mod looking_up;
mod many;
mod plain;
mod proxied;
mod retrying;
mod secured;
mod stopping;
