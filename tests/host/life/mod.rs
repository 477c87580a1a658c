//! The life of calls, of the module and of the process: kills, transfers, missing resources, shutdown.

mod churn;
mod disk;
mod hold;
mod killed;
mod locks;
pub mod music;
pub mod puppet;
mod resources;
pub mod shim;
mod stopping;
pub mod transfers;
mod watchdog;

use super::harness::suite::Test;
use super::harness::{Context, Suite};

pub fn tests(suite: &mut Suite) {
    churn::tests(suite);
    disk::tests(suite);
    hold::tests(suite);
    killed::tests(suite);
    locks::tests(suite);
    music::tests(suite);
    resources::tests(suite);
    stopping::tests(suite);
    transfers::tests(suite);
    watchdog::tests(suite);
}

/// Adds a test of our module. With HOST_BESIDE it also runs on the C module, on a private instance, and the notes of
/// both are shown side by side.
pub(super) fn beside(
    suite: &mut Suite,
    name: impl Into<String>,
    body: impl Fn(&Context) + Send + Sync + 'static,
) -> &mut Test {
    let noting = move |t: &Context| {
        body(t);
        t.note("all as expected");
    };
    suite.beside(name, noting).may_ruin_oracle()
}
