//! ARI over one kept-alive connection: the cost of a connection for each request would be measured with the calls.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use crate::Result;

/// How long Asterisk may take to answer. The C module can block it for good.
const PATIENCE: Duration = Duration::from_secs(10);

/// The harness's user.
const KEY: &str = "api_key=harness:harness";

/// A client of one instance. Each thread has a separate one.
#[derive(Debug)]
pub struct Ari {
    address: SocketAddr,
    root: String,
    socket: Option<TcpStream>,
}

impl Ari {
    /// A client of the instance whose HTTP server is at `address`; `root` is ARI's path there.
    pub fn new(address: SocketAddr, root: String) -> Self {
        Self { address, root, socket: None }
    }

    /// Calls this endpoint and sends the channel, with this unique id, to the extension of the context `bench`. Returns
    /// before the call is answered.
    pub fn originate(&mut self, endpoint: &str, id: &str, extension: &str) -> Result<()> {
        let endpoint = endpoint.replace('/', "%2F");
        let query = format!(
            "endpoint={endpoint}&channelId={id}&context=bench&extension={extension}&priority=1&timeout=30"
        );
        self.request("POST", "channels", &query).map(drop)
    }

    /// The value of a channel's variable.
    pub fn variable(&mut self, channel: &str, name: &str) -> Result<String> {
        let answer =
            self.request("GET", &format!("channels/{channel}/variable"), &format!("variable={name}"))?;
        Ok(answer.get("value").and_then(Value::as_str).ok_or("a variable without a value")?.to_owned())
    }

    /// The number of channels.
    pub fn channels(&mut self) -> Result<usize> {
        Ok(self.request("GET", "channels", "")?.as_array().map_or(0, Vec::len))
    }

    /// Makes a request. Anything but success is an error.
    fn request(&mut self, method: &str, path: &str, query: &str) -> Result<Value> {
        let request =
            format!("{method} {}/{path}?{KEY}&{query} HTTP/1.1\r\nHost: localhost\r\n\r\n", self.root);
        // Asterisk closes a connection that was idle for a while.
        let answer = match self.socket.take() {
            Some(socket) => match exchange(socket, &request) {
                Err(error) if !is_timeout(&*error) => exchange(self.connect()?, &request),
                answer => answer,
            },
            None => exchange(self.connect()?, &request),
        };
        let (socket, status, body) = answer.map_err(|error| {
            if is_timeout(&*error) {
                format!("ARI {method} {path}: no answer within {} s", PATIENCE.as_secs())
            } else {
                format!("ARI {method} {path}: {error}")
            }
        })?;
        self.socket = socket;
        if !(200..300).contains(&status) {
            return Err(format!("ARI {method} {path}: {status} {}", String::from_utf8_lossy(&body)).into());
        }
        Ok(if body.is_empty() { Value::Null } else { serde_json::from_slice(&body)? })
    }

    fn connect(&self) -> Result<TcpStream> {
        let socket = TcpStream::connect(self.address)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        Ok(socket)
    }
}

fn is_timeout(error: &(dyn std::error::Error + 'static)) -> bool {
    let error = error.downcast_ref::<io::Error>();
    error.is_some_and(|error| matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut))
}

/// Sends a request and reads the answer. Returns the connection if it can be reused, the status, and the body.
fn exchange(mut socket: TcpStream, request: &str) -> Result<(Option<TcpStream>, u16, Vec<u8>)> {
    socket.write_all(request.as_bytes())?;
    let mut bytes = Vec::new();
    let mut buffer = [0; 16 * 1024];
    loop {
        let read = socket.read(&mut buffer)?;
        if read == 0 {
            return Err("no answer".into());
        }
        bytes.extend_from_slice(buffer.get(..read).unwrap_or_default());
        let mut headers = [httparse::EMPTY_HEADER; 32];
        let mut response = httparse::Response::new(&mut headers);
        let httparse::Status::Complete(head) = response.parse(&bytes)? else { continue };
        let find = |name: &str| {
            let header = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
            header.and_then(|header| std::str::from_utf8(header.value).ok())
        };
        let length: usize = find("Content-Length").map_or(Ok(0), str::parse)?;
        let closes = find("Connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        let status = response.code.ok_or("no status")?;
        if let Some(body) = bytes.get(head..head + length) {
            let body = body.to_vec();
            return Ok(((!closes).then_some(socket), status, body));
        }
    }
}
