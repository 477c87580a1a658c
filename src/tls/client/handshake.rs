//! A TLS handshake, the check of the server's certificate, and the reasons for a failure.

use std::ffi::{CStr, CString, c_int, c_long, c_uint};
use std::io;
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::ptr::{self, NonNull};
use std::sync::Arc;

use openssl_sys as ffi;

use crate::net::connector::{TlsHandshake, TlsProgress};
use crate::tls::{TlsTransport, next_error, text_of};

/// An `SSL` and its socket, dropped in this order.
#[derive(Debug)]
pub(super) struct OwnedSsl {
    pub(super) ssl: NonNull<ffi::SSL>,
    pub(super) socket: TcpStream,
}

// SAFETY: any thread may use an SSL, one at a time: the handshake has one owner, the transport a lock.
unsafe impl Send for OwnedSsl {}
// SAFETY: as above.
unsafe impl Sync for OwnedSsl {}

impl AsFd for OwnedSsl {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Drop for OwnedSsl {
    fn drop(&mut self) {
        // SAFETY: our one reference; the socket is closed after it.
        unsafe { ffi::SSL_free(self.ssl.as_ptr()) };
    }
}

/// A handshake under way, and the server that it is to be with.
pub(super) struct Handshake {
    pub(super) owned: OwnedSsl,
    pub(super) host: CString,
    /// `host` is an address, and the certificate has to be for it.
    pub(super) verify_address: bool,
}

impl TlsHandshake for Handshake {
    fn advance(self: Box<Self>) -> TlsProgress {
        let ssl = self.owned.ssl;
        // SAFETY: a live session, used by this thread alone.
        let (result, error, os_error) = unsafe {
            ffi::ERR_clear_error();
            let result = ffi::SSL_do_handshake(ssl.as_ptr());
            let os_error = io::Error::last_os_error();
            (result, ffi::SSL_get_error(ssl.as_ptr(), result), os_error)
        };
        if result == 1 {
            if self.verify_address && !is_for_address(ssl, &self.host) {
                return TlsProgress::Failed(not_for(&self.host, "IP address mismatch"));
            }
            // SAFETY: the handshake is done; the session is that of `owned`.
            let transport = unsafe { TlsTransport::new(ssl, self.owned) };
            return TlsProgress::Done(Arc::new(transport));
        }
        match error {
            ffi::SSL_ERROR_WANT_READ | ffi::SSL_ERROR_WANT_WRITE => TlsProgress::Pending(self),
            ffi::SSL_ERROR_SYSCALL if result == 0 || os_error.raw_os_error() == Some(0) => {
                TlsProgress::Failed(CLOSED.into())
            }
            ffi::SSL_ERROR_SYSCALL => TlsProgress::Failed(format!("TLS handshake: {os_error}")),
            _ => TlsProgress::Failed(self.why()),
        }
    }
}

impl Handshake {
    /// Which check failed, for which name; else OpenSSL's own text.
    fn why(&self) -> String {
        // SAFETY: getters on a live session; the strings are OpenSSL's statics.
        let (verdict, reason) = unsafe {
            let verdict = ffi::SSL_get_verify_result(self.owned.ssl.as_ptr());
            let reason = CStr::from_ptr(ffi::X509_verify_cert_error_string(verdict));
            (verdict, reason.to_string_lossy())
        };
        match verdict {
            verdict if verdict == c_long::from(ffi::X509_V_OK) => handshake_fault(),
            verdict if verdict == c_long::from(ffi::X509_V_ERR_HOSTNAME_MISMATCH) => {
                not_for(&self.host, &reason)
            }
            _ => format!("the certificate of '{}' is not trusted: {reason}", self.host.to_string_lossy()),
        }
    }
}

const CLOSED: &str = "the server closed the connection during the TLS handshake";

/// openssl/err.h
const ERR_LIB_SSL: c_int = 20;
/// Reasons of that library (openssl/sslerr.h) that show that a server speaks another protocol.
const UNEXPECTED_EOF_WHILE_READING: c_int = 294;
const NO_TLS: [c_int; 4] = [HTTP_REQUEST, PACKET_LENGTH_TOO_LONG, UNKNOWN_PROTOCOL, WRONG_VERSION_NUMBER];
const HTTP_REQUEST: c_int = 156;
const PACKET_LENGTH_TOO_LONG: c_int = 198;
const UNKNOWN_PROTOCOL: c_int = 252;
const WRONG_VERSION_NUMBER: c_int = 267;

/// Why a handshake failed without a verdict on a certificate, by the first error in this thread's queue.
fn handshake_fault() -> String {
    let code = next_error();
    match (ffi::ERR_GET_LIB(code), ffi::ERR_GET_REASON(code)) {
        (ERR_LIB_SSL, UNEXPECTED_EOF_WHILE_READING) => CLOSED.to_owned(),
        (ERR_LIB_SSL, reason) if NO_TLS.contains(&reason) => {
            format!("the server does not speak TLS ({})", text_of(code))
        }
        _ => format!("TLS handshake: {}", text_of(code)),
    }
}

/// Whether the server's certificate is for this address: among its alternative names as an address, or, as the C module
/// checks it, written as a name. X509_VERIFY_PARAM checks only the former.
fn is_for_address(ssl: NonNull<ffi::SSL>, address: &CStr) -> bool {
    const FLAGS: c_uint = ffi::X509_CHECK_FLAG_NO_WILDCARDS | ffi::X509_CHECK_FLAG_ALWAYS_CHECK_SUBJECT;
    // SAFETY: a live session; the certificate is NULL or a reference of our own, which is freed below.
    unsafe {
        let certificate = ffi::SSL_get1_peer_certificate(ssl.as_ptr());
        if certificate.is_null() {
            return false;
        }
        let (text, len) = (address.as_ptr(), address.to_bytes().len());
        let matches = ffi::X509_check_ip_asc(certificate, text, 0) == 1
            || ffi::X509_check_host(certificate, text, len, FLAGS, ptr::null_mut()) == 1;
        ffi::X509_free(certificate);
        matches
    }
}

fn not_for(host: &CStr, reason: &str) -> String {
    format!("the server's certificate is not for '{}': {reason}", host.to_string_lossy())
}
