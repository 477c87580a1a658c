//! The time and the place of a measurement.

use std::fs;
use std::process::Command;

use serde::Serialize;

/// The circumstances of a run.
#[derive(Debug, Clone, Serialize)]
pub struct Machine {
    /// The date in UTC.
    pub date: String,
    /// The command line.
    pub command: String,
    /// The number of processors that may be used.
    pub cores: usize,
    /// The model of the processors.
    pub processor: String,
    /// Total memory, GiB.
    pub memory_gib: f64,
    /// The kernel's release.
    pub kernel: String,
    /// The commit that was checked out, with a plus if files have changed since.
    pub commit: String,
    /// The version that Asterisk reports.
    pub asterisk: String,
    /// The load average over the last minute before the run, per core: other active processes make the figures worse.
    pub load_before: f64,
}

impl Machine {
    /// Describes this machine at this time.
    pub fn here(asterisk: String) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let field = |text: &str, name: &str| {
            let line = text.lines().find(|line| line.starts_with(name));
            line.and_then(|line| line.split_once(':'))
                .map_or_else(String::new, |(_, value)| value.trim().to_owned())
        };
        let memory = field(&read("/proc/meminfo"), "MemTotal");
        let kib: f64 = memory.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0.0);
        let load: f64 =
            read("/proc/loadavg").split(' ').next().and_then(|load| load.parse().ok()).unwrap_or(0.0);
        let arguments: Vec<String> =
            std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
        Self {
            date: output("date", &["-u", "+%F %H:%M UTC"]),
            command: command(&arguments),
            cores,
            processor: field(&read("/proc/cpuinfo"), "model name"),
            memory_gib: (kib / 1024.0 / 1024.0 * 10.0).round() / 10.0,
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            commit: commit(),
            asterisk,
            load_before: load / cores as f64,
        }
    }
}

fn commit() -> String {
    let git = |arguments: &[&str]| output("git", &[&["-C", env!("CARGO_MANIFEST_DIR")], arguments].concat());
    let changed = !git(&["status", "--porcelain", "--untracked-files=no"]).is_empty();
    let commit = git(&["rev-parse", "--short", "HEAD"]);
    if changed { format!("{commit}+") } else { commit }
}

/// The command line as one would type it.
fn command(arguments: &[String]) -> String {
    match arguments {
        [] => "make bench".into(),
        [quick] if quick == "--quick" => "make bench-quick".into(),
        more => format!("make bench BENCH=\"{}\"", more.join(" ")),
    }
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map_or_else(|_| String::new(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
