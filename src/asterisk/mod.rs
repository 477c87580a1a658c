//! The Asterisk side: FFI to Asterisk. Besides [`crate::tls`], the only place with `unsafe`.
//!
//! | file | concern |
//! | --- | --- |
//! | `module` | load, reload, unload |
//! | `driver`, `services` | what lives from load to unload |
//! | `tech`, `extras` | the channel tech's callbacks |
//! | `bridge_technology` | the bridge technology: frames of a bridge that skip the channel's thread |
//! | `request`, `outgoing`, `http`, `established` | how a call comes up: requested, outgoing, incoming, connected |
//! | `access`, `acl_change` | who may connect |
//! | `call` | one call on its channel |
//! | `jobs` | what needs a channel's lock, done without waiting for it |
//! | `cli`, `build`, `check` | the CLI, which build runs, whether clients can be reached |
//! | `ami`, `announce`, `notifier`, `prometheus` | what AMI, ARI and Prometheus ask and are told |
//! | `app_event` | an application's events for ARI and AMI |
//! | `topics`, `watch`, `bridge` | what the core publishes about a channel and its bridge; bridges and transfers |
//! | `channel`, `format`, `frame`, `json`, `ao2`, `held`, `silence`, `stream` | one newtype or service each |
//! | `text`, `wall_clock`, `websocket_clients`, `config_file`, `substitution`, `log`, `music`, `threads` | the same |
//! | `guard`, `sys`, `symbol` | the boundary itself: panic guard, bindings, functions that may be missing |
//!
//! Code that needs no Asterisk is in [`crate::call`]. No file here imports one that imports it, except the tech's: its
//! table has the callback that asks for a channel, and a channel is made with that table.

mod access;
mod acl_change;
mod ami;
mod announce;
mod ao2;
mod app_event;
mod bridge;
mod bridge_technology;
mod build;
mod call;
mod channel;
mod check;
mod cli;
mod config_file;
mod driver;
mod established;
mod extras;
mod format;
mod frame;
mod guard;
mod held;
mod http;
mod jobs;
mod json;
mod log;
mod module;
mod music;
mod notifier;
mod outgoing;
mod prometheus;
mod request;
mod services;
mod silence;
mod stream;
mod substitution;
mod symbol;
mod sys;
mod tech;
mod text;
mod threads;
mod topics;
mod wall_clock;
mod watch;
mod websocket_clients;

pub(crate) use crate::fault;
