//! Runs a test on the modules that it is for, and compares the results.

use std::fmt::Write as _;
use std::thread;

use libtest_mimic::Failed;

use super::asterisk::Module;
use super::modules::Chosen;
use super::oracle::{self, Ran};
use super::run::{self, Trace};
use super::suite::{On, Test};
use super::table::{self, Verdict};
use super::{beside, trace};

/// Runs one test. An error is a fault of our module, of the test, or of its kept trace.
pub(super) fn run(test: &Test, chosen: Chosen) -> Result<(), Failed> {
    if matches!(test.on, On::Beside) {
        return beside::run(test, chosen.beside);
    }
    let wants_oracle = chosen.oracle && test.runs_on_oracle();
    let (oracle, ours) = thread::scope(|scope| {
        let named =
            |module: Module| thread::Builder::new().name(format!("{} [{}]", test.name, module.name()));
        let oracle = wants_oracle
            .then(|| named(Module::Oracle).spawn_scoped(scope, || oracle::run(test, None)).expect("thread"));
        let ours = chosen
            .ours
            .then(|| named(Module::Ours).spawn_scoped(scope, || run::on_ours(test)).expect("thread"));
        (
            oracle.map(|thread| thread.join().expect("caught")),
            ours.map(|thread| thread.join().expect("caught")),
        )
    });
    let (verdict, problems) = compare(test, oracle.as_ref(), ours.as_ref(), chosen.records);
    table::add(&test.name, verdict);
    if let Some(ran) = &oracle {
        oracle::remember(&test.name, ran);
    }
    if problems.is_empty() { Ok(()) } else { Err(problems.into()) }
}

/// Compares the outcomes of a test. An outcome is `None` if the test was not to run on that module. The text of the
/// result is empty if nothing is wrong. Our trace is compared with the one of the C module, or with the kept trace if
/// the C module has not run or was lost. `records`: the C module's trace becomes the kept trace.
pub fn compare(
    test: &Test,
    oracle: Option<&Ran>,
    ours: Option<&Result<Trace, String>>,
    records: bool,
) -> (Verdict, String) {
    let outcome = oracle.and_then(|ran| ran.outcome.as_ref());
    let failed =
        [(Module::Oracle, outcome), (Module::Ours, ours)].into_iter().filter_map(|(module, outcome)| {
            let why = outcome?.as_ref().err()?;
            Some(format!("[{}] {why}\n", module.name()))
        });
    let mut problems: String = failed.collect();
    if !problems.is_empty() {
        return (Verdict::Failed, problems);
    }
    let live = outcome.and_then(|outcome| outcome.as_ref().ok());
    let ours = ours.and_then(|outcome| outcome.as_ref().ok());
    let lost = oracle.is_some() && live.is_none();
    let mut verdict = match test.on {
        On::Differs(number) if ours.is_some() => Verdict::OnPurpose(number),
        On::Ours(reason) => Verdict::OursOnly(reason),
        On::Same if ours.is_some() => Verdict::Same,
        _ => Verdict::NotCompared,
    };
    if test.is_same() {
        let golden = test.golden();
        if let Some(live) = live.filter(|_| records) {
            golden.record(live);
        }
        let kept = live.map_or_else(|| golden.read(), |live| golden.compare(live).map(|()| live.clone()));
        let standard = live.or(kept.as_ref().ok());
        if let Some(text) = standard.zip(ours).and_then(|(standard, ours)| trace::difference(standard, ours))
        {
            let _ = writeln!(problems, "the traces differ (- the C module, + ours):\n{text}");
            verdict = Verdict::Differs;
        } else if kept.is_err() {
            verdict = Verdict::Failed;
        }
        problems.extend(kept.err());
    }
    let verdict = if lost && problems.is_empty() { Verdict::OracleLost } else { verdict };
    (verdict, problems)
}
