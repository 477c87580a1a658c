//! Tests that assert what our module does, and show what the C module does in the same situation: [`Suite::beside`].
//!
//! [`Suite::beside`]: super::Suite::beside

use std::env;
use std::sync::Arc;
use std::thread;

use libtest_mimic::Failed;
use parking_lot::Mutex;

use super::asterisk::Module;
use super::context::Context;
use super::lease::{Lease, Sharing};
use super::loss::Loss;
use super::panics::caught;
use super::run;
use super::suite::{Instance, Test};

/// Name of a test, what ours did, and what the C module did.
static RESULTS: Mutex<Vec<(String, String, String)>> = Mutex::new(Vec::new());

const NOT_RUN: &str = "not run";

/// Whether the C module's results are wanted.
pub(super) fn is_wanted() -> bool {
    env::var_os("HOST_BESIDE").is_some()
}

/// Runs a test on our module, and on the C module if that is wanted. Only our module can fail it.
pub(super) fn run(test: &Test, wants_oracle: bool) -> Result<(), Failed> {
    let wants_oracle = wants_oracle && test.spares_oracle.is_none();
    let (ours, oracle) = thread::scope(|scope| {
        let observe = || {
            let name = format!("{} [{}]", test.name, Module::Oracle.name());
            thread::Builder::new().name(name).spawn_scoped(scope, move || observe(test)).expect("thread")
        };
        let beside = (wants_oracle && !test.may_ruin_oracle).then(observe);
        let name = format!("{} [{}]", test.name, Module::Ours.name());
        let body = move || run::on_ours(test);
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
    // The lines show how far a long run is.
    if is_wanted() && env::var_os("HOST_TABLE").is_some() {
        println!("{} | {line} | {oracle}", test.name);
    }
    RESULTS.lock().push((test.name.clone(), line, oracle));
    ours.map(|_| ()).map_err(Into::into)
}

/// One line about what the C module does.
fn observe(test: &Test) -> String {
    let start = || match &test.instance {
        Instance::Shared(_, config) if test.may_ruin_oracle => Lease::own(Module::Oracle, &config()),
        _ => Lease::take(test, Module::Oracle, Sharing::InTurnUnwatched),
    };
    let lease = match caught(start) {
        Ok(lease) => lease,
        Err(why) => return first_line(&why),
    };
    // Its log is not checked.
    lease.asterisk.log.allow("");
    let context = Context::new(Arc::clone(&lease.asterisk));
    let mark = context.log_mark;
    let result = caught(|| (test.body)(&context));
    let mut noted = notes(&context.trace()).to_vec();
    let lost = result.is_err().then(|| Loss::of(&lease.asterisk)).flatten();
    if let Err(why) = result {
        noted.push(first_line(&why));
    }
    let lost = match lost {
        Some(loss) => {
            lease.asterisk.kill();
            Some(loss)
        }
        None => {
            drop(context);
            lease.end(mark).err().and_then(|unclean| unclean.lost)
        }
    };
    noted.extend(lost.map(|loss| format!("Asterisk {loss}")));
    noted.join(", ")
}

/// The test's own notes, without what its apps received.
fn notes(trace: &[String]) -> &[String] {
    let end = trace.iter().position(|line| line.starts_with("app ")).unwrap_or(trace.len());
    &trace[..end]
}

/// The message without the position in the test; of a comparison, only what was compared.
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
