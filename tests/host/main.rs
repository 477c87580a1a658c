//! Tests against a real Asterisk, with Debian's chan_websocket.so (the oracle) and with ours.
//!
//! | variable | meaning |
//! | --- | --- |
//! | `ASTERISK_SANDBOX` | root folder with Debian's Asterisk, as made by `make setup` |
//! | `HOST_ASTERISK` | the prefix of an installed Asterisk, which runs instead of the sandbox's; this needs no root (`make versiontest`) |
//! | `CHAN_WEBSOCKET_MODULE` | our module, instead of `target/release/chan_websocket.so` |
//! | `CHAN_WEBSOCKET_FAULTS` | the build for tests of faults, instead of `target/faults/debug/libchan_websocket.so` |
//! | `HOST_MODULES` | `ours`, the default: the C module does not run, and its kept traces are used; `both`: it runs as well as ours (`make difftest`); `oracle`: only it runs |
//! | `HOST_RECORD` | set, with `both` or `oracle`: store the C module's traces in `tests/host/golden` |
//! | `HOST_BESIDE` | set, and `HOST_MODULES` not `ours`: also run tests that assert what ours does on the C module, and print both results |
//! | `RFC6455_ALL` | set: run the RFC 6455 cases in every way, not only the quick ones |
//! | `HOST_SURROUNDINGS` | set: run all tests with everything turned on that makes the core call the module at odd times (harness/surroundings.rs), on ours alone |
//! | `HOST_DIRECT_BRIDGE` | `no`: run all tests with `direct_bridge = no` (`make bridgetest`) |
//! | `HOST_BRIDGE_CALLS` | how many calls bridge/hangups makes (60) |
//! | `HOST_SCALE` | the numbers of calls at which connect/scale measures their cost (150), as `100,300,1000` |
//! | `HOST_LOST_CALLS` | how many calls of reconnect/many lose their application at once (200) |
//! | `HOST_TABLE` | set: print how the modules compare, test by test |
//! | `HOSTILE_SECONDS` | run the long forms of `hostile`, for up to this time (`make hostile`) |
//! | `HOST_CHURN`, `HOST_CYCLES` | how many calls life/churn makes (400), how often module/cycles loads and unloads (100) |
//! | `HOST_KEEP` | set: keep the instances' folders |
//! | `HOST_WRAPPER` | a command, with arguments, that runs Asterisk inside the sandbox |
//! | `HOST_PATIENCE` | how many times longer than usual to wait for things, for a wrapper that slows Asterisk down |
//!
//! `cargo test --no-default-features --test host -- <part of a name>` runs some of them.
//!
//! An instance of the C module that hangs or crashes does not fail a test: it is replaced, the scenario runs again, at
//! most twice, and the end of the output reports it.

// Tests report errors by panicking, and a test binary exports nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, unreachable_pub)]

mod access;
mod acl_change;
mod ami;
mod around;
mod bridge;
mod cli;
mod clients;
mod commands;
mod comparing;
mod config;
mod conformity;
mod connect;
mod dial_string;
mod dialect;
mod dialplan;
mod docs;
mod ending;
mod examples;
mod fault;
mod figures;
mod harness;
mod hostile;
mod incoming;
mod known_limits;
mod life;
mod logs;
mod masquerade;
mod media;
mod module;
mod monitoring;
mod notifier;
mod outgoing;
mod playback;
mod prometheus;
mod protocol;
mod reconnect;
mod rfc6455;
mod silence;
mod snapshots;
mod soak;
mod surroundings;
mod unreadable_config;
mod versions;
mod whisper;

use std::process::ExitCode;

fn main() -> ExitCode {
    // A test may have started this program as an app to be killed.
    if let Some(end) = life::puppet::task() {
        return end;
    }
    let mut suite = harness::Suite::default();
    clients::tests(&mut suite);
    access::tests(&mut suite);
    acl_change::tests(&mut suite);
    unreadable_config::tests(&mut suite);
    ami::tests(&mut suite);
    around::tests(&mut suite);
    bridge::tests(&mut suite);
    cli::tests(&mut suite);
    commands::tests(&mut suite);
    comparing::tests(&mut suite);
    config::tests(&mut suite);
    conformity::tests(&mut suite);
    connect::tests(&mut suite);
    dial_string::tests(&mut suite);
    dialect::tests(&mut suite);
    dialplan::tests(&mut suite);
    docs::tests(&mut suite);
    ending::tests(&mut suite);
    examples::tests(&mut suite);
    fault::tests(&mut suite);
    figures::tests(&mut suite);
    hostile::tests(&mut suite);
    incoming::tests(&mut suite);
    known_limits::tests(&mut suite);
    logs::tests(&mut suite);
    life::tests(&mut suite);
    masquerade::tests(&mut suite);
    media::tests(&mut suite);
    module::tests(&mut suite);
    monitoring::tests(&mut suite);
    notifier::tests(&mut suite);
    outgoing::tests(&mut suite);
    playback::tests(&mut suite);
    prometheus::tests(&mut suite);
    protocol::tests(&mut suite);
    reconnect::tests(&mut suite);
    rfc6455::tests(&mut suite);
    silence::tests(&mut suite);
    snapshots::tests(&mut suite);
    soak::tests(&mut suite);
    versions::tests(&mut suite);
    surroundings::tests(&mut suite);
    whisper::tests(&mut suite);
    bridge::without(&mut suite);
    suite.run()
}
