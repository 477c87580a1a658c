//! What is known about a call that has lost its connection and may get another.

use std::time::Instant;

use crate::call::ending::End;

/// The loss of a connection.
#[derive(Debug)]
pub(super) struct Loss {
    pub(super) since: Instant,
    /// The end of the call, if no other connection comes.
    pub(super) end: End,
    /// See [`Link::loss_told`].
    pub(super) is_told: bool,
}
