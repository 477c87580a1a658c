//! Asterisk's log file: for checks in tests, and for reports.

use std::fs;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use parking_lot::Mutex;

use super::wait;

/// Warnings that say nothing about the driver. Stasis applications, AMI sessions and apps of finished tests disappear.
/// On a busy machine one of the core's subscribers (device states, AMI) can fall behind the calls. The driver's
/// subscribers are in the pool, and their names begin with `stasis/p:`.
const NOISE: &[&str] = &[
    "ari/ari_websockets.c",
    "app_stasis.c",
    "Web socket closed abruptly",
    "Unable to process manager action 'Logoff'. Asterisk is shutting down.",
    "Taskprocessor 'stasis/m:",
];

/// The log of one instance. A separate thread of Asterisk writes it, so wait with [`Log::wait_since`].
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    /// Texts of warnings and errors that tests expect.
    allowed: Mutex<Vec<String>>,
    /// How much of the file has been checked for warnings and errors.
    checked: Mutex<usize>,
}

impl Log {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, allowed: Mutex::default(), checked: Mutex::default() }
    }

    /// The path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The length of the file in bytes; a mark for [`Log::since`].
    pub fn len(&self) -> usize {
        fs::metadata(&self.path).map_or(0, |meta| usize::try_from(meta.len()).unwrap_or(usize::MAX))
    }

    /// What was logged after a mark.
    pub fn since(&self, mark: usize) -> String {
        let mut bytes = Vec::new();
        if let Ok(mut file) = fs::File::open(&self.path)
            && file.seek(SeekFrom::Start(mark as u64)).is_ok()
        {
            // What cannot be read counts as missing.
            let _ = file.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Whether a line contains all of `parts`.
    pub fn contains(&self, parts: &[&str]) -> bool {
        self.find(0, parts).is_some()
    }

    /// The first line after `mark` that contains all of `parts`.
    pub fn find(&self, mark: usize, parts: &[&str]) -> Option<String> {
        let text = self.since(mark);
        text.lines().find(|line| parts.iter().all(|part| line.contains(part))).map(str::to_owned)
    }

    /// Waits for a line after `mark` that contains all of `parts`.
    #[track_caller]
    pub fn wait_since(&self, mark: usize, parts: &[&str]) -> String {
        match wait::poll(wait::PATIENCE, || self.find(mark, parts)) {
            Some(line) => line,
            None => panic!("Asterisk did not log {parts:?}"),
        }
    }

    /// Declares that a warning or error with `text` is expected. Call it before the message is logged.
    pub fn allow(&self, text: &str) {
        self.allowed.lock().push(text.to_owned());
    }

    /// Warnings and errors that no test allowed, each returned once.
    pub fn surprises(&self) -> Vec<String> {
        let mut checked = self.checked.lock();
        let text = self.since(*checked);
        // The last line may not be complete yet.
        let complete = text.rfind('\n').map_or(0, |end| end + 1);
        *checked += complete;
        let allowed = self.allowed.lock();
        text[..complete]
            .lines()
            .filter(|line| line.contains("] WARNING[") || line.contains("] ERROR["))
            .filter(|line| !NOISE.iter().any(|text| line.contains(text)))
            .filter(|line| !allowed.iter().any(|text| line.contains(text.as_str())))
            .map(str::to_owned)
            .collect()
    }
}

/// The last `count` lines of a text.
pub fn tail(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}
