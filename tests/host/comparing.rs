//! The harness's own comparison: the C module can hang for good or crash, and a kept trace can be missing or stale. An
//! instance of our module that is stopped by SIGSTOP stands for a C module that hangs.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

use parking_lot::Mutex;

use super::harness::asterisk::Module;
use super::harness::compare::compare;
use super::harness::loss::Loss;
use super::harness::oracle::{self, REPEATS, Ran};
use super::harness::table::Verdict;
use super::harness::{Context, InstanceConfig, Suite, Test, process};

pub fn tests(suite: &mut Suite) {
    suite.of_harness("comparing/hung/in_a_request", hung_in_a_request);
    suite.of_harness("comparing/hung/unnoticed_by_the_test", hung_unnoticed);
    suite.of_harness("comparing/hung/always", hung_always);
    suite.of_harness("comparing/hung/shared", hung_shared);
    suite.of_harness("comparing/ended", ended);
    suite.of_harness("comparing/failed", failed);
    suite.of_harness("comparing/in_turn", in_turn);
    suite.of_harness("comparing/kept_trace", kept_trace);
}

/// A test that both modules pass, with a kept trace, and that trace.
const KEPT: &str = "commands/plain-text/answer";

fn kept() -> Vec<String> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/host/golden");
    let text = std::fs::read_to_string(folder.join(format!("{KEPT}.trace"))).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// The processes of a stand-in's runs.
type Pids = Arc<Mutex<Vec<u32>>>;

/// Runs this as a scenario of the C module, with our module in its place, on a private instance or a shared one of this
/// name. The body gets the number of the run.
fn run(
    name: &str,
    shared: Option<&'static str>,
    body: impl Fn(&Context, usize) + Send + Sync + 'static,
) -> (Ran, Vec<u32>) {
    let pids = Pids::default();
    let seen = Arc::clone(&pids);
    let mut test = Test::alone(name, move |t: &Context| {
        let number = {
            let mut seen = seen.lock();
            seen.push(t.asterisk.pid());
            seen.len()
        };
        body(t, number);
    });
    match shared {
        Some(name) => test.shares(name, InstanceConfig::new),
        None => test.private(),
    }
    let ran = oracle::run(&test, Some(Module::Ours));
    let pids = pids.lock().clone();
    (ran, pids)
}

fn compared(test: &Test, oracle: Option<&Ran>, ours: Result<Vec<String>, String>) -> (Verdict, String) {
    compare(test, oracle, Some(&ours), false)
}

/// The deadlock of the C module looks like this: ARI does not answer.
fn hung_in_a_request() {
    let (ran, pids) = run("comparing/stand_in", None, |t, number| {
        t.note("it began");
        let (_call, app) = t.incoming_app("c(ulaw)");
        if number == 1 {
            t.asterisk.signal("STOP");
            t.incoming("c(ulaw)");
        }
        app.command("HANGUP");
        app.expect_close();
    });
    assert_eq!(ran.losses, [Loss::Hung], "{}", ran.reports.join("\n"));
    let trace = ran.outcome.unwrap().unwrap();
    assert_eq!(trace[0], "it began");
    assert!(trace.contains(&"close 1000".to_owned()), "{trace:?}");
    assert!(pids.len() == 2 && pids[0] != pids[1], "{pids:?}");
    assert!(!process::exists(pids[0]), "it was ended");
}

/// The body does not notice the hang, but its trace is not the kept one.
fn hung_unnoticed() {
    let (ran, _) = run(KEPT, None, |t, number| {
        if number == 1 {
            t.asterisk.signal("STOP");
            t.note("nothing came");
        } else {
            kept().into_iter().for_each(|line| t.note(line));
        }
    });
    assert_eq!(ran.losses, [Loss::Hung], "{}", ran.reports.join("\n"));
    assert_eq!(ran.outcome.unwrap().unwrap(), kept());
}

/// The C module is given up, our trace is compared with the kept one, and the summary says so.
fn hung_always() {
    let (ran, pids) = run(KEPT, None, |t, _| {
        t.asterisk.signal("STOP");
        panic!("a request timed out");
    });
    assert_eq!(ran.losses, [Loss::Hung; REPEATS + 1], "{}", ran.reports.join("\n"));
    assert_eq!(pids.len(), REPEATS + 1);
    assert!(ran.outcome.is_none());

    let test = Test::alone(KEPT, |_| {});
    assert_eq!(compared(&test, Some(&ran), Ok(kept())), (Verdict::OracleLost, String::new()));
    let (verdict, problems) = compared(&test, Some(&ran), Ok(vec!["else".into()]));
    assert_eq!(verdict, Verdict::Differs);
    assert!(problems.contains("+ else"), "{problems}");
    let (verdict, problems) = compared(&test, Some(&ran), Err("ours broke".into()));
    assert!(verdict == Verdict::Failed && problems.contains("[ours] ours broke"), "{problems}");

    let summary = oracle::summary_of(&[(KEPT.to_owned(), ran.losses, ran.outcome.is_some())]);
    assert!(summary.starts_with("3 instances of the C module hung"), "{summary}");
    assert!(summary.contains("1 scenarios did not come through"), "{summary}");
    assert!(summary.contains(&format!("{KEPT}: hung, hung, hung: NOT COMPARED")), "{summary}");
    assert!(oracle::summary_of(&[]).is_empty());
}

/// A shared instance that has hung is not used again.
fn hung_shared() {
    let (ran, first) = run("comparing/shared_1", Some("hung"), |t, number| {
        if number == 1 {
            t.asterisk.signal("STOP");
            panic!("a request timed out");
        }
    });
    assert_eq!(ran.losses, [Loss::Hung], "{}", ran.reports.join("\n"));
    assert!(ran.outcome.unwrap().is_ok());
    let (ran, next) = run("comparing/shared_2", Some("hung"), |t, _| drop(t.incoming_app("c(ulaw)")));
    assert!(ran.losses.is_empty() && ran.outcome.unwrap().is_ok());
    assert!(first[0] != first[1] && next == first[1..], "{first:?} {next:?}");
}

fn ended() {
    let (ran, pids) = run("comparing/stand_in", None, |t, number| {
        if number == 1 {
            t.asterisk.signal("KILL");
            t.incoming("c(ulaw)");
        }
    });
    assert!(matches!(ran.losses[..], [Loss::Ended(_)]), "{:?}", ran.losses);
    assert!(ran.outcome.unwrap().is_ok() && pids.len() == 2);
}

/// A test that fails on an instance that still serves has failed.
fn failed() {
    let (ran, pids) = run("comparing/stand_in", None, |_, _| panic!("the module does something else"));
    assert!(ran.losses.is_empty() && pids.len() == 1);
    let test = Test::alone(KEPT, |_| {});
    let (verdict, problems) = compared(&test, Some(&ran), Ok(kept()));
    assert_eq!(verdict, Verdict::Failed);
    assert!(problems.contains("[oracle] ") && problems.contains("something else"), "{problems}");
}

/// Scenarios that run at the same time have an instance each. Later ones use the same instances.
fn in_turn() {
    const AT_ONCE: usize = 2;
    let barrier = Arc::new(Barrier::new(AT_ONCE));
    let inside = Arc::new(AtomicUsize::new(0));
    let threads: Vec<_> = (0..AT_ONCE)
        .map(|_| {
            let (barrier, inside) = (Arc::clone(&barrier), Arc::clone(&inside));
            thread::spawn(move || {
                run("comparing/in_turn", Some("in turn"), move |t, _| {
                    drop(t.incoming_app("c(ulaw)"));
                    inside.fetch_add(1, Ordering::Relaxed);
                    barrier.wait();
                })
            })
        })
        .collect();
    let ran: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    assert_eq!(inside.load(Ordering::Relaxed), AT_ONCE);
    let pids: BTreeSet<u32> = ran.iter().flat_map(|(_, pids)| pids.clone()).collect();
    assert!(pids.len() == AT_ONCE && ran.iter().all(|(ran, _)| ran.losses.is_empty()), "{pids:?}");
    let (_, later) = run("comparing/in_turn_later", Some("in turn"), |_, _| {});
    assert!(later.iter().all(|pid| pids.contains(pid)), "{later:?} is none of {pids:?}");
}

fn kept_trace() {
    let ran =
        |trace: &[String]| Ran { outcome: Some(Ok(trace.to_vec())), losses: Vec::new(), reports: Vec::new() };
    let test = Test::alone(KEPT, |_| {});
    let kept = kept();
    assert_eq!(compared(&test, Some(&ran(&kept)), Ok(kept.clone())), (Verdict::Same, String::new()));
    assert_eq!(compared(&test, None, Ok(kept.clone())), (Verdict::Same, String::new()));

    let other = vec!["something else".to_owned()];
    // Both modules have changed: the kept trace no longer shows what the C module does.
    let (verdict, problems) = compared(&test, Some(&ran(&other)), Ok(other.clone()));
    assert_eq!(verdict, Verdict::Failed);
    assert!(problems.contains("stale") && problems.contains("+ something else"), "{problems}");
    let (verdict, problems) = compared(&test, None, Ok(other.clone()));
    assert_eq!(verdict, Verdict::Differs);
    assert!(problems.contains("the traces differ"), "{problems}");

    let unknown = Test::alone("comparing/nothing_is_kept", |_| {});
    for oracle in [None, Some(ran(&kept))] {
        let (verdict, problems) = compared(&unknown, oracle.as_ref(), Ok(kept.clone()));
        assert_eq!(verdict, Verdict::Failed);
        assert!(problems.contains("no kept trace") && problems.contains("make difftest"), "{problems}");
    }
}
