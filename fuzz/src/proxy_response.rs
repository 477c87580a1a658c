//! A proxy's answer to our CONNECT.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use super::input::{Input, text};
use crate::net::connector::proxy::{Exchange, ExchangeError};
use crate::settings::client::Proxy;

/// Lengths of pieces, a zero, and the answer.
pub fn proxy_response(bytes: &[u8]) {
    let (all, pieces) = Input::new(bytes).pieces();
    // More would not fit into the socket's buffer; the limit of the head is 16 KiB.
    if all.len() > 40_000 {
        return;
    }
    let whole = ask(&[all]);
    let split = ask(&pieces);
    assert_eq!(whole, split, "in one piece and in pieces: {:?}", text(all));
    match whole {
        Outcome::Tunnel { behind } => {
            assert!(all.ends_with(&behind), "the tunnel's first bytes are all there");
        }
        Outcome::Refused(line) => {
            assert!(!line.contains(char::is_control) && line.chars().count() < 600, "{line:?}");
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// The tunnel is open, and these bytes wait in the socket.
    Tunnel {
        behind: Vec<u8>,
    },
    Refused(String),
}

fn ask(pieces: &[&[u8]]) -> Outcome {
    // Not TCP: a fuzzer makes more connections than there are ports.
    let (ours, mut proxys) = UnixStream::pair().expect("a pair of sockets");
    ours.set_nonblocking(true).unwrap();
    let mut ours = TcpStream::from(OwnedFd::from(ours));
    let proxy = Proxy { host: "proxy.example".into(), port: 3128, credentials: None };
    let mut exchange = Exchange::new("app.example", 443, &proxy);
    for (number, piece) in pieces.iter().enumerate() {
        proxys.write_all(piece).unwrap();
        match exchange.advance(&ours) {
            Ok(false) => {}
            Ok(true) => {
                proxys.write_all(&pieces[number + 1..].concat()).unwrap();
                proxys.shutdown(std::net::Shutdown::Write).unwrap();
                let mut behind = Vec::new();
                ours.read_to_end(&mut behind).unwrap();
                return Outcome::Tunnel { behind };
            }
            Err(error) => return refused(error),
        }
    }
    proxys.shutdown(std::net::Shutdown::Write).unwrap();
    match exchange.advance(&ours) {
        Err(error) => refused(error),
        Ok(stands) => panic!("{stands} behind the end of the stream"),
    }
}

fn refused(error: ExchangeError) -> Outcome {
    match error {
        ExchangeError::Proxy(error) => Outcome::Refused(error.to_string()),
        ExchangeError::Io(error) => panic!("{error}"),
    }
}
