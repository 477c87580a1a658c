//! One TCP connection on its way to becoming a WebSocket: TCP, proxy, TLS, upgrade, each without waiting.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::Arc;

use mio::{Interest, Registry, Token};
use rustix::net::sockopt;

use super::connect_error::{Failure, Phase};
use super::observer::Observer;
use super::partial_write::PartialWrite;
use super::proxy::{Exchange, ExchangeError};
use super::tls::{TlsContext, TlsHandshake, TlsProgress};
use super::{Destination, TlsConnector};
use crate::net::transport::{PlainTransport, Transport};
use crate::net::upgrade::{Progress, ResponseParser, UpgradeRequest, authority};
use crate::settings::config::TcpKeepalives;
use crate::settings::per_call::{Bearer, Secret};

/// Where a call goes and how: what all its attempts share.
pub(super) struct Plan {
    pub(super) destination: Destination,
    tls: Option<Arc<dyn TlsContext>>,
    /// The token of this attempt.
    token: Option<Secret>,
}

impl Plan {
    /// Checks the request and loads what TLS needs. May block.
    pub(super) fn new(destination: Destination, tls: &dyn TlsConnector) -> Result<Self, Failure> {
        let wants_tls = destination.target.tls;
        let tls =
            wants_tls.then(|| tls.prepare(&destination.client)).transpose().map_err(Failure::TlsSetup)?;
        let token = match &destination.client.bearer {
            Some(Bearer::Token(token)) => Some(token.clone()),
            Some(Bearer::File(_)) | None => None,
        };
        let plan = Self { destination, tls, token };
        plan.request().check()?;
        Ok(plan)
    }

    /// Where the TCP connection goes: to the proxy, if there is one.
    pub(super) fn endpoint(&self) -> (&str, u16) {
        match &self.destination.client.proxy {
            Some(proxy) => (&proxy.host, proxy.port),
            None => (&self.destination.target.host, self.destination.target.port),
        }
    }

    /// The file that each attempt's token is in.
    pub(super) fn token_file(&self) -> Option<&PathBuf> {
        match &self.destination.client.bearer {
            Some(Bearer::File(file)) => Some(file),
            Some(Bearer::Token(_)) | None => None,
        }
    }

    /// Sets the token that the file has now.
    pub(super) fn set_token(&mut self, token: Secret) {
        self.token = Some(token);
    }

    /// `host:port` of the app's server.
    pub(super) fn server(&self) -> String {
        authority(&self.destination.target.host, self.destination.target.port)
    }

    fn request(&self) -> UpgradeRequest<'_> {
        let Destination { client, target } = &self.destination;
        UpgradeRequest {
            host: &target.host,
            port: target.port,
            path_and_query: &target.path_and_query,
            credentials: client.credentials(target),
            bearer: self.token.as_ref().map(|Secret(token)| token.as_str()),
            headers: &client.headers,
            protocols: Some(&client.protocols),
        }
    }
}

/// How far the connection is. Dropped, it closes the socket.
pub(super) enum Opening {
    /// connect(2) is under way.
    Tcp(mio::net::TcpStream),
    /// The proxy is asked for a tunnel.
    Proxy(TcpStream, Exchange),
    /// TLS is being negotiated.
    Tls(Box<dyn TlsHandshake>),
    /// The server is asked for a WebSocket.
    Upgrade(Upgrade),
}

/// A request for a WebSocket and the answer to it.
pub(super) struct Upgrade {
    pub(super) transport: Arc<dyn Transport>,
    request: PartialWrite,
    answer: ResponseParser,
}

/// A connection that has become a WebSocket.
pub(super) struct Opened {
    pub(super) transport: Arc<dyn Transport>,
    pub(super) leftover: Vec<u8>,
    pub(super) subprotocol: Option<String>,
}

/// The result of driving a link.
pub(super) enum OpeningStep {
    /// It waits for its socket.
    Pending(Opening),
    /// It is a WebSocket.
    Done(Opened),
}

/// The result of one phase.
pub(super) enum Move {
    /// It waits for its socket.
    Wait(Opening),
    /// The next phase can begin.
    On(Opening),
    /// It is a WebSocket.
    Done(Opened),
}

impl Opening {
    /// Begins to connect. The socket is registered once for both directions, edge-triggered: a thread that gets an
    /// event goes on until the socket would block. A closed socket leaves the epoll by itself.
    ///
    /// # Errors
    /// As `socket(2)`, `connect(2)` and `epoll_ctl(2)`.
    pub(super) fn open(addr: SocketAddr, registry: &Registry, token: Token) -> io::Result<Self> {
        let mut stream = mio::net::TcpStream::connect(addr)?;
        registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
        Ok(Self::Tcp(stream))
    }

    /// The phase that `handshake_timeout` is spent on; `None` while TCP connects.
    pub(super) fn phase(&self) -> Option<Phase> {
        match self {
            Self::Tcp(_) => None,
            Self::Proxy(..) => Some(Phase::Proxy),
            Self::Tls(_) => Some(Phase::Tls),
            Self::Upgrade(_) => Some(Phase::Upgrade),
        }
    }

    /// Goes on until the socket would block. `addr` is its peer.
    pub(super) fn advance(
        self,
        plan: &Plan,
        addr: SocketAddr,
        observer: &mut Observer,
    ) -> Result<OpeningStep, Failure> {
        let mut link = self;
        loop {
            let phase = link.phase();
            link = match link.next(plan, addr)? {
                Move::On(link) => {
                    observer.passed(phase, &link, plan, addr);
                    link
                }
                Move::Wait(link) => return Ok(OpeningStep::Pending(link)),
                Move::Done(opened) => return Ok(OpeningStep::Done(opened)),
            }
        }
    }

    fn next(self, plan: &Plan, addr: SocketAddr) -> Result<Move, Failure> {
        match self {
            Self::Tcp(stream) => after_tcp(stream, plan, addr),
            Self::Proxy(stream, exchange) => after_proxy(stream, exchange, plan, addr),
            Self::Tls(handshake) => after_tls(handshake, plan, addr),
            Self::Upgrade(upgrade) => upgrade.advance(addr),
        }
    }
}

fn after_tcp(stream: mio::net::TcpStream, plan: &Plan, addr: SocketAddr) -> Result<Move, Failure> {
    let failed = |error| Failure::Tcp { addr, error };
    if let Some(error) = stream.take_error().map_err(failed)? {
        return Err(failed(error));
    }
    match stream.peer_addr() {
        Ok(_) => {}
        Err(err) if err.kind() == io::ErrorKind::NotConnected => return Ok(Move::Wait(Opening::Tcp(stream))),
        Err(err) => return Err(failed(err)),
    }
    let stream = TcpStream::from(stream);
    set_options(&stream, plan.destination.client.tcp_keepalives.as_ref()).map_err(failed)?;
    match &plan.destination.client.proxy {
        Some(proxy) => {
            let target = &plan.destination.target;
            Ok(Move::On(Opening::Proxy(stream, Exchange::new(&target.host, target.port, proxy))))
        }
        None => secure(stream, plan, addr),
    }
}

fn after_proxy(
    stream: TcpStream,
    mut exchange: Exchange,
    plan: &Plan,
    addr: SocketAddr,
) -> Result<Move, Failure> {
    match exchange.advance(&stream) {
        Ok(true) => secure(stream, plan, addr),
        Ok(false) => Ok(Move::Wait(Opening::Proxy(stream, exchange))),
        Err(ExchangeError::Io(error)) => Err(Failure::Lost { addr, phase: Phase::Proxy, error }),
        Err(ExchangeError::Proxy(error)) => {
            let (host, port) = plan.endpoint();
            Err(Failure::Proxy { proxy: authority(host, port), error })
        }
    }
}

fn after_tls(handshake: Box<dyn TlsHandshake>, plan: &Plan, addr: SocketAddr) -> Result<Move, Failure> {
    match handshake.advance() {
        TlsProgress::Done(transport) => ask(transport, plan),
        TlsProgress::Pending(handshake) => Ok(Move::Wait(Opening::Tls(handshake))),
        TlsProgress::Failed(text) => Err(Failure::Tls { addr, text }),
    }
}

/// Begins with TLS, or goes without.
fn secure(stream: TcpStream, plan: &Plan, addr: SocketAddr) -> Result<Move, Failure> {
    let Some(tls) = &plan.tls else {
        let transport = PlainTransport::new(stream).map_err(|error| Failure::Tcp { addr, error })?;
        return ask(Arc::new(transport), plan);
    };
    let handshake = tls.start(&plan.destination.target.host, stream);
    Ok(Move::On(Opening::Tls(handshake.map_err(|text| Failure::Tls { addr, text })?)))
}

fn ask(transport: Arc<dyn Transport>, plan: &Plan) -> Result<Move, Failure> {
    let (request, answer) = plan.request().start()?;
    Ok(Move::On(Opening::Upgrade(Upgrade { transport, request: PartialWrite::new(request), answer })))
}

impl Upgrade {
    /// Sends the request and reads the answer, until the socket would block. `addr` is its peer.
    pub(super) fn advance(mut self, addr: SocketAddr) -> Result<Move, Failure> {
        let lost = |error| Failure::Lost { addr, phase: Phase::Upgrade, error };
        let refused = |error, answer: &ResponseParser| {
            let retry_after = answer.retry_after().map(str::to_owned);
            Failure::Upgrade { addr, error: Box::new(error), retry_after }
        };
        if !self.request.flush(|bytes| self.transport.send(bytes)).map_err(lost)? {
            return Ok(Move::Wait(Opening::Upgrade(self)));
        }
        let mut buf = [0; 4096];
        loop {
            let len = match self.transport.recv(&mut buf) {
                Ok(0) => return Err(refused(self.answer.end_of_stream(), &self.answer)),
                Ok(len) => len,
                Err(err) if err.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(Move::Wait(Opening::Upgrade(self)));
                }
                Err(err) if err.kind() == io::ErrorKind::Interrupted => continue,
                Err(err) => return Err(lost(err)),
            };
            match self.answer.feed(buf.get(..len).unwrap_or_default()) {
                Ok(Progress::NeedMore) => {}
                Ok(Progress::Done { leftover, subprotocol }) => {
                    return Ok(Move::Done(Opened { transport: self.transport, leftover, subprotocol }));
                }
                Err(error) => return Err(refused(error, &self.answer)),
            }
        }
    }
}

/// TCP_NODELAY, and keepalives if configured; else the system's default, none.
fn set_options(stream: &TcpStream, keepalives: Option<&TcpKeepalives>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    keepalives.map_or(Ok(()), |keepalives| set_tcp_keepalives(stream, keepalives))
}

/// Turns on TCP keepalives (tcp(7): TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT). While data is in flight the kernel sends
/// none; TCP_USER_TIMEOUT then gives the peer the same time, instead of about a quarter of an hour.
///
/// # Errors
/// As `setsockopt(2)`: numbers that the kernel does not accept.
// If this were inlined, the compiler would move the calculation before the check whether there are numbers, and
// memcheck would report the use of uninitialised memory.
#[inline(never)]
pub fn set_tcp_keepalives(socket: impl AsFd, keepalives: &TcpKeepalives) -> io::Result<()> {
    sockopt::set_tcp_keepidle(&socket, keepalives.time)?;
    sockopt::set_tcp_keepintvl(&socket, keepalives.interval)?;
    sockopt::set_tcp_keepcnt(&socket, keepalives.probes)?;
    sockopt::set_socket_keepalive(&socket, true)?;
    let patience = keepalives.time + keepalives.interval * keepalives.probes;
    sockopt::set_tcp_user_timeout(&socket, u32::try_from(patience.as_millis()).unwrap_or(u32::MAX))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::time::Duration;

    use super::*;

    #[test]
    fn socket_options_are_set_as_configured() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let connect = || TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let socket = connect();
        set_options(&socket, None).unwrap();
        assert!(socket.nodelay().unwrap());
        assert!(!sockopt::socket_keepalive(&socket).unwrap());

        let socket = connect();
        let (time, interval) = (Duration::from_secs(11), Duration::from_secs(7));
        set_options(&socket, Some(&TcpKeepalives { time, interval, probes: 5 })).unwrap();
        assert!(sockopt::socket_keepalive(&socket).unwrap());
        assert_eq!(sockopt::tcp_keepidle(&socket).unwrap(), time);
        assert_eq!(sockopt::tcp_keepintvl(&socket).unwrap(), interval);
        assert_eq!(sockopt::tcp_keepcnt(&socket).unwrap(), 5);
        assert_eq!(sockopt::tcp_user_timeout(&socket).unwrap(), 46_000);
    }
}
