//! The opening handshake (RFC 6455 section 4) in both roles, byte by byte where that matters.

mod as_client;
mod as_server;

use super::super::harness::Suite;

/// Without TLS; with TLS, too, if `all` is set.
pub fn tests(suite: &mut Suite, all: bool) {
    for tls in [false, true].into_iter().filter(|tls| all || !tls) {
        as_server::tests(suite, tls);
        as_client::tests(suite, tls);
    }
}
