//! The client's side: the request, and what the server makes of it.

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
