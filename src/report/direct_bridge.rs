//! Frames in a direct bridge (docs/bridge.md): how many skipped the channel's thread, and why others did not. Any
//! thread.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

/// Why a frame went through the channel's thread, as in simple_bridge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum NotDirect {
    /// Another thread had the channel's lock, or its bridge channel's.
    Locked,
    /// The channel was joining, suspended or leaving the bridge.
    Absent,
    /// An earlier frame was still on its way.
    Order,
    /// The channel was being hung up, or was being replaced by another one.
    Ending,
    /// Music or a tone played to the application.
    Generator,
    /// Something recorded, spied on, whispered to or muted the channel.
    Audiohook,
    /// A framehook wanted the channel's voice frames.
    Framehook,
    /// The frame had to be translated.
    Format,
    /// The frame belonged to another stream than the channel's.
    Stream,
    /// `core set debug channel` was on.
    Debug,
    /// Asterisk concealed packet loss (`genericplc`).
    Plc,
    /// The bridge dropped the channel's media.
    Muted,
    /// A digit of the channel was not over.
    Digit,
}

/// The number of reasons.
pub const REASONS: usize = 13;

impl NotDirect {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; REASONS] = [
        Self::Locked,
        Self::Absent,
        Self::Order,
        Self::Ending,
        Self::Generator,
        Self::Audiohook,
        Self::Framehook,
        Self::Format,
        Self::Stream,
        Self::Debug,
        Self::Plc,
        Self::Muted,
        Self::Digit,
    ];

    /// Its name in metrics and labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Locked => "locked",
            Self::Absent => "absent",
            Self::Order => "order",
            Self::Ending => "ending",
            Self::Generator => "generator",
            Self::Audiohook => "audiohook",
            Self::Framehook => "framehook",
            Self::Format => "format",
            Self::Stream => "stream",
            Self::Debug => "debug",
            Self::Plc => "plc",
            Self::Muted => "muted",
            Self::Digit => "digit",
        }
    }
}

/// Frames by [`NotDirect`], in the order of [`NotDirect::ALL`].
pub type ByReason = [u64; REASONS];

/// One call's frames in direct bridges. The counters only grow.
#[derive(Debug, Default)]
pub struct DirectCounters {
    direct: AtomicU64,
    not_direct: [AtomicU64; REASONS],
    /// The way of the newest frame.
    newest: Newest,
}

impl DirectCounters {
    /// Counts a frame. Returns whether it was direct.
    pub fn count(&self, way: Result<(), NotDirect>) -> bool {
        let count = match way {
            Ok(()) => Some(&self.direct),
            Err(reason) => self.not_direct.get(reason as usize),
        };
        if let Some(count) = count {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.newest.set(way.map_or_else(|reason| 1 + reason as u8, |()| 0));
        way.is_ok()
    }

    /// Frames that skipped the channel's thread.
    pub fn direct(&self) -> u64 {
        self.direct.load(Ordering::Relaxed)
    }

    /// Frames that did not, by reason.
    pub fn not_direct(&self) -> ByReason {
        self.not_direct.each_ref().map(|count| count.load(Ordering::Relaxed))
    }

    /// The way of the newest frame; `None` before the first one.
    pub fn newest(&self) -> Option<Result<(), NotDirect>> {
        self.newest.get()
    }
}

/// 0: direct; 1 and more: a reason; [`Newest::NONE`]: none yet.
#[derive(Debug)]
struct Newest(AtomicU8);

impl Newest {
    const NONE: u8 = u8::MAX;

    fn set(&self, value: u8) {
        // Written only when it changes, so that a steady stream does not write to the cache line.
        if self.0.load(Ordering::Relaxed) != value {
            self.0.store(value, Ordering::Relaxed);
        }
    }

    fn get(&self) -> Option<Result<(), NotDirect>> {
        match self.0.load(Ordering::Relaxed) {
            0 => Some(Ok(())),
            value => NotDirect::ALL.get(usize::from(value) - 1).map(|reason| Err(*reason)),
        }
    }
}

impl Default for Newest {
    fn default() -> Self {
        Self(AtomicU8::new(Self::NONE))
    }
}

/// The counts that are not zero, for people: `locked 3, audiohook 120`; `None` if all are zero.
pub fn listing(frames: &ByReason) -> Option<String> {
    let named = NotDirect::ALL.iter().zip(frames).filter(|(_, count)| **count > 0);
    let parts: Vec<String> = named.map(|(reason, count)| format!("{} {count}", reason.as_str())).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_its_own_counter_and_word() {
        for (index, reason) in NotDirect::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(reason as u8), index, "{reason:?}");
            let counters = DirectCounters::default();
            assert!(!counters.count(Err(reason)));
            assert!(!counters.count(Err(reason)));
            let counts = counters.not_direct();
            assert_eq!(counts.iter().sum::<u64>(), 2, "{reason:?}");
            assert_eq!(counts[index], 2, "{reason:?}");
            assert_eq!(listing(&counts), Some(format!("{} 2", reason.as_str())));
            assert_eq!(counters.newest(), Some(Err(reason)));
            assert!(counters.count(Ok(())));
            assert_eq!((counters.newest(), counters.direct()), (Some(Ok(())), 1));
        }
        let mut words = NotDirect::ALL.map(NotDirect::as_str).to_vec();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), REASONS);
    }

    #[test]
    fn before_the_first_frame_nothing_is_known() {
        let counters = DirectCounters::default();
        assert_eq!((counters.newest(), listing(&counters.not_direct())), (None, None));
    }
}
