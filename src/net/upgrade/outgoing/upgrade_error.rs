//! Why the server's answer does not make a WebSocket.

use crate::net::upgrade::head::HeadError;

/// Why the server's answer does not make a WebSocket. Displays without naming the server: "the server …"; text from the
/// server is cut short and without control characters or credentials.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UpgradeError {
    /// Not HTTP, malformed or endless.
    #[error("the server's answer {0}")]
    Head(#[from] HeadError),
    /// It closed the connection; `received` bytes of an answer had come.
    #[error("{}", closed_text(*.received))]
    Closed {
        /// Bytes of the unfinished answer.
        received: usize,
    },
    /// 401: the server wants credentials, or other ones.
    #[error("the server does not accept the credentials (401)")]
    Unauthorized,
    /// 403: the server refuses this client or path.
    #[error("the server forbids it (403)")]
    Forbidden,
    /// 404: the server does not know the path.
    #[error("the server does not know the path of the uri (404)")]
    NotFound,
    /// 3xx; redirects are not followed.
    #[error("the server redirects to {} ({status_line}), which is not followed", location.as_deref().unwrap_or("nowhere"))]
    Redirect {
        /// Status and reason.
        status_line: String,
        /// Where to, without user info and query.
        location: Option<String>,
    },
    /// 408, 425 or 429: the server asks for another attempt.
    #[error("the server cannot serve the request now ({0})")]
    NotNow(String),
    /// 5xx, or a status that RFC 9110 does not know.
    #[error("the server failed ({0})")]
    ServerError(String),
    /// 2xx: a page instead of a WebSocket.
    #[error("the server answered with a page instead of a WebSocket ({0})")]
    NotUpgraded(String),
    /// Any other 4xx.
    #[error("the server refused ({0})")]
    Refused(String),
    /// A 101 that is not HTTP/1.1.
    #[error("the server's 101 is not HTTP/1.1")]
    OldHttp,
    /// A 101 whose Upgrade header is missing (`None`) or another.
    #[error("{}", header_text("Upgrade", "websocket", .0.as_deref()))]
    Upgrade(Option<String>),
    /// A 101 whose Connection header is missing (`None`) or does not name Upgrade.
    #[error("{}", header_text("Connection", "Upgrade", .0.as_deref()))]
    Connection(Option<String>),
    /// A 101 without Sec-WebSocket-Accept.
    #[error("the server's 101 has no Sec-WebSocket-Accept header")]
    NoAcceptKey,
    /// A 101 whose Sec-WebSocket-Accept does not belong to our key.
    #[error("the server's 101 has a wrong Sec-WebSocket-Accept header")]
    WrongAcceptKey,
    /// A subprotocol that was not offered, in whatever case.
    #[error("the server chose the subprotocol \"{0}\", which was not offered")]
    Subprotocol(String),
    /// An extension; none was offered.
    #[error("the server chose the extension \"{0}\", which was not offered")]
    Extension(String),
}

impl UpgradeError {
    /// Whether trying again is of no use: 3xx and 4xx, except 404, 408, 425 and 429, which a load balancer may answer
    /// while a server is replaced.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Unauthorized | Self::Forbidden | Self::Redirect { .. } | Self::Refused(_))
    }

    /// Whether the server refuses this client: 401 and 403.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Unauthorized | Self::Forbidden)
    }

    /// Whether a web server has answered, so that this is its verdict on this request; otherwise it may be another
    /// service, or none.
    pub fn is_verdict(&self) -> bool {
        !matches!(self, Self::Head(_) | Self::Closed { .. })
    }
}

fn closed_text(received: usize) -> String {
    match received {
        0 => "the server closed the connection without an answer".to_owned(),
        n => format!("the server closed the connection in the middle of its answer (after {n} bytes)"),
    }
}

fn header_text(name: &str, wanted: &str, value: Option<&str>) -> String {
    match value {
        None => format!("the server's 101 has no {name} header"),
        Some(value) => format!("the server's 101 has the {name} header \"{value}\" instead of \"{wanted}\""),
    }
}
