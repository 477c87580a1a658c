//! An app that waits for Asterisk to connect to it.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

use tungstenite::protocol::Role;

use super::app::App;
use super::http::Request;
use super::stream::Stream;
use super::trace::Recorder;
use super::wait;

/// A listening socket, and the name under which Asterisk knows it.
#[derive(Debug)]
pub struct AppServer {
    /// The object in websocket_client.conf, and so the connection id in a dial string.
    pub client: String,
    /// Where it listens.
    pub address: SocketAddr,
    listener: TcpListener,
    recorder: Recorder,
}

impl AppServer {
    /// Listens on a port of its own. Connections wait in the kernel until they are accepted here.
    pub(super) fn listen(client: String, recorder: Recorder) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("listen");
        listener.set_nonblocking(true).expect("nonblocking");
        let address = listener.local_addr().expect("address");
        Self { client, address, listener, recorder }
    }

    /// `ws://` and the address, and a path.
    pub fn uri(&self, path: &str) -> String {
        format!("ws://{}/{path}", self.address)
    }

    /// Waits for a connection, and reads nothing from it.
    pub fn accept_silently(&self, timeout: Duration) -> Option<Stream> {
        wait::poll(timeout, || {
            let (stream, _) = self.listener.accept().ok()?;
            stream.set_nonblocking(false).expect("blocking");
            Stream::accepted(stream).ok()
        })
    }

    /// Waits for a request to upgrade, for the test to answer.
    #[track_caller]
    pub fn request(&self) -> Request {
        let stream = self.accept_silently(wait::PATIENCE);
        let stream = stream.unwrap_or_else(|| panic!("Asterisk did not connect to {}", self.client));
        Request::read(stream).unwrap_or_else(|err| panic!("request for {}: {err}", self.client))
    }

    /// Waits for Asterisk to connect, and accepts with the subprotocol that it offers.
    #[track_caller]
    pub fn accept(&self) -> App {
        self.upgrade(self.request())
    }

    /// Accepts a request with the subprotocol that it offers.
    pub fn upgrade(&self, request: Request) -> App {
        let protocol = request.header("Sec-WebSocket-Protocol").map(|offer| {
            let first = offer.split(',').next().unwrap_or_default().trim();
            format!("Sec-WebSocket-Protocol: {first}\r\n")
        });
        self.upgrade_with(request, &protocol.unwrap_or_default(), &[])
    }

    /// Accepts a request with these header lines (each with its CRLF), and `trailing` behind in the same write.
    pub fn upgrade_with(&self, mut request: Request, headers: &str, trailing: &[u8]) -> App {
        let head = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {}\r\n{headers}\r\n",
            request.accept_key()
        );
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(trailing);
        request.respond(&bytes);
        App::new(request.stream, request.leftover, Role::Server, self.recorder.section())
    }
}
