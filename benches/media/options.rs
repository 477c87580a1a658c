//! The options of the command line.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::Result;
use crate::harness::sandbox;
use crate::scenarios;
use crate::variant::Variant;

/// The text of `--help`.
pub const HELP: &str = "\
Debian's C module and ours under load, in alternation.

  --quick                less of everything; under three minutes
  --scenario NAME,…      only these (--list says which there are)
  --channels N,…         instead of each scenario's own numbers
  --repetitions N        default 5, quick 2
  --duration SECONDS     of each measurement; default 4, quick 2
  --modules c,ours       which of the two
  --variant NAME=PART,…  one more of ours: a PART is a file (another build) or option:value of chan_websocket.conf
  --workers N            threads of the load generator; default 1
  --output FOLDER        default target/bench
  --list                 list the scenarios
";

/// The options.
#[derive(Debug)]
pub struct Options {
    /// Run less of everything.
    pub quick: bool,
    /// The scenarios to run; empty: all.
    pub scenarios: Vec<String>,
    /// The numbers of channels, instead of those of the scenarios.
    pub channels: Vec<usize>,
    /// The number of repetitions.
    pub repetitions: usize,
    /// The duration of each measurement.
    pub duration: Duration,
    /// The modules to compare. Ratios are to the first one.
    pub variants: Vec<Variant>,
    /// Threads of the generator.
    pub workers: usize,
    /// The folder for the results.
    pub output: PathBuf,
    /// Only print information.
    pub only: Option<Only>,
}

impl Options {
    /// Copies the measured builds of ours for the whole run, because they may be rebuilt meanwhile.
    pub fn keep_builds(&mut self) -> Result<()> {
        for variant in self.variants.iter_mut().filter(|variant| variant.is_ours()) {
            let file = variant.file.clone().unwrap_or_else(sandbox::our_module);
            let copy = self.output.join(format!("{}.so", variant.name));
            std::fs::copy(&file, &copy).map_err(|error| format!("{}: {error}", file.display()))?;
            variant.file = Some(copy);
        }
        Ok(())
    }
}

/// Information that is printed instead of measuring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Only {
    /// Help.
    Help,
    /// The list of scenarios.
    List,
}

impl Options {
    /// Reads the command line.
    pub fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Self> {
        let mut options = Self {
            quick: false,
            scenarios: Vec::new(),
            channels: Vec::new(),
            repetitions: 0,
            duration: Duration::ZERO,
            variants: Vec::new(),
            workers: 1,
            output: Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench"),
            only: None,
        };
        let mut modules = vec![Variant::oracle(), Variant::ours()];
        let mut more = Vec::new();
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
            match argument.as_str() {
                // Cargo adds this.
                "--bench" => {}
                "--quick" => options.quick = true,
                "--scenario" => options.scenarios = list(&value()?),
                "--channels" => options.channels = numbers(&value()?)?,
                "--repetitions" => options.repetitions = value()?.parse()?,
                "--duration" => options.duration = Duration::try_from_secs_f64(value()?.parse()?)?,
                "--modules" => {
                    modules = list(&value()?).iter().map(|name| module(name)).collect::<Result<_>>()?;
                }
                "--variant" => more.push(Variant::parse(&value()?)?),
                "--workers" => options.workers = value()?.parse::<usize>()?.max(1),
                "--output" => options.output = value()?.into(),
                "--list" => options.only = Some(Only::List),
                "--help" | "-h" => options.only = Some(Only::Help),
                other => return Err(format!("what is {other}? See --help").into()),
            }
        }
        options.variants = modules.into_iter().chain(more).collect();
        let defaults = if options.quick { (2, 2) } else { (5, 4) };
        if options.repetitions == 0 {
            options.repetitions = defaults.0;
        }
        if options.duration.is_zero() {
            options.duration = Duration::from_secs(defaults.1);
        }
        let unknown =
            options.scenarios.iter().find(|name| scenarios::ALL.iter().all(|known| known.name != **name));
        match unknown {
            Some(name) => Err(format!("there is no scenario {name}; see --list").into()),
            None => Ok(options),
        }
    }
}

fn list(text: &str) -> Vec<String> {
    text.split(',').filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

fn numbers(text: &str) -> Result<Vec<usize>> {
    list(text).iter().map(|number| Ok(number.parse()?)).collect()
}

fn module(name: &str) -> Result<Variant> {
    match name {
        "c" | "C" => Ok(Variant::oracle()),
        "ours" => Ok(Variant::ours()),
        other => Err(format!("--modules knows c and ours, not {other}").into()),
    }
}
