//! Asterisk's music on hold (asterisk/musiconhold.h).

use std::ffi::CStr;
use std::ptr;

use super::channel::Locked;
use super::sys;

/// Whether a class may have to be read from a database (realtime).
pub(crate) fn may_block() -> bool {
    // SAFETY: a static name; config.h: looks at what extconfig.conf says.
    unsafe { sys::ast_check_realtime(c"musiconhold".as_ptr()) != 0 }
}

impl Locked<'_> {
    /// Plays music of `class` to the channel; if there is no such class, the core chooses the channel's own class or
    /// the default one. False: there is no music; the core has logged that.
    pub(crate) fn start_music(self, class: Option<&CStr>) -> bool {
        // SAFETY: the channel is alive and locked, as it is for other drivers' `indicate`; the string lives across the
        // call, which keeps nothing of it.
        unsafe {
            sys::ast_moh_start(self.as_ptr(), class.map_or(ptr::null(), CStr::as_ptr), ptr::null()) == 0
        }
    }

    /// Stops the music.
    pub(crate) fn stop_music(self) {
        // SAFETY: as for the start.
        unsafe { sys::ast_moh_stop(self.as_ptr()) };
    }
}
