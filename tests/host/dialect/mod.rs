//! Applications written for other media streams: `f(twilio)` and the like.

mod bot;
mod carrier;
mod carriers;
mod pipecat;
mod sdks;
mod twilio;

use super::harness::Suite;

/// Why these tests do not run on the C module.
const OURS: &str = "the C module speaks no dialect but its own";

pub fn tests(suite: &mut Suite) {
    carriers::tests(suite);
    pipecat::tests(suite);
    sdks::tests(suite);
    twilio::tests(suite);
}
