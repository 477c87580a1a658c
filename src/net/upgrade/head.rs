//! The head of an HTTP response (RFC 9112), collected from whatever pieces it arrives in, within limits.

use crate::report::table::shortened;

/// Bytes of a response's status line and headers together; more is an endless header.
pub const MAX_HEAD_BYTES: usize = 16 * 1024;

/// Header fields of a response.
pub const MAX_HEADERS: usize = 64;

/// What every HTTP response begins with.
const PREFIX: &[u8] = b"HTTP/";

/// Text from the peer is cut at this many characters in a log line.
const LOGGED_CHARS: usize = 120;

/// Why something is not an HTTP response. Displays without naming the peer: "… is not HTTP".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// It does not begin like one.
    #[error("is not HTTP")]
    NotHttp,
    /// A status line or header that cannot be read.
    #[error("is malformed HTTP ({0})")]
    Malformed(String),
    /// The limits are reached and the header has not ended.
    #[error("has an endless header (over {MAX_HEAD_BYTES} bytes or {MAX_HEADERS} fields)")]
    Endless,
}

/// Status line and headers of a response.
#[derive(Debug)]
pub(crate) struct ResponseHead {
    /// Status code.
    pub(crate) status: u16,
    /// Status and reason as they may be logged: `503 Service Unavailable`.
    pub(crate) status_line: String,
    /// Whether it is HTTP/1.1.
    pub(crate) is_http_1_1: bool,
    headers: Vec<(String, String)>,
}

impl ResponseHead {
    /// All values of a header, trimmed, empty ones left out.
    pub(crate) fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers
            .iter()
            .filter(move |(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
            .filter(|value| !value.is_empty())
    }

    /// All values of a header as one list (RFC 9110 section 5.3); `None` if there is none.
    pub(crate) fn joined(&self, name: &str) -> Option<String> {
        let values: Vec<&str> = self.values(name).collect();
        (!values.is_empty()).then(|| values.join(", "))
    }

    /// Whether one of the comma-separated tokens of a header is `token`, whatever its case.
    pub(crate) fn has_token(&self, name: &str, token: &str) -> bool {
        self.values(name).flat_map(|value| value.split(',')).any(|t| t.trim().eq_ignore_ascii_case(token))
    }
}

/// The result of [`HeadReader::feed`].
#[derive(Debug)]
pub(crate) enum Fed {
    /// All of them belong to the head, and it goes on.
    More,
    /// The head is complete; `used` of these bytes were the last of it.
    Head { head: ResponseHead, used: usize },
}

/// Collects one response head. Cheap even if the pieces are small: no byte is searched twice before the end.
#[derive(Debug, Default)]
pub(crate) struct HeadReader {
    buf: Vec<u8>,
}

impl HeadReader {
    /// Bytes taken so far.
    pub(crate) fn len(&self) -> usize {
        self.buf.len()
    }

    /// Takes the next bytes. Not to be called again after `Fed::Head` or an error.
    ///
    /// # Errors
    /// See [`HeadError`].
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<Fed, HeadError> {
        let before = self.buf.len();
        let room = MAX_HEAD_BYTES.saturating_sub(before);
        self.buf.extend(bytes.iter().take(room));
        if !self.buf.iter().zip(PREFIX).all(|(have, want)| have == want) {
            return Err(HeadError::NotHttp);
        }
        match end_of_head(&self.buf, before) {
            Some(end) => {
                let head = parse(self.buf.get(..end).unwrap_or_default())?;
                Ok(Fed::Head { head, used: end.saturating_sub(before) })
            }
            None if self.buf.len() >= MAX_HEAD_BYTES => Err(HeadError::Endless),
            None => Ok(Fed::More),
        }
    }
}

/// Where the empty line ends; the bytes before `from` were searched earlier.
fn end_of_head(buf: &[u8], from: usize) -> Option<usize> {
    let from = from.saturating_sub(3);
    let new = buf.get(from..)?;
    let ends =
        new.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| from.saturating_add(at));
    ends.map(|newline| newline.saturating_add(1)).find(|end| {
        let head = buf.get(..*end).unwrap_or_default();
        head.ends_with(b"\n\r\n") || head.ends_with(b"\n\n")
    })
}

fn parse(head: &[u8]) -> Result<ResponseHead, HeadError> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut fields);
    match response.parse(head) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return Err(HeadError::Malformed("incomplete".into())),
        Err(httparse::Error::TooManyHeaders) => return Err(HeadError::Endless),
        Err(err) => return Err(HeadError::Malformed(err.to_string())),
    }
    let status = response.code.unwrap_or_default();
    let status_line = format!("{status} {}", for_log(response.reason.unwrap_or_default()));
    Ok(ResponseHead {
        status,
        status_line: status_line.trim_end().to_owned(),
        is_http_1_1: response.version == Some(1),
        headers: response
            .headers
            .iter()
            .map(|h| (h.name.to_owned(), String::from_utf8_lossy(h.value).into_owned()))
            .collect(),
    })
}

/// Text from the peer as it may be written to the log: on one line, and not long.
pub(crate) fn for_log(text: &str) -> String {
    shortened(text, LOGGED_CHARS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed_all(bytes: &[u8]) -> Result<Fed, HeadError> {
        HeadReader::default().feed(bytes)
    }

    #[test]
    fn the_head_ends_at_the_empty_line_however_it_arrives() {
        for text in
            ["HTTP/1.1 200 Fine\r\nA: b\r\n\r\nbody\r\n\r\n", "HTTP/1.1 200 Fine\nA: b\n\nbody\r\n\r\n"]
        {
            let end = text.find("body").unwrap();
            for cut in 1..text.len() {
                let mut reader = HeadReader::default();
                let (first, second) = text.as_bytes().split_at(cut);
                let (head, taken) = match reader.feed(first).unwrap() {
                    Fed::Head { head, used } => (head, used),
                    Fed::More => match reader.feed(second).unwrap() {
                        Fed::Head { head, used } => (head, cut + used),
                        Fed::More => panic!("no end with the cut at {cut}"),
                    },
                };
                assert_eq!(taken, end, "cut at {cut}");
                assert_eq!(head.status_line, "200 Fine");
                assert_eq!(head.values("a").collect::<Vec<_>>(), ["b"]);
            }
        }
    }

    #[test]
    fn garbage_is_seen_at_its_first_byte() {
        for garbage in ["SSH-2.0-OpenSSH\r\n", "\x16\x03\x01", "HTCPCP/1.0", "\r\nHTTP/1.1 200 OK\r\n\r\n"] {
            assert_eq!(feed_all(garbage.as_bytes()).unwrap_err(), HeadError::NotHttp, "{garbage:?}");
        }
        assert!(matches!(feed_all(b"HTT"), Ok(Fed::More)));
        assert!(matches!(feed_all(b"HTTP/9.7 hello\r\n\r\n"), Err(HeadError::Malformed(_))));
        assert!(matches!(feed_all(b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n"), Err(HeadError::Malformed(_))));
    }

    #[test]
    fn an_endless_head_is_given_up_at_the_limits() {
        let mut reader = HeadReader::default();
        assert!(matches!(reader.feed(b"HTTP/1.1 200 OK\r\nA: "), Ok(Fed::More)));
        let mut fed = 0;
        let err = loop {
            fed += 1000;
            match reader.feed(&[b'x'; 1000]) {
                Ok(Fed::More) => {}
                Ok(Fed::Head { .. }) => panic!("that was no head"),
                Err(err) => break err,
            }
        };
        assert_eq!(err, HeadError::Endless);
        assert!(fed <= MAX_HEAD_BYTES + 1000, "{fed}");

        let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(MAX_HEADERS + 1));
        assert_eq!(feed_all(many.as_bytes()).unwrap_err(), HeadError::Endless);
        let just = format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(MAX_HEADERS));
        assert!(matches!(feed_all(just.as_bytes()), Ok(Fed::Head { .. })));
    }

    #[test]
    fn lists_and_tokens() {
        let Ok(Fed::Head { head, .. }) = feed_all(
            b"HTTP/1.1 200 OK\r\nConnection: Keep-Alive , x\r\nconnection: UPGRADE\r\nEmpty:  \r\n\r\n",
        ) else {
            panic!("not read")
        };
        assert!(head.has_token("Connection", "upgrade"));
        assert!(head.has_token("Connection", "keep-alive"));
        assert!(!head.has_token("Connection", "keep"));
        assert_eq!(head.joined("connection").as_deref(), Some("Keep-Alive , x, UPGRADE"));
        assert_eq!(head.joined("empty"), None);
        assert_eq!(head.joined("absent"), None);
    }

    #[test]
    fn logged_text_is_one_short_line() {
        assert_eq!(for_log("a\r\nb\x1b[31m"), "a\\r\\nb\\u{1b}[31m");
        assert_eq!(for_log(&"é".repeat(LOGGED_CHARS)), "é".repeat(LOGGED_CHARS));
        assert_eq!(for_log(&"é".repeat(LOGGED_CHARS + 1)), format!("{}…", "é".repeat(LOGGED_CHARS)));
    }
}
