//! Every function of ours that C calls is defined with `trampoline!` (src/asterisk/guard.rs), which lets no panic out.

// A test reports errors by panicking.
#![allow(clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};

/// The file of the macro itself.
const MACRO: &str = "src/asterisk/guard.rs";

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("folder") {
        let path = entry.expect("entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The positions in this text at which functions with the C calling convention are defined: `extern "C" fn name`, but
/// not the type `extern "C" fn(…)`, and not declarations of C functions in `extern "C" { … }`.
fn definitions(text: &str) -> Vec<&str> {
    let one_line = |at: usize| text.get(at..).and_then(|rest| rest.lines().next()).unwrap_or_default();
    let functions = text.match_indices("extern \"").filter(|(at, _)| {
        let rest = text.get(at + "extern \"".len()..).unwrap_or_default();
        let behind = rest.split_once('"').map_or("", |(_, behind)| behind.trim_start());
        let name = behind.strip_prefix("fn").unwrap_or_default();
        name.starts_with(char::is_whitespace) && !name.trim_start().starts_with('(')
    });
    functions.map(|(at, _)| one_line(at)).collect()
}

#[test]
fn definitions_are_told_from_types_and_declarations() {
    for (text, count) in [
        ("extern \"C\" fn load() -> c_int {", 1),
        ("pub unsafe extern \"C\" fn\n    handler(", 1),
        ("unsafe extern \"C-unwind\" fn visit(x: u8)", 1),
        ("unsafe extern \"C\" fn $name($($arg: $ty),*)", 1),
        ("type Free = unsafe extern \"C\" fn(*mut c_void);", 0),
        ("type Free = extern \"C\" fn (*mut c_void);", 0),
        ("unsafe extern \"C\" {\n    fn SSL_read();\n}", 0),
        ("fn plain() {}", 0),
    ] {
        assert_eq!(definitions(text).len(), count, "{text}");
    }
}

#[test]
fn all_are_made_by_the_macro() {
    let repo = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    sources(&repo.join("src"), &mut files);
    assert!(files.len() > 100, "{files:?}");
    let mut macros = 0;
    for file in files {
        let text = fs::read_to_string(&file).expect("a source");
        let found = definitions(&text);
        if file.ends_with(MACRO) {
            macros = found.len();
        } else {
            assert!(found.is_empty(), "{}: {found:?} is not made by trampoline!", file.display());
        }
    }
    assert_eq!(macros, 1, "the macro is in {MACRO}");
}
