//! Our metrics in the answer of `res_prometheus`, if that is loaded (asterisk/res_prometheus.h).
//!
//! That module may be loaded and unloaded at any time: its functions are looked up, and called, only while the loader
//! holds the lock of its list of modules, as it does while it loads, reloads or unloads any of them, including this
//! one. When res_prometheus is unloaded, it forgets our callback; when it is loaded after us, a reload of ours finds
//! it. At start it is loaded before us, by load_pri. It is not among our optional_modules: if it declined, the loader
//! would not load us, and no call depends on metrics.

use std::cell::UnsafeCell;
use std::ffi::c_char;

use super::driver;
use super::guard::trampoline;
use super::{symbol, sys};
use crate::report::prometheus_text::PrometheusText;

type Register = unsafe extern "C" fn(*mut sys::prometheus_callback) -> std::ffi::c_int;
type Unregister = unsafe extern "C" fn(*mut sys::prometheus_callback);

struct Callback(UnsafeCell<sys::prometheus_callback>);

// SAFETY: never written to, neither by us nor by res_prometheus.
unsafe impl Sync for Callback {}

static CALLBACK: Callback = Callback(UnsafeCell::new(sys::prometheus_callback {
    name: c"chan_websocket".as_ptr(),
    callback_fn: Some(scrape),
}));

/// Registers our callback with res_prometheus, if it is loaded. May be called again. Only from load or reload, with the
/// loader's list of modules locked.
pub(crate) fn register() {
    unregister();
    // SAFETY: the type is that of res_prometheus.h; the module stays for this call, because its list is locked.
    let Some(register) = (unsafe { symbol::find::<Register>(c"prometheus_callback_register") }) else {
        return;
    };
    // SAFETY: a static callback; it is kept until `unregister`, or until res_prometheus is unloaded.
    if unsafe { register(CALLBACK.0.get()) } != 0 {
        log::warn!("res_prometheus does not take chan_websocket's metrics");
    }
}

/// Unregisters the callback; waits for a scrape under way. Only from load, reload or unload, as above.
pub(crate) fn unregister() {
    // SAFETY: as in `register`.
    let unregister = unsafe { symbol::find::<Unregister>(c"prometheus_callback_unregister") };
    if let Some(unregister) = unregister {
        // SAFETY: a static callback; nothing happens if it is not registered.
        unsafe { unregister(CALLBACK.0.get()) };
    }
}

trampoline! {
    /// On an HTTP session's thread, with res_prometheus's lock held. Appends to the answer.
    fn scrape(output: *mut *mut sys::ast_str) -> (), fail (), {
        let text = metrics();
        // SAFETY: the answer so far; it may move as it grows. The text is copied.
        unsafe { sys::__ast_str_helper2(output, 0, text.as_ptr().cast::<c_char>(), text.len(), 1, 0) };
    }
}

/// The module's metrics. None of single calls: their number has no bound.
fn metrics() -> String {
    let Some(driver) = driver::current() else { return String::new() };
    let report = driver.report();
    let mut metrics = PrometheusText::default();
    for metric in report.metrics() {
        metrics.metric(metric.name, &metric.labels, metric.kind, metric.unit, metric.help, &metric.value);
    }
    let traffic = &report.calls.totals.traffic;
    metrics.histogram(
        "queue_wait",
        "Time from a frame's coming from the application to its going to the core",
        &traffic.queue_wait,
    );
    metrics.histogram(
        "read_lateness",
        "Time from a frame's being due to its going to the core: what Asterisk or the machine adds",
        &traffic.lateness,
    );
    metrics.histogram(
        "first_media",
        "Time from a connection's MEDIA_START to the application's first media",
        &traffic.first_media,
    );
    metrics.histogram("ping_rtt", "Time from a WebSocket ping to its answer", &traffic.ping_rtt);
    metrics.finish()
}
