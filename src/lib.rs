//! Media over WebSocket for Asterisk: the channel driver `chan_websocket.so`.
//!
//! | module | contents | unsafe |
//! | --- | --- | --- |
//! | [`mono_time`], [`report`] | points in time; output for people: metrics, notifications, notes about a call, log limits | no |
//! | [`protocol`] | commands and events, in both spellings; the dialects that calls speak | no |
//! | [`playout`] | what is played when: session, queue, pacing, codecs' frames | no |
//! | [`settings`] | input of people: dial strings, configuration, clients | no |
//! | [`net`] | the module's sockets and threads: reactors, connections, the out-queue, the connector, the watchdog | no |
//! | [`call`] | a call without its channel: its connection, playout, jobs, end; the books about all calls | no |
//! | `tls` | the OpenSSL that Asterisk has loaded | yes |
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
