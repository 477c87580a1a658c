//! One binary for every supported Asterisk (docs/versions.md): the structures of Asterisk in the bindings, and the
//! symbols that the module needs, must be the same in all of them.

// A test reports errors by panicking.
#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use tempfile::TempDir;

/// The structures whose fields the module reads or writes, with their sizes on a 64-bit machine: the same in Asterisk
/// 20.18 to 20.20, 22.8 to 22.11 and 23.2 to 23.6. Before one is added here, compare it in all of them.
const KNOWN: &[(&str, usize)] = &[
    ("ast_assigned_ids", 16),
    ("ast_bridge_technology", 136),
    ("ast_channel_tech", 288),
    ("ast_cli_args", 40),
    ("ast_cli_entry", 200),
    ("ast_flags", 4),
    ("ast_flags64", 8),
    ("ast_frame", 136),
    ("ast_frame_subclass", 24),
    ("ast_http_uri", 64),
    ("ast_tcptls_session_instance", 176),
    ("ast_variable", 72),
    ("prometheus_callback", 16),
    ("stasis_message_vtable", 24),
    // From libc.
    ("timeval", 16),
];

fn repo() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The sandbox's headers, in a new folder.
fn headers() -> TempDir {
    let script = Command::new(repo().join("scripts/sandbox")).arg("path").output().expect("scripts/sandbox");
    headers_of(Path::new(String::from_utf8_lossy(&script.stdout).trim()))
}

fn headers_of(root: &Path) -> TempDir {
    copy_headers(&root.join("usr/include"))
}

fn copy_headers(include: &Path) -> TempDir {
    assert!(include.join("asterisk.h").exists(), "no headers in {}: run make setup", include.display());
    let folder = tempfile::tempdir().expect("a temporary folder");
    let copied = Command::new("cp")
        .arg("-R")
        .args([include.join("asterisk"), include.join("asterisk.h")])
        .arg(folder.path())
        .status();
    assert!(copied.expect("cp").success(), "{}", include.display());
    folder
}

/// Adds a member at the beginning of a structure, as in another version.
fn alter(headers: &Path, file: &str, structure: &str) {
    let path = headers.join("asterisk").join(file);
    let text = fs::read_to_string(&path).expect(file);
    let opening = format!("struct {structure} {{");
    assert!(text.contains(&opening), "no {opening} in {file}");
    fs::write(&path, text.replacen(&opening, &format!("{opening} long added_for_a_test[3];"), 1))
        .expect(file);
}

/// What build.rs makes of these headers: the bindings and the shim's code. The error is its message.
///
/// Runs the build script that cargo has built: that takes a second, instead of a whole build.
fn build(headers: &Path) -> Result<(String, Vec<u8>), String> {
    let mut scripts: Vec<PathBuf> = ["target/release/build", "target/faults/debug/build"]
        .iter()
        .filter_map(|folder| fs::read_dir(repo().join(folder)).ok())
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("build-script-build")))
        .filter(|script| script.to_string_lossy().contains("/chan_websocket-") && script.exists())
        .collect();
    scripts.sort_by_key(|script| fs::metadata(script).and_then(|data| data.modified()).expect("time"));
    for script in scripts.iter().rev() {
        let out = tempfile::tempdir().expect("a temporary folder");
        let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
        let output = Command::new(script)
            .current_dir(repo())
            .envs([("OPT_LEVEL", "0"), ("DEBUG", "false"), ("TARGET", &target), ("HOST", &target)])
            .env("OUT_DIR", out.path())
            .env("ASTERISK_INCLUDE_DIR", headers)
            .output()
            .expect("build script");
        if !output.status.success() {
            return Err([output.stdout, output.stderr]
                .map(|text| String::from_utf8_lossy(&text).into_owned())
                .concat());
        }
        // A build without the feature `module` makes none.
        let Ok(bindings) = fs::read_to_string(out.path().join("bindings.rs")) else { continue };
        let objdump = Command::new("objdump")
            .args([
                "-d",
                "-r",
                "-s",
                "-j",
                ".text",
                "-j",
                ".data.rel.local",
                "-j",
                ".data.rel",
                "-j",
                ".rodata",
            ])
            .arg(out.path().join("libcw_shim.a"))
            .output()
            .expect("objdump");
        let code = String::from_utf8_lossy(&objdump.stdout).replace(&out.path().display().to_string(), "");
        return Ok((bindings, code.into_bytes()));
    }
    panic!("the module is not built: run make build");
}

/// The results for the sandbox's unchanged headers.
static ORIGINAL: LazyLock<(String, Vec<u8>)> =
    LazyLock::new(|| build(headers().path()).expect("as they are"));

#[test]
fn structures_that_differ_between_versions_leave_no_trace() {
    let (headers, original) = (headers(), &*ORIGINAL);
    for structure in ["ast_codec", "ast_websocket_client"] {
        assert!(!original.0.contains(&format!("struct {structure} ")), "{structure} is in the bindings");
    }
    alter(headers.path(), "codec.h", "ast_codec");
    alter(headers.path(), "websocket_client.h", "ast_websocket_client");
    let altered = build(headers.path()).expect("with structures as in other versions");
    assert!(original.0 == altered.0, "the bindings differ");
    assert!(original.1 == altered.1, "the shim differs");
}

/// The headers of an Asterisk other than the sandbox's.
struct Set {
    /// Their origin.
    name: String,
    headers: TempDir,
}

/// The headers of the root folder in ASTERISK_OTHER_SANDBOX, and of the folders in ASTERISK_HEADER_SETS, which is
/// `<folder>:<folder>`; each has an asterisk.h.
fn header_sets() -> Vec<Set> {
    let other =
        std::env::var_os("ASTERISK_OTHER_SANDBOX").map(|root| PathBuf::from(root).join("usr/include"));
    let named = std::env::var("ASTERISK_HEADER_SETS").unwrap_or_default();
    let named = named.split(':').filter(|set| !set.is_empty()).map(PathBuf::from);
    let ours = headers();
    let sets: Vec<Set> = other
        .into_iter()
        .chain(named)
        .map(|folder| Set { name: folder.display().to_string(), headers: copy_headers(&folder) })
        .collect();
    assert!(!sets.is_empty(), "nothing to compare: name folders with headers in ASTERISK_HEADER_SETS");
    for set in &sets {
        let is_other = |file: &str| {
            let read = |folder: &TempDir| fs::read(folder.path().join("asterisk").join(file)).ok();
            read(&set.headers) != read(&ours)
        };
        let is_other = is_other("build.h") || is_other("channel.h") || is_other("websocket_client.h");
        assert!(is_other, "{} has the sandbox's headers: nothing to compare", set.name);
    }
    sets
}

/// Builds the bindings for each set, which takes a minute for all.
#[test]
#[ignore = "needs other headers: make versiontest, or ASTERISK_HEADER_SETS"]
fn every_set_of_headers_makes_the_same_bindings() {
    for set in header_sets() {
        let (bindings, shim) =
            build(set.headers.path()).unwrap_or_else(|said| panic!("{}: {said}", set.name));
        assert!(bindings == ORIGINAL.0, "{}: the bindings differ", set.name);
        assert!(shim == ORIGINAL.1, "{}: the shim differs", set.name);
    }
}

/// The sections of the module, built with these headers, that the loader reads: no debugging information and no build
/// id.
fn loaded_sections(headers: &Path) -> Vec<u8> {
    let target = repo().join("target/header-sets");
    let built = Command::new(env!("CARGO"))
        .args(["build", "--release", "--locked", "--quiet"])
        .current_dir(repo())
        .env("CARGO_TARGET_DIR", &target)
        .env("ASTERISK_INCLUDE_DIR", headers)
        .status();
    assert!(built.expect("cargo").success(), "{}", headers.display());
    let module = headers.join("module.so");
    let stripped = Command::new("objcopy")
        .args(["--strip-all", "--remove-section=.note.gnu.build-id"])
        .arg(target.join("release/libchan_websocket.so"))
        .arg(&module)
        .status();
    assert!(stripped.expect("objcopy").success(), "objcopy");
    fs::read(module).expect("the module")
}

#[test]
#[ignore = "builds the module once for each set of headers: make versiontest, or ASTERISK_HEADER_SETS"]
fn every_set_of_headers_makes_the_same_module() {
    let sets = header_sets();
    let ours = loaded_sections(headers().path());
    for set in sets {
        assert!(loaded_sections(set.headers.path()) == ours, "{} makes another module", set.name);
    }
}

#[test]
fn a_structure_that_is_used_and_differs_is_found_by_the_build() {
    let headers = headers();
    let structures = [
        ("frame.h", "ast_frame", "sizeof(struct ast_frame)"),
        ("channel.h", "ast_channel_tech", "sizeof(struct ast_channel_tech)"),
        ("bridge_technology.h", "ast_bridge_technology", "sizeof(struct ast_bridge_technology)"),
        ("bridge_channel.h", "ast_bridge_channel", "offsetof(struct ast_bridge_channel, state)"),
        ("bridge.h", "ast_bridge", "offsetof(struct ast_bridge, technology)"),
    ];
    for (file, structure, _) in structures {
        alter(headers.path(), file, structure);
    }
    let said = build(headers.path()).expect_err("used structures");
    for (_, _, assertion) in structures {
        let assertion = format!("lays {assertion}");
        assert!(said.contains("not a supported version") && said.contains(&assertion), "{said}");
    }
}

#[test]
fn only_structures_that_are_equal_in_all_versions_are_known() {
    let (bindings, _) = &*ORIGINAL;
    let known: BTreeMap<&str, usize> = KNOWN.iter().copied().collect();
    let mut seen = BTreeSet::new();
    for definition in bindings.split("pub struct ").skip(1) {
        let (name, rest) = definition.split_once(|c: char| !c.is_alphanumeric() && c != '_').expect("a name");
        let body = rest.split("\n}").next().unwrap_or_default();
        let is_opaque = ["_unused", "_address", "_bindgen_opaque_blob"]
            .iter()
            .any(|field| body.contains(&format!(" {field}:")));
        // Types of bindgen itself, and parts of other types.
        if is_opaque || name.starts_with("__") || name.contains("__bindgen_ty_") {
            continue;
        }
        let size = known.get(name).unwrap_or_else(|| {
            panic!("the bindings have a new structure, {name}: make it opaque in build.rs, or see KNOWN")
        });
        let assertion = format!("[\"Size of {name}\"][::std::mem::size_of::<{name}>() - {size}usize]");
        assert!(bindings.contains(&assertion), "{name} has not {size} bytes");
        seen.insert(name);
    }
    let unused: Vec<_> = known.keys().filter(|name| !seen.contains(*name)).collect();
    assert!(unused.is_empty(), "no longer in the bindings: {unused:?}");
}

/// Every symbol of Asterisk that the module needs exists in all versions.
#[test]
fn only_symbols_that_all_versions_have_are_needed() {
    let list = fs::read_to_string(repo().join("asterisk-headers/symbols.txt")).expect("symbols.txt");
    let known: BTreeSet<&str> =
        list.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
    let module = std::env::var_os("CHAN_WEBSOCKET_MODULE")
        .map_or_else(|| repo().join("target/release/chan_websocket.so"), PathBuf::from);
    let output = Command::new("readelf").args(["--dyn-syms", "-W"]).arg(&module).output().expect("readelf");
    assert!(output.status.success(), "no {}: run make build", module.display());
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    // Symbols of libraries have a version.
    let needed: BTreeSet<&str> = table
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter_map(|words| match *words.as_slice() {
            [_, _, _, _, "GLOBAL", _, "UND", name] if !name.contains('@') => Some(name),
            _ => None,
        })
        .collect();
    assert!(needed.contains("ast_module_register"), "{needed:?}");
    let new: Vec<_> = needed.difference(&known).collect();
    assert!(new.is_empty(), "not in asterisk-headers/symbols.txt: {new:?}; see there");
}
