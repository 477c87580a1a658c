//! The Asterisk side: FFI to Asterisk. Beside [`crate::tls`] the only place with `unsafe`.
//!
//! | file | concern |
//! | --- | --- |
//! | `module` | load, reload, unload |
//! | `driver` | what lives from load to unload |
//! | `tech` | the channel tech's callbacks |
//! | `bridge` | the bridge technology: frames of a bridge that skip the channel's thread |
//! | `request`, `outgoing`, `http`, `established` | how a call comes up: asked for, connecting, being connected to, connected |
//! | `access`, `acl_change` | who may connect |
//! | `call` | one call: session, connection and channel together |
//! | `jobs` | what needs a channel's lock, done without waiting for it |
//! | `call_report`, `totals` | what is known about a call and about the module, as named metrics |
//! | `cli`, `debug`, `build` | where an operator sees it, asks for more, and which build runs |
//! | `ami`, `notifications`, `notifier`, `prometheus` | what AMI, ARI and Prometheus ask and are told |
//! | `app_event` | an application's events for ARI and AMI |
//! | `topics`, `bridge` | what the core publishes about a channel and its bridge; who is in that; transfers |
//! | `channel`, `format`, `frame`, `json`, `ao2`, `silence`, `stream`, `wall_clock`, `websocket_clients`, `config_file`, `substitution`, `log`, `music`, `threads` | one newtype or service each |
//! | `guard`, `sys`, `symbol` | the edge itself: panic guard, bindings, functions that may be missing |

mod access;
mod acl_change;
mod ami;
mod ao2;
mod app_event;
mod bridge;
mod bridge_technology;
mod build;
mod call;
mod channel;
mod cli;
mod config_file;
mod debug;
mod driver;
mod jobs;
mod wall_clock;
mod websocket_clients;
pub(crate) use crate::fault;
mod call_report;
mod established;
mod format;
mod frame;
mod guard;
mod http;
mod json;
mod log;
mod module;
mod music;
mod notifications;
mod notifier;
mod outgoing;
mod prometheus;
mod request;
mod silence;
mod stream;
mod substitution;
mod symbol;
mod sys;
mod tech;
mod threads;
mod topics;
mod totals;
