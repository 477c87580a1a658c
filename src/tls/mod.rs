//! TLS with the OpenSSL that Asterisk has loaded into the process.

mod client;
mod transport;

use std::ffi::{CStr, c_int, c_ulong};
use std::io;
use std::ptr::{self, NonNull};
use std::time::{Duration, SystemTime};

use openssl_sys as ffi;
use parking_lot::Mutex;

pub(crate) use self::client::OpenSslConnector;
pub(crate) use self::transport::TlsTransport;

// What openssl-sys does not declare.
unsafe extern "C" {
    /// SSL_set_options(3) of OpenSSL 3; a macro in older ones.
    fn SSL_set_options(ssl: *mut ffi::SSL, options: u64) -> u64;
    /// SSL_set_quiet_shutdown(3).
    fn SSL_set_quiet_shutdown(ssl: *mut ffi::SSL, mode: c_int);
}

/// An `SSL` with its handshake done, over a non-blocking descriptor. Does not own the `SSL`.
///
/// The reactor uses it from one thread at a time anyway; the lock guarantees that.
#[derive(Debug)]
struct TlsSession(Mutex<NonNull<ffi::SSL>>);

// SAFETY: OpenSSL allows any thread to use an SSL, one at a time, which the lock ensures.
unsafe impl Send for TlsSession {}
// SAFETY: as above.
unsafe impl Sync for TlsSession {}

impl TlsSession {
    /// Prepares an established session for partial, non-blocking writes from moving buffers.
    ///
    /// # Safety
    /// `ssl` is alive as long as the result, and used through the result only.
    unsafe fn new(ssl: NonNull<ffi::SSL>) -> Self {
        const MODE: std::ffi::c_long = ffi::SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER as std::ffi::c_long
            | ffi::SSL_MODE_ENABLE_PARTIAL_WRITE as std::ffi::c_long;
        // SAFETY: a mode change on a live session.
        unsafe { ffi::SSL_ctrl(ssl.as_ptr(), ffi::SSL_CTRL_MODE, MODE, std::ptr::null_mut()) };
        // The close frame tells how a WebSocket ends; many peers send no close_notify after it.
        // SAFETY: as above.
        unsafe { SSL_set_options(ssl.as_ptr(), ffi::SSL_OP_IGNORE_UNEXPECTED_EOF) };
        Self(Mutex::new(ssl))
    }

    /// As [`Transport::recv`](crate::net::transport::Transport::recv).
    fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        let ssl = self.0.lock();
        let len = c_int::try_from(buf.len()).unwrap_or(c_int::MAX);
        // SAFETY: the session is alive and locked by us; `buf` has `len` bytes.
        let n = unsafe {
            ffi::ERR_clear_error();
            ffi::SSL_read(ssl.as_ptr(), buf.as_mut_ptr().cast(), len)
        };
        outcome(ssl.as_ptr(), n)
    }

    /// As [`Transport::send`](crate::net::transport::Transport::send).
    fn send(&self, buf: &[u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        let ssl = self.0.lock();
        let len = c_int::try_from(buf.len()).unwrap_or(c_int::MAX);
        // SAFETY: as for `recv`.
        let n = unsafe {
            ffi::ERR_clear_error();
            ffi::SSL_write(ssl.as_ptr(), buf.as_ptr().cast(), len)
        };
        match outcome(ssl.as_ptr(), n) {
            Ok(0) => Err(io::ErrorKind::BrokenPipe.into()),
            other => other,
        }
    }

    /// Sends close_notify, if it can be sent now.
    fn shutdown(&self) {
        let ssl = self.0.lock();
        // SAFETY: a live session with its handshake done, locked by us.
        unsafe {
            ffi::ERR_clear_error();
            ffi::SSL_shutdown(ssl.as_ptr());
        }
    }

    /// Sends no close_notify any more, not even one that could not be sent before, so that the thread that frees the
    /// session has nothing left to do: once the peer is gone, Asterisk would log the attempt as an error.
    fn be_quiet(&self) {
        let ssl = self.0.lock();
        // SAFETY: a live session, locked by us.
        unsafe { SSL_set_quiet_shutdown(ssl.as_ptr(), 1) };
    }

    /// Version and cipher, e.g. `TLSv1.3 TLS_AES_256_GCM_SHA384`.
    fn description(&self) -> String {
        let ssl = self.0.lock();
        // SAFETY: getters on a live session; the strings are OpenSSL's own statics.
        unsafe {
            let version = CStr::from_ptr(ffi::SSL_get_version(ssl.as_ptr()));
            let cipher = ffi::SSL_CIPHER_get_name(ffi::SSL_get_current_cipher(ssl.as_ptr()));
            format!("{} {}", version.to_string_lossy(), CStr::from_ptr(cipher).to_string_lossy())
        }
    }
}

impl TlsSession {
    /// When the peer's certificate expires; `None` if it has sent none, or one with an invalid time.
    fn certificate_expiry(&self) -> Option<SystemTime> {
        let ssl = self.0.lock();
        let (mut days, mut seconds) = (0, 0);
        // SAFETY: a live session; the certificate is NULL or a reference of our own, which is freed below, and its time
        // lives as long. NULL stands for the present time (ASN1_TIME_diff(3)).
        let compared = unsafe {
            let certificate = ffi::SSL_get1_peer_certificate(ssl.as_ptr());
            if certificate.is_null() {
                return None;
            }
            let not_after = ffi::X509_getm_notAfter(certificate);
            let compared = ffi::ASN1_TIME_diff(&raw mut days, &raw mut seconds, ptr::null(), not_after);
            ffi::X509_free(certificate);
            compared
        };
        // Both are negative when it has expired.
        let left = i64::from(days) * 86_400 + i64::from(seconds);
        let by = |seconds: i64| u64::try_from(seconds).ok().map(Duration::from_secs);
        let now = SystemTime::now();
        let at = match by(left) {
            Some(left) => now.checked_add(left),
            None => now.checked_sub(by(-left)?),
        };
        at.filter(|_| compared == 1)
    }
}

/// What an OpenSSL call's result means (SSL_get_error(3)).
fn outcome(ssl: *const ffi::SSL, n: c_int) -> io::Result<usize> {
    if let Ok(n @ 1..) = usize::try_from(n) {
        return Ok(n);
    }
    let os_error = io::Error::last_os_error();
    // SAFETY: right after the call it asks about, on the same thread.
    match unsafe { ffi::SSL_get_error(ssl, n) } {
        ffi::SSL_ERROR_WANT_READ | ffi::SSL_ERROR_WANT_WRITE => Err(io::ErrorKind::WouldBlock.into()),
        ffi::SSL_ERROR_ZERO_RETURN => Ok(0),
        ffi::SSL_ERROR_SYSCALL if n == 0 => Ok(0),
        ffi::SSL_ERROR_SYSCALL => Err(os_error),
        _ => Err(io::Error::other(error_text())),
    }
}

/// OpenSSL's text for the first error in this thread's queue.
pub(crate) fn error_text() -> String {
    text_of(next_error())
}

/// Takes the first error out of this thread's queue; 0 if there is none.
pub(crate) fn next_error() -> c_ulong {
    // SAFETY: the error queue of this thread.
    unsafe { ffi::ERR_get_error() }
}

/// OpenSSL's text for an error.
pub(crate) fn text_of(code: c_ulong) -> String {
    if ffi::ERR_SYSTEM_ERROR(code) {
        let errno = i32::try_from(code & ffi::ERR_SYSTEM_MASK).unwrap_or_default();
        return io::Error::from_raw_os_error(errno).to_string();
    }
    // SAFETY: the string is a static of OpenSSL's or NULL.
    unsafe {
        let reason = ffi::ERR_reason_error_string(code);
        if reason.is_null() {
            format!("TLS error {code:#x}")
        } else {
            CStr::from_ptr(reason).to_string_lossy().into_owned()
        }
    }
}
