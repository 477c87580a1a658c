//! Media over WebSocket for Asterisk: the channel driver `chan_websocket.so`.
//!
//! | module | what lives there | unsafe |
//! | --- | --- | --- |
//! | [`mono_time`], [`report`] | points in time; what people see: metrics, notifications, notes about a call, log limits | no |
//! | [`protocol`] | commands and events, in both spellings; the dialects that calls speak | no |
//! | [`playout`] | what is played when: session, queue, pacing, codecs' frames | no |
//! | [`settings`] | what people write: dial strings, configuration, clients | no |
//! | [`net`] | sockets and threads of our own: reactors, connections, the out-queue, the connector, the watchdog | no |
//! | [`call`] | a call but for its channel: its connection, playout, jobs, end; the books about all calls | no |
//! | `tls` | OpenSSL, as Asterisk has it in the process | yes |
//! | `asterisk` | the Asterisk side: channel tech, calls on their channels, HTTP, configuration, log | yes |
//!
//! A module uses those above it in this table. `asterisk` and `tls` are not built without the feature `module`.
//!
//! docs/architecture.md follows a frame through them.

#![deny(rust_2018_idioms)]

#[cfg(feature = "module")]
pub mod asterisk;
pub mod call;
mod fault;
#[cfg(any(test, feature = "fuzzing"))]
#[path = "../fuzz/src/mod.rs"]
pub mod fuzz;
pub mod mono_time;
pub mod net;
pub mod playout;
pub mod protocol;
pub mod report;
pub mod settings;
#[cfg(feature = "module")]
pub mod tls;
