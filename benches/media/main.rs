//! The benchmark: Debian's chan_websocket.so, written in C, and ours, under the same load on the same machine. They
//! alternate, and everything is repeated, so that changes on the machine affect both.
//!
//! `make bench` runs everything, `make bench-quick` a part; `BENCH="--scenario echo-out --channels 100"` and the like
//! select a part (`cargo bench --no-default-features --bench media -- --help`).
//!
//! | module | contents |
//! | --- | --- |
//! | [`scenarios`] | the kinds of load: long calls, bulk, set-up, a slow app, a stall, saturation |
//! | [`rig`] | one Asterisk with one module, the generator at the other end, the calls between them |
//! | [`generator`] | the apps: few threads, every frame checked, their own lateness measured |
//! | [`procfs`] | what Asterisk uses |
//! | [`runner`] | all runs, in alternation |
//! | [`report`] | tables, targets, JSON, picture |
//!
//! It needs the results of `make setup` and `make build`, root (it starts Asterisk with chroot), and strace for the
//! syscalls.

// A program exports nothing.
#![allow(unreachable_pub)]

mod ari;
mod clock;
mod figures;
mod generator;
// Shared with the tests, which use more of it, and which panic when Asterisk does not start.
#[allow(unused_imports, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#[path = "../../tests/host/harness/mod.rs"]
mod harness;
mod machine;
mod options;
mod procfs;
mod report;
mod rig;
mod runner;
mod scenarios;
mod variant;

use std::fs;
use std::process::ExitCode;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use self::machine::Machine;
use self::options::{HELP, Only, Options};
use self::report::{Results, json, markdown, picture};

/// Errors are only reported.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<ExitCode> {
    let mut options = Options::parse(std::env::args().skip(1))?;
    match options.only {
        Some(Only::Help) => {
            print!("{HELP}");
            return Ok(ExitCode::SUCCESS);
        }
        Some(Only::List) => {
            scenarios::ALL.iter().for_each(|scenario| println!("{:<18} {}", scenario.name, scenario.about));
            return Ok(ExitCode::SUCCESS);
        }
        None => {}
    }
    raise_descriptor_limit();
    fs::create_dir_all(&options.output)?;
    options.keep_builds()?;
    let version =
        fs::read_to_string(harness::sandbox::root().join(".chan_websocket-sandbox")).unwrap_or_default();
    let mut results = Results {
        machine: Machine::here(version.trim().to_owned()),
        variants: options.variants.iter().map(|variant| variant.name.clone()).collect(),
        repetitions: options.repetitions,
        seconds: options.duration.as_secs_f64(),
        runs: Vec::new(),
    };
    let keep = |results: &Results| {
        fs::write(options.output.join("results.json"), format!("{:#}\n", json::render(results)))?;
        fs::write(options.output.join("results.md"), markdown::render(results))?;
        picture::draw(results, &options.output.join("results.png"))
    };
    runner::run(&options, &mut results, keep)?;
    println!("{}", markdown::render(&results));
    println!("Also in {}: results.md, results.json, results.png", options.output.display());
    let ours_failed = results.runs.iter().any(|run| run.is_ours && run.outcome.is_err());
    Ok(if ours_failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Each channel has a few descriptors on either side. Asterisk inherits the limit.
fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    // The hard limit. If it is too low, saturation shows it.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}
