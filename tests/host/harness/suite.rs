//! The list of tests, and how each is run on both modules and compared.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::{env, fs, thread};

use libtest_mimic::{Arguments, Failed, Trial};
use parking_lot::Mutex;

use super::asterisk::{Asterisk, Module};
use super::conf::InstanceConfig;
use super::context::Context;
use super::{beside, sandbox, surroundings, trace};

/// A test's body. It panics when something is wrong.
pub(super) type Body = Arc<dyn Fn(&Context) + Send + Sync>;

/// What a test says about the two modules.
#[derive(Debug, Clone, Copy)]
enum On {
    /// Both do the same.
    Same,
    /// They differ on purpose, by this number of the list of differences.
    Differs(&'static str),
    /// Only ours can do it, for this reason.
    Ours(&'static str),
    /// Ours is what counts; what the C module does is only looked at, if anybody asks.
    Beside,
}

/// One test; see [`Suite`].
#[derive(Clone)]
pub struct Test {
    pub(super) name: String,
    pub(super) body: Body,
    on: On,
    pub(super) instance: Instance,
    /// Why it is not run on the C module, if it is one of [`Suite::beside`] and must not be.
    pub(super) spares_oracle: Option<&'static str>,
    /// See [`Test::may_ruin_oracle`].
    pub(super) may_ruin_oracle: bool,
    /// See [`Suite::surround`].
    surrounded: bool,
    /// See [`Test::only_alone`].
    only_alone: Option<&'static str>,
}

/// Which Asterisk a test runs on.
#[derive(Clone)]
pub(super) enum Instance {
    /// The one that tests share, with others of the same name; "" is the usual one.
    Shared(&'static str, fn() -> InstanceConfig),
    /// Its own.
    Private(Arc<dyn Fn() -> InstanceConfig + Send + Sync>),
}

impl Test {
    /// Gives the test an instance of its own: because it changes what others rely on, or may bring it down.
    pub fn private(&mut self) {
        self.private_with(InstanceConfig::new());
    }

    /// The same, with another configuration.
    pub fn private_with(&mut self, config: InstanceConfig) {
        self.private_from(move || config.clone());
    }

    /// The same, with a configuration that is made when the test runs.
    pub fn private_from(&mut self, config: impl Fn() -> InstanceConfig + Send + Sync + 'static) {
        self.instance = Instance::Private(Arc::new(config));
    }

    /// Keeps a test of [`Suite::beside`] from the C module, for this reason.
    pub fn spare_oracle(&mut self, why: &'static str) {
        self.spares_oracle = Some(why);
    }

    /// Gives the C module an instance of its own for this test of [`Suite::beside`], which may crash or hang, and runs it
    /// when ours is done.
    pub fn may_ruin_oracle(&mut self) -> &mut Self {
        self.may_ruin_oracle = true;
        self
    }

    /// Keeps the test out of [`super::surroundings`], for this reason.
    pub fn only_alone(&mut self, why: &'static str) {
        self.only_alone = Some(why);
    }

    /// Runs the test in the [surroundings](super::surroundings), always.
    pub fn only_surrounded(&mut self) {
        self.name.insert_str(0, surroundings::PREFIX);
        self.surrounded = true;
    }

    /// What distinguishes an instance: its configuration, with what surrounds it.
    fn dressed(&self, config: InstanceConfig) -> InstanceConfig {
        if self.surrounded { config.surrounded() } else { config }
    }

    /// Runs the test on an instance with this configuration, shared by all tests that give the same name.
    pub fn shares(&mut self, name: &'static str, config: fn() -> InstanceConfig) {
        self.instance = Instance::Shared(name, config);
    }
}

/// The tests. Each file adds its own in a function `tests(&mut Suite)`.
#[derive(Default)]
pub struct Suite {
    tests: Vec<Test>,
}

impl Suite {
    /// A test that runs on both modules and must give the same trace.
    pub fn same(
        &mut self,
        name: impl Into<String>,
        body: impl Fn(&Context) + Send + Sync + 'static,
    ) -> &mut Test {
        self.add(name.into(), Arc::new(body), On::Same)
    }

    /// A test that runs on both modules, where ours differs on purpose. `difference` is the number of the entry in
    /// the list of differences; the body says with [`Context::is_ours`] what is expected of which.
    pub fn differs(
        &mut self,
        name: impl Into<String>,
        difference: &'static str,
        body: impl Fn(&Context) + Send + Sync + 'static,
    ) -> &mut Test {
        self.add(name.into(), Arc::new(body), On::Differs(difference))
    }

    /// A test that runs on ours alone, and why.
    pub fn ours(
        &mut self,
        name: impl Into<String>,
        reason: &'static str,
        body: impl Fn(&Context) + Send + Sync + 'static,
    ) -> &mut Test {
        self.add(name.into(), Arc::new(body), On::Ours(reason))
    }

    /// A test of ours. With HOST_BESIDE set it runs on the C module too, and what it notes there, whatever that is,
    /// stands in a table beside what it notes on ours.
    pub fn beside(
        &mut self,
        name: impl Into<String>,
        body: impl Fn(&Context) + Send + Sync + 'static,
    ) -> &mut Test {
        self.add(name.into(), Arc::new(body), On::Beside)
    }

    /// Runs these tests once more, as `surroundings/<name>`, in the [surroundings](super::surroundings).
    pub fn surround(&mut self, names: &[&str]) {
        for name in names {
            let found = self.tests.iter().find(|test| test.name == *name);
            let mut test = found.unwrap_or_else(|| panic!("no test is called {name}")).clone();
            test.name = format!("{}{name}", surroundings::PREFIX);
            test.surrounded = true;
            self.tests.push(test);
        }
    }

    fn add(&mut self, name: String, body: Body, on: On) -> &mut Test {
        let instance = Instance::Shared("", InstanceConfig::new);
        self.tests.push(Test {
            name,
            body,
            on,
            instance,
            spares_oracle: None,
            may_ruin_oracle: false,
            surrounded: false,
            only_alone: None,
        });
        self.tests.last_mut().expect("just pushed")
    }

    /// Runs the tests that the command line names.
    pub fn run(self) -> ExitCode {
        panic::set_hook(Box::new(remember_panic));
        let mut arguments = Arguments::from_args();
        // They wait more than they compute.
        arguments.test_threads.get_or_insert(6);
        let chosen = Chosen::from_environment();
        if !arguments.list {
            let missing = caught(|| (sandbox::root(), chosen.ours.then(sandbox::our_module))).err();
            if let Some(why) = missing {
                eprintln!("{why}");
                return ExitCode::FAILURE;
            }
        }
        let everywhere = surroundings::are_everywhere();
        let trials = self.tests.into_iter().map(|mut test| {
            test.surrounded |= everywhere;
            let ours_alone = test.surrounded || matches!(test.on, On::Ours(_) | On::Beside);
            let skipped = ours_alone && !chosen.ours || everywhere && test.only_alone.is_some();
            Trial::test(test.name.clone(), move || run(&test, chosen)).with_ignored_flag(skipped)
        });
        let conclusion = libtest_mimic::run(&arguments, trials.collect());
        let mut failed = conclusion.has_failed();
        for problem in stop_shared() {
            eprintln!("\n{problem}");
            failed = true;
        }
        sandbox::clean_up();
        print_table();
        beside::print_table();
        if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }
}

/// Which modules to run on, from HOST_MODULES: `oracle`, `ours` or `both`; when it is not set, those that are there.
#[derive(Debug, Clone, Copy)]
struct Chosen {
    oracle: bool,
    ours: bool,
}

impl Chosen {
    fn from_environment() -> Self {
        match env::var("HOST_MODULES").as_deref() {
            // Where the C module is missing, the kept traces stand for it.
            Err(_) | Ok("") => Self { oracle: caught(sandbox::has_oracle).unwrap_or(true), ours: true },
            Ok("both") => Self { oracle: true, ours: true },
            Ok("oracle") => Self { oracle: true, ours: false },
            Ok("ours") => Self { oracle: false, ours: true },
            Ok(other) => panic!("HOST_MODULES={other}: say oracle, ours or both"),
        }
    }
}

/// Runs one test where it has to run, and compares.
fn run(test: &Test, chosen: Chosen) -> Result<(), Failed> {
    if matches!(test.on, On::Beside) {
        return beside::run(test, chosen.oracle);
    }
    // The C module knows no figures; its kept trace stands for it.
    let oracle = chosen.oracle && !matches!(test.on, On::Ours(_)) && !test.surrounded;
    let wanted = [(Module::Oracle, oracle), (Module::Ours, chosen.ours)];
    let outcomes: Vec<_> = thread::scope(|scope| {
        let start = |module: Module| {
            let name = format!("{} [{}]", test.name, module.name());
            thread::Builder::new()
                .name(name)
                .spawn_scoped(scope, move || run_on(test, module))
                .expect("thread")
        };
        let running: Vec<_> =
            wanted.iter().filter(|(_, run)| *run).map(|(module, _)| (*module, start(*module))).collect();
        running.into_iter().map(|(module, handle)| (module, handle.join().expect("caught"))).collect()
    });

    let mut problems = String::new();
    for (module, outcome) in &outcomes {
        if let Err(why) = outcome {
            let _ = writeln!(problems, "[{}] {why}", module.name());
        }
    }
    let trace_of = |wanted: Module| {
        let found = outcomes.iter().find(|(module, _)| *module == wanted);
        found.and_then(|(_, outcome)| outcome.as_ref().ok())
    };
    let golden = Golden::of(test);
    if let Some(trace) = trace_of(Module::Oracle) {
        golden.record(trace);
    }
    let recorded = if oracle { None } else { golden.read() };
    let verdict = match (trace_of(Module::Oracle).or(recorded.as_ref()), trace_of(Module::Ours), test.on) {
        _ if !problems.is_empty() => Verdict::Failed,
        (Some(oracle), Some(ours), On::Same) => match trace::difference(oracle, ours) {
            None => Verdict::Same,
            Some(text) => {
                let _ = writeln!(problems, "the traces differ (- oracle, + ours):\n{text}");
                Verdict::Differs
            }
        },
        (_, Some(_), On::Differs(number)) => Verdict::OnPurpose(number),
        (_, Some(_), On::Ours(reason)) => Verdict::OursOnly(reason),
        _ => Verdict::NotCompared,
    };
    TABLE.lock().push((test.name.clone(), verdict));
    if problems.is_empty() { Ok(()) } else { Err(problems.into()) }
}

/// Runs a test on one module. The error has all that helps to understand it.
pub(super) fn run_on(test: &Test, module: Module) -> Result<Vec<String>, String> {
    let start = || match &test.instance {
        Instance::Private(config) => Asterisk::start(module, &test.dressed(config())),
        Instance::Shared(name, config) => shared(module, (name, test.surrounded), || test.dressed(config())),
    };
    let asterisk = caught(start)?;
    let context = Context::new(asterisk);
    let result = caught(|| (test.body)(&context));
    let trace = context.trace();
    let (asterisk, mark) = (Arc::clone(&context.asterisk), context.log_mark);
    let result =
        result.map_err(|why| format!("{why}\n--- trace\n{}\n{}", trace.join("\n"), asterisk.report(mark)));
    // Hanging up what is left belongs to the test.
    drop(context);
    let ending = match &test.instance {
        Instance::Private(_) => asterisk.stop(),
        Instance::Shared(..) => check_shared(&asterisk, mark),
    };
    result.and(ending).map(|()| trace)
}

fn check_shared(asterisk: &Asterisk, mark: usize) -> Result<(), String> {
    if let Some(status) = asterisk.exit_status() {
        return Err(format!("Asterisk, shared with other tests, ended: {status}\n{}", asterisk.report(mark)));
    }
    match asterisk.log.surprises() {
        lines if lines.is_empty() => Ok(()),
        lines => Err(format!("unexpected in the log, by this test or one beside it:\n{}", lines.join("\n"))),
    }
}

// ---- shared instances

type Slot = Arc<Mutex<Option<Arc<Asterisk>>>>;

/// What a shared instance is called, and whether it is in the surroundings.
type SharedName = (&'static str, bool);

static SHARED: Mutex<BTreeMap<(Module, SharedName), Slot>> = Mutex::new(BTreeMap::new());

/// The instance of this name that tests of a module share.
pub(super) fn shared(
    module: Module,
    name: SharedName,
    config: impl FnOnce() -> InstanceConfig,
) -> Arc<Asterisk> {
    let slot = Arc::clone(SHARED.lock().entry((module, name)).or_default());
    let mut slot = slot.lock();
    // One that crashed has failed a test: the others go on with a new one.
    let running = slot.take().filter(|asterisk| asterisk.is_running());
    let asterisk = running.unwrap_or_else(|| Asterisk::start(module, &config()));
    *slot = Some(Arc::clone(&asterisk));
    asterisk
}

fn stop_shared() -> Vec<String> {
    let stop = |((module, (name, _)), slot): ((Module, SharedName), Slot)| {
        let problem = slot.lock().take()?.stop().err()?;
        Some(format!("the shared instance '{name}' with {}: {problem}", module.name()))
    };
    std::mem::take(&mut *SHARED.lock()).into_iter().filter_map(stop).collect()
}

// ---- panics

thread_local! {
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Panics of a test's own thread go into its report; others are printed.
fn remember_panic(info: &panic::PanicHookInfo<'_>) {
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    let payload = info.payload();
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let what = text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("panic");
    let text = format!("{place}: {what}");
    if thread::current().name().is_some_and(|name| name == "main" || name.ends_with(']')) {
        PANIC.with_borrow_mut(|panic| *panic = Some(text));
    } else {
        eprintln!("{text}");
    }
}

pub(super) fn caught<T>(body: impl FnOnce() -> T) -> Result<T, String> {
    panic::catch_unwind(AssertUnwindSafe(body))
        .map_err(|_| PANIC.with_borrow_mut(Option::take).unwrap_or_else(|| "panic".into()))
}

// ---- golden traces

/// The oracle's trace of a test, kept so that ours can be compared where there is no oracle.
struct Golden {
    path: PathBuf,
    compared: bool,
}

impl Golden {
    fn of(test: &Test) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/host/golden");
        let name = test.name.strip_prefix(surroundings::PREFIX).unwrap_or(&test.name);
        Self { path: folder.join(format!("{name}.trace")), compared: matches!(test.on, On::Same) }
    }

    /// Keeps a trace, if HOST_RECORD is set.
    fn record(&self, trace: &[String]) {
        if self.compared && env::var_os("HOST_RECORD").is_some() {
            fs::create_dir_all(self.path.parent().expect("folder")).expect("folder of the golden traces");
            let text: String = trace.iter().map(|line| format!("{line}\n")).collect();
            fs::write(&self.path, text).expect("golden trace");
        }
    }

    fn read(&self) -> Option<Vec<String>> {
        let text = fs::read_to_string(&self.path).ok().filter(|_| self.compared)?;
        Some(text.lines().map(str::to_owned).collect())
    }
}

// ---- the table

/// How the modules compare in one test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Same,
    /// By this number of the list of differences.
    OnPurpose(&'static str),
    /// For this reason.
    OursOnly(&'static str),
    /// One of them has not run, and there is no kept trace.
    NotCompared,
    /// Without a reason.
    Differs,
    Failed,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Same => f.write_str("same"),
            Self::OnPurpose(number) => write!(f, "differs on purpose ({number})"),
            Self::OursOnly(reason) => write!(f, "differs on purpose, ours alone was run: {reason}"),
            Self::NotCompared => f.write_str("not compared"),
            Self::Differs => f.write_str("DIFFERS"),
            Self::Failed => f.write_str("FAILED"),
        }
    }
}

static TABLE: Mutex<Vec<(String, Verdict)>> = Mutex::new(Vec::new());

/// With HOST_TABLE set: one line for each test, and how the modules compare.
fn print_table() {
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
         {} not compared",
        table.len(),
        count(|verdict| *verdict == Verdict::Same),
        count(|verdict| matches!(verdict, Verdict::OnPurpose(_) | Verdict::OursOnly(_))),
        count(|verdict| matches!(verdict, Verdict::OursOnly(_))),
        count(|verdict| *verdict == Verdict::Differs),
        count(|verdict| *verdict == Verdict::Failed),
        count(|verdict| *verdict == Verdict::NotCompared),
    );
}
