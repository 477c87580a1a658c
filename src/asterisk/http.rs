//! An application connects: `/media/<connection id>` on Asterisk's HTTP server (asterisk/http.h).
//!
//! Runs in the HTTP session's own thread, only as long as the answer takes; then the stream is ours.

use std::cell::UnsafeCell;
use std::ffi::{CString, c_char, c_int};
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use tungstenite::protocol::Role;

use super::call::Call;
use super::driver;
use super::guard::trampoline;
use super::held::Held;
use super::log::{call_debug, call_warn, warn_limited};
use super::stream::IoStream;
use super::text::owned_string;
use super::{access, fault, sys};
use crate::call::connection::Established;
use crate::call::jobs::Job;
use crate::call::link::ClaimRefused;
use crate::net::connector::set_tcp_keepalives;
use crate::net::transport::Transport;
use crate::net::upgrade::{self, UpgradeRefusal};
use crate::report::log_limit::LogLimit;

/// The only subprotocol that is supported.
const SUBPROTOCOL: &str = "media";

/// One for each kind of refusal, because strangers can ask as often as they like.
static FORBIDDEN: LogLimit = LogLimit::new();
static UNKNOWN: LogLimit = LogLimit::new();
static CONFLICT: LogLimit = LogLimit::new();
static NO_UPGRADE: LogLimit = LogLimit::new();
static LOST: LogLimit = LogLimit::new();

/// How long writing the 101 may take, ms.
const RESPONSE_TIMEOUT_MS: c_int = 1000;

/// The core links this into its list, so it is written to.
struct Uri(UnsafeCell<Option<sys::ast_http_uri>>);

// SAFETY: written by `link` before the core knows it; then the core's, under the lock of its own list.
unsafe impl Sync for Uri {}

static URI: Uri = Uri(UnsafeCell::new(None));

/// Answers `/media` from now on.
pub(crate) fn link() {
    // SAFETY: all-zero is a valid entry.
    let mut uri: sys::ast_http_uri = unsafe { std::mem::zeroed() };
    uri.callback = Some(callback);
    uri.description = c"Media over Websocket".as_ptr();
    uri.uri = c"media".as_ptr();
    uri.set_has_subtree(1);
    uri.set_no_decode_uri(1);
    uri.key = c"chan_websocket".as_ptr();
    // SAFETY: load and unload do not run at the same time, and the entry is not linked now.
    unsafe {
        let slot = (*URI.0.get()).insert(uri);
        sys::ast_http_uri_link(slot);
    }
}

/// Stops answering. A callback that runs already goes on, with a reference to the module.
pub(crate) fn unlink() {
    // SAFETY: as for `link`.
    if let Some(uri) = unsafe { (*URI.0.get()).as_mut() } {
        // SAFETY: linked by `link`; unlinking twice does nothing.
        unsafe { sys::ast_http_uri_unlink(uri) };
    }
}

trampoline! {
    /// No lock held. 0: keep the HTTP session (or leave it, if the stream was taken); -1: close the connection.
    fn callback(
        session: *mut sys::ast_tcptls_session_instance, _urih: *const sys::ast_http_uri, uri: *const c_char,
        method: sys::ast_http_method::Type, _params: *mut sys::ast_variable, headers: *mut sys::ast_variable,
    ) -> c_int, fail -1, {
        let _held = Held::new();
        // SAFETY: the core's pointers live across the callback.
        let request = unsafe {
            HttpRequest {
                session,
                connection_id: owned_string(uri),
                is_get: method == sys::ast_http_method::AST_HTTP_GET,
                headers: super::config_file::variables(headers),
            }
        };
        answer(&request)
    }
}

struct HttpRequest {
    session: *mut sys::ast_tcptls_session_instance,
    connection_id: String,
    is_get: bool,
    headers: Vec<(String, String)>,
}

/// Checks in the C module's order, then upgrades.
fn answer(request: &HttpRequest) -> c_int {
    fault::point("http");
    let id = &request.connection_id;
    let Some(driver) = driver::current() else {
        return refuse(request, 404, c"Not found", c"WebSocket instance not found");
    };
    // SAFETY: this callback's session.
    let forbidden = unsafe {
        access::refusal(&driver.acl(), &driver.config().settings, request.session, &request.headers)
    };
    if let Some(access::AccessRefusal { status, why }) = forbidden {
        // SAFETY: as above.
        let peer = unsafe { address(&raw const (*request.session).remote_address) };
        warn_limited!(FORBIDDEN, "refused {peer} to connect to an INCOMING channel: {why}");
        let title = if status == 403 { c"Forbidden" } else { c"Service Unavailable" };
        return refuse(request, status, title, c"Access denied");
    }
    let Some(call) = driver.books.find(id) else {
        return unknown(request);
    };
    if let Err(refused) = call.link.claimable() {
        return refuse_claim(request, &call, refused);
    }
    let accept = match upgrade::check_request(request.is_get, &request.headers, SUBPROTOCOL) {
        Ok(accept) => accept,
        Err(refusal) => return refuse_upgrade(request, &call, &refusal),
    };
    // DIVERGES: in the C module, check and claim are two steps; of two applications that race, both can get a 101.
    if let Err(refused) = call.claim() {
        return refuse_claim(request, &call, refused);
    }
    match take_over(request, &accept.response()) {
        Ok(link) => {
            call_debug!(&call, 3, "the application's upgrade is answered with 101");
            // Not on this thread, which is new: if there is no memory for Rust's thread-local data, glibc ends the
            // process.
            driver.jobs.post(Job::Start { call: call.clone(), link: Box::new(link(&call)) });
            0
        }
        Err(what) => {
            warn_limited!(
                LOST,
                "{}: the application's connection ended during the handshake: {what}",
                call.name()
            );
            call.connection_lost_in_handshake(&what);
            -1
        }
    }
}

/// Writes the 101 and takes the stream out of the HTTP session.
fn take_over(
    request: &HttpRequest,
    response: &[u8],
) -> Result<impl FnOnce(&Arc<Call>) -> Established + use<>, String> {
    let session = request.session;
    // SAFETY: the session is this callback's; the stream is its own until it is taken below.
    let (written, peer) = unsafe {
        if sys::ast_http_body_discard(session) != 0 {
            return Err("the request's body did not arrive".into());
        }
        let stream = (*session).stream;
        sys::ast_iostream_set_timeout_inactivity(stream, RESPONSE_TIMEOUT_MS);
        let written = sys::ast_iostream_write(stream, response.as_ptr().cast(), response.len());
        (written, address(&raw const (*session).remote_address))
    };
    if usize::try_from(written) != Ok(response.len()) {
        return Err("the answer could not be written".into());
    }
    fault::point("taken");
    // SAFETY: this callback's session, on its thread.
    let stream = unsafe { IoStream::take(session) }.ok_or("there is no stream")?;
    let (transport, leftover) = stream.into_transport().map_err(|error| error.to_string())?;
    Ok(move |call: &Arc<Call>| {
        watch(call, &*transport);
        Established {
            transport,
            leftover,
            role: Role::Server,
            peer,
            client: None,
            write_timeout: call.settings.write_timeout,
            pings: call.settings.pings,
        }
    })
}

/// Switches TCP keepalives on, if they are configured.
fn watch(call: &Call, transport: &dyn Transport) {
    if let Some(keepalives) = &call.settings.tcp_keepalives {
        // SAFETY: the transport owns the descriptor and outlives this borrow.
        let fd = unsafe { BorrowedFd::borrow_raw(transport.as_raw_fd()) };
        if let Err(error) = set_tcp_keepalives(fd, keepalives) {
            call_warn!(call, "TCP keepalives cannot be switched on: {error}");
        }
    }
}

fn refuse_claim(request: &HttpRequest, call: &Call, refused: ClaimRefused) -> c_int {
    match refused {
        ClaimRefused::Taken => conflict(request, call),
        ClaimRefused::Over => unknown(request),
    }
}

fn unknown(request: &HttpRequest) -> c_int {
    warn_limited!(
        UNKNOWN,
        "{}: WebSocket instance not found: no INCOMING channel waits for this connection id (it lives as long as its channel)",
        request.connection_id
    );
    refuse(request, 404, c"Not found", c"WebSocket instance not found")
}

fn conflict(request: &HttpRequest, call: &Call) -> c_int {
    warn_limited!(
        CONFLICT,
        "{}: Websocket already connected for channel '{}'",
        request.connection_id,
        call.name()
    );
    refuse(request, 409, c"Conflict", c"Another websocket connection exists for this connection id")
}

fn refuse(request: &HttpRequest, status: u16, title: &std::ffi::CStr, text: &std::ffi::CStr) -> c_int {
    if let Some(driver) = driver::current() {
        driver.refusals.count(status);
    }
    // SAFETY: the session is this callback's; the strings live across the call.
    unsafe { sys::ast_http_error(request.session, c_int::from(status), title.as_ptr(), text.as_ptr()) };
    -1
}

/// A 400 lists the supported versions, which the core's own error pages cannot do.
fn refuse_upgrade(request: &HttpRequest, call: &Call, refusal: &UpgradeRefusal) -> c_int {
    warn_limited!(
        NO_UPGRADE,
        "{}: refused the application's upgrade with {}: {}",
        call.name(),
        refusal.status,
        refusal.message
    );
    if refusal.status != 400 {
        let (Ok(title), Ok(text)) = (CString::new(refusal.reason), CString::new(refusal.message.as_str()))
        else {
            return -1;
        };
        return refuse(request, refusal.status, &title, &text);
    }
    call.driver.refusals.count(refusal.status);
    let response = refusal.response();
    // SAFETY: the session's own stream, on the session's thread.
    unsafe {
        let stream = (*request.session).stream;
        sys::ast_iostream_set_timeout_inactivity(stream, RESPONSE_TIMEOUT_MS);
        sys::ast_iostream_write(stream, response.as_ptr().cast(), response.len());
    }
    -1
}

/// Address and port for people to read.
///
/// # Safety
/// `address` points to a live address.
unsafe fn address(address: *const sys::ast_sockaddr) -> String {
    let format = (sys::AST_SOCKADDR_STR_ADDR | sys::AST_SOCKADDR_STR_PORT) as c_int;
    // SAFETY: the caller's promise; the result is a buffer of this thread's, copied at once.
    unsafe { owned_string(sys::ast_sockaddr_stringify_fmt(address, format)) }
}
