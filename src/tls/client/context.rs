//! An OpenSSL context: the authorities that it trusts, its certificate, and the sessions that begin with it.

use std::ffi::{CStr, CString, c_long, c_uint};
use std::net::{IpAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::ptr::{self, NonNull};

use openssl_sys as ffi;

use super::ContextKey;
use super::handshake::{Handshake, OwnedSsl};
use crate::net::connector::{TlsContext, TlsHandshake};
use crate::tls::error_text;

/// An `SSL_CTX`: trust store, client certificate, verify flags.
pub(super) struct Context {
    ctx: NonNull<ffi::SSL_CTX>,
    verify_cert: bool,
    verify_hostname: bool,
}

// SAFETY: an SSL_CTX counts its references atomically, and is only read after `load`.
unsafe impl Send for Context {}
// SAFETY: as above.
unsafe impl Sync for Context {}

impl Context {
    pub(super) fn load(key: &ContextKey) -> Result<Self, String> {
        const TLS_1_2: c_long = ffi::TLS1_2_VERSION as c_long;
        // SAFETY: a new context that is ours, or NULL.
        let ctx = NonNull::new(unsafe { ffi::SSL_CTX_new(ffi::TLS_client_method()) })
            .ok_or_else(|| format!("no TLS context: {}", error_text()))?;
        let context = Self { ctx, verify_cert: key.verify_cert, verify_hostname: key.verify_hostname };
        // SAFETY: a live context that no other code has yet.
        unsafe {
            ffi::SSL_CTX_ctrl(ctx.as_ptr(), ffi::SSL_CTRL_SET_MIN_PROTO_VERSION, TLS_1_2, ptr::null_mut());
            let mode = if key.verify_cert { ffi::SSL_VERIFY_PEER } else { ffi::SSL_VERIFY_NONE };
            ffi::SSL_CTX_set_verify(ctx.as_ptr(), mode, None);
        }
        if key.verify_cert {
            context.load_trust(key)?;
        }
        // As in the C module, which logs nothing: a server that wants no certificate is reached without one.
        if let Err(why) = context.load_certificate(key) {
            log::warn!("{why}; connecting without a client certificate");
        }
        Ok(context)
    }

    /// Loads the configured authorities; without any, the system's (DIVERGES: the C module trusts none then).
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

    /// Loads the client certificate with its chain, and its key (from the same file unless another is named).
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
            // BIO_NOCLOSE: the socket is closed by its owner. SSL_set_bio takes ownership of the BIO.
            let bio = ffi::BIO_new_socket(owned.socket.as_raw_fd(), 0);
            if bio.is_null() {
                return Err(failed("out of memory"));
            }
            ffi::SSL_set_bio(ssl.as_ptr(), bio, bio);
            ffi::SSL_set_connect_state(ssl.as_ptr());
        }
        // The zone of an IPv6 address concerns only this machine, the dot of an absolute name only the resolver.
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

/// Sets SNI (RFC 6066: for names, not for addresses), and the name that the certificate must have: among its
/// alternative names, wildcards included, or as its common name, which the C module checks first.
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
