//! The parts of a client's section that are made anew for each call: headers, the token, the URI. The host evaluates
//! their `${…}` ([`Evaluate`]), once per call.
//!
//! None of their values may be shown: see [`Secret`].

mod header;
mod hosts;
mod template;
#[cfg(test)]
mod tests;
mod token;
mod uri;

use std::fmt;

use zeroize::Zeroize as _;

use super::secrets::HIDDEN;

pub use self::header::{FilledHeader, HeaderTemplate};
pub use self::hosts::Hosts;
pub use self::template::Template;
pub use self::token::{Bearer, parse_token, read_token};
pub use self::uri::UriTemplate;

pub(crate) use self::header::{HEADER, shown_header};
pub(crate) use self::hosts::HOSTS;
pub(crate) use self::token::TOKEN;
pub(crate) use self::uri::URI;

/// Returns the value of one `${…}`; the argument includes the `${` and the `}`.
pub type Evaluate<'a> = &'a mut dyn FnMut(&str) -> Vec<u8>;

/// A text that is never shown. Its memory is overwritten when it is dropped, so that a later core dump does not contain
/// it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

/// A call for which a client's section cannot be used, because the value of a `${…}` is not allowed. Displays as one
/// line for the log, which shows no value except that of the host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FillError {
    /// The value has a control character, which could break the lines of the request.
    #[error("the value of header {0} has a control character")]
    HeaderTemplate(String),
    /// The text is not a host, or the value of a `${…}` in it has a form that is not allowed there.
    #[error(
        "'{0}' is no host: of ${{…}} in the uri's host may come letters, digits, '-' and '.', or one [IPv6 address]"
    )]
    Host(String),
    /// The host is not among those that the section permits.
    #[error("the host '{host}' of the uri is not in uri_hosts ({permitted})")]
    ForeignHost {
        /// The host that the call would connect to.
        host: String,
        /// The value of `uri_hosts`.
        permitted: String,
    },
    /// A segment of the path would be `.` or `..`, which leads to another path.
    #[error("the path of the uri would have '{0}' for a value, which leads to another path")]
    Path(&'static str),
}

/// A section with its `${…}` evaluated for one call.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Filled {
    /// Headers of the upgrade request.
    pub headers: Vec<FilledHeader>,
    /// The URI instead of that of websocket_client.conf.
    pub uri: Option<Secret>,
}

impl fmt::Debug for Filled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Filled").field("headers", &self.headers).field("uri", &self.uri).finish()
    }
}
