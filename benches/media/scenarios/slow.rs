//! One app stops reading. What do the others see, and what does whoever asks Asterisk for its channels?

use std::thread;
use std::time::{Duration, Instant};

use super::media::{Load, account, heard, judge_generator};
use super::{Setting, WARM_UP};
use crate::Result;
use crate::figures::{self, Outcome};
use crate::generator::speech::Manner;
use crate::generator::stats::Times;
use crate::generator::worker::{Command, Who};

/// 20 ms of `slin48`: enough to fill the socket's buffers in about a second.
const WIDE: Manner = Manner { frame_bytes: 1920, ..Manner::STEADY };

pub(super) fn run(setting: &Setting<'_>) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    let load = Load::ECHO_OUT;
    let mut rig = load.start(setting)?;
    load.speak(&rig);

    let known: Vec<u32> = rig.apps.keys().copied().collect();
    rig.call(load.way, "c(slin48)", load.extension, 1, 1)?;
    let slow: Vec<u32> = rig.apps.keys().copied().filter(|id| !known.contains(id)).collect();
    let slow = Who::These(slow.into());
    rig.generator.tell(|| Command::Speak(slow.clone(), WIDE));
    thread::sleep(WARM_UP);
    rig.generator.tell(|| Command::StopReading(slow.clone()));

    let mut answers = Times::default();
    let measured = rig.measure_while(|rig| {
        // Longer than elsewhere: the buffers fill first.
        let deadline = Instant::now() + setting.duration + Duration::from_secs(2);
        while Instant::now() < deadline {
            let begin = Instant::now();
            rig.ari.channels()?;
            answers.record(crate::clock::nanos(begin.elapsed()));
            thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    })?;
    heard(&mut outcome, &measured);
    judge_generator(&mut outcome, &measured);
    outcome.set(&figures::ARI_P50, answers.percentile_ms(50.0));
    outcome.set(&figures::ARI_MAX, answers.max_ms());

    // Its frames would count as lost.
    rig.generator.tell(|| Command::Drop(slow.clone()));
    account(&mut outcome, &rig)?;
    rig.note_events();
    rig.end_calls()?;
    outcome.notes.extend(rig.finish());
    Ok(outcome)
}
