//! Faults on demand, for tests that a panic ends only one call, and that the watchdog notices a thread that stands
//! still. Only with the feature `fault-injection`, which no installed build has.

#[cfg(feature = "fault-injection")]
mod injected {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    /// A point to fail at, and how.
    struct InjectedFault {
        point: String,
        /// Stand still for this long; panic if `None`.
        pause: Option<Duration>,
        /// Which pass fails, from 1.
        pass: u32,
    }

    /// From the environment variable `CHAN_WEBSOCKET_FAULT`: `<point>` panics, `<point>=<ms>` stands still. With
    /// `@<n>` after it, the nth pass does, otherwise the first one.
    static FAULT: LazyLock<Option<InjectedFault>> = LazyLock::new(|| {
        let text = std::env::var("CHAN_WEBSOCKET_FAULT").ok()?;
        let (text, pass) = text.split_once('@').unwrap_or((&text, "1"));
        let (point, pause_ms) = text.split_once('=').map_or((text, None), |(point, ms)| (point, Some(ms)));
        let pause = pause_ms.and_then(|ms| ms.parse().ok()).map(Duration::from_millis);
        Some(InjectedFault { point: point.to_owned(), pause, pass: pass.parse().ok()? })
    });
    static PASSES: AtomicU32 = AtomicU32::new(0);

    #[allow(clippy::panic, reason = "its purpose is to panic")]
    pub(crate) fn point(name: &str) {
        let Some(InjectedFault { point, pause, pass }) = &*FAULT else { return };
        if point != name || PASSES.fetch_add(1, Ordering::Relaxed) + 1 != *pass {
            return;
        }
        match pause {
            Some(pause) => std::thread::sleep(*pause),
            None => panic!("injected at {name}"),
        }
    }
}

#[cfg(feature = "fault-injection")]
pub(crate) use injected::point;

/// A place that a test can make panic or stand still, once per process.
#[cfg(not(feature = "fault-injection"))]
#[inline(always)]
pub(crate) fn point(_name: &str) {}
