//! References that keep the module in memory (asterisk/module.h).

use std::mem::ManuallyDrop;

use super::guard::here;
use super::sys;

/// A reference that keeps the module in memory: one for each channel, and one for each HTTP request.
pub(crate) struct Held(());

impl Held {
    pub(crate) fn new() -> Self {
        let (file, line, function) = here!();
        // SAFETY: our own module, registered and running.
        unsafe { sys::__ast_module_ref(sys::cw_module_self(), file, line, function) };
        Self(())
    }

    /// Leaves the reference to a channel, whose hangup takes it back with [`Held::of_channel`].
    pub(crate) fn leave_to_channel(self) {
        let _ = ManuallyDrop::new(self);
    }

    /// The reference that [`Held::leave_to_channel`] left, once for each.
    pub(crate) fn of_channel() -> Self {
        Self(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let (file, line, function) = here!();
        // SAFETY: pairs with `new`.
        unsafe { sys::__ast_module_unref(sys::cw_module_self(), file, line, function) };
    }
}
