//! The harness: a real Asterisk with either module, the app at the other end, ARI, and the comparison of the two.
//!
//! A test is a function of [`Context`], added to the [`Suite`] by its file:
//!
//! ```text
//! pub fn tests(suite: &mut Suite) {
//!     suite.same("commands/hangup", hangup);
//! }
//!
//! fn hangup(t: &Context) {
//!     let (call, app) = t.incoming_app("c(ulaw)");
//!     app.command("HANGUP");
//!     assert_eq!(app.expect_close(), 1000);
//!     t.note(format!("cause {}", call.ending().cause));
//! }
//! ```
//!
//! The trace of a test is what it takes from the app and what it notes. `same` compares the traces of both modules.

#![allow(dead_code, reason = "the tests, the bench and the demo each use a part of it")]

pub mod ami;
pub mod app;
pub mod ari;
pub mod asterisk;
pub mod away;
mod beside;
pub mod call;
pub mod compare;
pub mod conf;
pub mod conformity;
pub mod context;
pub mod elsewhere;
pub mod event;
mod golden;
pub mod http;
mod lease;
pub mod log;
pub mod loss;
mod modules;
pub mod oracle;
mod panics;
pub mod ports;
pub mod process;
pub mod program;
mod run;
pub mod sandbox;
pub mod schema;
pub mod secure;
pub mod server;
pub mod sip;
pub mod stream;
pub mod suite;
pub mod surroundings;
pub mod table;
pub mod tls;
pub mod trace;
pub mod wait;
pub mod wire;

pub use app::{App, Item};
pub use asterisk::Asterisk;
pub use conf::InstanceConfig;
pub use context::Context;
pub use event::Format;
pub use server::Reply;
pub use suite::{Suite, Test};
pub use wire::Frame;
