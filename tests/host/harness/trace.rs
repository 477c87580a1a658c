//! The trace of a test, in a form that can be compared between the two modules.

use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

use super::app::Item;
use super::asterisk::Module;
use super::surroundings;

#[derive(Debug, Default)]
struct Inner {
    /// One list for what the test noted, and one for each app.
    sections: Vec<Vec<String>>,
    /// Texts that differ from run to run, and their replacements.
    names: Vec<(String, String)>,
    /// What did not fit docs/schema; `None` if that is not checked.
    unfit: Option<Vec<String>>,
}

/// The trace of one test on one module. Everything that a test takes from an app is added automatically, in a list per
/// app. The test adds other lines worth comparing. What a test does not take is not in the trace: it may or may not
/// have arrived by the end.
#[derive(Debug, Clone, Default)]
pub struct Recorder(Arc<Mutex<Inner>>);

/// One list of a [`Recorder`]. Lists are in the order of their first lines, which the test determines, not in the order
/// in which the connections came.
#[derive(Debug)]
pub struct Trace {
    recorder: Recorder,
    section: OnceLock<usize>,
}

impl Recorder {
    /// The list of the test's own notes, which is the first.
    pub fn notes(&self) -> Trace {
        self.0.lock().sections.push(Vec::new());
        Trace { recorder: self.clone(), section: OnceLock::from(0) }
    }

    /// The list of an app.
    pub fn section(&self) -> Trace {
        Trace { recorder: self.clone(), section: OnceLock::new() }
    }

    /// Requires that the messages on the connections fit docs/schema.
    pub fn mind_schemas(&self) {
        self.0.lock().unfit.get_or_insert_default();
    }

    /// The messages that did not fit.
    pub fn unfit(&self) -> Vec<String> {
        self.0.lock().unfit.clone().unwrap_or_default()
    }

    /// Declares that `value` differs from run to run. The trace has `<name>` instead.
    pub fn name(&self, value: &str, name: &str) {
        let mut inner = self.0.lock();
        if !value.is_empty() && !inner.names.iter().any(|(known, _)| known == value) {
            inner.names.push((value.to_owned(), format!("<{name}>")));
        }
    }

    /// The lines of all lists, with the replacements made.
    pub fn normalised(&self, module: Module) -> Vec<String> {
        let inner = self.0.lock();
        let mut names = inner.names.clone();
        // The name of a channel contains the name of the connection, so the longer one is replaced first.
        names.sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
        let mut lines = Vec::new();
        for (number, section) in inner.sections.iter().enumerate() {
            if number > 0 {
                lines.push(format!("app {number}:"));
            }
            for line in section {
                let mut line = recording_removed(newer_fields_removed(line, module));
                for (value, name) in &names {
                    line = line.replace(value, name);
                }
                // A line must remain one line in a file.
                lines.push(line.replace('\n', "\\n").replace('\r', "\\r"));
            }
        }
        lines
    }
}

impl Trace {
    /// Adds a line.
    pub fn note(&self, line: impl Into<String>) {
        let mut inner = self.recorder.0.lock();
        let section = *self.section.get_or_init(|| {
            inner.sections.push(Vec::new());
            inner.sections.len() - 1
        });
        inner.sections[section].push(line.into());
    }

    /// See [`Recorder::name`].
    pub fn name(&self, value: &str, name: &str) {
        self.recorder.name(value, name);
    }

    /// See [`Recorder::mind_schemas`].
    pub(super) fn minds_schemas(&self) -> bool {
        self.recorder.0.lock().unfit.is_some()
    }

    /// Adds what did not fit docs/schema.
    pub(super) fn unfit(&self, faults: Vec<String>) {
        if let Some(unfit) = &mut self.recorder.0.lock().unfit {
            unfit.extend(faults);
        }
    }

    pub(super) fn received(&self, item: &Item) {
        match item {
            Item::Event(event) => self.note(&event.raw),
            Item::Close(code) => self.note(format!("close {code}")),
            Item::End(_) => self.note("end"),
            Item::Media(_) | Item::Ping(_) | Item::Pong(_) => {}
        }
    }
}

/// MEDIA_START of newer Asterisk has two more fields at the end. Ours sends them; the C module is too old for them. A
/// separate test covers them, and all other comparisons leave them out.
fn newer_fields_removed(line: &str, module: Module) -> String {
    let is_start = line.starts_with("MEDIA_START ") || line.starts_with("{\"event\":\"MEDIA_START\"");
    if module == Module::Oracle || !is_start {
        return line.to_owned();
    }
    let mut line = line.to_owned();
    for value in ["true", "false"] {
        for field in ["passthrough", "unbuffered"] {
            line =
                line.replace(&format!(" {field}:{value}"), "").replace(&format!(",\"{field}\":{value}"), "");
        }
    }
    line
}

/// MEDIA_START has the channel's variables, and in the [surroundings](super::surroundings) there is one more.
fn recording_removed(line: String) -> String {
    let key = format!("\"{}\":\"", surroundings::RECORDED);
    let Some((before, rest)) = line.split_once(&key) else { return line };
    let (_, after) = rest.split_once('"').unwrap_or_default();
    // Removes the comma that separated it, too.
    match after.strip_prefix(',') {
        Some(after) => format!("{before}{after}"),
        None => format!("{}{after}", before.strip_suffix(',').unwrap_or(before)),
    }
}

/// The first difference between two traces, in a readable form. `None` if they are equal.
pub fn difference(oracle: &[String], ours: &[String]) -> Option<String> {
    if oracle == ours {
        return None;
    }
    let same = oracle.iter().zip(ours).take_while(|(left, right)| left == right).count();
    let mut text = String::new();
    for line in &oracle[..same] {
        text.push_str(&format!("    {line}\n"));
    }
    for line in &oracle[same..] {
        text.push_str(&format!("  - {line}\n"));
    }
    for line in &ours[same..] {
        text.push_str(&format!("  + {line}\n"));
    }
    Some(text)
}
