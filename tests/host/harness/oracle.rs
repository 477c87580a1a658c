//! Tests on the C module. It can hang for good or crash without a fault of the test or of our module. The test then
//! runs again on another instance, and the end of the run reports all of that.

use parking_lot::Mutex;

use super::asterisk::Module;
use super::lease::Sharing;
use super::loss::Loss;
use super::run::{self, Trace};
use super::suite::Test;

/// How many times a test runs again.
pub const REPEATS: usize = 2;

/// The result of a test on the C module.
#[derive(Debug)]
pub struct Ran {
    /// The last outcome; `None` if every instance was lost.
    pub outcome: Option<Result<Trace, String>>,
    /// The instances that it lost.
    pub losses: Vec<Loss>,
    /// The long report of each loss.
    pub reports: Vec<String>,
}

/// Runs a test on the C module. Tests of the harness have another module stand in for it.
pub fn run(test: &Test, stand_in: Option<Module>) -> Ran {
    let (mut losses, mut reports) = (Vec::new(), Vec::new());
    let kept = test.is_same().then(|| test.golden().read().ok()).flatten();
    let is_suspect = |result: Result<&Trace, &String>| match (result, &kept) {
        (Err(_), _) => true,
        (Ok(trace), Some(kept)) => trace != kept,
        (Ok(_), None) => false,
    };
    while losses.len() <= REPEATS {
        let unclean = match run::on(test, stand_in.unwrap_or(Module::Oracle), Sharing::InTurn, is_suspect) {
            Ok(trace) => return Ran { outcome: Some(Ok(trace)), losses, reports },
            Err(unclean) => unclean,
        };
        let Some(loss) = unclean.lost else {
            return Ran { outcome: Some(Err(unclean.text)), losses, reports };
        };
        losses.push(loss);
        if stand_in.is_none() {
            let next = if losses.len() > REPEATS { "is given up there" } else { "runs again on another" };
            let why = unclean.text.lines().next().unwrap_or_default();
            eprintln!("{}: the instance of the C module {loss}, and the scenario {next} ({why})", test.name);
        }
        reports.push(unclean.text);
    }
    Ran { outcome: None, losses, reports }
}

/// Scenarios, the instances that each lost, and whether it passed in the end.
static LOST: Mutex<Vec<(String, Vec<Loss>, bool)>> = Mutex::new(Vec::new());

/// Keeps the losses of a scenario for the summary.
pub(super) fn remember(name: &str, ran: &Ran) {
    if !ran.losses.is_empty() {
        LOST.lock().push((name.to_owned(), ran.losses.clone(), ran.outcome.is_some()));
    }
}

/// Keeps the loss of an instance that was found after all tests were done.
pub(super) fn remember_stop(loss: Loss) {
    LOST.lock().push(("when it was stopped".into(), vec![loss], true));
}

/// The losses, for the end of the run; empty if there were none.
pub(super) fn summary() -> String {
    let mut lost = LOST.lock().clone();
    lost.sort_by(|left, right| left.0.cmp(&right.0));
    summary_of(&lost)
}

/// See [`summary`].
pub fn summary_of(lost: &[(String, Vec<Loss>, bool)]) -> String {
    if lost.is_empty() {
        return String::new();
    }
    let instances: usize = lost.iter().map(|(_, losses, _)| losses.len()).sum();
    let given_up = lost.iter().filter(|(_, _, came_through)| !came_through).count();
    let mut text = format!(
        "{instances} instances of the C module hung or ended by themselves, by no fault of ours; {given_up} scenarios did \
         not come through on it and are not compared with it live:\n"
    );
    for (name, losses, came_through) in lost {
        let losses: Vec<String> = losses.iter().map(ToString::to_string).collect();
        let end = if *came_through { "" } else { ": NOT COMPARED" };
        text.push_str(&format!("    {name}: {}{end}\n", losses.join(", ")));
    }
    text
}
