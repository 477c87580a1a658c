//! HTTP by hand, for both ends of a WebSocket handshake: any method, any header, and the bytes after it.

use std::io::{self, Read, Write};

use super::stream::Stream;
use super::wait;

/// Headers in order.
pub type Headers = Vec<(String, String)>;

/// The first header of this name, without regard to case.
pub fn header<'a>(headers: &'a Headers, name: &str) -> Option<&'a str> {
    headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

/// A request for an upgrade to WebSocket, which a test may make invalid.
#[derive(Debug, Clone)]
pub struct UpgradeRequest {
    method: String,
    target: String,
    headers: Headers,
    trailing: Vec<u8>,
}

/// The Sec-WebSocket-Accept for the key of [`UpgradeRequest::new`].
pub const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

impl UpgradeRequest {
    /// A request of correct form, which asks for the subprotocol `media`.
    pub fn new(target: &str) -> Self {
        let headers = [
            ("Host", "localhost"),
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Key", KEY),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Protocol", "media"),
        ];
        Self {
            method: "GET".into(),
            target: target.into(),
            headers: headers.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
            trailing: Vec::new(),
        }
    }

    /// Uses another method.
    pub fn method(mut self, method: &str) -> Self {
        self.method = method.into();
        self
    }

    /// Sets a header, and replaces one of the same name.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        match self.headers.iter_mut().find(|(key, _)| key.eq_ignore_ascii_case(name)) {
            Some(header) => header.1 = value.into(),
            None => self.headers.push((name.into(), value.into())),
        }
        self
    }

    /// Leaves a header out.
    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(key, _)| !key.eq_ignore_ascii_case(name));
        self
    }

    /// Bytes that go out with the request, in the same write.
    pub fn trailing(mut self, bytes: &[u8]) -> Self {
        self.trailing.extend_from_slice(bytes);
        self
    }

    /// The request as it is sent.
    pub fn encode(&self) -> Vec<u8> {
        let mut text = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str("\r\n");
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(&self.trailing);
        bytes
    }

    /// Sends it and reads the head of the answer.
    pub fn send(&self, mut stream: Stream) -> io::Result<Response> {
        stream.set_timeout(Some(wait::at_most(wait::PATIENCE)))?;
        stream.write_all(&self.encode())?;
        Response::read(stream)
    }
}

/// The head of an answer, and its connection.
#[derive(Debug)]
pub struct Response {
    /// 101, 404, …
    pub status: u16,
    /// Its headers.
    pub headers: Headers,
    /// The connection.
    pub stream: Stream,
    /// The bytes that came after the head.
    pub leftover: Vec<u8>,
}

impl Response {
    /// Reads up to the end of the head.
    pub fn read(mut stream: Stream) -> io::Result<Self> {
        let (head, leftover) = read_head(&mut stream)?;
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut parsed = httparse::Response::new(&mut headers);
        parsed.parse(&head).map_err(io::Error::other)?;
        let status = parsed.code.ok_or_else(|| io::Error::other("no status"))?;
        Ok(Self { status, headers: own(parsed.headers), stream, leftover })
    }

    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }
}

/// The head of a request that came to us, and its connection.
#[derive(Debug)]
pub struct Request {
    /// The method, `GET` if all is well.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Its headers.
    pub headers: Headers,
    /// The connection.
    pub stream: Stream,
    /// The bytes that came after the head.
    pub leftover: Vec<u8>,
}

impl Request {
    /// Reads up to the end of the head.
    pub fn read(mut stream: Stream) -> io::Result<Self> {
        stream.set_timeout(Some(wait::at_most(wait::PATIENCE)))?;
        let (head, leftover) = read_head(&mut stream)?;
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut parsed = httparse::Request::new(&mut headers);
        parsed.parse(&head).map_err(io::Error::other)?;
        let method = parsed.method.unwrap_or_default().to_owned();
        let target = parsed.path.unwrap_or_default().to_owned();
        Ok(Self { method, target, headers: own(parsed.headers), stream, leftover })
    }

    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    fn accept_key(&self) -> String {
        let key = self.header("Sec-WebSocket-Key").unwrap_or_default();
        tungstenite::handshake::derive_accept_key(key.as_bytes())
    }

    /// A 101 with these further header lines (or instead, for `Connection`), followed by these bytes.
    pub fn accepted(&self, headers: &str, trailing: &[u8]) -> Vec<u8> {
        let connection = if headers.contains("Connection:") { "" } else { "Connection: Upgrade\r\n" };
        let head = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n{connection}\
             Sec-WebSocket-Accept: {}\r\n{headers}\r\n",
            self.accept_key()
        );
        [head.as_bytes(), trailing].concat()
    }

    /// Sends an answer. The other end may be gone.
    pub fn respond(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }
}

fn own(headers: &[httparse::Header<'_>]) -> Headers {
    let own = |header: &httparse::Header<'_>| {
        (header.name.to_owned(), String::from_utf8_lossy(header.value).into_owned())
    };
    headers.iter().map(own).collect()
}

fn read_head(stream: &mut Stream) -> io::Result<(Vec<u8>, Vec<u8>)> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let leftover = bytes.split_off(end + 4);
            return Ok((bytes, leftover));
        }
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        bytes.extend_from_slice(&buffer[..count]);
    }
}
