//! Tests that assert what ours does, and show what the C module does with the same: [`Suite::beside`].
//!
//! [`Suite::beside`]: super::Suite::beside

use std::env;
use std::sync::Arc;
use std::thread;

use libtest_mimic::Failed;
use parking_lot::Mutex;

use super::asterisk::{Asterisk, Module};
use super::context::Context;
use super::suite::{Instance, Test, caught, run_on, shared};

/// Name of a test, what ours did, and what the C module did.
static RESULTS: Mutex<Vec<(String, String, String)>> = Mutex::new(Vec::new());

const NOT_RUN: &str = "not run";

/// Whether anybody wants to see the C module's results.
pub(super) fn is_wanted() -> bool {
    env::var_os("HOST_BESIDE").is_some()
}

/// Runs a test on ours, and on the C module if it is there and wanted. Only ours can fail.
pub(super) fn run(test: &Test, has_oracle: bool) -> Result<(), Failed> {
    let wants_oracle = has_oracle && is_wanted() && test.spares_oracle.is_none();
    let (ours, oracle) = thread::scope(|scope| {
        let observe = || {
            let name = format!("{} [{}]", test.name, Module::Oracle.name());
            thread::Builder::new().name(name).spawn_scoped(scope, move || observe(test)).expect("thread")
        };
        let beside = (wants_oracle && !test.may_ruin_oracle).then(observe);
        let name = format!("{} [{}]", test.name, Module::Ours.name());
        let body = move || run_on(test, Module::Ours);
        let ours = thread::Builder::new().name(name).spawn_scoped(scope, body).expect("thread");
        let ours = ours.join().expect("caught");
        let behind = (wants_oracle && test.may_ruin_oracle).then(observe);
        (ours, beside.or(behind).map(|oracle| oracle.join().expect("caught")))
    });
    let line = ours.as_ref().map_or_else(|_| "FAILED".to_owned(), |trace| notes(trace).join(", "));
    let oracle = oracle.unwrap_or_else(|| match test.spares_oracle {
        Some(why) => format!("{NOT_RUN}: {why}"),
        None => NOT_RUN.into(),
    });
    // A long run shows how far it is.
    if is_wanted() && env::var_os("HOST_TABLE").is_some() {
        println!("{} | {line} | {oracle}", test.name);
    }
    RESULTS.lock().push((test.name.clone(), line, oracle));
    ours.map(|_| ()).map_err(Into::into)
}

/// What the C module does, in one line.
fn observe(test: &Test) -> String {
    let start = || match &test.instance {
        Instance::Private(config) => Asterisk::start(Module::Oracle, &config()),
        Instance::Shared(_, config) if test.may_ruin_oracle => Asterisk::start(Module::Oracle, &config()),
        Instance::Shared(name, config) => shared(Module::Oracle, (name, false), config),
    };
    let asterisk = match caught(start) {
        Ok(asterisk) => asterisk,
        Err(why) => return first_line(&why),
    };
    // What it has to say of all this is its own affair.
    asterisk.log.allow("");
    let context = Context::new(Arc::clone(&asterisk));
    let result = caught(|| (test.body)(&context));
    let mut noted = notes(&context.trace()).to_vec();
    drop(context);
    if let Err(why) = result {
        noted.push(first_line(&why));
    }
    if let Some(status) = asterisk.exit_status() {
        noted.push(format!("Asterisk ended: {status}"));
    }
    noted.join(", ")
}

/// What the test noted itself, without what its apps received.
fn notes(trace: &[String]) -> &[String] {
    let end = trace.iter().position(|line| line.starts_with("app ")).unwrap_or(trace.len());
    &trace[..end]
}

/// Without the place in the test; of a comparison, what was compared.
fn first_line(why: &str) -> String {
    let line = why.lines().next().unwrap_or_default();
    let what = line.split_once(": ").map_or(line, |(_, what)| what);
    let sides = why
        .lines()
        .skip(1)
        .map(str::trim)
        .take_while(|line| line.starts_with("left: ") || line.starts_with("right: "));
    [what].into_iter().chain(sides).collect::<Vec<_>>().join(", ")
}

/// With HOST_BESIDE set: one line for each such test.
pub(super) fn print_table() {
    let mut results = RESULTS.lock().clone();
    if results.is_empty() || !is_wanted() {
        return;
    }
    results.sort();
    let width = |of: fn(&(String, String, String)) -> usize| results.iter().map(of).max().unwrap_or(0);
    let (name_width, ours_width) = (width(|row| row.0.len()), width(|row| row.1.len()));
    println!("\n{:<name_width$} | {:<ours_width$} | the C module", "case", "ours");
    for (name, ours, oracle) in &results {
        println!("{name:<name_width$} | {ours:<ours_width$} | {oracle}");
    }
    let count =
        |wanted: fn(&(String, String, String)) -> bool| results.iter().filter(|row| wanted(row)).count();
    println!(
        "\n{} cases: {} failed with ours; the C module did the same in {}, something else in {}, was not run in {}",
        results.len(),
        count(|row| row.1 == "FAILED"),
        count(|row| row.1 == row.2),
        count(|row| row.1 != row.2 && !row.2.starts_with(NOT_RUN)),
        count(|row| row.2.starts_with(NOT_RUN)),
    );
}
