//! Runs everything that was requested, with the modules in alternation.

use std::panic::{self, AssertUnwindSafe};
use std::time::{Duration, Instant};

use crate::Result;
use crate::figures::{self, Outcome};
use crate::options::Options;
use crate::report::{Results, Run};
use crate::scenarios::{self, Scenario, Setting};
use crate::variant::Variant;

/// A scenario with a number of channels, which runs once per repetition and module.
#[derive(Debug, Clone, Copy)]
struct Item {
    scenario: &'static Scenario,
    channels: usize,
}

/// Runs everything. Adds to `results`, and calls `keep` with it after every repetition.
pub fn run(options: &Options, results: &mut Results, keep: impl Fn(&Results) -> Result<()>) -> Result<()> {
    let plan = plan(options);
    let is_left_out =
        |item: &Item, repetition| options.quick && repetition > 0 && !item.scenario.quick_repeats;
    let rounds = (0..options.repetitions)
        .map(|repetition| plan.iter().filter(|item| !is_left_out(item, repetition)).count());
    let total = rounds.sum::<usize>() * options.variants.len();
    let begin = Instant::now();
    for repetition in 0..options.repetitions {
        for item in plan.iter().filter(|item| !is_left_out(item, repetition)) {
            // The order alternates, because the second run finds a warmer machine.
            let mut variants: Vec<&Variant> = options.variants.iter().collect();
            if repetition % 2 == 1 {
                variants.reverse();
            }
            for variant in variants {
                let outcome = attempt(*item, variant, options);
                let run = Run::new(item.scenario.name, item.channels, variant, repetition, outcome);
                progress(&run, results.runs.len() + 1, total, begin.elapsed());
                results.runs.push(run);
            }
        }
        keep(results)?;
    }
    Ok(())
}

fn plan(options: &Options) -> Vec<Item> {
    let named = |scenario: &Scenario| options.scenarios.iter().any(|name| name == scenario.name);
    let chosen = scenarios::ALL.iter().filter(|scenario| options.scenarios.is_empty() || named(scenario));
    let items = chosen.flat_map(|scenario| {
        // A scenario that was requested by name also runs in quick mode.
        let own = if options.quick && !(scenario.quick.is_empty() && named(scenario)) {
            scenario.quick
        } else {
            scenario.channels
        };
        let channels = if options.channels.is_empty() { own } else { &options.channels };
        channels.iter().map(move |channels| Item { scenario, channels: *channels })
    });
    items.collect()
}

/// The harness panics when Asterisk fails; that ends only this run.
fn attempt(item: Item, variant: &Variant, options: &Options) -> Result<Outcome> {
    let Item { scenario, channels } = item;
    let setting = Setting { variant, channels, duration: options.duration, workers: options.workers };
    panic::catch_unwind(AssertUnwindSafe(|| (scenario.run)(&setting))).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(text.unwrap_or_else(|| "panic".into()).into())
    })
}

fn progress(run: &Run, number: usize, total: usize, elapsed: Duration) {
    let shown = [
        &figures::CPU,
        &figures::LATENCY_P99,
        &figures::SYSCALLS,
        &figures::INGEST_CPU,
        &figures::STATUS_P99,
        &figures::SETUP_CPU,
        &figures::VARIABLE_MAX,
        &figures::RECOVERY_MAX,
        &figures::CAPACITY,
    ];
    let values = shown.iter().filter_map(|figure| {
        let value = run.outcome.as_ref().ok()?.get(figure)?;
        Some(format!("{} {value:.2} {}", figure.title, figure.unit))
    });
    let mut line = values.collect::<Vec<_>>().join(", ");
    match &run.outcome {
        Ok(outcome) => {
            outcome.notes.iter().for_each(|note| line.push_str(&format!("\n        note: {note}")));
        }
        Err(why) => line.push_str(&format!("FAILED: {why}")),
    }
    eprintln!(
        "[{number}/{total} {:4.0} s] {} n={} {}: {line}",
        elapsed.as_secs_f64(),
        run.scenario,
        run.channels,
        run.variant
    );
}
