//! TLS inside this process, with rustls: for tests and benches that need many connections, or control over the records.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, Error, ServerConfig, ServerConnection};

use super::tls::SERVER;

/// How long a step of a handshake may take.
const HANDSHAKE_STEP: Duration = Duration::from_secs(10);

/// Plain or TLS.
#[derive(Debug)]
pub enum Stream {
    /// Plain.
    Plain(TcpStream),
    /// Encrypted by us.
    Tls(TcpStream, Box<rustls::Connection>),
}

impl Stream {
    /// A new TCP connection. Reads and writes block, until [`Stream::stop_waiting`].
    pub fn plain(socket: TcpStream) -> io::Result<Self> {
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(HANDSHAKE_STEP))?;
        socket.set_write_timeout(Some(HANDSHAKE_STEP))?;
        Ok(Self::Plain(socket))
    }

    /// The same with TLS, as the client.
    pub fn tls_client(socket: TcpStream, config: &Arc<ClientConfig>) -> io::Result<Self> {
        let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
        let session = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
        Self::tls(socket, session.into())
    }

    /// The same with TLS, as the server.
    pub fn tls_server(socket: TcpStream, config: &Arc<ServerConfig>) -> io::Result<Self> {
        let session = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
        Self::tls(socket, session.into())
    }

    fn tls(socket: TcpStream, mut tls: rustls::Connection) -> io::Result<Self> {
        let Self::Plain(mut socket) = Self::plain(socket)? else { unreachable!("plain is plain") };
        while tls.is_handshaking() {
            tls.complete_io(&mut socket)?;
        }
        Ok(Self::Tls(socket, Box::new(tls)))
    }

    /// From now on no call blocks: an operation that cannot be done at once gives `WouldBlock`.
    pub fn stop_waiting(&self) -> io::Result<()> {
        self.socket().set_nonblocking(true)
    }

    /// Whether TLS holds bytes that the socket has not taken yet.
    pub fn is_behind(&self) -> bool {
        matches!(self, Self::Tls(_, tls) if tls.wants_write())
    }

    /// Whether the end that was read was intended by the other side: with TLS it announces the end first
    /// (close_notify).
    pub fn ended_in_order(&mut self) -> bool {
        match self {
            Self::Plain(_) => true,
            Self::Tls(_, tls) => tls.process_new_packets().is_ok_and(|state| state.peer_has_closed()),
        }
    }

    /// With TLS, announces that no more data will follow.
    pub fn say_end(&mut self) {
        if let Self::Tls(_, tls) = self {
            tls.send_close_notify();
        }
        let _ = self.flush();
    }

    /// With TLS 1.3: uses new keys for writing from now on, and asks the other side to do the same.
    pub fn refresh_keys(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Tls(_, tls) => tls.refresh_traffic_keys().map_err(io::Error::other),
        }
    }

    /// The socket beneath.
    pub fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(socket) | Self::Tls(socket, _) => socket,
        }
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket().as_fd()
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (socket, tls) = match self {
            Self::Plain(socket) => return socket.read(buffer),
            Self::Tls(socket, tls) => (socket, tls),
        };
        loop {
            match tls.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return result,
            }
            if tls.read_tls(socket)? == 0 {
                return Ok(0);
            }
            tls.process_new_packets().map_err(io::Error::other)?;
        }
    }
}

impl Write for Stream {
    /// Bytes that TLS has taken may not be sent yet: see [`Stream::is_behind`].
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            Self::Tls(socket, tls) => {
                while tls.wants_write() {
                    tls.write_tls(socket)?;
                }
                let taken = tls.writer().write(bytes)?;
                while tls.wants_write() {
                    match tls.write_tls(socket) {
                        Ok(_) => {}
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                        Err(error) => return Err(error),
                    }
                }
                Ok(taken)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        if let Self::Tls(socket, tls) = self {
            while tls.wants_write() {
                tls.write_tls(socket)?;
            }
        }
        Ok(())
    }
}

/// TLS settings for both roles.
#[derive(Debug, Clone)]
pub struct Tls {
    /// For connecting to Asterisk.
    pub client: Arc<ClientConfig>,
    /// For being connected to.
    pub server: Arc<ServerConfig>,
}

impl Tls {
    /// With the certificate that the instances have. It is not verified: these tests are not about certificates.
    pub fn new() -> Self {
        let provider = Arc::new(rustls_graviola::default_provider());
        let client = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("versions of TLS")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate(Arc::clone(&provider))))
            .with_no_client_auth();
        let certificate = CertificateDer::from_pem_slice(SERVER.cert.as_bytes()).expect("certificate");
        let key = PrivateKeyDer::from_pem_slice(SERVER.key.as_bytes()).expect("key");
        let server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions of TLS")
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .expect("certificate and key");
        Self { client: Arc::new(client), server: Arc::new(server) }
    }
}

impl Default for Tls {
    fn default() -> Self {
        Self::new()
    }
}

/// Accepts any certificate, but checks signatures.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
