//! From a finished handshake to a running connection.

use std::io;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::time::Duration;

use tungstenite::protocol::Role;

use super::call::Call;
use super::fault;
use super::log::{call_debug, call_warn};
use crate::call::ending::CLOSE_NORMAL;
use crate::net::connection::{Connection, ConnectionConfig};
use crate::net::outbound::Outbound;
use crate::net::transport::Transport;
use crate::settings::config::Pings;

/// A connection whose handshake is done, either way.
pub(crate) struct Established {
    pub(crate) transport: Arc<dyn Transport>,
    /// What arrived right behind the handshake.
    pub(crate) leftover: Vec<u8>,
    /// Our role in the WebSocket.
    pub(crate) role: Role,
    /// The application's address, for people to read.
    pub(crate) peer: String,
    /// The websocket_client that Asterisk has connected to.
    pub(crate) client: Option<String>,
    pub(crate) write_timeout: Duration,
    pub(crate) pings: Option<Pings>,
}

/// Sends MEDIA_START, opens the call for events and media, and hands the connection to a reactor. Called with no lock
/// held, by the job thread or the connector's. DIVERGES: the C module can send media before MEDIA_START.
pub(crate) fn start(call: &Arc<Call>, link: Established, variables: String) {
    fault::point("start");
    let Some(slot) = call.driver.reactors.slot() else { return };
    let settings = &call.settings;
    if let Err(error) = limit_unsent(link.transport.as_raw_fd()) {
        call_warn!(call, "the kernel may keep more media for an application that reads slowly: {error}");
    }
    let out = Arc::new(Outbound::new(
        link.transport.clone(),
        link.role,
        settings.out_queue,
        Box::new(slot.clone()),
    ));
    let mut wanted = call.is_connecting();
    fault::point("open");
    if wanted {
        let text = call.media_start(variables);
        if call.driver.debug.wants_peer(&link.peer) {
            call.set_debug(true);
        }
        call_debug!(call, 2, "sent {text}");
        call.show(format_args!("event to {}: {text}", link.peer));
        out.send_text(&text);
        wanted = call.open_link(out.clone(), slot.clone(), &link);
    }
    let config = ConnectionConfig {
        max_message_size: settings.max_message_size,
        write_timeout: link.write_timeout,
        close_timeout: settings.close_timeout,
        pings: link.pings,
        prompt: call.is_unbuffered(),
    };
    slot.add(Connection::new(link.transport, out, call.clone(), link.role, link.leftover, config));
    // A hangup that came before had no connection to close, or one that the reactor did not know.
    if let Some(code) = call.closes_with().or((!wanted).then_some(CLOSE_NORMAL)) {
        slot.close(code);
    }
}

/// What the kernel may take of us beyond what it can send: two seconds of ulaw, a whole TLS record.
const UNSENT_BYTES: libc::c_int = 16 * 1024;

/// Has the kernel take little more than it can send (tcp(7): TCP_NOTSENT_LOWAT). Left alone it takes megabytes on behalf
/// of an application that does not read: `out_queue` would not be what limits media that waits, and `write_timeout` would
/// notice much later. What is on its way is not limited by this, so neither is speed; nor is what the other end's kernel
/// takes.
/// DIVERGES: the C module leaves it alone.
fn limit_unsent(fd: RawFd) -> io::Result<()> {
    let value = UNSENT_BYTES;
    let len = libc::socklen_t::try_from(size_of_val(&value)).unwrap_or_default();
    // SAFETY: setsockopt(2) with an int that lives across the call; the transport keeps the descriptor open.
    let result = unsafe {
        libc::setsockopt(fd, libc::IPPROTO_TCP, libc::TCP_NOTSENT_LOWAT, (&raw const value).cast(), len)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
