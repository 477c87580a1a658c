//! How many channels until media is late?

use std::thread;
use std::time::Duration;

use serde_json::json;

use super::Setting;
use super::media::{Load, judge_generator};
use crate::Result;
use crate::figures::{self, Outcome};
use crate::generator::worker::{Command, Who};

/// Channels added at a time.
const STEP: usize = 50;

/// Later than this is too late.
const LIMIT_MS: f64 = 40.0;

/// So many are enough for anybody.
const MAX_CHANNELS: usize = 2000;

pub(super) fn run(setting: &Setting<'_>) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    let load = Load::ECHO_OUT;
    let mut rig = load.start(setting)?;
    let mut channels = setting.channels;
    let mut capacity = 0;
    let mut steps = Vec::new();
    while channels <= MAX_CHANNELS {
        load.speak(&rig);
        let mut step = Outcome::default();
        let measured = rig.measure(setting.duration)?;
        let late = judge_generator(&mut step, &measured);
        let p99 = measured.window.latency.percentile_ms(99.0);
        // Frames that are not there are late, too.
        let missing = 1.0 - measured.window.received as f64 / measured.window.sent.max(1) as f64;
        let cores = measured.asterisk.cpu.as_secs_f64() / measured.asterisk.elapsed.as_secs_f64();
        steps.push(json!({
            "channels": channels, "latency_p99_ms": p99, "missing": missing, "cores": cores,
            "generator_lateness_p99_ms": measured.window.own_lateness.percentile_ms(99.0),
            "generator_cores": measured.generator_load,
        }));
        if p99 > LIMIT_MS || missing > 0.01 {
            if late {
                outcome.note(format!("at {channels} channels the generator was a bottleneck, too"));
            }
            break;
        }
        capacity = channels;
        if late {
            outcome.note(format!("the generator is the limit at {channels} channels"));
            break;
        }
        // Silence between the steps: backlog is played off, and setting calls up disturbs nobody.
        rig.generator.tell(|| Command::Hush(Who::All));
        load.add(&mut rig, STEP)?;
        thread::sleep(Duration::from_secs(1));
        channels += STEP;
    }
    outcome.set(&figures::CAPACITY, capacity as f64);
    outcome.details.insert("steps".into(), steps.into());
    rig.generator.tell(|| Command::Hush(Who::All));
    thread::sleep(Duration::from_secs(1));
    rig.end_calls()?;
    outcome.notes.extend(rig.finish());
    Ok(outcome)
}
