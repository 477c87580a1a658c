//! A C `char` is signed on amd64 and unsigned on arm64. Rust's type for it is `c_char`, which is `i8` or `u8`: code
//! that uses it as `i8` builds on only one of the two. That can be found without a compiler for the other one, because
//! what only `i8` has is recognisable by its name.
//!
//! This does not find code that builds on both with different meanings, such as `c < 0`.

// A test reports errors by panicking.
#![allow(clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::Path;

/// The type itself, and methods that only signed integers have. (Methods that only unsigned ones have do not build
/// here.)
const SIGNED_ONLY: [&str; 11] = [
    "i8",
    "c_schar",
    "cast_unsigned",
    "unsigned_abs",
    "is_negative",
    "is_positive",
    "signum",
    "abs",
    "saturating_neg",
    "saturating_abs",
    "wrapping_abs",
];

/// The first of these names in a line of code, without its comment.
fn signed_only(line: &str) -> Option<&'static str> {
    let code = line.split("//").next().unwrap_or_default();
    let mut words = code.split(|c: char| !c.is_alphanumeric() && c != '_');
    words.find_map(|word| SIGNED_ONLY.into_iter().find(|name| *name == word || is_suffix(word, name)))
}

/// Whether the word is a number of that type: `0i8`, `1_i8`.
fn is_suffix(word: &str, name: &str) -> bool {
    name == "i8"
        && word.starts_with(|c: char| c.is_ascii_digit())
        && !word.starts_with("0x")
        && word.ends_with("i8")
}

fn look(folder: &Path, found: &mut Vec<String>) -> usize {
    let mut files = 0;
    for entry in fs::read_dir(folder).expect("folder") {
        let path = entry.expect("entry").path();
        if path.is_dir() {
            files += look(&path, found);
            continue;
        }
        files += 1;
        for (number, line) in fs::read_to_string(&path).expect("source").lines().enumerate() {
            if let Some(name) = signed_only(line) {
                found.push(format!("{}:{}: {name}", path.display(), number + 1));
            }
        }
    }
    files
}

#[test]
fn nothing_at_the_edge_to_c_takes_a_char_for_signed() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let files: usize = ["asterisk", "tls"].iter().map(|folder| look(&src.join(folder), &mut found)).sum();
    assert!(files > 40, "only {files} files of {} were read", src.display());
    assert!(found.is_empty(), "with c_char this builds on some machines only: {found:#?}");
}

#[test]
fn what_does_not_build_everywhere_is_seen() {
    for line in [
        "char::from(digit.cast_unsigned())",
        "let text = [0i8; 37];",
        "let text = [0_i8; 37];",
        "CStr::from_ptr(text.cast::<i8>())",
        "if c.is_negative() {",
    ] {
        assert!(signed_only(line).is_some(), "{line}");
    }
    for line in ["// i8", "let [byte] = digit.to_ne_bytes();", "0 as c_char", "0x1i8", "u8::MAX", "abs_path"]
    {
        assert_eq!(signed_only(line), None, "{line}");
    }
}
