//! Calls that are set up and ended, several at a time.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::Setting;
use crate::ari::Ari;
use crate::figures::{self, Outcome};
use crate::generator::Connector;
use crate::generator::app::Life;
use crate::generator::stats::Times;
use crate::generator::worker::Event;
use crate::harness::asterisk::Asterisk;
use crate::rig::{Call, Rig, Way, originate};
use crate::{Result, clock};

/// How long a call may take from dialling to its end.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) fn out(setting: &Setting<'_>) -> Result<Outcome> {
    run(setting, Way::Out)
}

pub(super) fn incoming(setting: &Setting<'_>) -> Result<Outcome> {
    if !setting.variant.is_ours() && setting.channels > 1 {
        let mut outcome = Outcome::default();
        outcome.note("not run: the C module deadlocks when INCOMING channels are made in parallel");
        return Ok(outcome);
    }
    run(setting, Way::In)
}

/// After this many failures no further call is made.
const MAX_FAILURES: usize = 5;

/// The state of the calls, for the threads that make them.
#[derive(Debug, Default)]
struct Board {
    /// The threads that wait for the end of a call, by the unique id of its channel.
    waiting: Mutex<HashMap<String, Waiting>>,
    up: Mutex<Times>,
    made: AtomicUsize,
    failed: AtomicUsize,
    failures: Mutex<BTreeSet<String>>,
}

#[derive(Debug)]
struct Waiting {
    /// The time at which the call was begun.
    since: u64,
    ended: Sender<()>,
}

fn run(setting: &Setting<'_>, way: Way) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    let mut rig = Rig::start(setting.variant, setting.workers, None)?;
    rig.warm_up(way)?;
    rig.set_life(Life::OneFrame);
    let board = Board::default();
    let measured = rig.measure_while(|rig| {
        make_calls(rig, setting, way, &board);
        rig.wait_for_no_channels()
    })?;
    let made = board.made.load(Ordering::Relaxed);
    let failed = board.failed.load(Ordering::Relaxed);
    board.failures.lock().iter().for_each(|why| outcome.note(why.clone()));
    if made == 0 {
        return Err(format!("no call came up: {}", outcome.notes.join("; ")).into());
    }
    outcome.set(&figures::SETUP_CALLS, made as f64);
    outcome.set(&figures::SETUP_FAILED, failed as f64);
    outcome.set(&figures::SETUP_CPU, measured.asterisk.cpu.as_secs_f64() * 1e3 / made as f64);
    outcome.set(&figures::SETUP_RATE, made as f64 / measured.asterisk.elapsed.as_secs_f64());
    let up = board.up.lock();
    outcome.set(&figures::SETUP_UP_P50, up.percentile_ms(50.0));
    outcome.set(&figures::SETUP_UP_P99, up.percentile_ms(99.0));
    outcome.notes.extend(rig.finish());
    Ok(outcome)
}

/// Makes calls in as many threads as there are simultaneous calls, until the time is over and all calls have ended.
fn make_calls(rig: &mut Rig, setting: &Setting<'_>, way: Way, board: &Board) {
    let deadline = Instant::now() + setting.duration;
    let running = AtomicUsize::new(setting.channels);
    let asterisk = &*rig.asterisk;
    let connector = rig.generator.connector();
    thread::scope(|scope| {
        for number in 0..setting.channels {
            let (running, connector) = (&running, &connector);
            scope.spawn(move || {
                let mut caller =
                    Caller { ari: Ari::new(asterisk.http, asterisk.path("ari")), asterisk, connector };
                let mut call = 0;
                while Instant::now() < deadline && board.failed.load(Ordering::Relaxed) < MAX_FAILURES {
                    call += 1;
                    let id = format!("setup-{number}-{call}");
                    match caller.call(way, &id, board) {
                        Ok(()) => drop(board.made.fetch_add(1, Ordering::Relaxed)),
                        Err(why) => board.fail(why.to_string()),
                    }
                }
                running.fetch_sub(1, Ordering::Relaxed);
            });
        }
        // The generator's events have one receiver, so this thread passes them on.
        let mut channels = HashMap::new();
        while running.load(Ordering::Relaxed) > 0 {
            if let Some(event) = rig.generator.event(Instant::now() + Duration::from_millis(20)) {
                board.hand_on(event, &mut channels);
            }
        }
    });
}

/// A thread that makes calls.
#[derive(Debug)]
struct Caller<'a> {
    ari: Ari,
    asterisk: &'a Asterisk,
    connector: &'a Connector,
}

impl Caller<'_> {
    /// Makes a call and waits for its end.
    fn call(&mut self, way: Way, id: &str, board: &Board) -> Result<()> {
        let (ended, end) = channel();
        board.waiting.lock().insert(id.to_owned(), Waiting { since: clock::now(), ended });
        let call = Call { way, options: "c(ulaw)", extension: "echo", id };
        let result = originate(&mut self.ari, self.asterisk, self.connector, &call)
            .and_then(|()| end.recv_timeout(PATIENCE).map_err(|_| "a call did not come up and end".into()));
        board.waiting.lock().remove(id);
        result
    }
}

impl Board {
    fn fail(&self, why: String) {
        self.failed.fetch_add(1, Ordering::Relaxed);
        self.failures.lock().insert(why);
    }

    /// Passes an event to the thread whose call it is about. `channels`: unique ids by app.
    fn hand_on(&self, event: Event, channels: &mut HashMap<u32, String>) {
        match event {
            Event::Started { id, channel, .. } => drop(channels.insert(id, channel)),
            Event::Heard { id, at } => {
                let waiting = self.waiting.lock();
                if let Some(waiting) = channels.get(&id).and_then(|channel| waiting.get(channel)) {
                    self.up.lock().record(at.saturating_sub(waiting.since));
                }
            }
            Event::Ended { id, how } => {
                let waiting = channels.remove(&id).and_then(|channel| self.waiting.lock().remove(&channel));
                if let (Some(waiting), Ok(_)) = (waiting, &how) {
                    let _ = waiting.ended.send(());
                }
                if let Err(why) = how {
                    self.fail(format!("a connection ended: {why}"));
                }
            }
            Event::Fault { what } => self.fail(what),
        }
    }
}
