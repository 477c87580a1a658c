//! How the modules compare, test by test.

use std::env;
use std::fmt;

use parking_lot::Mutex;

/// How the modules compare in one test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Both do the same.
    Same,
    /// They differ on purpose, by this row of the list of differences.
    OnPurpose(&'static str),
    /// Only ours can do it, for this reason.
    OursOnly(&'static str),
    /// One of them has not run, and there is no kept trace.
    NotCompared,
    /// Every instance of the C module was lost.
    OracleLost,
    /// They differ without a reason.
    Differs,
    /// The test failed on one of them, or the kept trace is missing or stale.
    Failed,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Same => f.write_str("same"),
            Self::OnPurpose(number) => write!(f, "differs on purpose ({number})"),
            Self::OursOnly(reason) => write!(f, "differs on purpose, ours alone was run: {reason}"),
            Self::NotCompared => f.write_str("not compared"),
            Self::OracleLost => f.write_str("not compared: the C module hung or ended by itself"),
            Self::Differs => f.write_str("DIFFERS"),
            Self::Failed => f.write_str("FAILED"),
        }
    }
}

static TABLE: Mutex<Vec<(String, Verdict)>> = Mutex::new(Vec::new());

pub(super) fn add(name: &str, verdict: Verdict) {
    TABLE.lock().push((name.to_owned(), verdict));
}

/// With HOST_TABLE set: one line for each test, and how the modules compare.
pub(super) fn print() {
    if env::var_os("HOST_TABLE").is_none() {
        return;
    }
    let mut table = TABLE.lock().clone();
    table.sort();
    println!();
    for (name, verdict) in &table {
        println!("{name:<60} {verdict}");
    }
    let count = |wanted: fn(&Verdict) -> bool| table.iter().filter(|(_, verdict)| wanted(verdict)).count();
    println!(
        "\n{} scenarios: {} same, {} differ on purpose ({} of them were run on ours alone), {} differ, {} failed, \
         {} not compared, {} not compared because the C module hung or ended by itself",
        table.len(),
        count(|verdict| *verdict == Verdict::Same),
        count(|verdict| matches!(verdict, Verdict::OnPurpose(_) | Verdict::OursOnly(_))),
        count(|verdict| matches!(verdict, Verdict::OursOnly(_))),
        count(|verdict| *verdict == Verdict::Differs),
        count(|verdict| *verdict == Verdict::Failed),
        count(|verdict| *verdict == Verdict::NotCompared),
        count(|verdict| *verdict == Verdict::OracleLost),
    );
}
