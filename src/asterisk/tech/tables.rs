//! The tables of callbacks, and their registration.
//!
//! The core behaves differently for a driver that has a callback for the begin of digits or for texts, whatever the
//! callback returns: it holds a digit's end back until the digit's duration is over, it reports a text as delivered,
//! and if a bridge writes a text, a refusal ends the call. So a channel has the [`PLAIN`] table until its application
//! asks for such events.

use std::cell::UnsafeCell;
use std::ptr;

use super::indications::{indicate, send_digit_begin, send_digit_end, send_text};
use super::{call, fixup, func_channel_read, get_pvt_uniqueid, hangup, read, requester, write};
use crate::asterisk::extras::Extras;
use crate::asterisk::format::Capabilities;
use crate::asterisk::sys;

/// A table in memory that never moves; the core keeps a pointer to it.
struct Tech(UnsafeCell<sys::ast_channel_tech>);

// SAFETY: written by `register` before the core knows it and by `unregister` when the core no longer knows it; only
// read between.
unsafe impl Sync for Tech {}

static PLAIN: Tech = Tech::with(Extras { digit_begins: false, texts: false });
static DIGITS: Tech = Tech::with(Extras { digit_begins: true, texts: false });
static TEXTS: Tech = Tech::with(Extras { digit_begins: false, texts: true });
static DIGITS_AND_TEXTS: Tech = Tech::with(Extras { digit_begins: true, texts: true });

impl Tech {
    const fn with(extras: Extras) -> Self {
        Self(UnsafeCell::new(sys::ast_channel_tech {
            type_: c"WebSocket".as_ptr(),
            description: c"Media over WebSocket Channel Driver".as_ptr(),
            requester: Some(requester),
            call: Some(call),
            read: Some(read),
            exception: Some(read),
            write: Some(write),
            hangup: Some(hangup),
            fixup: Some(fixup),
            indicate: Some(indicate),
            send_digit_begin: if extras.digit_begins { Some(send_digit_begin) } else { None },
            send_digit_end: Some(send_digit_end),
            send_text: if extras.texts { Some(send_text) } else { None },
            func_channel_read: Some(func_channel_read),
            get_pvt_uniqueid: Some(get_pvt_uniqueid),
            // SAFETY: all-zero is a valid table: no callback, no capability.
            ..unsafe { std::mem::zeroed() }
        }))
    }
}

/// Registers the tech `WebSocket`; false if another module has it.
pub(crate) fn register() -> bool {
    let Some(capabilities) = Capabilities::of_every_format() else { return false };
    // SAFETY: nobody knows the table now: load and unload do not run at the same time.
    unsafe { (*PLAIN.0.get()).capabilities = capabilities.leak() };
    // SAFETY: a static table; channel.h. The core reads capabilities only in the table that is registered.
    let registered = unsafe { sys::ast_channel_register(table(Extras::default())) == 0 };
    if !registered {
        take_capabilities();
    }
    registered
}

/// Unregisters the tech; no new channel is requested afterwards.
pub(crate) fn unregister() {
    // SAFETY: as for `register`; unregistering what is not registered does nothing.
    unsafe { sys::ast_channel_unregister(table(Extras::default())) };
    take_capabilities();
}

/// Takes back what `register` put into the table.
fn take_capabilities() {
    // SAFETY: nobody knows the table now; the pointer is the one that `register` leaked.
    drop(unsafe { Capabilities::reclaim(std::mem::take(&mut (*PLAIN.0.get()).capabilities)) });
}

/// Whether this is one of our tables.
pub(crate) fn is_ours(table: *const sys::ast_channel_tech) -> bool {
    [&PLAIN, &DIGITS, &TEXTS, &DIGITS_AND_TEXTS].iter().any(|tech| ptr::eq(tech.0.get(), table))
}

/// The table for channels with these; by default the one for new channels.
pub(crate) fn table(extras: Extras) -> *const sys::ast_channel_tech {
    let tech = match (extras.digit_begins, extras.texts) {
        (false, false) => &PLAIN,
        (true, false) => &DIGITS,
        (false, true) => &TEXTS,
        (true, true) => &DIGITS_AND_TEXTS,
    };
    tech.0.get()
}
