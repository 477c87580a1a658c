//! Media over WebSocket for Asterisk: the channel driver `chan_websocket.so`.
//!
//! | module | what lives there | threads that run in it |
//! | --- | --- | --- |
//! | [`driver`] | dial strings, configuration, frame queue, pacing, commands, events: pure logic, no socket, no Asterisk | whichever holds the session |
//! | [`net`] | sockets: reactors, connections, the out-queue, the connector of outgoing calls | reactor threads, the connector, resolvers |
//! | `host` | the Asterisk side: channel tech, HTTP, configuration, log; the only place with `unsafe` | Asterisk's threads, the effects thread |
//!
//! A frame from the application takes five stops: [`net::connection`] (one message),
//! [`driver::session`] (what it means), [`driver::queue`] (when it is due), `host::tech` (the core reads it),
//! Asterisk's core. The way back has three: `host::tech` (the core writes), [`net::outbound`], the socket.

#![deny(rust_2018_idioms)]

pub mod driver;
mod fault;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzz;
#[cfg(feature = "module")]
pub mod host;
pub mod net;
