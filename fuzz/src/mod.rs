//! The code of the fuzz targets: each accepts any bytes, and panics when a condition does not hold.
//!
//! `fuzz/` feeds them from libFuzzer (`make fuzz`); the test below feeds them the stored corpus.

// A panic reports a finding.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod command;
mod config;
mod dial_string;
mod dialect;
mod handshake;
mod input;
mod proxy_response;
mod rfc6455;
mod session;
mod stream;

pub use self::command::command;
pub use self::config::config;
pub use self::dial_string::dial_string;
pub use self::dialect::dialect;
pub use self::handshake::{upgrade_request, upgrade_response};
pub use self::proxy_response::proxy_response;
pub use self::session::session;
pub use self::stream::stream;

/// A target, which gets the bytes.
pub type Target = fn(&[u8]);

/// All targets by name, which is also the name of their folder in `fuzz/corpus`.
pub const TARGETS: [(&str, Target); 9] = [
    ("command", command),
    ("config", config),
    ("dialect", dialect),
    ("dial_string", dial_string),
    ("proxy_response", proxy_response),
    ("session", session),
    ("stream", stream),
    ("upgrade_request", upgrade_request),
    ("upgrade_response", upgrade_response),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::Path;

    /// Every input of the corpus, including everything that once caused a failure.
    #[test]
    fn the_corpus_holds() {
        for (name, target) in TARGETS {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
            let mut files: Vec<_> =
                fs::read_dir(&folder).expect(name).map(|entry| entry.unwrap().path()).collect();
            files.sort();
            assert!(files.len() > 5, "{name}: only {} inputs", files.len());
            for file in files {
                let bytes = fs::read(&file).unwrap();
                if let Err(panic) = std::panic::catch_unwind(|| target(&bytes)) {
                    eprintln!("the input is {}", file.display());
                    std::panic::resume_unwind(panic);
                }
            }
        }
    }
}
