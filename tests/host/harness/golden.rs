//! The C module's traces, kept in `tests/host/golden`: they stand for it where it does not run.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::trace;

/// The kept trace of one test.
pub(super) struct Golden {
    path: PathBuf,
}

impl Golden {
    /// Of the test with this name.
    pub(super) fn of(name: &str) -> Self {
        Self { path: folder().join(format!("{name}.trace")) }
    }

    /// The trace; the error says how one comes about.
    pub(super) fn read(&self) -> Result<Vec<String>, String> {
        let text = fs::read_to_string(&self.path).map_err(|err| {
            format!("no kept trace {}: {err}; `HOST_RECORD=1 make difftest` keeps one", self.path.display())
        })?;
        Ok(text.lines().map(str::to_owned).collect())
    }

    /// Keeps what the C module has just done.
    pub(super) fn record(&self, live: &[String]) {
        fs::create_dir_all(self.path.parent().expect("folder")).expect("folder of the kept traces");
        let text: String = live.iter().map(|line| format!("{line}\n")).collect();
        fs::write(&self.path, text).expect("kept trace");
    }

    /// Compares what the C module has just done with what is kept.
    pub(super) fn compare(&self, live: &[String]) -> Result<(), String> {
        trace::difference(&self.read()?, live).map_or(Ok(()), |text| {
            Err(format!(
                "the kept trace is stale (- kept, + the C module now); if that is no chance, `HOST_RECORD=1 make difftest` \
                 renews it:\n{text}"
            ))
        })
    }
}

/// The names of kept traces that belong to none of these tests.
pub(super) fn orphans<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let known: BTreeSet<&str> = names.collect();
    let mut kept = Vec::new();
    collect(&folder(), &mut kept);
    let name = |path: PathBuf| {
        let path = path.strip_prefix(folder()).expect("inside").with_extension("");
        path.to_str().expect("UTF-8").to_owned()
    };
    kept.into_iter().map(name).filter(|name| !known.contains(name.as_str())).collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() { collect(&path, files) } else { files.push(path) }
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/host/golden")
}
