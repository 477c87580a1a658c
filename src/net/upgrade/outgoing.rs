//! The client's side: the request, and the check of the server's answer.

mod request;
mod response;
#[cfg(test)]
mod tests;
mod upgrade_error;

pub use self::request::{UpgradeRequest, UpgradeRequestError};
pub use self::response::{Progress, ResponseParser};
pub use self::upgrade_error::UpgradeError;

pub(crate) use self::response::offered_as;

pub(crate) use self::request::{authority, basic_authorization};
