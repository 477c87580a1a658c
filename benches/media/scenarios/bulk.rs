//! How quickly commands are answered: with live media, with 18 s in the queue, and FLUSH_MEDIA.

use std::thread;
use std::time::Duration;

use super::Setting;
use super::media::{Load, judge_generator};
use crate::Result;
use crate::figures::{self, Outcome};
use crate::generator::stats::Times;
use crate::generator::worker::{Command, Who};

/// How often each app asks.
const PERIOD: Duration = Duration::from_millis(250);

pub(super) fn run(setting: &Setting<'_>) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    let load = Load::ECHO_OUT;
    let mut rig = load.start(setting)?;
    rig.generator.tell(|| Command::LookAtOnce);
    load.speak(&rig);
    rig.generator.tell(|| Command::AskStatus(Who::All, PERIOD));
    // A driver may have postponed work until an app asks: the first answers are measured separately.
    let first = rig.measure(PERIOD)?;
    outcome.set(&figures::STATUS_FIRST_P99, first.window.status.percentile_ms(99.0));
    let live = rig.measure(setting.duration)?;
    outcome.set(&figures::STATUS_P50, live.window.status.percentile_ms(50.0));
    outcome.set(&figures::STATUS_P99, live.window.status.percentile_ms(99.0));
    judge_generator(&mut outcome, &live);
    rig.generator.tell(|| Command::Hush(Who::All));
    thread::sleep(Duration::from_millis(500));

    rig.generator.tell(|| Command::SendBulk(Who::All));
    thread::sleep(Duration::from_millis(1500));
    rig.generator.tell(|| Command::AskStatus(Who::All, PERIOD));
    let queued = rig.measure(setting.duration)?;
    outcome.set(&figures::STATUS_QUEUED_P50, queued.window.status.percentile_ms(50.0));
    outcome.set(&figures::STATUS_QUEUED_P99, queued.window.status.percentile_ms(99.0));
    if queued.window.received == 0 {
        return Err("the bulk was not played".into());
    }

    rig.generator.tell(|| Command::Flush(Who::All));
    thread::sleep(Duration::from_millis(500));
    let mut silences = Times::default();
    rig.generator.silences()?.into_iter().for_each(|nanos| silences.record(nanos));
    outcome.set(&figures::FLUSH_P50, silences.percentile_ms(50.0));
    outcome.set(&figures::FLUSH_MAX, silences.max_ms());

    let totals = rig.generator.totals()?;
    outcome.set(&figures::CORRUPT, totals.corrupt as f64);
    rig.end_calls()?;
    outcome.notes.extend(rig.finish());
    Ok(outcome)
}
