//! The server's answer: read piece by piece, then checked.

use super::upgrade_error::UpgradeError;
use crate::net::upgrade::head::{Fed, HeadError, HeadReader, ResponseHead, for_log};

/// Interim answers (RFC 9110 section 15.2: 100, 103) that are skipped before the real one.
const MAX_INTERIM_ANSWERS: usize = 8;

/// The result of [`ResponseParser::feed`].
#[derive(Debug, PartialEq, Eq)]
pub enum Progress {
    /// The answer goes on.
    NeedMore,
    /// The connection is a WebSocket.
    Done {
        /// Bytes that came after the 101: the first bytes of the WebSocket.
        leftover: Vec<u8>,
        /// The subprotocol that the server chose; `None` if it chose none, which is accepted.
        subprotocol: Option<String>,
    },
}

/// Reads the answer to one [`UpgradeRequest`](super::UpgradeRequest) in whatever pieces it comes, within limits of
/// size.
#[derive(Debug)]
pub struct ResponseParser {
    reader: HeadReader,
    interim: usize,
    expected_key: String,
    offered: Option<String>,
    retry_after: Option<String>,
}

impl ResponseParser {
    /// A parser for a request that offered these subprotocols, if any; `expected_key` is the Sec-WebSocket-Accept that
    /// belongs to its key.
    pub(super) fn new(expected_key: String, offered: Option<String>) -> Self {
        Self { reader: HeadReader::default(), interim: 0, expected_key, offered, retry_after: None }
    }

    /// Takes the next bytes from the server. Not to be called again after `Done` or an error.
    ///
    /// # Errors
    /// See [`UpgradeError`].
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Progress, UpgradeError> {
        let mut rest = bytes;
        loop {
            let Fed::Head { head, used } = self.reader.feed(rest)? else { return Ok(Progress::NeedMore) };
            rest = rest.get(used..).unwrap_or_default();
            if !is_interim(head.status) {
                self.retry_after = head.values("Retry-After").next().map(str::to_owned);
                let subprotocol = judge(&head, &self.expected_key, self.offered.as_deref())?;
                return Ok(Progress::Done { leftover: rest.to_vec(), subprotocol });
            }
            self.next_answer()?;
        }
    }

    /// The `Retry-After` of the answer, as the server wrote it.
    pub fn retry_after(&self) -> Option<&str> {
        self.retry_after.as_deref()
    }

    /// The error if the connection ends here.
    pub fn end_of_stream(&self) -> UpgradeError {
        UpgradeError::Closed { received: self.reader.len() }
    }

    fn next_answer(&mut self) -> Result<(), HeadError> {
        self.interim = self.interim.saturating_add(1);
        if self.interim > MAX_INTERIM_ANSWERS {
            return Err(HeadError::Endless);
        }
        self.reader = HeadReader::default();
        Ok(())
    }
}

fn is_interim(status: u16) -> bool {
    (100..200).contains(&status) && status != 101
}

/// RFC 6455 section 4.1, "the client MUST validate the server's response": the chosen subprotocol, or the fault.
fn judge(
    head: &ResponseHead,
    expected_key: &str,
    offered: Option<&str>,
) -> Result<Option<String>, UpgradeError> {
    check_status(head)?;
    if !head.has_token("Upgrade", "websocket") {
        return Err(UpgradeError::Upgrade(logged(head, "Upgrade")));
    }
    // DIVERGES: a list (`keep-alive, Upgrade`) is accepted; res_http_websocket wants `Upgrade` alone.
    if !head.has_token("Connection", "Upgrade") {
        return Err(UpgradeError::Connection(logged(head, "Connection")));
    }
    match head.joined("Sec-WebSocket-Accept") {
        Some(key) if key == expected_key => {}
        Some(_) => return Err(UpgradeError::WrongAcceptKey),
        None => return Err(UpgradeError::NoAcceptKey),
    }
    if let Some(extension) = logged(head, "Sec-WebSocket-Extensions") {
        return Err(UpgradeError::Extension(extension));
    }
    chosen_subprotocol(head, offered)
}

fn check_status(head: &ResponseHead) -> Result<(), UpgradeError> {
    let line = || head.status_line.clone();
    match head.status {
        101 if head.is_http_1_1 => Ok(()),
        101 => Err(UpgradeError::OldHttp),
        401 => Err(UpgradeError::Unauthorized),
        403 => Err(UpgradeError::Forbidden),
        404 => Err(UpgradeError::NotFound),
        200..=299 => Err(UpgradeError::NotUpgraded(line())),
        300..=399 => Err(UpgradeError::Redirect { status_line: line(), location: location(head) }),
        408 | 425 | 429 => Err(UpgradeError::NotNow(line())),
        400..=499 => Err(UpgradeError::Refused(line())),
        // Also a number that is not a status: RFC 9110 section 15.
        _ => Err(UpgradeError::ServerError(line())),
    }
}

/// DIVERGES: the subprotocol has to be one of those offered, not merely a part of the text that offered them.
fn chosen_subprotocol(head: &ResponseHead, offered: Option<&str>) -> Result<Option<String>, UpgradeError> {
    let Some(chosen) = head.joined("Sec-WebSocket-Protocol") else { return Ok(None) };
    match offered_as(offered.unwrap_or_default(), &chosen) {
        Some(_) => Ok(Some(chosen)),
        None => Err(UpgradeError::Subprotocol(for_log(&chosen))),
    }
}

/// The spelling in the offered list of the subprotocol that a server chose; `None`: it was not offered. In RFC 6455 the
/// case of a subprotocol counts; some servers ignore it, and the C module accepts their answer.
pub(crate) fn offered_as<'a>(offered: &'a str, chosen: &str) -> Option<&'a str> {
    let mut offers = offered.split(',').map(str::trim);
    offers.clone().find(|offer| *offer == chosen).or_else(|| offers.find(|o| o.eq_ignore_ascii_case(chosen)))
}

fn logged(head: &ResponseHead, name: &str) -> Option<String> {
    head.joined(name).map(|value| for_log(&value))
}

/// The Location header for the log: a server may send our own credentials back in its user info or query.
fn location(head: &ResponseHead) -> Option<String> {
    let value = head.joined("Location")?;
    let end = value.find(['?', '#']).unwrap_or(value.len());
    let (path, rest) = value.split_at(end);
    let (scheme, hierarchy) = match path.find("//") {
        Some(at) => path.split_at(at.saturating_add(2)),
        None => ("", path),
    };
    let host_end = hierarchy.find('/').unwrap_or(hierarchy.len());
    let host_start = hierarchy.get(..host_end)?.rfind('@').map_or(0, |at| at.saturating_add(1));
    let cut = if rest.is_empty() { "" } else { "?…" };
    Some(for_log(&format!("{scheme}{}{cut}", hierarchy.get(host_start..)?)))
}
