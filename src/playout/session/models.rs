//! Two threads that set one clock, in every order of their steps (`scripts/models`).

use std::sync::Arc;

use loom::model::Builder;
use loom::sync::Mutex;
use loom::thread;

use super::{ClockSetting, MonoTime};

#[derive(Default)]
struct Call {
    newest: Mutex<ClockSetting>,
    clock: Mutex<Option<MonoTime>>,
}

impl Call {
    fn newest(&self) -> ClockSetting {
        *self.newest.lock().unwrap()
    }

    /// As the host does: the setting changes under one lock, and the clock is set outside it.
    fn change(&self, deadline: Option<MonoTime>) {
        let setting = {
            let mut newest = self.newest.lock().unwrap();
            *newest = ClockSetting { seq: newest.seq + 1, deadline };
            *newest
        };
        setting.apply(|deadline| *self.clock.lock().unwrap() = deadline, || self.newest());
    }
}

#[test]
fn the_newest_setting_wins() {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(|| {
        let call = Arc::new(Call::default());
        let threads: Vec<_> = [Some(MonoTime::from_nanos(1)), None]
            .into_iter()
            .map(|deadline| {
                let call = call.clone();
                thread::spawn(move || call.change(deadline))
            })
            .collect();
        call.change(Some(MonoTime::from_nanos(2)));
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(*call.clock.lock().unwrap(), call.newest().deadline);
    });
}
