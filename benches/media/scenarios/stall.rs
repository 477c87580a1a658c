//! The whole of Asterisk is stopped for a while, as on a machine that swaps or is migrated. Measures how long the calls
//! are late.

use std::net::UdpSocket;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::media::{Load, account, judge_generator};
use super::phone::Phone;
use super::{Setting, WARM_UP};
use crate::Result;
use crate::clock::{self, millis, nanos};
use crate::figures::{self, Outcome};
use crate::generator::stats::Point;
use crate::generator::worker::Command;
use crate::rig::Rig;

/// How long Asterisk is stopped.
const STALL: Duration = Duration::from_millis(500);

/// How long the normal state is watched before.
const BEFORE: Duration = Duration::from_secs(1);

/// How long the recovery is watched.
const AFTER: Duration = Duration::from_secs(3);

/// A frame is back to normal if it is at most this much later than the latest frame before the stall.
const TOLERANCE: Duration = Duration::from_millis(10);

/// A call must have recovered this long before the end of watching.
const END: Duration = Duration::from_millis(500);

/// The time within which calls must be back to normal.
const WANTED: Duration = Duration::from_secs(1);

pub(super) fn echo(setting: &Setting<'_>) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    let load = Load::ECHO_OUT;
    let mut rig = load.start(setting)?;
    load.speak(&rig);
    rig.generator.tell(|| Command::Trace);
    let resumed = stall(&mut outcome, &mut rig)?;
    let courses: Vec<Vec<Point>> =
        rig.generator.take_traces()?.into_iter().map(|(_, course)| course).collect();
    judge(&mut outcome, &courses, resumed);
    account(&mut outcome, &rig)?;
    rig.end_calls()?;
    outcome.notes.extend(rig.finish());
    Ok(outcome)
}

pub(super) fn phone(setting: &Setting<'_>) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    let port = socket.local_addr()?.port();
    let load = Load { extension: "phone", ..Load::ECHO_OUT };
    let mut rig = Rig::start(setting.variant, setting.workers, Some(port))?;
    rig.warm_up(load.way)?;
    load.add(&mut rig, setting.channels)?;
    thread::sleep(WARM_UP);
    load.speak(&rig);
    let phone = Phone::listen(socket)?;
    let resumed = stall(&mut outcome, &mut rig)?;
    let heard = phone.hang_up()?;
    if heard.len() != setting.channels {
        outcome.note(format!("RTP of {} of {} calls came", heard.len(), setting.channels));
    }
    let courses: Vec<Vec<Point>> = heard.iter().map(|call| call.course()).collect();
    judge(&mut outcome, &courses, resumed);
    let shifts = heard.iter().filter_map(|call| call.timestamp_shift_ms());
    let longest =
        shifts.fold(0.0, |longest: f64, shift| if shift.abs() > longest.abs() { shift } else { longest });
    outcome.set(&figures::TIMESTAMP_SHIFT, longest);
    rig.end_calls()?;
    outcome.notes.extend(rig.finish());
    Ok(outcome)
}

/// Stops Asterisk for a while, and watches before and after. Returns the time at which it continued.
fn stall(outcome: &mut Outcome, rig: &mut Rig) -> Result<u64> {
    let pid = i32::try_from(rig.pid()).ok().and_then(Pid::from_raw).ok_or("no process id")?;
    let mut resumed = 0;
    let measured = rig.measure_while(|_| {
        thread::sleep(BEFORE);
        kill_process(pid, Signal::STOP)?;
        thread::sleep(STALL);
        kill_process(pid, Signal::CONT)?;
        resumed = clock::now();
        thread::sleep(AFTER);
        Ok(())
    })?;
    judge_generator(outcome, &measured);
    Ok(resumed)
}

/// Finds when each call was back to normal, and what delay remains.
fn judge(outcome: &mut Outcome, courses: &[Vec<Point>], resumed: u64) {
    let mut recoveries: Vec<Option<u64>> = courses.iter().map(|course| recovery(course, resumed)).collect();
    // Calls that never recover come last.
    recoveries.sort_by_key(|recovery| recovery.unwrap_or(u64::MAX));
    let mut residuals: Vec<f64> = courses.iter().filter_map(|course| residual_ms(course, resumed)).collect();
    residuals.sort_by(f64::total_cmp);
    let within = recoveries.iter().flatten().filter(|recovery| **recovery <= nanos(WANTED)).count();
    let capped =
        |recovery: Option<&Option<u64>>| recovery.map(|recovery| millis(recovery.unwrap_or(nanos(AFTER))));
    outcome.set(&figures::RECOVERED, within as f64 * 100.0 / courses.len().max(1) as f64);
    for (figure, value) in [
        (&figures::RECOVERY_P50, capped(recoveries.get(recoveries.len() / 2))),
        (&figures::RECOVERY_MAX, capped(recoveries.last())),
        (&figures::RESIDUAL_P50, residuals.get(residuals.len() / 2).copied()),
        (&figures::RESIDUAL_MAX, residuals.last().copied()),
    ] {
        if let Some(value) = value {
            outcome.set(figure, value);
        }
    }
    let never = recoveries.iter().filter(|recovery| recovery.is_none()).count();
    if never > 0 {
        outcome.note(format!("{never} calls were not back to normal {} s after the stall", AFTER.as_secs()));
    }
}

/// The time from the continuation to the last late frame; `None` if there are late frames to the end.
fn recovery(course: &[Point], resumed: u64) -> Option<u64> {
    let stopped = resumed - nanos(STALL);
    let normal = course.iter().filter(|point| point.at < stopped).map(|point| point.latency).max()?;
    let limit = normal + nanos(TOLERANCE);
    let after = || course.iter().filter(|point| point.at >= resumed);
    let last = after().map(|point| point.at).max()?;
    let late = after().filter(|point| point.latency > limit).map(|point| point.at).max();
    match late {
        None => Some(0),
        Some(at) if at + nanos(END) > last => None,
        Some(at) => Some(at - resumed),
    }
}

/// How much later the frames are in the end than before the stall, as a median.
fn residual_ms(course: &[Point], resumed: u64) -> Option<f64> {
    let stopped = resumed - nanos(STALL);
    let end = course.last()?.at;
    let before = median(course.iter().filter(|point| point.at < stopped))?;
    let after = median(course.iter().filter(|point| point.at + nanos(END) > end))?;
    Some(millis(after) - millis(before))
}

fn median<'a>(points: impl Iterator<Item = &'a Point>) -> Option<u64> {
    let mut latencies: Vec<u64> = points.map(|point| point.latency).collect();
    latencies.sort_unstable();
    latencies.get(latencies.len() / 2).copied()
}
