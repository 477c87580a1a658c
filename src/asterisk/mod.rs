//! The Asterisk side: FFI to Asterisk. Beside [`crate::tls`] the only place with `unsafe`.
//!
//! | file | concern |
//! | --- | --- |
//! | `module` | load, reload, unload |
//! | `driver`, `services` | what lives from load to unload |
//! | `tech`, `extras` | the channel tech's callbacks |
//! | `bridge_technology` | the bridge technology: frames of a bridge that skip the channel's thread |
//! | `request`, `outgoing`, `http`, `established` | how a call comes up: asked for, connecting, being connected to, connected |
//! | `access`, `acl_change` | who may connect |
//! | `call` | one call on its channel |
//! | `jobs` | what needs a channel's lock, done without waiting for it |
//! | `cli`, `build`, `check` | where an operator sees it, which build runs, and whether clients can be reached |
//! | `ami`, `announce`, `notifier`, `prometheus` | what AMI, ARI and Prometheus ask and are told |
//! | `app_event` | an application's events for ARI and AMI |
//! | `topics`, `watch`, `bridge` | what the core publishes about a channel and its bridge; who is in that; transfers |
//! | `channel`, `format`, `frame`, `json`, `ao2`, `held`, `silence`, `stream`, `text`, `wall_clock`, `websocket_clients`, `config_file`, `substitution`, `log`, `music`, `threads` | one newtype or service each |
//! | `guard`, `sys`, `symbol` | the edge itself: panic guard, bindings, functions that may be missing |
//!
//! What needs no Asterisk stands in [`crate::call`]. No file here imports one that imports it, but for the tech's: its table has
//! the callback that asks for a channel, and a channel is made with that table.

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
