//! Syscalls per frame, counted by strace on a few channels.

use std::fs;
use std::path::Path;
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::Setting;
use super::media::Load;
use crate::Result;
use crate::figures::{self, Outcome};
use crate::generator::speech::PTIME;
use crate::harness::process;
use crate::procfs;
use crate::rig::Rig;

pub(super) fn echo_out(setting: &Setting<'_>) -> Result<Outcome> {
    run(setting, Load::ECHO_OUT)
}

pub(super) fn echo_in(setting: &Setting<'_>) -> Result<Outcome> {
    run(setting, Load::ECHO_IN)
}

pub(super) fn idle(setting: &Setting<'_>) -> Result<Outcome> {
    run(setting, Load::IDLE)
}

pub(super) fn pair(setting: &Setting<'_>) -> Result<Outcome> {
    run(setting, Load::PAIR)
}

fn run(setting: &Setting<'_>, load: Load) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    if !is_installed() {
        outcome.note("strace is not installed");
        return Ok(outcome);
    }
    let mut rig = load.start(setting)?;
    load.speak(&rig);
    count(&mut outcome, &rig, setting, load.manner.is_some())?;
    rig.end_calls()?;
    outcome.notes.extend(rig.finish());
    Ok(outcome)
}

/// Counts while the calls are up. `heard`: per frame that the apps receive, because strace can slow Asterisk down;
/// otherwise per channel and 20 ms.
pub(super) fn count(outcome: &mut Outcome, rig: &Rig, setting: &Setting<'_>, heard: bool) -> Result<()> {
    let report = rig.asterisk.folder().join("strace");
    let strace = attach(rig.pid(), &report)?;
    rig.generator.open_window();
    let begin = Instant::now();
    thread::sleep(setting.duration);
    let elapsed = begin.elapsed();
    let window = rig.generator.close_window()?;
    detach(strace)?;
    let frames = if heard {
        window.received as f64
    } else {
        elapsed.as_secs_f64() / PTIME.as_secs_f64() * setting.channels as f64
    };
    let calls = parse(&fs::read_to_string(&report)?);
    outcome.set(&figures::SYSCALLS, calls.iter().map(|(_, count)| *count as f64).sum::<f64>() / frames);
    for (name, count) in calls {
        outcome.details.insert(name, (count as f64 / frames).into());
    }
    Ok(())
}

pub(super) fn is_installed() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join("strace").exists())
}

fn attach(pid: u32, report: &Path) -> Result<Child> {
    let mut command = process::command("strace");
    command.args(["-c", "-f", "-q", "-p", &pid.to_string(), "-o"]).arg(report);
    command.stderr(std::process::Stdio::null());
    let strace = process::spawn(command)?;
    let deadline = Instant::now() + Duration::from_secs(10);
    while !procfs::is_traced(pid) {
        if Instant::now() > deadline {
            detach(strace)?;
            return Err("strace could not attach".into());
        }
        thread::sleep(Duration::from_millis(5));
    }
    Ok(strace)
}

/// strace writes its report when it is interrupted.
fn detach(mut strace: Child) -> Result<()> {
    let pid = i32::try_from(strace.id()).ok().and_then(Pid::from_raw).ok_or("no process id")?;
    kill_process(pid, Signal::INT)?;
    strace.wait()?;
    Ok(())
}

/// Names and counts from `strace -c`: columns of `% time, seconds, usecs/call, calls, errors (may be empty), syscall`.
fn parse(report: &str) -> Vec<(String, u64)> {
    let lines = report.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (name, numbers) = fields.split_last()?;
        let count = numbers.get(3)?.parse().ok()?;
        let is_syscall =
            !matches!(*name, "total" | "syscall") && numbers.iter().all(|field| field.parse::<f64>().is_ok());
        is_syscall.then(|| ((*name).to_owned(), count))
    });
    lines.collect()
}
