//! The tunnel through an HTTP proxy: CONNECT, RFC 9110 section 9.3.6.

use std::io::{self, Read};
use std::net::TcpStream;

use super::partial_write::PartialWrite;
use crate::net::upgrade::{Fed, HeadError, HeadReader, authority, basic_authorization};
use crate::settings::client::Proxy;

/// What a proxy did instead of connecting us. Displays as the text after "the proxy …".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    /// Not HTTP, malformed or endless.
    #[error("gave an answer that {0}")]
    Head(#[from] HeadError),
    /// It closed the connection; `received` bytes of an answer had come.
    #[error("closed the connection before the end of its answer (after {received} bytes)")]
    Closed {
        /// Bytes of the unfinished answer.
        received: usize,
    },
    /// 407: it wants credentials, or other ones.
    #[error("does not accept the credentials (407)")]
    Unauthorized,
    /// Any other status that is not 2xx.
    #[error("refused to connect us ({0})")]
    Refused(String),
}

impl ProxyError {
    /// Whether a proxy has answered, so that another of its addresses would answer the same.
    pub(super) fn is_verdict(&self) -> bool {
        matches!(self, Self::Unauthorized | Self::Refused(_))
    }
}

/// The failures of an [`Exchange`].
#[derive(Debug)]
pub(crate) enum ExchangeError {
    Proxy(ProxyError),
    Io(io::Error),
}

impl From<HeadError> for ExchangeError {
    fn from(err: HeadError) -> Self {
        Self::Proxy(err.into())
    }
}

impl From<io::Error> for ExchangeError {
    fn from(err: io::Error) -> Self {
        Self::Io(err)
    }
}

/// One CONNECT and the answer to it.
#[derive(Debug)]
pub(crate) struct Exchange {
    request: PartialWrite,
    answer: HeadReader,
}

impl Exchange {
    /// A CONNECT for a tunnel to `host:port` through `proxy`.
    pub(crate) fn new(host: &str, port: u16, proxy: &Proxy) -> Self {
        let server = authority(host, port);
        let authorization = proxy.credentials.as_ref().map_or_else(String::new, |(user, password)| {
            format!("Proxy-Authorization: {}\r\n", basic_authorization(user, password))
        });
        let request = format!(
            "CONNECT {server} HTTP/1.1\r\nHost: {server}\r\n{authorization}Proxy-Connection: Keep-Alive\r\n\r\n"
        );
        Self { request: PartialWrite::new(request.into_bytes()), answer: HeadReader::default() }
    }

    /// Goes on until the socket would block: `false`; or until the tunnel is established: `true`. What follows the
    /// proxy's answer stays in the socket, unread.
    pub(crate) fn advance(&mut self, stream: &TcpStream) -> Result<bool, ExchangeError> {
        if !self.request.flush(|bytes| io::Write::write(&mut &*stream, bytes))? {
            return Ok(false);
        }
        let mut buf = [0; 4096];
        loop {
            let len = match stream.peek(&mut buf) {
                Ok(0) => {
                    return Err(ExchangeError::Proxy(ProxyError::Closed { received: self.answer.len() }));
                }
                Ok(len) => len,
                Err(err) if err.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(err) if err.kind() == io::ErrorKind::Interrupted => continue,
                Err(err) => return Err(err.into()),
            };
            let (head, used) = match self.answer.feed(buf.get(..len).unwrap_or_default())? {
                Fed::Head { head, used } => (Some(head), used),
                Fed::More => (None, len),
            };
            take(stream, used)?;
            match head.map(|head| (head.status, head.status_line)) {
                None => {}
                Some((200..=299, _)) => return Ok(true),
                Some((407, _)) => return Err(ExchangeError::Proxy(ProxyError::Unauthorized)),
                Some((_, line)) => return Err(ExchangeError::Proxy(ProxyError::Refused(line))),
            }
        }
    }
}

/// Reads `len` bytes out of the socket; they are known to be there.
fn take(mut stream: &TcpStream, len: usize) -> io::Result<()> {
    let mut taken = vec![0; len];
    stream.read_exact(&mut taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(host: &str, credentials: Option<(&str, &str)>) -> String {
        let credentials = credentials.map(|(user, password)| (user.to_owned(), password.to_owned()));
        let proxy = Proxy { host: "proxy.example".into(), port: 3128, credentials };
        let mut text = Vec::new();
        let sent = Exchange::new(host, 443, &proxy).request.flush(|bytes| io::Write::write(&mut text, bytes));
        assert!(sent.unwrap());
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn the_request() {
        assert_eq!(
            request("app.example", None),
            "CONNECT app.example:443 HTTP/1.1\r\nHost: app.example:443\r\nProxy-Connection: Keep-Alive\r\n\r\n"
        );
        let text = request("::1", Some(("Aladdin", "open sesame")));
        assert!(text.starts_with("CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\n"), "{text}");
        assert!(text.contains("\r\nProxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n"), "{text}");
    }
}
