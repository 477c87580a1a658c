//! The life of calls, of the module and of the process: who is killed, who is moved, what runs out, what stops.

mod churn;
mod killed;
pub mod puppet;
mod resources;
mod shim;
mod stopping;
mod transfers;
mod watchdog;

use super::harness::Suite;

pub fn tests(suite: &mut Suite) {
    churn::tests(suite);
    killed::tests(suite);
    resources::tests(suite);
    stopping::tests(suite);
    transfers::tests(suite);
    watchdog::tests(suite);
}
