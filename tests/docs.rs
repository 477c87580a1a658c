//! The documentation: its quotations are messages of the module, and its links have targets.

// A test reports errors by panicking.
#![allow(clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::Path;

/// Text from OpenSSL or Asterisk, or with values filled in.
const OF_OTHERS: &[&str] = &[
    "certificate has expired",
    "self-signed certificate",
    "unable to get local issuer certificate",
    "cannot be loaded: No such file or directory",
    "Connection refused",
    "Error loading module 'chan_websocket.so'",
    "undefined symbol",
    "within 500 ms (connection_timeout)",
    "did not come within 10000 ms (handshake_timeout)",
    "(502 Bad Gateway)",
    "refused the application's upgrade with 400",
];

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect(path)
}

/// All sources of the module in one line, with their strings as they are at run time.
fn sources(folder: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(folder).expect("folder") {
        let path = entry.expect("entry").path();
        if path.is_dir() {
            text += &sources(&path);
        } else {
            let source = fs::read_to_string(&path).expect("source");
            text += &source.replace("\\\n", "\n").split_whitespace().collect::<Vec<_>>().join(" ");
        }
    }
    text
}

#[test]
fn troubleshooting_quotes_the_log_as_it_is() {
    let sources = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    let mut count = 0;
    for line in read("docs/troubleshooting.md").lines().filter(|line| line.starts_with("| ")) {
        let cell = line.split(" | ").next().unwrap_or_default();
        // A path, a name or a command is not a line of the log.
        for quoted in
            cell.split('`').skip(1).step_by(2).filter(|text| text.contains('…') || text.contains(": "))
        {
            for part in quoted
                .replace(": ", "…")
                .split(['…', '\'', ';', '('])
                .map(|part| part.trim_matches([' ', ':', ',', ';']))
            {
                let is_known = part.len() < 12
                    || sources.contains(part)
                    || OF_OTHERS.iter().any(|other| other.contains(part) || part.contains(other));
                assert!(is_known, "{part:?} of {quoted:?} is not in the sources");
                count += 1;
            }
        }
    }
    assert!(count > 40, "only {count} were looked at");
}

/// The metrics in the pages on troubleshooting and scaling are those of `websocket show channel`.
#[test]
fn metrics_are_called_as_in_the_cli() {
    let metrics = read("src/call/report/metrics.rs");
    let text = read("docs/troubleshooting.md");
    let endings = ["_in", "_out", "_unwanted", "_off", "_reads", "_stall", "_time", "underruns"];
    let cells = text.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
    let mut count = 0;
    for name in cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)) {
        if endings.iter().any(|end| name.ends_with(end)) && !name.contains(' ') {
            assert!(metrics.contains(&format!("\"{name}\"")), "there is no metric {name}");
            count += 1;
        }
    }
    assert!(count > 5, "only {count} were looked at");
}

#[test]
fn every_option_of_the_sample_is_in_the_configuration_page() {
    let page = read("docs/configuration.md");
    let sample = read("configs/chan_websocket.conf.sample");
    let options: Vec<&str> = sample
        .lines()
        .filter_map(|line| line.strip_prefix(';')?.split_once('=').map(|(name, _)| name.trim()))
        .filter(|name| !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
        .filter(|name| *name != "type")
        .collect();
    assert!(options.len() > 20, "{options:?}");
    for option in options {
        assert!(page.contains(&format!("`{option}`")), "{option} is not in docs/configuration.md");
    }
}

/// All pages of the documentation.
fn pages() -> Vec<String> {
    let docs = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs")).expect("docs");
    let docs = docs.map(|page| format!("docs/{}", page.expect("page").file_name().to_string_lossy()));
    let others = ["README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(str::to_owned);
    docs.filter(|page| page.ends_with(".md")).chain(others).collect()
}

/// The README is short enough to be read to its end, and has links to every page.
#[test]
fn the_readme_is_short_and_leads_to_every_page() {
    let readme = read("README.md");
    assert!(readme.lines().count() <= 150, "the README has {} lines", readme.lines().count());
    for page in pages().iter().filter(|page| *page != "README.md") {
        assert!(readme.contains(&format!("]({page})")), "the README does not lead to {page}");
    }
}

/// The numbers of the rows in the table of differences, by which tests and the comparison refer to them, are in order.
#[test]
fn differences_are_numbered_in_order() {
    let page = read("docs/differences.md");
    let numbers: Vec<usize> =
        page.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(" |")?.0.parse().ok()).collect();
    assert!(numbers.len() >= 55, "{numbers:?}");
    assert_eq!(numbers, (1..=numbers.len()).collect::<Vec<_>>());
}

/// No page has conflict markers of a merge.
#[test]
fn no_page_has_marks_of_a_merge() {
    for page in pages() {
        for mark in ["<<<<<<< ", "=======", ">>>>>>> "] {
            assert!(!read(&page).lines().any(|line| line.starts_with(mark)), "{page} has {mark}");
        }
    }
}

/// Files and headings that the pages link to exist.
#[test]
fn links_lead_somewhere() {
    for file in pages() {
        let folder = if file.starts_with("docs/") { "docs/" } else { "" };
        // Every other part is a block of code, where brackets have another meaning.
        let prose: String = read(&file).split("```").step_by(2).collect();
        for link in prose.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            if path.contains("://") {
                continue;
            }
            let target = if path.is_empty() { file.clone() } else { format!("{folder}{path}") };
            let there = Path::new(env!("CARGO_MANIFEST_DIR")).join(&target);
            assert!(there.exists(), "{file} leads to {link}");
            if !anchor.is_empty() {
                let headings: Vec<String> = read(target.trim_start_matches("docs/../"))
                    .lines()
                    .filter_map(|line| {
                        Some(line.strip_prefix('#')?.trim_start_matches('#').trim().to_lowercase())
                    })
                    .map(|heading| heading.replace(' ', "-").replace([',', ':', '`'], ""))
                    .collect();
                assert!(headings.iter().any(|heading| heading == anchor), "{file}: no heading for {link}");
            }
        }
    }
}
