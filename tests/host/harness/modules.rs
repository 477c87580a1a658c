//! Which modules the tests run on.

use std::env;

use super::panics::caught;
use super::{beside, sandbox};

/// From HOST_MODULES: `ours` (the default; compared with the kept traces), `oracle`, or `both` (compared with each
/// other).
#[derive(Debug, Clone, Copy)]
pub(super) struct Chosen {
    pub(super) oracle: bool,
    pub(super) ours: bool,
    /// The C module also runs the tests of [`Suite::beside`](super::Suite::beside).
    pub(super) beside: bool,
    /// HOST_RECORD: the C module's traces become the kept traces.
    pub(super) records: bool,
}

impl Chosen {
    /// Reads the environment. The error says what is wrong with it, or what the choice needs and is missing.
    pub(super) fn from_environment() -> Result<Self, String> {
        let word = env::var("HOST_MODULES").unwrap_or_default();
        let (oracle, ours) = match word.as_str() {
            "" | "ours" => (false, true),
            "both" => (true, true),
            "oracle" => (true, false),
            other => return Err(format!("HOST_MODULES={other}: say ours, oracle or both")),
        };
        let records = env::var_os("HOST_RECORD").is_some();
        if records && !oracle {
            return Err(
                "HOST_RECORD keeps the C module's traces: it needs HOST_MODULES=both or oracle".into()
            );
        }
        Ok(Self { oracle, ours, beside: ours && word != "ours" && beside::is_wanted(), records })
    }

    /// Checks that everything the modules need is there. The error says what is missing.
    pub(super) fn check(self) -> Result<(), String> {
        caught(|| {
            sandbox::root();
            if self.ours {
                sandbox::our_module();
            }
        })?;
        if (self.oracle || self.beside) && !caught(sandbox::has_oracle)? {
            let root = sandbox::root().display();
            return Err(format!("no chan_websocket.so of Debian's in the sandbox {root}: run `make setup`"));
        }
        Ok(())
    }
}
