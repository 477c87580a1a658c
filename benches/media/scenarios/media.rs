//! Long calls, with or without media.

use std::thread;
use std::time::{Duration, Instant};

use super::{Setting, WARM_UP};
use crate::Result;
use crate::figures::{self, Outcome};
use crate::generator::speech::{Bursts, Manner, PTIME};
use crate::generator::worker::{Command, Who};
use crate::procfs::{self, Group};
use crate::rig::{Measured, Rig, Way};

/// If the generator is later than this, it measures itself.
const OWN_LATENESS_MS: f64 = 5.0;

/// The same if its workers use more than this share of a core each.
const OWN_LOAD: f64 = 0.9;

/// If other processes use this many cores, the figures are less reliable.
const OTHERS: f64 = 0.1;

/// The app speaks 40 % of the time.
const TALK: Manner = Manner {
    bursts: Some(Bursts { speaking: Duration::from_millis(1200), silent: Duration::from_millis(1800) }),
    ..Manner::STEADY
};

/// What the calls do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    pub(super) way: Way,
    /// The options of the dial string. With JSON an app subscribes to positions.
    pub(super) options: &'static str,
    pub(super) extension: &'static str,
    /// The number of channels and apps of a call.
    pub(super) channels_per_call: usize,
    pub(super) manner: Option<Manner>,
}

impl Load {
    pub(super) const ECHO_OUT: Self = Self {
        way: Way::Out,
        options: "c(ulaw)",
        extension: "echo",
        channels_per_call: 1,
        manner: Some(Manner::STEADY),
    };
    pub(super) const ECHO_IN: Self = Self { way: Way::In, ..Self::ECHO_OUT };
    pub(super) const IDLE: Self = Self { manner: None, ..Self::ECHO_OUT };
    pub(super) const PAIR: Self = Self { extension: "pair", channels_per_call: 2, ..Self::ECHO_OUT };

    /// Starts Asterisk with this many channels.
    pub(super) fn start(self, setting: &Setting<'_>) -> Result<Rig> {
        let mut rig = Rig::start(setting.variant, setting.workers, None)?;
        rig.warm_up(self.way)?;
        self.add(&mut rig, setting.channels)?;
        thread::sleep(Duration::from_millis(500));
        Ok(rig)
    }

    /// Adds this many channels.
    pub(super) fn add(self, rig: &mut Rig, channels: usize) -> Result<()> {
        let calls = channels / self.channels_per_call;
        rig.call(self.way, self.options, self.extension, calls, self.channels_per_call)
    }

    /// Starts the apps' media, and waits until it is steady.
    pub(super) fn speak(self, rig: &Rig) {
        if let Some(manner) = self.manner {
            rig.generator.tell(|| Command::Speak(Who::All, manner));
        }
        thread::sleep(WARM_UP);
    }
}

pub(super) fn echo_out(setting: &Setting<'_>) -> Result<Outcome> {
    run(setting, Load::ECHO_OUT)
}

pub(super) fn echo_in(setting: &Setting<'_>) -> Result<Outcome> {
    run(setting, Load::ECHO_IN)
}

pub(super) fn echo_out_tls(setting: &Setting<'_>) -> Result<Outcome> {
    run(setting, Load { way: Way::OutTls, ..Load::ECHO_OUT })
}

pub(super) fn echo_in_tls(setting: &Setting<'_>) -> Result<Outcome> {
    run(setting, Load { way: Way::InTls, ..Load::ECHO_OUT })
}

/// Each app gets the position of playback once a second.
pub(super) fn positions(setting: &Setting<'_>) -> Result<Outcome> {
    run(setting, Load { options: "c(ulaw)f(json)", ..Load::ECHO_OUT })
}

/// The apps use Twilio's messages. (The C module rejects the option, and its apps use the usual ones.)
pub(super) fn echo_out_twilio(setting: &Setting<'_>) -> Result<Outcome> {
    run(setting, Load { options: "c(ulaw)f(twilio)", ..Load::ECHO_OUT })
}

pub(super) fn idle(setting: &Setting<'_>) -> Result<Outcome> {
    run(setting, Load::IDLE)
}

pub(super) fn talk(setting: &Setting<'_>) -> Result<Outcome> {
    run(setting, Load { manner: Some(TALK), ..Load::ECHO_OUT })
}

pub(super) fn pair(setting: &Setting<'_>) -> Result<Outcome> {
    run(setting, Load::PAIR)
}

fn run(setting: &Setting<'_>, load: Load) -> Result<Outcome> {
    let mut rig = load.start(setting)?;
    load.speak(&rig);
    let measured = rig.measure(setting.duration)?;
    let mut outcome = Outcome::default();
    cost(&mut outcome, &measured, setting.channels);
    footprint(&mut outcome, &rig, setting.channels)?;
    judge_generator(&mut outcome, &measured);
    if load.manner.is_some() {
        heard(&mut outcome, &measured);
        account(&mut outcome, &rig)?;
    }
    rig.end_calls()?;
    outcome.notes.extend(rig.finish());
    Ok(outcome)
}

/// Asterisk's usage.
pub(super) fn cost(outcome: &mut Outcome, measured: &Measured, channels: usize) {
    let used = &measured.asterisk;
    let seconds = used.elapsed.as_secs_f64() * channels as f64;
    let frames = seconds / PTIME.as_secs_f64();
    let per_frame = |nanos: u64| nanos as f64 / 1000.0 / frames;
    let [driver, on_channels] = [Group::Driver, Group::Channels].map(|group| used.of(group));
    outcome.set(&figures::CPU, used.cpu.as_secs_f64() * 1e6 / frames);
    outcome.set(&figures::CPU_DRIVER, per_frame(driver.cpu_ns));
    outcome.set(&figures::CPU_CHANNELS, per_frame(on_channels.cpu_ns));
    outcome.set(&figures::CPU_WAIT, per_frame(used.all().waiting_ns));
    outcome.set(&figures::SWITCHES_CHANNELS, on_channels.voluntary as f64 / seconds);
    outcome.set(&figures::SWITCHES_DRIVER, driver.voluntary as f64 / seconds);
    outcome.set(&figures::INVOLUNTARY, used.all().involuntary as f64 / seconds);
}

/// The resources of the calls other than processor time.
fn footprint(outcome: &mut Outcome, rig: &Rig, channels: usize) -> Result<()> {
    let idle = rig.idle.as_ref().ok_or("no idle figures")?;
    let now = procfs::Snapshot::take(rig.pid())?;
    let each = |now: u64, idle: u64| (now as f64 - idle as f64) / channels as f64;
    outcome.set(&figures::THREADS, each(now.threads() as u64, idle.snapshot.threads() as u64));
    let own = now.threads_named(procfs::DRIVER_THREADS);
    outcome.set(&figures::DRIVER_THREADS, own.len() as f64);
    outcome.details.insert("driver threads".into(), own.into());
    outcome.set(&figures::DESCRIPTORS, each(procfs::descriptors(rig.pid())? as u64, idle.descriptors as u64));
    outcome.set(&figures::MEMORY, each(procfs::memory_kib(rig.pid())?, idle.memory_kib));
    Ok(())
}

/// The measurements of the apps.
pub(super) fn heard(outcome: &mut Outcome, measured: &Measured) {
    let window = &measured.window;
    outcome.set(&figures::FRAMES, window.received as f64);
    for (times, figures) in [
        (
            &window.latency,
            [&figures::LATENCY_P50, &figures::LATENCY_P99, &figures::LATENCY_P999, &figures::LATENCY_MAX],
        ),
        (
            &window.jitter,
            [&figures::JITTER_P50, &figures::JITTER_P99, &figures::JITTER_P999, &figures::JITTER_MAX],
        ),
    ] {
        for (figure, percentile) in figures.into_iter().zip([50.0, 99.0, 99.9, 100.0]) {
            outcome.set(figure, times.percentile_ms(percentile));
        }
    }
}

/// Notes whether the generator was the bottleneck, or other processes used the machine. True in the first case.
pub(super) fn judge_generator(outcome: &mut Outcome, measured: &Measured) -> bool {
    let lateness = measured.window.own_lateness.percentile_ms(99.0);
    let turn = measured.window.own_turns.percentile_ms(99.0);
    outcome.set(&figures::OWN_LATENESS, lateness);
    outcome.set(&figures::OWN_TURN, turn);
    outcome.set(&figures::OWN_LOAD, measured.generator_load);
    outcome.set(&figures::OTHERS, measured.others);
    let late = lateness.max(turn) > OWN_LATENESS_MS || measured.generator_load > OWN_LOAD;
    if late {
        outcome.note(format!(
            "the generator was a bottleneck: sending late by {lateness:.1} ms, reading by {turn:.1} ms (p99), {:.2} \
             cores busy",
            measured.generator_load
        ));
    }
    if measured.others > OTHERS {
        outcome.note(format!("other processes used {:.2} cores", measured.others));
    }
    late
}

/// Waits for media that is in transit, and counts.
pub(super) fn account(outcome: &mut Outcome, rig: &Rig) -> Result<()> {
    rig.generator.tell(|| Command::Hush(Who::All));
    let deadline = Instant::now() + Duration::from_secs(4);
    let totals = loop {
        thread::sleep(Duration::from_millis(50));
        let totals = rig.generator.totals()?;
        if totals.received + totals.corrupt >= totals.sent || Instant::now() > deadline {
            break totals;
        }
    };
    outcome.set(&figures::LOST, totals.sent.saturating_sub(totals.received + totals.corrupt) as f64);
    outcome.set(&figures::OUT_OF_ORDER, totals.out_of_order as f64);
    outcome.set(&figures::CORRUPT, totals.corrupt as f64);
    if totals.positions > 0 {
        outcome.details.insert("positions told".into(), totals.positions.into());
    }
    for (count, what) in [(totals.out_of_order, "out of order"), (totals.corrupt, "damaged")] {
        if count > 0 {
            outcome.note(format!("{count} frames {what}"));
        }
    }
    Ok(())
}
