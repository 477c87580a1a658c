//! TLS for outgoing calls, with the OpenSSL that Asterisk has in the process.

use std::collections::HashMap;
use std::ffi::{CStr, CString, c_int, c_long, c_uint};
use std::fs;
use std::io;
use std::net::{IpAddr, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use openssl_sys as ffi;
use parking_lot::Mutex;

use super::tls::{TlsTransport, error_text, next_error, text_of};
use crate::driver::client::ClientSettings;
use crate::net::connector::{TlsConnector, TlsContext, TlsHandshake, TlsProgress};

/// How long a loaded trust store and certificate serve further calls: loading the system's store takes milliseconds. A
/// file that is named in the settings is loaded anew once it has changed; a folder and the system's store after this.
const CONTEXT_LIFETIME: Duration = Duration::from_secs(60);

/// The settings that make a context.
#[derive(Clone, PartialEq, Eq, Hash)]
struct ContextKey {
    ca_list_file: Option<String>,
    ca_list_path: Option<String>,
    cert_file: Option<String>,
    priv_key_file: Option<String>,
    verify_cert: bool,
    verify_hostname: bool,
    /// Of the files, in this order.
    stamps: [Option<Stamp>; 3],
}

/// Tells a file from the one that was there before: modification time, length.
type Stamp = (SystemTime, u64);

fn stamp(file: Option<&String>) -> Option<Stamp> {
    let metadata = fs::metadata(file?).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

impl ContextKey {
    fn of(settings: &ClientSettings) -> Self {
        Self {
            ca_list_file: settings.ca_list_file.clone(),
            ca_list_path: settings.ca_list_path.clone(),
            cert_file: settings.cert_file.clone(),
            priv_key_file: settings.priv_key_file.clone(),
            verify_cert: settings.verify_server_cert,
            verify_hostname: settings.verify_server_hostname,
            stamps: [&settings.ca_list_file, &settings.cert_file, &settings.priv_key_file]
                .map(|file| stamp(file.as_ref())),
        }
    }
}

/// Makes TLS contexts and keeps them for a while. One per engine.
#[derive(Default)]
pub(crate) struct OpenSslConnector {
    contexts: Mutex<HashMap<ContextKey, (Instant, Arc<Context>)>>,
}

impl TlsConnector for OpenSslConnector {
    fn prepare(&self, settings: &ClientSettings) -> Result<Arc<dyn TlsContext>, String> {
        let key = ContextKey::of(settings);
        if let Some((made, context)) = self.contexts.lock().get(&key)
            && made.elapsed() < CONTEXT_LIFETIME
        {
            return Ok(context.clone());
        }
        let context = Arc::new(Context::load(&key)?);
        let mut contexts = self.contexts.lock();
        contexts.retain(|_, (made, _)| made.elapsed() < CONTEXT_LIFETIME);
        contexts.insert(key, (Instant::now(), context.clone()));
        Ok(context)
    }
}

/// An `SSL_CTX`: trust store, client certificate, verify flags.
struct Context {
    ctx: NonNull<ffi::SSL_CTX>,
    verify_cert: bool,
    verify_hostname: bool,
}

// SAFETY: an SSL_CTX counts its references atomically, and is only read after `load`.
unsafe impl Send for Context {}
// SAFETY: as above.
unsafe impl Sync for Context {}

impl Context {
    fn load(key: &ContextKey) -> Result<Self, String> {
        const TLS_1_2: c_long = ffi::TLS1_2_VERSION as c_long;
        // SAFETY: a new context that is ours, or NULL.
        let ctx = NonNull::new(unsafe { ffi::SSL_CTX_new(ffi::TLS_client_method()) })
            .ok_or_else(|| format!("no TLS context: {}", error_text()))?;
        let context = Self { ctx, verify_cert: key.verify_cert, verify_hostname: key.verify_hostname };
        // SAFETY: a live context that nobody else has yet.
        unsafe {
            ffi::SSL_CTX_ctrl(ctx.as_ptr(), ffi::SSL_CTRL_SET_MIN_PROTO_VERSION, TLS_1_2, ptr::null_mut());
            let mode = if key.verify_cert { ffi::SSL_VERIFY_PEER } else { ffi::SSL_VERIFY_NONE };
            ffi::SSL_CTX_set_verify(ctx.as_ptr(), mode, None);
        }
        if key.verify_cert {
            context.load_trust(key)?;
        }
        // As with the C module, which says nothing: a server that wants none is reached without it.
        if let Err(why) = context.load_certificate(key) {
            log::warn!("{why}; connecting without a client certificate");
        }
        Ok(context)
    }

    /// The configured authorities; without any, the system's (DIVERGES: the C module trusts nobody then).
    fn load_trust(&self, key: &ContextKey) -> Result<(), String> {
        let (file, path) = (c_string(key.ca_list_file.as_deref())?, c_string(key.ca_list_path.as_deref())?);
        clear_errors();
        if file.is_none() && path.is_none() {
            // SAFETY: a live context.
            if unsafe { ffi::SSL_CTX_set_default_verify_paths(self.ctx.as_ptr()) } != 1 {
                return Err(format!("the system's trust store cannot be loaded: {}", error_text()));
            }
            return Ok(());
        }
        let (file_ptr, path_ptr) = (as_ptr(file.as_deref()), as_ptr(path.as_deref()));
        // SAFETY: a live context; each string is NULL or lives across the call.
        if unsafe { ffi::SSL_CTX_load_verify_locations(self.ctx.as_ptr(), file_ptr, path_ptr) } != 1 {
            let what = key.ca_list_file.as_deref().or(key.ca_list_path.as_deref()).unwrap_or_default();
            return Err(format!("ca_list_file or ca_list_path '{what}' cannot be loaded: {}", error_text()));
        }
        Ok(())
    }

    /// The client certificate with its chain, and its key (from the same file unless another is named).
    fn load_certificate(&self, key: &ContextKey) -> Result<(), String> {
        let Some(cert) = c_string(key.cert_file.as_deref())? else { return Ok(()) };
        let private = c_string(key.priv_key_file.as_deref())?.unwrap_or_else(|| cert.clone());
        clear_errors();
        // SAFETY: a live context; the string lives across the call.
        if unsafe { ffi::SSL_CTX_use_certificate_chain_file(self.ctx.as_ptr(), cert.as_ptr()) } != 1 {
            return Err(format!("cert_file '{}' cannot be loaded: {}", cert.to_string_lossy(), error_text()));
        }
        // SAFETY: as above.
        if unsafe {
            ffi::SSL_CTX_use_PrivateKey_file(self.ctx.as_ptr(), private.as_ptr(), ffi::SSL_FILETYPE_PEM)
        } != 1
        {
            return Err(format!(
                "priv_key_file '{}' cannot be loaded: {}",
                private.to_string_lossy(),
                error_text()
            ));
        }
        Ok(())
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: our one reference.
        unsafe { ffi::SSL_CTX_free(self.ctx.as_ptr()) };
    }
}

impl TlsContext for Context {
    fn start(&self, host: &str, socket: TcpStream) -> Result<Box<dyn TlsHandshake>, String> {
        let failed = |what: &str| format!("TLS cannot begin: {what}: {}", error_text());
        clear_errors();
        // SAFETY: a live context; the result is ours, or NULL.
        let ssl = NonNull::new(unsafe { ffi::SSL_new(self.ctx.as_ptr()) })
            .ok_or_else(|| failed("out of memory"))?;
        let owned = OwnedSsl { ssl, socket };
        // SAFETY: a live session of ours; the descriptor lives as long (OwnedSsl drops it last).
        unsafe {
            // BIO_NOCLOSE: the socket is closed by its owner. SSL_set_bio takes the BIO over.
            let bio = ffi::BIO_new_socket(owned.socket.as_raw_fd(), 0);
            if bio.is_null() {
                return Err(failed("out of memory"));
            }
            ffi::SSL_set_bio(ssl.as_ptr(), bio, bio);
            ffi::SSL_set_connect_state(ssl.as_ptr());
        }
        // The zone of an IPv6 address is a matter of this machine, the dot of an absolute name one of the resolver.
        let host = host.split('%').next().unwrap_or_default();
        let host = host.strip_suffix('.').unwrap_or(host);
        let name = CString::new(host).map_err(|_| failed("the server's name"))?;
        let is_address = host.parse::<IpAddr>().is_ok();
        let verify = self.verify_cert && self.verify_hostname;
        if !is_address {
            set_host(ssl, &name, verify).map_err(|()| failed("the server's name"))?;
        }
        Ok(Box::new(Handshake { owned, host: name, verify_address: is_address && verify }))
    }
}

/// SNI (RFC 6066: for names, not for addresses), and the name that the certificate has to have: among its alternative
/// names, wildcards included, or as its common name, which is where the C module looks first.
fn set_host(ssl: NonNull<ffi::SSL>, name: &CStr, verify: bool) -> Result<(), ()> {
    const FLAGS: c_uint =
        ffi::X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | ffi::X509_CHECK_FLAG_ALWAYS_CHECK_SUBJECT;
    let raw = name.as_ptr().cast_mut().cast();
    let (command, kind) = (ffi::SSL_CTRL_SET_TLSEXT_HOSTNAME, c_long::from(ffi::TLSEXT_NAMETYPE_host_name));
    // SAFETY: a live session whose handshake has not begun; OpenSSL copies the string.
    unsafe {
        if ffi::SSL_ctrl(ssl.as_ptr(), command, kind, raw) != 1 {
            return Err(());
        }
        if verify {
            let param = ffi::SSL_get0_param(ssl.as_ptr());
            ffi::X509_VERIFY_PARAM_set_hostflags(param, FLAGS);
            if ffi::X509_VERIFY_PARAM_set1_host(param, name.as_ptr(), name.to_bytes().len()) != 1 {
                return Err(());
            }
        }
    }
    Ok(())
}

/// Whether the server's certificate is for this address: among its alternative names as an address, or, as the C module
/// knows it, written out as a name. X509_VERIFY_PARAM knows only the former.
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

/// An `SSL` and the socket under it, dropped in this order.
#[derive(Debug)]
struct OwnedSsl {
    ssl: NonNull<ffi::SSL>,
    socket: TcpStream,
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

struct Handshake {
    owned: OwnedSsl,
    host: CString,
    /// `host` is an address, and the certificate has to be for it.
    verify_address: bool,
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
    /// Which check failed, for which name; else OpenSSL's own words.
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
/// Reasons of that library (openssl/sslerr.h), by which a server turns out to speak something else.
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

fn not_for(host: &CStr, reason: &str) -> String {
    format!("the server's certificate is not for '{}': {reason}", host.to_string_lossy())
}

fn clear_errors() {
    // SAFETY: this thread's error queue.
    unsafe { ffi::ERR_clear_error() };
}

fn c_string(text: Option<&str>) -> Result<Option<CString>, String> {
    text.map(|text| CString::new(text).map_err(|_| format!("'{text}' has a NUL in it"))).transpose()
}

fn as_ptr(text: Option<&CStr>) -> *const std::ffi::c_char {
    text.map_or(ptr::null(), CStr::as_ptr)
}
