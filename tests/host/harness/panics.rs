//! Panics, with which a test reports what is wrong.

use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};
use std::thread;

thread_local! {
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Panics of a test's own thread go into its report; others are printed.
pub(super) fn remember(info: &panic::PanicHookInfo<'_>) {
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    let payload = info.payload();
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let what = text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("panic");
    let text = format!("{place}: {what}");
    if thread::current().name().is_some_and(|name| name == "main" || name.ends_with(']')) {
        PANIC.with_borrow_mut(|panic| *panic = Some(text));
    } else {
        eprintln!("{text}");
    }
}

/// Runs `body`; turns a panic into an error that says where and why.
pub(super) fn caught<T>(body: impl FnOnce() -> T) -> Result<T, String> {
    panic::catch_unwind(AssertUnwindSafe(body))
        .map_err(|_| PANIC.with_borrow_mut(Option::take).unwrap_or_else(|| "panic".into()))
}

/// Runs `body` in a thread whose panics go into a report, see [`remember`].
pub(super) fn in_thread(name: &str, body: fn()) -> Result<(), String> {
    let thread = thread::Builder::new().name(format!("{name} [harness]"));
    thread.spawn(move || caught(body)).expect("thread").join().expect("caught")
}
