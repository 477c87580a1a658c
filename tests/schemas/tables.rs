//! The documentation's tables name the commands and events that have a schema, and no others.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::schema::{COMMANDS, EVENTS};

/// The README and all pages in docs.
fn pages() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let docs = fs::read_dir(root.join("docs")).expect("docs").map(|entry| entry.expect("entry").path());
    let pages =
        docs.chain([root.join("README.md")]).filter(|path| path.extension().is_some_and(|end| end == "md"));
    pages.map(|path| (path.clone(), fs::read_to_string(path).expect("a page"))).collect()
}

/// The names in the first cells of all rows, in tables whose first column has this heading.
fn named_in_tables(text: &str, head: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut is_ours = false;
    for line in text.lines() {
        let Some(row) = line.strip_prefix("| ") else {
            is_ours = false;
            continue;
        };
        let cell = row.split(" | ").next().unwrap_or_default();
        if cell == head {
            is_ours = true;
        } else if is_ours {
            let words = cell.split(|c: char| !c.is_ascii_uppercase() && c != '_');
            names.extend(words.filter(|word| word.len() > 3).map(str::to_owned));
        }
    }
    names
}

#[test]
fn the_tables_have_every_command_and_every_event() {
    for (head, messages) in [("command", &*COMMANDS), ("event", &*EVENTS)] {
        let known: BTreeSet<String> = messages.names().map(str::to_owned).collect();
        let mut found = BTreeSet::new();
        for (path, text) in pages() {
            let named = named_in_tables(&text, head);
            let strange: Vec<&String> = named.difference(&known).collect();
            assert!(strange.is_empty(), "{}: no {head} is called {strange:?}", path.display());
            found.extend(named);
        }
        assert_eq!(found, known, "in the tables whose first column is '{head}'");
    }
}
