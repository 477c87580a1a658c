//! The list of tests, and what each test expects of the two modules.

use std::env;
use std::panic;
use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};

use super::asterisk::Module;
use super::conf::InstanceConfig;
use super::context::Context;
use super::golden::Golden;
use super::modules::Chosen;
use super::{beside, compare, conformity, golden, lease, oracle, panics, sandbox, surroundings, table};

/// The body of a test. It panics when something is wrong.
pub(super) type Body = Arc<dyn Fn(&Context) + Send + Sync>;

/// The prefix of the names of tests that run a second time with `direct_bridge = no`.
const QUEUED: &str = "queued/";

/// What a test expects of the two modules.
#[derive(Debug, Clone, Copy)]
pub(super) enum On {
    /// Both do the same.
    Same,
    /// They differ on purpose, by this row of the list of differences.
    Differs(&'static str),
    /// Only ours can do it, for this reason.
    Ours(&'static str),
    /// The test is about our module; the C module's behaviour is only shown on request.
    Beside,
}

/// One test; see [`Suite`].
#[derive(Clone)]
pub struct Test {
    pub(super) name: String,
    pub(super) body: Body,
    pub(super) on: On,
    pub(super) instance: Instance,
    /// Why the C module must not run it, for a test of [`Suite::beside`].
    pub(super) spares_oracle: Option<&'static str>,
    /// See [`Test::may_ruin_oracle`].
    pub(super) may_ruin_oracle: bool,
    /// See [`Suite::surround`].
    pub(super) surrounded: bool,
    /// See [`Suite::without_direct_bridge`].
    pub(super) direct_bridge: bool,
    /// See [`Test::only_alone`].
    only_alone: Option<&'static str>,
    /// See [`Test::needs`].
    needs: Option<&'static str>,
}

/// The Asterisk that a test runs on.
#[derive(Clone)]
pub(super) enum Instance {
    /// One that tests share which give the same name; "" is the usual one.
    Shared(&'static str, fn() -> InstanceConfig),
    /// A private one.
    Private(Arc<dyn Fn() -> InstanceConfig + Send + Sync>),
}

impl Test {
    fn new(name: String, body: Body, on: On) -> Self {
        let instance = Instance::Shared("", InstanceConfig::new);
        Self {
            name,
            body,
            on,
            instance,
            spares_oracle: None,
            may_ruin_oracle: false,
            surrounded: false,
            direct_bridge: true,
            only_alone: None,
            needs: None,
        }
    }

    /// A test outside the suite, for tests of the harness.
    pub fn alone(name: impl Into<String>, body: impl Fn(&Context) + Send + Sync + 'static) -> Self {
        Self::new(name.into(), Arc::new(body), On::Same)
    }

    /// Whether both modules have to give the same trace.
    pub(super) fn is_same(&self) -> bool {
        matches!(self.on, On::Same)
    }

    /// Whether it runs on the C module when that is chosen. The C module has no figures and no direct bridges: in the
    /// [surroundings](super::surroundings), and without direct bridges, its kept trace is used instead.
    pub(super) fn runs_on_oracle(&self) -> bool {
        !self.surrounded && self.direct_bridge && !matches!(self.on, On::Ours(_) | On::Beside)
    }

    /// The kept trace that it is compared with. It is the same in the surroundings.
    pub(super) fn golden(&self) -> Golden {
        Golden::of(self.golden_name())
    }

    fn golden_name(&self) -> &str {
        let prefixes = [surroundings::PREFIX, QUEUED];
        prefixes.iter().find_map(|prefix| self.name.strip_prefix(prefix)).unwrap_or(&self.name)
    }

    /// Gives the test a private instance, because the test changes what others rely on, or may make Asterisk crash or
    /// hang.
    pub fn private(&mut self) {
        self.private_with(InstanceConfig::new());
    }

    /// Like [`Test::private`], with another configuration.
    pub fn private_with(&mut self, config: InstanceConfig) {
        self.private_from(move || config.clone());
    }

    /// Like [`Test::private`], with a configuration that is made when the test runs.
    pub fn private_from(&mut self, config: impl Fn() -> InstanceConfig + Send + Sync + 'static) {
        self.instance = Instance::Private(Arc::new(config));
    }

    /// Never runs this test of [`Suite::beside`] on the C module, for this reason.
    pub fn spare_oracle(&mut self, why: &'static str) {
        self.spares_oracle = Some(why);
    }

    /// Gives the C module a private instance for this test of [`Suite::beside`], because it may crash or hang. The C
    /// module runs after ours is done.
    pub fn may_ruin_oracle(&mut self) -> &mut Self {
        self.may_ruin_oracle = true;
        self
    }

    /// Never runs the test in [`super::surroundings`], for this reason.
    pub fn only_alone(&mut self, why: &'static str) {
        self.only_alone = Some(why);
    }

    /// Runs the test only if Asterisk has this module, which some versions do not have. Otherwise it counts as ignored.
    pub fn needs(&mut self, module: &'static str) -> &mut Self {
        self.needs = Some(module);
        self
    }

    fn lacks_module(&self) -> bool {
        // Tests can be listed without an Asterisk.
        self.needs.is_some_and(|module| panics::caught(|| sandbox::has_module(module)) == Ok(false))
    }

    /// Always runs the test in the [surroundings](super::surroundings).
    pub fn only_surrounded(&mut self) {
        self.name.insert_str(0, surroundings::PREFIX);
        self.surrounded = true;
    }

    /// The configuration of the test's instance: without direct bridges or in the surroundings, if the test is so.
    pub(super) fn dressed(&self, config: InstanceConfig) -> InstanceConfig {
        let config = if self.direct_bridge { config } else { config.without_direct_bridge() };
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
    of_harness: Vec<(&'static str, fn())>,
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

    /// A test that runs on both modules, where ours differs on purpose. `difference` is the row in the list of
    /// differences. The body uses [`Context::is_ours`] to expect the right behaviour of each.
    pub fn differs(
        &mut self,
        name: impl Into<String>,
        difference: &'static str,
        body: impl Fn(&Context) + Send + Sync + 'static,
    ) -> &mut Test {
        self.add(name.into(), Arc::new(body), On::Differs(difference))
    }

    /// A test that runs on our module only, and why.
    pub fn ours(
        &mut self,
        name: impl Into<String>,
        reason: &'static str,
        body: impl Fn(&Context) + Send + Sync + 'static,
    ) -> &mut Test {
        self.add(name.into(), Arc::new(body), On::Ours(reason))
    }

    /// A test of our module. With HOST_BESIDE set it also runs on the C module, and a table shows what it notes on
    /// both; the C module cannot fail it.
    pub fn beside(
        &mut self,
        name: impl Into<String>,
        body: impl Fn(&Context) + Send + Sync + 'static,
    ) -> &mut Test {
        self.add(name.into(), Arc::new(body), On::Beside)
    }

    /// Runs these tests a second time, as `surroundings/<name>`, in the [surroundings](super::surroundings).
    pub fn surround(&mut self, names: &[&str]) {
        for name in names {
            let found = self.tests.iter().find(|test| test.name == *name);
            let mut test = found.unwrap_or_else(|| panic!("no test is called {name}")).clone();
            test.name = format!("{}{name}", surroundings::PREFIX);
            test.surrounded = true;
            self.tests.push(test);
        }
    }

    /// Runs these tests a second time, as `queued/<name>`, with `direct_bridge = no`.
    pub fn without_direct_bridge(&mut self, names: &[&str]) {
        for name in names {
            let found = self.tests.iter().find(|test| test.name == *name);
            let mut test = found.unwrap_or_else(|| panic!("no test is called {name}")).clone();
            test.name = format!("{QUEUED}{name}");
            test.direct_bridge = false;
            self.tests.push(test);
        }
    }

    /// A test of the harness itself. It is in no table, because it says nothing about the modules.
    pub fn of_harness(&mut self, name: &'static str, body: fn()) {
        self.of_harness.push((name, body));
    }

    fn add(&mut self, name: String, body: Body, on: On) -> &mut Test {
        self.tests.push(Test::new(name, body, on));
        self.tests.last_mut().expect("just pushed")
    }

    /// Runs the tests that the command line names.
    pub fn run(self) -> ExitCode {
        panic::set_hook(Box::new(panics::remember));
        let mut arguments = Arguments::from_args();
        // Tests wait more than they compute.
        arguments.test_threads.get_or_insert(6);
        let chosen = Chosen::from_environment();
        let chosen = match chosen
            .and_then(|chosen| if arguments.list { Ok(chosen) } else { chosen.check().map(|()| chosen) })
        {
            Ok(chosen) => chosen,
            Err(why) => {
                eprintln!("{why}");
                return ExitCode::FAILURE;
            }
        };
        let conclusion = libtest_mimic::run(&arguments, self.trials(chosen));
        let mut failed = conclusion.has_failed();
        for (module, unclean) in lease::stop_all() {
            match unclean.lost {
                Some(loss) if module == Module::Oracle => oracle::remember_stop(loss),
                _ => {
                    eprintln!("\na shared instance with {}: {unclean}", module.name());
                    failed = true;
                }
            }
        }
        sandbox::clean_up();
        table::print();
        beside::print_table();
        print!("\n{}{}", oracle::summary(), conformity::summary());
        if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }

    fn trials(self, chosen: Chosen) -> Vec<Trial> {
        let same = self.tests.iter().filter(|test| test.is_same()).map(Test::golden_name);
        let orphans = golden::orphans(same);
        let kept = Trial::test("comparing/orphans", move || no_orphans(&orphans));
        let of_harness = self
            .of_harness
            .into_iter()
            .map(|(name, body)| Trial::test(name, move || Ok(panics::in_thread(name, body)?)));
        let everywhere = surroundings::are_everywhere();
        let directly = env::var("HOST_DIRECT_BRIDGE").map_or(true, |value| value != "no");
        let trials = self.tests.into_iter().map(|mut test| {
            test.surrounded |= everywhere;
            test.direct_bridge &= directly;
            let skipped = !test.runs_on_oracle() && !chosen.ours
                || everywhere && test.only_alone.is_some()
                || test.lacks_module();
            Trial::test(test.name.clone(), move || compare::run(&test, chosen)).with_ignored_flag(skipped)
        });
        // The longest tests come first.
        of_harness.chain([kept]).chain(trials).collect()
    }
}

/// A kept trace that no test is compared with would look like coverage.
fn no_orphans(names: &[String]) -> Result<(), Failed> {
    if names.is_empty() {
        Ok(())
    } else {
        Err(format!("kept traces without a test: {}", names.join(", ")).into())
    }
}
