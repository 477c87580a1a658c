//! Runs one test on one module.

use std::sync::Arc;

use super::asterisk::Module;
use super::context::Context;
use super::lease::{Lease, Sharing};
use super::loss::{Loss, Unclean};
use super::panics::caught;
use super::suite::Test;

/// What a test took from its apps and what it noted, line by line.
pub type Trace = Vec<String>;

/// Runs a test on our module.
pub(super) fn on_ours(test: &Test) -> Result<Trace, String> {
    on(test, Module::Ours, Sharing::AtOnce, |_| false).map_err(|unclean| unclean.text)
}

/// Runs a test. The error has all that helps to find the cause. If `is_suspect` finds that the instance may be the
/// cause, the instance is checked, and a lost instance is ended.
pub(super) fn on(
    test: &Test,
    module: Module,
    sharing: Sharing,
    is_suspect: impl Fn(Result<&Trace, &String>) -> bool,
) -> Result<Trace, Unclean> {
    let plain = |text| Unclean { text, lost: None };
    let lease = caught(|| Lease::take(test, module, sharing)).map_err(plain)?;
    let context = Context::new(Arc::clone(&lease.asterisk));
    let result = caught(|| (test.body)(&context));
    let (trace, mark) = (context.trace(), context.log_mark);
    let result = result.and_then(|()| match context.unfit() {
        faults if faults.is_empty() => Ok(trace.clone()),
        faults => Err(faults.join("\n")),
    });
    let lost = is_suspect(result.as_ref()).then(|| Loss::of(&lease.asterisk)).flatten();
    let result = result.map_err(|why| {
        plain(format!("{why}\n--- trace\n{}\n{}", trace.join("\n"), lease.asterisk.report(mark)))
    });
    if lost.is_some() {
        lease.asterisk.kill();
        let text =
            result.map_or_else(|unclean| unclean.text, |_| "its trace is another than the kept one".into());
        return Err(Unclean { text, lost });
    }
    // Hanging up the remaining channels belongs to the test.
    drop(context);
    let ending = lease.end(mark);
    let trace = result?;
    ending.map(|()| trace)
}
