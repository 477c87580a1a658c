//! From a finished handshake to a running connection.

use std::io;
use std::os::fd::RawFd;
use std::sync::Arc;

use super::call::{Call, Serving};
use super::fault;
use super::log::{call_debug, call_warn};
use crate::call::connection::{CallConnection, Established};
use crate::call::ending::CLOSE_NORMAL;
use crate::net::connection::{Connection, ConnectionConfig};
use crate::net::outbound::{Dropped, Outbound};
use crate::net::reactor::Slot;
use crate::protocol::dialect::shown;

/// Sends MEDIA_START, opens the call for events and media, and hands the connection to a reactor. Called with no lock
/// held, by the job thread or the connector's. DIVERGES: the C module can send media before MEDIA_START.
pub(crate) fn start(call: &Arc<Call>, link: Established, variables: String) {
    fault::point("start");
    let Some(slot) = call.driver.reactors.slot() else { return };
    let settings = &call.settings;
    if let Err(error) = limit_unsent(link.transport.as_raw_fd()) {
        call_warn!(call, "the kernel may keep more media for an application that reads slowly: {error}");
    }
    let before = call.link.connection();
    let out = Arc::new(way_out(call, &link, slot.clone(), before.as_deref()));
    let (mut number, mut dropped) = (None, Dropped::default());
    let is_wanted = call.is_connecting();
    fault::point("open");
    if is_wanted {
        let lost = call.link.lost_since().map(|since| since.elapsed());
        let texts = call.media_start(variables, lost);
        if call.driver.debug.wants_peer(&link.peer) {
            call.set_debug(true);
        }
        for text in texts {
            call_debug!(call, 2, "sent {}", shown(&text));
            call.show(format_args!("event to {}: {}", link.peer, shown(&text)));
            out.queue_text(&text);
        }
        if let Some(before) = before {
            dropped = before.out.hand_over(&out);
        }
        out.send_queued();
        number = call.open_link(out.clone(), slot.clone(), &link, lost);
    }
    let config = ConnectionConfig {
        max_message_size: settings.max_message_size,
        write_timeout: link.write_timeout,
        close_timeout: settings.close_timeout,
        pings: link.pings,
        prompt: call.is_unbuffered(),
    };
    let handler = Serving::new(call.clone(), number);
    let connection =
        Connection::new(link.transport, out, Arc::new(handler), link.role, link.leftover, config);
    slot.add(match call.unread(dropped) {
        Some(after) => connection.called_back_after(after),
        None => connection,
    });
    // An earlier hangup had no connection to close, or one that the reactor did not know.
    if let Some(code) = call.link.closes_with().or(number.is_none().then_some(CLOSE_NORMAL)) {
        slot.close(code);
    }
}

/// The [`Outbound`] of a connection that follows `before`.
fn way_out(call: &Call, link: &Established, slot: Slot, before: Option<&CallConnection>) -> Outbound {
    let out = Outbound::new(link.transport.clone(), link.role, call.settings.out_queue, Box::new(slot));
    let out = out.speaking(call.dialect.wire_writer());
    let out = if call.link.reconnect().is_some() { out.outlived() } else { out };
    match before {
        Some(before) => out.counting_on(&before.out),
        None => out,
    }
}

/// How much the kernel may hold beyond what it can send: two seconds of ulaw, a whole TLS record.
const UNSENT_BYTES: libc::c_int = 16 * 1024;

/// Makes the kernel hold little more than it can send (tcp(7): TCP_NOTSENT_LOWAT). By default it holds megabytes for an
/// application that does not read: `out_queue` would not limit the media that waits, and `write_timeout` would notice
/// much later. This does not limit data in flight, so it does not limit the speed; nor does it limit what the other
/// end's kernel holds.
/// DIVERGES: the C module does not set it.
fn limit_unsent(fd: RawFd) -> io::Result<()> {
    let value = UNSENT_BYTES;
    let len = libc::socklen_t::try_from(size_of_val(&value)).unwrap_or_default();
    // SAFETY: setsockopt(2) with an int that lives across the call; the transport keeps the descriptor open.
    let result = unsafe {
        libc::setsockopt(fd, libc::IPPROTO_TCP, libc::TCP_NOTSENT_LOWAT, (&raw const value).cast(), len)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
