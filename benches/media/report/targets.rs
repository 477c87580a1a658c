//! The targets of our module, and whether they were met.

use super::Results;
use super::markdown::{ratio_text, rounded};
use super::summary::Case;
use crate::figures::{self, Figure};

/// One target.
#[derive(Debug)]
pub struct Row {
    /// What is measured.
    pub what: String,
    /// The target.
    pub target: String,
    /// The measured value.
    pub measured: String,
    /// Whether the target is met.
    pub met: bool,
}

/// Maximum ratios to the C module's figure in the same run: scenario, figure, limit.
const RATIOS: &[(&str, &Figure, f64)] = &[
    ("echo-out", &figures::CPU, 0.60),
    ("echo-in", &figures::CPU, 0.60),
    ("idle", &figures::CPU, 0.10),
    ("talk", &figures::CPU, 0.50),
    ("pair", &figures::CPU, 0.70),
    ("ingest", &figures::INGEST_CPU, 0.60),
    ("setup-out", &figures::SETUP_CPU, 1.0),
    ("setup-in", &figures::SETUP_CPU, 1.0),
    ("echo-out", &figures::MEMORY, 0.75),
    ("echo-in", &figures::MEMORY, 0.75),
];

/// Maximum figures of our module: scenario, figure, limit.
const LIMITS: &[(&str, &Figure, f64)] = &[
    ("syscalls-echo-out", &figures::SYSCALLS, 8.0),
    ("syscalls-echo-in", &figures::SYSCALLS, 8.0),
    ("echo-out", &figures::SWITCHES_CHANNELS, 55.0),
    ("echo-in", &figures::SWITCHES_CHANNELS, 55.0),
    ("bulk", &figures::STATUS_FIRST_P99, 1.0),
    ("bulk", &figures::STATUS_P99, 1.0),
    ("bulk", &figures::STATUS_QUEUED_P99, 1.0),
    ("bulk", &figures::FLUSH_MAX, 20.0),
    ("stall", &figures::RECOVERY_MAX, 1000.0),
    ("stall-phone", &figures::RECOVERY_MAX, 1000.0),
];

/// Counts over some seconds are not more precise than this: 8.02 syscalls meet a limit of 8.
const PRECISION: f64 = 1.005;

/// The jitter is compared from this number of channels on.
const JITTER_CHANNELS: usize = 300;

/// The number of simultaneous calls that must work.
const PARALLEL: usize = 20;

/// How many times as many channels as the C module ours must carry.
const CAPACITY: f64 = 1.3;

/// All targets for which there are measurements. None unless both the C module and ours were measured.
pub fn judge(results: &Results) -> Vec<Row> {
    let Some(ours) = results.runs.iter().find(|run| run.is_ours).map(|run| run.variant.as_str()) else {
        return Vec::new();
    };
    let judge = Judge { results, ours };
    let mut rows = judge.ratios();
    rows.extend(judge.limits());
    rows.extend(judge.threads());
    rows.extend(judge.parallel_setup());
    rows.extend(judge.jitter());
    rows.extend(judge.capacity());
    rows
}

struct Judge<'a> {
    results: &'a Results,
    ours: &'a str,
}

impl Judge<'_> {
    fn cases_of(&self, scenario: &str) -> Vec<Case> {
        self.results.cases().into_iter().filter(|case| case.scenario == scenario).collect()
    }

    fn ratios(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        for (scenario, figure, limit) in RATIOS {
            for case in self.cases_of(scenario) {
                let Some(ratio) = self.results.ratio(case, self.ours, figure) else { continue };
                rows.push(Row {
                    what: format!("{scenario}, {}, n = {}", figure.title, case.channels),
                    target: format!("≤ {limit:.2} of C"),
                    measured: ratio_text(ratio),
                    met: ratio.median <= *limit,
                });
            }
        }
        rows
    }

    fn limits(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        for (scenario, figure, limit) in LIMITS {
            for case in self.cases_of(scenario) {
                let Some(spread) = self.results.figure(case, self.ours, figure) else { continue };
                let unit = if figure.unit.is_empty() { String::new() } else { format!(" {}", figure.unit) };
                let base = self.base_figure(case, figure);
                rows.push(Row {
                    what: format!("{scenario}, {}, n = {}", figure.title, case.channels),
                    target: format!("≤ {limit}{unit}"),
                    measured: format!("{}{unit}{base}", rounded(spread.median)),
                    met: spread.median <= *limit * PRECISION,
                });
            }
        }
        rows
    }

    /// The C module's figure, for comparison.
    fn base_figure(&self, case: Case, figure: &Figure) -> String {
        let base = self.results.variants.first().filter(|base| *base != self.ours);
        let spread = base.and_then(|base| self.results.figure(case, base, figure));
        spread.map_or_else(String::new, |spread| format!(" (C: {})", rounded(spread.median)))
    }

    /// The core has a thread for each channel. The driver must add none, and the number of its own threads must not
    /// grow with the calls.
    fn threads(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        let mut own = Vec::new();
        for case in self.cases_of("echo-out") {
            let Some(threads) = self.results.figure(case, self.ours, &figures::THREADS) else { continue };
            let beyond = threads.median - 1.0;
            rows.push(Row {
                what: format!("echo-out, threads per channel beyond the core's own, n = {}", case.channels),
                target: "0".into(),
                measured: rounded(beyond),
                met: beyond <= 0.05,
            });
            own.extend(self.results.figure(case, self.ours, &figures::DRIVER_THREADS).map(|own| own.median));
        }
        if own.len() > 1 {
            rows.push(Row {
                what: "the driver's own threads, with more and more channels".into(),
                target: "constant".into(),
                measured: own.iter().map(|count| rounded(*count)).collect::<Vec<_>>().join(", "),
                met: own.windows(2).all(|pair| pair.first() == pair.last()),
            });
        }
        rows
    }

    fn parallel_setup(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        for scenario in ["setup-out", "setup-in"] {
            for case in self.cases_of(scenario).into_iter().filter(|case| case.channels >= PARALLEL) {
                let failed = self.results.figure(case, self.ours, &figures::SETUP_FAILED);
                let made = self.results.figure(case, self.ours, &figures::SETUP_CALLS);
                let measured = match (made, failed) {
                    (Some(made), Some(failed)) => format!("{} calls, {} failed", made.median, failed.max),
                    _ => "it does not".into(),
                };
                rows.push(Row {
                    what: format!("{scenario}, {} at a time", case.channels),
                    target: "works".into(),
                    measured,
                    met: failed.is_some_and(|failed| failed.max < 0.5),
                });
            }
        }
        rows
    }

    fn jitter(&self) -> Vec<Row> {
        let cases = self.cases_of("pair").into_iter().filter(|case| case.channels >= JITTER_CHANNELS);
        let rows = cases.filter_map(|case| {
            let ratio = self.results.ratio(case, self.ours, &figures::JITTER_P999)?;
            Some(Row {
                what: format!("pair, jitter p99.9, {} pairs", case.channels / 2),
                target: "≤ 1.00 of C".into(),
                measured: ratio_text(ratio),
                met: ratio.median <= 1.0,
            })
        });
        rows.collect()
    }

    fn capacity(&self) -> Vec<Row> {
        let rows = self.cases_of("saturation").into_iter().filter_map(|case| {
            let ratio = self.results.ratio(case, self.ours, &figures::CAPACITY)?;
            let channels = self.results.figure(case, self.ours, &figures::CAPACITY)?;
            Some(Row {
                what: "saturation, channels".into(),
                target: format!("≥ {CAPACITY} × C"),
                measured: format!(
                    "{} × ({}{})",
                    ratio_text(ratio),
                    channels.median,
                    self.base_figure(case, &figures::CAPACITY)
                ),
                met: ratio.median >= CAPACITY,
            })
        });
        rows.collect()
    }
}
