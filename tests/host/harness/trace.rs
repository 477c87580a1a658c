//! What a test saw, in a form that can be compared between the two modules.

use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

use super::app::Item;
use super::asterisk::Module;
use super::surroundings;

#[derive(Debug, Default)]
struct Inner {
    /// One list for what the test noted, and one for each app.
    sections: Vec<Vec<String>>,
    /// Texts that differ from run to run, and what stands for them.
    names: Vec<(String, String)>,
    /// What did not fit docs/schema; `None` where that does not matter.
    unfit: Option<Vec<String>>,
}

/// The notes of one test on one module. Everything that a test takes from an app goes in by itself, in a list per
/// app; the test adds what it finds worth comparing. Things that a test does not take do not count: they may or may
/// not have come by the time it ends.
#[derive(Debug, Clone, Default)]
pub struct Recorder(Arc<Mutex<Inner>>);

/// One list of a [`Recorder`]. Lists stand in the order of their first lines, which is the test's, not in the order
/// in which connections happened to come.
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

    /// Says that what goes over the connections must fit docs/schema.
    pub fn mind_schemas(&self) {
        self.0.lock().unfit.get_or_insert_default();
    }

    /// What did not.
    pub fn unfit(&self) -> Vec<String> {
        self.0.lock().unfit.clone().unwrap_or_default()
    }

    /// Says that `value` differs from run to run; the trace has `<name>` instead.
    pub fn name(&self, value: &str, name: &str) {
        let mut inner = self.0.lock();
        if !value.is_empty() && !inner.names.iter().any(|(known, _)| known == value) {
            inner.names.push((value.to_owned(), format!("<{name}>")));
        }
    }

    /// The lines of all lists, with the names in place.
    pub fn normalised(&self, module: Module) -> Vec<String> {
        let inner = self.0.lock();
        let mut names = inner.names.clone();
        // A channel's name holds the connection's: the longer one goes first.
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
                // A line stays one, also in a file.
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

/// MEDIA_START of newer Asterisk has two more fields, last. Ours sends them, the oracle is too old: that they are
/// there is tested by itself, and comparing everything else goes on without them.
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

/// MEDIA_START carries the channel's variables, and in the [surroundings](super::surroundings) there is one more.
fn recording_removed(line: String) -> String {
    let key = format!("\"{}\":\"", surroundings::RECORDED);
    let Some((before, rest)) = line.split_once(&key) else { return line };
    let (_, after) = rest.split_once('"').unwrap_or_default();
    // With the comma that set it off.
    match after.strip_prefix(',') {
        Some(after) => format!("{before}{after}"),
        None => format!("{}{after}", before.strip_suffix(',').unwrap_or(before)),
    }
}

/// Where two traces part, for people. `None` if they are equal.
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
