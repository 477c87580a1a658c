//! The locks and atomics for hand-offs that have no common lock. Built with `--cfg loom` they are loom's, which tries
//! every possible order of the threads (`scripts/models`, the tests named `models`).

#[cfg(not(all(test, loom)))]
pub(crate) use {
    parking_lot::{Mutex, MutexGuard},
    std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize},
};

#[cfg(all(test, loom))]
pub(crate) use {
    loom::sync::MutexGuard,
    loom::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize},
    modelled::Mutex,
};

#[cfg(all(test, loom))]
mod modelled {
    use loom::sync::MutexGuard;

    /// loom's mutex, with parking_lot's interface.
    #[derive(Debug, Default)]
    pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(loom::sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().unwrap()
        }

        pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
            self.0.try_lock().ok()
        }
    }
}
