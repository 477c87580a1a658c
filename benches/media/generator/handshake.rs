//! The opening handshake (RFC 6455 section 4), from either end. It blocks, because media has not begun yet.

use std::io::{Read, Write};

use tungstenite::handshake::derive_accept_key;

use crate::Result;
use crate::harness::secure::Stream;

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const MAX_HEAD_BYTES: usize = 16 * 1024;

/// Sends a request to upgrade. Returns the bytes after the answer.
pub fn ask(stream: &mut Stream, target: &str) -> Result<Vec<u8>> {
    let request = format!(
        "GET {target} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: media\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
    stream.flush()?;
    let (head, leftover) = read_head(stream)?;
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut headers);
    response.parse(&head)?;
    match response.code {
        Some(101) => Ok(leftover),
        code => Err(format!("the upgrade was answered with {code:?}").into()),
    }
}

/// Answers a request to upgrade. Returns the bytes after it.
pub fn answer(stream: &mut Stream) -> Result<Vec<u8>> {
    let (head, leftover) = read_head(stream)?;
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut request = httparse::Request::new(&mut headers);
    request.parse(&head)?;
    let key = request.headers.iter().find(|header| header.name.eq_ignore_ascii_case("Sec-WebSocket-Key"));
    let key = key.ok_or("a request without a key")?.value;
    let response = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\nSec-WebSocket-Protocol: media\r\n\r\n",
        derive_accept_key(key)
    );
    stream.write_all(response.as_bytes())?;
    stream.flush()?;
    Ok(leftover)
}

fn read_head(stream: &mut Stream) -> Result<(Vec<u8>, Vec<u8>)> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 2048];
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let leftover = bytes.split_off(end + 4);
            return Ok((bytes, leftover));
        }
        let read = stream.read(&mut buffer)?;
        if read == 0 || bytes.len() > MAX_HEAD_BYTES {
            return Err("no HTTP head".into());
        }
        bytes.extend_from_slice(buffer.get(..read).unwrap_or_default());
    }
}
