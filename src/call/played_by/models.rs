//! A call joins or leaves a direct bridge while its clock is set, in every order (`scripts/models`).

use std::sync::Arc;

use loom::model::Builder;
use loom::sync::Mutex;
use loom::thread;

use super::InVain;
use crate::call::sinks::{Descriptor, Sinks};
use crate::mono_time::MonoTime;
use crate::playout::session::ClockSetting;

const DUE: MonoTime = MonoTime::from_nanos(20_000_000);

/// As [`Playout`](crate::call::playout::Playout) does: the setting changes under one lock; the sinks are told outside
/// it.
struct Call {
    sinks: Sinks<Mutex<Option<MonoTime>>>,
    newest: Mutex<ClockSetting>,
    turns: Mutex<Vec<MonoTime>>,
}

impl Descriptor for Mutex<Option<MonoTime>> {
    fn set(&self, deadline: Option<MonoTime>) {
        *self.lock().unwrap() = deadline;
    }
}

impl Default for Call {
    fn default() -> Self {
        Self { sinks: Sinks::new(Mutex::default()), newest: Mutex::default(), turns: Mutex::default() }
    }
}

impl Call {
    fn newest(&self) -> ClockSetting {
        *self.newest.lock().unwrap()
    }

    fn apply(&self, setting: ClockSetting) {
        self.sinks.apply(setting, |at| self.turns.lock().unwrap().push(at), || self.newest());
    }

    /// Media has come.
    fn change(&self) {
        let setting = {
            let mut newest = self.newest.lock().unwrap();
            *newest = ClockSetting { seq: newest.seq + 1, deadline: Some(DUE) };
            *newest
        };
        self.apply(setting);
    }

    fn set_direct(&self, is_direct: bool) {
        self.sinks.played_by.set_direct(is_direct);
        self.apply(self.newest());
    }

    /// A player comes, but may not play.
    fn come_in_vain(&self) {
        let turns = std::mem::take(&mut *self.turns.lock().unwrap());
        for at in turns {
            if self.sinks.played_by.take_turn(at) {
                assert_eq!(self.sinks.played_by.was_barred(at), InVain::Thread);
                self.apply(self.newest());
            }
        }
    }

    fn is_descriptor_set(&self) -> bool {
        *self.sinks.descriptor.lock().unwrap() == Some(DUE)
    }

    fn is_player_called(&self) -> bool {
        self.turns.lock().unwrap().contains(&DUE) && self.sinks.played_by.take_turn(DUE)
    }
}

fn check(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}

fn beside(call: &Arc<Call>, work: fn(&Call), other: fn(&Call)) {
    let its = call.clone();
    let thread = thread::spawn(move || work(&its));
    other(call);
    thread.join().unwrap();
}

#[test]
fn a_frame_due_when_a_direct_bridge_begins_is_played() {
    check(|| {
        let call = Arc::new(Call::default());
        beside(&call, |call| call.set_direct(true), Call::change);
        assert!(call.is_descriptor_set() || call.is_player_called());
    });
}

#[test]
fn a_frame_due_when_a_direct_bridge_ends_is_played_by_the_thread() {
    check(|| {
        let call = Arc::new(Call::default());
        call.sinks.played_by.set_direct(true);
        beside(&call, |call| call.set_direct(false), Call::change);
        call.come_in_vain();
        assert!(call.is_descriptor_set());
    });
}

#[test]
fn the_thread_gets_what_a_player_may_not_play() {
    check(|| {
        let call = Arc::new(Call::default());
        call.sinks.played_by.set_direct(true);
        beside(&call, Call::come_in_vain, Call::change);
        call.come_in_vain();
        assert!(call.is_descriptor_set());
    });
}
