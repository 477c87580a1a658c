//! Every crate that is linked into the module, or that is used to build or test it, must have a licence that is
//! compatible with GPL-2.0-only. Only deny.toml lists the compatible licences.

// A test reports errors by panicking.
#![allow(clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde::Deserialize;
use spdx::{Expression, ParseMode};

/// The licence settings of deny.toml.
#[derive(Debug, Deserialize)]
struct Policy {
    allow: BTreeSet<String>,
    #[serde(default)]
    exceptions: Vec<Exception>,
}

/// A crate that may have another licence, as long as none of it is linked into the module.
#[derive(Debug, Deserialize)]
struct Exception {
    #[serde(rename = "crate")]
    name: String,
    allow: BTreeSet<String>,
}

impl Policy {
    fn read() -> Self {
        #[derive(Deserialize)]
        struct File {
            licenses: Policy,
        }
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deny.toml");
        let text = std::fs::read_to_string(path).expect("deny.toml");
        toml::from_str::<File>(&text).expect("deny.toml").licenses
    }

    /// Whether the crate `name` is allowed with the licence `expression` of its Cargo.toml. The error says why not.
    /// `linked`: some of it is linked into the module.
    fn judge(&self, name: &str, expression: &str, linked: bool) -> Result<(), String> {
        // Lax: some old crates write "MIT/Apache-2.0".
        let parsed = Expression::parse_mode(expression, ParseMode::LAX)
            .map_err(|error| format!("{name}: licence {expression:?}: {}", error.reason))?;
        if parsed.evaluate(|term| self.allow.contains(&term.to_string())) {
            return Ok(());
        }
        let exception = self.exceptions.iter().find(|exception| exception.name == name);
        match exception {
            Some(exception)
                if !parsed.evaluate(|term| {
                    let term = term.to_string();
                    self.allow.contains(&term) || exception.allow.contains(&term)
                }) =>
            {
                Err(format!("{name}: {expression} is more than its exception allows"))
            }
            Some(_) if linked => Err(format!(
                "{name}: {expression} is an exception for a tool, but it is linked into the module"
            )),
            Some(_) => Ok(()),
            None => Err(format!("{name}: {expression} does not go with GPL-2.0-only")),
        }
    }
}

/// A crate of the build: name, version and licence expression, empty if its Cargo.toml has none.
type Crates = BTreeMap<(String, String), String>;

/// The manifest of the module, and that of the fuzz targets, which are built separately.
const MANIFESTS: [&str; 2] = ["Cargo.toml", "fuzz/Cargo.toml"];

/// The packages of these manifests.
const OURS: [&str; 2] = [env!("CARGO_PKG_NAME"), concat!(env!("CARGO_PKG_NAME"), "-fuzz")];

/// The dependencies of the given kinds of edges.
///
/// Uses `cargo tree`, because `cargo metadata` also lists crates that no feature in use needs.
fn dependencies(manifest: &str, edges: &str) -> Crates {
    let output = Command::new(env!("CARGO"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["tree", "--locked", "--all-features", "--target", "all", "--prefix", "none", "--no-dedupe"])
        .args(["--manifest-path", manifest, "--edges", edges, "--format", "{p}|{l}"])
        .output()
        .expect("cargo tree");
    assert!(
        output.status.success(),
        "cargo tree of {manifest} (does its Cargo.lock lag behind? `cargo metadata --manifest-path {manifest}` mends that): {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).expect("cargo tree writes UTF-8");
    text.lines()
        .filter(|line| !line.is_empty())
        .map(|line| {
            // "name v1.2.3 (proc-macro)|MIT"
            let (package, licence) = line.split_once('|').expect("the format asked for");
            let mut words = package.split(' ');
            let name = words.next().unwrap_or_default().to_owned();
            let version = words.next().unwrap_or_default().to_owned();
            ((name, version), licence.to_owned())
        })
        .filter(|((name, _), _)| !OURS.contains(&name.as_str()))
        .collect()
}

#[test]
fn every_dependency_goes_with_the_modules_licence() {
    let policy = Policy::read();
    let mut all = dependencies("Cargo.toml", "normal,build,dev");
    let linked = dependencies("Cargo.toml", "normal,no-proc-macro");
    // Checks the check: these crates are found, and in the right class.
    for (name, is_linked) in [("tungstenite", true), ("bindgen", false), ("proptest", false)] {
        assert!(all.keys().any(|(n, _)| n == name), "{name} is missing from {all:?}");
        assert_eq!(linked.keys().any(|(n, _)| n == name), is_linked, "{name}");
    }
    let fuzz = dependencies("fuzz/Cargo.toml", "normal,build,dev");
    assert!(fuzz.keys().any(|(name, _)| name == "libfuzzer-sys"), "no fuzzer in {fuzz:?}");
    all.extend(fuzz);
    let refused: Vec<String> = all
        .iter()
        .filter_map(|(package, licence)| {
            policy.judge(&package.0, licence, linked.contains_key(package)).err()
        })
        .collect();
    assert!(refused.is_empty(), "\n{}\n", refused.join("\n"));
    println!(
        "{} crates, {} of them linked into the module: all licences go with GPL-2.0-only",
        all.len(),
        linked.len()
    );
}

/// An exception that is not needed any more could hide a new violation.
#[test]
fn every_exception_is_needed() {
    let all: Crates =
        MANIFESTS.into_iter().flat_map(|manifest| dependencies(manifest, "normal,build,dev")).collect();
    for exception in Policy::read().exceptions {
        assert!(all.keys().any(|(name, _)| *name == exception.name), "{} is not used", exception.name);
    }
}

#[test]
fn apache_alone_is_not_in_the_list() {
    let policy = Policy::read();
    for licence in
        ["Apache-2.0", "GPL-3.0-only", "GPL-3.0-or-later", "AGPL-3.0-only", "MPL-2.0", "BSD-4-Clause"]
    {
        assert!(!policy.allow.contains(licence), "{licence}");
    }
}

#[test]
fn judged_by_the_expression() {
    let policy = Policy::read();
    let cases = [
        // name of the case, licence expression, goes with GPL-2.0-only
        ("permissive", "MIT", true),
        ("two clauses", "BSD-2-Clause", true),
        ("a choice with MIT in it", "MIT OR Apache-2.0", true),
        ("the other way round", "Apache-2.0 OR MIT", true),
        ("the old way of writing a choice", "MIT/Apache-2.0", true),
        ("a choice of three", "Apache-2.0 WITH LLVM-exception OR Apache-2.0 OR MIT", true),
        ("both, and both go", "(MIT OR Apache-2.0) AND Unicode-3.0", true),
        ("GPL of this version", "GPL-2.0-or-later", true),
        ("Apache alone", "Apache-2.0", false),
        ("both, and one does not go", "MIT AND Apache-2.0", false),
        ("a choice of two that do not go", "Apache-2.0 OR GPL-3.0-only", false),
        ("GPL of the next version", "GPL-3.0-or-later", false),
        ("Affero", "AGPL-3.0-only", false),
        ("the old BSD licence", "BSD-4-Clause", false),
        ("an exception does not make it go", "Apache-2.0 WITH LLVM-exception", false),
        ("no licence", "", false),
        ("no licence that anybody knows", "LicenseRef-Ours", false),
        ("nonsense", "do what you like", false),
    ];
    for (case, expression, goes) in cases {
        let verdict = policy.judge("some-crate", expression, true);
        assert_eq!(verdict.is_ok(), goes, "{case}: {expression}: {verdict:?}");
        // A build tool is judged like other crates unless it is named.
        assert_eq!(policy.judge("some-crate", expression, false).is_ok(), goes, "{case}: {expression}");
    }
}

#[test]
fn an_exception_is_for_one_tool_and_one_licence() {
    let policy = Policy {
        allow: BTreeSet::from(["MIT".to_owned()]),
        exceptions: vec![Exception {
            name: "a-tool".to_owned(),
            allow: BTreeSet::from(["Apache-2.0".to_owned()]),
        }],
    };
    assert_eq!(policy.judge("a-tool", "Apache-2.0", false), Ok(()));
    assert_eq!(policy.judge("a-tool", "MIT AND Apache-2.0", false), Ok(()));
    for (name, expression, linked) in
        [("a-tool", "Apache-2.0", true), ("a-tool", "GPL-3.0-only", false), ("another", "Apache-2.0", false)]
    {
        assert!(policy.judge(name, expression, linked).is_err(), "{name} {expression} {linked}");
    }
}
