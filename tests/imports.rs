//! No module of src/ imports from a later room, and no files of a call import each other in a circle.

#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Each room uses only those before it.
const ROOMS: [&str; 9] =
    ["mono_time", "report", "protocol", "playout", "settings", "net", "call", "tls", "asterisk"];

/// An allowed circle: the table of callbacks contains the function that requests a channel, and a channel is made with
/// the table.
const TECH: [&str; 2] = ["asterisk::request", "asterisk::tech"];

type Module = Vec<String>;

/// The content of each file, without comments and tests.
struct Sources(BTreeMap<Module, String>);

impl Sources {
    fn read() -> Self {
        let mut files = BTreeMap::new();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        collect(&root, &mut Vec::new(), &mut files);
        Self(files)
    }

    /// The file that a path refers to, seen from `module`. `None` if it refers to another crate, or to the file itself.
    fn target(&self, module: &[String], path: &str) -> Option<Module> {
        let mut segments = path.split("::").peekable();
        let mut found = match segments.next()? {
            "crate" => Vec::new(),
            "self" => module.to_vec(),
            "super" => module.split_last()?.1.to_vec(),
            _ => return None,
        };
        while segments.next_if_eq(&"super").is_some() {
            found.pop();
        }
        for segment in segments {
            found.push(segment.to_owned());
            if !self.0.contains_key(&found) {
                found.pop();
                break;
            }
        }
        (!found.is_empty() && found != module).then_some(found)
    }

    fn imports(&self) -> BTreeMap<&Module, BTreeSet<Module>> {
        let targets = |module: &Module, source: &str| {
            let paths = paths(source).into_iter();
            paths.filter_map(|path| self.target(module, &path)).collect()
        };
        self.0.iter().map(|(module, source)| (module, targets(module, source))).collect()
    }
}

fn collect(folder: &Path, module: &mut Module, files: &mut BTreeMap<Module, String>) {
    for entry in fs::read_dir(folder).expect("a folder of src") {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        if ["tests", "models", "model", "fixture", "properties"].contains(&&*name) {
            continue;
        }
        module.push(name.clone());
        if path.is_dir() {
            collect(&path, module, files);
        } else {
            let source = fs::read_to_string(&path).expect("a source");
            let module = if name == "mod" { &module[..module.len() - 1] } else { &module[..] };
            files.insert(module.to_vec(), without_comments_and_tests(&source));
        }
        module.pop();
    }
}

fn without_comments_and_tests(source: &str) -> String {
    let source = source.split("#[cfg(test)]\nmod tests {").next().unwrap_or(source);
    let source = source.split("#[cfg(test)]\npub(super) mod tests {").next().unwrap_or(source);
    let code = source.lines().map(|line| line.split("//").next().unwrap_or_default());
    // A re-export does not count as a use.
    code.filter(|line| !line.starts_with("pub") || !line.contains(" use "))
        .map(|line| format!("{line}\n"))
        .collect()
}

/// The paths that begin with `crate`, `self` or `super`, including those in braces.
fn paths(source: &str) -> Vec<String> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut found = Vec::new();
    for root in ["crate::", "self::", "super::"] {
        for (at, _) in source.match_indices(root) {
            if source[..at].ends_with(|c| is_word(c) || c == ':') {
                continue;
            }
            let rest = &source[at..];
            let end = rest.find(|c| !is_word(c) && c != ':').unwrap_or(rest.len());
            let (path, rest) = rest.split_at(end);
            match rest.strip_prefix('{').and_then(|list| list.split_once("};")) {
                Some((list, _)) if path.ends_with("::") => {
                    found.extend(list.split(',').map(|item| format!("{path}{}", item.trim())));
                }
                _ => found.push(path.trim_end_matches(':').to_owned()),
            }
        }
    }
    found
}

/// The files that import themselves through others, each with the other files of its circle.
fn circles(imports: &BTreeMap<&Module, BTreeSet<Module>>) -> BTreeSet<BTreeSet<String>> {
    let reached = |from: &Module| {
        let (mut reached, mut next) = (BTreeSet::new(), vec![from]);
        while let Some(module) = next.pop() {
            let targets = imports.get(module).into_iter().flatten();
            next.extend(targets.filter(|target| reached.insert((*target).clone())));
        }
        reached
    };
    let all: BTreeMap<&Module, BTreeSet<Module>> =
        imports.keys().map(|module| (*module, reached(module))).collect();
    let circle_of = |module: &Module| {
        let others =
            all.iter().filter(|(other, reach)| all[module].contains(**other) && reach.contains(module));
        others.map(|(other, _)| other.join("::")).collect::<BTreeSet<_>>()
    };
    all.keys().map(|module| circle_of(module)).filter(|circle| !circle.is_empty()).collect()
}

#[test]
fn no_import_runs_up() {
    let sources = Sources::read();
    let room =
        |module: &Module| ROOMS.iter().position(|room| module.first().is_some_and(|first| first == room));
    let mut count = 0;
    for (module, targets) in sources.imports() {
        for target in targets {
            if let (Some(from), Some(to)) = (room(module), room(&target)) {
                assert!(to <= from, "{} imports {}", module.join("::"), target.join("::"));
                count += usize::from(to < from);
            }
        }
    }
    assert!(count > 200, "only {count} imports were looked at");
}

#[test]
fn no_files_of_a_call_import_each_other_in_a_circle() {
    let sources = Sources::read();
    let imports = sources.imports();
    let tech = TECH.map(str::to_owned).into_iter().collect::<BTreeSet<_>>();
    let found = circles(&imports);
    let of_calls = found.into_iter().filter(|circle| {
        circle.iter().any(|module| module.starts_with("call::") || module.starts_with("asterisk::"))
    });
    assert_eq!(of_calls.collect::<Vec<_>>(), [tech]);
}
