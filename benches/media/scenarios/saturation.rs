//! The number of channels from which on media is late.

use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::Setting;
use super::media::{Load, judge_generator};
use crate::Result;
use crate::figures::{self, Outcome};
use crate::generator::worker::{Command, Who};
use crate::rig::Rig;

/// Channels added at a time.
const STEP: usize = 50;

/// A higher latency is too late.
const LIMIT_MS: f64 = 40.0;

/// The share of frames that may be in transit when the measurement ends.
const MISSING: f64 = 0.01;

/// More channels are not tried.
const MAX_CHANNELS: usize = 2000;

pub(super) fn run(setting: &Setting<'_>) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    let load = Load::ECHO_OUT;
    let mut rig = load.start(setting)?;
    let mut channels = setting.channels;
    let mut capacity = 0;
    let mut steps = Vec::new();
    // Media pauses between the steps: the backlog is played, and call set-up disturbs no media.
    while channels <= MAX_CHANNELS {
        let mut step = measure(setting, &mut rig, channels)?;
        if step.is_late() && !step.generator_late {
            // One late measurement is no proof: another process may have used the machine.
            step.note_in(&mut steps);
            pause(&rig);
            step = measure(setting, &mut rig, channels)?;
        }
        step.note_in(&mut steps);
        if !step.is_late() {
            capacity = channels;
        }
        if step.generator_late {
            outcome.note(format!("at {channels} channels the generator was a bottleneck"));
        }
        if step.is_late() || step.generator_late {
            break;
        }
        pause(&rig);
        load.add(&mut rig, STEP)?;
        thread::sleep(Duration::from_millis(500));
        channels += STEP;
    }
    outcome.set(&figures::CAPACITY, capacity as f64);
    outcome.details.insert("steps".into(), steps.into());
    pause(&rig);
    rig.end_calls()?;
    outcome.notes.extend(rig.finish());
    Ok(outcome)
}

/// Stops the apps' media, and lets the queues be played.
fn pause(rig: &Rig) {
    rig.generator.tell(|| Command::Hush(Who::All));
    thread::sleep(Duration::from_secs(1));
}

/// The result for one number of channels.
#[derive(Debug)]
struct Step {
    latency_p99_ms: f64,
    /// The share of frames that did not come. They are late, too.
    missing: f64,
    generator_late: bool,
    all: Value,
}

impl Step {
    fn is_late(&self) -> bool {
        self.latency_p99_ms > LIMIT_MS || self.missing > MISSING
    }

    fn note_in(&self, steps: &mut Vec<Value>) {
        steps.push(self.all.clone());
    }
}

fn measure(setting: &Setting<'_>, rig: &mut Rig, channels: usize) -> Result<Step> {
    Load::ECHO_OUT.speak(rig);
    let measured = rig.measure(setting.duration)?;
    let window = &measured.window;
    let latency_p99_ms = window.latency.percentile_ms(99.0);
    let missing = 1.0 - window.received as f64 / window.sent.max(1) as f64;
    let all = json!({
        "channels": channels, "latency_p99_ms": latency_p99_ms, "missing": missing,
        "cores": measured.asterisk.cpu.as_secs_f64() / measured.asterisk.elapsed.as_secs_f64(),
        "generator_lateness_p99_ms": window.own_lateness.percentile_ms(99.0),
        "generator_cores": measured.generator_load, "other_cores": measured.others,
    });
    let generator_late = judge_generator(&mut Outcome::default(), &measured);
    Ok(Step { latency_p99_ms, missing, generator_late, all })
}
