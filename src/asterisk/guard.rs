//! The boundary to C: no panic crosses it.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `body`; a panic in it becomes `fail`, whose meaning to the core is "end this call".
///
/// The panic itself is logged by the hook that [`crate::asterisk::log::install`] sets.
pub(crate) fn guard<T>(callback: &'static str, fail: T, body: impl FnOnce() -> T) -> T {
    guard_or(callback, || fail, body)
}

/// The same, but the result after a panic comes from `fail`, which runs only then. It must not panic itself.
pub(crate) fn guard_or<T>(callback: &'static str, fail: impl FnOnce() -> T, body: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|_| {
        log::error!("{callback}: a fault in chan_websocket was contained; the call that met it ends");
        fail()
    })
}

/// Defines a function that C calls: decodes, calls safe code under [`guard`], encodes. C enters the module in no other
/// way (tests/trampolines.rs).
macro_rules! trampoline {
    ($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $ty:ty),* $(,)?) -> $ret:ty, fail $fail:expr, $body:expr) => {
        $(#[$meta])*
        $vis unsafe extern "C" fn $name($($arg: $ty),*) -> $ret {
            $crate::asterisk::guard::guard_or(stringify!($name), || $fail, || $body)
        }
    };
}
pub(crate) use trampoline;

/// File, line and function for Asterisk's debug arguments.
macro_rules! here {
    () => {
        (c"chan_websocket".as_ptr(), line!() as std::ffi::c_int, c"chan_websocket".as_ptr())
    };
}
pub(crate) use here;
