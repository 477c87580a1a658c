//! The client's side: the request, and what the server makes of it.

mod error;
mod request;
mod response;
#[cfg(test)]
mod tests;

pub use error::UpgradeError;
pub use request::{RequestError, UpgradeRequest};
pub use response::{Progress, ResponseParser};

pub(crate) use response::offered_as;

pub(crate) use request::{authority, basic_authorization};
