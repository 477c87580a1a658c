//! What a client's section asks for anew in each call: headers, the token, the URI. Their `${…}` are the host's to
//! evaluate ([`Evaluate`]), once per call.
//!
//! Nothing of it may be shown: see [`Secret`].

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

/// Gives the value of one `${…}`, braces and all.
pub type Evaluate<'a> = &'a mut dyn FnMut(&str) -> Vec<u8>;

/// A text that is shown nowhere. Its memory is overwritten when it is dropped, so that a core dump taken later does not
/// have it.
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

/// A call for which a client's section cannot be used: what has come of its `${…}` does not fit. Displays as one line for
/// the log, without a value but that of the host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FillError {
    /// The value would break the request's lines.
    #[error("the value of header {0} has a control character")]
    HeaderTemplate(String),
    /// The host is none, or is written as none may be that comes of a `${{…}}`.
    #[error(
        "'{0}' is no host: of ${{…}} in the uri's host may come letters, digits, '-' and '.', or one [IPv6 address]"
    )]
    Host(String),
    /// The host is not among those that the section permits.
    #[error("the host '{host}' of the uri is not in uri_hosts ({permitted})")]
    ForeignHost {
        /// As it would be connected to.
        host: String,
        /// As it is configured.
        permitted: String,
    },
    /// The server would take a part of the path for a step to another folder.
    #[error("the path of the uri would have '{0}' for a value, which leads to another path")]
    Path(&'static str),
}

/// What has come of a section for one call.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Filled {
    /// For the upgrade request.
    pub headers: Vec<FilledHeader>,
    /// In place of websocket_client.conf's.
    pub uri: Option<Secret>,
}

impl fmt::Debug for Filled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Filled").field("headers", &self.headers).field("uri", &self.uri).finish()
    }
}
