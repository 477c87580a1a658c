//! The transfer's thread, the hangup and the end of the wait, in every order (`scripts/models`).

use std::sync::Arc;

use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

use super::*;

#[derive(Default)]
struct Call {
    transfer: Transferring<()>,
    told: Counter,
    refused: Counter,
    closed: Counter,
}

struct Counter(AtomicUsize);

impl Default for Counter {
    fn default() -> Self {
        Self(AtomicUsize::new(0))
    }
}

impl Counter {
    fn count(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// The same steps as in `asterisk::call`.
impl Call {
    fn transferred(&self) {
        if self.transfer.over().is_some() {
            self.told.count();
            if self.transfer.told().is_some() {
                self.closed.count();
            }
        }
    }

    fn hang_up(&self) {
        if self.transfer.lay_aside(()).is_err() {
            self.closed.count();
        }
    }

    fn abandon(&self) {
        if let Some(abandoned) = self.transfer.abandon() {
            self.refused.count();
            if abandoned.close.is_some() {
                self.closed.count();
            }
        }
    }
}

#[test]
fn a_connection_is_closed_once_whoever_comes_first() {
    loom::model(|| {
        let call = Arc::new(Call::default());
        assert!(call.transfer.begin(None));
        let its = call.clone();
        let transfer = thread::spawn(move || its.transferred());
        call.hang_up();
        transfer.join().unwrap();
        assert_eq!((call.told.get(), call.closed.get()), (1, 1));
    });
}

#[test]
fn a_result_is_told_or_refused_and_the_connection_is_closed_once() {
    loom::model(|| {
        let call = Arc::new(Call::default());
        assert!(call.transfer.begin(None));
        let its = call.clone();
        let transfer = thread::spawn(move || its.transferred());
        call.hang_up();
        call.abandon();
        transfer.join().unwrap();
        assert_eq!(call.told.get() + call.refused.get(), 1);
        assert_eq!(call.closed.get(), 1);
    });
}
