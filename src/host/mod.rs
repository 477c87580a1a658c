//! The Asterisk side: FFI to Asterisk and OpenSSL. The only place with `unsafe`.
//!
//! | file | concern |
//! | --- | --- |
//! | `module` | load, reload, unload |
//! | `engine` | what lives from load to unload |
//! | `tech` | the channel tech's callbacks |
//! | `request`, `outgoing`, `http`, `link` | how a call comes up: asked for, connecting, being connected to, connected |
//! | `access`, `acl_change` | who may connect |
//! | `call` | one call: session, connection and channel together |
//! | `effects` | what needs a channel's lock, done without waiting for it |
//! | `record`, `view`, `totals` | what is known about a call and about the module, as named figures |
//! | `cli`, `debug`, `build` | where an operator sees it, asks for more, and which build runs |
//! | `ami`, `notify`, `notifier`, `prometheus` | what AMI, ARI and Prometheus ask and are told |
//! | `channel`, `format`, `frame`, `json`, `ao2`, `stream`, `tls`, `tls_client`, `clock`, `client`, `config`, `log`, `music` | one newtype or service each |
//! | `guard`, `sys`, `symbol` | the edge itself: panic guard, bindings, functions that may be missing |

mod access;
mod acl_change;
mod ami;
mod ao2;
mod build;
mod call;
mod channel;
mod cli;
mod client;
mod clock;
mod config;
mod debug;
mod effects;
mod engine;
pub(crate) use crate::fault;
mod format;
mod frame;
mod guard;
mod http;
mod json;
mod link;
mod log;
mod module;
mod music;
mod notifier;
mod notify;
mod outgoing;
mod prometheus;
mod record;
mod request;
mod stream;
mod symbol;
mod sys;
mod tech;
mod tls;
mod tls_client;
mod totals;
mod view;
