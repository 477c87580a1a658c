//! The cost of receiving media in bulk.

use std::thread;
use std::time::Duration;

use super::Setting;
use super::media::{Load, judge_generator};
use crate::Result;
use crate::figures::{self, Outcome};
use crate::generator::worker::{Command, Who};

/// How often each app sends a bulk.
const PERIOD: Duration = Duration::from_millis(50);

pub(super) fn run(setting: &Setting<'_>) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    let mut rig = Load::IDLE.start(setting)?;
    // The cost of the same calls without media, which is subtracted.
    let quiet = rig.measure(setting.duration / 2)?;
    rig.generator.tell(|| Command::SendBulks(Who::All, PERIOD));
    thread::sleep(Duration::from_millis(300));
    let busy = rig.measure(setting.duration)?;
    rig.generator.tell(|| Command::Hush(Who::All));

    let share = busy.asterisk.elapsed.as_secs_f64() / quiet.asterisk.elapsed.as_secs_f64();
    let cpu = busy.asterisk.cpu.as_secs_f64() - quiet.asterisk.cpu.as_secs_f64() * share;
    let window = &busy.window;
    if window.ingested == 0 {
        return Err("no bulk was taken".into());
    }
    outcome.set(&figures::INGEST_CPU, cpu * 1e6 / window.ingested as f64);
    outcome.set(&figures::INGEST_FRAMES, window.ingested as f64);
    outcome.set(&figures::INGEST_P50, window.ingest.percentile_ms(50.0));
    outcome.details.insert("bulks".into(), window.ingest.count().into());
    outcome.details.insert("bulks not begun because of the one before".into(), window.overrun.into());
    judge_generator(&mut outcome, &busy);
    thread::sleep(Duration::from_millis(300));
    rig.end_calls()?;
    outcome.notes.extend(rig.finish());
    Ok(outcome)
}
