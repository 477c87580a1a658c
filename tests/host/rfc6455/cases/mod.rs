//! The cases, in the groups of the Autobahn test suite.

mod closing;
mod control;
mod fragments;
mod lengths;
mod limits;
mod masking;
mod reserved;
mod utf8;

use super::case::Case;

/// All cases; each has a unique name.
pub fn all() -> Vec<Case> {
    let groups = [
        lengths::cases(),
        control::cases(),
        reserved::cases(),
        fragments::cases(),
        masking::cases(),
        utf8::cases(),
        closing::cases(),
        limits::cases(),
    ];
    groups.concat()
}
