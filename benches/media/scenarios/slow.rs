//! One app stops reading. Measures what the others notice, and how long a request for Asterisk's channels takes.

use std::thread;
use std::time::{Duration, Instant};

use super::media::{Load, account, heard, judge_generator};
use super::{Setting, WARM_UP};
use crate::Result;
use crate::clock::nanos;
use crate::figures::{self, Outcome};
use crate::generator::speech::Manner;
use crate::generator::stats::Times;
use crate::generator::worker::{Command, Who};

/// 20 ms of `slin192`: enough to fill the sockets' buffers, 4 MB on the loopback interface, in [`FILLING`].
const WIDE: Manner = Manner { frame_bytes: 7680, ..Manner::STEADY };

/// Nothing happens until the buffers are full.
const FILLING: Duration = Duration::from_secs(12);

pub(super) fn run(setting: &Setting<'_>) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    let load = Load::ECHO_OUT;
    let mut rig = load.start(setting)?;
    load.speak(&rig);

    let known: Vec<u32> = rig.apps.keys().copied().collect();
    rig.call(load.way, "c(slin192)", load.extension, 1, 1)?;
    let slow = rig.apps.iter().find(|(id, _)| !known.contains(id));
    let (slow, channel) = slow.map(|(id, channel)| (*id, channel.clone())).ok_or("no slow app")?;
    let slow = Who::These([slow].into());
    rig.generator.tell(|| Command::Speak(slow.clone(), WIDE));
    thread::sleep(WARM_UP);
    rig.generator.tell(|| Command::StopReading(slow.clone()));
    thread::sleep(FILLING);

    let (mut lists, mut variables) = (Times::default(), Times::default());
    let mut unanswered = None;
    let measured = rig.measure_while(|rig| {
        let deadline = Instant::now() + setting.duration;
        while Instant::now() < deadline {
            timed(&mut lists, || rig.ari.channels())?;
            // This request takes the channel's lock.
            if let Err(error) = timed(&mut variables, || rig.ari.variable(&channel, "CHANNEL(channeltype)")) {
                unanswered = Some(error.to_string());
                break;
            }
            thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    })?;
    outcome.notes.extend(unanswered);
    heard(&mut outcome, &measured);
    judge_generator(&mut outcome, &measured);
    outcome.set(&figures::LIST_P50, lists.percentile_ms(50.0));
    outcome.set(&figures::LIST_MAX, lists.max_ms());
    outcome.set(&figures::VARIABLE_P50, variables.percentile_ms(50.0));
    outcome.set(&figures::VARIABLE_MAX, variables.max_ms());

    // Otherwise its frames would count as lost.
    rig.generator.tell(|| Command::Drop(slow.clone()));
    account(&mut outcome, &rig)?;
    rig.note_events();
    rig.end_calls()?;
    outcome.notes.extend(rig.finish());
    Ok(outcome)
}

fn timed<T>(times: &mut Times, act: impl FnOnce() -> T) -> T {
    let begin = Instant::now();
    let result = act();
    times.record(nanos(begin.elapsed()));
    result
}
