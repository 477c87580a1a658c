//! TLS for tests, with the `openssl` command: a certificate, and a client whose stream is a plain socket here.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;

use super::{ports, process, sandbox, wait};

/// A key and its self-signed certificate, as PEM.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// The private key.
    pub key: String,
    /// The certificate, which signs itself.
    pub cert: String,
}

/// The certificate of the HTTP servers, for `localhost` and 127.0.0.1. It is made once per process.
pub static SERVER: LazyLock<Certificate> =
    LazyLock::new(|| Certificate::new("localhost", "DNS:localhost,IP:127.0.0.1"));

impl Certificate {
    /// A new certificate with this common name and these subject alternative names (in OpenSSL's form, `DNS:a,IP:b`).
    pub fn new(common_name: &str, names: &str) -> Self {
        let output = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"])
            .args(["-keyout", "-", "-out", "-", "-days", "2", "-subj", &format!("/CN={common_name}")])
            .args(["-addext", &format!("subjectAltName={names}")])
            .output()
            .expect("the openssl command");
        let text = String::from_utf8_lossy(&output.stdout);
        let split = text.find("-----BEGIN CERTIFICATE").unwrap_or_else(|| {
            panic!("openssl req: {}", String::from_utf8_lossy(&output.stderr));
        });
        Self { key: text[..split].to_owned(), cert: text[split..].to_owned() }
    }
}

/// A TLS connection. What is written to the socket is encrypted and sent, one record per write of up to 16 KiB.
#[derive(Debug)]
pub struct Tunnel(Child);

impl Drop for Tunnel {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Connects to a TLS server. The certificate is not verified: these tests are not about certificates.
pub fn connect(address: SocketAddr) -> io::Result<(UnixStream, Tunnel)> {
    let (ours, theirs) = UnixStream::pair()?;
    let mut command = process::command("openssl");
    command
        .args(["s_client", "-quiet", "-connect", &address.to_string()])
        .stdin(Stdio::from(OwnedFd::from(theirs.try_clone()?)))
        .stdout(Stdio::from(OwnedFd::from(theirs)))
        .stderr(Stdio::null());
    Ok((ours, Tunnel(process::spawn(command)?)))
}

/// Waits for a TLS client on a new port. Certificate and key are paths inside the sandbox.
pub fn listen(cert: &str, key: &str) -> io::Result<(UnixStream, Tunnel, u16)> {
    for _ in 0..3 {
        let port = ports::free();
        let (ours, theirs) = UnixStream::pair()?;
        let mut command = process::command("chroot");
        command
            .arg(sandbox::root())
            .args(["openssl", "s_server", "-quiet", "-naccept", "1", "-cert", cert, "-key", key])
            .args(["-accept", &format!("127.0.0.1:{port}")])
            .stdin(Stdio::from(OwnedFd::from(theirs.try_clone()?)))
            .stdout(Stdio::from(OwnedFd::from(theirs)))
            .stderr(Stdio::null());
        let mut tunnel = Tunnel(process::spawn(command)?);
        // A probe that connected would be taken for the client.
        let listens = wait::poll(wait::PATIENCE, || match tunnel.0.try_wait() {
            Ok(None) => is_listening(port).then_some(true),
            _ => Some(false),
        });
        if listens == Some(true) {
            return Ok((ours, tunnel, port));
        }
    }
    Err(io::Error::other("openssl s_server does not listen"))
}

/// Whether this port of 127.0.0.1 has a listener.
fn is_listening(port: u16) -> bool {
    let sockets = std::fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    sockets.contains(&format!(" 0100007F:{port:04X} 00000000:0000 0A "))
}
